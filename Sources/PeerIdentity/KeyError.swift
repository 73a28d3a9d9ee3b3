public import Multiformats

/// Why a key was refused, or an operation with it.
public enum KeyError: Error, Equatable, Sendable {
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
}
