/// A protocol that a multiaddr can name. The raw value is its code in the multicodec table.
///
/// Source: multiformats multiaddr specification and its protocol table.
public enum MultiaddrProtocol: UInt64, Hashable, Sendable, CaseIterable {
    /// 4 bytes.
    case ip4 = 4
    /// A 2-byte port.
    case tcp = 6
    /// 16 bytes.
    case ip6 = 41
    /// The zone of the `ip6` component behind it.
    case ip6zone = 42
    /// A prefix length of 1 byte.
    case ipcidr = 43
    /// A name of either address family.
    case dns = 53
    /// A name with an IPv4 address.
    case dns4 = 54
    /// A name with an IPv6 address.
    case dns6 = 55
    /// A name whose TXT records hold multiaddrs.
    case dnsaddr = 56
    /// A 2-byte port.
    case udp = 273
    /// WebRTC between a browser and a server; no value.
    case webrtcDirect = 280
    /// WebRTC between browsers; no value.
    case webrtc = 281
    /// A circuit through the relay named before it; no value.
    case p2pCircuit = 290
    /// A path, which takes the rest of the text.
    case unix = 400
    /// A peer id's multihash.
    case p2p = 421
    /// TLS; no value.
    case tls = 448
    /// The server name of TLS.
    case sni = 449
    /// Noise; no value.
    case noise = 454
    /// QUIC draft 29; no value.
    case quic = 460
    /// QUIC version 1; no value.
    case quicV1 = 461
    /// WebTransport; no value.
    case webtransport = 465
    /// The multihash of a certificate.
    case certhash = 466
    /// WebSocket; no value.
    case ws = 477
    /// WebSocket over TLS, the old form of `tls/ws`; no value.
    case wss = 478
    /// HTTP; no value.
    case http = 480
    /// A path, percent-encoded in text.
    case httpPath = 481
    /// A number of 8 bytes, without a length: what go-multiaddr writes, though the table calls it variable.
    case memory = 777

    /// How long a component's value is.
    enum ValueSize: Equatable {
        case fixed(Int)
        case lengthPrefixed
    }

    var valueSize: ValueSize {
        switch self {
        case .ip4: .fixed(4)
        case .tcp, .udp: .fixed(2)
        case .ip6: .fixed(16)
        case .ipcidr: .fixed(1)
        case .memory: .fixed(8)
        case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .unix, .p2p, .sni, .certhash, .httpPath: .lengthPrefixed
        case .webrtcDirect, .webrtc, .p2pCircuit, .tls, .noise, .quic, .quicV1, .webtransport, .ws, .wss, .http:
            .fixed(0)
        }
    }

    /// The name in text.
    public var name: String {
        switch self {
        case .ip4: "ip4"
        case .tcp: "tcp"
        case .ip6: "ip6"
        case .ip6zone: "ip6zone"
        case .ipcidr: "ipcidr"
        case .dns: "dns"
        case .dns4: "dns4"
        case .dns6: "dns6"
        case .dnsaddr: "dnsaddr"
        case .udp: "udp"
        case .webrtcDirect: "webrtc-direct"
        case .webrtc: "webrtc"
        case .p2pCircuit: "p2p-circuit"
        case .unix: "unix"
        case .p2p: "p2p"
        case .tls: "tls"
        case .sni: "sni"
        case .noise: "noise"
        case .quic: "quic"
        case .quicV1: "quic-v1"
        case .webtransport: "webtransport"
        case .certhash: "certhash"
        case .ws: "ws"
        case .wss: "wss"
        case .http: "http"
        case .httpPath: "http-path"
        case .memory: "memory"
        }
    }

    /// Finds a protocol by its name in text; `ipfs` is the old name of `p2p`.
    public init?(name: some StringProtocol) {
        guard let found = Self.byName[String(name)] else { return nil }
        self = found
    }

    private static let byName: [String: MultiaddrProtocol] = {
        var byName: [String: MultiaddrProtocol] = [:]
        for each in allCases { byName[each.name] = each }
        byName["ipfs"] = .p2p
        return byName
    }()
}
