import GoopTestKit
import Multiformats
import OrderedCollections
import PeerIdentity
import Testing

@testable import P2PCore

@Suite struct GossipSubMeshTests {
    @Test func helloCarriesAllSubscriptionsInOneRPC() throws {
        var bench = RouterBench()
        try bench.join("a")
        try bench.join("b")
        bench.open(testPeer(1))
        let hello = try #require(bench.takeSent(to: testPeer(1)).first)
        #expect(hello.subscriptions == [.init(subscribes: true, topic: "a"), .init(subscribes: true, topic: "b")])
        #expect(hello.graft.isEmpty)
    }

    @Test func reopenedStreamGetsTheHelloAgain() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        #expect(bench.router.meshPeers(of: "a") == [testPeer(1)])
        bench.perform(bench.router.outboundClosed(to: testPeer(1), now: bench.now))
        #expect(bench.router.meshPeers(of: "a").isEmpty)
        bench.clearSent()
        bench.open(testPeer(1))
        let rpcs = bench.takeSent(to: testPeer(1))
        #expect(rpcs.first?.subscriptions == [.init(subscribes: true, topic: "a")])
        #expect(rpcs.flatMap(\.graft) == ["a"])
        #expect(bench.router.meshPeers(of: "a") == [testPeer(1)])
    }

    @Test func whatIsLeftWhileTheStreamIsDownIsTakenBack() throws {
        var bench = RouterBench()
        for topic in ["a", "b", "c"] { try bench.join(topic) }
        bench.open(testPeer(1), topics: ["a", "b", "c"])
        // One is left while the frame that says so cannot be written, one while there is no stream; one comes back.
        bench.stalled = [testPeer(1)]
        bench.perform(bench.router.leave("a", now: bench.now))
        bench.perform(bench.router.outboundClosed(to: testPeer(1), now: bench.now))
        bench.perform(bench.router.leave("b", now: bench.now))
        bench.perform(bench.router.leave("c", now: bench.now))
        try bench.join("c")
        bench.clearSent()
        bench.stalled = []
        bench.open(testPeer(1))
        let rpcs = bench.takeSent(to: testPeer(1))
        #expect(
            rpcs.flatMap(\.subscriptions) == [
                .init(subscribes: true, topic: "c"), .init(subscribes: false, topic: "a"),
                .init(subscribes: false, topic: "b"),
            ])
        #expect(rpcs.flatMap(\.prune) == ["a", "b"].map { GossipRPC.Prune(topic: $0, backoffSeconds: 10) })
        bench.perform(bench.router.outboundClosed(to: testPeer(1), now: bench.now))
        bench.open(testPeer(1))
        #expect(
            bench.takeSent(to: testPeer(1)).flatMap(\.subscriptions) == [.init(subscribes: true, topic: "c")],
            "what has been taken back is not again")
    }

    @Test func whatIsRememberedAsToldIsBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumJoinedTopics = 2
        var bench = RouterBench(limits: limits)
        for number in 0..<20 {
            try bench.join("\(number)")
            bench.open(testPeer(1))
            bench.perform(bench.router.outboundClosed(to: testPeer(1), now: bench.now))
            bench.stalled = [testPeer(1)]
            bench.perform(bench.router.leave("\(number)", now: bench.now))
        }
        #expect(bench.router.peers[testPeer(1)]?.queue.told.count == 4)
    }

    @Test func aHelloInSeveralFramesIsReadToItsEnd() throws {
        var bench = RouterBench()
        let topics = (0..<40).map { "\($0)" + String(repeating: "x", count: 1_000) }
        func replaceStream(naming named: [ArraySlice<String>]) {
            bench.perform(
                bench.router.inboundOpened(from: testPeer(1), isOutbound: true, address: nil, now: bench.now))
            for topics in named {
                bench.receive(from: testPeer(1)) {
                    $0.subscriptions = topics.map { .init(subscribes: true, topic: $0) }
                }
            }
        }
        bench.open(testPeer(1), topics: topics)
        bench.otherActions = []
        replaceStream(naming: [topics[..<12], topics[12..<24], topics[24...]])
        bench.advance(by: .seconds(3))
        #expect(bench.otherActions.isEmpty, "no topic was gone for a moment")
        // Without the last of them, and something else behind it.
        replaceStream(naming: [topics[..<12], topics[12..<39]])
        #expect(bench.otherActions.isEmpty)
        bench.receive(from: testPeer(1)) { $0.want = [testMessage(1).id] }
        #expect(bench.otherActions == [.peerUnsubscribed(testPeer(1), topic: topics[39])])
        // Without another, and nothing behind it.
        replaceStream(naming: [topics[..<38]])
        bench.advance(by: .milliseconds(900))
        #expect(bench.otherActions.count == 1)
        bench.advance(by: .milliseconds(1_200))
        #expect(bench.otherActions.last == .peerUnsubscribed(testPeer(1), topic: topics[38]))
    }

    @Test func aStreamThatGoesOnWithoutAHelloLosesNoTopics() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a", "b", "c"])
        func replaceStream() {
            bench.perform(
                bench.router.inboundOpened(from: testPeer(1), isOutbound: true, address: nil, now: bench.now))
        }
        replaceStream()
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1, topic: "a").encoded] }
        #expect(bench.router.meshPeers(of: "a") == [testPeer(1)] && bench.router.peers(of: "b") == [testPeer(1)])
        replaceStream()
        bench.receive(from: testPeer(1)) {
            $0.subscriptions = [.init(subscribes: true, topic: "a"), .init(subscribes: true, topic: "b")]
        }
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(2, topic: "a").encoded] }
        #expect(bench.router.peers(of: "c").isEmpty, "a list of all topics is believed")
    }

    @Test func subscriptionsReachThePeerBeforeTheGraft() throws {
        var bench = RouterBench()
        bench.open(testPeer(1), topics: ["a"])
        bench.clearSent()
        try bench.join("a")
        let rpc = try #require(bench.takeSent(to: testPeer(1)).first)
        #expect(rpc.subscriptions.map(\.topic) == ["a"])
        #expect(rpc.graft == ["a"])
    }

    @Test func joiningGraftsAtMostD() throws {
        var bench = RouterBench()
        for number in 0..<30 { bench.open(testPeer(number), topics: ["a"]) }
        try bench.join("a")
        #expect(bench.router.meshPeers(of: "a").count == 6)
        bench.advance(by: .seconds(3))
        #expect(bench.router.meshPeers(of: "a").count == 6)
    }

    @Test func leavingPrunesWithTheShortBackoff() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.clearSent()
        bench.perform(bench.router.leave("a", now: bench.now))
        #expect(bench.prunes(to: testPeer(1)) == [.init(topic: "a", backoffSeconds: 10)])
        #expect(bench.takeSent(to: testPeer(1)).first?.subscriptions == [.init(subscribes: false, topic: "a")])
        try bench.join("a")
        #expect(bench.router.meshPeers(of: "a").isEmpty)
        bench.advance(by: .seconds(11))
        #expect(bench.router.meshPeers(of: "a").isEmpty)
        bench.advance(by: .seconds(3))
        #expect(bench.router.meshPeers(of: "a") == [testPeer(1)])
    }

    @Test func aDegreeBelowTheLowWaterMarkBringsThatDown() throws {
        var parameters = GossipSubParameters()
        parameters.meshDegree = 3
        var bench = RouterBench(parameters: parameters)
        try bench.join("a")
        for number in 1...6 { bench.open(testPeer(number), topics: ["a"]) }
        #expect(bench.router.meshPeers(of: "a").count == 3)
        for number in 1...4 { bench.receive(from: testPeer(number)) { $0.graft = ["a"] } }
        #expect(bench.router.meshPeers(of: "a").count == 4)
        bench.advance(by: .seconds(1))
        #expect(bench.router.meshPeers(of: "a").count == 4, "between Dlo and Dhi nothing is to be done")
    }

    @Test(arguments: [Int.min, -1, 0, .max]) func figuresOutOfRangeAreMovedIntoIt(figure: Int) throws {
        var parameters = GossipSubParameters()
        let counts: [WritableKeyPath<GossipSubParameters, Int>] = [
            \.meshDegree, \.meshDegreeLow, \.meshDegreeHigh, \.meshDegreeScore, \.meshDegreeOutbound, \.lazyDegree,
            \.historyLength, \.historyGossip, \.opportunisticGraftPeers, \.gossipRetransmissions, \.dontWantHeartbeats,
            \.eagerDegree, \.directConnectTicks,
        ]
        for path in counts { parameters[keyPath: path] = figure }
        parameters.opportunisticGraftTicks = 1
        parameters.gossipFactor = figure == 0 ? .nan : Double(figure) * .infinity
        parameters.heartbeatInterval = figure == .max ? .seconds(Int64.max) : .zero
        var bench = RouterBench(parameters: parameters)
        try bench.join("a")
        for number in 1...20 {
            bench.open(testPeer(number), topics: ["a"], outbound: number % 2 == 0)
            bench.receive(from: testPeer(number)) { $0.graft = ["a"] }
            bench.router.setApplicationScore(of: testPeer(number), to: Double(number % 3))
            bench.receive(from: testPeer(number)) { $0.messages = [testMessage(UInt64(number), topic: "a").encoded] }
        }
        bench.perform(
            try bench.router.publish(testMessage(99, topic: "b", source: RouterBench.key.peerID), now: bench.now))
        bench.advance(by: .seconds(1))
        let beats = bench.router.tick
        #expect(beats <= 100, "no more than one in 10 ms")
        #expect(bench.router.meshPeers(of: "a").isEmpty == (figure <= 0))
    }

    @Test func oldPeersGetNoBackoffField() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"], version: .v1_0)
        bench.clearSent()
        bench.perform(bench.router.leave("a", now: bench.now))
        #expect(bench.prunes(to: testPeer(1)) == [.init(topic: "a", backoffSeconds: nil)])
    }

    @Test func graftIsAcceptedSilently() throws {
        var bench = RouterBench()
        for number in 0..<8 { bench.open(testPeer(number), topics: ["a"]) }
        try bench.join("a")
        let outsider = try #require((0..<8).map(testPeer).first { !bench.router.meshPeers(of: "a").contains($0) })
        bench.clearSent()
        bench.receive(from: outsider) { $0.graft = ["a"] }
        #expect(bench.router.meshPeers(of: "a").contains(outsider))
        #expect(bench.takeSent(to: outsider).isEmpty)
        #expect(bench.router.score(of: outsider) == 0)
    }

    @Test func graftOfAnUnknownTopicIsIgnored() {
        var bench = RouterBench()
        bench.open(testPeer(1))
        bench.receive(from: testPeer(1)) { $0.graft = ["nobody"] }
        #expect(bench.takeSent(to: testPeer(1)).isEmpty)
        #expect(bench.router.score(of: testPeer(1)) == 0)
    }

    @Test func graftAtAFullMeshDependsOnWhoDialled() throws {
        var bench = RouterBench()
        try bench.join("a")
        for number in 0..<14 { bench.open(testPeer(number), topics: ["a"]) }
        for number in 0..<12 { bench.receive(from: testPeer(number)) { $0.graft = ["a"] } }
        #expect(bench.router.meshPeers(of: "a").count == 12)
        bench.receive(from: testPeer(13)) { $0.graft = ["a"] }
        #expect(!bench.router.meshPeers(of: "a").contains(testPeer(13)))
        #expect(bench.prunes(to: testPeer(13)) == [.init(topic: "a", backoffSeconds: 30)])
        bench.open(testPeer(20), topics: ["a"], outbound: true)
        bench.receive(from: testPeer(20)) { $0.graft = ["a"] }
        #expect(bench.router.meshPeers(of: "a").contains(testPeer(20)))
    }

    @Test func largeMeshesShrinkAndKeepDialledPeers() throws {
        var bench = RouterBench()
        try bench.join("a")
        for number in 0..<12 { bench.open(testPeer(number), topics: ["a"], outbound: number < 2) }
        for number in 0..<12 { bench.receive(from: testPeer(number)) { $0.graft = ["a"] } }
        bench.advance(by: .seconds(1))
        let mesh = bench.router.meshPeers(of: "a")
        #expect(mesh.count == 6)
        #expect(mesh.contains(testPeer(0)) && mesh.contains(testPeer(1)))
    }

    @Test func thinOutboundSideIsRefilled() throws {
        var bench = RouterBench()
        try bench.join("a")
        for number in 0..<8 { bench.open(testPeer(number), topics: ["a"]) }
        for number in 0..<8 { bench.receive(from: testPeer(number)) { $0.graft = ["a"] } }
        for number in 20..<25 { bench.open(testPeer(number), topics: ["a"], outbound: true) }
        bench.advance(by: .seconds(1))
        #expect(bench.router.meshPeers(of: "a").filter { (20..<25).map(testPeer).contains($0) }.count == 2)
    }

    /// 0 and none at all leave it to the receiver, which takes 30 s.
    @Test(arguments: [30, 0, nil] as [UInt64?]) func prunedPeersAreLeftAloneForBackoffPlusSlack(seconds: UInt64?) throws
    {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.receive(from: testPeer(1)) { $0.prune = [.init(topic: "a", backoffSeconds: seconds)] }
        #expect(bench.router.meshPeers(of: "a").isEmpty)
        bench.clearSent()
        bench.advance(by: .seconds(31))
        #expect(bench.grafts(to: testPeer(1)).isEmpty)
        bench.advance(by: .seconds(3))
        #expect(bench.grafts(to: testPeer(1)) == ["a"])
    }

    @Test func absurdBackoffsAreCut() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.receive(from: testPeer(1)) { $0.prune = [.init(topic: "a", backoffSeconds: .max)] }
        bench.advance(by: .seconds(3604))
        #expect(bench.router.meshPeers(of: "a") == [testPeer(1)])
    }

    @Test func graftInBackoffIsPunishedTwiceWhenEarly() throws {
        var scoring = GossipSubScoring()
        scoring.behaviourThreshold = 0
        scoring.behaviourWeight = -1
        var bench = RouterBench(scoring: scoring)
        try bench.join("a")
        for number in 1...2 {
            bench.open(testPeer(number), topics: ["a"])
            bench.receive(from: testPeer(number)) { $0.prune = [.init(topic: "a", backoffSeconds: 60)] }
        }
        bench.receive(from: testPeer(1)) { $0.graft = ["a"] }
        #expect(bench.router.score(of: testPeer(1)) == -4)
        #expect(bench.prunes(to: testPeer(1)) == [.init(topic: "a", backoffSeconds: 30)])
        bench.advance(by: .seconds(20))
        bench.receive(from: testPeer(2)) { $0.graft = ["a"] }
        #expect(bench.router.score(of: testPeer(2)) == -1)
    }

    @Test func unsubscribingLeavesTheMesh() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.receive(from: testPeer(1)) { $0.subscriptions = [.init(subscribes: false, topic: "a")] }
        #expect(bench.router.meshPeers(of: "a").isEmpty)
        #expect(
            bench.otherActions == [
                .peerSubscribed(testPeer(1), topic: "a"), .peerUnsubscribed(testPeer(1), topic: "a"),
            ])
    }

    @Test func disconnectingUnsubscribes() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.perform(bench.router.disconnected(testPeer(1), now: bench.now))
        #expect(bench.router.meshPeers(of: "a").isEmpty)
        #expect(bench.router.peers(of: "a").isEmpty)
        #expect(bench.otherActions.last == .peerUnsubscribed(testPeer(1), topic: "a"))
    }

    @Test func badlyScoredPeersLeaveTheMesh() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.router.setApplicationScore(of: testPeer(1), to: -1)
        bench.advance(by: .seconds(1))
        #expect(bench.router.meshPeers(of: "a").isEmpty)
        #expect(bench.prunes(to: testPeer(1)) == [.init(topic: "a", backoffSeconds: 30)])
    }

    @Test func idleMeshTakesInBetterPeers() throws {
        var bench = RouterBench()
        try bench.join("a")
        for number in 0..<6 { bench.open(testPeer(number), topics: ["a"], outbound: true) }
        #expect(bench.router.meshPeers(of: "a").count == 5 || bench.router.meshPeers(of: "a").count == 6)
        bench.advance(by: .seconds(2))
        for number in 10..<14 { bench.open(testPeer(number), topics: ["a"]) }
        bench.advance(by: .seconds(50))
        for number in 10..<12 { bench.router.setApplicationScore(of: testPeer(number), to: 5) }
        bench.advance(by: .seconds(10))
        let mesh = bench.router.meshPeers(of: "a")
        #expect(mesh.contains(testPeer(10)) && mesh.contains(testPeer(11)))
        #expect(!mesh.contains(testPeer(12)))
    }

    @Test func directPeersAreFedButNotInTheMesh() throws {
        var bench = RouterBench(direct: [testPeer(1), testPeer(2)])
        bench.advance(by: .seconds(1))
        #expect(bench.otherActions == [.connect(testPeer(1)), .connect(testPeer(2))])
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.receive(from: testPeer(1)) { $0.graft = ["a"] }
        #expect(bench.router.meshPeers(of: "a").isEmpty)
        #expect(bench.prunes(to: testPeer(1)).count == 1)
        bench.open(testPeer(3), topics: ["a"])
        bench.receive(from: testPeer(3)) { $0.messages = [testMessage(1, topic: "a").encoded[...]] }
        #expect(bench.messages(to: testPeer(1)) == [testMessage(1, topic: "a").id])
    }

    @Test func whoIsInAMeshIsToldAndWhoNoLongerIsToo() throws {
        var bench = RouterBench()
        try bench.join("a")
        for number in 1...4 { bench.open(testPeer(number), topics: ["a"]) }
        #expect(bench.toldMeshes["a"] == Set((1...4).map(testPeer)))
        bench.receive(from: testPeer(1)) { $0.prune = [.init(topic: "a", backoffSeconds: 60)] }
        bench.receive(from: testPeer(2)) { $0.subscriptions = [.init(subscribes: false, topic: "a")] }
        bench.perform(bench.router.outboundClosed(to: testPeer(3), now: bench.now))
        #expect(bench.toldMeshes["a"] == [testPeer(4)])
        bench.perform(bench.router.disconnected(testPeer(4), now: bench.now))
        #expect(bench.toldMeshes["a"] == [])
        bench.open(testPeer(5), topics: ["a"])
        #expect(bench.toldMeshes["a"] == [testPeer(5)])
        bench.perform(bench.router.leave("a", now: bench.now))
        #expect(bench.toldMeshes["a"] == [])
    }

    /// What a peer is worth to the connection manager hangs on this.
    @Test func aFloodOfGraftsGetsNobodyMorePlacesThanAMeshHas() throws {
        var bench = RouterBench()
        try bench.join("a")
        for number in 0..<200 {
            bench.open(testPeer(number))
            bench.receive(from: testPeer(number)) { $0.graft = ["a", "a", "not joined"] }
        }
        #expect(bench.toldMeshes.keys.sorted() == ["a"])
        #expect(bench.toldMeshes["a"]?.count == 12)
    }

    @Test func randomEventsKeepTheInvariants() throws {
        for seed in UInt64(0)..<40 {
            var random = SeededGenerator(seed: seed)
            var limits = GossipSubLimits()
            limits.maximumPeers = 20
            limits.maximumBackoffs = 40
            limits.maximumSeen = 50
            var bench = RouterBench(limits: limits)
            let topics = ["a", "b", "c"]
            for step in 0..<250 {
                let peer = testPeer(Int.random(in: 0..<25, using: &random))
                let topic = topics[Int.random(in: 0..<3, using: &random)]
                let number = UInt64.random(in: 0..<60, using: &random)
                switch Int.random(in: 0..<12, using: &random) {
                case 0:
                    bench.open(peer, version: .allCases[Int.random(in: 0..<3, using: &random)], outbound: step % 3 == 0)
                case 1: bench.perform(bench.router.disconnected(peer, now: bench.now))
                case 2: bench.perform(bench.router.outboundClosed(to: peer, now: bench.now))
                case 3: try bench.join(topic)
                case 4: bench.perform(bench.router.leave(topic, now: bench.now))
                case 5: bench.receive(from: peer) { $0.graft = [topic] }
                case 6: bench.receive(from: peer) { $0.prune = [.init(topic: topic, backoffSeconds: number)] }
                case 7:
                    bench.receive(from: peer) {
                        $0.subscriptions = topics.map { .init(subscribes: number < 45, topic: $0) }
                    }
                case 8: bench.receive(from: peer) { $0.messages = [testMessage(number, topic: topic).encoded[...]] }
                case 9: bench.receive(from: peer) { $0.have = [.init(topic: topic, ids: [testMessage(number).id])] }
                case 10:
                    bench.receive(from: peer) {
                        $0.want = [testMessage(number).id]; $0.dontWant = $0.want
                    }
                default: bench.advance(by: .milliseconds(Int(number) * 50))
                }
                for topic in topics {
                    let mesh = bench.router.meshPeers(of: topic)
                    #expect(Set(mesh).count == mesh.count, "seed \(seed) step \(step)")
                    #expect(mesh.isEmpty || bench.router.joinedTopics.contains(topic), "seed \(seed) step \(step)")
                    #expect(mesh.count <= 24, "seed \(seed) step \(step)")
                    #expect(bench.toldMeshes[topic, default: []] == Set(mesh), "seed \(seed) step \(step)")
                }
                #expect(bench.router.pendingMessages == 0, "seed \(seed) step \(step)")
            }
        }
    }
}
