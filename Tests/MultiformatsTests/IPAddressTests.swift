import GoopTestKit
import Multiformats
import Testing

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("0.0.0.0", "00000000"), ("127.0.0.1", "7f000001"), ("255.255.255.255", "ffffffff"),
        ("::", "00000000000000000000000000000000"), ("::1", "00000000000000000000000000000001"),
        ("1::", "00010000000000000000000000000000"), ("2001:db8::1:0:0:1", "20010db8000000000001000000000001"),
        ("2001:db8:0:1:1:1:1:1", "20010db8000000010001000100010001"),
        ("2001:0:0:1::1", "20010000000000010000000000000001"), ("::ffff:192.0.2.1", "00000000000000000000ffffc0000201"),
        ("fe80::a", "fe80000000000000000000000000000a"), ("1:2:3:4:5:6:7:8", "00010002000300040005000600070008"),
    ]) func canonical(text: String, bytes: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.bytes == hex(bytes))
        #expect(address.description == text)
        #expect(IPAddress(bytes: hex(bytes)) == address)
    }

    @Test(arguments: [
        ("2001:DB8::A", "2001:db8::a"), ("0:0:0:0:0:0:0:1", "::1"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("::1.2.3.4", "::102:304"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::ffff:102:304", "::ffff:1.2.3.4"),
    ]) func otherForms(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.", " 1.2.3.4", "1.2.3.+4", ":", ":::", "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::12345", "fe80::1%eth0", "[::1]", "::g", "1:2:3:4:5:6:7:1.2.3.4", "1:",
        ":1", "1.2.3.4::", "::1.2.3", "1:2:3:4:5:6:7:8::", "１.2.3.4",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
    ]) func refused(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test(arguments: [
        ("127.9.9.9", "loopback"), ("::1", "loopback"), ("::ffff:127.0.0.1", "loopback"), ("10.1.2.3", "private"),
        ("172.16.0.1", "private"), ("172.31.255.255", "private"), ("172.32.0.1", "public"), ("192.168.0.1", "private"),
        ("100.64.0.1", "private"), ("100.127.255.255", "private"), ("100.128.0.1", "public"), ("fd00::1", "private"),
        ("fc00::1", "private"), ("169.254.1.1", "linkLocal"), ("fe80::1", "linkLocal"), ("febf::1", "linkLocal"),
        ("0.0.0.0", "unspecified"), ("::", "unspecified"), ("224.0.0.251", "multicast"), ("ff02::fb", "multicast"),
        ("8.8.8.8", "public"), ("2606:4700::1", "public"), ("64:ff9b::808:808", "public"), ("64:ff9b::a00:1", "none"),
        ("192.0.2.1", "none"), ("198.18.0.1", "none"), ("198.19.255.1", "none"), ("198.20.0.1", "public"),
        ("198.51.100.1", "none"), ("203.0.113.9", "none"), ("192.0.0.1", "none"), ("192.88.99.1", "none"),
        ("0.1.2.3", "none"), ("240.0.0.1", "none"), ("255.255.255.255", "none"), ("2001:db8::1", "none"),
        ("3fff:fff::1", "none"), ("4000::1", "none"),
    ]) func classes(text: String, expected: String) throws {
        let address = try #require(IPAddress(text))
        let holds = [
            "loopback": address.isLoopback, "private": address.isPrivate, "linkLocal": address.isLinkLocal,
            "unspecified": address.isUnspecified, "multicast": address.isMulticast, "public": address.isPublic,
        ].filter(\.value).keys.sorted()
        #expect(holds == (expected == "none" ? [] : [expected]))
    }

    @Test func randomAddressesRoundTrip() {
        var random = SeededGenerator(seed: 6)
        for _ in 0..<5_000 {
            // Masks make runs of zero groups likely.
            let high = random.next() & random.next() & random.next()
            let low = random.next() & (random.next() & 1 == 0 ? .max : 0xffff)
            let six = IPAddress.v6(high: high & ((random.next() & 1) &* .max), low: low)
            #expect(IPAddress(six.description) == six)
            let four = IPAddress.v4(UInt32(truncatingIfNeeded: random.next()))
            #expect(IPAddress(four.description) == four)
        }
    }

    /// Who has one IPv6 address has its neighbours too: a limit per address must not be a limit per address of those.
    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("2001:db8:1:2ff:3::4", "2001:db8:1:200::"),
        ("2001:db8:1:200::", "2001:db8:1:200::"), ("2001:db8:1:300::1", "2001:db8:1:300::"),
    ])
    func aHostIsAnIPv4AddressOrTheBlockAroundAnIPv6One(_ address: String, _ host: String) throws {
        #expect(try #require(IPAddress(address)).host == IPAddress(host))
    }

    /// In a local network the block around an address is all the others.
    @Test(
        arguments: [
            ("192.0.2.1", "192.0.2.1", nil), ("192.168.1.2", "192.168.1.2", nil), ("::ffff:10.0.0.1", "10.0.0.1", nil),
            ("2001:db8:1:2ff:3::4", "2001:db8:1:200::", nil), ("::1", "::", nil),
            ("fd12:3456:789a:2ff::5", "fd12:3456:789a:2ff::5", "fd12:3456:789a:200::"),
            ("fe80::5", "fe80::5", "fe80::"), ("fec0::5", "fec0::", nil),
        ] as [(String, String, String?)])
    func aHolderInALocalNetworkIsTheAddress(_ address: String, _ holder: String, _ network: String?) throws {
        let address = try #require(IPAddress(address))
        #expect(address.holder == IPAddress(holder))
        #expect(address.localNetwork == network.flatMap { IPAddress($0) })
    }
}
