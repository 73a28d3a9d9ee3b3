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

    // MARK: - What we ask for

    /// A router that blames at once and follows `t`; peers 1 to `peers` do too, and what is written to them waits for
    /// `finishWrite`. Their first frame is being written.
    private func slowBench(peers: Int, limits: GossipSubLimits = .init()) throws -> RouterBench {
        var scoring = GossipSubScoring()
        scoring.behaviourThreshold = 0
        var bench = RouterBench(limits: limits, scoring: scoring)
        try bench.join("t")
        for number in 1...peers {
            bench.stalled.insert(testPeer(number))
            bench.open(testPeer(number), topics: ["t"])
        }
        bench.clearSent()
        return bench
    }

    private func offer(_ numbers: Range<UInt64>, from peer: Int, _ bench: inout RouterBench) {
        bench.receive(from: testPeer(peer)) { rpc in
            rpc.have = [.init(topic: "t", ids: numbers.map { testMessage($0).id })]
        }
    }

    @Test func nobodyOwesWhatHasNotBeenAskedFor() throws {
        var bench = try slowBench(peers: 1)
        for round in UInt64(0)..<8 {
            offer(round * 10..<round * 10 + 10, from: 1, &bench)
            bench.advance(by: .seconds(1))
        }
        bench.advance(by: .seconds(4))
        #expect(bench.router.counts.promisesBroken == 0, "all that we said waits behind our first frame")
        bench.finishWrite(to: testPeer(1))
        #expect(bench.takeSent(to: testPeer(1)).flatMap(\.want).count == 80)
        bench.advance(by: .seconds(10))
        #expect(bench.router.counts.promisesBroken == 0, "and what is being written has not been read")
        #expect(bench.router.score(of: testPeer(1)) >= 0)
        bench.finishWrite(to: testPeer(1))
        bench.advance(by: .milliseconds(2_900))
        #expect(bench.router.counts.promisesBroken == 0)
        bench.advance(by: .milliseconds(1_100))
        #expect(bench.router.counts.promisesBroken == 8, "one of each offer was watched")
        #expect(bench.router.score(of: testPeer(1)) < 0)
    }

    @Test func whatComesBeforeOurFrameIsWrittenIsNotOwed() throws {
        var bench = try slowBench(peers: 1)
        bench.open(testPeer(2), topics: ["t"])
        // One comes before the frame that asks for it is begun, one while it is being written.
        offer(1..<2, from: 1, &bench)
        bench.receive(from: testPeer(2)) { $0.messages = [testMessage(1).encoded] }
        offer(2..<3, from: 1, &bench)
        bench.finishWrite(to: testPeer(1))
        #expect(bench.takeSent(to: testPeer(1)).flatMap(\.want).count == 2)
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(2).encoded] }
        bench.finishWrite(to: testPeer(1))
        bench.advance(by: .seconds(6))
        #expect(bench.router.counts.promisesBroken == 0)
        #expect(bench.router.promises.count == 0)
    }

    @Test func nobodyOwesWhatIsOfATopicThatWeLeft() throws {
        var bench = try slowBench(peers: 2)
        // One of the two is asked at once, the other behind our first frame.
        bench.stalled = [testPeer(2)]
        bench.finishWrite(to: testPeer(1))
        offer(1..<2, from: 1, &bench)
        offer(2..<3, from: 2, &bench)
        #expect(bench.router.promises.count == 1)
        bench.perform(bench.router.leave("t", now: bench.now))
        bench.receive(from: testPeer(1)) { $0.messages = [testMessage(1).encoded] }
        bench.stalled = []
        bench.finishWrite(to: testPeer(2))
        #expect(bench.takeSent(to: testPeer(2)).flatMap(\.want) == [testMessage(2).id])
        bench.receive(from: testPeer(2)) { $0.messages = [testMessage(2).encoded] }
        bench.advance(by: .seconds(6))
        #expect(bench.router.counts.promisesBroken == 0 && bench.router.promises.count == 0)
        #expect((1...2).allSatisfy { bench.router.score(of: testPeer($0)) >= 0 })
    }

    @Test func nobodyOwesWhatThereWasNoRoomToAskFor() throws {
        var limits = GossipSubLimits()
        limits.maximumWaitingWants = 24
        limits.maximumWantedIDsPerHeartbeat = 10
        var bench = try slowBench(peers: 3, limits: limits)
        offer(0..<10, from: 1, &bench)
        bench.advance(by: .seconds(1))
        // A new budget, but the queue of this peer is full. And three together offer more than there is room to ask for.
        offer(10..<20, from: 1, &bench)
        #expect(bench.router.counts.idsWanted == 10)
        offer(20..<30, from: 2, &bench)
        offer(30..<40, from: 3, &bench)
        bench.stalled = []
        for number in 1...3 { bench.finishWrite(to: testPeer(number)) }
        let asked = (1...3).map { bench.takeSent(to: testPeer($0)).flatMap(\.want) }
        #expect(asked.map(\.count) == [5, 5, 10])
        // Each brings what it is asked for.
        for message in (UInt64(0)..<40).map({ testMessage($0) }) {
            for number in 1...3 where asked[number - 1].contains(message.id) {
                bench.receive(from: testPeer(number)) { $0.messages = [message.encoded] }
            }
        }
        bench.advance(by: .seconds(6))
        #expect(bench.router.counts.promisesBroken == 0)
    }

    @Test func aStreamThatEndsTakesItsQuestionsAlong() throws {
        var bench = try slowBench(peers: 1)
        bench.finishWrite(to: testPeer(1))
        bench.finishWrite(to: testPeer(1))
        offer(0..<10, from: 1, &bench)
        #expect(bench.router.promises.count == 1)
        bench.perform(bench.router.outboundClosed(to: testPeer(1), now: bench.now))
        #expect(bench.router.promises.count == 0)
        bench.stalled = []
        bench.open(testPeer(1))
        bench.advance(by: .seconds(6))
        #expect(bench.router.counts.promisesBroken == 0)
    }

    @Test func promisesAddUpInAnyOrder() {
        for seed in UInt64(0)..<20 {
            var random = SeededGenerator(seed: seed)
            var book = PromiseBook(limit: 40)
            // What must be in the book: nil while the question is not written.
            var expected: [PeerID: [MessageID: MonotonicInstant?]] = [:]
            var now = MonotonicInstant.zero
            for step in 0..<500 {
                let peer = testPeer(Int.random(in: 0..<6, using: &random))
                let id = testMessage(UInt64.random(in: 0..<12, using: &random)).id
                switch Int.random(in: 0..<9, using: &random) {
                case 0...2:
                    if expected.values.reduce(0, { $0 + $1.count }) < 40, expected[peer]?[id] == nil {
                        expected[peer, default: [:]].updateValue(nil, forKey: id)
                    }
                    book.watch(id, from: peer)
                case 3:
                    let deadline = now.advanced(by: .seconds(3))
                    expected[peer] = expected[peer]?.mapValues { $0 ?? deadline }
                    book.written(to: peer, until: deadline)
                case 4:
                    expected[peer] = expected[peer]?.filter { $0.value != nil }
                    book.notWritten(to: peer)
                case 5:
                    for peer in expected.keys { expected[peer]?.removeValue(forKey: id) }
                    book.fulfill(id)
                case 6:
                    expected[peer]?.removeValue(forKey: id)
                    book.fulfill(id, by: peer)
                case 7:
                    guard step % 7 == 0 else { break }
                    expected[peer] = nil
                    book.forget(peer)
                default:
                    now = now.advanced(by: .seconds(1))
                    var broken: [PeerID: Int] = [:]
                    for (peer, promises) in expected {
                        let late = promises.filter { $0.value.map { $0 <= now } ?? false }
                        if !late.isEmpty { broken[peer] = late.count }
                        expected[peer] = promises.filter { late[$0.key] == nil }
                    }
                    #expect(book.takeBroken(now: now) == broken, "seed \(seed) step \(step)")
                }
                #expect(book.count == expected.values.reduce(0) { $0 + $1.count }, "seed \(seed) step \(step)")
            }
        }
    }

    // MARK: - Frames

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
