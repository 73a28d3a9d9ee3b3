import GoopCore

/// What waits to be sent to one page that watches a table.
///
/// A page that reads slowly loses changes past the limit and is told to read the table again; the queue never grows
/// further.
final class ChangeMailbox: Sendable {
    /// What to send next.
    enum Delivery: Sendable {
        /// Nothing happened; a sign of life is due.
        case heartbeat
        /// In the order in which they happened.
        case changes([DataChange])
        /// Changes were lost: the page has to read the table again.
        case reload
        /// The end: no changes come any more.
        case lost(DataError)
    }

    private struct Waiting {
        var changes: [DataChange] = []
        var cost = 0
        var isOverflowing = false
        var end: DataError?
    }

    /// Wakes the writer; ends when the mailbox is closed.
    var wakeUps: AsyncStream<Void> { box.wakeUps }
    private let box = Mailbox(Waiting())
    private let limit: Int
    private let costLimit: Int

    /// - Parameter costLimit: of the bytes of all changes that wait; one alone may have more.
    init(limit: Int = 256, costLimit: Int = 4 << 20) {
        self.limit = limit
        self.costLimit = costLimit
    }

    func put(_ change: DataChange) {
        box.put { waiting in
            guard !waiting.isOverflowing else { return }
            waiting.changes.append(change)
            waiting.cost += change.cost
            if waiting.changes.count > limit || (waiting.changes.count > 1 && waiting.cost > costLimit) {
                waiting.changes = []
                waiting.isOverflowing = true
            }
        }
    }

    /// Makes the writer send a sign of life.
    func beat() { box.beat() }

    /// Ends the stream, and gives no reason.
    func close() { box.close() }

    /// No more changes; what waits is still delivered, then the reason.
    func end(_ reason: DataError) {
        box.put { $0.end = $0.end ?? reason }
    }

    /// Takes everything that waits; never empty.
    func take() -> [Delivery] {
        let waiting = box.take()
        var deliveries: [Delivery] = []
        if waiting.isOverflowing { deliveries.append(.reload) }
        if !waiting.changes.isEmpty { deliveries.append(.changes(waiting.changes)) }
        if let end = waiting.end { deliveries.append(.lost(end)) }
        return deliveries.isEmpty ? [.heartbeat] : deliveries
    }
}
