import LibP2P
import Synchronization

/// Peers that multicast has found lately: those that are worth another try when a connection is missing.
final class Neighbours: Sendable {
    /// The most that are remembered; a newcomer takes the place of the one that was seen longest ago.
    static let maximum = 1024
    /// How long after its last sign of life a peer is still tried.
    static let lifetime = Duration.seconds(600)

    private let seen = Mutex<[PeerID: ContinuousClock.Instant]>([:])

    /// A peer was found.
    func saw(_ peer: PeerID) {
        seen.withLock { seen in
            if seen.count >= Neighbours.maximum, seen[peer] == nil,
                let oldest = seen.min(by: { $0.value < $1.value })?.key
            {
                seen[oldest] = nil
            }
            seen[peer] = .now
        }
    }

    /// A peer said goodbye, or was not heard for long.
    func lost(_ peer: PeerID) { seen.withLock { seen in seen[peer] = nil } }

    /// Everybody found within the lifetime.
    func current() -> [PeerID] {
        seen.withLock { seen in
            seen = seen.filter { ContinuousClock.now - $0.value < Neighbours.lifetime }
            return Array(seen.keys)
        }
    }
}
