public import Multiformats

/// What one peer tells another in one frame: subscriptions, messages, mesh control.
///
/// Wire shape (protobuf): 1 subscriptions* (1 subscribe bool, 2 topic string), 2 publish Message*, 3 control (1 ihave*,
/// 2 iwant*, 3 graft*, 4 prune*, 5 idontwant*). On a stream each RPC follows its length as a varint.
///
/// Decoding keeps what the limits allow and counts the rest in `ignoredEntries`: a peer with more topics than we care
/// for is not an enemy, it is only not heard in full. Unknown fields are skipped.
///
/// Source: libp2p pubsub specification, "The RPC"; gossipsub v1.0, v1.1 and v1.2, "Protobuf".
public struct GossipRPC: Hashable, Sendable {
    /// A topic the sender follows, or no longer follows.
    public struct Subscription: Hashable, Sendable {
        /// True for subscribe, false for unsubscribe.
        public var subscribes: Bool
        /// The topic.
        public var topic: String

        /// Makes a subscription entry.
        public init(subscribes: Bool, topic: String) {
            self.subscribes = subscribes
            self.topic = topic
        }
    }

    /// "These messages of this topic can be had from me."
    public struct Have: Hashable, Sendable {
        /// The topic.
        public var topic: String
        /// Their ids.
        public var ids: [MessageID]

        /// Makes an IHAVE entry.
        public init(topic: String, ids: [MessageID]) {
            self.topic = topic
            self.ids = ids
        }
    }

    /// "You are out of my mesh of this topic."
    public struct Prune: Hashable, Sendable {
        /// The topic.
        public var topic: String
        /// Seconds before the receiver may ask back in; nil from a v1.0 peer. Of a received one 0 counts as nil.
        public var backoffSeconds: UInt64?

        /// Makes a PRUNE entry.
        public init(topic: String, backoffSeconds: UInt64?) {
            self.topic = topic
            self.backoffSeconds = backoffSeconds
        }
    }

    /// Changes of what the sender follows.
    public var subscriptions: [Subscription] = []
    /// Messages, still encoded: each is parsed on its own, so that a bad one does not take the others along.
    public var messages: [ArraySlice<UInt8>] = []
    /// IHAVE.
    public var have: [Have] = []
    /// IWANT, all entries in one.
    public var want: [MessageID] = []
    /// GRAFT: the topics.
    public var graft: [String] = []
    /// PRUNE. Peers offered for exchange are not read: this node never dials on a stranger's word.
    public var prune: [Prune] = []
    /// IDONTWANT, all entries in one.
    public var dontWant: [MessageID] = []
    /// How many entries were skipped: past a limit, without a topic, or with an id of unusable length.
    public private(set) var ignoredEntries = 0

    /// An empty RPC.
    public init() {}

    /// Reads one frame's body.
    ///
    /// - Throws: `ProtobufError` when the bytes are no protobuf message; the stream cannot be trusted after that.
    public init(decoding body: ArraySlice<UInt8>, limits: GossipSubLimits = .init()) throws(ProtobufError) {
        var controlBytes = 0
        var idCount = 0
        var reader = ProtobufReader(body)
        while let field = try reader.next() {
            guard let bytes = field.bytes else { continue }
            switch field.number {
            case 1:
                guard subscriptions.count < limits.maximumSubscriptionsPerRPC,
                    let subscription = try Self.subscription(bytes, limits: limits)
                else {
                    ignoredEntries += 1
                    continue
                }
                subscriptions.append(subscription)
            case 2:
                guard messages.count < limits.maximumMessagesPerRPC else {
                    ignoredEntries += 1
                    continue
                }
                messages.append(bytes)
            case 3:
                controlBytes += bytes.count
                guard controlBytes <= limits.maximumControlBytesPerRPC else {
                    ignoredEntries += 1
                    continue
                }
                try readControl(bytes, limits: limits, idCount: &idCount)
            default: continue
            }
        }
    }

    /// The body of a frame, without its length.
    public func encode() -> [UInt8] {
        var writer = ProtobufWriter()
        for subscription in subscriptions { writer.append(1, message: Self.encode(subscription)) }
        for message in messages { writer.append(2, bytes: message) }
        var control = ProtobufWriter()
        for entry in have { control.append(1, message: Self.encode(entry)) }
        if !want.isEmpty { control.append(2, message: Self.encode(ids: want)) }
        for topic in graft { control.append(3, message: Self.encode(graft: topic)) }
        for entry in prune { control.append(4, message: Self.encode(entry)) }
        if !dontWant.isEmpty { control.append(5, message: Self.encode(ids: dontWant)) }
        if !control.bytes.isEmpty { writer.append(3, message: control) }
        return writer.bytes
    }

    static func encode(_ subscription: Subscription) -> ProtobufWriter {
        var writer = ProtobufWriter()
        writer.append(1, bool: subscription.subscribes)
        writer.append(2, string: subscription.topic)
        return writer
    }

    static func encode(_ have: Have) -> ProtobufWriter {
        var writer = ProtobufWriter()
        writer.append(1, string: have.topic)
        for id in have.ids { writer.append(2, bytes: id.bytes) }
        return writer
    }

    static func encode(ids: some Sequence<MessageID>) -> ProtobufWriter {
        var writer = ProtobufWriter()
        for id in ids { writer.append(1, bytes: id.bytes) }
        return writer
    }

    static func encode(graft topic: String) -> ProtobufWriter {
        var writer = ProtobufWriter()
        writer.append(1, string: topic)
        return writer
    }

    static func encode(_ prune: Prune) -> ProtobufWriter {
        var writer = ProtobufWriter()
        writer.append(1, string: prune.topic)
        if let seconds = prune.backoffSeconds { writer.append(3, varint: seconds) }
        return writer
    }

    private mutating func readControl(
        _ control: ArraySlice<UInt8>, limits: GossipSubLimits, idCount: inout Int
    ) throws(ProtobufError) {
        var reader = ProtobufReader(control)
        while let field = try reader.next() {
            guard let bytes = field.bytes else { continue }
            let entries = have.count + graft.count + prune.count
            switch field.number {
            case 1 where entries < limits.maximumControlEntriesPerRPC:
                let (topic, ids) = try readIDs(bytes, topicField: 1, idField: 2, limits: limits, idCount: &idCount)
                if let topic { have.append(Have(topic: topic, ids: ids)) } else { ignoredEntries += 1 }
            case 2:
                want += try readIDs(bytes, topicField: nil, idField: 1, limits: limits, idCount: &idCount).ids
            case 3 where entries < limits.maximumControlEntriesPerRPC:
                if let topic = try Self.topic(bytes, limits: limits) {
                    graft.append(topic)
                } else {
                    ignoredEntries += 1
                }
            case 4 where entries < limits.maximumControlEntriesPerRPC:
                if let entry = try Self.prune(bytes, limits: limits) {
                    prune.append(entry)
                } else {
                    ignoredEntries += 1
                }
            case 5:
                dontWant += try readIDs(bytes, topicField: nil, idField: 1, limits: limits, idCount: &idCount).ids
            case 1, 3, 4: ignoredEntries += 1
            default: continue
            }
        }
    }

    private mutating func readIDs(
        _ bytes: ArraySlice<UInt8>, topicField: Int?, idField: Int, limits: GossipSubLimits, idCount: inout Int
    ) throws(ProtobufError) -> (topic: String?, ids: [MessageID]) {
        var topic: String?
        var ids: [MessageID] = []
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            if field.number == topicField {
                topic = Self.usable(field.string, limits: limits)
            } else if field.number == idField, let id = field.bytes {
                guard idCount < limits.maximumIDsPerRPC, !id.isEmpty, id.count <= limits.maximumIDBytes else {
                    ignoredEntries += 1
                    continue
                }
                idCount += 1
                ids.append(MessageID(id))
            }
        }
        return (topic, ids)
    }

    private static func subscription(
        _ bytes: ArraySlice<UInt8>, limits: GossipSubLimits
    ) throws(ProtobufError) -> Subscription? {
        var subscribes = false
        var topic: String?
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: subscribes = field.bool ?? false
            case 2: topic = usable(field.string, limits: limits)
            default: continue
            }
        }
        return topic.map { Subscription(subscribes: subscribes, topic: $0) }
    }

    private static func prune(_ bytes: ArraySlice<UInt8>, limits: GossipSubLimits) throws(ProtobufError) -> Prune? {
        var topic: String?
        var backoff: UInt64?
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            switch field.number {
            case 1: topic = usable(field.string, limits: limits)
            case 3: backoff = field.varint
            default: continue
            }
        }
        return topic.map { Prune(topic: $0, backoffSeconds: backoff) }
    }

    private static func topic(_ bytes: ArraySlice<UInt8>, limits: GossipSubLimits) throws(ProtobufError) -> String? {
        var topic: String?
        var reader = ProtobufReader(bytes)
        while let field = try reader.next() {
            if field.number == 1 { topic = usable(field.string, limits: limits) }
        }
        return topic
    }

    private static func usable(_ topic: String?, limits: GossipSubLimits) -> String? {
        guard let topic, !topic.isEmpty, topic.utf8.count <= limits.maximumTopicBytes else { return nil }
        return topic
    }
}
