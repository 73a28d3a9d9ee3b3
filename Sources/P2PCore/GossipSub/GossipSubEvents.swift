public import PeerIdentity

/// What the adapter has to do after a call.
///
/// In order. Payload handed out is shared, not copied.
public enum GossipSubAction: Sendable, Hashable {
    /// Write the frame, length included, to the outbound stream of the peer, then call `wrote(to:now:)`. There is never
    /// a second frame for a peer before that call.
    case send(PeerID, frame: [UInt8])
    /// Check the signature (`GossipMessage.verify()`, off the event loop), then call `verified(_:_:now:)`.
    case verify(GossipTicket, GossipMessage)
    /// Ask the application about the message, then call `validated(_:_:now:)`. Only for topics joined with validation.
    case validate(GossipTicket, GossipMessage, from: PeerID)
    /// Hand the message to the subscribers of its topic.
    case deliver(GossipMessage, from: PeerID)
    /// The peer follows the topic now.
    case peerSubscribed(PeerID, topic: String)
    /// The peer follows the topic no longer, or is gone.
    case peerUnsubscribed(PeerID, topic: String)
    /// The peer is in the mesh of the topic now. For each of these one `.pruned` follows, once it is not any more.
    case grafted(PeerID, topic: String)
    /// The peer is out of the mesh of the topic, and why.
    case pruned(PeerID, topic: String, reason: PruneReason)
    /// The peer's stream carried garbage: reset it. The peer itself stays.
    case resetInbound(PeerID)
    /// A frame that the peer has begun takes too long, or too much of the room for such frames: reset its stream. The peer
    /// itself stays, and nothing is held against it.
    case abandonInbound(PeerID)
    /// No room for another peer: open no stream to it, and reset its own.
    case refuse(PeerID)
    /// A peer that should always be connected is not: dial it.
    case connect(PeerID)
}

/// Why a peer is out of a mesh that it was in.
public enum PruneReason: Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// The peer sent PRUNE.
    case prunedByPeer
    /// The peer follows the topic no longer.
    case peerLeft
    /// We left the topic, and sent PRUNE.
    case left
    /// The peer's score fell below 0, and we sent PRUNE.
    case badScore
    /// The mesh had `GossipSubParameters.meshDegreeHigh` peers or more, and we sent PRUNE to those past `meshDegree`.
    case crowded
    /// The stream that we write to the peer ended, perhaps with the connection.
    case streamEnded

    /// For people and logs.
    public var description: String {
        switch self {
        case .prunedByPeer: "the peer sent PRUNE"
        case .peerLeft: "the peer left the topic"
        case .left: "we left the topic"
        case .badScore: "the peer's score fell below 0"
        case .crowded: "the mesh had too many peers"
        case .streamEnded: "the stream to the peer ended"
        }
    }
}

/// Names a message that is being checked.
public struct GossipTicket: Hashable, Sendable {
    let number: UInt64
}

/// What the application says about a message.
public enum GossipVerdict: Sendable, Hashable {
    /// Deliver and forward.
    case accept
    /// Drop, and blame the forwarder: the content breaks the topic's rules.
    case reject
    /// Drop without blame.
    case ignore
}

/// The protocol a peer chose for the stream we write to.
public enum GossipSubVersion: Int, Sendable, Hashable, Comparable, CaseIterable {
    /// Mesh and gossip only.
    case v1_0
    /// Back-off in PRUNE, scores.
    case v1_1
    /// IDONTWANT.
    case v1_2

    /// The protocol id, `/meshsub/` and the version.
    public var protocolID: ProtocolID {
        switch self {
        case .v1_0: "/meshsub/1.0.0"
        case .v1_1: "/meshsub/1.1.0"
        case .v1_2: "/meshsub/1.2.0"
        }
    }

    /// The version with this protocol id.
    public init?(protocolID: ProtocolID) {
        guard let version = Self.allCases.first(where: { $0.protocolID == protocolID }) else { return nil }
        self = version
    }

    /// By age.
    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    /// What this node offers, in order of preference. FloodSub is not among them: its peers follow no mesh rules.
    public static var offered: [ProtocolID] { allCases.reversed().map(\.protocolID) }
}

/// Why a call on `GossipSub` is refused.
public enum GossipSubError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Leave a topic first.
    case tooManyTopics(limit: Int)
    /// Empty, or longer than the limit.
    case invalidTopic(limitBytes: Int)
    /// The message would not fit a frame.
    case messageTooLarge(bytes: Int, limitBytes: Int)

    /// The cause, and what to do.
    public var description: String {
        switch self {
        case .tooManyTopics(let limit): "\(limit) topics are joined, as many as may be: leave one first"
        case .invalidTopic(let limit): "the topic is empty or too long: a name has 1 to \(limit) bytes of UTF-8"
        case .messageTooLarge(let bytes, let limit):
            "the message has \(bytes) bytes with topic and signature, and may have \(limit): send it in parts"
        }
    }
}

/// What happened since the machine was made; the adapter reports the differences.
public struct GossipSubCounts: Sendable, Hashable {
    /// Frames handed out for writing.
    public var framesSent: UInt64 = 0
    /// Frames read.
    public var framesReceived: UInt64 = 0
    /// Messages put in frames.
    public var messagesSent: UInt64 = 0
    /// Messages accepted: each id once.
    public var messagesAccepted: UInt64 = 0
    /// Further copies of a message.
    public var duplicates: UInt64 = 0
    /// Messages of broken shape, forged, or rejected by the application.
    public var messagesRejected: UInt64 = 0
    /// Messages ignored by the application or not verifiable.
    public var messagesIgnored: UInt64 = 0
    /// Messages dropped because too many were being checked, or not even read because too many of that peer had been.
    public var messagesThrottled: UInt64 = 0
    /// Streams given up because of a frame that was begun and not ended.
    public var framesAbandoned: UInt64 = 0
    /// Messages dropped because a peer did not read fast enough, or because all peers together did not.
    public var messagesDroppedForSlowPeers: UInt64 = 0
    /// Messages of topics we do not follow.
    public var messagesOfOtherTopics: UInt64 = 0
    /// Frames dropped unread because of the sender's score.
    public var framesGraylisted: UInt64 = 0
    /// Entries of RPCs past a limit.
    public var entriesOverLimit: UInt64 = 0
    /// Topics of peers that were not remembered because those of all peers together take too much room.
    public var topicsWithoutRoom: UInt64 = 0
    /// Streams of peers that were refused because too many peers are known.
    public var peersRefused: UInt64 = 0
    /// GRAFTs sent.
    public var graftsSent: UInt64 = 0
    /// PRUNEs sent.
    public var prunesSent: UInt64 = 0
    /// Ids asked for with IWANT.
    public var idsWanted: UInt64 = 0
    /// Messages served on IWANT.
    public var messagesServed: UInt64 = 0
    /// Promises peers did not keep.
    public var promisesBroken: UInt64 = 0

    /// Nothing has happened yet.
    public init() {}

    /// The limits that were reached since `earlier`, each once, by name.
    public func limitsReached(since earlier: GossipSubCounts) -> [LimitName] {
        var names: [LimitName] = []
        if peersRefused != earlier.peersRefused { names.append(.gossipPeers) }
        if topicsWithoutRoom != earlier.topicsWithoutRoom { names.append(.topicBytes) }
        if messagesThrottled != earlier.messagesThrottled { names.append(.pendingChecks) }
        if messagesDroppedForSlowPeers != earlier.messagesDroppedForSlowPeers { names.append(.gossipQueues) }
        if framesAbandoned != earlier.framesAbandoned { names.append(.partialFrames) }
        if entriesOverLimit != earlier.entriesOverLimit { names.append(.controlEntries) }
        return names
    }
}
