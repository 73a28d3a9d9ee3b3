import LibP2P

/// What travels on the presence topic, as the peer uses it.
protocol PresenceTopic: Sendable {
    /// Gives a message to everybody who listens. A message that cannot be sent now is lost: the next one says the same.
    func publish(_ bytes: [UInt8]) async

    /// Waits until what was published is on its way; at most a second.
    func flush() async

    /// Everything that happens on the topic from now on; bounded, the oldest is lost. Ends when the node stops.
    func events() async throws -> AsyncStream<PresenceTopicEvent>
}

/// Something that happened on the presence topic.
enum PresenceTopicEvent: Sendable {
    /// A message whose signature is that of `from`.
    case message(from: PeerID, bytes: [UInt8])
    /// Somebody listens who did not before; so many do now.
    case listenerAppeared(listeners: Int)
}
