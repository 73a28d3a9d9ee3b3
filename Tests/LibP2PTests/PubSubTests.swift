import GoopTestKit
import LibP2P
import NIOCore
import Testing

@Suite("PubSub", .timeLimit(.minutes(1)))
struct PubSubTests {
    /// A node with GossipSub on top.
    struct Member: Sendable {
        let node: Node
        let pubsub: PubSub
        var peerID: PeerID { node.peerID }
    }

    func withMembers<Result>(
        _ count: Int, nodes: (inout Node.Configuration) -> Void = { _ in },
        configure: (inout PubSub.Configuration) -> Void = { _ in },
        _ body: ([Member]) async throws -> Result
    ) async throws -> Result {
        var settings = PubSub.Configuration()
        settings.parameters.heartbeatInterval = .milliseconds(100)
        configure(&settings)
        var members: [Member] = []
        for _ in 0..<count {
            var configuration = Node.Configuration(
                identity: .generate(), listen: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")], agentVersion: "test/1")
            configuration.limits.identify.pushDelay = .milliseconds(20)
            nodes(&configuration)
            let node = Node(configuration: configuration)
            members.append(Member(node: node, pubsub: PubSub(node: node, configuration: settings)))
        }
        do {
            for member in members { try await member.node.start() }
            let result = try await body(members)
            for member in members { await member.node.stop() }
            return result
        } catch {
            for member in members { await member.node.stop() }
            throw error
        }
    }

    func connect(_ one: Member, _ other: Member) async throws {
        try await one.node.connect(to: other.peerID, addresses: other.node.listenAddresses())
    }

    /// Waits until the member knows that the peer follows the topic.
    func awaitSubscriber(_ peer: PeerID, of topic: String, at member: Member) async throws {
        let events = await member.pubsub.events()
        if await member.pubsub.peers(of: topic).contains(peer) { return }
        for await event in events where event == .peerSubscribed(peer, topic: topic) { return }
        throw CancellationError()
    }

    func next(_ count: Int, of subscription: PubSubSubscription) async throws -> [PubSubMessage] {
        var messages: [PubSubMessage] = []
        for await message in subscription {
            messages.append(message)
            if messages.count == count { return messages }
        }
        throw CancellationError()
    }

    @Test("two peers hear each other, signed, in order")
    func both() async throws {
        try await withMembers(2) { members in
            let (one, other) = (members[0], members[1])
            let heard = try await one.pubsub.subscribe(to: "t")
            let alsoHeard = try await other.pubsub.subscribe(to: "t")
            try await connect(one, other)
            try await awaitSubscriber(other.peerID, of: "t", at: one)
            try await awaitSubscriber(one.peerID, of: "t", at: other)
            for number in UInt8(0)..<50 { try await one.pubsub.publish([number], to: "t") }
            let messages = try await next(50, of: alsoHeard)
            #expect(messages.map(\.data) == (UInt8(0)..<50).map { [$0] })
            #expect(messages.allSatisfy { $0.from == one.peerID && $0.receivedFrom == one.peerID && $0.topic == "t" })
            #expect(zip(messages, messages.dropFirst()).allSatisfy { $0.sequence < $1.sequence })
            try await other.pubsub.publish([7], to: "t")
            #expect(try await next(1, of: heard).first?.from == other.peerID)
            #expect(await other.pubsub.meshPeers(of: "t") == [one.peerID])
        }
    }

    @Test("subscribing and unsubscribing after connecting is told to peers")
    func events() async throws {
        try await withMembers(2) { members in
            let (one, other) = (members[0], members[1])
            var events = await one.pubsub.events().makeAsyncIterator()
            try await connect(one, other)
            let subscription = try await other.pubsub.subscribe(to: "t")
            #expect(await events.next() == .peerSubscribed(other.peerID, topic: "t"))
            subscription.cancel()
            #expect(await events.next() == .peerUnsubscribed(other.peerID, topic: "t"))
            #expect(await other.pubsub.topics().isEmpty)
            let again = try await other.pubsub.subscribe(to: "u")
            #expect(await events.next() == .peerSubscribed(other.peerID, topic: "u"))
            await other.node.stop()
            #expect(await events.next() == .peerUnsubscribed(other.peerID, topic: "u"))
            _ = again
        }
    }

    @Test("a subscription that nobody refers to leaves the topic")
    func droppedSubscription() async throws {
        try await withMembers(2) { members in
            var events = await members[0].pubsub.events().makeAsyncIterator()
            try await connect(members[0], members[1])
            var subscription: PubSubSubscription? = try await members[1].pubsub.subscribe(to: "t")
            #expect(await events.next() == .peerSubscribed(members[1].peerID, topic: "t"))
            #expect(subscription != nil)
            subscription = nil
            #expect(await events.next() == .peerUnsubscribed(members[1].peerID, topic: "t"))
        }
    }

    @Test("messages travel along a line of peers")
    func line() async throws {
        try await withMembers(5) { members in
            var subscriptions: [PubSubSubscription] = []
            for member in members { subscriptions.append(try await member.pubsub.subscribe(to: "t")) }
            for (one, other) in zip(members, members.dropFirst()) {
                try await connect(one, other)
                try await awaitSubscriber(other.peerID, of: "t", at: one)
                try await awaitSubscriber(one.peerID, of: "t", at: other)
            }
            try await members[0].pubsub.publish([1, 2, 3], to: "t")
            let message = try #require(try await next(1, of: subscriptions[4]).first)
            #expect(message.from == members[0].peerID && message.receivedFrom == members[3].peerID)
        }
    }

    @Test("both dial at once: one pubsub stream each way, and messages flow", arguments: 0..<8)
    func simultaneousDial(round: Int) async throws {
        try await withMembers(2) { members in
            let (one, other) = round % 2 == 0 ? (members[0], members[1]) : (members[1], members[0])
            let heard = try await one.pubsub.subscribe(to: "t")
            let alsoHeard = try await other.pubsub.subscribe(to: "t")
            async let first: Void = connect(one, other)
            async let second: Void = connect(other, one)
            _ = try await (first, second)
            try await awaitSubscriber(other.peerID, of: "t", at: one)
            try await awaitSubscriber(one.peerID, of: "t", at: other)
            try await one.pubsub.publish([1], to: "t")
            try await other.pubsub.publish([2], to: "t")
            #expect(try await next(1, of: alsoHeard).first?.data == [1])
            #expect(try await next(1, of: heard).first?.data == [2])
        }
    }

    @Test("a lost connection is made up for by a new one")
    func reconnect() async throws {
        try await withMembers(2) { members in
            let (one, other) = (members[0], members[1])
            let heard = try await other.pubsub.subscribe(to: "t")
            try await connect(one, other)
            try await awaitSubscriber(other.peerID, of: "t", at: one)
            var events = await one.pubsub.events().makeAsyncIterator()
            await one.node.disconnect(other.peerID)
            #expect(await events.next() == .peerUnsubscribed(other.peerID, topic: "t"))
            try await connect(one, other)
            #expect(await events.next() == .peerSubscribed(other.peerID, topic: "t"))
            try await one.pubsub.publish([1], to: "t")
            #expect(try await next(1, of: heard).first?.data == [1])
        }
    }

    // MARK: - Against a peer written by hand

    /// A node that speaks pubsub by hand: what it reads on the streams others open, frame by frame.
    struct Manual: Sendable {
        let node: Node
        let streams: AsyncStream<P2PStream>

        init() throws {
            node = Node(
                configuration: .init(
                    identity: .generate(), listen: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")], agentVersion: "test/1"
                ))
            let (streams, continuation) = AsyncStream.makeStream(of: P2PStream.self)
            self.streams = streams
            node.setHandler(for: "/meshsub/1.1.0") { continuation.yield($0) }
        }

        func open(to peer: PeerID) async throws -> P2PStream {
            var options = StreamOptions()
            options.negotiation = .eager
            return try await node.openStream(to: peer, protocols: ["/meshsub/1.1.0"], options: options)
        }
    }

    func withManual<Result>(
        configure: (inout PubSub.Configuration) -> Void = { _ in }, _ body: (Member, Manual) async throws -> Result
    ) async throws -> Result {
        try await withMembers(1, configure: configure) { members in
            let manual = try Manual()
            try await manual.node.start()
            do {
                try await manual.node.connect(to: members[0].peerID, addresses: members[0].node.listenAddresses())
                let result = try await body(members[0], manual)
                await manual.node.stop()
                return result
            } catch {
                await manual.node.stop()
                throw error
            }
        }
    }

    func frame(_ build: (inout GossipRPC) -> Void) -> ByteBuffer {
        var rpc = GossipRPC()
        build(&rpc)
        let body = rpc.encode()
        return ByteBuffer(bytes: Varint.encode(UInt64(body.count)) + body)
    }

    func nextRPC(on stream: P2PStream, _ reader: inout GossipFrameReader) async throws -> GossipRPC {
        while true {
            if let frame = try reader.next() { return try GossipRPC(decoding: frame) }
            let bytes = try #require(try await stream.read())
            reader.append(bytes.readableBytesView)
        }
    }

    @Test("our stream is opened again when it dies, and says everything again")
    func reopening() async throws {
        try await withManual { member, manual in
            let subscription = try await member.pubsub.subscribe(to: "t")
            var streams = manual.streams.makeAsyncIterator()
            for _ in 0..<3 {
                let stream = try #require(await streams.next())
                var reader = GossipFrameReader()
                let hello = try await nextRPC(on: stream, &reader)
                #expect(hello.subscriptions == [.init(subscribes: true, topic: "t")])
                stream.reset()
            }
            // An end of the peer's side means the same.
            let stream = try #require(await streams.next())
            try await stream.closeWrite()
            let last = try #require(await streams.next())
            var reader = GossipFrameReader()
            #expect(try await nextRPC(on: last, &reader).subscriptions.count == 1)
            _ = subscription
        }
    }

    @Test("a second stream takes the place of the first, which is reset")
    func replacement() async throws {
        try await withManual { member, manual in
            let subscription = try await member.pubsub.subscribe(to: "t")
            var events = await member.pubsub.events().makeAsyncIterator()
            let first = try await manual.open(to: member.peerID)
            try await first.write(frame { $0.subscriptions = [.init(subscribes: true, topic: "a")] })
            #expect(await events.next() == .peerSubscribed(manual.node.peerID, topic: "a"))
            let second = try await manual.open(to: member.peerID)
            try await second.write(frame { $0.subscriptions = [.init(subscribes: true, topic: "b")] })
            #expect(await events.next() == .peerSubscribed(manual.node.peerID, topic: "b"))
            // Once no further frame with topics has come for a heartbeat.
            #expect(await events.next() == .peerUnsubscribed(manual.node.peerID, topic: "a"))
            await #expect(throws: P2PError.self) { _ = try await first.read() }
            _ = subscription
        }
    }

    @Test("nothing is written on the peer's stream, nor is it ended")
    func silence() async throws {
        try await withManual { member, manual in
            let subscription = try await member.pubsub.subscribe(to: "t")
            let stream = try await manual.open(to: member.peerID)
            let reading = Task { try await stream.read() }
            try await stream.write(frame { $0.subscriptions = [.init(subscribes: true, topic: "t")] })
            var streams = manual.streams.makeAsyncIterator()
            let theirs = try #require(await streams.next())
            var reader = GossipFrameReader()
            // Everything that is said comes on their own stream.
            while try await nextRPC(on: theirs, &reader).graft != ["t"] {}
            let message = try GossipMessage.signed(
                data: [1], topic: "t", sequence: 1, key: manual.node.configuration.identity)
            try await stream.write(frame { $0.messages = [message.encoded[...]] })
            #expect(try await next(1, of: subscription).first?.data == [1])
            reading.cancel()
            await #expect(throws: CancellationError.self) { _ = try await reading.value }
        }
    }

    @Test("forged messages are not delivered, and cost the forger its place")
    func forgeries() async throws {
        try await withManual { member, manual in
            let subscription = try await member.pubsub.subscribe(to: "t")
            let stream = try await manual.open(to: member.peerID)
            try await stream.write(frame { $0.subscriptions = [.init(subscribes: true, topic: "t")] })
            let author = PrivateKey.generate()
            let real = try GossipMessage.signed(data: [1], topic: "t", sequence: 1, key: author)
            let forged = GossipMessage.assembled(
                data: [2], topic: "t", sequence: 1, source: author.peerID, signature: Array(real.signature))
            try await stream.write(frame { $0.messages = [forged.encoded[...]] })
            try await stream.write(frame { $0.messages = [real.encoded[...]] })
            #expect(try await next(1, of: subscription).map(\.data) == [[1]])
            #expect(await member.pubsub.score(of: manual.node.peerID) < 0)
            #expect(await member.pubsub.counts().messagesRejected == 1)
        }
    }

    @Test("frames past the limit, and garbage, end the stream but not the peering", arguments: [0, 1])
    func garbage(kind: Int) async throws {
        try await withManual { member, manual in
            let stream = try await manual.open(to: member.peerID)
            let bytes = kind == 0 ? Varint.encode((1 << 20) + 1) : [2, 0x0a, 0x7f]
            try await stream.write(ByteBuffer(bytes: bytes))
            await #expect(throws: P2PError.self) { _ = try await stream.read() }
            let again = try await manual.open(to: member.peerID)
            var events = await member.pubsub.events().makeAsyncIterator()
            try await again.write(frame { $0.subscriptions = [.init(subscribes: true, topic: "t")] })
            #expect(await events.next() == .peerSubscribed(manual.node.peerID, topic: "t"))
        }
    }

    @Test("a frame that does not end, or takes too much room, costs its stream", arguments: [false, true])
    func unfinishedFrames(isLarge: Bool) async throws {
        func configure(_ settings: inout PubSub.Configuration) {
            settings.limits.maximumFrameTime = isLarge ? .seconds(3_600) : .milliseconds(200)
            settings.limits.maximumPartialFrameBytes = isLarge ? 100_000 : 1 << 20
        }
        try await withManual(configure: configure) { member, manual in
            let stream = try await manual.open(to: member.peerID)
            try await stream.write(frame { $0.subscriptions = [.init(subscribes: true, topic: "t")] })
            let beginning = [UInt8](repeating: 0, count: isLarge ? 200_000 : 3)
            do { try await stream.write(ByteBuffer(bytes: Varint.encode(1_000_000) + beginning)) } catch is P2PError {
                // The reset may come before the last piece has left.
            }
            await #expect(throws: P2PError.self) { _ = try await stream.read() }
            #expect(await member.pubsub.counts().framesAbandoned == 1)
            #expect(member.node.refusals[.partialFrames] == 1)
            #expect(await member.pubsub.score(of: manual.node.peerID) >= 0)
            let again = try await manual.open(to: member.peerID)
            try await again.write(frame { $0.subscriptions = [.init(subscribes: true, topic: "u")] })
            try await awaitSubscriber(manual.node.peerID, of: "u", at: member)
        }
    }

    @Test("topics for which there is no room are told of by the name of the limit; those that we follow have room")
    func topicsWithoutRoom() async throws {
        try await withManual(configure: { $0.limits.maximumTopicBytesOfAll = 0 }) { member, manual in
            let subscription = try await member.pubsub.subscribe(to: "t")
            let events = member.node.events()
            let stream = try await manual.open(to: member.peerID)
            try await stream.write(
                frame { $0.subscriptions = ["made up", "t"].map { .init(subscribes: true, topic: $0) } })
            let exceeded = try await first(of: events) { event in
                if case .limitReached(let exceeded, _) = event { exceeded } else { nil }
            }
            #expect(exceeded == LimitExceeded(.topicBytes, limit: nil))
            #expect(await member.pubsub.peers(of: "t") == [manual.node.peerID])
            #expect(await member.pubsub.peers(of: "made up").isEmpty)
            #expect(await member.pubsub.counts().topicsWithoutRoom == 1)
            #expect(member.node.refusals[.topicBytes] == 1)
            subscription.cancel()
        }
    }

    @Test("frames come whole however the bytes are cut")
    func pieces() async throws {
        try await withManual { member, manual in
            let subscription = try await member.pubsub.subscribe(to: "t")
            let stream = try await manual.open(to: member.peerID)
            let message = try GossipMessage.signed(
                data: [9], topic: "t", sequence: 1, key: manual.node.configuration.identity)
            var bytes = ByteBuffer(bytes: [0])
            bytes.writeImmutableBuffer(frame { $0.subscriptions = [.init(subscribes: true, topic: "t")] })
            bytes.writeImmutableBuffer(frame { $0.messages = [message.encoded[...]] })
            for byte in bytes.readableBytesView { try await stream.write(ByteBuffer(bytes: [byte])) }
            #expect(try await next(1, of: subscription).first?.data == [9])
        }
    }

    @Test("validators decide what is delivered and forwarded")
    func validators() async throws {
        try await withMembers(3) { members in
            let verdicts: [UInt8: GossipVerdict] = [0: .accept, 1: .reject, 2: .ignore]
            let middle = try await members[1].pubsub.subscribe(to: "t") { verdicts[$0.data[0]] ?? .accept }
            let author = try await members[0].pubsub.subscribe(to: "t")
            let end = try await members[2].pubsub.subscribe(to: "t")
            for (one, other) in [(0, 1), (1, 2)] {
                try await connect(members[one], members[other])
                try await awaitSubscriber(members[other].peerID, of: "t", at: members[one])
                try await awaitSubscriber(members[one].peerID, of: "t", at: members[other])
            }
            for number in UInt8(0)..<4 { try await members[0].pubsub.publish([number], to: "t") }
            #expect(try await next(2, of: middle).map(\.data) == [[0], [3]])
            #expect(try await next(2, of: end).map(\.data) == [[0], [3]])
            #expect(await members[1].pubsub.score(of: members[0].peerID) < 0)
            _ = author
        }
    }

    @Test("a goodbye published just before the node stops still arrives")
    func goodbye() async throws {
        try await withMembers(2) { members in
            let (one, other) = (members[0], members[1])
            let heard = try await other.pubsub.subscribe(to: "t")
            let own = try await one.pubsub.subscribe(to: "t")
            try await connect(one, other)
            try await awaitSubscriber(other.peerID, of: "t", at: one)
            one.node.addShutdownHook {
                do {
                    try await one.pubsub.publish([9], to: "t")
                    await one.pubsub.drain()
                } catch {
                    Issue.record("no goodbye: \(error)")
                }
            }
            await one.node.stop()
            #expect(try await next(1, of: heard).first?.data == [9])
            await #expect(throws: P2PError.self) { try await one.pubsub.publish([1], to: "t") }
            _ = own
        }
    }

    @Test("own messages come back only if wanted", arguments: [true, false])
    func ownMessages(wanted: Bool) async throws {
        try await withMembers(1, configure: { $0.deliversOwnMessages = wanted }) { members in
            let subscription = try await members[0].pubsub.subscribe(to: "t")
            try await members[0].pubsub.publish([1], to: "t")
            await members[0].node.stop()
            var iterator = subscription.makeAsyncIterator()
            #expect(await iterator.next()?.data == (wanted ? [1] : nil))
        }
    }

    @Test("what waits for a slow reader is bounded in number and in bytes, and what it loses is counted")
    func slowReader() async throws {
        func configure(_ settings: inout PubSub.Configuration) {
            settings.deliversOwnMessages = true
            settings.messagesPerSubscription = 3
            settings.bytesPerSubscription = 5_000_000
        }
        try await withMembers(1, configure: configure) { members in
            let pubsub = members[0].pubsub
            let subscription = try await pubsub.subscribe(to: "t")
            for n in 0..<5 { try await pubsub.publish([UInt8(n)], to: "t") }
            #expect(await pubsub.droppedMessages() == 2)
            #expect(try await next(3, of: subscription).map(\.data) == [[2], [3], [4]])
            // Each counts as two megabytes and a little.
            for _ in 0..<3 { try await pubsub.publish([UInt8](repeating: 7, count: 1_000_000), to: "t") }
            #expect(await pubsub.droppedMessages() == 3)
            #expect(try await next(2, of: subscription).count == 2)
            try await pubsub.publish([8], to: "t")
            #expect(try await next(1, of: subscription).map(\.data) == [[8]])
        }
    }

    @Test("events that a slow listener does not take are bounded: the oldest go")
    func slowListener() async throws {
        try await withManual(configure: { $0.eventsPerListener = 2 }) { member, manual in
            let slow = await member.pubsub.events()
            let topics = (0..<6).map { "\($0)" }
            let (peer, stream) = (manual.node.peerID, try await manual.open(to: member.peerID))
            try await stream.write(frame { $0.subscriptions = topics.map { .init(subscribes: true, topic: $0) } })
            try await awaitSubscriber(peer, of: "5", at: member)
            // Whoever is answered now comes after all that the last event was told to.
            _ = await member.pubsub.topics()
            var events = slow.makeAsyncIterator()
            #expect(await events.next() == .peerSubscribed(peer, topic: "4"))
            #expect(await events.next() == .peerSubscribed(peer, topic: "5"))
            #expect(await member.pubsub.droppedEvents() >= 4)
        }
    }

    @Test("a message of nearly a megabyte arrives, a larger one is refused")
    func large() async throws {
        try await withMembers(2) { members in
            let (one, other) = (members[0], members[1])
            let heard = try await other.pubsub.subscribe(to: "t")
            try await connect(one, other)
            try await awaitSubscriber(other.peerID, of: "t", at: one)
            let data = [UInt8](repeating: 5, count: 1_048_000)
            try await one.pubsub.publish(data, to: "t")
            #expect(try await next(1, of: heard).first?.data == data)
            await #expect(throws: GossipSubError.self) {
                try await one.pubsub.publish([UInt8](repeating: 5, count: 1 << 20), to: "t")
            }
        }
    }

    @Test("figures without a bound are figures")
    func unboundedPeers() async throws {
        try await withMembers(1, configure: { $0.limits.maximumPeers = .max }) { members in
            #expect(await members[0].pubsub.topics().isEmpty)
        }
    }

    @Test("a peer that takes nothing loses our stream at the write's time, and gets another")
    func stalledPeer() async throws {
        try await withManual(configure: { $0.writeTimeout = .milliseconds(100) }) { member, manual in
            var streams = manual.streams.makeAsyncIterator()
            let stalled = try #require(await streams.next())
            let stream = try await manual.open(to: member.peerID)
            try await stream.write(frame { $0.subscriptions = [.init(subscribes: true, topic: "t")] })
            try await awaitSubscriber(manual.node.peerID, of: "t", at: member)
            // More than a window and what a stream holds on top of it.
            for _ in 0..<3 { try await member.pubsub.publish([UInt8](repeating: 7, count: 400_000), to: "t") }
            #expect(await streams.next() != nil)
            await #expect(throws: P2PError.self) { while try await stalled.read() != nil {} }
        }
    }
}
