import LibP2P

/// What the daemon asks of GossipSub.
protocol TopicRouter: Sendable {
    /// The topics that we have subscribed to.
    func topics() async -> [String]
    /// The connected peers that have subscribed to a topic.
    func peers(of topic: String) async -> [PeerID]
    /// Publishes a message.
    func publish(_ data: [UInt8], to topic: String) async throws
    /// Subscribes; ending the stream unsubscribes.
    func subscribe(to topic: String) async throws -> AsyncStream<TopicMessage>
}
