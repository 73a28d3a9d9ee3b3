/// Why bytes are not a protobuf message.
public enum ProtobufError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The message ended inside a field.
    case truncated
    /// A varint of more than ten bytes, or past 64 bits.
    case varintOverflow
    /// A field number of 0 or past 2^29 - 1.
    case invalidFieldNumber
    /// A wire type that is not 0, 1, 2 or 5; groups (3 and 4) are among them.
    case unsupportedWireType(UInt8)

    /// For people and logs.
    public var description: String {
        switch self {
        case .truncated: "the message ends inside a field"
        case .varintOverflow: "a number in the message has more than 64 bits"
        case .invalidFieldNumber: "a field of the message has a number below 1 or above 536870911"
        case .unsupportedWireType(let type): "a field of the message has the wire type \(type), which is not used"
        }
    }
}

/// One field of a protobuf message as it was received.
public struct ProtobufField: Sendable, Equatable {
    /// The value by its wire type.
    public enum Value: Sendable, Equatable {
        /// Wire type 0.
        case varint(UInt64)
        /// Wire type 1, eight bytes, least significant first.
        case fixed64(UInt64)
        /// Wire type 2: bytes, a string, a message, or packed numbers.
        case bytes(ArraySlice<UInt8>)
        /// Wire type 5, four bytes, least significant first.
        case fixed32(UInt32)
    }

    /// The field number, 1 to 2^29 - 1.
    public let number: Int
    /// The value.
    public let value: Value
    /// Tag and value exactly as received, for messages whose signature covers them.
    public let encoded: ArraySlice<UInt8>

    /// The value of a varint field, else `nil`.
    public var varint: UInt64? {
        guard case .varint(let value) = value else { return nil }
        return value
    }

    /// The value of a length-delimited field, else `nil`.
    public var bytes: ArraySlice<UInt8>? {
        guard case .bytes(let value) = value else { return nil }
        return value
    }

    /// The value of a length-delimited field that is valid UTF-8, else `nil`.
    public var string: String? {
        bytes.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The value of a varint field as a truth value: anything but 0 is true.
    public var bool: Bool? { varint.map { $0 != 0 } }
}

/// Reads the fields of one protobuf message in their order, without copies and without a schema.
///
/// Lenient where protobuf readers are: padded varints are accepted, unknown fields are handed out for the caller to skip.
/// Strict where hostile input gains: lengths are checked, groups are refused.
/// Source: Protocol Buffers documentation, "Encoding".
public struct ProtobufReader: Sendable {
    private var bytes: ArraySlice<UInt8>

    /// Reads a message that fills an array.
    public init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    /// Reads a message that fills a slice.
    public init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    /// Reads the next field.
    ///
    /// - Returns: the field, or `nil` at the end of the message.
    /// - Throws: what is malformed; the reader must then be dropped.
    public mutating func next() throws(ProtobufError) -> ProtobufField? {
        if bytes.isEmpty { return nil }
        let start = bytes
        let tag = try readVarint()
        guard let number = Int(exactly: tag >> 3), 1...0x1fff_ffff ~= number else { throw .invalidFieldNumber }
        let value: ProtobufField.Value
        switch UInt8(truncatingIfNeeded: tag & 7) {
        case 0:
            value = .varint(try readVarint())
        case 1:
            value = .fixed64(Self.littleEndian(try take(8)))
        case 2:
            guard let length = Int(exactly: try readVarint()) else { throw .truncated }
            value = .bytes(try take(length))
        case 5:
            value = .fixed32(UInt32(truncatingIfNeeded: Self.littleEndian(try take(4))))
        case let other:
            throw .unsupportedWireType(other)
        }
        return ProtobufField(number: number, value: value, encoded: start[start.startIndex..<bytes.startIndex])
    }

    private mutating func take(_ count: Int) throws(ProtobufError) -> ArraySlice<UInt8> {
        guard count <= bytes.count else { throw .truncated }
        let taken = bytes.prefix(count)
        bytes.removeFirst(count)
        return taken
    }

    private mutating func readVarint() throws(ProtobufError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        var length = 0
        for byte in bytes {
            if shift == 63 && byte > 1 { throw .varintOverflow }
            value |= UInt64(byte & 0x7f) << shift
            length += 1
            if byte < 0x80 {
                bytes.removeFirst(length)
                return value
            }
            shift += 7
        }
        throw .truncated
    }

    private static func littleEndian(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
