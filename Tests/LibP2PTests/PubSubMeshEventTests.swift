import GoopTestKit
import LibP2P
import Testing

/// What listeners hear of meshes.
extension PubSubTests {
    @Test("who enters our meshes is told, and who leaves them, with the reason")
    func meshEvents() async throws {
        try await withMembers(2) { members in
            let (one, other) = (members[0], members[1])
            let events = await one.pubsub.events()
            let topics = ["t", "u", "v"]
            var ours: [PubSubSubscription] = []
            var theirs: [PubSubSubscription] = []
            for topic in topics {
                ours.append(try await one.pubsub.subscribe(to: topic))
                theirs.append(try await other.pubsub.subscribe(to: topic))
            }
            try await connect(one, other)
            var told = events.filter { event in
                switch event {
                case .grafted, .pruned: true
                case .peerSubscribed, .peerUnsubscribed: false
                }
            }.makeAsyncIterator()
            var grafted: Set<PubSubEvent> = []
            while grafted.count < 3, let event = await told.next() { grafted.insert(event) }
            #expect(grafted == Set(topics.map { PubSubEvent.grafted(other.peerID, topic: $0) }))
            theirs[0].cancel()
            #expect(await told.next() == .pruned(other.peerID, topic: "t", reason: .peerLeft))
            #expect(await one.pubsub.meshPeers(of: "t") == [])
            ours[1].cancel()
            #expect(await told.next() == .pruned(other.peerID, topic: "u", reason: .left))
            await one.node.disconnect(other.peerID)
            #expect(await told.next() == .pruned(other.peerID, topic: "v", reason: .streamEnded))
            await one.node.stop()
            #expect(await told.next() == nil)
            _ = (ours, theirs)
        }
    }

    @Test("events of pubsub are sentences, and a stranger's topic cannot break out of them")
    func eventWords() {
        let peer = PrivateKey.generate().peerID
        let told: [(PubSubEvent, String)] = [
            (.peerSubscribed(peer, topic: "a\nb"), #"\#(peer) follows the topic a\nb"#),
            (.peerUnsubscribed(peer, topic: "t"), "\(peer) follows the topic t no longer"),
            (.grafted(peer, topic: "t"), "\(peer) is in the mesh of the topic t"),
            (.pruned(peer, topic: "t", reason: .badScore), "of the topic t: \(PruneReason.badScore)"),
        ]
        for (event, words) in told {
            #expect(isInWords(event) && event.description.hasSuffix(words), "\(event)")
        }
        let long = PubSubEvent.peerSubscribed(peer, topic: String(repeating: "x", count: 1_024))
        #expect(long.description.count < 400)
    }
}
