internal import DequeModule

/// Message ids seen lately, each kept for a fixed time from first sight, at most `limit` of them.
struct SeenCache: Sendable {
    private let timeToLive: Duration
    private let limit: Int
    private var firstSeen: [MessageID: MonotonicInstant] = [:]
    private var order = Deque<(id: MessageID, at: MonotonicInstant)>()

    init(timeToLive: Duration, limit: Int) {
        self.timeToLive = timeToLive
        self.limit = max(1, limit)
    }

    var count: Int { firstSeen.count }

    func contains(_ id: MessageID) -> Bool { firstSeen[id] != nil }

    func firstSight(of id: MessageID) -> MonotonicInstant? { firstSeen[id] }

    /// False if the id was there already. At the limit the oldest id is forgotten.
    @discardableResult
    mutating func insert(_ id: MessageID, now: MonotonicInstant) -> Bool {
        guard firstSeen[id] == nil else { return false }
        if firstSeen.count >= limit, let oldest = order.popFirst() { firstSeen[oldest.id] = nil }
        firstSeen[id] = now
        order.append((id, now))
        return true
    }

    mutating func expire(now: MonotonicInstant) {
        while let oldest = order.first, oldest.at.advanced(by: timeToLive) <= now {
            order.removeFirst()
            firstSeen[oldest.id] = nil
        }
    }
}
