public import Multiformats

/// Cuts the bytes of a pubsub stream into frames: a varint length, then so many bytes of RPC.
///
/// Holds at most one frame's length plus what came with its last piece.
public struct GossipFrameReader: Sendable {
    private let maximumFrameBytes: Int
    private var buffer: [UInt8] = []
    private var consumed = 0

    /// - Parameter maximumFrameBytes: longer frames are an error, noticed when their length is read.
    public init(maximumFrameBytes: Int = GossipSubLimits().maximumFrameBytes) {
        self.maximumFrameBytes = maximumFrameBytes
    }

    /// Takes over received bytes.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        if consumed > 0 {
            buffer.removeFirst(consumed)
            consumed = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole frame without its length; nil if more bytes are needed. Empty frames are skipped.
    ///
    /// - Throws: a length that is no varint or past the limit. The stream is of no use after that.
    public mutating func next() throws(GossipFrameError) -> ArraySlice<UInt8>? {
        while true {
            let prefix: (value: UInt64, length: Int)?
            do { prefix = try Varint.decodePrefix(buffer[consumed...]) } catch { throw .malformedLength(error) }
            guard let (value, length) = prefix else { return nil }
            guard let size = Int(exactly: value), size <= maximumFrameBytes else {
                throw .tooLarge(bytes: value, limit: maximumFrameBytes)
            }
            guard buffer.count - consumed - length >= size else { return nil }
            let start = consumed + length
            consumed = start + size
            if size > 0 { return buffer[start..<consumed] }
        }
    }
}

/// Why a pubsub stream cannot be cut into frames.
public enum GossipFrameError: Error, Hashable, Sendable {
    /// The length is no varint.
    case malformedLength(VarintError)
    /// The frame is longer than allowed.
    case tooLarge(bytes: UInt64, limit: Int)
}
