import PeerIdentity
import Synchronization

/// How many streams may be open at once: in all, and for the tables of one peer.
final class StreamPlaces: Sendable {
    /// One open stream; its place is given back when the last reference goes.
    final class Place: Sendable {
        private let places: StreamPlaces
        private let peer: PeerID

        fileprivate init(places: StreamPlaces, peer: PeerID) {
            self.places = places
            self.peer = peer
        }

        deinit { places.giveBack(peer) }
    }

    private let limit: Int
    private let limitPerPeer: Int
    private let taken = Mutex<[PeerID: Int]>([:])

    init(limit: Int, limitPerPeer: Int) {
        self.limit = limit
        self.limitPerPeer = limitPerPeer
    }

    /// Nil at one of the limits.
    func take(for peer: PeerID) -> Place? {
        let isFree = taken.withLock { taken in
            guard taken.values.reduce(0, +) < limit, taken[peer, default: 0] < limitPerPeer else { return false }
            taken[peer, default: 0] += 1
            return true
        }
        return isFree ? Place(places: self, peer: peer) : nil
    }

    private func giveBack(_ peer: PeerID) {
        taken.withLock { taken in
            let left = taken[peer, default: 0] - 1
            taken[peer] = left > 0 ? left : nil
        }
    }
}
