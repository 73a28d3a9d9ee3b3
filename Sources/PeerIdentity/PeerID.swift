import Crypto
public import Multiformats

/// Why something is not a peer id.
public enum PeerIDError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The text is not base58.
    case base58(MultibaseError)
    /// The text is not a content identifier.
    case cid(CIDError)
    /// A content identifier of something else than a key: its codec.
    case wrongCodec(UInt64)
    /// The bytes are not a multihash.
    case multihash(MultihashError)
    /// A hash other than SHA-256 and an identity hash of 1 to 42 bytes.
    case unsupportedHash(code: UInt64, length: Int)
    /// The text is longer than any peer id, in bytes.
    case tooLong(limit: Int)

    /// For people and logs.
    public var description: String {
        switch self {
        case .base58(let error): "the peer id is not base58: \(error)"
        case .cid(let error): "not a peer id: \(error)"
        case .wrongCodec(let codec):
            "the content identifier is not that of a key: its codec is 0x\(String(codec, radix: 16)), and not 0x72"
        case .multihash(let error): "not a peer id: \(error)"
        case .unsupportedHash(let code, let length):
            "a hash of the kind 0x\(String(code, radix: 16)) with \(length) bytes; "
                + "accepted are SHA-256, and keys of 1 to 42 bytes"
        case .tooLong(let limit): "a peer id has at most \(limit) bytes"
        }
    }
}

/// Who a peer is: the multihash of its public key's message.
///
/// The hash is the identity for messages of up to 42 bytes (Ed25519, secp256k1), so the key can be read back, else SHA-256.
/// Equality and order are those of the bytes. Source: libp2p peer-ids specification, "Peer Ids".
public struct PeerID: Hashable, Sendable {
    /// The longest text that is read, in bytes.
    public static let maximumTextLength = 128
    /// The longest key message that is put into an id as it is, in bytes.
    static let maximumInlineLength = 42

    /// The multihash.
    public let bytes: [UInt8]

    /// All bytes at once: an array feeds the hasher one by one, and ids are looked up for every message.
    public func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    /// The id of a key.
    public init(publicKey: PublicKey) {
        let message = publicKey.protobuf
        if message.count <= Self.maximumInlineLength {
            bytes = [0x00, UInt8(message.count)] + message
        } else {
            bytes = [0x12, 0x20] + Array(SHA256.hash(data: message))
        }
    }

    /// Reads the binary form, which must fill `multihash`.
    public init(multihash: some Collection<UInt8>) throws(PeerIDError) {
        // The longest id has 44 bytes; more need not be copied to be refused.
        let bytes = Array(multihash.prefix(128))
        guard bytes.count < 128 else { throw .tooLong(limit: Self.maximumInlineLength + 2) }
        let hash: Multihash
        do { hash = try Multihash(bytes: bytes) } catch { throw .multihash(error) }
        try self.init(hash)
    }

    private init(_ hash: Multihash) throws(PeerIDError) {
        let isInline = hash.code == Multihash.identity && 1...Self.maximumInlineLength ~= hash.digest.count
        guard isInline || hash.code == Multihash.sha256 else {
            throw .unsupportedHash(code: hash.code, length: hash.digest.count)
        }
        bytes = hash.bytes
    }

    /// Reads the text form: base58 of the multihash if it begins with `1` or `Qm`, else a CID with the codec of keys in
    /// any base.
    public init(text: String) throws(PeerIDError) {
        guard text.utf8.count <= Self.maximumTextLength else { throw .tooLong(limit: Self.maximumTextLength) }
        if text.hasPrefix("1") || text.hasPrefix("Qm") {
            let bytes: [UInt8]
            do { bytes = try Base58.decode(text) } catch { throw .base58(error) }
            try self.init(multihash: bytes)
        } else {
            let cid: CID
            do { cid = try CID(text: text) } catch { throw .cid(error) }
            guard cid.codec == CID.libp2pKey else { throw .wrongCodec(cid.codec) }
            try self.init(cid.multihash)
        }
    }

    /// The usual text form, such as `12D3KooW…`.
    public var base58: String { Base58.encode(bytes) }

    /// The CID in base36, such as `k51…`: 62 characters for Ed25519, which fit a DNS label.
    public var base36: String { cidText(as: .base36) }

    /// The CID in a base.
    public func cidText(as encoding: Multibase.Encoding) -> String {
        Multibase.encode([0x01, UInt8(CID.libp2pKey)] + bytes, as: encoding)
    }

    /// The key, if the id holds it and it is well-formed.
    public var publicKey: PublicKey? {
        guard bytes.first == UInt8(Multihash.identity) else { return nil }
        return try? PublicKey(protobuf: bytes.dropFirst(2))
    }

    /// Whether some key can have this id. Of a hash that is always so. An id that holds its key must hold that key's message in
    /// the form that ids are made of: nobody can show another one to be its own.
    public var canBeOfAKey: Bool {
        guard bytes.first == UInt8(Multihash.identity) else { return true }
        return publicKey.map(matches) ?? false
    }

    /// Whether a key is the one that this id names.
    public func matches(_ key: PublicKey) -> Bool { PeerID(publicKey: key) == self }
}

extension PeerID: Comparable, CustomStringConvertible, LosslessStringConvertible {
    /// Orders by bytes.
    public static func < (left: PeerID, right: PeerID) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

    /// As `base58`.
    public var description: String { base58 }

    /// Reads the text form, `nil` if it is refused; `init(text:)` tells why.
    public init?(_ description: String) {
        do { try self.init(text: description) } catch { return nil }
    }
}

extension Multiaddr {
    /// The peer that the address leads to: that of `/p2p/…` if it is the last component.
    public var peerID: PeerID? { peerIDBytes.flatMap { try? PeerID(multihash: $0) } }

    /// This address with `/p2p/…` behind it, unless it ends with just that already.
    public func appending(_ peer: PeerID) -> Multiaddr { appending(peerIDBytes: peer.bytes) }

    /// An address that is nothing but `/p2p/…`.
    public init(peer: PeerID) { self.init(peerIDBytes: peer.bytes) }
}
