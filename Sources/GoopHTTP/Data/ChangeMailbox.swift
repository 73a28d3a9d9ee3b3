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
        /// Changes of this table arrive from now on.
        case ready(String)
        /// In the order in which they happened.
        case changes([DataChange])
        /// Changes were lost: the page has to read this table again.
        case reload(String)
        /// The end of this table: no changes of it come any more.
        case lost(String, DataError)
    }

    private struct Waiting {
        var ready: [String] = []
        var changes: [DataChange] = []
        var cost = 0
        /// Tables of which changes were lost. From the first on no change is kept until these are taken.
        var lossy: [String] = []
        var ends: [(table: String, reason: DataError)] = []

        mutating func lose(_ table: String) {
            if !lossy.contains(table) { lossy.append(table) }
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

    /// A table begins to be watched.
    func ready(_ table: String) {
        box.put { $0.ready.append(table) }
    }

    func put(_ change: DataChange) {
        box.put { waiting in
            guard waiting.lossy.isEmpty else { return waiting.lose(change.table) }
            waiting.changes.append(change)
            waiting.cost += change.cost
            if waiting.changes.count > limit || waiting.cost > costLimit {
                for lost in waiting.changes { waiting.lose(lost.table) }
                waiting.changes = []
            }
        }
    }

    /// Makes the writer send a sign of life.
    func beat() { box.beat() }

    /// Ends the stream, and gives no reason.
    func close() { box.close() }

    /// No more changes of a table; what waits is still delivered, then the reason. Once for each.
    func end(_ table: String, _ reason: DataError) {
        box.put { $0.ends.append((table, reason)) }
    }

    /// Takes everything that waits; never empty.
    func take() -> [Delivery] {
        let waiting = box.take()
        var deliveries = waiting.ready.map { Delivery.ready($0) }
        deliveries += waiting.lossy.map { .reload($0) }
        if !waiting.changes.isEmpty { deliveries.append(.changes(waiting.changes)) }
        deliveries += waiting.ends.map { .lost($0.table, $0.reason) }
        return deliveries.isEmpty ? [.heartbeat] : deliveries
    }
}
