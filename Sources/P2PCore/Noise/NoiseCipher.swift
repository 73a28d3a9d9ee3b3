import Crypto

/// One direction of a Noise channel: a ChaCha20-Poly1305 key and the counter that makes its nonces.
///
/// The nonce is four zero bytes and the 64-bit little-endian counter, which starts at 0 and grows by one with every
/// sealed or opened message. A value must have one owner: two copies that both seal would use a nonce twice.
///
/// Source: Noise protocol framework revision 34, sections 5.1 and 12.3.
public struct NoiseCipher: Sendable {
    /// The longest plaintext of one message, so that the message fits its 16-bit length.
    public static let maximumPlaintext = 65519
    /// The bytes that sealing adds.
    public static let tagLength = 16
    /// The longest message, tag included.
    public static let maximumMessage = maximumPlaintext + tagLength

    private let context: AEADContext
    private var counter: UInt64

    init(key: SymmetricKey, counter: UInt64 = 0) throws(NoiseError) {
        guard let context = key.withUnsafeBytes({ AEADContext(key: $0) }) else { throw .invalidOwnKey }
        self.context = context
        self.counter = counter
    }

    /// Seals `plaintext` into the front of `output` as ciphertext followed by the 16-byte tag, without a length prefix.
    ///
    /// - Parameters:
    ///   - plaintext: at most `maximumPlaintext` bytes; may be empty.
    ///   - output: at least `plaintext.count + tagLength` bytes. It may start where `plaintext` starts, but must not
    ///     overlap it otherwise.
    /// - Throws: `messageTooLarge`, `outputTooSmall`, `nonceExhausted`. Nothing is written then, and the counter stays.
    public mutating func seal(
        plaintext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(NoiseError) {
        try seal(plaintext, authenticating: [], into: output)
    }

    /// Opens one message, ciphertext followed by its tag, into the front of `output`.
    ///
    /// - Parameters:
    ///   - ciphertext: `tagLength` to `maximumMessage` bytes, without the length prefix.
    ///   - output: at least `ciphertext.count - tagLength` bytes. It may start where `ciphertext` starts, but must not
    ///     overlap it otherwise.
    /// - Returns: the number of plaintext bytes written, possibly 0.
    /// - Throws: `authenticationFailed` for any changed byte, `messageTooShort`, `messageTooLarge`, `outputTooSmall`,
    ///   `nonceExhausted`. What `output` holds then is worthless, and the connection must be closed.
    public mutating func open(
        ciphertext: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(NoiseError) -> Int {
        try open(ciphertext, authenticating: [], into: output)
    }

    mutating func seal(
        _ plaintext: UnsafeRawBufferPointer, authenticating data: [UInt8], into output: UnsafeMutableRawBufferPointer
    ) throws(NoiseError) {
        guard plaintext.count <= Self.maximumPlaintext else {
            throw .messageTooLarge(size: plaintext.count, limit: Self.maximumPlaintext)
        }
        let needed = plaintext.count + Self.tagLength
        guard output.count >= needed else { throw .outputTooSmall(size: output.count, needed: needed) }
        guard counter < .max else { throw .nonceExhausted }
        let sealed = data.withUnsafeBytes {
            context.seal(plaintext, counter: counter, authenticating: $0, into: output)
        }
        guard sealed else { throw .authenticationFailed }
        counter += 1
    }

    mutating func open(
        _ ciphertext: UnsafeRawBufferPointer, authenticating data: [UInt8], into output: UnsafeMutableRawBufferPointer
    ) throws(NoiseError) -> Int {
        guard ciphertext.count >= Self.tagLength else {
            throw .messageTooShort(size: ciphertext.count, minimum: Self.tagLength)
        }
        guard ciphertext.count <= Self.maximumMessage else {
            throw .messageTooLarge(size: ciphertext.count, limit: Self.maximumMessage)
        }
        let length = ciphertext.count - Self.tagLength
        guard output.count >= length else { throw .outputTooSmall(size: output.count, needed: length) }
        guard counter < .max else { throw .nonceExhausted }
        let isAuthentic = data.withUnsafeBytes {
            context.open(
                UnsafeRawBufferPointer(rebasing: ciphertext.prefix(length)),
                tag: UnsafeRawBufferPointer(rebasing: ciphertext.suffix(Self.tagLength)), counter: counter,
                authenticating: $0, into: output)
        }
        guard isAuthentic else { throw .authenticationFailed }
        counter += 1
        return length
    }
}
