import Multiformats

/// Cuts incoming bytes into multistream messages and keeps everything behind the last one.
///
/// Not a `LengthPrefixedReader`: it gives up within the length's third byte, and does not copy what waits behind a message.
///
/// Holds less than one message (1026 bytes) plus what the latest `append` brought; it never reads ahead of what the
/// caller asked for.
struct MultistreamDecoder: Sendable {
    private var buffer: [UInt8] = []
    private var position = 0

    mutating func append(_ bytes: ArraySlice<UInt8>) {
        if position == buffer.count {
            // A whole array is not copied.
            buffer = Array(bytes)
            position = 0
            return
        }
        if position > Multistream.maximumMessageBytes {
            buffer.removeSubrange(..<position)
            position = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole message without its newline, or nil while more bytes are needed.
    mutating func next() throws(MultistreamError) -> ArraySlice<UInt8>? {
        let unread = buffer[position...]
        let prefix: (value: UInt64, length: Int)?
        do {
            // A length below the limit takes two bytes, so a third one is already too much; what stands behind it has no say,
            // or it would depend on how the bytes arrive what is wrong with them.
            prefix = try Varint.decodePrefix(unread.prefix(3))
        } catch {
            throw .malformedLength
        }
        guard let prefix else {
            guard unread.count < 3 else { throw .messageTooLarge(limit: Multistream.maximumMessageBytes) }
            return nil
        }
        guard prefix.value > 0 else { throw .malformedLength }
        guard prefix.value <= UInt64(Multistream.maximumMessageBytes) else {
            throw .messageTooLarge(limit: Multistream.maximumMessageBytes)
        }
        let length = Int(prefix.value)
        let body = unread.dropFirst(prefix.length)
        guard body.count >= length else { return nil }
        let message = body.prefix(length)
        guard message.last == Multistream.newline else { throw .missingNewline }
        position += prefix.length + length
        return message.dropLast()
    }

    /// Takes everything that no message has used.
    mutating func takeLeftover() -> [UInt8] {
        let leftover = Array(buffer[position...])
        buffer = []
        position = 0
        return leftover
    }
}
