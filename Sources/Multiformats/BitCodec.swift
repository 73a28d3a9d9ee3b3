/// Text encodings whose base is a power of two: hexadecimal, base32 and the base64 family.
struct BitCodec: Sendable {
    private static let invalid: UInt8 = 0xff
    private static let padding = UInt8(ascii: "=")
    private let digits: [UInt8]
    private let values: [UInt8]
    private let bitsPerDigit: Int

    init(alphabet: StaticString, ignoringCase: Bool = false) {
        digits = alphabet.withUTF8Buffer { Array($0) }
        var values = [UInt8](repeating: Self.invalid, count: 256)
        for (value, digit) in digits.enumerated() {
            values[Int(digit)] = UInt8(value)
            if ignoringCase, 0x61...0x7a ~= digit { values[Int(digit - 0x20)] = UInt8(value) }
            if ignoringCase, 0x41...0x5a ~= digit { values[Int(digit + 0x20)] = UInt8(value) }
        }
        self.values = values
        bitsPerDigit = digits.count.trailingZeroBitCount
    }

    func encode(_ bytes: some Collection<UInt8>, paddedTo group: Int = 1) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count * 8 / bitsPerDigit + group)
        var buffer = 0
        var bits = 0
        for byte in bytes {
            buffer = (buffer << 8 | Int(byte)) & 0xffff
            bits += 8
            while bits >= bitsPerDigit {
                bits -= bitsPerDigit
                text.append(digits[(buffer >> bits) & (digits.count - 1)])
            }
        }
        if bits > 0 { text.append(digits[(buffer << (bitsPerDigit - bits)) & (digits.count - 1)]) }
        while text.count % group != 0 { text.append(Self.padding) }
        return String(decoding: text, as: UTF8.self)
    }

    /// Decodes text, with padding up to `group` characters taken off first if `group` is not 1.
    ///
    /// Leftover bits must be zero and fewer than a digit: each byte string has one form only.
    func decode(_ text: some BidirectionalCollection<UInt8>, paddedTo group: Int = 1) throws(MultibaseError) -> [UInt8]
    {
        var count = text.count
        if group > 1 {
            guard count % group == 0 else { throw .invalidLength }
            let padded = text.reversed().prefix { $0 == Self.padding }.count
            guard padded < group else { throw .invalidLength }
            count -= padded
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * bitsPerDigit / 8)
        var buffer = 0
        var bits = 0
        for (offset, character) in text.prefix(count).enumerated() {
            let value = values[Int(character)]
            guard value != Self.invalid else { throw .invalidCharacter(offset: offset) }
            buffer = (buffer << bitsPerDigit | Int(value)) & 0xffff
            bits += bitsPerDigit
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: buffer >> bits))
            }
        }
        guard bits < bitsPerDigit else { throw .invalidLength }
        guard buffer & ((1 << bits) - 1) == 0 else { throw .trailingBits }
        return bytes
    }
}

/// Hexadecimal: two digits a byte, small letters out, both cases in.
public enum Hex {
    static let codec = BitCodec(alphabet: "0123456789abcdef", ignoringCase: true)

    /// Encodes bytes.
    public static func encode(_ bytes: some Collection<UInt8>) -> String { codec.encode(bytes) }

    /// Decodes text.
    /// - Throws: `.invalidLength` for an odd number of digits, or `.invalidCharacter`.
    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] { try codec.decode(text.utf8) }
}

/// base32 of RFC 4648 in small letters without padding; capitals are read too.
public enum Base32 {
    static let codec = BitCodec(alphabet: "abcdefghijklmnopqrstuvwxyz234567", ignoringCase: true)

    /// Encodes bytes.
    public static func encode(_ bytes: some Collection<UInt8>) -> String { codec.encode(bytes) }

    /// Decodes text.
    /// - Throws: `.invalidLength`, `.trailingBits` or `.invalidCharacter`.
    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] { try codec.decode(text.utf8) }
}

/// base64 of RFC 4648, sections 4 and 5.
public enum Base64 {
    /// Which alphabet, and whether the text is padded with `=` to groups of four.
    public enum Variant: Sendable {
        /// `+` and `/`, padded: the common form.
        case standard
        /// `+` and `/`, not padded.
        case standardUnpadded
        /// `-` and `_`, padded.
        case urlPadded
        /// `-` and `_`, not padded.
        case url

        fileprivate var isPadded: Bool { self == .standard || self == .urlPadded }
        fileprivate var codec: BitCodec {
            self == .standard || self == .standardUnpadded ? Base64.standardCodec : Base64.urlCodec
        }
    }

    private static let standardCodec = BitCodec(
        alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    private static let urlCodec = BitCodec(
        alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")

    /// Encodes bytes.
    public static func encode(_ bytes: some Collection<UInt8>, as variant: Variant = .standard) -> String {
        variant.codec.encode(bytes, paddedTo: variant.isPadded ? 4 : 1)
    }

    /// Decodes text of exactly that variant.
    /// - Throws: `.invalidLength`, `.trailingBits` or `.invalidCharacter`.
    public static func decode(_ text: String, as variant: Variant = .standard) throws(MultibaseError) -> [UInt8] {
        try variant.codec.decode(text.utf8, paddedTo: variant.isPadded ? 4 : 1)
    }
}
