import LibP2P
import Testing

/// How subscriptions end.
extension PubSubTests {
    @Test("a task that is cancelled while it waits for a message ends the subscription, and the topic is left")
    func cancelledReader() async throws {
        try await withMembers(2) { members in
            var events = await members[0].pubsub.events().makeAsyncIterator()
            try await connect(members[0], members[1])
            let subscription = try await members[1].pubsub.subscribe(to: "t")
            #expect(await events.next() == .peerSubscribed(members[1].peerID, topic: "t"))
            let reader = Task {
                var messages = subscription.makeAsyncIterator()
                return await messages.next()
            }
            reader.cancel()
            #expect(await reader.value == nil)
            #expect(await events.next() == .peerUnsubscribed(members[1].peerID, topic: "t"))
            #expect(await members[1].pubsub.topics().isEmpty)
            // It is held to the end: that nobody refers to it would end it too.
            #expect(await subscription.first(where: { _ in true }) == nil)
        }
    }
}
