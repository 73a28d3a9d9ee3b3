import GoopCore
import PeerIdentity
import Synchronization

/// Peers that could not be reached a moment ago, so that a page with twenty files waits once and not twenty times.
final class FailureMemory: Sendable {
    private struct Entry {
        var error: SiteError
        var expires: ContinuousClock.Instant
    }

    private let lifetime: Duration
    private let limit: Int
    private let entries = Mutex<[PeerID: Entry]>([:])
    /// When each of the peers that answered lately last did.
    private let answers = Mutex<[PeerID: ContinuousClock.Instant]>([:])

    /// At the limit the entry that expires first is dropped.
    init(lifetime: Duration, limit: Int = 256) {
        self.lifetime = lifetime
        self.limit = max(limit, 1)
    }

    /// The failure of a peer, if it is fresh.
    func failure(of peer: PeerID, now: ContinuousClock.Instant) -> SiteError? {
        entries.withLock { entries in
            guard let entry = entries[peer] else { return nil }
            guard now < entry.expires else {
                entries[peer] = nil
                return nil
            }
            return entry.error
        }
    }

    /// The peer answered: whatever it was asked before and has not answered yet is slow, and the peer is there.
    func answered(_ peer: PeerID, now: ContinuousClock.Instant) {
        forget(peer)
        answers.withLock { answers in
            answers[peer] = now
            if answers.count > limit, let first = answers.min(by: { $0.value < $1.value }) { answers[first.key] = nil }
        }
    }

    /// Keeps the error if it says that the peer does not answer; other errors concern one file.
    /// - Parameter asked: when the peer was asked for what it did not give.
    func record(
        _ error: SiteError, of peer: PeerID, asked: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) {
        guard error.kind == .unreachable || error.kind == .timedOut else { return }
        if error.kind == .timedOut, let answer = answers.withLock({ $0[peer] }), answer >= asked { return }
        entries.withLock { entries in
            entries[peer] = Entry(error: error, expires: now + lifetime)
            if entries.count > limit, let first = entries.min(by: { $0.value.expires < $1.value.expires }) {
                entries[first.key] = nil
            }
        }
    }

    /// News of the peer arrived: the next request tries again.
    func forget(_ peer: PeerID) {
        entries.withLock { $0[peer] = nil }
    }
}
