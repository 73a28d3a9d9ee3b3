internal import Multiformats
public import PeerIdentity

/// One signed publication, kept as the bytes it arrived in.
///
/// A node forwards `encoded` unchanged, so fields this version does not know survive and the author's signature stays
/// valid. Whatever holds the message, the queues of all peers included, shares one array with it. Only the StrictSign policy is spoken: author, sequence number and signature must be there.
///
/// Wire shape (protobuf): 1 `from` bytes, 2 `data` bytes, 3 `seqno` 8 bytes big-endian, 4 `topic` string,
/// 5 `signature` bytes, 6 `key` bytes (absent when the peer id holds the key). The known fields must come in this
/// order, each at most once and minimally encoded, and unknown ones after them: other implementations verify a
/// re-encoded message, and would blame this node for forwarding one that changes when it is re-encoded.
///
/// Source: libp2p pubsub specification, "The Message" and "Message Signing".
public struct GossipMessage: Hashable, Sendable {
    /// The message as a field of an RPC: tag, length, bytes. RPCs are concatenations of such fields.
    let publishField: [UInt8]
    /// The whole message as received or built: what is forwarded. A part of `publishField`.
    public let encoded: ArraySlice<UInt8>
    /// The author.
    public let source: PeerID
    /// The author's counter: with `source` it names the message.
    public let sequence: UInt64
    /// The topic it was published to.
    public let topic: String
    /// The payload; empty when the field was absent.
    public let data: ArraySlice<UInt8>
    /// The author's signature; not yet checked, see `verify()`.
    public let signature: ArraySlice<UInt8>
    /// The author's public key as protobuf, when the message carries one.
    public let key: ArraySlice<UInt8>?
    /// The name of the message.
    public let id: MessageID

    /// The bytes put before the message when it is signed.
    static let signaturePrefix = Array("libp2p-pubsub:".utf8)

    /// Parses a message and checks the shape that StrictSign asks for; the signature itself is not checked here.
    ///
    /// - Parameters:
    ///   - encoded: the message without tag and length. Copied, so that a small message does not hold a large frame.
    ///   - limits: bounds for the topic's length.
    /// - Throws: what is missing or malformed. Each case counts against the peer that forwarded the message.
    public init(encoded: some Collection<UInt8>, limits: GossipSubLimits = .init()) throws(GossipMessageError) {
        let (field, encoded) = Self.publishField(encoded)
        var from: ArraySlice<UInt8>?
        var data: ArraySlice<UInt8>?
        var seqno: ArraySlice<UInt8>?
        var topic: ArraySlice<UInt8>?
        var signature: ArraySlice<UInt8>?
        var key: ArraySlice<UInt8>?
        var reader = ProtobufReader(encoded)
        var last = 0
        while true {
            let next: ProtobufField?
            do { next = try reader.next() } catch { throw .malformed }
            guard let field = next else { break }
            guard field.number <= 6 else {
                last = 7
                continue
            }
            guard field.number > last, let bytes = field.bytes,
                field.encoded.count == 1 + Varint.encodedLength(UInt64(bytes.count)) + bytes.count
            else { throw .notCanonical }
            last = field.number
            switch field.number {
            case 1: from = bytes
            case 2: data = bytes
            case 3: seqno = bytes
            case 4: topic = bytes
            case 5: signature = bytes
            default: key = bytes
            }
        }
        guard let topic, !topic.isEmpty else { throw .missingTopic }
        guard topic.count <= limits.maximumTopicBytes, let topicText = String(validating: topic, as: UTF8.self) else {
            throw .invalidTopic
        }
        guard let from else { throw .missingSource }
        let source: PeerID
        do { source = try PeerID(multihash: from) } catch { throw .invalidSource }
        guard let seqno else { throw .missingSequence }
        guard seqno.count == 8 else { throw .invalidSequence }
        guard let signature, !signature.isEmpty else { throw .missingSignature }
        self.publishField = field
        self.encoded = encoded
        self.source = source
        self.sequence = seqno.reduce(0) { $0 << 8 | UInt64($1) }
        self.topic = topicText
        self.data = data ?? []
        self.signature = signature
        self.key = key
        self.id = MessageID(from: from, sequence: seqno)
    }

    /// Builds and signs a publication.
    ///
    /// - Parameters:
    ///   - data: the payload; its field is written even when it is empty.
    ///   - sequence: must rise with every message of this identity, over restarts too: some nodes ignore a message whose
    ///     number is not above the largest they saw. UNIX nanoseconds at start, then plus one, does that.
    ///   - key: the author's key; its public half travels along unless the peer id holds it.
    /// - Throws: `KeyError` when the key cannot sign.
    public static func signed(
        data: some Collection<UInt8>, topic: String, sequence: UInt64, key: PrivateKey
    ) throws(KeyError) -> GossipMessage {
        let source = key.publicKey.peerID
        var writer = unsigned(data: data, topic: topic, sequence: sequence, source: source)
        let signature = try key.sign(signaturePrefix + writer.bytes)
        writer.append(5, bytes: signature)
        let publicKey = source.publicKey == nil ? key.publicKey.protobuf : nil
        if let publicKey { writer.append(6, bytes: publicKey) }
        return GossipMessage(
            encoded: writer.bytes, source: source, sequence: sequence, topic: topic, data: Array(data)[...],
            signature: signature[...], key: publicKey?[...])
    }

    /// Messages are equal if their bytes are.
    public static func == (left: GossipMessage, right: GossipMessage) -> Bool { left.encoded == right.encoded }

    /// Hashes the id, which equal messages share.
    public func hash(into hasher: inout Hasher) { hasher.combine(id) }

    /// The topic as a key of tables.
    var topicName: TopicName { TopicName(topic) }

    /// What all bytes hash to, with a key that nobody outside knows and that is another in every process.
    var fingerprint: Int {
        var hasher = Hasher()
        encoded.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// Builds a message around a signature made elsewhere: for simulations and for tests of forged messages.
    public static func assembled(
        data: some Collection<UInt8>, topic: String, sequence: UInt64, source: PeerID, signature: [UInt8]
    ) -> GossipMessage {
        var writer = unsigned(data: data, topic: topic, sequence: sequence, source: source)
        writer.append(5, bytes: signature)
        return GossipMessage(
            encoded: writer.bytes, source: source, sequence: sequence, topic: topic, data: Array(data)[...],
            signature: signature[...], key: nil)
    }

    /// Checks the signature with the author's key. Some tens of microseconds of computation: not for an event loop.
    public func verify() -> SignatureVerdict {
        let publicKey: PublicKey
        if let key {
            guard let carried = try? PublicKey(protobuf: key), carried.peerID == source else { return .invalid }
            publicKey = carried
        } else {
            guard let embedded = source.publicKey else { return .invalid }
            publicKey = embedded
        }
        var signed = Self.signaturePrefix
        signed.reserveCapacity(signed.count + encoded.count)
        var reader = ProtobufReader(encoded)
        // The bytes were parsed when the message was made, so reading them again does not fail.
        while let field = try? reader.next() {
            if field.number != 5 && field.number != 6 { signed.append(contentsOf: field.encoded) }
        }
        do {
            return try publicKey.verify(signature, over: signed) ? .valid : .invalid
        } catch .unsupported {
            return .unverifiable
        } catch {
            return .invalid
        }
    }

    private static func publishField(
        _ encoded: some Collection<UInt8>
    ) -> (field: [UInt8], encoded: ArraySlice<UInt8>) {
        var field: [UInt8] = []
        field.reserveCapacity(encoded.count + 6)
        field.append(0x12)
        Varint.append(UInt64(encoded.count), to: &field)
        let start = field.count
        field.append(contentsOf: encoded)
        return (field, field[start...])
    }

    private static func unsigned(
        data: some Collection<UInt8>, topic: String, sequence: UInt64, source: PeerID
    ) -> ProtobufWriter {
        var writer = ProtobufWriter()
        writer.append(1, bytes: source.bytes)
        writer.append(2, bytes: data)
        writer.append(3, bytes: bigEndian(sequence))
        writer.append(4, string: topic)
        return writer
    }

    private init(
        encoded: [UInt8], source: PeerID, sequence: UInt64, topic: String, data: ArraySlice<UInt8>,
        signature: ArraySlice<UInt8>, key: ArraySlice<UInt8>?
    ) {
        (self.publishField, self.encoded) = Self.publishField(encoded)
        self.source = source
        self.sequence = sequence
        self.topic = topic
        self.data = data
        self.signature = signature
        self.key = key
        self.id = MessageID(from: source.bytes, sequence: Self.bigEndian(sequence))
    }

    private static func bigEndian(_ value: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64($0))) }
    }
}

/// What checking a message's signature said.
public enum SignatureVerdict: Sendable, Hashable {
    /// Signed by the author it names.
    case valid
    /// Not signed by the author: whoever forwarded it broke the rules.
    case invalid
    /// The author's kind of key is not built in: dropped, and nobody is blamed.
    case unverifiable
}

/// Why a message is refused before its signature is looked at.
public enum GossipMessageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Not a protobuf message.
    case malformed
    /// Known fields repeated, out of order, of a wrong wire type or padded.
    case notCanonical
    /// No topic.
    case missingTopic
    /// The topic is longer than the limit or not UTF-8.
    case invalidTopic
    /// No author.
    case missingSource
    /// The author is not a peer id.
    case invalidSource
    /// No sequence number.
    case missingSequence
    /// The sequence number is not 8 bytes.
    case invalidSequence
    /// No signature.
    case missingSignature

    /// For people and logs.
    public var description: String {
        switch self {
        case .malformed: "the message cannot be read"
        case .notCanonical: "the message has fields twice, out of order, or in another form"
        case .missingTopic: "the message has no topic"
        case .invalidTopic: "the message's topic is too long, or not UTF-8"
        case .missingSource: "the message names no author"
        case .invalidSource: "the message's author is not a peer id"
        case .missingSequence: "the message has no sequence number"
        case .invalidSequence: "the message's sequence number does not have 8 bytes"
        case .missingSignature: "the message is not signed"
        }
    }
}
