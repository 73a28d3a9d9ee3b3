import GoopTestKit
import Multiformats
import Testing

@Suite struct MultiaddrTests {
    static let peer = "0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
    static let peerText = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"

    static let vectors: [(String, String)] = [
        ("/ip4/127.0.0.1/udp/1234", "047f000001910204d2"),
        ("/ip4/127.0.0.1/tcp/4321", "047f0000010610e1"),
        ("/ip4/127.0.0.1/tcp/4001", "047f000001060fa1"),
        ("/ip4/127.0.0.1/tcp/4001/p2p/\(peerText)", "047f000001060fa1a50326" + peer),
        ("/ip4/1.2.3.4/udp/4001/quic-v1", "040102030491020fa1cd03"),
        ("/ip6/::1/tcp/4001/ws", "2900000000000000000000000000000001060fa1dd03"),
        (
            "/dns4/example.com/tcp/443/tls/sni/example.com/ws",
            "360b6578616d706c652e636f6d0601bbc003c1030b6578616d706c652e636f6ddd03"
        ),
        ("/ip4/1.2.3.4/tcp/4001/p2p/\(peerText)/p2p-circuit", "0401020304060fa1a50326" + peer + "a202"),
        ("/memory/1234", "890600000000000004d2"),
        ("/memory/18446744073709551615", "8906ffffffffffffffff"),
        ("/unix/tmp/p.sock", "90030b2f746d702f702e736f636b"),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/4001", "2a046574683029fe800000000000000000000000000001060fa1"),
        ("/ip4/10.0.0.0/ipcidr/8", "040a0000002b08"),
        ("/dns/a/tcp/0", "350161060000"),
        ("/dns6/a/udp/65535/quic", "3701619102ffffcc03"),
        ("/dnsaddr/bootstrap.libp2p.io", "3813626f6f7473747261702e6c69627032702e696f"),
        ("/ip4/1.2.3.4/tcp/443/wss", "04010203040601bbde03"),
        ("/ip4/1.2.3.4/tcp/1/noise", "0401020304060001c603"),
        ("/webrtc-direct/webrtc/http", "98029902e003"),
        ("/ip4/1.2.3.4/tcp/80/http/http-path/a%2Fb%20c", "0401020304060050e003e10305612f622063"),
        ("/webtransport/certhash/uAAGq", "d103d203030001aa"),
    ]

    @Test(arguments: vectors) func vector(text: String, bytes: String) throws {
        let parsed = try Multiaddr(text: text)
        #expect(parsed.bytes == hex(bytes))
        let read = try Multiaddr(bytes: hex(bytes))
        #expect(read == parsed)
        #expect(read.description == text)
    }

    @Test(arguments: vectors) func everyTruncationIsRefusedOrShorter(text: String, bytes: String) throws {
        let whole = try Multiaddr(text: text)
        for count in 0..<whole.bytes.count {
            guard let part = try? Multiaddr(bytes: whole.bytes.prefix(count)) else { continue }
            #expect(whole.components.starts(with: part.components))
        }
    }

    @Test(
        "an IP address takes the place of a name, and of nothing else", arguments: ["dns", "dns4", "dns6", "dnsaddr"])
    func replacingName(kind: String) throws {
        let named = try Multiaddr(text: "/\(kind)/a.example/tcp/443/tls/ws")
        #expect(named.replacingName(with: .v4(0x0102_0304))?.description == "/ip4/1.2.3.4/tcp/443/tls/ws")
        #expect(named.replacingName(with: .v6(high: 0, low: 1))?.description == "/ip6/::1/tcp/443/tls/ws")
        #expect(try Multiaddr(text: "/ip4/1.2.3.4/tcp/1").replacingName(with: .v4(1)) == nil)
        var long = try Multiaddr(text: "/\(kind)/a").bytes
        while long.count <= Multiaddr.maximumLength - 4 { long += [0x06, 0, 1] }
        #expect(try Multiaddr(bytes: long).replacingName(with: .v6(high: 0, low: 1)) == nil, "too long with it")
    }

    @Test func readsOtherForms() throws {
        let cid = "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe"
        #expect(try Multiaddr(text: "/ipfs/\(cid)").description == "/p2p/\(Self.peerText)")
        #expect(try Multiaddr(text: "/ip4/1.2.3.4/tcp/80///").description == "/ip4/1.2.3.4/tcp/80")
        #expect(try Multiaddr(text: "/ip6/0:0::1/tcp/0080").description == "/ip6/::1/tcp/80")
        #expect(try Multiaddr(text: "/unix/a//b/").description == "/unix/a//b")
        #expect(Multiaddr("nonsense") == nil)
    }

    @Test(arguments: [
        ("", MultiaddrError.empty), ("/", .empty), ("//", .empty), ("ip4/1.2.3.4", .missingLeadingSlash),
        ("/ip5/1", .unknownName("ip5")), ("//ip4/1.2.3.4", .unknownName("")), ("/ip4", .missingValue(.ip4)),
        ("/ip4/", .missingValue(.ip4)), ("/ip4/::1", .invalidValue(.ip4)), ("/ip6/1.2.3.4", .invalidValue(.ip6)),
        ("/ip4/1.2.3.4/tcp/65536", .invalidValue(.tcp)), ("/ip4/1.2.3.4/tcp/-1", .invalidValue(.tcp)),
        ("/ip4/1.2.3.4/tcp/a", .invalidValue(.tcp)), ("/ip4/1.2.3.4/ipcidr/256", .invalidValue(.ipcidr)),
        ("/memory/18446744073709551616", .invalidValue(.memory)), ("/p2p/abc", .invalidValue(.p2p)),
        ("/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5", .invalidValue(.p2p)),
        ("/dns4//tcp/1", .invalidValue(.dns4)), ("/unix/", .missingValue(.unix)),
        ("/certhash/x", .invalidValue(.certhash)),
        ("/http-path/%4", .invalidValue(.httpPath)), ("/tls/tls/1", .unknownName("1")),
    ]) func textRefusal(text: String, error: MultiaddrError) {
        #expect(throws: error) { try Multiaddr(text: text) }
    }

    @Test(arguments: [
        ("", MultiaddrError.empty), ("05", .unknownCode(5)), ("047f0000", .varint(.truncated)),
        ("3505616263", .varint(.truncated)), ("0480", .varint(.truncated)), ("8400", .varint(.notMinimal)),
        ("808080808080808080", .varint(.tooLong)), ("3500", .invalidValue(.dns)), ("3501 2f", .invalidValue(.dns)),
        ("3501 ff", .invalidValue(.dns)), ("9003 02 2f61 06 0050", .invalidValue(.unix)),
        ("9003 01 2f", .invalidValue(.unix)), ("9003 02 6161", .invalidValue(.unix)),
        ("9003 03 2f612f", .invalidValue(.unix)), ("a503 02 0000", .invalidValue(.p2p)),
        ("a503 04 1202aabb", .invalidValue(.p2p)), ("a503 03 1101aa", .invalidValue(.p2p)),
        ("d203 01 00", .invalidValue(.certhash)), ("e103 00", .invalidValue(.httpPath)),
    ]) func binaryRefusal(bytes: String, error: MultiaddrError) {
        #expect(throws: error) { try Multiaddr(bytes: hex(bytes)) }
    }

    @Test func limits() throws {
        let tls = hex("c003")
        #expect(try Multiaddr(bytes: (0..<2048).flatMap { _ in tls }).components.count == 2048)
        #expect(throws: MultiaddrError.tooLong(limit: 4096)) { try Multiaddr(bytes: (0..<2049).flatMap { _ in tls }) }
        #expect(throws: MultiaddrError.tooLong(limit: 8192)) {
            try Multiaddr(text: String(repeating: "/tls", count: 2049))
        }
        let name = String(repeating: "a", count: 255)
        #expect(try Multiaddr(text: "/dns/\(name)").dnsName == name)
        #expect(throws: MultiaddrError.invalidValue(.dns)) { try Multiaddr(text: "/dns/\(name)a") }
        let unknown = String(repeating: "x", count: 300)
        #expect(throws: MultiaddrError.unknownName(String(unknown.prefix(64)))) { try Multiaddr(text: "/" + unknown) }
    }

    @Test func operations() throws {
        let peer = "/p2p/\(Self.peerText)"
        let relay = try Multiaddr(text: "/ip4/1.2.3.4/tcp/4001\(peer)")
        let circuit = try Multiaddr(text: "/ip4/1.2.3.4/tcp/4001\(peer)/p2p-circuit")
        let target = try Multiaddr(text: "/ip4/1.2.3.4/tcp/4001\(peer)/p2p-circuit\(peer)")
        #expect(relay.peerIDBytes == hex(Self.peer))
        #expect(circuit.peerIDBytes == nil)
        #expect(target.peerIDBytes == hex(Self.peer))
        #expect(target.withoutPeerID == circuit)
        #expect(circuit.withoutPeerID == circuit)
        #expect(circuit.appending(peerIDBytes: hex(Self.peer)) == target)
        #expect(target.appending(peerIDBytes: hex(Self.peer)) == target)
        #expect(target.decapsulatingLast(.p2p) == circuit)
        #expect(target.decapsulatingLast(.p2pCircuit) == relay)
        #expect(target.decapsulatingLast(.ip4) == nil)
        #expect(target.decapsulatingLast(.udp) == target)
        #expect(target.isRelayed && !relay.isRelayed)
        #expect(target.first?.protocol == .ip4 && target.last?.protocol == .p2p)
        #expect(relay.tcpPort == 4001 && relay.udpPort == nil)
        #expect(relay.ipAddress == IPAddress("1.2.3.4"))
        let alone = try Multiaddr(text: peer)
        #expect(alone.withoutPeerID == alone)
        #expect(Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 4001).description == "/ip4/127.0.0.1/tcp/4001")
        #expect(Multiaddr(ip: .v6(high: 0, low: 1), udpPort: 1).description == "/ip6/::1/udp/1")
    }

    @Test(arguments: [
        ("/ip4/127.0.0.1/tcp/1", "loopback"), ("/ip4/10.0.0.1/tcp/1", "private"), ("/ip4/8.8.8.8/tcp/1", "public"),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1", "linkLocal"), ("/ip6/::/tcp/1", "unspecified"),
        ("/dns4/localhost", "loopback"),
        ("/dns4/example.com/tcp/1", "public"), ("/dns/printer.local/tcp/1", "none"), ("/memory/1", "none"),
    ]) func classes(text: String, expected: String) throws {
        let address = try Multiaddr(text: text)
        let holds = [
            "loopback": address.isLoopback, "private": address.isPrivate, "linkLocal": address.isLinkLocal,
            "unspecified": address.isUnspecified, "public": address.isPublic,
        ].filter(\.value).keys.sorted()
        #expect(holds == (expected == "none" ? [] : [expected]))
    }

    @Test func mutatedBytesNeverTrapAndRoundTrip() throws {
        var random = SeededGenerator(seed: 421)
        var accepted = 0
        for round in 0..<20_000 {
            var bytes = hex(Self.vectors[round % Self.vectors.count].1)
            for _ in 0...Int.random(in: 0...2, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = random.bytes(1)[0]
            }
            guard let address = try? Multiaddr(bytes: bytes) else { continue }
            accepted += 1
            #expect(try Multiaddr(text: address.description) == address)
        }
        #expect(accepted > 1_000)
    }
}
