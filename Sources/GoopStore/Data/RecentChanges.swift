import Synchronization

/// Which rows were changed or removed lately.
///
/// Rows to change are looked for on a reader, so that a slow condition holds up nobody's write, and are written later. By this
/// the writer knows whether they are still as they were found, without trying the condition again. May be used from any task.
final class RecentChanges: Sendable {
    /// Rows that are remembered; past it all are forgotten, and whatever was found before has to be looked for again.
    static let maximumRows = 16_384

    /// A row of a table.
    struct Row: Sendable, Hashable {
        let table: String
        let id: Int64
    }

    /// A moment between two commits.
    struct Mark: Sendable, Hashable, Comparable {
        fileprivate var commits = 0

        static func < (left: Mark, right: Mark) -> Bool { left.commits < right.commits }
    }

    private struct State {
        var now = Mark()
        /// Nothing is known of what changed before.
        var floor = Mark()
        var rows: [Row: Mark] = [:]

        mutating func forget() {
            rows = [:]
            floor = now
        }
    }

    private let state = Mutex(State())

    /// This moment; to be asked for before rows are read.
    var mark: Mark { state.withLock { $0.now } }

    /// Takes down what a commit changed and removed.
    func note(_ changed: Set<Row>) {
        guard !changed.isEmpty else { return }
        state.withLock { state in
            state.now.commits &+= 1
            guard state.rows.count + changed.count <= RecentChanges.maximumRows else { return state.forget() }
            for row in changed { state.rows[row] = state.now }
        }
    }

    /// Takes down that anything may have changed: tables were, or another program wrote.
    func noteAnything() {
        state.withLock { state in
            state.now.commits &+= 1
            state.forget()
        }
    }

    /// Whether rows are as they were at a moment. False also if that is not known any more.
    func areUnchanged(_ ids: [Int64], of table: String, since mark: Mark) -> Bool {
        state.withLock { state in
            guard mark >= state.floor else { return false }
            guard !state.rows.isEmpty else { return true }
            return ids.allSatisfy { id in state.rows[Row(table: table, id: id)].map { $0 <= mark } ?? true }
        }
    }
}
