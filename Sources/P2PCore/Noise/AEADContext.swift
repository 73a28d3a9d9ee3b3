import CLibCrypto

/// One reusable ChaCha20-Poly1305 context of libcrypto, which seals and opens in place.
///
/// Why libcrypto and not swift-crypto: swift-crypto returns a freshly allocated box for every message, so each frame is copied
/// twice and the allocator works on every one. See docs/decisions/0003.
///
/// Not for two threads at once: `NoiseCipher`, its only owner, is used on one event loop.
final class AEADContext: @unchecked Sendable {
    // Unchecked: the pointer is written once, and the cipher that owns this object is mutated by one owner at a time.
    private let context: OpaquePointer

    /// A context with the key set; `nil` unless the key has 32 bytes and libcrypto could set up the cipher.
    init?(key: UnsafeRawBufferPointer) {
        guard key.count == 32, let context = EVP_CIPHER_CTX_new() else { return nil }
        self.context = context
        guard EVP_CipherInit_ex(context, EVP_chacha20_poly1305(), nil, key.bytePointer, nil, 1) == 1 else { return nil }
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// Writes ciphertext and tag to `output`, which has room for both and may start where `plaintext` starts.
    func seal(
        _ plaintext: UnsafeRawBufferPointer, counter: UInt64, authenticating data: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let length = plaintext.count
        return begin(counter, sealing: true) && authenticate(data)
            && update(plaintext, into: output)
            && finish()
            && EVP_CIPHER_CTX_ctrl(
                context, EVP_CTRL_AEAD_GET_TAG, 16, output.baseAddress.map { $0 + length }) == 1
    }

    /// Writes the plaintext to `output` and tells whether the tag was right; what was written is worthless if not.
    func open(
        _ ciphertext: UnsafeRawBufferPointer, tag: UnsafeRawBufferPointer, counter: UInt64,
        authenticating data: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        // libcrypto only reads the tag here; the parameter is not const for other controls' sake.
        begin(counter, sealing: false)
            && EVP_CIPHER_CTX_ctrl(
                context, EVP_CTRL_AEAD_SET_TAG, 16, UnsafeMutableRawPointer(mutating: tag.baseAddress)) == 1
            && authenticate(data)
            && update(ciphertext, into: output)
            && finish()
    }

    private func begin(_ counter: UInt64, sealing: Bool) -> Bool {
        // Four zero bytes, then the counter, little-endian.
        let nonce = (UInt32(0), UInt32(truncatingIfNeeded: counter).littleEndian, UInt32(counter >> 32).littleEndian)
        return withUnsafeBytes(of: nonce) {
            EVP_CipherInit_ex(context, nil, nil, nil, $0.bytePointer, sealing ? 1 : 0) == 1
        }
    }

    private func authenticate(_ data: UnsafeRawBufferPointer) -> Bool {
        var written: CInt = 0
        return data.isEmpty || EVP_CipherUpdate(context, nil, &written, data.bytePointer, CInt(data.count)) == 1
    }

    private func update(_ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer) -> Bool {
        var written: CInt = 0
        return input.isEmpty
            || EVP_CipherUpdate(context, output.bytePointer, &written, input.bytePointer, CInt(input.count)) == 1
    }

    private func finish() -> Bool {
        var written: CInt = 0
        // A stream cipher writes nothing at the end, but libcrypto wants a valid pointer.
        var nothing: UInt8 = 0
        return EVP_CipherFinal_ex(context, &nothing, &written) == 1
    }
}

extension UnsafeRawBufferPointer {
    fileprivate var bytePointer: UnsafePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}

extension UnsafeMutableRawBufferPointer {
    fileprivate var bytePointer: UnsafeMutablePointer<UInt8>? { baseAddress?.assumingMemoryBound(to: UInt8.self) }
}
