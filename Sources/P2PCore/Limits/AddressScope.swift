public import Multiformats

/// The group of addresses that one host, or one network, can be presumed to hold.
///
/// An IPv6 customer usually owns a whole /56 with 256 networks in it, so counting addresses or /64 would count nothing.
///
/// Source: go-libp2p v0.48 behaviour, limits per subnet and observed address manager.
public struct AddressScope: Hashable, Sendable {
    private let width: UInt8
    private let bytes: [UInt8]

    /// One IPv4 address, or one IPv6 /56. An IPv4-mapped address is the IPv4 address in it.
    public static func host(_ address: IPAddress) -> AddressScope {
        let bytes = address.host.bytes
        return bytes.count == 4
            ? AddressScope(width: 32, bytes: bytes) : AddressScope(width: 56, bytes: Array(bytes.prefix(7)))
    }

    /// One IPv4 /24, or one IPv6 /48.
    public static func prefix(_ address: IPAddress) -> AddressScope {
        let bytes = address.unmapped.bytes
        return bytes.count == 4
            ? AddressScope(width: 24, bytes: Array(bytes.prefix(3)))
            : AddressScope(width: 48, bytes: Array(bytes.prefix(6)))
    }
}

/// How often something may happen per address: a burst, then one per interval (a token bucket for each scope).
///
/// Holds at most `capacity` scopes; when full, those touched longest ago are forgotten.
public struct ArrivalRates: Sendable {
    private struct Bucket {
        var used: Double
        var touched: MonotonicInstant
    }

    private let burst: Int
    private let intervalSeconds: Double
    private let capacity: Int
    private var buckets: [AddressScope: Bucket] = [:]

    /// `burst` at once, then one per `interval`.
    public init(burst: Int, interval: Duration, capacity: Int) {
        self.burst = max(1, burst)
        self.intervalSeconds = max(0.000_001, interval.seconds)
        self.capacity = max(1, capacity)
    }

    /// Counts one arrival; false if it comes too soon.
    public mutating func admit(_ scope: AddressScope, now: MonotonicInstant) -> Bool {
        var bucket = self.buckets[scope] ?? Bucket(used: 0, touched: now)
        let elapsed = bucket.touched < now ? bucket.touched.duration(to: now).seconds : 0
        bucket.used = max(0, bucket.used - elapsed / self.intervalSeconds)
        bucket.touched = now
        let admitted = bucket.used + 1 <= Double(self.burst)
        if admitted { bucket.used += 1 }
        if self.buckets[scope] == nil, self.buckets.count >= self.capacity { self.forgetOldest(now: now) }
        self.buckets[scope] = bucket
        return admitted
    }

    private mutating func forgetOldest(now: MonotonicInstant) {
        let full = Double(self.burst) * self.intervalSeconds
        self.buckets = self.buckets.filter { $0.value.touched.duration(to: now).seconds < full }
        guard self.buckets.count >= self.capacity else { return }
        // A sixteenth at once, so that a flood of addresses does not pay for a search each time.
        let oldest = self.buckets.sorted { $0.value.touched < $1.value.touched }.prefix(max(1, self.capacity / 16))
        for (scope, _) in oldest { self.buckets[scope] = nil }
    }
}

extension Duration {
    /// The duration in seconds, for rates and logs.
    public var seconds: Double {
        let parts = self.components
        return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }
}
