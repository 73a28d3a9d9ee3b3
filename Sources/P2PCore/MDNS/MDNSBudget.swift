import Multiformats

/// A token bucket kept as one instant: the time at which it would be full again.
struct TokenBucket: Hashable, Sendable {
    /// Tokens in a full bucket.
    let capacity: Int
    /// Nanoseconds in which one token comes back.
    let interval: UInt64
    private var fullAt: UInt64 = 0

    init(capacity: Int, every interval: UInt64) {
        self.capacity = max(capacity, 1)
        self.interval = interval
    }

    private var slack: UInt64 { UInt64(capacity - 1) &* interval }

    /// Takes a token if there is one.
    mutating func take(now: MonotonicInstant) -> Bool {
        let base = max(fullAt, now.nanoseconds)
        guard base - now.nanoseconds <= slack else { return false }
        fullAt = base &+ interval
        return true
    }

    /// When a token will be there; `now` or earlier if there is one.
    var nextAvailable: MonotonicInstant { MonotonicInstant(nanoseconds: fullAt > slack ? fullAt - slack : 0) }

    func isFull(now: MonotonicInstant) -> Bool { fullAt <= now.nanoseconds }
}

/// What is admitted from each source address: packets, or what they say that is new.
///
/// At most 256 sources have a budget of their own; while none of those is idle, all further sources share one.
struct MDNSSourceLimiter: Sendable {
    static let maximumSources = 256
    /// 200 packets at once and 50 a second: many peers may share one host, and all that speak Multicast DNS there count
    /// together.
    static var packets: MDNSSourceLimiter { MDNSSourceLimiter(TokenBucket(capacity: 200, every: 20_000_000)) }
    /// As much news at once as a source may have claims, and then one a second: each may cost a place in the address book, and
    /// a dial.
    static var news: MDNSSourceLimiter {
        MDNSSourceLimiter(TokenBucket(capacity: MDNSCache.maximumClaimsPerSource, every: 1_000_000_000))
    }

    private let fresh: TokenBucket
    private var sources: [IPAddress: TokenBucket] = [:]
    private var shared: TokenBucket

    private init(_ fresh: TokenBucket) {
        self.fresh = fresh
        shared = fresh
    }

    var count: Int { sources.count }

    mutating func admit(_ source: IPAddress, now: MonotonicInstant) -> Bool {
        if sources[source] == nil {
            if sources.count >= Self.maximumSources { sources = sources.filter { !$0.value.isFull(now: now) } }
            guard sources.count < Self.maximumSources else { return shared.take(now: now) }
        }
        return sources[source, default: fresh].take(now: now)
    }
}
