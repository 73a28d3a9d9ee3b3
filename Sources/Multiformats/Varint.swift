/// Why an unsigned varint, or a fixed-size read beside one, was refused.
public enum VarintError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The input ended inside the value.
    case truncated
    /// More than nine bytes: the value would not fit 63 bits.
    case tooLong
    /// A padded form: the last of several bytes is zero.
    case notMinimal

    /// For people and logs.
    public var description: String {
        switch self {
        case .truncated: "the bytes end inside a number"
        case .tooLong: "a number has more than nine bytes"
        case .notMinimal: "a number has more bytes than it needs"
        }
    }
}

/// Unsigned varints of the multiformats project.
///
/// Wire shape: 1 to 9 bytes, seven bits each, least significant group first; the high bit marks continuation.
/// Source: multiformats unsigned-varint specification, sections "Spec" and "Practical maximum".
public enum Varint {
    /// The longest form, in bytes: 63 bits of value.
    public static let maximumLength = 9

    /// The number of bytes that `encode(_:)` makes of a value: 1 to 10.
    public static func encodedLength(_ value: UInt64) -> Int {
        value == 0 ? 1 : (70 - value.leadingZeroBitCount) / 7
    }

    /// Appends a value. Values from 2^63 on take ten bytes, which only protobuf readers accept.
    public static func append(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// The bytes of a value alone; see `append(_:to:)`.
    public static func encode(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        append(value, to: &bytes)
        return bytes
    }

    /// Reads the varint at the front of `bytes`, which may be only the part that has arrived so far.
    ///
    /// - Returns: the value, 0 to 2^63 - 1, and its length in bytes; `nil` if more bytes are needed. No byte behind the
    ///   varint is looked at.
    /// - Throws: `.tooLong` past nine bytes, `.notMinimal` for a padded form; never `.truncated`.
    public static func decodePrefix(
        _ bytes: ArraySlice<UInt8>
    ) throws(VarintError) -> (value: UInt64, length: Int)? {
        var value: UInt64 = 0
        var length = 0
        for byte in bytes {
            value |= UInt64(byte & 0x7f) << UInt64(7 * length)
            length += 1
            if byte < 0x80 {
                if byte == 0 && length > 1 { throw .notMinimal }
                return (value, length)
            }
            if length == maximumLength { throw .tooLong }
        }
        return nil
    }
}
