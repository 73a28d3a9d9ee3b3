internal import DequeModule

/// The messages of one topic that may be advertised at one heartbeat.
struct GossipOffer: Sendable {
    struct Arrival: Sendable {
        let id: MessageID
        /// Not before that of the one before it.
        let time: MonotonicInstant
    }

    /// Newest heartbeat first; each in order of arrival.
    private let windows: [Deque<Arrival>]

    init(windows: [Deque<Arrival>]) { self.windows = windows }

    /// How many messages it is about.
    var count: Int { windows.reduce(0) { $0 + $1.count } }

    /// Those that had arrived by a time, newest heartbeat first, and no more than so many.
    func ids(arrivedBy latest: MonotonicInstant, atMost limit: Int = .max) -> [MessageID] {
        var ids: [MessageID] = []
        for window in windows where ids.count < limit {
            ids += window.prefix(min(Self.arrived(by: latest, in: window), limit - ids.count)).lazy.map(\.id)
        }
        return ids
    }

    private static func arrived(by latest: MonotonicInstant, in window: Deque<Arrival>) -> Int {
        var (low, high) = (0, window.count)
        while low < high {
            let middle = (low + high) / 2
            if window[middle].time <= latest { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
