import Synchronization

/// What this program writes under temporary names and has not finished: it goes when the program is told to end.
///
/// Names are made and changed in `begin` and `step` only, so that none can appear behind the back of the removal.
package enum Unfinished {
    private static let work = Mutex<[String: @Sendable (String) -> Void]>([:])
    /// Whether `removeAll` may come, as it may in commands. In a running peer a disk that hangs must not hold up the files of
    /// another.
    private static let isWatched = Atomic(false)

    /// To be called before anything is begun, by whoever may call `removeAll`.
    package static func watch() { isWatched.store(true, ordering: .sequentiallyConsistent) }

    /// Makes something under a temporary name, and notes how to remove it.
    package static func begin<Made, Fault: Error>(
        _ path: String, remove: @escaping @Sendable (String) -> Void, make: () throws(Fault) -> Made
    ) throws(Fault) -> Made {
        guard isWatched.load(ordering: .sequentiallyConsistent) else { return try make() }
        let outcome: Result<Made, Fault> = work.withLock { work in
            do throws(Fault) {
                let made = try make()
                work[path] = remove
                return .success(made)
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Makes something within what was begun, or gives it its last name.
    package static func step<Made, Fault: Error>(_ take: () throws(Fault) -> Made) throws(Fault) -> Made {
        guard isWatched.load(ordering: .sequentiallyConsistent) else { return try take() }
        let outcome: Result<Made, Fault> = work.withLock { _ in
            do throws(Fault) { return .success(try take()) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    /// It is finished, or removed.
    package static func end(_ path: String) { work.withLock { $0[path] = nil } }

    /// Removes everything and ends the program: whoever wants to make or rename something meanwhile waits for that end.
    package static func removeAll(andThen exit: () -> Never) -> Never {
        work.withLock { work in
            for (path, remove) in work { remove(path) }
            exit()
        }
    }
}
