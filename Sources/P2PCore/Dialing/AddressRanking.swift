public import Multiformats

/// An address together with how long after the start of the dial it is tried.
public struct RankedAddress: Sendable, Hashable {
    /// Where to dial.
    public let address: Multiaddr
    /// Wait this long after the dial began; less if nothing else is under way.
    public let delay: Duration

    /// Both.
    public init(_ address: Multiaddr, delay: Duration) {
        self.address = address
        self.delay = delay
    }
}

/// Orders the addresses of one peer: which first, and with what head start.
///
/// Private and public addresses are ranked each for themselves and run in parallel; relays wait 500 ms if a public
/// direct address exists. Within a group QUIC comes before TCP before the rest; IPv6 and IPv4 take turns, IPv6 first;
/// low ports first. Each step is 250 ms on the public Internet, 30 ms on private networks.
///
/// Source: go-libp2p v0.48 `swarm/dial_ranker.go` behaviour as written down in the happy-eyeballs tradition of RFC 8305.
public enum AddressRanking {
    private enum Kind: Int { case quic, webTransport, tcp, other }

    private struct Candidate {
        let address: Multiaddr
        let kind: Kind
        let isIPv6: Bool
        let port: UInt16
    }

    /// Ranks `addresses`; duplicates are dropped, the result is sorted by delay.
    ///
    /// - Parameter immediately: no head starts at all: for hole punching, which is to come.
    public static func rank(_ addresses: [Multiaddr], immediately: Bool = false) -> [RankedAddress] {
        var seen = Set<Multiaddr>()
        let unique = addresses.filter { seen.insert($0).inserted }
        let relayed = unique.filter(\.isRelayed)
        let direct = unique.filter { !$0.isRelayed }
        let near = direct.filter { $0.isPrivate || $0.isLoopback || $0.isLinkLocal }
        let far = direct.filter { !($0.isPrivate || $0.isLoopback || $0.isLinkLocal) }

        if immediately { return unique.map { RankedAddress($0, delay: .zero) } }
        var ranked = self.group(near, step: .milliseconds(30), lastResort: .milliseconds(100), offset: .zero)
        ranked += self.group(far, step: .milliseconds(250), lastResort: .seconds(1), offset: .zero)
        let relayOffset: Duration = far.isEmpty ? .zero : .milliseconds(500)
        ranked += self.group(relayed, step: .milliseconds(250), lastResort: .seconds(1), offset: relayOffset)
        // Stable: equal delays keep the order of the groups, private first.
        return ranked.enumerated().sorted { ($0.element.delay, $0.offset) < ($1.element.delay, $1.offset) }.map(
            \.element)
    }

    private static func group(
        _ addresses: [Multiaddr], step: Duration, lastResort: Duration, offset: Duration
    ) -> [RankedAddress] {
        let candidates = addresses.map(self.classify)
        let quic = self.interleave(candidates.filter { $0.kind == .quic || $0.kind == .webTransport })
        let tcp = self.interleave(candidates.filter { $0.kind == .tcp })
        let other = candidates.filter { $0.kind == .other }

        var result: [RankedAddress] = []
        var start = offset
        for family in [quic, tcp] where !family.isEmpty {
            let races = Set(family.map(\.isIPv6)).count > 1
            var last = start
            for (index, candidate) in family.enumerated() {
                let delay: Duration
                switch index {
                case 0: delay = start
                case 1: delay = start + step
                default: delay = start + (races ? step * 2 : step)
                }
                last = delay
                result.append(RankedAddress(candidate.address, delay: delay))
            }
            start = last + step
        }
        let base = result.isEmpty ? offset : (start - step) + lastResort
        result += other.map { RankedAddress($0.address, delay: base) }
        return result
    }

    /// IPv6 first, then IPv4, then whatever remains, each by port.
    private static func interleave(_ candidates: [Candidate]) -> [Candidate] {
        let sorted = candidates.enumerated().sorted {
            ($0.element.kind.rawValue, $0.element.port, $0.offset) < (
                $1.element.kind.rawValue, $1.element.port, $1.offset
            )
        }.map(\.element)
        var six = sorted.filter(\.isIPv6)[...]
        var four = sorted.filter { !$0.isIPv6 }[...]
        var result: [Candidate] = []
        if let first = six.popFirst() { result.append(first) }
        if let first = four.popFirst() { result.append(first) }
        return result + six + four
    }

    private static func classify(_ address: Multiaddr) -> Candidate {
        let names = Set(address.components.map(\.protocol))
        let kind: Kind
        if names.contains(.webtransport) {
            kind = .webTransport
        } else if names.contains(.quicV1) {
            kind = .quic
        } else if names.contains(.tcp) || names.contains(.dnsaddr), !names.contains(.ws), !names.contains(.wss) {
            // A list of addresses is looked up in the turn of the most that such lists name.
            kind = .tcp
        } else {
            kind = .other
        }
        let isIPv6 = names.contains(.ip6) || names.contains(.dns6)
        return Candidate(address: address, kind: kind, isIPv6: isIPv6, port: address.tcpPort ?? address.udpPort ?? 0)
    }
}
