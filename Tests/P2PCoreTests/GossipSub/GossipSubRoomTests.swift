import GoopTestKit
import Multiformats
import OrderedCollections
import PeerIdentity
import Testing

@testable import P2PCore

/// What peers can make the router hold when they are many.
@Suite struct GossipSubRoomTests {
    /// A router that follows `t` and has heard so many messages of `size` bytes from peer 0, which reads what it gets.
    private func bench(
        messages: Int, size: Int, limits: GossipSubLimits = .init()
    ) throws -> (RouterBench, [GossipMessage]) {
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        bench.open(testPeer(0), topics: ["t"])
        let messages = (0..<UInt64(messages)).map { testMessage($0, size: size) }
        for message in messages { bench.receive(from: testPeer(0)) { $0.messages = [message.encoded] } }
        return (bench, messages)
    }

    private func waiting(_ bench: RouterBench, _ peer: PeerID) -> OutboundQueue.Load {
        bench.router.peers[peer]?.queue.load ?? .init()
    }

    /// What all queues hold together is what the router believes that they hold.
    private func expectItAddsUp(_ bench: RouterBench, _ comment: Comment) {
        var sum = OutboundQueue.Load()
        for peer in bench.router.peers.values { sum += peer.queue.load }
        #expect(sum == bench.router.queued, comment)
        #expect(sum.allAnswers == bench.router.answerShares.reservedBytes, comment)
        let spare = bench.router.peers.values.map(\.spareBytes).reduce(0, +)
        #expect(spare == bench.router.spareShares.reservedBytes, comment)
        let holdForNothing = bench.router.peers.values.filter { $0.spareBytes > 0 && $0.queue.load.messages == 0 }
        #expect(holdForNothing.isEmpty, comment)
        let frames = bench.router.peers.values.compactMap(\.partialFrame?.bytes).reduce(0, +)
        #expect(frames == bench.router.partialFrameBytes, comment)
    }

    // MARK: - Answers

    @Test func whoDoesNotAcceptOurStreamHasNothingPutBy() throws {
        var (bench, messages) = try bench(messages: 8, size: 1_000_000)
        for number in 1...256 {
            bench.perform(
                bench.router.inboundOpened(from: testPeer(number), isOutbound: false, address: nil, now: bench.now))
            bench.receive(from: testPeer(number)) { $0.want = messages.map(\.id) }
        }
        #expect(bench.router.queuedBytes == 0)
        #expect(bench.router.counts.messagesServed == 0)
        // And once it does, it is served.
        bench.open(testPeer(1))
        bench.receive(from: testPeer(1)) { $0.want = messages.map(\.id) }
        #expect(bench.messages(to: testPeer(1)) == messages.prefix(4).map(\.id), "as much as one peer may hold")
    }

    @Test("256 peers of one host ask for eight megabytes each and read nothing", arguments: [false, true])
    func answersThatNobodyReads(someAreBeingWritten: Bool) throws {
        let limits = GossipSubLimits()
        var (bench, messages) = try bench(messages: 8, size: 1_000_000, limits: limits)
        for number in 1...256 {
            let peer = testPeer(number)
            if someAreBeingWritten { bench.open(peer, address: IPAddress("192.168.1.66")) }
            bench.stalled.insert(peer)
            if !someAreBeingWritten { bench.open(peer, address: IPAddress("192.168.1.66")) }
            bench.receive(from: peer) { $0.want = messages.map(\.id) }
            #expect(bench.router.queuedBytes <= limits.maximumAnswerBytesOfAll / 4)
        }
        #expect(bench.router.queuedBytes > limits.maximumAnswerBytesOfAll / 8, "the room is there to be used")
        expectItAddsUp(bench, "after the flood")
        // Somebody else is served, and what is said to the mesh is said as ever.
        let honest = testPeer(1_000)
        bench.open(honest, address: IPAddress("192.168.1.7"))
        bench.clearSent()
        bench.receive(from: honest) { $0.want = messages.map(\.id) }
        #expect(bench.messages(to: honest).count >= 2)
        let own = testMessage(200, source: RouterBench.key.peerID, size: 1_000_000)
        bench.perform(try bench.router.publish(own, now: bench.now))
        #expect(bench.messages(to: testPeer(0)) == [own.id])
    }

    @Test func answersAreSharedOut() throws {
        var limits = GossipSubLimits()
        limits.maximumAnswerBytesOfAll = 1_700_000
        var (bench, messages) = try bench(messages: 14, size: 100_000, limits: limits)
        let askers = (1...40).map { testPeer($0) }
        bench.stalled = Set(askers)
        for (index, asker) in askers.enumerated() {
            bench.open(asker)
            bench.receive(from: asker) { $0.want = messages.map(\.id) }
            if index == 0 { #expect((200_000...212_500).contains(bench.router.queuedBytes), "an eighth") }
            #expect(bench.router.queuedBytes <= limits.maximumAnswerBytesOfAll)
        }
        expectItAddsUp(bench, "in the end")
        for asker in askers { bench.perform(bench.router.disconnected(asker, now: bench.now)) }
        #expect(bench.router.queued == .init() && bench.router.answerShares.reservedBytes == 0)
    }

    @Test func thereIsNoRoomForAnswersInAFullHouse() throws {
        var limits = GossipSubLimits()
        limits.maximumQueuedBytesOfAll = 450_000
        var (bench, messages) = try bench(messages: 8, size: 100_000, limits: limits)
        bench.stalled = [testPeer(1)]
        bench.open(testPeer(1))
        bench.receive(from: testPeer(1)) { $0.want = messages.map(\.id) }
        #expect((400_000...450_000).contains(bench.router.queuedBytes))
    }

    @Test func theLevelThatIsCutTo() {
        let cases: [(amounts: [Int], excess: Int, level: Int)] = [
            ([10, 5, 1], 4, 6), ([10, 5, 1], 5, 5), ([10, 5, 1], 7, 4), ([10, 10, 1], 3, 8), ([3, 3, 3], 9, 0),
            ([3, 3, 3], 100, 0), ([], 1, 0), ([7], 2, 5),
        ]
        for (amounts, excess, level) in cases {
            #expect(GossipSub.level(of: amounts, giving: excess) == level, "\(excess) of \(amounts)")
        }
    }

    @Test func whatIsToldUnaskedTakesTheRoomOfAnswers() throws {
        var limits = GossipSubLimits()
        limits.maximumQueuedBytesOfAll = 1_000_000
        // One peer gets an eighth.
        limits.maximumAnswerBytesOfAll = 8_000_000
        var (bench, messages) = try bench(messages: 8, size: 100_000, limits: limits)
        let (asker, member) = (testPeer(1), testPeer(2))
        bench.stalled = [asker, member]
        bench.open(asker)
        bench.open(member, topics: ["t"])
        bench.receive(from: asker) { $0.want = messages.map(\.id) }
        #expect(waiting(bench, asker).answers > 800_000)
        let news = (100..<UInt64(106)).map { testMessage($0, size: 100_000) }
        for message in news { bench.receive(from: testPeer(0)) { $0.messages = [message.encoded] } }
        #expect(waiting(bench, member).deliveries > 600_000, "all of them wait")
        #expect(waiting(bench, asker).answers < 300_000, "and it is the answers that went")
        // An answer takes nobody's room but that of answers.
        bench.receive(from: asker) { $0.want = news.map(\.id) }
        #expect(waiting(bench, member).deliveries > 600_000)
        #expect(bench.router.queuedBytes <= 1_000_000)
        expectItAddsUp(bench, "in the end")
    }

    @Test func ofOnePeerToWhatItIsToldUnaskedTakesTheRoomOfItsAnswers() throws {
        var limits = GossipSubLimits()
        limits.maximumQueuedBytes = 500_000
        var (bench, messages) = try bench(messages: 4, size: 100_000, limits: limits)
        let peer = testPeer(1)
        bench.stalled = [peer]
        bench.open(peer, topics: ["t"])
        bench.receive(from: peer) { $0.want = messages.map(\.id) }
        #expect(waiting(bench, peer).answers > 400_000)
        for number in UInt64(100)..<103 {
            bench.receive(from: testPeer(0)) { $0.messages = [testMessage(number, size: 100_000).encoded] }
        }
        #expect(waiting(bench, peer).deliveries > 300_000)
        #expect((1..<200_000).contains(waiting(bench, peer).answers))
    }

    // MARK: - Deliveries

    @Test func whoHoldsMostLosesFirst() throws {
        var limits = GossipSubLimits()
        limits.maximumQueuedBytesOfAll = 1_000_000
        var (bench, _) = try bench(messages: 0, size: 0, limits: limits)
        try bench.join("u")
        let (loud, quiet) = (testPeer(1), testPeer(2))
        bench.stalled = [loud, quiet]
        bench.open(loud, topics: ["t"])
        bench.open(quiet, topics: ["u"])
        func say(_ numbers: Range<UInt64>, _ topic: String) {
            for number in numbers {
                let message = testMessage(number, topic: topic, size: 100_000)
                bench.receive(from: testPeer(0)) { $0.messages = [message.encoded] }
            }
        }
        say(0..<8, "t")
        say(8..<9, "u")
        #expect(bench.router.counts.messagesDroppedForSlowPeers == 0)
        say(9..<10, "u")
        // One too many, and an eighth of the room, which is one and a quarter: the oldest go.
        #expect(bench.router.counts.messagesDroppedForSlowPeers == 2)
        bench.clearSent()
        bench.stalled = []
        for peer in [loud, quiet] { bench.finishWrite(to: peer) }
        #expect(bench.messages(to: loud) == (2..<8).map { testMessage($0, topic: "t", size: 100_000).id })
        #expect(bench.messages(to: quiet) == (8..<10).map { testMessage($0, topic: "u", size: 100_000).id })
        #expect(bench.router.queued == .init())
    }

    @Test func aMeshThatReadsNothingIsBounded() throws {
        var limits = GossipSubLimits()
        limits.maximumQueuedBytesOfAll = 2_000_000
        var (bench, _) = try bench(messages: 0, size: 0, limits: limits)
        for number in 1...8 {
            bench.open(testPeer(number), topics: ["t"], version: .v1_1)
            bench.stalled.insert(testPeer(number))
        }
        let reader = testPeer(9)
        bench.open(reader, topics: ["t"], version: .v1_1)
        for peer in [9] + Array(1...8) { bench.receive(from: testPeer(peer)) { $0.graft = ["t"] } }
        #expect(bench.router.meshPeers(of: "t").count == 10)
        bench.clearSent()
        let messages = (1...UInt64(40)).map { testMessage($0, size: 100_000) }
        for message in messages {
            bench.receive(from: testPeer(0)) { $0.messages = [message.encoded] }
            #expect(bench.router.queuedBytes <= limits.maximumQueuedBytesOfAll)
            expectItAddsUp(bench, "message \(message.sequence)")
        }
        #expect(bench.messages(to: reader) == messages.map(\.id), "who reads misses nothing")
        let held = (1...8).map { waiting(bench, testPeer($0)).messages }
        #expect((held.min() ?? 0) >= 100_000 && (held.max() ?? 0) - (held.min() ?? 0) <= 250_000, "\(held)")
    }

    @Test func whoReadsIsToldThoughFramesToOthersTakeAllTheRoom() throws {
        var limits = GossipSubLimits()
        limits.maximumQueuedBytesOfAll = 450_000
        limits.maximumSpareBytesOfAll = 1_700_000
        var (bench, _) = try bench(messages: 0, size: 0, limits: limits)
        func publish(_ number: UInt64, on topic: String) throws {
            let own = testMessage(number, topic: topic, source: RouterBench.key.peerID, size: 100_000)
            bench.perform(try bench.router.publish(own, now: bench.now))
        }
        // Four frames that nobody takes are nearly all of it.
        for number in 1...4 {
            bench.open(testPeer(number), topics: ["u"])
            bench.stalled.insert(testPeer(number))
        }
        try publish(1, on: "u")
        #expect((400_000...450_000).contains(bench.router.queued.written) && bench.router.queued.deliveries == 0)
        try publish(2, on: "t")
        #expect(bench.messages(to: testPeer(0)) == [testMessage(2, source: RouterBench.key.peerID).id])
        #expect(bench.router.spareShares.reservedBytes == 0, "it has been written")
        expectItAddsUp(bench, "one that reads")
        // Another that does not: it has one message, in writing, and no second.
        let silent = testPeer(5)
        bench.open(silent, topics: ["t"])
        bench.stalled.insert(silent)
        for number in UInt64(3)...5 {
            try publish(number, on: "t")
            #expect((100_000...110_000).contains(bench.router.spareShares.reservedBytes))
            #expect(waiting(bench, silent).deliveries == 0)
            expectItAddsUp(bench, "message \(number)")
        }
        let sequences = (UInt64(2)...5).map { testMessage($0, source: RouterBench.key.peerID).id }
        #expect(bench.messages(to: testPeer(0)) == sequences)
        #expect(bench.messages(to: silent) == [sequences[1]])
        // Nor does a crowd of those take all the rest.
        for number in 6...60 {
            bench.open(testPeer(number), topics: ["v\(number)"])
            bench.stalled.insert(testPeer(number))
            try publish(UInt64(number), on: "v\(number)")
            #expect(bench.router.queuedBytes <= 450_000 + limits.maximumSpareBytesOfAll)
        }
        expectItAddsUp(bench, "a crowd")
        let small = testMessage(100, topic: "t", source: RouterBench.key.peerID, size: 1_000)
        bench.perform(try bench.router.publish(small, now: bench.now))
        #expect(bench.messages(to: testPeer(0)).last == small.id, "something small there is always room for")
        bench.stalled = []
        for number in 1...60 { bench.finishWrite(to: testPeer(number)) }
        #expect(bench.router.queued == .init() && bench.router.spareShares.reservedBytes == 0)
    }

    @Test(arguments: [(29, true), (31, false)])
    func whatWaitedTooLongIsGivenUp(seconds: Int, isThere: Bool) throws {
        var bench = RouterBench()
        try bench.join("t")
        bench.perform(bench.router.inboundOpened(from: testPeer(1), isOutbound: false, address: nil, now: bench.now))
        bench.receive(from: testPeer(1)) { $0.subscriptions = [.init(subscribes: true, topic: "t")] }
        let message = testMessage(1, source: RouterBench.key.peerID)
        bench.perform(try bench.router.publish(message, now: bench.now))
        #expect(bench.router.queuedBytes > 0)
        bench.advance(by: .seconds(seconds))
        #expect((bench.router.queuedBytes > 0) == isThere)
        bench.open(testPeer(1))
        #expect(bench.messages(to: testPeer(1)) == (isThere ? [message.id] : []))
    }

    @Test func answersGoWithTheStreamThatTheyWereFor() throws {
        var (bench, messages) = try bench(messages: 2, size: 1_000)
        let peer = testPeer(1)
        bench.stalled = [peer]
        bench.open(peer)
        bench.receive(from: peer) { $0.want = messages.map(\.id) }
        #expect(waiting(bench, peer).answers > 2_000)
        bench.perform(bench.router.outboundClosed(to: peer, now: bench.now))
        #expect(bench.router.queuedBytes == 0)
        // While one is written it counts, until the stream it is written to is gone.
        bench.stalled = []
        bench.open(peer)
        bench.stalled = [peer]
        bench.receive(from: peer) { $0.want = messages.map(\.id) }
        #expect(waiting(bench, peer).answers == 0 && waiting(bench, peer).writtenAnswers > 2_000)
        #expect(bench.router.queuedBytes > 2_000)
        bench.perform(bench.router.disconnected(peer, now: bench.now))
        #expect(bench.router.queued == .init())
    }

    // MARK: - Ids to ask for

    @Test func idsThatWaitToBeAskedForAreBoundedForAllPeersTogether() throws {
        var limits = GossipSubLimits()
        limits.maximumWaitingWants = 100
        limits.maximumWantedIDsPerHeartbeat = 60
        var bench = RouterBench(limits: limits)
        try bench.join("t")
        func offer(_ count: UInt64, from peer: Int) {
            bench.receive(from: testPeer(peer)) { rpc in
                rpc.have = [.init(topic: "t", ids: (0..<count).map { testMessage(UInt64(peer) * 100 + $0).id })]
            }
        }
        // To somebody without a stream nothing can be said, so nothing waits to be.
        bench.perform(bench.router.inboundOpened(from: testPeer(9), isOutbound: false, address: nil, now: bench.now))
        offer(60, from: 9)
        #expect(bench.router.queued.wanted == 0 && bench.router.counts.idsWanted == 0)
        bench.stalled = Set((1...4).map(testPeer))
        for number in 1...4 { bench.open(testPeer(number)) }
        offer(5, from: 1)
        for number in 2...4 {
            offer(60, from: number)
            #expect((60...100).contains(bench.router.queued.wanted))
        }
        expectItAddsUp(bench, "ids")
        #expect(waiting(bench, testPeer(1)).wanted == 5, "who offered little is asked for it")
        bench.clearSent()
        bench.stalled = []
        bench.finishWrite(to: testPeer(1))
        #expect(bench.takeSent(to: testPeer(1)).flatMap(\.want).count == 5)
    }

    // MARK: - Frames that are not whole

    @Test func aFrameHasHalfAMinute() throws {
        var bench = RouterBench()
        try bench.join("t")
        for number in 1...3 {
            bench.open(testPeer(number), topics: ["t"])
            bench.perform(bench.router.frameBegun(10, from: testPeer(number), now: bench.now))
        }
        bench.otherActions = []
        bench.advance(by: .seconds(20))
        // More of the same frame, the end of it and the beginning of another, and the end of the stream.
        bench.perform(bench.router.frameBegun(500, from: testPeer(1), now: bench.now))
        bench.receive(from: testPeer(2)) { $0.subscriptions = [.init(subscribes: true, topic: "u")] }
        bench.perform(bench.router.frameBegun(20, from: testPeer(2), now: bench.now))
        bench.router.inboundClosed(from: testPeer(3))
        #expect(bench.router.partialFrameBytes == 520)
        bench.otherActions = []
        bench.advance(by: .seconds(9))
        #expect(bench.otherActions == [])
        bench.advance(by: .seconds(2))
        #expect(bench.otherActions == [.abandonInbound(testPeer(1))])
        #expect(bench.router.score(of: testPeer(1)) >= 0 && bench.router.peers(of: "t").contains(testPeer(1)))
        bench.advance(by: .seconds(20))
        #expect(bench.otherActions == [.abandonInbound(testPeer(1)), .abandonInbound(testPeer(2))])
        #expect(bench.router.counts.framesAbandoned == 2 && bench.router.partialFrameBytes == 0)
    }

    @Test("256 peers begin frames of a megabyte and do not end them", arguments: ["192.168.1.66", nil])
    func begunFramesAreBounded(address: String?) throws {
        let limits = GossipSubLimits()
        var bench = RouterBench(limits: limits)
        func begin(_ number: Int, at address: IPAddress?) {
            bench.perform(
                bench.router.inboundOpened(from: testPeer(number), isOutbound: false, address: address, now: bench.now))
            for kilobytes in stride(from: 64, through: 1_024, by: 64) {
                bench.perform(bench.router.frameBegun(kilobytes << 10, from: testPeer(number), now: bench.now))
                guard !bench.otherActions.contains(.abandonInbound(testPeer(number))) else { break }
            }
        }
        for number in 1...256 { begin(number, at: address.flatMap { IPAddress($0) }) }
        // Of one host a quarter of the room, of many hosts all but what one more needs for a frame.
        let bound = limits.maximumPartialFrameBytes / (address == nil ? 1 : 4)
        #expect((bound / 2...bound).contains(bench.router.partialFrameBytes))
        #expect(bench.router.counts.framesAbandoned > 200)
        expectItAddsUp(bench, "frames")
        let abandoned = bench.router.counts.framesAbandoned
        begin(1_000, at: IPAddress("192.168.1.7"))
        if address != nil { #expect(bench.router.counts.framesAbandoned == abandoned, "somebody else has room") }
        bench.perform(bench.router.frameBegun(100_000, from: testPeer(1_000), now: bench.now))
        #expect(
            bench.router.peers[testPeer(1_000)]?.partialFrame?.bytes == 100_000, "and for a small one there always is")
        for number in 1...1_000 { bench.perform(bench.router.disconnected(testPeer(number), now: bench.now)) }
        #expect(bench.router.partialFrameBytes == 0 && bench.router.frameShares.accountCount == 0)
    }

    @Test func aReaderHoldsNoMoreThanTheFrameTakes() throws {
        let body = [UInt8](repeating: 7, count: 900_000)
        let frame = Varint.encode(UInt64(body.count)) + body
        // The end of the frame comes with the beginning of the next.
        let stream = frame + [5]
        var reader = GossipFrameReader()
        var frames = 0
        for start in stride(from: 0, to: stream.count, by: 10_000) {
            let received = min(start + 10_000, stream.count)
            reader.append(stream[start..<received])
            while let whole = try reader.next() {
                frames += 1
                #expect(whole.elementsEqual(body))
            }
            // What the allocator adds is at most a page or so.
            #expect(reader.heldBytes <= min(2 * received, frame.count) + 8_192, "\(received)")
        }
        #expect(frames == 1)
        #expect((1...64).contains(reader.heldBytes), "the room of the first frame is given back: \(reader.heldBytes)")
        reader.append([1, 2, 3, 4, 5])
        let next = try reader.next().map { Array($0) }
        let rest = try reader.next()
        #expect(next == [1, 2, 3, 4, 5] && rest == nil && reader.heldBytes == 0)
    }

    // MARK: - Any order

    @Test func inAnyOrderWhatWaitsIsKnownAndBounded() throws {
        let ids = (0..<520).map { testMessage($0).id }
        for seed in UInt64(0)..<20 {
            var random = SeededGenerator(seed: seed)
            var limits = GossipSubLimits()
            limits.maximumPeers = 12
            limits.maximumQueuedBytes = 60_000
            limits.maximumQueuedBytesOfAll = 200_000
            limits.maximumAnswerBytesOfAll = 80_000
            limits.maximumWaitingWants = 40
            limits.maximumPartialFrameBytes = 5_000
            limits.maximumSpareBytesOfAll = 50_000
            var bench = RouterBench(limits: limits)
            try bench.join("t")
            for step in 0..<400 {
                let peer = testPeer(Int.random(in: 0..<15, using: &random))
                let number = UInt64.random(in: 0..<500, using: &random)
                switch Int.random(in: 0..<14, using: &random) {
                case 0: bench.open(peer, topics: ["t"], outbound: step % 3 == 0)
                case 1: bench.perform(bench.router.outboundClosed(to: peer, now: bench.now))
                case 2: bench.perform(bench.router.disconnected(peer, now: bench.now))
                case 3: bench.stalled.insert(peer)
                case 4:
                    bench.stalled.remove(peer)
                    bench.finishWrite(to: peer)
                case 5, 6:
                    let message = testMessage(number, size: Int.random(in: 0..<20_000, using: &random))
                    bench.receive(from: peer) { $0.messages = [message.encoded] }
                case 7:
                    let own = testMessage(number, source: RouterBench.key.peerID, size: 10_000)
                    bench.perform(try bench.router.publish(own, now: bench.now))
                case 8, 9: bench.receive(from: peer) { $0.want = ids }
                case 10:
                    let offered = Array(ids[Int(number)..<Int(number) + 20])
                    bench.receive(from: peer) { $0.have = [.init(topic: "t", ids: offered)] }
                case 11:
                    bench.perform(bench.router.frameBegun(Int(number) * 4, from: peer, now: bench.now))
                case 12:
                    bench.perform(
                        bench.router.inboundOpened(from: peer, isOutbound: false, address: nil, now: bench.now))
                default: bench.advance(by: .milliseconds(Int(number) * 10))
                }
                expectItAddsUp(bench, "seed \(seed) step \(step)")
                #expect(bench.router.queued.allAnswers <= 80_000, "seed \(seed) step \(step)")
                let spare = bench.router.spareShares.reservedBytes
                #expect(spare <= 50_000, "seed \(seed) step \(step)")
                #expect(bench.router.queuedBytes <= 200_000 + spare, "seed \(seed) step \(step)")
                #expect(bench.router.queued.wanted <= 40, "seed \(seed) step \(step)")
                #expect(bench.router.partialFrameBytes <= 5_000, "seed \(seed) step \(step)")
            }
        }
    }
}
