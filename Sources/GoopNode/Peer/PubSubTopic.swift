import LibP2P

/// The presence topic over GossipSub.
struct PubSubTopic: PresenceTopic {
    let node: Node
    let name: String

    func publish(_ bytes: [UInt8]) async {}

    func events() async throws -> AsyncStream<PresenceTopicEvent> { AsyncStream { _ in } }
}
