/// Writes one protobuf message field by field, in the order of the calls, with minimal varints.
///
/// Every field that is appended is written, also a default value: libp2p's proto2 messages need that.
/// Field numbers are ours, 1 to 2^29 - 1.
public struct ProtobufWriter: Sendable {
    /// The message so far.
    public private(set) var bytes: [UInt8] = []

    /// An empty message.
    public init() {}

    /// Appends a varint field (wire type 0).
    public mutating func append(_ field: Int, varint value: UInt64) {
        appendTag(field, wireType: 0)
        Varint.append(value, to: &bytes)
    }

    /// Appends a bytes field (wire type 2).
    public mutating func append(_ field: Int, bytes value: some Collection<UInt8>) {
        appendTag(field, wireType: 2)
        Varint.append(UInt64(value.count), to: &bytes)
        bytes.append(contentsOf: value)
    }

    /// Appends a string field (wire type 2) in UTF-8.
    public mutating func append(_ field: Int, string value: String) {
        append(field, bytes: value.utf8)
    }

    /// Appends a truth value (wire type 0).
    public mutating func append(_ field: Int, bool value: Bool) {
        append(field, varint: value ? 1 : 0)
    }

    /// Appends a fixed 64-bit field (wire type 1), least significant byte first: for the nonces of AutoNAT v2, which is to come.
    public mutating func append(_ field: Int, fixed64 value: UInt64) {
        appendTag(field, wireType: 1)
        for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// Appends an embedded message (wire type 2).
    public mutating func append(_ field: Int, message: ProtobufWriter) {
        append(field, bytes: message.bytes)
    }

    private mutating func appendTag(_ field: Int, wireType: UInt64) {
        precondition(1...0x1fff_ffff ~= field, "protobuf field number out of range")
        Varint.append(UInt64(field) << 3 | wireType, to: &bytes)
    }
}
