/// What a peer tells the others about itself: the payload of the presence topic.
///
/// Wire shape: one JSON object without line feed, keys in upstream's order, empty values left out except `type`,
/// `peerId` and `ts`. Decoding ignores unknown keys and matches names without regard to ASCII case, as Go does.
/// Source: P2P wire reference, section 3.2.
public struct PresenceMessage: Sendable, Hashable {
    /// The `type` of a message.
    public enum Kind: Sendable, Hashable {
        /// Once, at start.
        case online
        /// Heartbeat, or something changed.
        case update
        /// Goodbye.
        case offline
        /// From a rendezvous server only.
        case punch
        /// A type of a later version: without effect.
        case other(String)

        /// The word on the wire.
        public var name: String {
            switch self {
            case .online: "online"
            case .update: "update"
            case .offline: "offline"
            case .punch: "punch"
            case .other(let name): name
            }
        }

        /// The kind of a word on the wire.
        public init(name: String) {
            switch name {
            case "online": self = .online
            case "update": self = .update
            case "offline": self = .offline
            case "punch": self = .punch
            default: self = .other(name)
            }
        }
    }

    /// Sizes in UTF-8 bytes, and counts.
    public enum Limit {
        /// The whole encoded message: room for every field at its limit, escaped.
        public static let messageBytes = 64 * 1024
        /// `peerId`.
        public static let peerIDBytes = 256
        /// `content`.
        public static let contentBytes = 4096
        /// `email`.
        public static let emailBytes = 320
        /// Every other text.
        public static let shortTextBytes = 256
        /// How many addresses count.
        public static let addresses = 20
        /// One address.
        public static let addressBytes = 256
    }

    /// `type`.
    public var kind: Kind
    /// Base58 text form.
    public var peerID: String
    /// The display label.
    public var content: String
    /// `email`: only if the owner shares it.
    public var email: String
    /// `avatarHash`: 16 hexadecimal characters.
    public var avatarHash: String
    /// `videoDisabled`.
    public var videoDisabled: Bool
    /// `activeTemplate`: a folder name.
    public var activeTemplate: String
    /// Only in `punch`.
    public var target: String
    /// Multiaddr texts without a trailing `/p2p`.
    public var addresses: [String]
    /// `verificationToken`: only to a rendezvous server.
    public var verificationToken: String
    /// `publicKey`: standard base64 of a NaCl key.
    public var publicKey: String
    /// `encryptionSupported`.
    public var encryptionSupported: Bool
    /// `goopClientVersion`.
    public var clientVersion: String
    /// UNIX time in milliseconds on the sender's clock; orders the messages of one sender.
    public var timestamp: Int64
    /// `verified`: means nothing in gossip.
    public var verified: Bool

    /// Makes a message; everything that is not given is empty.
    public init(
        kind: Kind, peerID: String, content: String = "", email: String = "", avatarHash: String = "",
        videoDisabled: Bool = false, activeTemplate: String = "", target: String = "", addresses: [String] = [],
        verificationToken: String = "", publicKey: String = "", encryptionSupported: Bool = false,
        clientVersion: String = "", timestamp: Int64, verified: Bool = false
    ) {
        self.kind = kind
        self.peerID = peerID
        self.content = content
        self.email = email
        self.avatarHash = avatarHash
        self.videoDisabled = videoDisabled
        self.activeTemplate = activeTemplate
        self.target = target
        self.addresses = addresses
        self.verificationToken = verificationToken
        self.publicKey = publicKey
        self.encryptionSupported = encryptionSupported
        self.clientVersion = clientVersion
        self.timestamp = timestamp
        self.verified = verified
    }
}

/// Why a presence message is not acceptable.
public enum PresenceError: Error, Sendable, Hashable {
    case malformed(JSONError)
    case notAnObject
    /// `type` or `peerId` is absent or empty.
    case missing(key: String)
    /// A known key with a value of another kind.
    case wrongKind(key: String)
    case fieldTooLong(key: String, limit: Int, size: Int)
}

extension PresenceMessage {
    /// Writes the message as upstream does.
    public func encoded() -> [UInt8] {
        var object = JSONObject()
        func put(_ name: String, _ text: String) { if !text.isEmpty { object[name] = .string(text) } }
        func put(_ name: String, _ flag: Bool) { if flag { object[name] = .bool(true) } }
        object["type"] = .string(kind.name)
        object["peerId"] = .string(peerID)
        put("content", content)
        put("email", email)
        put("avatarHash", avatarHash)
        put("videoDisabled", videoDisabled)
        put("activeTemplate", activeTemplate)
        put("target", target)
        if !addresses.isEmpty { object["addrs"] = .array(addresses.map { .string($0) }) }
        put("verificationToken", verificationToken)
        put("publicKey", publicKey)
        put("encryptionSupported", encryptionSupported)
        put("goopClientVersion", clientVersion)
        object["ts"] = .integer(timestamp)
        put("verified", verified)
        return JSONWriter.compact(.object(object))
    }

    /// Reads a message from a stranger.
    ///
    /// At the limits: a text field that is too long refuses the message; of more than 20 addresses the first 20 are
    /// kept, and an address that is too long is skipped.
    /// - Throws: what is wrong with it; the message is then to be dropped.
    public init(decoding bytes: some Collection<UInt8>) throws(PresenceError) {
        let limits = JSONParser.Limits(bytes: Limit.messageBytes, depth: 8, values: 1024)
        let value: JSONValue
        do { value = try JSONParser.parse(bytes, limits: limits) } catch { throw .malformed(error) }
        guard let object = value.object else { throw .notAnObject }
        let fields = PresenceFields(object)
        self.init(
            kind: Kind(name: try fields.text("type", limit: Limit.shortTextBytes)),
            peerID: try fields.text("peerId", limit: Limit.peerIDBytes),
            content: try fields.text("content", limit: Limit.contentBytes),
            email: try fields.text("email", limit: Limit.emailBytes),
            avatarHash: try fields.text("avatarHash"),
            videoDisabled: try fields.flag("videoDisabled"),
            activeTemplate: try fields.text("activeTemplate"),
            target: try fields.text("target"),
            addresses: try fields.addresses("addrs"),
            verificationToken: try fields.text("verificationToken", limit: Limit.contentBytes),
            publicKey: try fields.text("publicKey"),
            encryptionSupported: try fields.flag("encryptionSupported"),
            clientVersion: try fields.text("goopClientVersion"),
            timestamp: try fields.integer("ts"),
            verified: try fields.flag("verified"))
        if kind.name.isEmpty { throw .missing(key: "type") }
        if peerID.isEmpty { throw .missing(key: "peerId") }
    }
}

/// Typed access to the members of a presence message: absent and null both mean the zero value.
private struct PresenceFields {
    private let object: JSONObject

    init(_ object: JSONObject) { self.object = object }

    private func value(_ key: String) -> JSONValue? {
        guard let spelling = object.spelling(of: key), let value = object[spelling], !value.isNull else { return nil }
        return value
    }

    func text(_ key: String, limit: Int = PresenceMessage.Limit.shortTextBytes) throws(PresenceError) -> String {
        guard let value = value(key) else { return "" }
        guard let text = value.string else { throw .wrongKind(key: key) }
        guard text.utf8.count <= limit else { throw .fieldTooLong(key: key, limit: limit, size: text.utf8.count) }
        return text
    }

    func flag(_ key: String) throws(PresenceError) -> Bool {
        guard let value = value(key) else { return false }
        guard let flag = value.bool else { throw .wrongKind(key: key) }
        return flag
    }

    func integer(_ key: String) throws(PresenceError) -> Int64 {
        guard let value = value(key) else { return 0 }
        guard let number = value.int64 else { throw .wrongKind(key: key) }
        return number
    }

    func addresses(_ key: String) throws(PresenceError) -> [String] {
        guard let value = value(key) else { return [] }
        guard let elements = value.array else { throw .wrongKind(key: key) }
        var addresses: [String] = []
        for element in elements {
            guard let text = element.string ?? (element.isNull ? "" : nil) else { throw .wrongKind(key: key) }
            if addresses.count == PresenceMessage.Limit.addresses { continue }
            if !text.isEmpty, text.utf8.count <= PresenceMessage.Limit.addressBytes { addresses.append(text) }
        }
        return addresses
    }
}
