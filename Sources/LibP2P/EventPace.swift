/// Which of the events that strangers can bring about are told: a burst of each kind, then one for each interval, so that a flood is
/// no work for those who listen.
///
/// Pure. The kinds are a closed set, and so is what is kept of them.
struct EventPace {
    /// What is paced by itself.
    enum Kind: Hashable {
        case dialFailed, connectionRefused
        case limitReached(LimitName)
    }

    private struct Allowance {
        var bucket: TokenBucket
        /// Of this kind, since the last that was told.
        var withheld = 0
    }

    private let burst: Int
    private let interval: Duration
    private var allowances: [Kind: Allowance] = [:]
    /// Events that were not told, of all kinds and in all.
    private(set) var withheld = 0

    init(limits: ResourceLimits) {
        self.burst = limits.pacedEventBurst
        self.interval = max(limits.pacedEventInterval, .milliseconds(1))
    }

    /// An event of this kind has happened.
    ///
    /// - Returns: nil if it is not to be told, else how many it stands for: itself and those withheld before it.
    mutating func admit(_ kind: Kind, now: MonotonicInstant) -> Int? {
        // Of a limit each event tells all there is to tell: one is enough.
        let burst = if case .limitReached = kind { 1 } else { self.burst }
        var allowance =
            self.allowances[kind] ?? Allowance(bucket: TokenBucket(capacity: burst, every: self.interval))
        defer { self.allowances[kind] = allowance }
        guard allowance.bucket.take(now: now) else {
            allowance.withheld += 1
            self.withheld += 1
            return nil
        }
        defer { allowance.withheld = 0 }
        return allowance.withheld + 1
    }
}
