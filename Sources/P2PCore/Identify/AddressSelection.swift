public import Multiformats

/// Which addresses are of use to whom.
public enum AddressSelection {
    /// Of the addresses that a peer claims, those that can lead to it given how we are connected: over loopback all; over a
    /// private network all but loopback; over the public Internet only public ones and relayed ones. Trailing `/p2p` parts go.
    ///
    /// Source: go-libp2p v0.48 behaviour, `identify.filterAddrs`.
    public static func usable(_ claimed: some Sequence<Multiaddr>, via remote: Multiaddr?) -> [Multiaddr] {
        var seen = Set<Multiaddr>()
        return claimed.lazy.map(\.withoutPeerID).filter { address in
            guard !address.isUnspecified else { return false }
            guard let remote, !remote.isRelayed else { return !address.isLoopback }
            if remote.isLoopback { return true }
            if remote.isPrivate || remote.isLinkLocal { return !address.isLoopback }
            return address.isPublic || address.isRelayed
        }.filter { seen.insert($0).inserted }
    }

    /// Of our own addresses, those to tell a peer that we see at `remote`; most useful first.
    ///
    /// Loopback addresses are only for peers on the same machine. Private ones are for everybody: two peers that meet by way of
    /// their public addresses may still stand in one network, and whoever does not drops them (`usable`). So strangers learn them.
    /// Wildcards are for nobody.
    ///
    /// Source: go-libp2p v0.48 behaviour, which tells its listen addresses to all and leaves out loopback only.
    public static func advertised(_ own: some Sequence<Multiaddr>, to remote: Multiaddr?) -> [Multiaddr] {
        var seen = Set<Multiaddr>()
        let fit = own.filter { address in
            guard !address.isUnspecified, address.tcpPort != 0, seen.insert(address).inserted else { return false }
            guard address.isLoopback else { return true }
            return remote?.isLoopback == true
        }
        return fit.filter(\.isPublic) + fit.filter { !$0.isPublic && !$0.isLoopback } + fit.filter(\.isLoopback)
    }

    /// Replaces a wildcard address by one address for each of the machine's addresses of that family.
    ///
    /// IPv6 link-local addresses are left out: without a zone nobody can dial them.
    public static func expanded(_ listening: [Multiaddr], over interfaces: [IPAddress]) -> [Multiaddr] {
        var seen = Set<Multiaddr>()
        var result: [Multiaddr] = []
        for address in listening {
            if let ip = address.ipAddress, ip.isUnspecified, let port = address.tcpPort {
                for own in interfaces where own.bytes.count == ip.bytes.count && !own.isUnspecified && !own.isMulticast
                {
                    if own.isLinkLocal, own.bytes.count == 16 { continue }
                    let expanded = Multiaddr(ip: own, tcpPort: port)
                    if seen.insert(expanded).inserted { result.append(expanded) }
                }
            } else if seen.insert(address).inserted {
                result.append(address)
            }
        }
        return result
    }
}
