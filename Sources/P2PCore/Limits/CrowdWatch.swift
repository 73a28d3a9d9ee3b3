/// Whether strangers come in a crowd: more of them wait for their handshake, or come, than are let in beside everybody else.
///
/// A crowd is over when few wait and none has come too soon for a while, so that the door does not change with each of them.
package struct CrowdWatch: Sendable {
    /// Whether they do now.
    package private(set) var isCrowd = false
    private var arrivals: TokenBucket
    private let waiting: Int

    /// - Parameter limits: `crowdWaiting`, `crowdBurst` and `crowdInterval` count.
    package init(limits: ResourceLimits) {
        self.arrivals = TokenBucket(capacity: limits.crowdBurst, every: limits.crowdInterval)
        self.waiting = limits.crowdWaiting
    }

    /// A stranger has come, and `waiting` others are not secured yet. True if it is a crowd from now on.
    package mutating func came(waiting: Int, now: MonotonicInstant) -> Bool {
        let isInTime = self.arrivals.take(now: now)
        guard !self.isCrowd, !isInTime || waiting >= self.waiting else { return false }
        self.isCrowd = true
        return true
    }

    /// True if it is a crowd no more, from now on.
    package mutating func isOver(waiting: Int, now: MonotonicInstant) -> Bool {
        guard self.isCrowd, waiting <= self.waiting / 2, self.arrivals.isFull(now: now) else { return false }
        self.isCrowd = false
        return true
    }
}
