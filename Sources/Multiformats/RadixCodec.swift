/// Positional text encodings whose base is no power of two: base58btc and base36.
///
/// The number is held in 32-bit limbs and several digits are handled per step, so that a peer id of 38 bytes costs about a
/// hundred multiplications. The cost grows with the square of the length, which is why the text is limited.
struct RadixCodec: Sendable {
    /// The longest text that is decoded, in characters.
    static let maximumTextLength = 512

    private static let invalid: UInt8 = 0xff
    private let radix: UInt64
    private let digits: [UInt8]
    private let values: [UInt8]
    /// The most digits whose values together stay below 2^32, and radix to that power.
    private let chunkLength: Int
    private let chunkRadix: UInt64

    init(alphabet: StaticString, ignoringCase: Bool = false) {
        let digits = alphabet.withUTF8Buffer { Array($0) }
        var values = [UInt8](repeating: Self.invalid, count: 256)
        for (value, digit) in digits.enumerated() {
            values[Int(digit)] = UInt8(value)
            if ignoringCase, 0x61...0x7a ~= digit { values[Int(digit - 0x20)] = UInt8(value) }
        }
        let radix = UInt64(digits.count)
        var chunkLength = 1
        var chunkRadix = radix
        while chunkRadix * radix <= UInt64(UInt32.max) {
            chunkRadix *= radix
            chunkLength += 1
        }
        self.radix = radix
        self.digits = digits
        self.values = values
        self.chunkLength = chunkLength
        self.chunkRadix = chunkRadix
    }

    /// Encodes bytes as one big-endian number; every leading zero byte becomes a leading zero digit.
    func encode(_ bytes: some Collection<UInt8>) -> String { encode(Array(bytes)) }

    private func encode(_ bytes: [UInt8]) -> String {
        let zeros = bytes.prefix { $0 == 0 }.count
        let significant = bytes.dropFirst(zeros)
        // Limbs of value below chunkRadix, least significant first.
        var limbs: [UInt32] = []
        limbs.reserveCapacity(significant.count * 8 / 29 + 1)
        var word: UInt64 = 0
        var pending = significant.count % 4
        if pending == 0 { pending = 4 }
        var shift: UInt64 = UInt64(pending) * 8
        for byte in significant {
            word = word << 8 | UInt64(byte)
            pending -= 1
            if pending > 0 { continue }
            var carry = word
            for index in limbs.indices {
                let total = UInt64(limbs[index]) << shift + carry
                limbs[index] = UInt32(truncatingIfNeeded: total % chunkRadix)
                carry = total / chunkRadix
            }
            while carry > 0 {
                limbs.append(UInt32(truncatingIfNeeded: carry % chunkRadix))
                carry /= chunkRadix
            }
            word = 0
            pending = 4
            shift = 32
        }
        var reversed: [UInt8] = []
        reversed.reserveCapacity(zeros + limbs.count * chunkLength)
        for (index, limb) in limbs.enumerated() {
            var rest = UInt64(limb)
            for _ in 0..<chunkLength {
                if index == limbs.count - 1 && rest == 0 { break }
                reversed.append(digits[Int(rest % radix)])
                rest /= radix
            }
        }
        for _ in 0..<zeros { reversed.append(digits[0]) }
        return String(decoding: reversed.reversed(), as: UTF8.self)
    }

    /// The inverse of `encode(_:)`.
    func decode(_ text: some Collection<UInt8>) throws(MultibaseError) -> [UInt8] {
        guard text.count <= Self.maximumTextLength else { throw .tooLong(limit: Self.maximumTextLength) }
        return try decode(Array(text))
    }

    private func decode(_ text: [UInt8]) throws(MultibaseError) -> [UInt8] {
        let zeros = text.prefix { $0 == digits[0] }.count
        var limbs: [UInt32] = []
        limbs.reserveCapacity(text.count * 6 / 32 + 1)
        var chunk: UInt64 = 0
        var scale: UInt64 = 1
        for (offset, character) in text.enumerated() {
            let value = values[Int(character)]
            guard value != Self.invalid else { throw .invalidCharacter(offset: offset) }
            chunk = chunk * radix + UInt64(value)
            scale *= radix
            if scale == chunkRadix {
                Self.multiplyAdd(&limbs, scale, chunk)
                chunk = 0
                scale = 1
            }
        }
        if scale > 1 { Self.multiplyAdd(&limbs, scale, chunk) }
        var bytes = [UInt8](repeating: 0, count: zeros)
        bytes.reserveCapacity(zeros + limbs.count * 4)
        var isLeading = true
        for limb in limbs.reversed() {
            for shift in stride(from: UInt32(24), through: 0, by: -8) {
                let byte = UInt8(truncatingIfNeeded: limb >> shift)
                if isLeading && byte == 0 { continue }
                isLeading = false
                bytes.append(byte)
            }
        }
        return bytes
    }

    private static func multiplyAdd(_ limbs: inout [UInt32], _ factor: UInt64, _ addend: UInt64) {
        var carry = addend
        for index in limbs.indices {
            let total = UInt64(limbs[index]) * factor + carry
            limbs[index] = UInt32(truncatingIfNeeded: total)
            carry = total >> 32
        }
        if carry > 0 { limbs.append(UInt32(truncatingIfNeeded: carry)) }
    }
}
