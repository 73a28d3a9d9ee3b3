public import PeerIdentity

/// Why a Noise handshake or a Noise frame was refused. Every case is fatal to the connection.
public enum NoiseError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A frame or message of `size` bytes passes `limit`.
    case messageTooLarge(size: Int, limit: Int)
    /// A frame or message of `size` bytes cannot hold what it must; `minimum` is what it needs.
    case messageTooShort(size: Int, minimum: Int)
    /// An authentication tag does not match: the bytes were changed, reordered, or sealed with another key.
    case authenticationFailed
    /// The peer's X25519 key is of small order, so that the agreement would not depend on ours.
    case invalidPeerKey
    /// The handshake payload is no valid protobuf message, or lacks the identity key or its signature.
    case malformedPayload
    /// The identity key in the payload cannot be used.
    case identityKey(KeyError)
    /// The identity key did not sign the static key of this handshake.
    case signatureMismatch
    /// The peer proved an identity other than the one that was dialed.
    case wrongPeer(expected: PeerID, actual: PeerID)
    /// 2^64 - 1 frames were sealed or opened with one key.
    case nonceExhausted
    /// The caller's output region of `size` bytes is smaller than `needed`.
    case outputTooSmall(size: Int, needed: Int)
    /// One of our own keys cannot be used: X25519 private keys have 32 bytes.
    case invalidOwnKey
    /// A message was read or written out of turn, by mistake of our own.
    case outOfOrder

    /// For people and logs.
    public var description: String {
        switch self {
        case .messageTooLarge(let size, let limit): "a message of \(size) bytes, beyond \(limit)"
        case .messageTooShort(let size, let minimum): "a message of \(size) bytes, where \(minimum) are needed"
        case .authenticationFailed: "the bytes were changed, reordered, or sealed with another key"
        case .invalidPeerKey: "the peer's X25519 key is of small order"
        case .malformedPayload: "the handshake's payload cannot be read, or lacks the identity key or its signature"
        case .identityKey(let error): "the identity key cannot be used: \(error)"
        case .signatureMismatch: "the identity key did not sign the key of this handshake"
        case .wrongPeer(let expected, let actual): "the peer is \(actual), dialled was \(expected)"
        case .nonceExhausted: "all numbers of one key are used; the connection has to be made anew"
        case .outputTooSmall(let size, let needed): "\(size) bytes of room for \(needed), by mistake of our own"
        case .invalidOwnKey: "one of our own keys is malformed; X25519 keys have 32 bytes"
        case .outOfOrder: "a handshake message out of turn, by mistake of our own"
        }
    }
}
