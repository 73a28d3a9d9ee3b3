/// The 12 bytes in front of every yamux frame.
///
/// Wire shape, big-endian: version (1 byte, always 0), kind (1), flags (2), stream id (4), length (4).
/// What `length` means depends on the kind: payload bytes of a data frame, credit added by a window update,
/// the opaque value of a ping, the code of a go-away. Parsing and encoding allocate nothing.
/// Source: libp2p yamux specification, "Framing".
public struct YamuxHeader: Hashable, Sendable {
    /// What a frame is.
    public enum Kind: UInt8, Sendable {
        /// Carries `length` bytes of payload.
        case data = 0
        /// Adds `length` bytes to what the receiver of this frame may send.
        case windowUpdate = 1
        /// A question or answer about round-trip time; stream id 0.
        case ping = 2
        /// The session ends; stream id 0.
        case goAway = 3
    }

    /// The flag bits; all four mean the same on data frames and on window updates, and may be combined.
    public struct Flags: OptionSet, Hashable, Sendable {
        /// The 16 bits as on the wire.
        public let rawValue: UInt16

        /// Flags of these bits.
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// Opens a stream; on a ping, asks.
        public static let syn = Flags(rawValue: 1)
        /// Accepts a stream; on a ping, answers.
        public static let ack = Flags(rawValue: 2)
        /// The sender writes no more on this stream.
        public static let fin = Flags(rawValue: 4)
        /// The stream is over in both directions, at once.
        public static let rst = Flags(rawValue: 8)
    }

    /// The encoded size in bytes.
    public static let length = 12

    /// What the frame is.
    public var kind: Kind
    /// Its flags; unknown bits are kept and have no effect.
    public var flags: Flags
    /// The stream, or 0 for the session.
    public var streamID: UInt32
    /// Payload bytes, credit, ping value or code, by kind.
    public var length: UInt32

    /// A header of the given fields.
    public init(kind: Kind, flags: Flags = [], streamID: UInt32, length: UInt32) {
        self.kind = kind
        self.flags = flags
        self.streamID = streamID
        self.length = length
    }

    /// Reads a header from the first 12 bytes of `bytes`.
    /// - Throws: `YamuxError.truncatedHeader` for fewer bytes, `.unsupportedVersion`, `.unknownKind`.
    public init(_ bytes: UnsafeRawBufferPointer) throws(YamuxError) {
        guard bytes.count >= Self.length else { throw .truncatedHeader }
        let front = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
        let version = UInt8(truncatingIfNeeded: front >> 24)
        guard version == 0 else { throw .unsupportedVersion(version) }
        let rawKind = UInt8(truncatingIfNeeded: front >> 16)
        guard let kind = Kind(rawValue: rawKind) else { throw .unknownKind(rawKind) }
        self.kind = kind
        self.flags = Flags(rawValue: UInt16(truncatingIfNeeded: front))
        self.streamID = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        self.length = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    }

    /// Reads a header from the first 12 bytes of `bytes`.
    /// - Throws: as the other initialiser.
    public init(_ bytes: [UInt8]) throws(YamuxError) {
        let parsed = bytes.withUnsafeBytes { raw -> Result<YamuxHeader, YamuxError> in
            Result { () throws(YamuxError) in try YamuxHeader(raw) }
        }
        self = try parsed.get()
    }

    /// Writes the 12 bytes at the start of `output`, which must have room for them.
    public func encode(into output: UnsafeMutableRawBufferPointer) {
        precondition(output.count >= Self.length, "a yamux header needs 12 bytes")
        let front = UInt32(self.kind.rawValue) << 16 | UInt32(self.flags.rawValue)
        output.storeBytes(of: front.bigEndian, toByteOffset: 0, as: UInt32.self)
        output.storeBytes(of: self.streamID.bigEndian, toByteOffset: 4, as: UInt32.self)
        output.storeBytes(of: self.length.bigEndian, toByteOffset: 8, as: UInt32.self)
    }

    /// The 12 bytes.
    public var encoded: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.length) { buffer, count in
            self.encode(into: UnsafeMutableRawBufferPointer(buffer))
            count = Self.length
        }
    }
}
