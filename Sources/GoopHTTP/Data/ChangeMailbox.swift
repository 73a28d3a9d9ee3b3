import GoopCore
import Synchronization

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

    private struct State {
        var changes: [DataChange] = []
        var isOverflowing = false
        var end: DataError?
    }

    /// Wakes the writer; holds one wake-up at most.
    let wakeUps: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int = 256) {
        self.limit = limit
        (wakeUps, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func put(_ change: DataChange) {
        state.withLock { state in
            guard !state.isOverflowing else { return }
            state.changes.append(change)
            if state.changes.count > limit {
                state.changes = []
                state.isOverflowing = true
            }
        }
        wake.yield()
    }

    /// Makes the writer send a sign of life.
    func beat() { wake.yield() }

    /// No more changes; what waits is still delivered, then the reason.
    func end(_ reason: DataError) {
        state.withLock { $0.end = $0.end ?? reason }
        wake.yield()
    }

    /// Takes everything that waits; never empty.
    func take() -> [Delivery] {
        state.withLock { state in
            var deliveries: [Delivery] = []
            if state.isOverflowing { deliveries.append(.reload) }
            if !state.changes.isEmpty { deliveries.append(.changes(state.changes)) }
            if let end = state.end { deliveries.append(.lost(end)) }
            state = State(end: state.end)
            return deliveries.isEmpty ? [.heartbeat] : deliveries
        }
    }
}
