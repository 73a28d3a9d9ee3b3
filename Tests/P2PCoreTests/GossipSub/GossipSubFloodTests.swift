import GoopTestKit
import PeerIdentity
import Testing

@testable import P2PCore

/// More messages than are checked: what looking at them costs.
@Suite struct GossipSubFloodTests {
    /// Messages of one id that differ in the last bytes of their signatures.
    private func variants(_ numbers: Range<UInt64>) -> [GossipMessage] {
        numbers.map { number in
            let end = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
            return GossipMessage.assembled(
                data: [1, 2, 3], topic: "t", sequence: 1, source: testPeer(9999),
                signature: [UInt8](repeating: 7, count: 56) + end)
        }
    }

    @Test func manyMessagesOfOneIDAreNotComparedWithEachOther() throws {
        var bench = RouterBench()
        bench.verifiesAtOnce = false
        try bench.join("t")
        for number in 1...5 { bench.open(testPeer(number), topics: ["t"]) }
        let all = variants(0..<512)
        for number in 1...4 {
            let part = all[(number - 1) * 128..<number * 128]
            bench.receive(from: testPeer(number)) { $0.messages = part.map(\.encoded) }
        }
        #expect(Set(all.map(\.id)).count == 1)
        #expect(bench.toVerify.count == 512, "as many as strangers find room for")
        for number in 1...4 {
            let others = variants(UInt64(number) * 10_000..<UInt64(number) * 10_000 + 4_000)
            bench.receive(from: testPeer(number)) { $0.messages = others.map(\.encoded) }
        }
        #expect(bench.router.counts.messagesThrottled == 16_000)
        #expect(bench.router.copiesCompared == 0)

        // A copy is known by the first look.
        bench.receive(from: testPeer(5)) { $0.messages = all.map(\.encoded) }
        #expect(bench.router.counts.duplicates == 512)
        #expect(bench.router.copiesCompared == 512)
        for (ticket, _) in bench.toVerify { bench.perform(bench.router.verified(ticket, .invalid, now: bench.now)) }
        #expect((1...5).allSatisfy { bench.router.score(of: testPeer($0)) < -100 })
        #expect(bench.router.pendingMessages == 0 && bench.router.pendingByID.isEmpty)
        // What was forged once is checked again.
        bench.open(testPeer(6), topics: ["t"])
        bench.receive(from: testPeer(6)) { $0.messages = [all[0].encoded] }
        #expect(bench.toVerify.count == 513)
    }

    @Test func whoSendsFarMoreThanIsCheckedIsNotReadForAWhile() throws {
        var limits = GossipSubLimits()
        limits.maximumPendingPerPeer = 1
        limits.maximumThrottledPerHeartbeat = 4
        var scoring = GossipSubScoring()
        scoring.timeInMeshWeight = 0
        var bench = RouterBench(limits: limits, scoring: scoring)
        bench.verifiesAtOnce = false
        try bench.join("t")
        for number in 1...2 { bench.open(testPeer(number), topics: ["t"]) }
        func send(_ numbers: Range<UInt64>, from peer: Int) {
            bench.receive(from: testPeer(peer)) { $0.messages = numbers.map { testMessage($0).encoded } }
        }
        send(0..<5, from: 1)
        send(0..<1, from: 1)
        #expect(bench.router.counts.messagesThrottled == 5 && bench.router.counts.duplicates == 0, "unread")
        // Its control is read, and what we ask it for it does not owe if it comes unread.
        bench.clearSent()
        bench.receive(from: testPeer(1)) { $0.have = [.init(topic: "t", ids: [testMessage(50).id])] }
        #expect(bench.takeSent(to: testPeer(1)).flatMap(\.want) == [testMessage(50).id])
        #expect(bench.router.promises.count == 1)
        send(50..<60, from: 1)
        #expect(bench.router.promises.count == 0)
        #expect(bench.router.counts.messagesThrottled == 15)

        // Peers that have proved good are read as ever.
        bench.router.setApplicationScore(of: testPeer(2), to: 1)
        send(100..<110, from: 2)
        #expect(bench.router.counts.messagesThrottled == 24)
        send(100..<101, from: 2)
        #expect(bench.router.counts.duplicates == 1)

        bench.advance(by: .seconds(1))
        send(0..<1, from: 1)
        #expect(bench.router.counts.duplicates == 2, "a new heartbeat, a new budget")
        #expect(bench.router.score(of: testPeer(1)) == 0)
    }

    @Test func whoeverGetsAMessageLaterIsForgottenWithIt() throws {
        var bench = RouterBench()
        try bench.join("t")
        for number in 1...8 {
            bench.open(testPeer(number), topics: ["t"])
            bench.receive(from: testPeer(number)) { $0.graft = ["t"] }
        }
        bench.receive(from: testPeer(1)) { $0.messages = (0..<100).map { testMessage($0).encoded } }
        #expect(bench.router.deferred.count == 100 && bench.router.deferredTargets.count == 100)
        bench.advance(by: .milliseconds(121))
        #expect(bench.router.deferred.isEmpty && bench.router.deferredTargets.isEmpty)
    }
}
