import GoopCore

/// What waits to be sent to one page that watches tables.
///
/// A page that reads slowly loses changes past the limit, which is one for all its tables, and is told to read again
/// those that changed; the queue never grows further.
final class ChangeMailbox: Sendable {
    /// What to send next.
    enum Delivery: Sendable {
        /// Nothing happened; a sign of life is due.
        case heartbeat
        /// Changes of this table arrive from now on; it is to be read, whatever came of it before.
        case ready(String)
        /// In the order in which they happened.
        case changes([DataChange])
        /// Changes were lost: the page has to read this table again.
        case reload(String)
        /// No changes of this table come until it is ready again.
        case interrupted(String, DataError)
        /// The end of this table: no changes of it come any more.
        case lost(String, DataError)
    }

    private struct Waiting {
        var ready: [String] = []
        var changes: [DataChange] = []
        var cost = 0
        /// Tables of which changes were lost. From the first on no change is kept until these are taken.
        var lossy: [String] = []
        /// Tables that are not watched any more, each once: the last word counts.
        var ends: [(table: String, reason: DataError, isInterruption: Bool)] = []

        mutating func lose(_ table: String) {
            if !lossy.contains(table) { lossy.append(table) }
        }

        /// Nothing from before is told any more. A change of then would come behind the rows that the page reads now.
        mutating func begin(_ table: String) {
            ends.removeAll { $0.table == table }
            lossy.removeAll { $0 == table }
            changes.removeAll { $0.table == table }
            cost = changes.reduce(0) { $0 + $1.cost }
            if !ready.contains(table) { ready.append(table) }
        }

        mutating func end(_ table: String, _ reason: DataError, isInterruption: Bool) {
            ends.removeAll { $0.table == table }
            ends.append((table, reason, isInterruption))
        }
    }

    /// Wakes the writer; ends when the mailbox is closed.
    var wakeUps: AsyncStream<Void> { box.wakeUps }
    private let box = Mailbox(Waiting())
    private let limit: Int
    private let costLimit: Int

    /// - Parameter costLimit: of the bytes of all changes that wait; one that has more by itself is not kept, either.
    init(limit: Int = 256, costLimit: Int = 4 << 20) {
        self.limit = limit
        self.costLimit = costLimit
    }

    /// A table begins to be watched, or is watched again.
    func ready(_ table: String) {
        box.put { $0.begin(table) }
    }

    func put(_ change: DataChange) {
        box.put { waiting in
            guard waiting.lossy.isEmpty else { return waiting.lose(change.table) }
            waiting.changes.append(change)
            waiting.cost += change.cost
            if waiting.changes.count > limit || waiting.cost > costLimit {
                for lost in waiting.changes { waiting.lose(lost.table) }
                waiting.changes = []
                waiting.cost = 0
            }
        }
    }

    /// Makes the writer send a sign of life.
    func beat() { box.beat() }

    /// Ends the stream, and gives no reason.
    func close() { box.close() }

    /// No changes of a table until it is ready again; what waits is still delivered, then the reason.
    func interrupt(_ table: String, _ reason: DataError) {
        box.put { $0.end(table, reason, isInterruption: true) }
    }

    /// No more changes of a table; what waits is still delivered, then the reason. Once for each.
    func end(_ table: String, _ reason: DataError) {
        box.put { $0.end(table, reason, isInterruption: false) }
    }

    /// Takes everything that waits; never empty.
    func take() -> [Delivery] {
        let waiting = box.take()
        var deliveries = waiting.ready.map { Delivery.ready($0) }
        deliveries += waiting.lossy.map { .reload($0) }
        if !waiting.changes.isEmpty { deliveries.append(.changes(waiting.changes)) }
        deliveries += waiting.ends.map { end in
            end.isInterruption ? .interrupted(end.table, end.reason) : .lost(end.table, end.reason)
        }
        return deliveries.isEmpty ? [.heartbeat] : deliveries
    }
}
