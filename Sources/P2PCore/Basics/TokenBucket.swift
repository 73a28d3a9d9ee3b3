/// A token bucket kept as one instant: the time at which it will be full again.
///
/// Gives a burst at once, and then one token an interval. Costs three numbers and no timer.
package struct TokenBucket: Hashable, Sendable {
    /// Nanoseconds in which one token comes back.
    private let interval: UInt64
    /// How many nanoseconds the bucket may lack of being full while there is a token in it.
    private let slack: UInt64
    private var fullAt: UInt64 = 0

    /// A full bucket.
    ///
    /// - Parameters:
    ///   - capacity: tokens in it; at least one.
    ///   - interval: in which one comes back; at least a nanosecond, and at most so long that an empty bucket is full again in
    ///     292 years.
    package init(capacity: Int, every interval: Duration) {
        let capacity = UInt64(max(capacity, 1))
        let nanoseconds = MonotonicInstant.zero.advanced(by: interval).nanoseconds
        self.interval = min(max(nanoseconds, 1), UInt64(Int64.max) / capacity)
        self.slack = (capacity - 1) * self.interval
    }

    /// Takes a token if there is one.
    package mutating func take(now: MonotonicInstant) -> Bool {
        let base = max(fullAt, now.nanoseconds)
        guard base - now.nanoseconds <= slack else { return false }
        fullAt = base &+ interval
        return true
    }

    /// When a token will be there; `now` or earlier if there is one.
    package var nextAvailable: MonotonicInstant { MonotonicInstant(nanoseconds: fullAt > slack ? fullAt - slack : 0) }

    /// Whether no token is missing.
    package func isFull(now: MonotonicInstant) -> Bool { fullAt <= now.nanoseconds }
}
