import PeerIdentity
import Synchronization

/// How many streams may be open at once: in all, and of one peer. A stream of several tables counts as one of each.
final class StreamPlaces: Sendable {
    /// One open stream; its places are given back when the last reference goes.
    final class Place: Sendable {
        /// How many it has.
        let count: Int
        private let places: StreamPlaces
        private let peer: PeerID

        fileprivate init(places: StreamPlaces, peer: PeerID, count: Int) {
            self.count = count
            self.places = places
            self.peer = peer
        }

        deinit { places.giveBack(count, of: peer) }
    }

    private let limit: Int
    private let limitPerPeer: Int
    private let taken = Mutex<[PeerID: Int]>([:])

    init(limit: Int, limitPerPeer: Int) {
        self.limit = limit
        self.limitPerPeer = limitPerPeer
    }

    /// As many places as there are, up to `most`; nil at one of the limits.
    func take(for peer: PeerID, upTo most: Int = 1) -> Place? {
        let count = taken.withLock { taken in
            let own = taken[peer, default: 0]
            let count = min(most, limit - taken.values.reduce(0, +), limitPerPeer - own)
            if count > 0 { taken[peer] = own + count }
            return count
        }
        return count > 0 ? Place(places: self, peer: peer, count: count) : nil
    }

    private func giveBack(_ count: Int, of peer: PeerID) {
        taken.withLock { taken in
            let left = taken[peer, default: 0] - count
            taken[peer] = left > 0 ? left : nil
        }
    }
}
