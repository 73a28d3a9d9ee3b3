import Crypto
import CryptoExtras
import Multiformats

/// A peer's public key.
///
/// Wire shape: protobuf, field 1 the kind (enum), field 2 the data. Source: libp2p peer-ids specification, "Keys".
public struct PublicKey: Hashable, Sendable {
    /// The kind of a key; the raw value is its number on the wire.
    public enum Kind: UInt64, Sendable, CaseIterable {
        /// RSA of 2048 to 8192 bits, PKCS #1 v1.5 signatures over SHA-256; data is SubjectPublicKeyInfo in DER.
        case rsa = 0
        /// Ed25519; data is the 32 bytes of the point.
        case ed25519 = 1
        /// secp256k1: the key is kept and named, signatures cannot be checked; data is the 33-byte compressed point.
        case secp256k1 = 2
        /// ECDSA on P-256 over SHA-256, signatures in DER; data is SubjectPublicKeyInfo in DER.
        case ecdsa = 3
    }

    /// The longest message that is read, in bytes: an RSA key of 8192 bits has about 1,060.
    public static let maximumLength = 2048

    /// The kind.
    public let kind: Kind
    /// The key itself, in the kind's form.
    public let data: [UInt8]

    /// A key of known good data.
    init(unchecked kind: Kind, _ data: [UInt8]) {
        self.kind = kind
        self.data = data
    }

    /// A key from its data.
    /// - Throws: `.invalidData`, `.rsaSize`.
    public init(kind: Kind, data: some Collection<UInt8>) throws(KeyError) {
        guard data.count <= Self.maximumLength else { throw .tooLong(limit: Self.maximumLength) }
        let data = Array(data)
        switch kind {
        case .ed25519:
            guard data.count == 32 else { throw .invalidData(kind) }
        case .secp256k1:
            guard data.count == 33, data.first == 2 || data.first == 3 else { throw .invalidData(kind) }
        case .ecdsa:
            _ = try Self.p256(data)
        case .rsa:
            _ = try Self.rsa(data)
        }
        self.init(unchecked: kind, data)
    }

    /// Reads the message. Unknown fields and padded numbers are accepted; `protobuf` gives the canonical form back.
    public init(protobuf: some Collection<UInt8>) throws(KeyError) {
        guard protobuf.count <= Self.maximumLength else { throw .tooLong(limit: Self.maximumLength) }
        let (kind, data) = try KeyMessage.read(Array(protobuf))
        try self.init(kind: kind, data: data)
    }

    /// The canonical message: both fields, in order, with minimal numbers. Peer ids are made of it.
    public var protobuf: [UInt8] { KeyMessage.write(kind, data) }

    /// The id of the peer that holds this key.
    public var peerID: PeerID { PeerID(publicKey: self) }

    /// Whether a signature over a message was made by this key's owner.
    ///
    /// - Returns: false also for a signature that is malformed.
    /// - Throws: `.unsupported` for secp256k1; `.invalidData` if the crypto library refuses the key.
    public func verify(
        _ signature: some Collection<UInt8>, over message: some Collection<UInt8>
    ) throws(KeyError) -> Bool {
        let signature = Array(signature)
        let message = Array(message)
        switch kind {
        case .ed25519:
            let key: Curve25519.Signing.PublicKey
            do { key = try .init(rawRepresentation: data) } catch { throw .invalidData(kind) }
            return signature.count == 64 && key.isValidSignature(signature, for: message)
        case .ecdsa:
            let key = try Self.p256(data)
            guard let signature = try? P256.Signing.ECDSASignature(derRepresentation: signature) else { return false }
            return key.isValidSignature(signature, for: message)
        case .rsa:
            let key = try Self.rsa(data)
            return key.isValidSignature(
                _RSA.Signing.RSASignature(rawRepresentation: signature), for: SHA256.hash(data: message),
                padding: .insecurePKCS1v1_5)
        case .secp256k1:
            throw .unsupported(kind)
        }
    }

    private static func p256(_ der: [UInt8]) throws(KeyError) -> P256.Signing.PublicKey {
        do { return try P256.Signing.PublicKey(derRepresentation: der) } catch { throw .invalidData(.ecdsa) }
    }

    private static func rsa(_ der: [UInt8]) throws(KeyError) -> _RSA.Signing.PublicKey {
        let key: _RSA.Signing.PublicKey
        do {
            key = try _RSA.Signing.PublicKey(unsafeDERRepresentation: der)
        } catch {
            throw .invalidData(.rsa)
        }
        guard 2048...8192 ~= key.keySizeInBits else { throw .rsaSize(bits: key.keySizeInBits) }
        return key
    }
}

/// The message that public and private keys share.
enum KeyMessage {
    static func read(_ message: [UInt8]) throws(KeyError) -> (kind: PublicKey.Kind, data: ArraySlice<UInt8>) {
        var reader = ProtobufReader(message)
        var number: UInt64?
        var data: ArraySlice<UInt8>?
        do {
            while let field = try reader.next() {
                switch field.number {
                case 1: number = field.varint ?? number
                case 2: data = field.bytes ?? data
                default: continue
                }
            }
        } catch {
            throw .protobuf(error)
        }
        guard let number else { throw .missingField(1) }
        guard let data else { throw .missingField(2) }
        guard let kind = PublicKey.Kind(rawValue: number) else { throw .unknownKind(number) }
        return (kind, data)
    }

    static func write(_ kind: PublicKey.Kind, _ data: [UInt8]) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.append(1, varint: kind.rawValue)
        writer.append(2, bytes: data)
        return writer.bytes
    }
}
