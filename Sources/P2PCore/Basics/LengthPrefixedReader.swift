package import Multiformats

/// Cuts the bytes of a stream into messages.
///
/// Wire shape: varint(length), message; again and again. Bytes may arrive in any pieces.
///
/// Where messages are asked for until there is none, after each piece, it holds at most one message, its length included, and what
/// came with its last piece. Between messages it holds nothing, and of a message that has begun twice what has come of it, at
/// most, and not more than the whole.
package struct LengthPrefixedReader: Sendable {
    private let limit: Int
    private var buffer: [UInt8] = []
    private var consumed = 0
    /// The length of the message that has begun, its prefix included, once that is known.
    private var messageBytes = 0

    /// - Parameter limit: bytes of a message; longer ones are an error, noticed when their length is read.
    package init(limit: Int) { self.limit = limit }

    /// Bytes of memory kept for a message that has begun and is not whole, as of the last `next()` that said nil; 0 between messages.
    package var heldBytes: Int { isEmpty ? 0 : buffer.capacity }

    /// Whether no byte waits.
    package var isEmpty: Bool { consumed == buffer.count }

    /// Takes over received bytes.
    package mutating func append(_ bytes: some Collection<UInt8>) {
        if consumed > 0 { keepRest(of: 0) }
        let needed = buffer.count + bytes.count
        if needed > buffer.capacity {
            // Not with each piece, or a message in many pieces would be copied as often; and not beyond its end, which is known.
            buffer.reserveCapacity(max(needed, min(2 * buffer.count, messageBytes)))
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole message without its length, which may be an empty one; nil if more bytes are needed.
    ///
    /// - Throws: a length that is no varint or past the limit. The stream is of no use after that: the same is thrown again.
    package mutating func next() throws(LengthPrefixError) -> ArraySlice<UInt8>? {
        let prefix: (value: UInt64, length: Int)?
        do { prefix = try Varint.decodePrefix(buffer[consumed...]) } catch { throw .malformedLength(error) }
        guard let (value, length) = prefix else {
            keepRest(of: 0)
            return nil
        }
        guard let size = Int(exactly: value), size <= limit else { throw .tooLong(length: value, limit: limit) }
        guard buffer.count - consumed - length >= size else {
            keepRest(of: length + min(size, .max - length))
            return nil
        }
        let start = consumed + length
        consumed = start + size
        return buffer[start..<consumed]
    }

    /// Takes what has arrived and is no message yet: the first bytes of what follows, where messages end.
    package mutating func takeRemaining() -> ArraySlice<UInt8> {
        let remaining = buffer[consumed...]
        buffer = []
        consumed = 0
        messageBytes = 0
        return remaining
    }

    /// Gives back the room of the messages that were read; another one of so many bytes has begun, or 0.
    private mutating func keepRest(of messageBytes: Int) {
        self.messageBytes = messageBytes
        guard consumed > 0 else { return }
        buffer = Array(buffer[consumed...])
        consumed = 0
    }
}

/// Why a stream cannot be cut into messages.
package enum LengthPrefixError: Error, Equatable, Sendable {
    /// The length is no varint.
    case malformedLength(VarintError)
    /// The message is longer than allowed.
    case tooLong(length: UInt64, limit: Int)
}
