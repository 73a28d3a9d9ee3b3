import GoopCore
import PeerIdentity

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

    private struct Waiting {
        var changes: [PeerID: PeerChange] = [:]
        var order: [PeerID] = []
        var isOverflowing = false
    }

    /// Wakes the writer; ends when the mailbox is closed.
    var wakeUps: AsyncStream<Void> { box.wakeUps }
    private let box = Mailbox(Waiting())
    private let limit: Int

    init(limit: Int = 1024) {
        self.limit = limit
    }

    func put(_ change: PeerChange) {
        box.put { waiting in
            guard !waiting.isOverflowing else { return }
            if waiting.changes.updateValue(change, forKey: change.peer) == nil { waiting.order.append(change.peer) }
            if waiting.order.count > limit { waiting = Waiting(isOverflowing: true) }
        }
    }

    /// Something was missed that nobody can tell: the writer sends everything.
    func miss() { box.put { $0 = Waiting(isOverflowing: true) } }

    /// Makes the writer send a sign of life.
    func beat() { box.beat() }

    func close() { box.close() }

    /// Takes everything that waits.
    func take() -> Delivery {
        let waiting = box.take()
        if waiting.isOverflowing { return .snapshot }
        return waiting.order.isEmpty ? .heartbeat : .changes(waiting.order.compactMap { waiting.changes[$0] })
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
