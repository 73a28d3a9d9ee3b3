/// base58btc: the alphabet without `0`, `O`, `I` and `l`; every leading zero byte is a leading `1`.
///
/// Source: multibase table, prefix `z`; Bitcoin's alphabet.
public enum Base58 {
    static let codec = RadixCodec(alphabet: "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")

    /// Encodes bytes.
    /// - Complexity: quadratic in the length; meant for keys and hashes.
    public static func encode(_ bytes: some Collection<UInt8>) -> String { codec.encode(bytes) }

    /// Decodes at most 512 characters.
    /// - Throws: `.tooLong` or `.invalidCharacter`.
    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] { try codec.decode(text.utf8) }
}

/// base36: a big-endian number in `0-9a-z`; every leading zero byte is a leading `0`. Capitals are read too.
///
/// Source: multibase table, prefix `k`.
public enum Base36 {
    static let codec = RadixCodec(alphabet: "0123456789abcdefghijklmnopqrstuvwxyz", ignoringCase: true)

    /// Encodes bytes.
    /// - Complexity: quadratic in the length; meant for keys and hashes.
    public static func encode(_ bytes: some Collection<UInt8>) -> String { codec.encode(bytes) }

    /// Decodes at most 512 characters.
    /// - Throws: `.tooLong` or `.invalidCharacter`.
    public static func decode(_ text: String) throws(MultibaseError) -> [UInt8] { try codec.decode(text.utf8) }
}
