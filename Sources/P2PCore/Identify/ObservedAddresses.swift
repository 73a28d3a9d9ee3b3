public import Multiformats

/// Addresses at which others see us: behind a NAT the only way to learn what we could be reached at.
///
/// An observation counts while the connection that it came over lives. An address is believed when enough observers of
/// different networks (IPv4 address, IPv6 /56) report it, so that a single liar, or a single host with many identities, cannot
/// make us advertise somebody else's address. Bounded by the number of connections: each holds one observation.
///
/// Source: go-libp2p v0.48 behaviour, observed address manager.
public struct ObservedAddresses: Sendable {
    /// Observers needed before an address is told to others.
    public static let neededObservers = 4
    /// Addresses believed for one of our own.
    public static let maximumPerLocalAddress = 3

    private struct Observation {
        let observed: Multiaddr
        let local: Multiaddr
        let observer: AddressScope
    }

    private var observations: [UInt64: Observation] = [:]

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
    public mutating func observed(
        _ observed: Multiaddr, on connection: UInt64, local: Multiaddr, remote: Multiaddr, listening: [Multiaddr]
    ) {
        self.observations[connection] = nil
        let bare = observed.withoutPeerID
        guard let seen = bare.ipAddress, bare.components.count == 2, let port = bare.tcpPort, port != 0,
            let own = local.ipAddress, let observer = remote.ipAddress, !remote.isRelayed, !local.isRelayed,
            seen.isIPv6 == own.isIPv6, !seen.isLoopback, !seen.isUnspecified, !seen.isMulticast, !seen.isLinkLocal,
            !observer.isLoopback, !own.isLoopback
        else { return }
        let listens = listening.contains { address in
            guard address.tcpPort == local.tcpPort, let ip = address.ipAddress, ip.isIPv6 == own.isIPv6 else {
                return false
            }
            return ip == own || ip.isUnspecified
        }
        // Somebody on a private network cannot know a public address of ours, nor the other way round.
        guard listens, seen.isPublic == observer.isPublic else { return }
        self.observations[connection] = Observation(observed: bare, local: local, observer: .host(observer))
    }

    /// A connection has ended, and with it its observation.
    public mutating func ended(_ connection: UInt64) { self.observations[connection] = nil }

    /// The addresses that enough observers agree on, most observers first.
    public func believed() -> [Multiaddr] {
        var observers: [Multiaddr: [Multiaddr: Set<AddressScope>]] = [:]
        for observation in self.observations.values {
            observers[observation.local, default: [:]][observation.observed, default: []].insert(observation.observer)
        }
        var result: [Multiaddr: Int] = [:]
        for candidates in observers.values {
            let best = candidates.filter { $0.value.count >= Self.neededObservers }.sorted {
                $0.value.count != $1.value.count
                    ? $0.value.count > $1.value.count : $0.key.bytes.lexicographicallyPrecedes($1.key.bytes)
            }
            for (address, seenBy) in best.prefix(Self.maximumPerLocalAddress) {
                result[address] = max(result[address] ?? 0, seenBy.count)
            }
        }
        return result.sorted {
            $0.value != $1.value ? $0.value > $1.value : $0.key.bytes.lexicographicallyPrecedes($1.key.bytes)
        }.map(\.key)
    }

    /// Whether the NAT in front of us gives every destination another port (observers of one local address never agree), so
    /// that hole punching will mostly fail; nil until four observers have spoken.
    public var isEndpointDependent: Bool? {
        let byLocal = Dictionary(grouping: self.observations.values, by: \.local)
        for group in byLocal.values {
            let networks = Set(group.map(\.observer))
            guard networks.count >= Self.neededObservers else { continue }
            return Set(group.map(\.observed)).count >= networks.count
        }
        return nil
    }
}
