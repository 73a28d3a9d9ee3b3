/// Sealing and opening whole arrays, for handshakes and other rare messages.
extension NoiseCipher {
    mutating func sealed(_ plaintext: [UInt8], authenticating data: [UInt8] = []) throws(NoiseError) -> [UInt8] {
        var message = [UInt8](repeating: 0, count: plaintext.count + Self.tagLength)
        let outcome = plaintext.withUnsafeBytes { plaintext in
            message.withUnsafeMutableBytes { message in
                Result { () throws(NoiseError) in try seal(plaintext, authenticating: data, into: message) }
            }
        }
        try outcome.get()
        return message
    }

    mutating func opened(
        _ message: ArraySlice<UInt8>, authenticating data: [UInt8] = []
    ) throws(NoiseError) -> [UInt8] {
        var plaintext = Array(message)
        let outcome = plaintext.withUnsafeMutableBytes { bytes in
            Result { () throws(NoiseError) in
                try open(UnsafeRawBufferPointer(bytes), authenticating: data, into: bytes)
            }
        }
        plaintext.removeSubrange(try outcome.get()...)
        return plaintext
    }
}
