import Crypto

/// The three messages of `Noise_XX_25519_ChaChaPoly_SHA256`, without anything that libp2p adds.
///
///     -> e
///     <- e, ee, s, es
///     -> s, se
///
/// Source: Noise protocol framework revision 34, sections 5.3 and 7.5.
struct NoisePattern: Sendable {
    private static let keyLength = 32

    private let role: ConnectionRole
    private let staticKey: Curve25519.KeyAgreement.PrivateKey
    private let ephemeralKey: Curve25519.KeyAgreement.PrivateKey
    private var symmetric = NoiseSymmetricState(protocolName: "Noise_XX_25519_ChaChaPoly_SHA256")
    private var peerEphemeral: Curve25519.KeyAgreement.PublicKey?
    private(set) var peerStatic: Curve25519.KeyAgreement.PublicKey?
    /// How many of the three messages have passed.
    private var passed = 0

    init(role: ConnectionRole, prologue: [UInt8] = [], keys: NoiseKeys) throws(NoiseError) {
        self.role = role
        do {
            staticKey =
                try keys.signed?.key ?? Curve25519.KeyAgreement.PrivateKey(rawRepresentation: keys.staticKey)
            ephemeralKey = try Curve25519.KeyAgreement.PrivateKey(rawRepresentation: keys.ephemeralKey)
        } catch {
            throw .invalidOwnKey
        }
        symmetric.mixHash(prologue)
    }

    var isComplete: Bool { passed == 3 }
    var handshakeHash: [UInt8] { symmetric.hash }
    var ownStatic: [UInt8] { Array(staticKey.publicKey.rawRepresentation) }
    var peerStaticBytes: [UInt8] { peerStatic.map { Array($0.rawRepresentation) } ?? [] }

    /// Our next message around `payload`, without a length prefix.
    mutating func write(_ payload: [UInt8]) throws(NoiseError) -> [UInt8] {
        guard !isComplete, isOurTurn else { throw .outOfOrder }
        var message: [UInt8] = []
        switch passed {
        case 0:
            writeEphemeral(to: &message)
        case 1:
            writeEphemeral(to: &message)
            try mix(ephemeralKey, peerEphemeral)
            message += try symmetric.encryptAndHash(ownStatic)
            try mix(staticKey, peerEphemeral)
        default:
            message += try symmetric.encryptAndHash(ownStatic)
            try mix(staticKey, peerEphemeral)
        }
        message += try symmetric.encryptAndHash(payload)
        passed += 1
        return message
    }

    /// The payload of the peer's next message.
    mutating func read(_ message: ArraySlice<UInt8>) throws(NoiseError) -> [UInt8] {
        guard !isComplete, !isOurTurn else { throw .outOfOrder }
        var rest = message
        switch passed {
        case 0:
            try readEphemeral(from: &rest)
        case 1:
            try readEphemeral(from: &rest)
            try mix(ephemeralKey, peerEphemeral)
            try readStatic(from: &rest)
            try mix(ephemeralKey, peerStatic)
        default:
            try readStatic(from: &rest)
            try mix(ephemeralKey, peerStatic)
        }
        let payload = try symmetric.decryptAndHash(rest)
        passed += 1
        return payload
    }

    /// The transport ciphers as seen from our side.
    func split() throws(NoiseError) -> (sender: NoiseCipher, receiver: NoiseCipher) {
        guard isComplete else { throw .outOfOrder }
        let (first, second) = try symmetric.split()
        switch role {
        case .initiator: return (first, second)
        case .responder: return (second, first)
        }
    }

    private var isOurTurn: Bool {
        switch role {
        case .initiator: passed != 1
        case .responder: passed == 1
        }
    }

    private mutating func writeEphemeral(to message: inout [UInt8]) {
        let key = Array(ephemeralKey.publicKey.rawRepresentation)
        symmetric.mixHash(key)
        message += key
    }

    private mutating func readEphemeral(from rest: inout ArraySlice<UInt8>) throws(NoiseError) {
        let bytes = try take(Self.keyLength, from: &rest)
        symmetric.mixHash(bytes)
        peerEphemeral = try publicKey(Array(bytes))
    }

    private mutating func readStatic(from rest: inout ArraySlice<UInt8>) throws(NoiseError) {
        let sealed = try take(Self.keyLength + NoiseCipher.tagLength, from: &rest)
        peerStatic = try publicKey(try symmetric.decryptAndHash(sealed))
    }

    private func take(_ count: Int, from rest: inout ArraySlice<UInt8>) throws(NoiseError) -> ArraySlice<UInt8> {
        guard rest.count >= count else { throw .messageTooShort(size: rest.count, minimum: count) }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private func publicKey(_ bytes: [UInt8]) throws(NoiseError) -> Curve25519.KeyAgreement.PublicKey {
        do {
            return try Curve25519.KeyAgreement.PublicKey(rawRepresentation: bytes)
        } catch {
            throw .invalidPeerKey
        }
    }

    private mutating func mix(
        _ own: Curve25519.KeyAgreement.PrivateKey, _ peer: Curve25519.KeyAgreement.PublicKey?
    ) throws(NoiseError) {
        guard let peer else { throw .outOfOrder }
        let secret: SharedSecret
        do {
            secret = try own.sharedSecretFromKeyAgreement(with: peer)
        } catch {
            throw .invalidPeerKey
        }
        // A peer key of small order gives the all-zero secret whatever our key is; not every backend refuses it.
        guard secret.withUnsafeBytes({ $0.reduce(0, |) }) != 0 else { throw .invalidPeerKey }
        try symmetric.mixKey(secret)
    }
}
