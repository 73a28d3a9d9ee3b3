public import Multiformats

/// Addresses at which others see us: behind a NAT the only way to learn what we could be reached at.
///
/// An observation counts while the connection that it came over lives. An address is believed when enough observers of
/// different networks (IPv4 address, IPv6 /56) report it, so that a single liar, or a single host with many identities, cannot
/// make us advertise somebody else's address. Bounded by the number of connections: each holds one observation.
///
/// Observations are counted as they come and go. What is believed is looked at anew only when one of an address changes that
/// enough observers report, and then among such addresses only; one that repeats what was said before costs a comparison.
///
/// Source: go-libp2p v0.48 behaviour, observed address manager.
public struct ObservedAddresses: Sendable {
    /// Observers needed before an address is told to others.
    public static let neededObservers = 4
    /// Addresses believed for one of our own.
    public static let maximumPerLocalAddress = 3

    private struct Observation: Equatable {
        let seen: Sight
        let observer: AddressScope
    }

    /// One of our own addresses, as it is seen from outside.
    private struct Sight: Hashable {
        let local: Multiaddr
        let observed: Multiaddr
    }

    private var observations: [UInt64: Observation] = [:]
    /// How many connections of each observer say so.
    private var observers: [Sight: [AddressScope: Int]] = [:]
    /// Those that enough observers report.
    private var agreed: Set<Sight> = []
    private var believedNow: [Multiaddr] = []

    /// Nobody has seen us yet.
    public init() {}

    /// A peer said how it sees us; replaces what it said before over the same connection.
    ///
    /// Ignored: observations over loopback or a relay, of another address family, of a port of our own choice that we do not
    /// listen on (a throw-away port tells nothing), and of what could never be advertised.
    /// - Parameters:
    ///   - local: our end of the connection.
    ///   - remote: the observer's end.
    ///   - listening: where we listen.
    /// - Returns: whether `believed` has changed.
    @discardableResult
    public mutating func observed(
        _ observed: Multiaddr, on connection: UInt64, local: Multiaddr, remote: Multiaddr, listening: [Multiaddr]
    ) -> Bool {
        self.replace(
            on: connection,
            with: Self.observation(of: observed, local: local, remote: remote, listening: listening))
    }

    /// A connection has ended, and with it its observation.
    /// - Returns: whether `believed` has changed.
    @discardableResult
    public mutating func ended(_ connection: UInt64) -> Bool { self.replace(on: connection, with: nil) }

    /// The addresses that enough observers agree on, most observers first.
    public func believed() -> [Multiaddr] { self.believedNow }

    private static func observation(
        of observed: Multiaddr, local: Multiaddr, remote: Multiaddr, listening: [Multiaddr]
    ) -> Observation? {
        let bare = observed.withoutPeerID
        guard let seen = bare.ipAddress, bare.components.count == 2, let port = bare.tcpPort, port != 0,
            let own = local.ipAddress, let observer = remote.ipAddress, !remote.isRelayed, !local.isRelayed,
            seen.isIPv6 == own.isIPv6, !seen.isLoopback, !seen.isUnspecified, !seen.isMulticast, !seen.isLinkLocal,
            !observer.isLoopback, !own.isLoopback
        else { return nil }
        let listens = listening.contains { address in
            guard address.tcpPort == local.tcpPort, let ip = address.ipAddress, ip.isIPv6 == own.isIPv6 else {
                return false
            }
            return ip == own || ip.isUnspecified
        }
        // Somebody on a private network cannot know a public address of ours, nor the other way round.
        guard listens, seen.isPublic == observer.isPublic else { return nil }
        return Observation(seen: Sight(local: local, observed: bare), observer: .host(observer))
    }

    private mutating func replace(on connection: UInt64, with observation: Observation?) -> Bool {
        let before = self.observations[connection]
        guard before != observation else { return false }
        self.observations[connection] = observation
        var mayChange = false
        if let before { mayChange = self.count(before, by: -1) }
        if let observation, self.count(observation, by: 1) { mayChange = true }
        guard mayChange else { return false }
        let believed = self.agreement()
        defer { self.believedNow = believed }
        return believed != self.believedNow
    }

    /// Whether the number of observers has changed, before or after enough of them.
    private mutating func count(_ observation: Observation, by change: Int) -> Bool {
        var seenBy = self.observers.removeValue(forKey: observation.seen) ?? [:]
        let before = seenBy.count
        let connections = (seenBy[observation.observer] ?? 0) + change
        seenBy[observation.observer] = connections > 0 ? connections : nil
        if !seenBy.isEmpty { self.observers[observation.seen] = seenBy }
        let after = seenBy.count
        if after >= Self.neededObservers {
            self.agreed.insert(observation.seen)
        } else {
            self.agreed.remove(observation.seen)
        }
        return before != after && max(before, after) >= Self.neededObservers
    }

    private func agreement() -> [Multiaddr] {
        var result: [Multiaddr: Int] = [:]
        for candidates in Dictionary(grouping: self.agreed, by: \.local).values {
            let counted = candidates.map { (address: $0.observed, observers: self.observers[$0]?.count ?? 0) }
            for best in counted.sorted(by: Self.isBetter).prefix(Self.maximumPerLocalAddress) {
                result[best.address] = max(result[best.address] ?? 0, best.observers)
            }
        }
        return result.map { (address: $0.key, observers: $0.value) }.sorted(by: Self.isBetter).map(\.address)
    }

    private static func isBetter(
        _ left: (address: Multiaddr, observers: Int), _ right: (address: Multiaddr, observers: Int)
    ) -> Bool {
        left.observers != right.observers
            ? left.observers > right.observers : left.address.bytes.lexicographicallyPrecedes(right.address.bytes)
    }

    /// Whether the NAT in front of us gives every destination another port (observers of one local address never agree), so
    /// that hole punching will mostly fail; nil until four observers have spoken. For hole punching, which is to come.
    public var isEndpointDependent: Bool? {
        let byLocal = Dictionary(grouping: self.observations.values, by: \.seen.local)
        for group in byLocal.values {
            let networks = Set(group.map(\.observer))
            guard networks.count >= Self.neededObservers else { continue }
            return Set(group.map(\.seen)).count >= networks.count
        }
        return nil
    }
}
