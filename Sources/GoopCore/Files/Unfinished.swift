import Synchronization

/// What this program writes under temporary names and has not finished: it goes when the program is told to end.
package enum Unfinished {
    private static let work = Mutex<[String: @Sendable (String) -> Void]>([:])

    /// Notes a temporary name, and how to remove what has it.
    package static func begin(_ path: String, remove: @escaping @Sendable (String) -> Void) {
        work.withLock { $0[path] = remove }
    }

    /// It is finished, or removed.
    package static func end(_ path: String) { work.withLock { $0[path] = nil } }

    /// Removes everything. Whoever begins something new meanwhile waits.
    package static func removeAll() {
        work.withLock { work in
            for (path, remove) in work { remove(path) }
            work = [:]
        }
    }
}
