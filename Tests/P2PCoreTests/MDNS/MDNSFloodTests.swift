import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@testable import P2PCore

/// A neighbour, or a whole network of them, that makes up peers without end.
@Suite struct MDNSFloodTests {
    typealias Bench = MDNSBench

    /// The text of a peer id of its own for each number below 58^4.
    private static func peer(_ number: Int) -> String {
        let digits = Array("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
        let last = [number % 58, number / 58 % 58, number / 3_364 % 58, number / 195_112 % 58].map { digits[$0] }
        return "QmT" + String(repeating: "a", count: 39) + String(last)
    }

    /// A packet with claims of `count` peers, each under a name of its own, or so many names by turns.
    private static func packet(_ first: Int, count: Int, at host: UInt32, names: Int = .max) throws -> [UInt8] {
        let service = try DNSName(text: "\(Bench.tag).local")
        let records = try (first..<first + count).map { number in
            let text = Array("dnsaddr=/ip4/\(IPAddress.v4(host))/tcp/4001/p2p/\(self.peer(number))".utf8)
            return DNSRecord(
                try service.prepending(Array("i\(number % names)".utf8)), .txt([text[...]]), timeToLive: 120,
                flushesCache: true)
        }
        return DNSMessage(isResponse: true, answers: records).encoded(maximumLength: 9_000)
    }

    @Test("100,000 made-up peers of a few hosts, then of many: what is kept stays within its bounds, and it ends")
    func flood() throws {
        var machine = try Bench.machine()
        _ = machine.start(
            interfaces: [try Bench.ethernet("10.1.0.1")], listening: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/4001")],
            now: Bench.at(0))
        var made = 0
        var milliseconds: UInt64 = 0
        /// Peers that the application was told of and not yet told to forget.
        var told = Set<PeerID>()
        func hear(_ count: Int, from host: UInt32) throws {
            let source = IPAddress.v4(0x0a01_0000 + host)
            let actions = machine.received(
                try Self.packet(made, count: count, at: 0x0a01_0000 + host), on: Bench.v4,
                from: MDNSEndpoint(source, port: 5353), now: Bench.at(milliseconds))
            made += count
            for action in actions {
                switch action {
                case .discovered(let discovery): told.insert(discovery.peer)
                case .lost(let peer, _): told.remove(peer)
                default: break
                }
            }
            #expect(machine.cache.claims.count <= MDNSCache.maximumClaims)
            #expect(told.count <= machine.cache.claims.count)
        }
        // Eight hosts fill the table, each with as much as one may; the rest of what they say is refused.
        while made < 98_000 {
            try hear(50, from: UInt32(2 + made / 50 % 8))
            milliseconds += 5
        }
        #expect(machine.cache.claims.count == MDNSCache.maximumClaims && told == machine.knownPeers)
        #expect(machine.counts.limited == 0 && machine.counts.malformed == 0, "everything was read")
        // Two hundred more take places of the loudest.
        while made < 100_000 { try hear(10, from: UInt32(20 + made / 10 % 200)) }
        #expect(machine.cache.claims.count == MDNSCache.maximumClaims && told == machine.knownPeers)
        let bySource = Dictionary(grouping: machine.cache.claims.keys, by: \.source)
        #expect(bySource.count == 208 && bySource.values.allSatisfy { $0.count <= 10 })
        #expect(machine.nextDeadline != nil)
        _ = machine.run(until: Bench.at(milliseconds + 121_000))
        #expect(machine.cache.claims.isEmpty && machine.knownPeers.isEmpty, "and nothing is left of it")
    }

    @Test("one host gives fourteen names to ever new peers: few are news, and nobody known is forgotten for them")
    func namesThatStandForEverNewPeers() throws {
        var machine = try Bench.machine()
        _ = machine.start(
            interfaces: [try Bench.ethernet("10.1.0.1")], listening: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/4001")],
            now: Bench.at(0))
        // A book that is full: of peers that were met, and of some that the operator named, longer ago than all the others.
        var book = AddressBook()
        let there = try Multiaddr(text: "/ip4/10.1.0.50/tcp/4001")
        let configured = (0..<10).map { testPeer($0) }
        let met = (10..<book.limits.peers - 100).map { testPeer($0) }
        for peer in configured {
            book.add([there], of: peer, source: .configured, ttl: .seconds(86_400), now: Bench.at(0))
        }
        for peer in met {
            book.connected(peer, security: "/noise", now: Bench.at(0))
            book.add([there], of: peer, source: .connection, ttl: .seconds(900), now: Bench.at(0))
            book.disconnected(peer, now: Bench.at(0))
        }
        var news = Set<PeerID>()
        var events = 0
        // 250 packets a second for ten seconds, of which 700 are admitted.
        for number in 0..<2_500 {
            let now = Bench.at(UInt64(number) * 4)
            let actions = machine.received(
                try Self.packet(number * 14, count: 14, at: 0x0a01_0009, names: 14), on: Bench.v4,
                from: MDNSEndpoint(.v4(0x0a01_0009), port: 5353), now: now)
            for discovery in actions.discoveries {
                events += 1
                news.insert(discovery.peer)
                book.add(discovery.addresses, of: discovery.peer, source: .multicast, ttl: .seconds(240), now: now)
            }
            #expect(machine.cache.claims.count <= 14)
        }
        #expect(machine.counts.responses > 650)
        #expect((128...140).contains(news.count) && events == news.count, "\(news.count) peers, \(events) events")
        #expect(book.count <= book.limits.peers)
        for peer in configured + met where book.addresses(of: peer, now: Bench.at(10_000)).isEmpty {
            Issue.record("\(peer) was forgotten")
            break
        }
        // Somebody else on the network is heard of at once all the same.
        let other = machine.received(
            try Bench.answer(["dnsaddr=/ip4/10.1.0.77/tcp/1/p2p/\(Bench.second)"]), on: Bench.v4,
            from: try Bench.endpoint("10.1.0.77"), now: Bench.at(10_001))
        #expect(other.discoveries.count == 1)
    }
}
