public import PeerIdentity

/// The identity file: the libp2p `PrivateKey` protobuf as it is, 68 bytes for Ed25519.
///
/// The file is the peer's identity, so whatever is wrong with it, it is never written over.
/// Source: P2P wire reference, section 1.
public enum IdentityFile {
    /// The largest file that is read, in bytes: room for an RSA key.
    public static let maximumBytes = 16 * 1024

    /// The key in a file's bytes, of any type that can be loaded.
    /// - Throws: why it is none.
    public static func key(in bytes: some Collection<UInt8>) throws(IdentityFileError) -> PrivateKey {
        guard !bytes.isEmpty else { throw .empty }
        guard bytes.count <= maximumBytes else { throw .tooLarge(limit: maximumBytes, size: bytes.count) }
        do { return try PrivateKey(protobuf: bytes) } catch { throw .unusable(error, size: bytes.count) }
    }

    /// What a file holds for a key.
    public static func contents(of key: PrivateKey) -> [UInt8] { key.protobuf }
}

/// Why an identity file is not used.
public enum IdentityFileError: Error, Sendable, Equatable, CustomStringConvertible {
    case empty
    case tooLarge(limit: Int, size: Int)
    case unusable(KeyError, size: Int)

    /// What is wrong, for a person.
    public var description: String {
        switch self {
        case .empty: "the file is empty"
        case .tooLarge(let limit, let size): "the file has \(size) bytes; no key has more than \(limit)"
        case .unusable(let error, let size): "the \(size) bytes of the file are no usable private key (\(error))"
        }
    }
}
