/// How often something may happen per address: a burst, then one per interval (a token bucket for each scope).
///
/// Holds at most `capacity` scopes; when full, those touched longest ago are forgotten.
public struct ArrivalRates: Sendable {
    private struct Arrivals {
        var bucket: TokenBucket
        var touched: MonotonicInstant
    }

    private let fresh: TokenBucket
    /// Who was not touched for so long has a full bucket.
    private let secondsToFill: Double
    private let capacity: Int
    private var arrivals: [AddressScope: Arrivals] = [:]

    /// `burst` at once, then one per `interval`.
    public init(burst: Int, interval: Duration, capacity: Int) {
        let interval = max(interval, .microseconds(1))
        self.fresh = TokenBucket(capacity: burst, every: interval)
        self.secondsToFill = Double(max(1, burst)) * interval.seconds
        self.capacity = max(1, capacity)
    }

    /// Counts one arrival; false if it comes too soon.
    public mutating func admit(_ scope: AddressScope, now: MonotonicInstant) -> Bool {
        if self.arrivals[scope] == nil, self.arrivals.count >= self.capacity { self.forgetOldest(now: now) }
        var arrivals = self.arrivals[scope] ?? Arrivals(bucket: self.fresh, touched: now)
        arrivals.touched = now
        let isAdmitted = arrivals.bucket.take(now: now)
        self.arrivals[scope] = arrivals
        return isAdmitted
    }

    private mutating func forgetOldest(now: MonotonicInstant) {
        self.arrivals = self.arrivals.filter { $0.value.touched.duration(to: now).seconds < self.secondsToFill }
        guard self.arrivals.count >= self.capacity else { return }
        // A sixteenth at once, so that a flood of addresses does not pay for a search each time.
        let oldest = self.arrivals.sorted { $0.value.touched < $1.value.touched }.prefix(max(1, self.capacity / 16))
        for (scope, _) in oldest { self.arrivals[scope] = nil }
    }
}
