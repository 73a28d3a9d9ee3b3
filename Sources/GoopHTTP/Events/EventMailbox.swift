import GoopCore
import PeerIdentity
import Synchronization

/// What waits to be sent to one page: at most one change per peer, the newest.
///
/// A page that reads slowly gets fewer, newer events, never old ones and never a growing queue. Past the limit of
/// peers all changes are dropped in favour of one full snapshot.
final class EventMailbox: Sendable {
    /// What to send next.
    enum Delivery: Sendable, Equatable {
        /// Nothing happened; a sign of life is due.
        case heartbeat
        /// In the order in which each peer first changed.
        case changes([PeerChange])
        /// Too much was missed: send everything.
        case snapshot
    }

    private struct State {
        var changes: [PeerID: PeerChange] = [:]
        var order: [PeerID] = []
        var isOverflowing = false
    }

    /// Wakes the writer; holds one wake-up at most. Ends when the mailbox is closed.
    let wakeUps: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int = 1024) {
        self.limit = limit
        (wakeUps, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func put(_ change: PeerChange) {
        state.withLock { state in
            guard !state.isOverflowing else { return }
            if state.changes.updateValue(change, forKey: change.peer) == nil { state.order.append(change.peer) }
            if state.order.count > limit { state = State(isOverflowing: true) }
        }
        wake.yield()
    }

    /// Makes the writer send a sign of life.
    func beat() {
        wake.yield()
    }

    func close() {
        wake.finish()
    }

    /// Takes everything that waits.
    func take() -> Delivery {
        state.withLock { state in
            let waiting = state
            state = State()
            if waiting.isOverflowing { return .snapshot }
            return waiting.order.isEmpty ? .heartbeat : .changes(waiting.order.compactMap { waiting.changes[$0] })
        }
    }
}

extension PeerChange {
    /// The peer it is about.
    var peer: PeerID {
        switch self {
        case .updated(let entry): entry.id
        case .removed(let id): id
        }
    }
}
