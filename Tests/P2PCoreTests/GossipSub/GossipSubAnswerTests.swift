import DequeModule
import GoopTestKit
import OrderedCollections
import PeerIdentity
import Testing

@testable import P2PCore

/// What one peer asks for, offers and refuses, and what it costs us.
@Suite struct GossipSubAnswerTests {
    /// Where the bytes of all messages that wait for a peer are kept.
    private func storage(_ bench: RouterBench, _ peer: PeerID) -> [UInt] {
        guard let queue = bench.router.peers[peer]?.queue else { return [] }
        return (queue.deliveries.batches.flatMap(\.fields) + queue.answers.batches.flatMap(\.fields)).map { field in
            field.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
        }
    }

    @Test func answersAreBuiltNeitherTwiceNorInVain() throws {
        var limits = GossipSubLimits()
        limits.maximumQueuedBytes = 8 << 10
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        let messages = (UInt64(1)...64).map { testMessage($0, size: 1_000) }
        for message in messages { bench.receive(from: testPeer(1)) { $0.messages = [message.encoded] } }
        let askers = [testPeer(5), testPeer(6)]
        // Our subscriptions are being written to them, so answers wait.
        bench.stalled = Set(askers)
        for asker in askers {
            bench.open(asker)
            bench.receive(from: asker) { $0.want = (0..<3).flatMap { _ in messages.map(\.id) } }
            #expect((bench.router.peers[asker]?.queue.messageBytes ?? .max) <= limits.maximumQueuedBytes)
        }
        #expect(bench.router.counts.messagesServed == 2 * 7, "what fits, and nothing else")
        #expect(bench.router.counts.messagesDroppedForSlowPeers == 2)
        let stored = askers.map { self.storage(bench, $0) }
        #expect(stored[0].count == 7 && stored[0] == stored[1], "two queues hold the same bytes")

        // What found no room was not counted as sent.
        bench.stalled = []
        for asker in askers { bench.finishWrite(to: asker) }
        bench.clearSent()
        for _ in 0..<5 { bench.receive(from: askers[0]) { $0.want = [messages[63].id] } }
        #expect(bench.messages(to: askers[0]).count == 3)
    }

    @Test func forwardedMessagesShareTheirBytesToo() throws {
        var bench = RouterBench()
        try bench.join("t")
        for number in 1...3 { bench.open(testPeer(number), topics: ["t"]) }
        bench.stalled = [testPeer(2), testPeer(3)]
        for number in UInt64(1)...3 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number, size: 500).encoded] }
        }
        let stored = self.storage(bench, testPeer(2))
        #expect(stored.count == 2 && stored == self.storage(bench, testPeer(3)))
    }

    @Test func manyTopicsInOneRPCAreOneAdvert() throws {
        var limits = GossipSubLimits()
        limits.maximumHavePerHeartbeat = 2
        var bench = RouterBench(limits: limits)
        let topics = (0..<12).map { "t\($0)" }
        for topic in topics { try bench.join(topic) }
        bench.open(testPeer(1), topics: topics)
        bench.clearSent()
        for round in UInt64(0)..<4 {
            bench.receive(from: testPeer(1)) { rpc in
                rpc.have = topics.enumerated().map { index, topic in
                    .init(topic: topic, ids: [testMessage(round * 100 + UInt64(index), topic: topic).id])
                }
            }
        }
        #expect(bench.takeSent(to: testPeer(1)).flatMap(\.want).count == 24, "two RPCs with all their topics")
        #expect(bench.router.counts.entriesOverLimit == 24)
    }

    @Test func frameSizesThatEveryPeerReads() throws {
        var bench = RouterBench()
        try bench.join("t")
        for number in 1...2 { bench.open(testPeer(number), topics: ["t"]) }
        bench.clearSent()
        let messages = (UInt64(1)...1_000).map { testMessage($0, size: 100) }
        for message in messages { bench.receive(from: testPeer(1)) { $0.messages = [message.encoded] } }
        let asker = testPeer(3)
        bench.open(asker, topics: ["t"])
        bench.clearSent()
        bench.stalled = [asker]
        bench.receive(from: asker) { $0.want = messages.map(\.id) }
        bench.receive(from: asker) { $0.have = [.init(topic: "t", ids: (2_000..<4_000).map { testMessage($0).id })] }
        bench.stalled = []
        bench.finishWrite(to: asker)
        let rpcs = bench.takeSent(to: asker)
        #expect(rpcs.flatMap(\.messages).count == 1_000 && rpcs.flatMap(\.want).count == 2_000, "all of it comes")
        for rpc in rpcs {
            var control = rpc
            control.messages = []
            #expect(rpc.messages.count <= 500 && rpc.encode().count <= 65_536 && control.encode().count <= 16_384)
        }
    }

    @Test func refusalsComeInPortionsThatAreRead() throws {
        var bench = RouterBench()
        try bench.join("t")
        for number in 1...2 { bench.open(testPeer(number), topics: ["t"]) }
        bench.stalled = [testPeer(2)]
        let messages = (UInt64(0)..<26).map { testMessage($0, size: 2_000) }
        for message in messages { bench.receive(from: testPeer(1)) { $0.messages = [message.encoded] } }
        bench.stalled = []
        bench.finishWrite(to: testPeer(2))
        let refused = bench.takeSent(to: testPeer(2)).map(\.dontWant).filter { !$0.isEmpty }
        #expect(refused.allSatisfy { $0.count <= 10 })
        #expect(refused.flatMap(\.self) == messages.map(\.id), "all of them in the end")
    }

    @Test func directPeersGetNothingBack() throws {
        var bench = RouterBench(direct: [testPeer(5)])
        bench.verifiesAtOnce = false
        try bench.join("t")
        for number in 1...5 { bench.open(testPeer(number), topics: ["t"]) }
        bench.clearSent()
        let own = testMessage(1, source: testPeer(5))
        bench.receive(from: testPeer(1)) { $0.messages = [own.encoded] }
        let both = testMessage(2)
        for number in [1, 5] { bench.receive(from: testPeer(number)) { $0.messages = [both.encoded] } }
        let other = testMessage(3)
        bench.receive(from: testPeer(1)) { $0.messages = [other.encoded] }
        for (ticket, _) in bench.toVerify { bench.perform(bench.router.verified(ticket, .valid, now: bench.now)) }
        #expect(bench.delivered.count == 3)
        #expect(bench.messages(to: testPeer(5)) == [other.id])
    }
}
