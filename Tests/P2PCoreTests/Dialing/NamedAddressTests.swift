import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

@Suite("Addresses that begin with a name") struct NamedAddressTests {
    private let peer = PrivateKey.generate().peerID
    private let other = PrivateKey.generate().peerID

    private func named(_ text: String) throws -> NamedAddress {
        try #require(NamedAddress(try Multiaddr(text: text)))
    }

    private func read(_ texts: [String], at list: String = "/dnsaddr/list.example") throws -> [String] {
        try self.named(list).addresses(in: texts.map { Array($0.utf8) }, of: self.peer).map(\.description)
    }

    @Test("what is asked of the DNS")
    func questions() throws {
        #expect(NamedAddress(try Multiaddr(text: "/ip4/192.0.2.1/tcp/1")) == nil)
        #expect(try self.named("/dns/a.example/tcp/1").question == .addresses(of: "a.example", .both))
        #expect(try self.named("/dns4/a.example/tcp/1").question == .addresses(of: "a.example", .v4))
        #expect(try self.named("/dns6/a.example/tcp/1").question == .addresses(of: "a.example", .v6))
        #expect(
            try self.named("/dnsaddr/a.example").question == .texts(of: DNSName(text: "_dnsaddr.a.example")))
        let long = String(repeating: "a", count: 64)
        #expect(try self.named("/dnsaddr/\(long).example").question == nil, "no label is so long")
    }

    @Test("a name gives way to its addresses, of the kinds that were asked for, and the rest stays")
    func addresses() throws {
        let found = [IPAddress.v6(high: 0x2001_0db8 << 32, low: 1), .v4(0xc000_0201), .v4(0xc000_0201)]
        func lead(_ text: String) throws -> [String] {
            try self.named(text).addresses(at: found).map(\.description)
        }
        #expect(
            try lead("/dns/a.example/tcp/443/tls/ws") == [
                "/ip6/2001:db8::1/tcp/443/tls/ws", "/ip4/192.0.2.1/tcp/443/tls/ws",
            ])
        #expect(try lead("/dns4/a.example/tcp/1") == ["/ip4/192.0.2.1/tcp/1"])
        #expect(try lead("/dns6/a.example/tcp/1") == ["/ip6/2001:db8::1/tcp/1"])
    }

    @Test("of a name with very many addresses few are taken, of a list too")
    func bounds() throws {
        let many = (1...100).map { IPAddress.v4(0x0a00_0000 + $0) }
        #expect(try self.named("/dns4/a.example/tcp/1").addresses(at: many).count == NamedAddress.maximumAddresses)
        let records = (1...100).map { "dnsaddr=/ip4/10.0.0.\($0)/tcp/1/p2p/\(self.peer)" }
        #expect(try self.read(records).count == NamedAddress.maximumAddresses)
    }

    @Test("a list gives the wanted peer's addresses and nobody else's; a malformed record costs only itself")
    func lists() throws {
        let found = try self.read([
            "dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/\(self.peer)", "dnsaddr=/ip4/10.0.0.2/tcp/1/p2p/\(self.other)",
            "dnsaddr=/ip4/10.0.0.3/tcp/1", "dnsaddr=/ip4/10.0.0.300/tcp/1/p2p/\(self.peer)", "dnsaddr=", "", "v=spf1",
            "dnsaddr=/p2p/\(self.peer)", "dnsaddr=/ip4/10.0.0.5/tcp/1/p2p/\(self.peer)/p2p/\(self.peer)",
            "dnsaddr=/dnsaddr/deeper.example/p2p/\(self.peer)", "dnsaddr=/dns6/six.example/tcp/9/p2p/\(self.peer)",
            "DNSADDR=/ip4/10.0.0.4/tcp/1/p2p/\(self.peer)", "dnsaddr=/ip4/10.0.0.1/tcp/1/p2p/\(self.peer)",
        ])
        #expect(found == ["/ip4/10.0.0.1/tcp/1", "/dnsaddr/deeper.example", "/dns6/six.example/tcp/9"])
        let others = try self.named("/dnsaddr/list.example").addresses(
            in: [Array("dnsaddr=/ip4/10.0.0.3/tcp/1".utf8)], of: nil)
        #expect(try others == [Multiaddr(text: "/ip4/10.0.0.3/tcp/1")])
    }

    @Test("what stands behind the name must stand at the end of a record")
    func endings() throws {
        let records = [1, 2].map { "dnsaddr=/ip4/10.0.0.\($0)/tcp/\($0)/p2p/\(self.peer)" }
        #expect(try self.read(records, at: "/dnsaddr/list.example/tcp/2") == ["/ip4/10.0.0.2/tcp/2"])
    }

    @Test("texts are read from answers, the pieces of one put together; other records and errors give none")
    func answers() throws {
        let name = try DNSName(text: "_dnsaddr.list.example")
        func record(_ data: DNSRecordData) -> DNSRecord { DNSRecord(name, data, timeToLive: 60) }
        let (head, tail) = (Array("dnsaddr=/ip4/10.".utf8), Array("0.0.1/tcp/1".utf8))
        var answer = DNSMessage(
            isResponse: true,
            answers: [record(.a(1)), record(.txt([head[...], tail[...]])), record(.txt([tail[...]]))])
        #expect(NamedAddress.texts(in: answer.encoded(maximumLength: 9_000)) == [head + tail, tail])
        answer.responseCode = 3
        #expect(NamedAddress.texts(in: answer.encoded(maximumLength: 9_000)).isEmpty)
        answer.responseCode = 0
        answer.isResponse = false
        #expect(NamedAddress.texts(in: answer.encoded(maximumLength: 9_000)).isEmpty)
        #expect(NamedAddress.texts(in: [1, 2, 3]).isEmpty)
    }
}
