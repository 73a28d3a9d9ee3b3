import Multiformats

/// What is admitted from each source address: packets, or what they say that is new.
///
/// At most 256 sources have a budget of their own; while none of those is idle, all further sources share one.
struct MDNSSourceLimiter: Sendable {
    static let maximumSources = 256
    /// 200 packets at once and 50 a second: many peers may share one host, and all that speak Multicast DNS there count
    /// together.
    static var packets: MDNSSourceLimiter { MDNSSourceLimiter(TokenBucket(capacity: 200, every: .milliseconds(20))) }
    /// As much news at once as a source may have claims, and then one a second: each may cost a place in the address book, and
    /// a dial.
    static var news: MDNSSourceLimiter {
        MDNSSourceLimiter(TokenBucket(capacity: MDNSCache.maximumClaimsPerSource, every: .seconds(1)))
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
