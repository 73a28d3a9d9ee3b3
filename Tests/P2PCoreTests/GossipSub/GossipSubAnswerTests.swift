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
        (bench.router.peers[peer]?.queue.batches.flatMap(\.fields) ?? []).map { field in
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
}
