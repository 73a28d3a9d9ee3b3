public import Multiformats

/// Why a key was refused, or an operation with it.
public enum KeyError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The key's message is no protobuf.
    case protobuf(ProtobufError)
    /// A required field of the message is missing, or of the wrong wire type.
    case missingField(Int)
    /// A key type that the specification does not have.
    case unknownKind(UInt64)
    /// The key of this kind is malformed, or a private key does not belong to its public key.
    case invalidData(PublicKey.Kind)
    /// Longer than any key we read, in bytes.
    case tooLong(limit: Int)
    /// An RSA modulus outside 2048 to 8192 bits.
    case rsaSize(bits: Int)
    /// The operation is not available for this kind of key: secp256k1 is not in the crypto library.
    case unsupported(PublicKey.Kind)
    /// The crypto library could not sign.
    case signingFailed(PublicKey.Kind)

    /// For people and logs.
    public var description: String {
        switch self {
        case .protobuf(let error): "the key's message cannot be read (\(error))"
        case .missingField(let number): "the key's message lacks field \(number), or has it in another form"
        case .unknownKind(let number): "keys of kind \(number) are not known; \(Self.accepted)"
        case .invalidData(let kind): "the \(kind) key is malformed, or does not belong to its public key"
        case .tooLong(let limit): "the key is longer than \(limit) bytes"
        case .rsaSize(let bits): "an RSA key of \(bits) bits; accepted are 2048 to 8192"
        case .unsupported(let kind): "\(kind) keys cannot be used, the crypto library lacks them; \(Self.accepted)"
        case .signingFailed(let kind): "the crypto library could not sign with the \(kind) key"
        }
    }

    private static let accepted = "accepted are Ed25519, ECDSA on P-256, and RSA of 2048 to 8192 bits"
}
