import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

@Suite struct GossipSubMessageTests {
    /// A router that follows "t" with four mesh peers 1 to 4.
    func bench(
        parameters: GossipSubParameters = .init(), limits: GossipSubLimits = .init(),
        scoring: GossipSubScoring = .init(),
        validates: Bool = false
    ) throws -> RouterBench {
        var bench = RouterBench(parameters: parameters, limits: limits, scoring: scoring)
        try bench.join("t", validates: validates)
        for number in 1...4 { bench.open(testPeer(number), topics: ["t"]) }
        #expect(bench.router.meshPeers(of: "t").count == 4)
        bench.clearSent()
        return bench
    }

    @Test func forwardsUnchangedToAllButSenderAndAuthor() throws {
        var bench = try bench()
        let message = testMessage(1, source: testPeer(2))
        bench.receive(from: testPeer(1)) { $0.messages = [message.encoded[...]] }
        #expect(bench.delivered == [message])
        #expect(bench.sent[testPeer(1)] == nil && bench.sent[testPeer(2)] == nil)
        #expect(bench.sent[testPeer(3)]?.flatMap(\.messages) == [message.encoded[...]])
        #expect(bench.messages(to: testPeer(4)) == [message.id])
    }

    @Test func deliversOnce() throws {
        var bench = try bench()
        for number in 1...4 { bench.receive(from: testPeer(number)) { $0.messages = [testMessage(1).encoded[...]] } }
        #expect(bench.delivered.count == 1)
        #expect(bench.router.counts.duplicates == 3)
    }

    @Test func seenIdsAreForgottenAfterTwoMinutes() throws {
        var bench = try bench()
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1).encoded[...]] }
        bench.advance(by: .seconds(118))
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1).encoded[...]] }
        #expect(bench.delivered.count == 1)
        bench.advance(by: .seconds(4))
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1).encoded[...]] }
        #expect(bench.delivered.count == 2)
    }

    @Test func copiesThatComeDuringTheCheckAreNotSentBack() throws {
        var bench = try bench()
        bench.verifiesAtOnce = false
        for number in 1...2 { bench.receive(from: testPeer(number)) { $0.messages = [testMessage(1).encoded[...]] } }
        #expect(bench.toVerify.count == 1)
        bench.perform(bench.router.verified(bench.toVerify[0].ticket, .valid, now: bench.now))
        #expect(bench.messages(to: testPeer(2)).isEmpty)
        #expect(bench.messages(to: testPeer(3)).count == 1)
    }

    @Test func aForgeryDoesNotSilenceTheRealMessage() throws {
        var bench = try bench()
        bench.verifiesAtOnce = false
        let real = testMessage(1, size: 2000)
        let forgery = GossipMessage.assembled(
            data: [UInt8](repeating: 9, count: 2000), topic: "t", sequence: 1, source: testPeer(9999), signature: [2])
        #expect(real.id == forgery.id)
        bench.receive(from: testPeer(1)) { $0.messages = [forgery.encoded[...]] }
        bench.receive(from: testPeer(2)) { $0.messages = [real.encoded[...]] }
        #expect(bench.toVerify.count == 2)
        #expect(bench.sent.isEmpty, "nothing is refused elsewhere before the signature is known to be good")
        bench.perform(bench.router.verified(bench.toVerify[0].ticket, .invalid, now: bench.now))
        bench.perform(bench.router.verified(bench.toVerify[1].ticket, .valid, now: bench.now))
        #expect(bench.delivered == [real])
        #expect(bench.router.score(of: testPeer(1)) < 0)
        #expect(bench.router.score(of: testPeer(2)) > 0)
        #expect(bench.router.pendingMessages == 0)
    }

    @Test func everybodyWhoBroughtAForgeryIsBlamed() throws {
        var bench = try bench()
        bench.verifiesAtOnce = false
        for number in 1...2 { bench.receive(from: testPeer(number)) { $0.messages = [testMessage(1).encoded[...]] } }
        bench.perform(bench.router.verified(bench.toVerify[0].ticket, .invalid, now: bench.now))
        #expect(bench.router.score(of: testPeer(1)) == -10 && bench.router.score(of: testPeer(2)) == -10)
        #expect(bench.router.score(of: testPeer(3)) == 0)
    }

    @Test func unverifiableMessagesBlameNobody() throws {
        var bench = try bench()
        bench.verifiesAtOnce = false
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1).encoded[...]] }
        bench.perform(bench.router.verified(bench.toVerify[0].ticket, .unverifiable, now: bench.now))
        #expect(bench.delivered.isEmpty && bench.sent.isEmpty)
        #expect(bench.router.score(of: testPeer(1)) == 0)
    }

    /// py-libp2p tells a peer that follows a topic what was said there in the last seconds, also what the peer said itself: after
    /// a restart that is not known any more, and whoever tells it is as honest as before.
    @Test func ownMessagesFromOthersGoNoFurtherAndBlameNobody() throws {
        var bench = try bench()
        let own = testMessage(1, source: RouterBench.key.peerID)
        for _ in 0..<2 { bench.receive(from: testPeer(1)) { $0.messages = [own.encoded[...]] } }
        #expect(bench.delivered.isEmpty && bench.sent.isEmpty)
        #expect(bench.router.score(of: testPeer(1)) == 0)
        #expect(bench.router.counts.messagesIgnored == 1 && bench.router.counts.duplicates == 1)
        #expect(bench.router.pendingMessages == 0)
    }

    @Test func forgeriesInOurNameAreRejected() throws {
        var bench = try bench()
        let own = testMessage(1, source: RouterBench.key.peerID)
        bench.forged = [own.id]
        bench.receive(from: testPeer(1)) { $0.messages = [own.encoded[...]] }
        #expect(bench.delivered.isEmpty && bench.sent.isEmpty)
        #expect(bench.router.score(of: testPeer(1)) == -10)
        #expect(bench.router.counts.messagesRejected == 1)
        bench.receive(from: testPeer(2)) { $0.have = [.init(topic: "t", ids: [own.id])] }
        #expect(bench.sent[testPeer(2)] == nil, "nobody is asked for what we said before a restart")
    }

    @Test func otherTopicsAreDropped() throws {
        var bench = try bench()
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1, topic: "other").encoded[...]] }
        #expect(bench.delivered.isEmpty && bench.sent.isEmpty)
        #expect(bench.router.counts.messagesOfOtherTopics == 1)
        #expect(bench.router.score(of: testPeer(1)) == 0)
    }

    /// Unicode holds each of the two spellings for the other's equal; on the network they are two topics.
    @Test(arguments: [("Klatsch", "\u{212A}latsch"), ("caf\u{e9}", "cafe\u{301}")])
    func anotherSpellingIsAnotherTopic(own: String, other: String) throws {
        var bench = RouterBench()
        try bench.join(own)
        bench.open(testPeer(1), topics: [own])
        bench.open(testPeer(2), topics: [other])
        #expect(bench.router.peers(of: own) == [testPeer(1)] && bench.router.peers(of: other) == [testPeer(2)])
        #expect(bench.router.meshPeers(of: own) == [testPeer(1)])
        bench.receive(from: testPeer(2)) {
            $0.graft = [other]
            $0.messages = [testMessage(1, topic: other).encoded]
            $0.have = [.init(topic: other, ids: [testMessage(2).id])]
        }
        #expect(bench.delivered.isEmpty && bench.messages(to: testPeer(1)).isEmpty)
        #expect(bench.router.counts.messagesOfOtherTopics == 1 && bench.router.counts.idsWanted == 0)
        #expect(bench.router.meshPeers(of: own) == [testPeer(1)])
        try bench.join(other)
        #expect(bench.router.joinedTopics.map { Array($0.utf8) } == [Array(own.utf8), Array(other.utf8)])
        #expect(bench.router.meshPeers(of: other) == [testPeer(2)])
    }

    @Test func validatorsDecide() throws {
        var bench = try bench(validates: true)
        for number in UInt64(1)...3 {
            bench.receive(from: testPeer(Int(number))) { $0.messages = [testMessage(number).encoded[...]] }
        }
        #expect(bench.delivered.isEmpty)
        let waiting = bench.toValidate
        #expect(waiting.map(\.message.sequence) == [1, 2, 3])
        bench.perform(bench.router.validated(waiting[0].ticket, .accept, now: bench.now))
        bench.perform(bench.router.validated(waiting[1].ticket, .reject, now: bench.now))
        bench.perform(bench.router.validated(waiting[2].ticket, .ignore, now: bench.now))
        #expect(bench.delivered.map(\.sequence) == [1])
        #expect(bench.router.score(of: testPeer(1)) > 0)
        #expect(bench.router.score(of: testPeer(2)) == -10)
        #expect(bench.router.score(of: testPeer(3)) == 0)
        bench.perform(bench.router.validated(waiting[0].ticket, .reject, now: bench.now))
        #expect(bench.router.score(of: testPeer(1)) > 0, "a second answer is without effect")
        bench.receive(from: testPeer(4)) { $0.messages = [testMessage(2).encoded[...]] }
        #expect(bench.toValidate.count == 3, "a rejected message is not asked about again")
    }

    @Test func publishingReachesMeshAndHelpsAThinOne() throws {
        var bench = try bench()
        for number in 5...9 { bench.open(testPeer(number), topics: ["t"]) }
        bench.clearSent()
        let message = testMessage(1, source: RouterBench.key.peerID)
        bench.perform(try bench.router.publish(message, now: bench.now))
        let mesh = bench.router.meshPeers(of: "t")
        #expect(mesh.allSatisfy { bench.messages(to: $0) == [message.id] })
        #expect((1...9).filter { !bench.messages(to: testPeer($0)).isEmpty }.count == 6)
        #expect(bench.delivered.isEmpty)
        bench.clearSent()
        bench.perform(try bench.router.publish(message, now: bench.now))
        #expect(bench.sent.isEmpty, "publishing the same message twice sends it once")
    }

    @Test func publishingWithoutJoiningUsesTheFanoutForAMinute() throws {
        var bench = RouterBench()
        for number in 1...10 { bench.open(testPeer(number), topics: ["t"]) }
        func listeners(_ number: UInt64) throws -> [Int] {
            bench.clearSent()
            bench.perform(try bench.router.publish(testMessage(number, source: RouterBench.key.peerID), now: bench.now))
            return (1...10).filter { !bench.messages(to: testPeer($0)).isEmpty }
        }
        let first = try listeners(1)
        #expect(first.count == 6)
        bench.advance(by: .seconds(30))
        #expect(try listeners(2) == first)
        bench.clearSent()
        try bench.join("t")
        #expect((1...10).filter { bench.grafts(to: testPeer($0)) == ["t"] } == first)
    }

    @Test func whatIsPublishedBeforeTheStreamIsOpenWaitsForIt() throws {
        var bench = RouterBench()
        try bench.join("t")
        bench.perform(bench.router.inboundOpened(from: testPeer(1), isOutbound: false, address: nil, now: bench.now))
        bench.receive(from: testPeer(1)) { $0.subscriptions = [.init(subscribes: true, topic: "t")] }
        let message = testMessage(1, source: RouterBench.key.peerID)
        bench.perform(try bench.router.publish(message, now: bench.now))
        #expect(!bench.router.isWritten)
        bench.open(testPeer(1))
        #expect(bench.sent[testPeer(1)]?.first?.subscriptions.map(\.topic) == ["t"])
        #expect(bench.messages(to: testPeer(1)) == [message.id])
        #expect(bench.router.isWritten)
    }

    @Test func tooLargeMessagesAreRefused() throws {
        var bench = try bench()
        #expect(throws: GossipSubError.self) {
            _ = try bench.router.publish(testMessage(1, source: RouterBench.key.peerID, size: 1 << 20), now: bench.now)
        }
    }

    /// Nobody can follow the empty topic: everybody refuses such a message.
    @Test func theEmptyTopicIsRefused() throws {
        var bench = try bench()
        #expect(throws: GossipSubError.invalidTopic(limitBytes: 1024)) {
            _ = try bench.router.publish(
                testMessage(1, topic: "", source: RouterBench.key.peerID), now: bench.now)
        }
        #expect(throws: GossipSubError.invalidTopic(limitBytes: 1024)) { try bench.join("") }
    }

    @Test func errorsSayWhatToDo() {
        let limits = GossipSubError.messageTooLarge(bytes: 2_000_000, limitBytes: 1_048_568)
        #expect("\(limits)".contains("2000000 bytes") && "\(limits)".contains("1048568: send it in parts"))
        #expect("\(GossipSubError.tooManyTopics(limit: 100))".hasSuffix("leave one first"))
        #expect("\(GossipSubError.invalidTopic(limitBytes: 1_024))".contains("1 to 1024 bytes"))
    }

    // MARK: - Gossip

    @Test func advertisesToPeersOutsideTheMeshForThreeHeartbeats() throws {
        var bench = RouterBench()
        try bench.join("t")
        for number in 1...12 { bench.open(testPeer(number), topics: ["t"]) }
        bench.advance(by: .milliseconds(1200))
        bench.clearSent()
        bench.perform(try bench.router.publish(testMessage(1, source: RouterBench.key.peerID), now: bench.now))
        let mesh = bench.router.meshPeers(of: "t")
        for beat in 1...5 {
            bench.clearSent()
            bench.advance(by: .seconds(1))
            let told = (1...12).map(testPeer).filter { peer in
                (bench.sent[peer] ?? []).contains {
                    $0.have.contains { $0.ids == [testMessage(1, source: RouterBench.key.peerID).id] }
                }
            }
            #expect(told.count == (beat <= 3 ? 6 : 0), "heartbeat \(beat)")
            #expect(told.allSatisfy { !mesh.contains($0) })
        }
    }

    @Test func whoEntersTheMeshHearsOfWhatCameBefore() throws {
        var bench = RouterBench()
        try bench.join("t")
        func own(_ number: UInt64) -> GossipMessage { testMessage(number, source: RouterBench.key.peerID) }
        bench.perform(try bench.router.publish(own(1), now: bench.now))
        bench.open(testPeer(1), topics: ["t"])
        #expect(bench.router.meshPeers(of: "t") == [testPeer(1)])
        #expect(bench.messages(to: testPeer(1)).isEmpty, "nobody was there to hear it")
        bench.perform(try bench.router.publish(own(2), now: bench.now.advanced(by: .milliseconds(1))))
        #expect(bench.messages(to: testPeer(1)) == [own(2).id])
        bench.advance(by: .milliseconds(1500))
        let told = (bench.sent[testPeer(1)] ?? []).flatMap(\.have).flatMap(\.ids)
        #expect(Set(told) == [own(1).id], "of what it was sent it needs no word")
        bench.receive(from: testPeer(1)) { $0.want = [own(1).id] }
        #expect(bench.messages(to: testPeer(1)) == [own(2).id, own(1).id])
        bench.advance(by: .seconds(5))
        bench.clearSent()
        bench.perform(try bench.router.publish(own(3), now: bench.now))
        bench.advance(by: .seconds(5))
        #expect((bench.sent[testPeer(1)] ?? []).flatMap(\.have).isEmpty, "no longer a newcomer")
    }

    @Test func asksForUnseenAndServesThreeTimes() throws {
        var bench = try bench()
        let known = testMessage(1)
        bench.receive(from: testPeer(1)) { $0.messages = [known.encoded[...]] }
        bench.clearSent()
        bench.receive(from: testPeer(2)) {
            $0.have = [
                .init(topic: "t", ids: [known.id, testMessage(2).id]), .init(topic: "other", ids: [testMessage(3).id]),
            ]
        }
        #expect(bench.takeSent(to: testPeer(2)).flatMap(\.want) == [testMessage(2).id])
        for _ in 0..<5 { bench.receive(from: testPeer(3)) { $0.want = [known.id] } }
        #expect(bench.messages(to: testPeer(3)).count == 3)
        bench.receive(from: testPeer(4)) { $0.want = [known.id] }
        #expect(bench.messages(to: testPeer(4)).count == 1)
        bench.advance(by: .seconds(6))
        bench.clearSent()
        bench.receive(from: testPeer(4)) { $0.want = [known.id] }
        #expect(bench.messages(to: testPeer(4)).isEmpty, "gone from the cache")
    }

    @Test func brokenPromisesCost() throws {
        var scoring = GossipSubScoring()
        scoring.behaviourThreshold = 0
        var bench = try bench(scoring: scoring)
        bench.receive(from: testPeer(1)) { $0.have = [.init(topic: "t", ids: [testMessage(1).id])] }
        bench.receive(from: testPeer(2)) { $0.have = [.init(topic: "t", ids: [testMessage(2).id])] }
        bench.receive(from: testPeer(3)) { $0.messages = [testMessage(2).encoded[...]] }
        bench.advance(by: .seconds(5))
        #expect(bench.router.score(of: testPeer(1)) < 0)
        #expect(bench.router.score(of: testPeer(2)) >= 0, "the message came, from whomever")
        #expect(bench.router.counts.promisesBroken == 1)
    }

    @Test func whatCameAndCouldNotBeCheckedIsNoBrokenPromise() throws {
        var limits = GossipSubLimits()
        limits.maximumPendingPerPeer = 1
        var bench = try bench(limits: limits)
        bench.verifiesAtOnce = false
        // The first is being checked, the second finds no room; the third is of an author whose key nobody can check.
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1).encoded] }
        bench.receive(from: testPeer(1)) { $0.have = [.init(topic: "t", ids: [testMessage(2).id])] }
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(2).encoded] }
        bench.receive(from: testPeer(2)) { $0.have = [.init(topic: "t", ids: [testMessage(3).id])] }
        bench.receive(from: testPeer(2)) { $0.messages = [testMessage(3).encoded] }
        #expect(bench.router.counts.messagesThrottled == 1 && bench.toVerify.count == 2)
        bench.perform(bench.router.verified(bench.toVerify[1].ticket, .unverifiable, now: bench.now))
        bench.advance(by: .seconds(5))
        #expect(bench.router.counts.promisesBroken == 0)
    }

    @Test func largeMessagesAreRefusedElsewhereAtOnce() throws {
        var bench = RouterBench()
        try bench.join("t", validates: true)
        bench.open(testPeer(1), topics: ["t"])
        bench.open(testPeer(2), topics: ["t"])
        bench.open(testPeer(3), topics: ["t"], version: .v1_1)
        bench.clearSent()
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1, size: 1023).encoded[...]] }
        #expect(bench.sent.isEmpty)
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(2, size: 1024).encoded[...]] }
        #expect(bench.sent[testPeer(2)]?.flatMap(\.dontWant) == [testMessage(2).id])
        #expect(bench.sent[testPeer(1)] == nil && bench.sent[testPeer(3)] == nil)
    }

    @Test func refusedMessagesAreNotSentForThreeHeartbeats() throws {
        var bench = try bench()
        bench.receive(from: testPeer(2)) { $0.dontWant = [testMessage(1).id] }
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1).encoded[...]] }
        #expect(bench.messages(to: testPeer(2)).isEmpty)
        #expect(bench.messages(to: testPeer(3)).count == 1)
        bench.receive(from: testPeer(2)) { $0.want = [testMessage(1).id] }
        #expect(bench.messages(to: testPeer(2)).isEmpty)
        bench.advance(by: .seconds(3))
        bench.receive(from: testPeer(2)) { $0.want = [testMessage(1).id] }
        #expect(bench.messages(to: testPeer(2)).count == 1)
    }

    // MARK: - Two waves

    /// A router that follows "t" with eight mesh peers 1 to 8, of which 8 speaks v1.1.
    func wideBench() throws -> RouterBench {
        var bench = RouterBench()
        try bench.join("t")
        for number in 1...8 {
            bench.open(testPeer(number), topics: ["t"], version: number == 8 ? .v1_1 : .v1_2)
            bench.receive(from: testPeer(number)) { $0.graft = ["t"] }
        }
        bench.clearSent()
        return bench
    }

    @Test func partOfTheMeshWaitsAndIsTold() throws {
        var bench = try wideBench()
        let id = testMessage(1).id
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1).encoded[...]] }
        let first = (2...8).filter { bench.messages(to: testPeer($0)) == [id] }
        let told = (2...8).filter { (bench.sent[testPeer($0)] ?? []).flatMap(\.dontWant) == [id] }
        #expect(first.count == 3 && first.contains(8), "who cannot say IDONTWANT does not wait")
        #expect(Set(first + told) == Set(2...8))
        let due = bench.router.nextDeadline
        #expect(due == bench.now.advanced(by: .milliseconds(120)) || due < bench.now.advanced(by: .milliseconds(120)))
        // One of those that wait says it has the message, another sends it.
        bench.receive(from: testPeer(told[0])) { $0.dontWant = [id] }
        bench.receive(from: testPeer(told[1])) { $0.messages = [testMessage(1).encoded[...]] }
        bench.clearSent()
        bench.advance(by: .milliseconds(121))
        #expect((2...8).filter { bench.messages(to: testPeer($0)) == [id] } == Array(told.dropFirst(2)))
    }

    @Test func ownMessagesDoNotWait() throws {
        var bench = try wideBench()
        bench.perform(try bench.router.publish(testMessage(1, source: RouterBench.key.peerID), now: bench.now))
        #expect((1...8).allSatisfy { bench.messages(to: testPeer($0)).count == 1 })
    }

    @Test func whatIsHeldBackWhileMuchIs() throws {
        var bench = try wideBench()
        let messages = (UInt64(1)...300).map { testMessage($0) }
        for message in messages { bench.receive(from: testPeer(1)) { $0.messages = [message.encoded] } }
        let early = (2...8).map { Set(bench.messages(to: testPeer($0))) }
        // One peer brings every third of them itself, the last first.
        let brought = messages.filter { $0.sequence % 3 == 0 }
        for message in brought.reversed() { bench.receive(from: testPeer(2)) { $0.messages = [message.encoded] } }
        bench.clearSent()
        bench.advance(by: .milliseconds(121))
        for number in 2...8 {
            let spared = number == 2 ? Set(brought.map(\.id)) : []
            let expected = messages.map(\.id).filter { !early[number - 2].contains($0) && !spared.contains($0) }
            #expect(bench.messages(to: testPeer(number)) == expected, "peer \(number)")
        }
    }

    // MARK: - Slow peers

    @Test func oneFrameAtATime() throws {
        var bench = try bench()
        bench.stalled = [testPeer(2)]
        for number in UInt64(1)...3 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number).encoded[...]] }
        }
        #expect(bench.messages(to: testPeer(2)) == [testMessage(1).id])
        bench.finishWrite(to: testPeer(2))
        #expect(bench.messages(to: testPeer(2)) == (UInt64(1)...3).map { testMessage($0).id })
        #expect(bench.sent[testPeer(2)]?.count == 2)
    }

    @Test func slowPeersLoseMessagesButNoControl() throws {
        var bench = try bench()
        bench.stalled = [testPeer(2)]
        for number in UInt64(1)...100 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number, size: 60_000).encoded[...]] }
        }
        #expect(bench.router.counts.messagesDroppedForSlowPeers == 67)
        bench.perform(bench.router.leave("t", now: bench.now))
        bench.clearSent()
        bench.stalled = []
        bench.finishWrite(to: testPeer(2))
        let rpcs = bench.takeSent(to: testPeer(2))
        #expect(rpcs.first?.prune == [.init(topic: "t", backoffSeconds: 10)])
        #expect(rpcs.first?.subscriptions == [.init(subscribes: false, topic: "t")])
        #expect(rpcs.flatMap(\.messages).count == 32)
    }

    @Test func burstsOfSmallMessagesFit() throws {
        var bench = try bench()
        bench.stalled = [testPeer(2)]
        for number in UInt64(1)...1000 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number, size: 500).encoded[...]] }
        }
        #expect(bench.router.counts.messagesDroppedForSlowPeers == 0)
        bench.clearSent()
        bench.stalled = []
        bench.finishWrite(to: testPeer(2))
        #expect(bench.messages(to: testPeer(2)) == (UInt64(2)...1000).map { testMessage($0).id })
        #expect((bench.sent[testPeer(2)]?.count ?? 0) < 20)
    }

    @Test func slowPeersHoldFewBytes() throws {
        var limits = GossipSubLimits()
        limits.maximumQueuedBytes = 100_000
        var bench = try bench(limits: limits)
        bench.stalled = [testPeer(2)]
        for number in UInt64(1)...10 {
            bench.receive(from: testPeer(1)) { $0.messages = [testMessage(number, size: 40_000).encoded[...]] }
        }
        #expect(bench.router.counts.messagesDroppedForSlowPeers == 7)
    }
}
