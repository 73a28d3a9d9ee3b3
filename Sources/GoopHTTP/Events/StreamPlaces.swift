import PeerIdentity
import Synchronization

/// How many streams may be open at once: in all, and of one peer. A stream of several tables counts as one of each. Also
/// where a shutdown finds them.
final class StreamPlaces: Sendable {
    /// One open stream; its places are given back when the last reference goes.
    final class Place: Sendable {
        /// How many it found at first.
        let count: Int
        private let places: StreamPlaces
        private let peer: PeerID
        private let number: UInt64

        fileprivate init(places: StreamPlaces, peer: PeerID, count: Int, number: UInt64) {
            self.count = count
            self.places = places
            self.peer = peer
            self.number = number
        }

        /// Says how the stream is ended when the viewer closes; done at once if it is closing already. One for each stream.
        /// - Parameter end: must return at once, and must not keep the place.
        func onClose(_ end: @escaping @Sendable () -> Void) { places.onClose(of: number, end) }

        /// One more for the same stream; false at one of the limits, and after `close`.
        func takeAnother() -> Bool { places.takeAnother(for: peer, number) }

        deinit { places.giveBack(of: peer, number) }
    }

    private struct State {
        var taken: [PeerID: Int] = [:]
        /// How many each stream has.
        var counts: [UInt64: Int] = [:]
        var lastNumber: UInt64 = 0
        /// At most one for each stream.
        var ends: [UInt64: @Sendable () -> Void] = [:]
        var isClosed = false
    }

    private let limit: Int
    private let limitPerPeer: Int
    private let state = Mutex(State())

    init(limit: Int, limitPerPeer: Int) {
        self.limit = limit
        self.limitPerPeer = limitPerPeer
    }

    /// As many places as there are, up to `most`; nil at one of the limits, and after `close`.
    func take(for peer: PeerID, upTo most: Int = 1) -> Place? {
        let taken: (count: Int, number: UInt64)? = state.withLock { state in
            let count = min(most, free(for: peer, in: state))
            guard count > 0 else { return nil }
            state.taken[peer, default: 0] += count
            state.lastNumber += 1
            state.counts[state.lastNumber] = count
            return (count, state.lastNumber)
        }
        return taken.map { Place(places: self, peer: peer, count: $0.count, number: $0.number) }
    }

    private func takeAnother(for peer: PeerID, _ number: UInt64) -> Bool {
        state.withLock { state in
            guard free(for: peer, in: state) > 0 else { return false }
            state.taken[peer, default: 0] += 1
            state.counts[number, default: 0] += 1
            return true
        }
    }

    private func free(for peer: PeerID, in state: State) -> Int {
        guard !state.isClosed else { return 0 }
        return min(limit - state.taken.values.reduce(0, +), limitPerPeer - state.taken[peer, default: 0])
    }

    /// Ends every stream; nobody gets a place any more. A stream that waits for changes would else last for as long as its
    /// page does.
    func close() {
        let ends = state.withLock { state in
            defer { state.ends = [:] }
            state.isClosed = true
            return Array(state.ends.values)
        }
        for end in ends { end() }
    }

    private func onClose(of number: UInt64, _ end: @escaping @Sendable () -> Void) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.ends[number] = end }
            return state.isClosed
        }
        if isClosed { end() }
    }

    private func giveBack(of peer: PeerID, _ number: UInt64) {
        state.withLock { state in
            state.ends[number] = nil
            let left = state.taken[peer, default: 0] - (state.counts.removeValue(forKey: number) ?? 0)
            state.taken[peer] = left > 0 ? left : nil
        }
    }
}
