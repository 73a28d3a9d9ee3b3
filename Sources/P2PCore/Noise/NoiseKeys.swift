import Crypto
public import PeerIdentity

/// The two X25519 private keys of one Noise handshake, as 32 raw bytes each.
///
/// The ephemeral key is fresh random bytes for every connection, which is what makes a session's keys independent of all
/// others. The static key is not the peer's identity: the identity signs it. It may serve all connections of a process
/// (`SignedNoiseKey`), and is never stored.
public struct NoiseKeys: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let ephemeralKey: [UInt8]
    let staticKey: [UInt8]
    /// The static key, if it has been signed already.
    let signed: SignedNoiseKey?

    /// Keys from given bytes. Anything but 32 bytes each makes the handshake throw `NoiseError.invalidOwnKey`.
    public init(ephemeralKey: [UInt8], staticKey: [UInt8]) {
        self.ephemeralKey = ephemeralKey
        self.staticKey = staticKey
        self.signed = nil
    }

    /// Keys drawn from `generator`, which must be a cryptographic one outside of tests.
    public init(using generator: inout some RandomNumberGenerator) {
        self.init(ephemeralKey: Self.draw(using: &generator), staticKey: Self.draw(using: &generator))
    }

    /// A fresh ephemeral key beside a static key that is signed already, which saves a key and a signature.
    public init(signed: SignedNoiseKey, using generator: inout some RandomNumberGenerator) {
        self.ephemeralKey = Self.draw(using: &generator)
        self.staticKey = []
        self.signed = signed
    }

    static func draw(using generator: inout some RandomNumberGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        while bytes.count < 32 {
            withUnsafeBytes(of: generator.next().littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Names the type only: keys never reach a log.
    public var description: String { "NoiseKeys(redacted)" }
    /// Names the type only: keys never reach a log.
    public var debugDescription: String { description }
    /// Shows no members: keys never reach a log.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// A static key for all Noise handshakes of a process, with the identity's signature over it.
///
/// The libp2p specification leaves it to the implementation how long a static key lives. Nothing that was recorded can be
/// opened with it, since each session also depends on two ephemeral keys.
public struct SignedNoiseKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let key: Curve25519.KeyAgreement.PrivateKey
    let publicKey: [UInt8]
    let identity: PeerID
    let identityKey: [UInt8]
    let signature: [UInt8]

    /// A key drawn from `generator`, which must be a cryptographic one outside of tests, signed by `identity`.
    ///
    /// - Throws: `NoiseError.identityKey` if the identity cannot sign.
    public init(identity: PrivateKey, using generator: inout some RandomNumberGenerator) throws(NoiseError) {
        do {
            key = try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: NoiseKeys.draw(using: &generator))
        } catch {
            throw .invalidOwnKey
        }
        publicKey = Array(key.publicKey.rawRepresentation)
        self.identity = identity.peerID
        let payload = try NoisePayload(identity: identity, staticKey: publicKey, muxers: [])
        identityKey = payload.identityKey
        signature = payload.signature
    }

    /// Names the type only: keys never reach a log.
    public var description: String { "SignedNoiseKey(redacted)" }
    /// Names the type only: keys never reach a log.
    public var debugDescription: String { description }
    /// Shows no members: keys never reach a log.
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
