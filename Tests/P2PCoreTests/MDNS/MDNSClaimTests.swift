import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@testable import P2PCore

@Suite struct MDNSClaimTests {
    typealias Bench = MDNSBench

    func read(_ strings: [String], loopback: Bool = false, source: String = "10.1.0.9") throws -> [String]? {
        let interface =
            loopback ? try Bench.loopback() : try Bench.ethernet("10.1.0.1", also: [("2a01:1:2:3::1", 128)])
        let reader = MDNSClaimReader(interface: interface, source: try Bench.address(source))
        return reader.read(strings.map { Array($0.utf8)[...] })?.addresses.map(\.description)
    }

    @Test(arguments: [
        "/ip4/10.1.0.9/tcp/4001", "/ip4/192.168.4.4/tcp/4001", "/ip4/169.254.3.3/tcp/4001", "/ip6/fd12::1/tcp/4001",
        "/ip6/2a01:1:2:3:4:5:6:7/tcp/4001", "/ip4/10.1.0.9/udp/4001/quic-v1",
    ])
    func acceptsAddressesOfTheLink(_ address: String) throws {
        #expect(try read(["dnsaddr=\(address)/p2p/\(Bench.second)"]) == [address])
    }

    @Test(arguments: [
        "dnsaddr=/ip4/8.8.8.8/tcp/4001/p2p/\(Bench.second)",
        "dnsaddr=/ip6/2a01:1:2:4::1/tcp/4001/p2p/\(Bench.second)",
        "dnsaddr=/ip4/127.0.0.1/tcp/4001/p2p/\(Bench.second)",
        "dnsaddr=/ip4/0.0.0.0/tcp/4001/p2p/\(Bench.second)",
        "dnsaddr=/ip4/224.0.0.1/tcp/4001/p2p/\(Bench.second)",
        "dnsaddr=/ip4/10.1.0.9/tcp/0/p2p/\(Bench.second)",
        "dnsaddr=/ip6/fe80::1/tcp/4001/p2p/\(Bench.second)",
        "dnsaddr=/ip6zone/eth0/ip6/fe80::1/tcp/4001/p2p/\(Bench.second)",
        "dnsaddr=/dns4/example.com/tcp/4001/p2p/\(Bench.second)",
        "dnsaddr=/ip4/10.1.0.9/tcp/1/p2p/\(Bench.first)/p2p-circuit/p2p/\(Bench.second)",
        "dnsaddr=/ip4/10.1.0.9/tcp/4001",
        "dnsaddr=/ip4/10.1.0.9/tcp/4001/p2p/xyz",
        "dnsaddr=/ip4/10.1.0.9/p2p/\(Bench.second)",
        "dnsaddr=", "dnsaddr", "", "=x", "DNSADDR=/ip4/10.1.0.9/tcp/4001/p2p/\(Bench.second)",
    ])
    func refuses(_ string: String) throws { #expect(try read([string]) == nil) }

    @Test func loopbackCountsOnlyOverLoopback() throws {
        let string = "dnsaddr=/ip4/127.0.0.1/tcp/4001/p2p/\(Bench.second)"
        #expect(try read([string], loopback: true, source: "127.0.0.1") == ["/ip4/127.0.0.1/tcp/4001"])
        #expect(try read([string], loopback: true, source: "10.1.0.1") == nil)
    }

    @Test func bytesThatAreNoTextAreSkipped() throws {
        let reader = MDNSClaimReader(interface: try Bench.ethernet("10.1.0.1"), source: try Bench.address("10.1.0.9"))
        #expect(reader.read([(Array("dnsaddr=/ip4/".utf8) + [0xff, 0xfe])[...]]) == nil)
    }

    @Test func localAddressesComeFirstAndSixteenAreKept() throws {
        let far = (1...20).map { "dnsaddr=/ip4/172.16.0.\($0)/tcp/1/p2p/\(Bench.second)" }
        let others = ["dnsaddr=/ip4/10.1.0.9/udp/1/quic-v1/p2p/\(Bench.second)", "dnsaddr=/ip4/8.8.8.8/tcp/1"]
        let near = ["dnsaddr=/ip4/10.1.0.9/tcp/1/p2p/\(Bench.second)"]
        let foreign = ["dnsaddr=/ip4/10.1.0.10/tcp/1/p2p/\(Bench.first)"]
        let found = try #require(try read(others + far + near + near + foreign))
        #expect(found.count == 16)
        #expect(found.first == "/ip4/10.1.0.9/tcp/1")
        #expect(Array(found.dropFirst()) == (1...15).map { "/ip4/172.16.0.\($0)/tcp/1" })
    }

    func key(_ source: UInt32, _ instance: String, interface: UInt32 = 2) throws -> MDNSCache.Key {
        MDNSCache.Key(interface: interface, source: .v4(source), instance: try DNSName(text: "\(instance).x.local"))
    }

    @Test func theCacheIsBoundedPerSourceAndInAll() throws {
        var cache = MDNSCache()
        let peer = try PeerID(text: Bench.second)
        let address = try Multiaddr(text: "/ip4/10.1.0.9/tcp/1")
        func add(_ source: UInt32, _ index: Int) throws {
            _ = cache.record(
                try key(source, "i\(index)"), peer: peer, addresses: [address], timeToLive: 100, now: Bench.at(0))
        }
        for index in 0..<200 { try add(1, index) }
        #expect(cache.claims.count == 128)
        for source in 2...1_100 as ClosedRange<UInt32> { try add(source, 0) }
        #expect(cache.claims.count == 1_024)
        // The loud source paid for the others.
        #expect(cache.claims.keys.count { $0.source == .v4(1) } < 10)
        #expect(cache.expire(now: Bench.at(100_000)) == [.lost(peer, .expired)])
        #expect(cache.claims.isEmpty && cache.nextExpiry == nil)
    }

    @Test func aPeerIsLostWithItsLastClaim() throws {
        var cache = MDNSCache()
        let peer = try PeerID(text: Bench.second)
        let address = try Multiaddr(text: "/ip4/10.1.0.9/tcp/1")
        let old = try key(9, "old")
        let new = try key(9, "new")
        _ = cache.record(old, peer: peer, addresses: [address], timeToLive: 100, now: Bench.at(0))
        // A restart: the old name says goodbye, the new one is there.
        cache.goodbye(old, now: Bench.at(100))
        #expect(cache.record(new, peer: peer, addresses: [address], timeToLive: 100, now: Bench.at(200)).isEmpty)
        #expect(cache.expire(now: Bench.at(1_200)).isEmpty)
        #expect(cache.peers == [peer])
        cache.goodbye(new, now: Bench.at(2_000))
        #expect(cache.expire(now: Bench.at(2_999)).isEmpty)
        #expect(cache.expire(now: Bench.at(3_000)) == [.lost(peer, .goodbye)])
    }

    @Test func newAddressesAreReportedAtOnce() throws {
        var cache = MDNSCache()
        let peer = try PeerID(text: Bench.second)
        let one = try Multiaddr(text: "/ip4/10.1.0.9/tcp/1")
        let two = try Multiaddr(text: "/ip4/10.1.0.9/tcp/2")
        func heard(_ addresses: [Multiaddr], at: UInt64) throws -> [[Multiaddr]] {
            cache.record(try key(9, "a"), peer: peer, addresses: addresses, timeToLive: 100, now: Bench.at(at))
                .discoveries.map(\.addresses)
        }
        #expect(try heard([one], at: 0) == [[one]])
        #expect(try heard([one], at: 10) == [])
        #expect(try heard([one, two], at: 20) == [[one, two]])
        #expect(try heard([two], at: 30) == [])
    }

    @Test func newAddressesWithoutEndAreNewsFourTimes() throws {
        var cache = MDNSCache()
        let peer = try PeerID(text: Bench.second)
        var news = 0
        for port in 1...500 {
            let address = try Multiaddr(text: "/ip4/10.1.0.9/tcp/\(port)")
            news +=
                cache.record(try key(9, "a"), peer: peer, addresses: [address], timeToLive: 100, now: Bench.at(1))
                .discoveries.count
        }
        #expect(news == 5, "the first, and four at once")
        let last = try Multiaddr(text: "/ip4/10.1.0.9/tcp/500")
        let later = cache.record(
            try key(9, "a"), peer: peer, addresses: [last], timeToLive: 100, now: Bench.at(1_100)
        ).discoveries
        #expect(later.map(\.addresses) == [[last]], "what was held back is told within a second or so")
    }

    @Test func whatIsTooMuchNewsIsHeardLater() throws {
        var cache = MDNSCache()
        let address = try Multiaddr(text: "/ip4/10.1.0.9/tcp/1")
        func heard(_ number: Int, _ name: String, at: UInt64, from source: UInt32 = 9) throws -> [MDNSAction] {
            cache.record(
                try key(source, name), peer: testPeer(number), addresses: [address], timeToLive: 100, now: Bench.at(at))
        }
        for number in 0..<128 { #expect(try heard(number, "a", at: 0).discoveries.count == 1) }
        #expect(try heard(128, "a", at: 10) == [], "neither is the new one found nor the old one lost")
        #expect(cache.peers == [testPeer(127)])
        #expect(try heard(127, "a", at: 20) == [], "what is known is no news")
        #expect(try heard(128, "a", at: 30, from: 10).discoveries.count == 1, "another source has its own")
        _ = try heard(128, "b", at: 40)
        #expect(cache.claims.count == 3, "and of a peer that is known already there can be more claims")
        #expect(try heard(129, "a", at: 1_010).discoveries.map(\.peer) == [testPeer(129)])
        #expect(try heard(130, "a", at: 1_020) == [], "one a second")
    }

    @Test func aNameThatGoesToAndFroIsNewsFourTimes() throws {
        var cache = MDNSCache()
        let address = try Multiaddr(text: "/ip4/10.1.0.9/tcp/1")
        for number in 0..<2 {
            _ = cache.record(
                try key(9, "\(number)"), peer: testPeer(number), addresses: [address], timeToLive: 100, now: Bench.at(0)
            )
        }
        var news = 0
        for port in 2...500 {
            let other = try Multiaddr(text: "/ip4/10.1.0.9/tcp/\(port)")
            news +=
                cache.record(
                    try key(9, "a"), peer: testPeer(port % 2), addresses: [other], timeToLive: 100, now: Bench.at(1)
                ).discoveries.count
        }
        #expect(news == 4)
    }

    @Test func whoHasAsManyClaimsAsAnybodyGetsNoMore() throws {
        var cache = MDNSCache()
        let peer = try PeerID(text: Bench.second)
        let address = try Multiaddr(text: "/ip4/10.1.0.9/tcp/1")
        func add(_ source: UInt32, _ index: Int, timeToLive: UInt32 = 100) throws {
            _ = cache.record(
                try key(source, "i\(index)"), peer: peer, addresses: [address], timeToLive: timeToLive, now: Bench.at(0)
            )
        }
        func counts() -> [Int] { (1...9).map { source in cache.claims.keys.count { $0.source == .v4(source) } } }
        for source in 1...8 as ClosedRange<UInt32> { for index in 0..<128 { try add(source, index) } }
        for index in 0..<128 { try add(9, index) }
        #expect(cache.claims.count == 1_024)
        #expect(counts().allSatisfy { (113...114).contains($0) }, "\(counts())")
        // Nobody gains by going on.
        let before = Set(cache.claims.keys)
        for index in 128..<400 { try add(9, index) }
        #expect(Set(cache.claims.keys) == before)
        // Of the loudest the claim that ends first goes.
        _ = cache.remove(interface: 2)
        for index in 0..<127 { try add(1, index) }
        try add(1, 127, timeToLive: 50)
        for source in 2...8 as ClosedRange<UInt32> { for index in 0..<128 { try add(source, index, timeToLive: 80) } }
        try add(9, 0)
        #expect(
            !cache.claims.keys.contains(try key(1, "i127")) && counts() == [127] + [Int](repeating: 128, count: 7) + [1]
        )
    }

    @Test func sourcesBeyondTheTableShareOneBudget() {
        var limiter = MDNSSourceLimiter.packets
        for source in 0..<256 as Range<UInt32> {
            let isAdmitted = limiter.admit(.v4(source), now: Bench.at(0))
            #expect(isAdmitted)
        }
        var admitted = 0
        for source in 1_000..<2_000 as Range<UInt32> where limiter.admit(.v4(source), now: Bench.at(1)) {
            admitted += 1
        }
        #expect(admitted == 200)
        #expect(limiter.count == 256)
        // Idle sources make room.
        let isAdmitted = limiter.admit(.v4(5_000), now: Bench.at(100))
        #expect(isAdmitted)
        #expect(limiter.count == 1)
    }
}
