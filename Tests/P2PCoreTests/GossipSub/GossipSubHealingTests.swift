import GoopTestKit
import Multiformats
import OrderedCollections
import PeerIdentity
import Testing

@testable import P2PCore

/// How a mesh among many strangers keeps, finds and hears those that are of use.
@Suite struct GossipSubHealingTests {
    /// A router in the topic "a", in whose mesh there are the peers of these numbers, all of them inbound.
    static func bench(mesh numbers: Range<Int>) throws -> RouterBench {
        var bench = RouterBench()
        try bench.join("a")
        for number in numbers {
            bench.open(testPeer(number), topics: ["a"])
            bench.receive(from: testPeer(number)) { $0.graft = ["a"] }
        }
        #expect(bench.router.meshPeers(of: "a").count == numbers.count)
        return bench
    }

    // MARK: - Who stays in a mesh that shrinks

    @Test func whoBroughtSomethingStaysWhenACrowdComes() throws {
        var bench = try Self.bench(mesh: 0..<12)
        let useful = Set((3..<9).map(testPeer))
        for number in 3..<9 {
            let message = testMessage(UInt64(number), topic: "a")
            bench.receive(from: testPeer(number)) { $0.messages = [message.encoded] }
        }
        bench.advance(by: .seconds(1))
        #expect(Set(bench.router.meshPeers(of: "a")) == useful)
    }

    @Test func dialledPeersTakePlacesOfTheBestScoredButNotOfTheVeryBest() throws {
        var bench = RouterBench()
        try bench.join("a")
        for number in 0..<12 {
            bench.open(testPeer(number), topics: ["a"], outbound: number > 8)
            bench.receive(from: testPeer(number)) { $0.graft = ["a"] }
        }
        // Peer 0 brings one message, peer 5 six.
        for number in 0..<6 {
            let messages = (0...number).map { testMessage(UInt64(10 * number + $0), topic: "a").encoded }
            bench.receive(from: testPeer(number)) { $0.messages = messages }
        }
        bench.advance(by: .seconds(1))
        let mesh = bench.router.meshPeers(of: "a")
        #expect(mesh.count == 6)
        #expect(Set(mesh).isSuperset(of: (2..<6).map(testPeer)), "Dscore of them")
        #expect(mesh.filter { (9..<12).map(testPeer).contains($0) }.count == 2, "Dout of them")
    }

    /// All strangers whose back-offs end together fill the mesh before those that wait the slack longer come back.
    @Test func aFullMeshTakesInWhoeverHasEarnedMoreThanItsWorst() throws {
        var bench = try Self.bench(mesh: 0..<12)
        for number in [20, 21] { bench.open(testPeer(number), topics: ["a"]) }
        Self.rescue(1, by: 20, in: &bench)
        for number in [20, 21] { bench.receive(from: testPeer(number)) { $0.graft = ["a"] } }
        #expect(bench.router.meshPeers(of: "a").contains(testPeer(20)))
        #expect(!bench.router.meshPeers(of: "a").contains(testPeer(21)), "no better than the others")
        #expect(bench.prunes(to: testPeer(20)).isEmpty && bench.prunes(to: testPeer(21)).count == 1)
        bench.advance(by: .seconds(1))
        #expect(bench.router.meshPeers(of: "a").count == 6)
        #expect(bench.router.meshPeers(of: "a").contains(testPeer(20)))
    }

    @Test func aMeshIsNeverMoreThanTwiceFull() throws {
        var bench = try Self.bench(mesh: 0..<12)
        for number in 20..<40 {
            bench.open(testPeer(number), topics: ["a"])
            Self.rescue(1, by: number, in: &bench)
            bench.receive(from: testPeer(number)) { $0.graft = ["a"] }
        }
        #expect(bench.router.meshPeers(of: "a").count == 24)
    }

    // MARK: - Who is taken in because the mesh holds back

    @Test func nobodyRescuesWithWordsOfItsOwn() throws {
        var bench = try Self.bench(mesh: 0..<6)
        bench.open(testPeer(20), topics: ["a"])
        bench.receive(from: testPeer(20)) {
            $0.messages = (1...3).map { testMessage($0, topic: "a", source: testPeer(20)).encoded }
        }
        #expect(bench.delivered.count == 3)
        bench.advance(by: .seconds(1))
        #expect(bench.grafts(to: testPeer(20)).isEmpty)
    }

    /// So many messages that no other peer brings.
    static func rescue(_ count: Int, by number: Int, in bench: inout RouterBench, from first: UInt64 = 0) {
        let start = UInt64(1_000 * number) + first
        let messages = (0..<UInt64(count)).map { testMessage(start + $0, topic: "a").encoded }
        bench.receive(from: testPeer(number)) { $0.messages = messages }
    }

    @Test func aRescuerIsTakenInAtTheNextHeartbeat() throws {
        var bench = try Self.bench(mesh: 0..<6)
        for number in 20..<22 { bench.open(testPeer(number), topics: ["a"]) }
        Self.rescue(1, by: 20, in: &bench)
        Self.rescue(2, by: 21, in: &bench)
        bench.advance(by: .milliseconds(200))
        #expect(!bench.router.meshPeers(of: "a").contains(testPeer(20)), "once may be chance")
        #expect(bench.router.meshPeers(of: "a").contains(testPeer(21)))
        #expect(bench.grafts(to: testPeer(21)) == ["a"])
    }

    @Test func whatAlsoCameThroughTheMeshIsNoRescue() throws {
        var bench = try Self.bench(mesh: 0..<6)
        bench.open(testPeer(20), topics: ["a"])
        bench.verifiesAtOnce = false
        Self.rescue(2, by: 20, in: &bench)
        bench.receive(from: testPeer(3)) {
            $0.messages = [20_000, 20_001].map { testMessage($0, topic: "a").encoded }
        }
        for (ticket, _) in bench.toVerify { bench.perform(bench.router.verified(ticket, .valid, now: bench.now)) }
        #expect(bench.delivered.count == 2)
        bench.advance(by: .seconds(1))
        #expect(!bench.router.meshPeers(of: "a").contains(testPeer(20)))
    }

    /// Honest neighbours that were pruned in a crowd: several opportunistic grafts may pass before they can come back.
    @Test(arguments: [30, 50] as [UInt64]) func aRescuerIsRememberedUntilItsBackoffIsOver(seconds: UInt64) throws {
        var bench = try Self.bench(mesh: 0..<6)
        bench.open(testPeer(20), topics: ["a"])
        bench.receive(from: testPeer(20)) { $0.prune = [.init(topic: "a", backoffSeconds: seconds)] }
        bench.advance(by: .seconds(5))
        Self.rescue(2, by: 20, in: &bench)
        bench.advance(by: .seconds(Int64(seconds) - 5))
        #expect(bench.grafts(to: testPeer(20)).isEmpty)
        // The back-off, its slack, and no longer than a heartbeat.
        bench.advance(by: .milliseconds(3_200))
        #expect(bench.grafts(to: testPeer(20)) == ["a"])
    }

    @Test func rescuersAreTakenInFewAtATime() throws {
        var bench = try Self.bench(mesh: 0..<6)
        for number in 20..<30 {
            bench.open(testPeer(number), topics: ["a"])
            Self.rescue(2, by: number, in: &bench)
        }
        bench.advance(by: .seconds(18))
        #expect(bench.router.meshPeers(of: "a").count == 8, "whoever plays the rescuer gets in no faster")
    }

    @Test func nobodyIsARescuerForever() throws {
        var bench = try Self.bench(mesh: 0..<6)
        bench.open(testPeer(20), topics: ["a"])
        for number in 0..<6 { bench.router.setApplicationScore(of: testPeer(number), to: 5) }
        for round in UInt64(0)..<4 {
            Self.rescue(1, by: 20, in: &bench, from: round)
            bench.advance(by: .seconds(21))
        }
        #expect(bench.grafts(to: testPeer(20)).isEmpty, "one in a while is chance")
        bench.receive(from: testPeer(20)) { $0.prune = [.init(topic: "a", backoffSeconds: 60)] }
        Self.rescue(2, by: 20, in: &bench, from: 100)
        #expect(bench.router.topics[TopicName("a")]?.rescuers.count == 1)
        bench.perform(bench.router.disconnected(testPeer(20), now: bench.now))
        #expect(bench.router.topics[TopicName("a")]?.rescuers.isEmpty == true)
    }

    @Test func aMessageThatOutlivesItsSenderMakesNoRescuer() throws {
        var bench = try Self.bench(mesh: 0..<6)
        bench.open(testPeer(20), topics: ["a"])
        bench.verifiesAtOnce = false
        Self.rescue(2, by: 20, in: &bench)
        bench.perform(bench.router.disconnected(testPeer(20), now: bench.now))
        for (ticket, _) in bench.toVerify { bench.perform(bench.router.verified(ticket, .valid, now: bench.now)) }
        #expect(bench.delivered.count == 2)
        #expect(bench.router.topics[TopicName("a")]?.rescuers.isEmpty == true)
    }

    // MARK: - Who hears of messages

    @Test func whatWeSayReachesDialledPeersDuringTheirBackoff() throws {
        var bench = try Self.bench(mesh: 0..<6)
        for number in 20..<25 {
            bench.open(testPeer(number), topics: ["a"], outbound: true)
            bench.receive(from: testPeer(number)) { $0.prune = [.init(topic: "a", backoffSeconds: 60)] }
        }
        let message = testMessage(1, topic: "a", source: RouterBench.key.peerID)
        bench.perform(try bench.router.publish(message, now: bench.now))
        #expect((0..<6).allSatisfy { bench.messages(to: testPeer($0)) == [message.id] })
        #expect((20..<25).filter { bench.messages(to: testPeer($0)) == [message.id] }.count == 2, "Dout of them")
    }

    @Test func strangersDoNotKeepGossipFromThoseThatMatter() throws {
        var bench = try Self.bench(mesh: 0..<6)
        let dialled = 50..<55
        let useful = 60..<65
        for number in 100..<300 { bench.open(testPeer(number), topics: ["a"]) }
        for number in Array(dialled) + Array(useful) {
            bench.open(testPeer(number), topics: ["a"], outbound: dialled.contains(number))
            // Otherwise they came into the mesh.
            bench.receive(from: testPeer(number)) { $0.prune = [.init(topic: "a", backoffSeconds: 60)] }
        }
        for number in useful { Self.rescue(1, by: number, in: &bench) }
        bench.advance(by: .seconds(6))
        bench.clearSent()
        let message = testMessage(1, topic: "a")
        bench.receive(from: testPeer(0)) { $0.messages = [message.encoded] }
        bench.advance(by: .seconds(1.9))
        func hears(_ number: Int) -> Bool {
            (bench.sent[testPeer(number)] ?? []).flatMap(\.have).contains { $0.ids.contains(message.id) }
        }
        #expect(dialled.allSatisfy(hears))
        #expect(useful.allSatisfy(hears))
        // A quarter of 210, and half of the places are anybody's.
        #expect((26...52).contains((100..<300).filter(hears).count))
    }

    @Test func dialledPeersDoNotKeepGossipFromStrangers() throws {
        var bench = try Self.bench(mesh: 0..<6)
        for number in 100..<130 {
            bench.open(testPeer(number), topics: ["a"], outbound: true)
            bench.receive(from: testPeer(number)) { $0.prune = [.init(topic: "a", backoffSeconds: 60)] }
        }
        for number in 200..<240 { bench.open(testPeer(number), topics: ["a"]) }
        let message = testMessage(1, topic: "a")
        bench.receive(from: testPeer(0)) { $0.messages = [message.encoded] }
        bench.advance(by: .seconds(3))
        let heard = (200..<240).filter { number in
            (bench.sent[testPeer(number)] ?? []).flatMap(\.have).contains { $0.ids.contains(message.id) }
        }
        #expect(!heard.isEmpty)
    }
}
