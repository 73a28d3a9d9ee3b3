import GoopTestKit
import P2PCore
import Testing

@Suite struct GossipSubPruneReasonTests {
    @Test func aPruneALeavingAndAnEndedStreamAreToldApart() throws {
        var bench = RouterBench()
        try bench.join("a")
        for number in 1...5 { bench.open(testPeer(number), topics: ["a"]) }
        #expect(bench.toldMeshes["a"] == Set((1...5).map(testPeer)))
        bench.receive(from: testPeer(1)) { $0.prune = [.init(topic: "a", backoffSeconds: 60)] }
        bench.receive(from: testPeer(2)) { $0.subscriptions = [.init(subscribes: false, topic: "a")] }
        bench.perform(bench.router.outboundClosed(to: testPeer(3), now: bench.now))
        bench.perform(bench.router.disconnected(testPeer(4), now: bench.now))
        bench.perform(bench.router.leave("a", now: bench.now))
        #expect(bench.toldReasons == [.prunedByPeer, .peerLeft, .streamEnded, .streamEnded, .left])
    }

    @Test func whoLeavesAndPrunesInOneFrameIsToldOnce() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.receive(from: testPeer(1)) {
            $0.subscriptions = [.init(subscribes: false, topic: "a")]
            $0.prune = [.init(topic: "a", backoffSeconds: 10)]
        }
        #expect(bench.toldReasons == [.peerLeft])
    }

    @Test func aBadScoreIsTheReasonForOurPrune() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.router.setApplicationScore(of: testPeer(1), to: -1)
        bench.advance(by: .seconds(1))
        #expect(bench.toldReasons == [.badScore])
        #expect(bench.prunes(to: testPeer(1)).count == 1)
    }

    @Test func aCrowdedMeshIsTheReasonForOurPrunes() throws {
        var bench = RouterBench()
        let parameters = GossipSubParameters()
        try bench.join("a")
        for number in 0..<parameters.meshDegreeHigh {
            bench.open(testPeer(number))
            bench.receive(from: testPeer(number)) { $0.graft = ["a"] }
        }
        #expect(bench.toldReasons == [])
        bench.advance(by: .seconds(1))
        let spare = parameters.meshDegreeHigh - parameters.meshDegree
        #expect(bench.toldReasons == [PruneReason](repeating: .crowded, count: spare))
    }

    @Test func reasonsAreTold() {
        #expect(PruneReason.allCases.allSatisfy { isInWords($0) })
        #expect(Set(PruneReason.allCases.map(\.description)).count == 6)
    }
}
