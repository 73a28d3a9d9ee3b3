import Multiformats
import PeerIdentity

/// What this peer says of itself on one interface: its addresses there, and the records that carry them.
///
/// Records, all under a random instance name that is not the peer id (libp2p mDNS discovery specification, "Response"):
/// PTR from the service to the instance; TXT with one `dnsaddr=<multiaddr>/p2p/<id>` a string; SRV, A and AAAA for
/// readers of ordinary service discovery. On the loopback interface only loopback addresses are said, and nowhere else.
struct MDNSAdvertisement: Hashable, Sendable {
    /// Seconds that PTR and TXT hold. Four minutes: a listener asks at least once a minute and renews in the second half.
    static let timeToLive: UInt32 = 240
    /// Seconds that records with a host's addresses hold (RFC 6762 section 10).
    static let hostTimeToLive: UInt32 = 120
    /// Most bytes of TXT data, which are about ten addresses; with the other records this stays below the bound of a packet.
    static let maximumTextBytes = 960
    /// Most A and AAAA records.
    static let maximumHostAddresses = 8

    let addresses: [Multiaddr]
    private let text: [ArraySlice<UInt8>]
    private let hostAddresses: [IPAddress]
    private let port: UInt16

    /// nil if none of the listen addresses can be reached through the interface.
    init?(listening: [Multiaddr], on interface: NetworkInterface, peer: PeerID) {
        var addresses: [Multiaddr] = []
        var text: [ArraySlice<UInt8>] = []
        var budget = Self.maximumTextBytes
        for address in Self.usable(listening, on: interface) {
            let string = Array("dnsaddr=\(address)/p2p/\(peer.base58)".utf8)
            guard string.count <= 255, string.count + 1 <= budget, !addresses.contains(address) else { continue }
            budget -= string.count + 1
            addresses.append(address)
            text.append(string[...])
        }
        guard !addresses.isEmpty else { return nil }
        self.addresses = addresses
        self.text = text
        self.port = addresses.lazy.compactMap { $0.tcpPort ?? $0.udpPort }.first ?? 0
        self.hostAddresses = interface.addresses.map(\.address).prefix(Self.maximumHostAddresses).map { $0 }
    }

    /// The listen addresses as they can be dialled through the interface; a wildcard becomes the interface's addresses.
    static func usable(_ listening: [Multiaddr], on interface: NetworkInterface) -> [Multiaddr] {
        var usable: [Multiaddr] = []
        for address in listening.prefix(64) {
            let address = address.withoutPeerID
            guard let ip = address.ipAddress, isSpoken(address) else { continue }
            if ip.isUnspecified {
                guard let port = address.tcpPort, address == Multiaddr(ip: ip, tcpPort: port) else { continue }
                for entry in interface.addresses where entry.address.isIPv6 == ip.isIPv6 {
                    if isReachable(entry.address, on: interface) {
                        usable.append(Multiaddr(ip: entry.address, tcpPort: port))
                    }
                }
            } else if isReachable(ip, on: interface) {
                usable.append(address)
            }
        }
        return usable
    }

    /// An IPv6 link-local address is of no use to a dialler who does not know the zone.
    private static func isReachable(_ ip: IPAddress, on interface: NetworkInterface) -> Bool {
        if interface.isLoopback || ip.isLoopback { return interface.isLoopback && ip.isLoopback }
        return interface.owns(ip) && !(ip.isIPv6 && ip.isLinkLocal)
    }

    /// Circuit and browser transports are not said over mDNS, as in go-libp2p: they made packets too long.
    private static func isSpoken(_ address: Multiaddr) -> Bool {
        guard address.first?.protocol == .ip4 || address.first?.protocol == .ip6 else { return false }
        let unspoken: [MultiaddrProtocol] = [.p2pCircuit, .ws, .wss, .webtransport, .webrtc, .webrtcDirect]
        return !unspoken.contains(where: address.contains)
    }

    // MARK: - Records

    /// A record set for each kind of question; `flush` is for multicast answers, `limit` caps every time to live.
    func pointer(_ names: MDNSNames, limit: UInt32 = .max) -> DNSRecord {
        DNSRecord(names.service, .ptr(names.instance), timeToLive: min(Self.timeToLive, limit))
    }

    func text(_ names: MDNSNames, flush: Bool, limit: UInt32 = .max) -> DNSRecord {
        DNSRecord(names.instance, .txt(text), timeToLive: min(Self.timeToLive, limit), flushesCache: flush)
    }

    func server(_ names: MDNSNames, flush: Bool, limit: UInt32 = .max) -> DNSRecord {
        DNSRecord(
            names.instance, .srv(priority: 0, weight: 0, port: port, target: names.host),
            timeToLive: min(Self.hostTimeToLive, limit), flushesCache: flush)
    }

    func host(_ names: MDNSNames, flush: Bool, limit: UInt32 = .max) -> [DNSRecord] {
        hostAddresses.map {
            DNSRecord(
                names.host, DNSRecordData($0), timeToLive: min(Self.hostTimeToLive, limit), flushesCache: flush)
        }
    }
}

/// The names of one run: the service's, and ours under it.
struct MDNSNames: Hashable, Sendable {
    /// For example `goop-mdns.local`.
    let service: DNSName
    /// `_services._dns-sd._udp.local`, under which the service types of a network are listed (RFC 6763 section 9).
    let enumeration: DNSName
    /// 32 random letters and digits under the service name, new for each run.
    let instance: DNSName
    /// The same letters and digits under `local`.
    let host: DNSName

    init(serviceName: String, using randomness: inout some RandomNumberGenerator) throws(DNSError) {
        let local = try DNSName(text: "local")
        var service = local
        for label in try DNSName(text: serviceName).labels.reversed() { service = try service.prepending(Array(label)) }
        let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var label: [UInt8] = []
        for _ in 0..<32 { label.append(letters[Int.random(in: 0..<letters.count, using: &randomness)]) }
        self.service = service
        self.enumeration = try DNSName(text: "_services._dns-sd._udp.local")
        self.instance = try service.prepending(label)
        self.host = try local.prepending(label)
    }
}
