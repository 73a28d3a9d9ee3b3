/// How many frames of a kind are taken: a burst, then a steady rate.
///
/// Other than a `TokenBucket` it counts a token as soon as it begins to come back: behind the burst the next one goes through at
/// once, and then one an interval.
struct YamuxRateLimit: Sendable {
    private let intervalNanoseconds: UInt64
    private let burstNanoseconds: UInt64
    private var fullAt: UInt64 = 0

    init(burst: UInt64, perSecond: UInt64) {
        self.intervalNanoseconds = 1_000_000_000 / max(1, perSecond)
        self.burstNanoseconds = self.intervalNanoseconds &* burst
    }

    /// Takes one token; false when there is none.
    mutating func take(_ now: MonotonicInstant) -> Bool {
        let start = max(self.fullAt, now.nanoseconds)
        guard start - now.nanoseconds < self.burstNanoseconds else { return false }
        self.fullAt = start &+ self.intervalNanoseconds
        return true
    }
}
