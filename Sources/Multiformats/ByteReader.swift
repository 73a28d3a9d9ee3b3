/// A bounds-checked reading position over bytes: a read past the end throws and moves nothing.
public struct ByteReader: Sendable {
    /// What is unread, sharing the storage of the input.
    public private(set) var remaining: ArraySlice<UInt8>

    /// Reads an array from its start.
    public init(_ bytes: [UInt8]) { self.remaining = bytes[...] }

    /// Reads a slice from its start.
    public init(_ bytes: ArraySlice<UInt8>) { self.remaining = bytes }

    /// Whether everything has been read.
    public var isAtEnd: Bool { remaining.isEmpty }

    /// Reads one byte, or throws `.truncated`.
    public mutating func readByte() throws(VarintError) -> UInt8 {
        guard let byte = remaining.popFirst() else { throw .truncated }
        return byte
    }

    /// Reads `count` bytes without a copy, or throws `.truncated`; a negative count is refused the same way.
    public mutating func readBytes(_ count: Int) throws(VarintError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining.count else { throw .truncated }
        let taken = remaining.prefix(count)
        remaining.removeFirst(count)
        return taken
    }

    /// Reads a multiformats varint; see `Varint.decodePrefix(_:)`.
    public mutating func readVarint() throws(VarintError) -> UInt64 {
        guard let (value, length) = try Varint.decodePrefix(remaining) else { throw .truncated }
        remaining.removeFirst(length)
        return value
    }

    /// Reads a varint that counts the bytes behind it, and those bytes.
    public mutating func readLengthPrefixed() throws(VarintError) -> ArraySlice<UInt8> {
        var copy = self
        guard let length = Int(exactly: try copy.readVarint()) else { throw .truncated }
        let bytes = try copy.readBytes(length)
        self = copy
        return bytes
    }

    /// Reads a 16-bit integer, most significant byte first.
    public mutating func readUInt16BigEndian() throws(VarintError) -> UInt16 { try readInteger() }

    /// Reads a 32-bit integer, most significant byte first.
    public mutating func readUInt32BigEndian() throws(VarintError) -> UInt32 { try readInteger() }

    /// Reads a 64-bit integer, most significant byte first.
    public mutating func readUInt64BigEndian() throws(VarintError) -> UInt64 { try readInteger() }

    private mutating func readInteger<T: FixedWidthInteger>() throws(VarintError) -> T {
        try readBytes(T.bitWidth / 8).reduce(0) { $0 << 8 | T(truncatingIfNeeded: $1) }
    }
}
