import Multiformats
import PeerIdentity

/// Reads what a stranger's TXT record claims, and keeps only what can be meant for this link.
///
/// Nothing in mDNS is signed. A claim can make us dial, so an address must be one that hosts of the link have: the
/// sender's own, one with a prefix of our interface (for IPv6, the first 64 bits), a private one, or an IPv4 link-local
/// one. So nobody on a network can point its peers at a host of the internet. Loopback addresses count only if the
/// packet came over the loopback interface from a loopback address. Names are not resolved.
struct MDNSClaimReader {
    /// Most addresses kept of one record.
    static let maximumAddresses = 16

    let interface: NetworkInterface
    let source: IPAddress

    /// The peer and its addresses, the most local first; nil if no string of the record names a usable address.
    ///
    /// The first usable string decides whose record it is; strings for other peers are dropped.
    func read(_ strings: [ArraySlice<UInt8>]) -> (peer: PeerID, addresses: [Multiaddr])? {
        let key = Array("dnsaddr=".utf8)
        var found: PeerID?
        var ranked: [(rank: Int, address: Multiaddr)] = []
        for string in strings where string.starts(with: key) {
            guard let text = String(validating: string.dropFirst(key.count), as: UTF8.self),
                let full = try? Multiaddr(text: text), let multihash = full.peerIDBytes,
                let peer = try? PeerID(multihash: multihash), found == nil || found == peer
            else { continue }
            let address = full.withoutPeerID
            guard let rank = rank(address), !ranked.contains(where: { $0.address == address }) else { continue }
            found = peer
            ranked.append((rank, address))
        }
        guard let found else { return nil }
        let best = ranked.enumerated().sorted { ($0.element.rank, $0.offset) < ($1.element.rank, $1.offset) }
        return (found, best.prefix(Self.maximumAddresses).map(\.element.address))
    }

    /// 0 for the best; nil for an address that is refused.
    private func rank(_ address: Multiaddr) -> Int? {
        guard let first = address.first, first.protocol == .ip4 || first.protocol == .ip6,
            let ip = address.ipAddress, let port = address.tcpPort ?? address.udpPort, port != 0,
            !address.isRelayed, address.peerIDBytes == nil, address.first(.p2p) == nil,
            !ip.isUnspecified, !ip.isMulticast
        else { return nil }
        let isLocal: Bool
        if ip.isLoopback {
            guard interface.isLoopback, source.isLoopback else { return nil }
            isLocal = true
        } else {
            if ip.isIPv6, ip.isLinkLocal { return nil }
            isLocal = ip == source || interface.isOnLink(ip)
            let sharesSubnet = interface.addresses.contains { $0.address.isIPv6 && $0.sharesBits(64, with: ip) }
            guard isLocal || ip.isPrivate || ip.isLinkLocal || sharesSubnet else { return nil }
        }
        let isPlainTCP = address.tcpPort.map { address == Multiaddr(ip: ip, tcpPort: $0) } ?? false
        return isPlainTCP ? (isLocal ? 0 : 1) : 2
    }
}
