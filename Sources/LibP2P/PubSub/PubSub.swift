import NIOCore
import P2PSwarm
import Synchronization

/// Publish and subscribe by GossipSub: messages that reach every subscriber of a topic through a mesh of peers.
///
/// ```swift
/// let pubsub = PubSub(node: node)
/// try await node.start()
/// let messages = try await pubsub.subscribe(to: "chat")
/// try await pubsub.publish(Array("hello".utf8), to: "chat")
/// for await message in messages { print(message.from, message.data) }
/// ```
///
/// Make it before the node starts, so that peers learn of it at once. It opens a stream to every peer that names a meshsub
/// protocol and has a connection no relay limits, and writes only there; on the stream such a peer opens it only reads. All
/// messages are signed and checked; forged ones are neither delivered nor forwarded, and count against who brought them.
///
/// The connections that messages travel on are the last to be closed for being too many: a peer carries the tag `pubsub:mesh`
/// (`Node.tag`) for as long as it is in a mesh, and direct peers are protected (`Node.protect`).
///
/// Thread-safe. What strangers can make it hold is bounded by `GossipSubLimits`.
public final class PubSub: Sendable {
    /// What can be set.
    public struct Configuration: Sendable {
        /// The protocol's figures; each is moved into its range.
        public var parameters = GossipSubParameters()
        /// What strangers may make us hold.
        public var limits = GossipSubLimits.ofThisMachine
        /// How peers are judged.
        public var scoring = GossipSubScoring()
        /// Peers that get every message and stay connected.
        public var directPeers: [PeerID] = []
        /// Whether our own messages come back to our own subscriptions.
        public var deliversOwnMessages = false
        /// Messages kept for one slow subscription; past it the oldest are dropped and counted, see `PubSub.droppedMessages`.
        public var messagesPerSubscription = 1_024
        /// Bytes kept for one slow subscription, a message's payload counted twice, since it is kept as it travels too; past
        /// it new messages are dropped and counted.
        public var bytesPerSubscription = 16 << 20
        /// Events kept for one slow listener; past it the oldest are dropped and counted, see `PubSub.droppedEvents`.
        public var eventsPerListener = 1_024
        /// Longest time one frame may take to be written before the stream is given up.
        public var writeTimeout: Duration = .seconds(30)
        /// Validators at work at one time; further messages wait, within `GossipSubLimits.maximumPendingMessages`.
        public var concurrentValidations = 256

        /// The defaults.
        public init() {}
    }

    /// The tag of a peer that is in a mesh.
    static let meshTag = "pubsub:mesh"
    /// What each mesh that a peer is in adds to that tag: more than a peer of which nothing is known, which has 0. The figure is
    /// that of go-libp2p-pubsub's first tags; today it protects mesh peers, which we leave to the owner and the operator: whoever
    /// is in a mesh may be a stranger.
    static let meshTagValue = 20
    /// Further meshes of one peer add nothing: whoever joins all of ours is worth no more than what an operator tags.
    static let meshesThatCount = 4
    /// Why the connections of direct peers are kept.
    static let directPeerReason = "pubsub:direct"

    /// The node it belongs to.
    public let node: Node
    let router: PubSubRouter

    /// Adds GossipSub to a node: one for each, and before the node starts. Peers that are connected already hear of it only
    /// some seconds later.
    public init(node: Node, configuration: Configuration = Configuration()) {
        self.node = node
        let router = PubSubRouter(node: node, configuration: configuration)
        self.router = router
        // A peer that begins anew has two streams for a moment.
        let (streams, isBeyond) = configuration.limits.maximumPeers.multipliedReportingOverflow(by: 2)
        var limits = HandlerLimits(streams: isBeyond ? .max : streams, streamsPerPeer: 8)
        limits.allowsLimitedConnection = false
        for protocolID in GossipSubVersion.offered {
            node.setHandler(for: protocolID, limits: limits) { [weak router] stream in
                guard let router else { return stream.reset() }
                await PubSubInbound.run(stream, for: router, maximumFrameBytes: configuration.limits.maximumFrameBytes)
            }
        }
        let events = node.events()
        Task { [weak router] in
            await router?.wake()
            for await event in events {
                guard let router else { return }
                await router.handle(event)
            }
            await router?.stop()
        }
        node.addShutdownHook { [weak router] in await router?.drain() }
    }

    /// Follows a topic. The subscription ends when it, or a task that waits for its next message, is cancelled, when it is no
    /// longer referenced, or when the node stops; with the last one the topic is left.
    ///
    /// - Parameters:
    ///   - topic: 1 to 1,024 bytes of UTF-8.
    ///   - validator: asked before a message is delivered to anybody and forwarded; it should answer within a second, because
    ///     peers ask each other again after that. Several run at once, so an author's messages may change places. The
    ///     validator given last counts for the topic.
    /// - Throws: `GossipSubError` for an unusable topic or too many of them; `P2PError` with `.notRunning` after the node's stop.
    public func subscribe(
        to topic: String, validator: (@Sendable (PubSubMessage) async -> GossipVerdict)? = nil
    ) async throws -> PubSubSubscription {
        try await router.subscribe(to: topic, validator: validator)
    }

    /// Signs and publishes a message; subscribed or not. Returns when it is on its way to the mesh, or kept for gossip if there
    /// is nobody yet.
    ///
    /// - Parameter topic: 1 to 1,024 bytes of UTF-8.
    /// - Throws: `GossipSubError` for an unusable topic, or a message beyond 1 MiB less some hundred bytes; `KeyError`; `P2PError`
    ///   with `.notRunning`.
    /// - Returns: the message's id.
    @discardableResult
    public func publish(_ data: some Collection<UInt8> & Sendable, to topic: String) async throws -> MessageID {
        try await router.publish(Array(data), to: topic)
    }

    /// The topics we follow.
    public func topics() async -> [String] { await router.topics }

    /// The connected peers that follow a topic.
    public func peers(of topic: String) async -> [PeerID] { await router.peers(of: topic) }

    /// The peers that our messages of a topic go to.
    public func meshPeers(of topic: String) async -> [PeerID] { await router.meshPeers(of: topic) }

    /// A peer's score; below 0 it is kept out of meshes.
    public func score(of peer: PeerID) async -> Double { await router.score(of: peer) }

    /// The application's own opinion of a peer (P5 of the score), connected or not; 0 is neutral. It outlives connections,
    /// unless there are too many (`GossipSubLimits.maximumApplicationScores`).
    public func setApplicationScore(of peer: PeerID, to score: Double) async {
        await router.setApplicationScore(of: peer, to: score)
    }

    /// What happened so far.
    public func counts() async -> GossipSubCounts { await router.counts }

    /// Messages that slow subscriptions lost, in all.
    public func droppedMessages() async -> Int { await router.droppedMessages }

    /// Peers that begin or cease to follow a topic, and that enter or leave our meshes, from now on. Bounded: a slow listener loses
    /// the oldest, see `Configuration.eventsPerListener`; then `peers(of:)` and `meshPeers(of:)` tell how things are. Ends when the
    /// node stops. A task that is cancelled while it waits for an event ends the sequence; ask for another then.
    public func events() async -> AsyncStream<PubSubEvent> { await router.events() }

    /// Events that slow listeners lost, in all.
    public func droppedEvents() async -> Int { await router.droppedEvents }

    /// Waits until everything published so far is written, for instance a goodbye; at most a second.
    public func drain() async { await router.drain() }
}

/// A message that passed all checks.
public struct PubSubMessage: Sendable, Hashable {
    /// The author, proved by the signature.
    public let from: PeerID
    /// The payload.
    public let data: [UInt8]
    /// The topic.
    public let topic: String
    /// The author's counter.
    public let sequence: UInt64
    /// The neighbour that brought it; ourselves for our own messages.
    public let receivedFrom: PeerID
    /// The message as it travels, with signature.
    public let encoded: ArraySlice<UInt8>

    init(_ message: GossipMessage, receivedFrom: PeerID) {
        from = message.source
        data = Array(message.data)
        topic = message.topic
        sequence = message.sequence
        self.receivedFrom = receivedFrom
        encoded = message.encoded
    }
}

/// Who listens to what, and who is in the meshes of the topics that we follow.
///
/// Topics are the strangers' own words where we do not follow them: `description` escapes them, and whoever shows them has to.
public enum PubSubEvent: Sendable, Hashable, CustomStringConvertible {
    /// The peer follows the topic now.
    case peerSubscribed(PeerID, topic: String)
    /// The peer follows the topic no longer, or is gone.
    case peerUnsubscribed(PeerID, topic: String)
    /// The peer is in our mesh of the topic now, by its GRAFT or ours. One `pruned` follows, unless the node stops before.
    case grafted(PeerID, topic: String)
    /// The peer is out of our mesh of the topic, and why.
    case pruned(PeerID, topic: String, reason: PruneReason)

    /// For people and logs; a topic is cut and escaped.
    public var description: String {
        switch self {
        case .peerSubscribed(let peer, let topic): "\(peer) follows the topic \(brief(topic))"
        case .peerUnsubscribed(let peer, let topic): "\(peer) follows the topic \(brief(topic)) no longer"
        case .grafted(let peer, let topic): "\(peer) is in the mesh of the topic \(brief(topic))"
        case .pruned(let peer, let topic, let reason):
            "\(peer) is out of the mesh of the topic \(brief(topic)): \(reason)"
        }
    }
}

/// The messages of a topic, from the moment of subscription on.
///
/// Bounded: a reader that falls behind by more than `PubSub.Configuration.messagesPerSubscription` loses the oldest ones, by
/// more than `bytesPerSubscription` the newest. A task that is cancelled while it waits for a message ends the subscription, as
/// `cancel()` does.
public final class PubSubSubscription: AsyncSequence, Sendable {
    /// The topic.
    public let topic: String
    let queue: SubscriptionQueue

    init(topic: String, queue: SubscriptionQueue) {
        self.topic = topic
        self.queue = queue
    }

    deinit { queue.finish() }

    /// Ends the subscription: the sequence ends, and the topic is left if this was the last one.
    public func cancel() { queue.finish() }

    /// Iterates once; a second iterator shares the messages with the first. Keeps the subscription alive.
    public func makeAsyncIterator() -> Iterator { Iterator(subscription: self, base: queue.makeIterator()) }

    /// Hands out message after message.
    public struct Iterator: AsyncIteratorProtocol {
        let subscription: PubSubSubscription
        var base: AsyncStream<PubSubMessage>.Iterator

        /// The next message; nil when the subscription has ended.
        public mutating func next() async -> PubSubMessage? {
            guard let message = await base.next() else { return nil }
            subscription.queue.taken(message)
            return message
        }
    }
}
