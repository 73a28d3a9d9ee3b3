/// How many identity pushes one peer may still send us: a burst, then one per interval.
public struct IdentifyPushAllowance: Sendable {
    private let burst: Int
    private let interval: Duration
    private var left: Int
    private var refilled: MonotonicInstant

    /// A full allowance.
    public init(limits: IdentifyLimits, now: MonotonicInstant) {
        self.burst = max(1, limits.pushBurst)
        self.interval = max(limits.pushInterval, .milliseconds(1))
        self.left = self.burst
        self.refilled = now
    }

    /// Counts one push; false if it comes too soon.
    public mutating func admit(now: MonotonicInstant) -> Bool {
        while self.left < self.burst, self.refilled.advanced(by: self.interval) <= now {
            self.left += 1
            self.refilled = self.refilled.advanced(by: self.interval)
        }
        if self.left == self.burst { self.refilled = now }
        guard self.left > 0 else { return false }
        self.left -= 1
        return true
    }
}
