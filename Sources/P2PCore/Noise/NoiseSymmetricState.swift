import Crypto

/// The running key and transcript hash of a handshake.
///
/// Source: Noise protocol framework revision 34, section 5.2, for SHA-256 and ChaCha20-Poly1305.
struct NoiseSymmetricState: Sendable {
    private var chainingKey: [UInt8]
    private(set) var hash: [UInt8]
    private var cipher: NoiseCipher?

    /// Starts from a protocol name of exactly 32 bytes, which then is the first hash as it stands.
    init(protocolName: StaticString) {
        hash = protocolName.withUTF8Buffer { Array($0) }
        chainingKey = hash
    }

    mutating func mixHash(_ bytes: some Collection<UInt8>) {
        var hasher = SHA256()
        hasher.update(data: hash)
        hasher.update(data: Array(bytes))
        hash = Array(hasher.finalize())
    }

    mutating func mixKey(_ secret: SharedSecret) throws(NoiseError) {
        let (next, key) = expand(secret.withUnsafeBytes { Array($0) })
        chainingKey = Array(next)
        cipher = try NoiseCipher(key: SymmetricKey(data: key))
    }

    /// Seals `plaintext` once there is a key, and mixes what goes over the wire into the hash.
    mutating func encryptAndHash(_ plaintext: [UInt8]) throws(NoiseError) -> [UInt8] {
        let output = try cipher?.sealed(plaintext, authenticating: hash) ?? plaintext
        mixHash(output)
        return output
    }

    /// The inverse of `encryptAndHash`.
    mutating func decryptAndHash(_ bytes: ArraySlice<UInt8>) throws(NoiseError) -> [UInt8] {
        let output = try cipher?.opened(bytes, authenticating: hash) ?? Array(bytes)
        mixHash(bytes)
        return output
    }

    /// The two transport ciphers: initiator to responder, then responder to initiator.
    func split() throws(NoiseError) -> (NoiseCipher, NoiseCipher) {
        let (first, second) = expand([])
        return (try NoiseCipher(key: SymmetricKey(data: first)), try NoiseCipher(key: SymmetricKey(data: second)))
    }

    /// HKDF with two outputs, as Noise section 4.3 writes it out.
    private func expand(_ input: [UInt8]) -> (HMAC<SHA256>.MAC, HMAC<SHA256>.MAC) {
        let temporary = SymmetricKey(
            data: HMAC<SHA256>.authenticationCode(for: input, using: SymmetricKey(data: chainingKey)))
        let first = HMAC<SHA256>.authenticationCode(for: [1], using: temporary)
        let second = HMAC<SHA256>.authenticationCode(for: Array(first) + [2], using: temporary)
        return (first, second)
    }
}
