import Crypto
import CryptoExtras
import Multiformats

/// A private key: who we are. It never travels and never prints.
///
/// File shape: protobuf as of `PublicKey`, with the private data. Source: libp2p peer-ids specification, "Keys".
public struct PrivateKey: Sendable {
    private enum Secret: Sendable {
        case ed25519(Curve25519.Signing.PrivateKey)
        case ecdsa(P256.Signing.PrivateKey)
        case rsa(_RSA.Signing.PrivateKey)
    }

    /// The longest message that is read, in bytes: an RSA key of 8192 bits has about 4,700.
    public static let maximumLength = 8192

    private let secret: Secret
    /// The public half.
    public let publicKey: PublicKey

    private init(ed25519 key: Curve25519.Signing.PrivateKey) {
        secret = .ed25519(key)
        publicKey = PublicKey(unchecked: .ed25519, Array(key.publicKey.rawRepresentation))
    }

    private init(ecdsa key: P256.Signing.PrivateKey) {
        secret = .ecdsa(key)
        publicKey = PublicKey(unchecked: .ecdsa, Array(key.publicKey.derRepresentation))
    }

    private init(rsa key: _RSA.Signing.PrivateKey) {
        secret = .rsa(key)
        publicKey = PublicKey(unchecked: .rsa, Array(key.publicKey.derRepresentation))
    }

    /// A new Ed25519 key from the system's random source.
    public static func generate() -> PrivateKey { PrivateKey(ed25519: Curve25519.Signing.PrivateKey()) }

    /// A new ECDSA key on P-256 from the system's random source.
    public static func generateECDSA() -> PrivateKey { PrivateKey(ecdsa: P256.Signing.PrivateKey()) }

    /// The Ed25519 key of a 32-byte seed.
    /// - Throws: `.invalidData` for any other length.
    public init(ed25519Seed seed: [UInt8]) throws(KeyError) {
        guard seed.count == 32, let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            throw .invalidData(.ed25519)
        }
        self.init(ed25519: key)
    }

    /// Reads the file form. Ed25519 data may be 64 bytes (seed, public key) or 96 with the public key twice.
    ///
    /// - Throws: what is wrong with it; `.unsupported` for secp256k1.
    public init(protobuf: some Collection<UInt8>) throws(KeyError) {
        guard protobuf.count <= Self.maximumLength else { throw .tooLong(limit: Self.maximumLength) }
        let (kind, data) = try KeyMessage.read(Array(protobuf))
        switch kind {
        case .ed25519:
            guard data.count == 64 || data.count == 96 else { throw .invalidData(kind) }
            try self.init(ed25519Seed: Array(data.prefix(32)))
            let publics = data.dropFirst(32)
            guard publics.prefix(32).elementsEqual(publicKey.data), publics.suffix(32).elementsEqual(publicKey.data)
            else { throw .invalidData(kind) }
        case .ecdsa:
            guard let key = try? P256.Signing.PrivateKey(derRepresentation: Array(data)) else {
                throw .invalidData(kind)
            }
            self.init(ecdsa: key)
        case .rsa:
            guard let key = try? _RSA.Signing.PrivateKey(unsafeDERRepresentation: Array(data)) else {
                throw .invalidData(kind)
            }
            guard 2048...8192 ~= key.keySizeInBits else { throw .rsaSize(bits: key.keySizeInBits) }
            self.init(rsa: key)
        case .secp256k1:
            throw .unsupported(kind)
        }
    }

    /// The file form, canonical: keep it secret.
    public var protobuf: [UInt8] {
        switch secret {
        case .ed25519(let key):
            KeyMessage.write(.ed25519, Array(key.rawRepresentation) + publicKey.data)
        case .ecdsa(let key):
            KeyMessage.write(.ecdsa, Self.sec1(key))
        case .rsa(let key):
            KeyMessage.write(.rsa, Array(key.derRepresentation))
        }
    }

    /// The id of the peer that we are with this key.
    public var peerID: PeerID { publicKey.peerID }

    /// Signs a message, in the form that `PublicKey.verify` reads.
    /// - Throws: `.signingFailed` if the crypto library refuses.
    public func sign(_ message: [UInt8]) throws(KeyError) -> [UInt8] {
        do {
            switch secret {
            case .ed25519(let key):
                return Array(try key.signature(for: message))
            case .ecdsa(let key):
                return Array(try key.signature(for: message).derRepresentation)
            case .rsa(let key):
                return Array(
                    try key.signature(for: SHA256.hash(data: message), padding: .insecurePKCS1v1_5).rawRepresentation)
            }
        } catch {
            throw .signingFailed(publicKey.kind)
        }
    }

    /// ECPrivateKey of RFC 5915 with the curve's name and the public key, as peers write it.
    private static func sec1(_ key: P256.Signing.PrivateKey) -> [UInt8] {
        [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20] + Array(key.rawRepresentation)
            + [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]
            + [0xa1, 0x44, 0x03, 0x42, 0x00] + Array(key.publicKey.x963Representation)
    }
}

extension PrivateKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The public half's peer id, never the key.
    public var description: String { "PrivateKey(of: \(peerID), redacted)" }

    /// As `description`.
    public var debugDescription: String { description }

    /// Nothing to look into.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
