import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

@Suite struct GossipSubLimitTests {
    @Test func peersAreBounded() {
        var limits = GossipSubLimits()
        limits.maximumPeers = 2
        var bench = RouterBench(limits: limits)
        for number in 1...3 { bench.open(testPeer(number), topics: ["a"]) }
        #expect(bench.router.peers(of: "a").count == 2)
        #expect(bench.otherActions.contains(.refuse(testPeer(3))))
        #expect(bench.router.counts.peersRefused > 0)
    }

    @Test func eachKindOfBoundHasItsName() {
        let table: [(count: WritableKeyPath<GossipSubCounts, UInt64>, name: LimitName)] = [
            (\.peersRefused, .gossipPeers), (\.topicsWithoutRoom, .topicBytes), (\.messagesThrottled, .pendingChecks),
            (\.messagesDroppedForSlowPeers, .gossipQueues), (\.framesAbandoned, .partialFrames),
            (\.entriesOverLimit, .controlEntries),
        ]
        var all = GossipSubCounts()
        for (count, name) in table {
            let before = all
            all[keyPath: count] += 1
            #expect(all.limitsReached(since: before) == [name])
        }
        #expect(all.limitsReached(since: GossipSubCounts()).count == table.count)
        let before = all
        all.duplicates += 1
        all.messagesRejected += 1
        #expect(all.limitsReached(since: before).isEmpty, "no limit of ours")
    }

    @Test func joinedTopicsAreBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumJoinedTopics = 2
        var bench = RouterBench(limits: limits)
        try bench.join("a")
        try bench.join("b")
        #expect(throws: GossipSubError.tooManyTopics(limit: 2)) { try bench.join("c") }
        try bench.join("a")
        let long = String(repeating: "x", count: 1025)
        #expect(throws: GossipSubError.invalidTopic(limitBytes: 1024)) { try bench.join(long) }
    }

    @Test func whatMayBeJoinedIsRead() {
        let limits = GossipSubLimits()
        #expect(limits.maximumJoinedTopics <= limits.maximumTopicsPerPeer)
        #expect(limits.maximumJoinedTopics <= limits.maximumSubscriptionsPerRPC)
        #expect(limits.maximumJoinedTopics <= limits.maximumSubscriptionChangesPerHeartbeat)
        #expect(2 * limits.maximumJoinedTopics <= limits.maximumControlEntriesPerRPC, "an advert and a GRAFT of each")
        let names = limits.maximumJoinedTopics * (limits.maximumTopicBytes + GossipSub.bytesPerTopic)
        #expect(8 * names <= limits.maximumTopicBytesOfAll, "the share of one peer")
    }

    @Test func topicsPerPeerAreBounded() {
        var bench = RouterBench()
        bench.open(testPeer(1), topics: (0..<100).map { "\($0)" })
        bench.receive(from: testPeer(1)) { $0.subscriptions = [.init(subscribes: true, topic: "more")] }
        #expect(bench.router.peers(of: "99") == [testPeer(1)])
        #expect(bench.router.peers(of: "more").isEmpty)
        #expect(bench.router.counts.entriesOverLimit == 1)
    }

    @Test func topicsOfAllPeersTogetherAreBounded() throws {
        var limits = GossipSubLimits()
        // Sixteen names of four letters.
        limits.maximumTopicBytesOfAll = 16 * (4 + GossipSub.bytesPerTopic)
        var bench = RouterBench(limits: limits)
        try bench.join("ours")
        bench.perform(try bench.router.publish(testMessage(1, topic: "said"), now: bench.now))
        bench.open(testPeer(1), topics: ["aaaa", "bbbb", "cccc"])
        #expect(bench.router.counts.topicsWithoutRoom == 1, "an eighth is one peer's: two names")
        #expect(bench.router.peers(of: "bbbb") == [testPeer(1)] && bench.router.peers(of: "cccc").isEmpty)
        for number in 2...99 { bench.open(testPeer(number), topics: ["ours"] + (100...103).map { "\(number)\($0)" }) }
        #expect(bench.router.topicBytes <= limits.maximumTopicBytesOfAll)
        #expect(bench.router.counts.topicsWithoutRoom > 300)
        #expect(bench.router.peers(of: "ours").count == 98, "nobody crowds those out who follow what we follow")
        bench.open(testPeer(100), topics: ["said"])
        #expect(bench.router.peers(of: "said") == [testPeer(100)], "nor those who follow what we publish to")
        let before = bench.router.topicBytes
        bench.receive(from: testPeer(1)) { $0.subscriptions = [.init(subscribes: false, topic: "aaaa")] }
        #expect(bench.router.topicBytes == before - 4 - GossipSub.bytesPerTopic)
        for number in 1...100 { bench.perform(bench.router.disconnected(testPeer(number), now: bench.now)) }
        #expect(bench.router.topicBytes == 0)
    }

    @Test func subscriptionFloodsAreCutAndCost() {
        var scoring = GossipSubScoring()
        scoring.behaviourThreshold = 0
        var bench = RouterBench(scoring: scoring)
        bench.open(testPeer(1))
        for round in 0..<300 {
            bench.receive(from: testPeer(1)) { $0.subscriptions = [.init(subscribes: round % 2 == 0, topic: "a")] }
        }
        #expect(bench.otherActions.count == 200)
        #expect(bench.router.score(of: testPeer(1)) < 0)
    }

    @Test func graftFloodsEndInTheGraylist() throws {
        var bench = RouterBench()
        try bench.join("a")
        bench.open(testPeer(1), topics: ["a"])
        bench.receive(from: testPeer(1)) { $0.prune = [.init(topic: "a", backoffSeconds: 60)] }
        for _ in 0..<50 { bench.receive(from: testPeer(1)) { $0.graft = ["a"] } }
        #expect(bench.router.counts.framesGraylisted > 0)
        #expect(bench.prunes(to: testPeer(1)).count < 10)
        #expect(bench.router.meshPeers(of: "a").isEmpty)
    }

    @Test func adverts() throws {
        var limits = GossipSubLimits()
        limits.maximumHavePerHeartbeat = 3
        limits.maximumWantedIDsPerHeartbeat = 5
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        for number in 1...2 { bench.open(testPeer(number), topics: ["t"]) }
        bench.clearSent()
        for round in UInt64(0)..<6 {
            bench.receive(from: testPeer(1)) { $0.have = [.init(topic: "t", ids: [testMessage(round).id])] }
        }
        #expect(bench.takeSent(to: testPeer(1)).flatMap(\.want).count == 3, "RPCs per heartbeat")
        bench.receive(from: testPeer(2)) { $0.have = [.init(topic: "t", ids: (0..<20).map { testMessage($0).id })] }
        bench.receive(from: testPeer(2)) { $0.have = [.init(topic: "t", ids: [testMessage(50).id])] }
        #expect(bench.takeSent(to: testPeer(2)).flatMap(\.want).count == 5, "ids per heartbeat")
        bench.advance(by: .seconds(1))
        bench.receive(from: testPeer(2)) { $0.have = [.init(topic: "t", ids: [testMessage(50).id])] }
        #expect(bench.takeSent(to: testPeer(2)).flatMap(\.want).count == 1, "a new heartbeat, a new budget")
    }

    @Test func requests() throws {
        var limits = GossipSubLimits()
        limits.maximumServedIDsPerHeartbeat = 4
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        for number in 1...2 { bench.open(testPeer(number), topics: ["t"]) }
        for number in UInt64(0)..<8 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number).encoded[...]] }
        }
        bench.clearSent()
        bench.receive(from: testPeer(1)) { $0.want = (0..<8).map { testMessage($0).id } }
        #expect(bench.messages(to: testPeer(1)).count == 4)
    }

    @Test func refusals() throws {
        var limits = GossipSubLimits()
        limits.maximumDontWantPerHeartbeat = 2
        limits.maximumDontWantPerPeer = 3
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        for number in 1...2 { bench.open(testPeer(number), topics: ["t"]) }
        bench.receive(from: testPeer(2)) { $0.dontWant = (0..<4).map { testMessage($0).id } }
        bench.advance(by: .seconds(1))
        bench.receive(from: testPeer(2)) { $0.dontWant = (4..<8).map { testMessage($0).id } }
        bench.clearSent()
        for number in UInt64(0)..<8 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number).encoded[...]] }
        }
        #expect(bench.messages(to: testPeer(2)) == [2, 3, 5, 6, 7].map { testMessage($0).id })
    }

    @Test func refusalsOfAllPeersTogetherAreBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumDontWant = 3
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        for number in 1...3 { bench.open(testPeer(number), topics: ["t"]) }
        func refuse(_ peer: Int) {
            bench.receive(from: testPeer(peer)) { $0.dontWant = (0..<2).map { testMessage($0).id } }
        }
        refuse(2)
        refuse(3)
        bench.clearSent()
        bench.receive(from: testPeer(1)) { $0.messages = (0..<2).map { testMessage($0).encoded[...] } }
        #expect(bench.messages(to: testPeer(2)).isEmpty)
        #expect(bench.messages(to: testPeer(3)) == [testMessage(1).id], "there was room for one of its two")
        bench.advance(by: .seconds(4))
        refuse(3)
        #expect(bench.router.counts.entriesOverLimit == 1, "three heartbeats later there is room again")
    }

    @Test func seenIdsAreBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumSeen = 3
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        for number in UInt64(0)..<4 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number).encoded[...]] }
        }
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1).encoded[...]] }
        #expect(bench.delivered.count == 4)
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(0).encoded[...]] }
        #expect(bench.delivered.count == 5, "the oldest id was forgotten")
    }

    @Test func cachedBytesAreBounded() throws {
        var limits = GossipSubLimits()
        // Six of them, with what each takes beside its bytes.
        limits.maximumCachedBytes = 11_000
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        for number in 1...2 { bench.open(testPeer(number), topics: ["t"]) }
        for number in UInt64(0)..<20 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number, size: 1000).encoded[...]] }
        }
        bench.clearSent()
        bench.receive(from: testPeer(1)) { $0.want = (0..<20).map { testMessage($0).id } }
        #expect(bench.messages(to: testPeer(1)) == (14..<20).map { testMessage($0).id })
    }

    @Test func backoffsAreBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumBackoffs = 16
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        for number in 0..<20 {
            bench.open(testPeer(number), topics: ["t"])
            bench.receive(from: testPeer(number)) {
                $0.prune = [.init(topic: "t", backoffSeconds: 60 + UInt64(number))]
            }
        }
        bench.advance(by: .seconds(1))
        #expect(bench.router.meshPeers(of: "t").count == 4, "those whose back-off would end first were forgotten")
    }

    @Test(arguments: [false, true]) func strangersThatComeAndGoDisplaceNoBackoffsOfThoseThatStay(
        orAreBack: Bool
    ) throws {
        var limits = GossipSubLimits()
        limits.maximumBackoffs = 16
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        for number in 0..<8 {
            bench.open(testPeer(number), topics: ["t"])
            bench.receive(from: testPeer(number)) { $0.prune = [.init(topic: "t", backoffSeconds: 60)] }
        }
        if orAreBack {
            for number in 0..<8 { bench.perform(bench.router.disconnected(testPeer(number), now: bench.now)) }
            for number in 0..<8 { bench.open(testPeer(number), topics: ["t"]) }
        }
        for number in 100..<140 {
            bench.open(testPeer(number), topics: ["t"])
            bench.receive(from: testPeer(number)) { $0.prune = [.init(topic: "t", backoffSeconds: 3_600)] }
            bench.perform(bench.router.disconnected(testPeer(number), now: bench.now))
        }
        bench.advance(by: .seconds(30))
        #expect(bench.router.meshPeers(of: "t").isEmpty, "nobody is grafted early")
    }

    @Test func whoIsNotInTheMeshIsLeftAloneForAMinuteAtMost() throws {
        var bench = RouterBench()
        try bench.join("t")
        let all = (1...20).map(testPeer)
        for peer in all { bench.open(peer, topics: ["t"]) }
        let mesh = bench.router.meshPeers(of: "t")
        let outside = try #require(all.first { !mesh.contains($0) })
        bench.receive(from: outside) { $0.prune = [.init(topic: "t", backoffSeconds: 3_600)] }
        for peer in all where peer != outside { bench.perform(bench.router.disconnected(peer, now: bench.now)) }
        bench.advance(by: .seconds(50))
        #expect(bench.router.meshPeers(of: "t").isEmpty)
        bench.advance(by: .seconds(15))
        #expect(bench.router.meshPeers(of: "t") == [outside])
    }

    @Test func pendingChecksAreBoundedPerPeer() throws {
        var limits = GossipSubLimits()
        limits.maximumPendingPerPeer = 4
        limits.maximumPendingMessages = 12
        var bench = RouterBench(limits: limits)
        bench.verifiesAtOnce = false
        try bench.join("t")
        for number in 1...4 { bench.open(testPeer(number), topics: ["t"]) }
        func flood(_ peer: Int) {
            for number in UInt64(0)..<10 {
                let message = testMessage(UInt64(peer) * 100 + number)
                bench.receive(from: testPeer(peer)) { $0.messages = [message.encoded[...]] }
            }
        }
        flood(1)
        #expect(bench.toVerify.count == 4)
        flood(2)
        #expect(bench.toVerify.count == 6, "half of the room is for everybody")
        bench.router.setApplicationScore(of: testPeer(3), to: 1)
        flood(3)
        #expect(bench.toVerify.count == 10, "the other half for peers that proved good")
        #expect(bench.router.counts.messagesThrottled == 20)
        for (ticket, _) in bench.toVerify {
            bench.perform(bench.router.verified(ticket, .unverifiable, now: bench.now))
        }
        #expect(bench.router.pendingMessages == 0)
        bench.receive(from: testPeer(4)) { $0.messages = [testMessage(1).encoded[...]] }
        #expect(bench.toVerify.count == 11)
    }

    @Test func pendingBytesAreBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumPendingBytes = 10_000
        var bench = RouterBench(limits: limits)
        bench.verifiesAtOnce = false
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        for number in UInt64(0)..<10 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number, size: 1000).encoded[...]] }
        }
        #expect(bench.toVerify.count == 4)
    }

    @Test func pendingChecksAreBoundedPerTopic() throws {
        var limits = GossipSubLimits()
        limits.maximumPendingPerTopic = 4
        var bench = RouterBench(limits: limits)
        bench.verifiesAtOnce = false
        for topic in ["a", "b"] { try bench.join(topic) }
        bench.open(testPeer(1), topics: ["a", "b"])
        func flood(_ topic: String, from first: UInt64) {
            for number in first..<first + 10 {
                bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number, topic: topic).encoded[...]] }
            }
        }
        flood("a", from: 0)
        #expect(bench.toVerify.count == 2, "half of the room is for everybody")
        flood("b", from: 100)
        #expect(bench.toVerify.count == 4, "another topic has room of its own")
        bench.router.setApplicationScore(of: testPeer(1), to: 1)
        flood("a", from: 200)
        #expect(bench.toVerify.count == 6, "the other half for peers that proved good")
        for (ticket, _) in bench.toVerify {
            bench.perform(bench.router.verified(ticket, .unverifiable, now: bench.now))
        }
        flood("a", from: 300)
        #expect(bench.toVerify.count == 10, "what was checked makes room")
    }

    @Test func framesThatWaitForASlowPeerAreBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumQueuedRPCs = 2
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        for number in 1...2 { bench.open(testPeer(number), topics: ["t"]) }
        bench.stalled = [testPeer(2)]
        // Two of them do not fit into one frame; the first is being written.
        for number in UInt64(1)...6 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number, size: 40_000).encoded[...]] }
        }
        #expect(bench.router.counts.messagesDroppedForSlowPeers == 3)
        bench.clearSent()
        bench.stalled = []
        bench.finishWrite(to: testPeer(2))
        #expect(bench.messages(to: testPeer(2)) == [2, 3].map { testMessage($0, size: 40_000).id })
    }

    @Test func messagesHeldBackAreBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumDeferredMessages = 1
        var bench = RouterBench(limits: limits)
        for number in 1...6 { bench.open(testPeer(number), topics: ["t"]) }
        try bench.join("t")
        bench.clearSent()
        func receivers(of number: UInt64) -> Int {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number).encoded[...]] }
            return (2...6).count { bench.messages(to: testPeer($0)).contains(testMessage(number).id) }
        }
        let first = receivers(of: 1)
        let second = receivers(of: 2)
        bench.advance(by: .milliseconds(121))
        let third = receivers(of: 3)
        // The other two get the first one later; the second finds no room to be held back; what was sent makes room.
        #expect([first, second, third] == [3, 5, 3])
    }

    @Test func watchedPromisesAreBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumPromises = 2
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        func advertise(_ numbers: Range<UInt64>) {
            for number in numbers {
                bench.receive(from: testPeer(1)) { $0.have = [.init(topic: "t", ids: [testMessage(number).id])] }
            }
        }
        advertise(0..<5)
        bench.advance(by: .seconds(5))
        #expect(bench.router.counts.promisesBroken == 2, "the other three were asked for and not watched")
        advertise(5..<6)
        bench.advance(by: .seconds(5))
        #expect(bench.router.counts.promisesBroken == 3, "what is over makes room")
    }

    @Test func garbageResetsTheStreamAndCosts() throws {
        var bench = RouterBench()
        bench.open(testPeer(1))
        bench.perform(bench.router.received([0x0a, 0x7f], from: testPeer(1), now: bench.now))
        #expect(bench.otherActions == [.resetInbound(testPeer(1))])
        for _ in 0..<20 { bench.perform(bench.router.received([0x0a, 0x7f], from: testPeer(1), now: bench.now)) }
        #expect(bench.router.counts.framesGraylisted > 0)
    }

    @Test func emptyAndOversizedFrames() {
        var bench = RouterBench()
        bench.open(testPeer(1))
        bench.perform(bench.router.received([], from: testPeer(1), now: bench.now))
        #expect(bench.otherActions.isEmpty)
        let huge = [UInt8](repeating: 0, count: (1 << 20) + 1)
        bench.perform(bench.router.received(huge[...], from: testPeer(1), now: bench.now))
        #expect(bench.otherActions == [.resetInbound(testPeer(1))])
    }

    // MARK: - Scores

    @Test func threeForgeriesShutAPeerOut() throws {
        var bench = RouterBench()
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        bench.forged = Set((0..<5).map { testMessage($0).id })
        for number in UInt64(0)..<5 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number).encoded[...]] }
        }
        #expect(bench.router.score(of: testPeer(1)) == -90)
        #expect(bench.router.counts.framesGraylisted == 2)
        bench.advance(by: .seconds(1))
        #expect(bench.router.meshPeers(of: "t").isEmpty)
        bench.advance(by: .seconds(1800))
        #expect(bench.router.meshPeers(of: "t") == [testPeer(1)], "and it is forgiven in the end")
    }

    @Test func madeUpTopicsLeaveNothingBehind() throws {
        var bench = RouterBench()
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        bench.receive(from: testPeer(1)) { rpc in
            rpc.messages = (UInt64(0)..<1000).map {
                testMessage($0, topic: "made up \($0)", source: RouterBench.key.peerID).encoded
            }
        }
        #expect(bench.router.score(of: testPeer(1)) == -90, "three in our name shut it out, whatever topics they name")
        #expect(bench.router.counts.messagesRejected == 3, "and the rest of the frame is not read")
    }

    @Test func reconnectingDoesNotWashABadNameOff() throws {
        var bench = RouterBench()
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        bench.forged = Set((0..<5).map { testMessage($0).id })
        for number in UInt64(0)..<3 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number).encoded[...]] }
        }
        bench.perform(bench.router.disconnected(testPeer(1), now: bench.now))
        bench.open(testPeer(1), topics: ["t"])
        #expect(bench.router.score(of: testPeer(1)) == -90)
        bench.perform(bench.router.disconnected(testPeer(1), now: bench.now))
        bench.advance(by: .seconds(3700))
        bench.open(testPeer(1), topics: ["t"])
        #expect(bench.router.score(of: testPeer(1)) == 0)
    }

    @Test func manyPeersOfOnePublicAddressAreSuspicious() throws {
        for (text, isSuspicious) in [
            ("8.8.8.8", true), ("2001:4860:4860::8888", true), ("127.0.0.1", false), ("192.168.1.7", false),
            ("::1", false), ("fe80::1", false), ("10.0.0.1", false),
        ] {
            var bench = RouterBench()
            try bench.join("t")
            for number in 0..<11 { bench.open(testPeer(number), topics: ["t"], address: IPAddress(text)) }
            #expect((bench.router.score(of: testPeer(1)) < 0) == isSuspicious, "\(text)")
            bench.perform(bench.router.disconnected(testPeer(10), now: bench.now))
            #expect(bench.router.score(of: testPeer(1)) >= 0, "\(text)")
        }
    }

    @Test func aCustomersNetworksAreOneAddress() throws {
        for addresses in [(0..<11).map { "2a00:1:2:\($0)::1" }, (0..<11).map { _ in "::ffff:8.8.8.8" }] {
            var bench = RouterBench()
            try bench.join("t")
            for (number, text) in addresses.enumerated() {
                bench.open(testPeer(number), topics: ["t"], address: IPAddress(text))
            }
            #expect(bench.router.score(of: testPeer(1)) < 0, "\(addresses[0])")
        }
        var bench = RouterBench()
        try bench.join("t")
        for number in 0..<11 {
            bench.open(testPeer(number), topics: ["t"], address: IPAddress("::ffff:8.8.8.\(number)"))
        }
        #expect(bench.router.score(of: testPeer(1)) >= 0, "mapped addresses of different hosts")
    }

    @Test func missingDeliveriesCountWhenSwitchedOn() throws {
        var scoring = GossipSubScoring()
        scoring.meshDeliveryWeight = -1
        scoring.meshFailureWeight = -1
        scoring.timeInMeshWeight = 0
        var bench = RouterBench(scoring: scoring)
        try bench.join("t")
        for number in 1...2 { bench.open(testPeer(number), topics: ["t"]) }
        bench.advance(by: .seconds(29))
        for number in UInt64(0)..<10 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number).encoded[...]] }
        }
        bench.advance(by: .milliseconds(1200))
        #expect(bench.router.score(of: testPeer(1)) > 0)
        #expect(bench.router.score(of: testPeer(2)) == -25)
        bench.advance(by: .seconds(1))
        #expect(bench.router.meshPeers(of: "t") == [testPeer(1)])
        #expect(bench.router.score(of: testPeer(2)) < 0, "the failure sticks after the PRUNE")
    }

    @Test func goodConductEarnsNoMoreThanItsCaps() throws {
        var scoring = GossipSubScoring()
        scoring.topicScoreCap = 40
        var bench = RouterBench(scoring: scoring)
        for topic in ["t", "u"] { try bench.join(topic) }
        bench.open(testPeer(1), topics: ["t", "u"])
        func deliver(_ numbers: Range<UInt64>, topic: String) {
            for number in numbers {
                bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number, topic: topic).encoded[...]] }
            }
        }
        deliver(0..<50, topic: "t")
        #expect(bench.router.score(of: testPeer(1)) == 30, "messages brought first, of one topic")
        deliver(50..<100, topic: "u")
        #expect(bench.router.score(of: testPeer(1)) == 40, "all topics together")

        bench = RouterBench()
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        bench.advance(by: .seconds(1_000))
        #expect(bench.router.score(of: testPeer(1)) == 3, "300 seconds in the mesh")
    }

    @Test func nobodyDeliversInAdvanceForTheSilenceAfterwards() throws {
        var scoring = GossipSubScoring()
        scoring.timeInMeshWeight = 0
        scoring.firstDeliveryWeight = 0
        scoring.meshDeliveryWeight = -1
        scoring.meshFailureWeight = -1
        scoring.meshDeliveryDecay = 0.5
        scoring.meshDeliveryCap = 8
        var bench = RouterBench(scoring: scoring)
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        bench.advance(by: .seconds(29))
        for number in UInt64(0)..<1_000 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number).encoded[...]] }
        }
        #expect(bench.router.score(of: testPeer(1)) == 0)
        // Of the eight that count four at most are left when five are expected.
        bench.advance(by: .milliseconds(1200))
        #expect(bench.router.score(of: testPeer(1)) < 0)
    }

    @Test func retainedScoresAreBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumRetainedScores = 2
        var bench = RouterBench(limits: limits)
        for number in 1...3 {
            bench.open(testPeer(number))
            bench.receive(from: testPeer(number)) { $0.messages = [[1]] }
            bench.now = bench.now.advanced(by: .seconds(1))
            bench.perform(bench.router.disconnected(testPeer(number), now: bench.now))
        }
        for number in 1...3 { bench.open(testPeer(number)) }
        #expect((1...3).map { bench.router.score(of: testPeer($0)) } == [0, -10, -10])
    }

    @Test func theApplicationsOpinionOutlivesConnections() {
        var bench = RouterBench()
        func score() -> Double { bench.router.score(of: testPeer(1)) }
        bench.router.setApplicationScore(of: testPeer(1), to: 50)
        #expect(score() == 50, "not connected yet")
        for _ in 0..<2 {
            bench.open(testPeer(1))
            #expect(score() == 50)
            bench.perform(bench.router.disconnected(testPeer(1), now: bench.now))
        }
        bench.open(testPeer(1))
        bench.receive(from: testPeer(1)) { $0.messages = [[1]] }
        bench.perform(bench.router.disconnected(testPeer(1), now: bench.now))
        #expect(score() == 40, "nor does a good one wash off what the peer did")
        bench.router.setApplicationScore(of: testPeer(1), to: 0)
        #expect(score() == -10)
    }

    @Test func opinionsAreBounded() {
        var limits = GossipSubLimits()
        limits.maximumApplicationScores = 2
        var bench = RouterBench(limits: limits)
        for number in 1...3 { bench.router.setApplicationScore(of: testPeer(number), to: 1) }
        #expect((1...3).map { bench.router.score(of: testPeer($0)) } == [0, 1, 1])
        bench.router.setApplicationScore(of: testPeer(2), to: 0)
        bench.router.setApplicationScore(of: testPeer(1), to: 2)
        #expect((1...3).map { bench.router.score(of: testPeer($0)) } == [2, 0, 1], "what is taken back makes room")
    }

    @Test func gossipIsRefusedFromAndToBadPeers() throws {
        var bench = RouterBench()
        try bench.join("t")
        bench.open(testPeer(1), topics: ["t"])
        bench.open(testPeer(2), topics: ["t"])
        bench.receive(from: testPeer(2)) { $0.messages = [testMessage(1).encoded[...]] }
        bench.router.setApplicationScore(of: testPeer(1), to: -30)
        bench.advance(by: .seconds(1))
        bench.clearSent()
        bench.receive(from: testPeer(1)) { $0.have = [.init(topic: "t", ids: [testMessage(2).id])] }
        bench.receive(from: testPeer(1)) { $0.want = [testMessage(1).id] }
        bench.advance(by: .seconds(1))
        #expect(bench.sent[testPeer(1)] == nil)
    }
}
