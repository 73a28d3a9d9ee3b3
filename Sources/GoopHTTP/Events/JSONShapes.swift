import FoundationEssentials
import GoopCore
import PeerIdentity

/// JSON without line ends, as one answer or one event.
enum JSONText {
    /// The text of a value as UTF-8; `null` for a value that has no JSON form, which none of ours is.
    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        return (try? encoder.encode(value)).map { [UInt8]($0) } ?? Array("null".utf8)
    }
}

// MARK: - The viewer's own pages

/// The list as a page gets it when it connects.
struct ViewerSnapshot: Encodable {
    let owner: ViewerOwner
    let peers: [ViewerPeer]

    init(owner: SelfProfile, peers: [PeerEntry]) {
        self.owner = ViewerOwner(
            id: owner.id.base58, label: owner.label, picture: owner.avatarHash.isEmpty ? nil : owner.avatarHash)
        self.peers = peers.map(ViewerPeer.init)
    }
}

struct ViewerOwner: Encodable {
    let id: String
    let label: String
    /// Names the picture at `/api/avatar`; left out without one.
    let picture: String?
}

/// One row of the list.
struct ViewerPeer: Encodable {
    /// `arriving`: announced, but no connection or probe has said yes or no.
    enum State: String, Encodable { case online, arriving, unreachable, offline }

    let id: String
    let label: String
    let state: State
    let path: String
    let reason: String?
    /// True if an offline peer has said itself that it goes; left out if it only fell silent.
    let left: Bool?
    let lastSeen: Int64
    let favorite: Bool
    let verified: Bool
    /// The owner's own name for the peer; left out when there is none.
    let petname: String?
    /// True or left out.
    let muted: Bool?
    /// The favourite whose name this other key bears.
    let resembles: String?
    /// True if that favourite only calls itself so, and its petname is another one; left out otherwise.
    let resemblesLabelOnly: Bool?
    /// Names the picture at `/api/avatar/peer/<id>`; left out without one, and of muted peers.
    let picture: String?

    init(_ entry: PeerEntry) {
        id = entry.id.base58
        label = entry.label
        if entry.offline {
            state = .offline
        } else if entry.reachable {
            state = .online
        } else {
            state = entry.isArriving ? .arriving : .unreachable
        }
        path = entry.path.rawValue
        reason = entry.unreachableReason
        left = entry.saidGoodbye ? true : nil
        lastSeen = entry.lastSeenMilliseconds
        favorite = entry.favorite
        verified = entry.verified
        petname = entry.petname.isEmpty ? nil : entry.petname
        muted = entry.isMuted ? true : nil
        resembles = entry.resembles?.base58
        resemblesLabelOnly = entry.resemblesLabelOnly ? true : nil
        picture = !entry.isMuted && Avatar.isHash(entry.avatarHash) ? entry.avatarHash : nil
    }
}

struct ViewerGone: Encodable {
    let id: String
}

// MARK: - Upstream's shapes

/// `/api/self`.
struct SelfAnswer: Encodable {
    let id, label, email, avatarHash: String

    enum CodingKeys: String, CodingKey {
        case id, label, email
        case avatarHash = "avatar_hash"
    }

    init(_ profile: SelfProfile) {
        id = profile.id.base58
        label = profile.label
        email = profile.email
        avatarHash = profile.avatarHash
    }
}

/// One element of `/api/peers`, whose keys upstream takes from its field names.
struct PeerAnswer: Encodable {
    let entry: PeerEntry

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case content = "Content"
        case email = "Email"
        case avatarHash = "AvatarHash"
        case videoDisabled = "VideoDisabled"
        case activeTemplate = "ActiveTemplate"
        case publicKey = "PublicKey"
        case verified = "Verified"
        case reachable = "Reachable"
        case offline = "Offline"
        case lastSeen = "LastSeen"
        case favorite = "Favorite"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(entry.id.base58, forKey: .id)
        try container.encode(entry.label, forKey: .content)
        try container.encode(entry.email, forKey: .email)
        try container.encode(entry.avatarHash, forKey: .avatarHash)
        try container.encode(entry.videoDisabled, forKey: .videoDisabled)
        try container.encode(entry.activeTemplate, forKey: .activeTemplate)
        try container.encodeIfPresent(entry.publicKey, forKey: .publicKey)
        try container.encode(entry.verified, forKey: .verified)
        try container.encode(entry.reachable, forKey: .reachable)
        try container.encode(entry.offline, forKey: .offline)
        try container.encode(HTTPDate.rfc3339(unixMilliseconds: entry.lastSeenMilliseconds), forKey: .lastSeen)
        try container.encode(entry.favorite, forKey: .favorite)
    }
}

/// One `message` event of `/api/mq/events`.
struct QueueMessage<Payload: Encodable>: Encodable {
    struct Envelope: Encodable {
        let type = "msg"
        let id: String
        let seq: UInt64
        let topic: String
        let payload: Payload
    }

    let type = "message"
    let msg: Envelope
    /// Empty: the event comes from the own peer.
    let from = ""

    init(sequence: UInt64, topic: String, payload: Payload) {
        msg = Envelope(id: UUID().uuidString.lowercased(), seq: sequence, topic: topic, payload: payload)
    }

    enum CodingKeys: CodingKey { case type, msg, from }
}

/// Payload of topic `peer:announce`; optional keys are left out when empty or false, as upstream does.
struct QueueAnnounce: Encodable {
    let entry: PeerEntry

    init(_ entry: PeerEntry) {
        self.entry = entry
    }

    enum CodingKeys: String, CodingKey {
        case peerID, content, email, avatarHash, videoDisabled, activeTemplate, publicKey, encryptionSupported, verified
        case goopClientVersion, reachable, offline, lastSeen, favorite
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(entry.id.base58, forKey: .peerID)
        try container.encode(entry.label, forKey: .content)
        try container.encodeUnlessEmpty(entry.email, forKey: .email)
        try container.encodeUnlessEmpty(entry.avatarHash, forKey: .avatarHash)
        try container.encodeIfTrue(entry.videoDisabled, forKey: .videoDisabled)
        try container.encodeUnlessEmpty(entry.activeTemplate, forKey: .activeTemplate)
        try container.encodeUnlessEmpty(entry.publicKey ?? "", forKey: .publicKey)
        try container.encodeIfTrue(entry.encryptionSupported, forKey: .encryptionSupported)
        try container.encodeIfTrue(entry.verified, forKey: .verified)
        try container.encodeUnlessEmpty(entry.clientVersion, forKey: .goopClientVersion)
        try container.encode(entry.reachable, forKey: .reachable)
        try container.encodeIfTrue(entry.offline, forKey: .offline)
        if entry.lastSeenMilliseconds != 0 { try container.encode(entry.lastSeenMilliseconds, forKey: .lastSeen) }
        try container.encodeIfTrue(entry.favorite, forKey: .favorite)
    }
}

/// Payload of topic `peer:gone`.
struct QueueGone: Encodable {
    let peerID: String
}

extension KeyedEncodingContainer {
    fileprivate mutating func encodeUnlessEmpty(_ text: String, forKey key: Key) throws {
        if !text.isEmpty { try encode(text, forKey: key) }
    }

    fileprivate mutating func encodeIfTrue(_ flag: Bool, forKey key: Key) throws {
        if flag { try encode(flag, forKey: key) }
    }
}

/// `/readyz`.
struct ReadinessAnswer: Encodable {
    struct Component: Encodable {
        let name: String
        let ready: Bool
        let detail: String
    }

    let ready: Bool
    let components: [Component]

    init(_ readiness: Readiness) {
        ready = readiness.isReady
        components = readiness.components.map { Component(name: $0.name, ready: $0.isReady, detail: $0.detail) }
    }
}
