import Multiformats
import P2PCore

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

    private var reader: LengthPrefixedReader

    init(limit: Int = maximumLength) { reader = LengthPrefixedReader(limit: limit) }

    /// Takes bytes as they come.
    mutating func append(_ bytes: some Collection<UInt8>) { reader.append(bytes) }

    /// The next whole message without its length, or `nil` until more bytes are appended.
    mutating func next() throws(FrameError) -> ArraySlice<UInt8>? {
        do throws(LengthPrefixError) { return try reader.next() } catch {
            switch error {
            case .malformedLength(let error): throw .invalidLength(error)
            case .tooLong(let length, let limit): throw .tooLong(length: length, limit: limit)
            }
        }
    }

    /// What has arrived and not been taken as a message: after a request that turns the connection into a stream, the
    /// stream's first bytes.
    mutating func takeRemaining() -> ArraySlice<UInt8> { reader.takeRemaining() }

    /// A message with its length before it.
    static func frame(_ message: some Collection<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.count + 4)
        Varint.append(UInt64(message.count), to: &bytes)
        bytes.append(contentsOf: message)
        return bytes
    }
}
