import Multiformats

/// Why the bytes of a control connection are no frames. The connection cannot go on.
enum FrameError: Error, Equatable {
    case invalidLength(VarintError)
    case tooLong(length: UInt64, limit: Int)
}

/// Cuts the bytes of a control connection into messages.
///
/// Wire shape: varint(length), message. Bytes may arrive in any pieces. Holds at most one message beside what was handed in
/// last, and a message of more than `limit` bytes is refused as soon as its length is known.
struct FrameDecoder {
    /// The longest message, in bytes: one that publishes a megabyte fits.
    static let maximumLength = 2_097_152

    private let limit: Int
    private var buffer: [UInt8] = []
    private var start = 0

    init(limit: Int = maximumLength) { self.limit = limit }

    /// Takes bytes as they come.
    mutating func append(_ bytes: some Sequence<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole message without its length, or `nil` until more bytes are appended.
    mutating func next() throws(FrameError) -> ArraySlice<UInt8>? {
        let prefix: (value: UInt64, length: Int)?
        do { prefix = try Varint.decodePrefix(buffer[start...]) } catch { throw .invalidLength(error) }
        guard let (value, length) = prefix else { return nil }
        guard let count = Int(exactly: value), count <= limit else { throw .tooLong(length: value, limit: limit) }
        guard buffer.count - start - length >= count else { return nil }
        let message = buffer[(start + length)..<(start + length + count)]
        start += length + count
        return message
    }

    /// What has arrived and not been taken as a message: after a request that turns the connection into a stream, the
    /// stream's first bytes.
    mutating func takeRemaining() -> ArraySlice<UInt8> {
        defer {
            buffer = []
            start = 0
        }
        return buffer[start...]
    }

    /// A message with its length before it.
    static func frame(_ message: some Collection<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.count + 4)
        Varint.append(UInt64(message.count), to: &bytes)
        bytes.append(contentsOf: message)
        return bytes
    }
}
