import GoopCore
import LibP2P
import Logging
import Testing

@testable import GoopNode

@Suite("Presence: what is passed on", .timeLimit(.minutes(1))) struct PresenceTopicTests {
    private static let topic = "goop.presence.v1"

    private struct Member {
        let node: Node
        let pubsub: PubSub

        init() {
            let listen = [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]
            node = Node(configuration: .init(identity: .generate(), listen: listen))
            pubsub = PubSub(node: node)
        }

        /// Waits until it knows that a peer follows the topic.
        func sees(_ peer: PeerID) async {
            let events = await pubsub.events()
            if await pubsub.peers(of: topic).contains(peer) { return }
            for await event in events where event == .peerSubscribed(peer, topic: topic) { return }
        }
    }

    /// A line of three: what the author says reaches the reader through the one between them only.
    private func withLine(
        _ body: (_ author: Member, _ between: Member, _ reader: Member) async throws -> Void
    ) async throws {
        let line = [Member(), Member(), Member()]
        for member in line { try await member.node.start() }
        do {
            try await body(line[0], line[1], line[2])
            for member in line { await member.node.stop() }
        } catch {
            for member in line { await member.node.stop() }
            throw error
        }
    }

    @Test func aMessageBeyondTheLimitIsNotPassedOnAndNobodyIsBlamed() async throws {
        try await withLine { author, between, reader in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let events = try await PubSubTopic(pubsub: between.pubsub, name: Self.topic, logger: logger).events()
            let heard = try await reader.pubsub.subscribe(to: Self.topic)
            for end in [author, reader] {
                try await end.node.connect(to: between.node.peerID, addresses: between.node.listenAddresses())
            }
            await author.sees(between.node.peerID)
            await between.sees(reader.node.peerID)
            let most = [UInt8](repeating: 7, count: PresenceMessage.Limit.messageBytes)
            try await author.pubsub.publish(most, to: Self.topic)
            var incoming = heard.makeAsyncIterator()
            #expect(await incoming.next()?.data == most)
            try await author.pubsub.publish(most + [7], to: Self.topic)
            // Messages may change places: the last word is that of the one between, and each further one is an event.
            var further: [PubSubMessage] = []
            var counts: GossipSubCounts
            repeat {
                try await author.pubsub.publish([UInt8(clamping: further.count)], to: Self.topic)
                further.append(try #require(await incoming.next()))
                counts = await between.pubsub.counts()
            } while counts.messagesAccepted + counts.messagesIgnored < UInt64(further.count) + 2
            #expect(counts.messagesIgnored == 1 && counts.messagesRejected == 0)
            #expect(further.allSatisfy { $0.data.count == 1 })
            #expect(await between.pubsub.score(of: author.node.peerID) >= 0)
            for await event in events {
                guard case .message(let from, let bytes) = event else { continue }
                #expect(from == author.node.peerID && bytes == most)
                break
            }
        }
    }

    @Test func theLimitIsThatOfAMessageThatIsRead() {
        #expect(PubSubTopic.verdict(bytes: PresenceMessage.Limit.messageBytes) == .accept)
        for bytes in [PresenceMessage.Limit.messageBytes + 1, 1 << 20] {
            #expect(PubSubTopic.verdict(bytes: bytes) == .ignore)
        }
    }
}
