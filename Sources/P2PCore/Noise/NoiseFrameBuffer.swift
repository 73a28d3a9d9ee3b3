/// Collects received bytes and cuts them into Noise frames: 16-bit big-endian length, then that many bytes.
struct NoiseFrameBuffer: Sendable {
    private var bytes: [UInt8] = []
    private var position = 0

    mutating func append(_ more: ArraySlice<UInt8>) {
        if position > 0 {
            bytes.removeSubrange(..<position)
            position = 0
        }
        bytes.append(contentsOf: more)
    }

    /// The body of the next whole frame, or nil while it is incomplete. A length above `limit` is refused when it is read,
    /// before the body has come.
    mutating func next(limit: Int) throws(NoiseError) -> ArraySlice<UInt8>? {
        let unread = bytes[position...]
        guard unread.count >= NoiseHandshake.lengthPrefix else { return nil }
        let size = Int(unread[position]) << 8 | Int(unread[position + 1])
        guard size <= limit else { throw .messageTooLarge(size: size, limit: limit) }
        guard unread.count - NoiseHandshake.lengthPrefix >= size else { return nil }
        let body = unread.dropFirst(NoiseHandshake.lengthPrefix).prefix(size)
        position = body.endIndex
        return body
    }

    /// Everything behind the last frame that was taken.
    var rest: [UInt8] { Array(bytes[position...]) }
}
