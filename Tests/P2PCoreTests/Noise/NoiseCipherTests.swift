import Crypto
import Testing

@testable import P2PCore

@Suite("Noise cipher")
struct NoiseCipherTests {
    private let key = SymmetricKey(data: [UInt8](repeating: 0x42, count: 32))

    @Test("sizes from nothing to the largest frame", arguments: [0, 1, 15, 16, 17, 1024, 16384, 65518, 65519])
    func sizes(count: Int) throws {
        var sender = try NoiseCipher(key: key)
        var receiver = try NoiseCipher(key: key)
        let plaintext = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for _ in 0..<3 {
            let message = try sender.sealed(plaintext)
            #expect(message.count == count + 16)
            #expect(try receiver.opened(message[...]) == plaintext)
        }
    }

    @Test("sealing and opening in place")
    func inPlace() throws {
        var sender = try NoiseCipher(key: key)
        var receiver = try NoiseCipher(key: key)
        var expected = try NoiseCipher(key: key)
        let plaintext = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }
        var region = plaintext + [UInt8](repeating: 0, count: 16)
        try region.withUnsafeMutableBytes {
            try sender.seal(plaintext: UnsafeRawBufferPointer(rebasing: $0.prefix(5000)), into: $0)
        }
        #expect(region == (try expected.sealed(plaintext)))
        let count = try region.withUnsafeMutableBytes {
            try receiver.open(ciphertext: UnsafeRawBufferPointer($0), into: $0)
        }
        #expect(Array(region.prefix(count)) == plaintext)
    }

    @Test("the nonce is the counter, little-endian behind four zero bytes")
    func nonce() throws {
        var cipher = try NoiseCipher(key: key, counter: 0x0102_0304_0506_0708)
        let message = try cipher.sealed([1, 2, 3])
        let nonce = try ChaChaPoly.Nonce(data: [0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1] as [UInt8])
        let box = try ChaChaPoly.seal([1, 2, 3] as [UInt8], using: key, nonce: nonce)
        #expect(message == Array(box.combined.dropFirst(12)))
    }

    @Test("the last counter value is never used")
    func exhaustion() throws {
        var cipher = try NoiseCipher(key: key, counter: .max - 1)
        _ = try cipher.sealed([1])
        #expect(throws: NoiseError.nonceExhausted) { try cipher.sealed([1]) }
        #expect(throws: NoiseError.nonceExhausted) { try cipher.opened([UInt8](repeating: 0, count: 16)[...]) }
    }

    @Test("limits")
    func limits() throws {
        var cipher = try NoiseCipher(key: key)
        #expect(throws: NoiseError.messageTooLarge(size: 65520, limit: 65519)) {
            try cipher.sealed([UInt8](repeating: 0, count: 65520))
        }
        #expect(throws: NoiseError.messageTooLarge(size: 65536, limit: 65535)) {
            try cipher.opened([UInt8](repeating: 0, count: 65536)[...])
        }
        #expect(throws: NoiseError.messageTooShort(size: 15, minimum: 16)) {
            try cipher.opened([UInt8](repeating: 0, count: 15)[...])
        }
        var output: [UInt8] = [1, 2, 3]
        #expect(throws: NoiseError.outputTooSmall(size: 3, needed: 17)) {
            try output.withUnsafeMutableBytes { output in
                try [UInt8(9)].withUnsafeBytes { try cipher.seal(plaintext: $0, into: output) }
            }
        }
        #expect(output == [1, 2, 3])
    }

    @Test("a changed, repeated or reordered message does not open")
    func tampering() throws {
        var sender = try NoiseCipher(key: key)
        let first = try sender.sealed([1, 2, 3])
        let second = try sender.sealed([4, 5, 6])
        for position in first.indices {
            var changed = first
            changed[position] ^= 4
            var receiver = try NoiseCipher(key: key)
            #expect(throws: NoiseError.authenticationFailed) { try receiver.opened(changed[...]) }
        }
        var receiver = try NoiseCipher(key: key)
        #expect(throws: NoiseError.authenticationFailed) { try receiver.opened(second[...]) }
        #expect(try receiver.opened(first[...]) == [1, 2, 3])
        #expect(throws: NoiseError.authenticationFailed) { try receiver.opened(first[...]) }
    }
}
