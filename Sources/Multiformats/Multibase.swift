/// Why a text is not the encoding it claims to be.
public enum MultibaseError: Error, Equatable, Sendable, CustomStringConvertible {
    /// No text at all, so no prefix either.
    case empty
    /// A prefix letter that is not among those of `Multibase.Encoding`.
    case unknownPrefix(Character)
    /// A character outside the alphabet, at this offset in bytes behind the prefix.
    case invalidCharacter(offset: Int)
    /// A length that no byte string has.
    case invalidLength
    /// Bits behind the last whole byte that are not zero.
    case trailingBits
    /// Longer than is decoded at all, in characters.
    case tooLong(limit: Int)

    /// For people and logs.
    public var description: String {
        switch self {
        case .empty: "there is no text"
        case .unknownPrefix(let prefix): "no encoding begins with the character \(Self.number(of: prefix))"
        case .invalidCharacter(let offset):
            "the character at byte \(offset) is not in the alphabet; look for a slip of typing"
        case .invalidLength: "no bytes make a text of this length; look whether all of it was copied"
        case .trailingBits: "the last character cannot stand at the end; look whether all of it was copied"
        case .tooLong(let limit): "the text has more than \(limit) characters"
        }
    }

    /// A character may be as long as the text, and may not show: the number of its first scalar stands for it.
    private static func number(of character: Character) -> String {
        "U+" + character.unicodeScalars.prefix(1).map { String($0.value, radix: 16, uppercase: true) }.joined()
    }
}

/// Self-describing text encodings: one letter tells the base of what follows it.
///
/// Source: multiformats multibase specification, the table's `final` and `default` rows that peers meet.
public enum Multibase {
    /// A base, by its prefix letter.
    public enum Encoding: Character, Sendable, CaseIterable {
        /// Hexadecimal in small letters.
        case base16 = "f"
        /// Hexadecimal in capitals.
        case base16Upper = "F"
        /// RFC 4648 base32 in small letters, not padded: the usual form of a CID.
        case base32 = "b"
        /// RFC 4648 base32 in capitals, not padded.
        case base32Upper = "B"
        /// base36 in small letters: fits a DNS label.
        case base36 = "k"
        /// base36 in capitals.
        case base36Upper = "K"
        /// base58btc.
        case base58btc = "z"
        /// RFC 4648 base64, not padded.
        case base64 = "m"
        /// RFC 4648 base64, padded.
        case base64Padded = "M"
        /// RFC 4648 base64url, not padded.
        case base64url = "u"
        /// RFC 4648 base64url, padded.
        case base64urlPadded = "U"
    }

    /// Encodes bytes, prefix letter first.
    public static func encode(_ bytes: some Collection<UInt8>, as encoding: Encoding) -> String {
        let body =
            switch encoding {
            case .base16: Hex.encode(bytes)
            case .base16Upper: Hex.encode(bytes).uppercased()
            case .base32: Base32.encode(bytes)
            case .base32Upper: Base32.encode(bytes).uppercased()
            case .base36: Base36.encode(bytes)
            case .base36Upper: Base36.encode(bytes).uppercased()
            case .base58btc: Base58.encode(bytes)
            case .base64: Base64.encode(bytes, as: .standardUnpadded)
            case .base64Padded: Base64.encode(bytes, as: .standard)
            case .base64url: Base64.encode(bytes, as: .url)
            case .base64urlPadded: Base64.encode(bytes, as: .urlPadded)
            }
        return "\(encoding.rawValue)\(body)"
    }

    /// Decodes text by its prefix. Letters of the case-insensitive bases are read in either case.
    /// - Throws: what is wrong with the text; base36 and base58 have a limit of 512 characters.
    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] {
        guard let prefix = text.first else { throw .empty }
        guard let encoding = Encoding(rawValue: prefix) else { throw .unknownPrefix(prefix) }
        let body = text.utf8.dropFirst()
        switch encoding {
        case .base16, .base16Upper: return try Hex.codec.decode(body)
        case .base32, .base32Upper: return try Base32.codec.decode(body)
        case .base36, .base36Upper: return try Base36.codec.decode(body)
        case .base58btc: return try Base58.codec.decode(body)
        case .base64: return try Base64.decode(String(text.dropFirst()), as: .standardUnpadded)
        case .base64Padded: return try Base64.decode(String(text.dropFirst()), as: .standard)
        case .base64url: return try Base64.decode(String(text.dropFirst()), as: .url)
        case .base64urlPadded: return try Base64.decode(String(text.dropFirst()), as: .urlPadded)
        }
    }
}
