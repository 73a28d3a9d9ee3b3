package import Multiformats
package import PeerIdentity

/// One IP version on one interface: the unit in which Multicast DNS is sent and heard.
package struct MDNSLink: Hashable, Sendable {
    /// The IP versions, each with its own multicast group.
    package enum Family: Hashable, Sendable, CaseIterable {
        /// Group 224.0.0.251.
        case v4
        /// Group ff02::fb.
        case v6

        /// The group of Multicast DNS. Source: RFC 6762 section 3.
        package var group: IPAddress {
            switch self {
            case .v4: .v4(0xe000_00fb)
            case .v6: .v6(high: 0xff02_0000_0000_0000, low: 0xfb)
            }
        }
    }

    package let interface: UInt32
    package let family: Family

    package init(interface: UInt32, family: Family) {
        self.interface = interface
        self.family = family
    }

    /// The links an interface offers: IPv4 with any IPv4 address; IPv6 where there is a source for link-local packets,
    /// so not on the loopback interface.
    package static func links(of interface: NetworkInterface) -> [MDNSLink] {
        Family.allCases.filter { family in
            interface.addresses.contains { entry in
                switch family {
                case .v4: !entry.address.isIPv6
                case .v6: entry.address.isIPv6 && entry.address.isLinkLocal && !interface.isLoopback
                }
            }
        }.map { MDNSLink(interface: interface.index, family: $0) }
    }
}

/// An address and a UDP port on a link.
package struct MDNSEndpoint: Hashable, Sendable {
    package let address: IPAddress
    package let port: UInt16

    package init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
}

/// A peer heard of on a link.
package struct MDNSDiscovery: Hashable, Sendable {
    package let peer: PeerID
    /// Where it says it can be dialled, without its peer id: 1 to 16 addresses, the most local first.
    package let addresses: [Multiaddr]
    /// The interface it was heard on.
    package let interface: UInt32
    /// How long the claim holds unless it is renewed.
    package let timeToLive: Duration
}

/// Why a peer is no longer known by Multicast DNS. Nothing here is signed: it is a hint, not a proof of absence.
package enum MDNSLossReason: Hashable, Sendable {
    /// It said goodbye.
    case goodbye
    /// It was not heard again in time.
    case expired
    /// The interface it was heard on went away.
    case interfaceDown
    /// Its entry made room for another at the cache's bound.
    case evicted
}

/// What the adapter has to do.
package enum MDNSAction: Hashable, Sendable {
    /// Send to the group on a link, port 5353.
    case multicast([UInt8], on: MDNSLink)
    /// Send to one host on a link.
    case unicast([UInt8], on: MDNSLink, to: MDNSEndpoint)
    /// A peer was heard: for the first time, with new addresses, or again after a second or more.
    case discovered(MDNSDiscovery)
    /// No claim of the peer is left.
    case lost(PeerID, MDNSLossReason)
    /// Somebody says under another name than ours that they are us: another process with our identity, or a forgery. 1 to 16
    /// addresses, as of a discovery; at most once a second.
    case namesake([Multiaddr])
}

/// What happened to received packets, since the start.
package struct MDNSCounts: Hashable, Sendable {
    package var received = 0
    /// From an address that is not on the link, or from a link not open.
    package var offLink = 0
    /// Beyond the budget of their source.
    package var limited = 0
    /// Refused by the DNS reader.
    package var malformed = 0
    package var queries = 0
    package var responses = 0
    /// Texts under our service name that named no usable peer or address.
    package var refusedClaims = 0
}
