public import Multiformats

/// Cuts the bytes of a pubsub stream into frames: a varint length, then so many bytes of RPC.
///
/// Holds at most one frame, its length included, and what came with its last piece. Between frames it holds nothing, and of a
/// frame that has begun twice what has come of it, at most, and not more than the whole.
public struct GossipFrameReader: Sendable {
    private let maximumFrameBytes: Int
    private var buffer: [UInt8] = []
    private var consumed = 0
    /// The length of the frame that has begun, its prefix included, once that is known.
    private var frameBytes = 0

    /// - Parameter maximumFrameBytes: longer frames are an error, noticed when their length is read.
    public init(maximumFrameBytes: Int = GossipSubLimits().maximumFrameBytes) {
        self.maximumFrameBytes = maximumFrameBytes
    }

    /// Bytes of memory kept for a frame that has begun and is not whole, as of the last `next()` that said nil; 0 between frames.
    public var heldBytes: Int { consumed < buffer.count ? buffer.capacity : 0 }

    /// Takes over received bytes.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        let needed = buffer.count + bytes.count
        if needed > buffer.capacity {
            // Not with each piece, or a frame in many pieces would be copied as often; and not beyond its end, which is known.
            buffer.reserveCapacity(max(needed, min(2 * buffer.count, frameBytes)))
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
            guard let (value, length) = prefix else {
                keepRest(of: 0)
                return nil
            }
            guard let size = Int(exactly: value), size <= maximumFrameBytes else {
                throw .tooLarge(bytes: value, limit: maximumFrameBytes)
            }
            guard buffer.count - consumed - length >= size else {
                keepRest(of: length + min(size, .max - length))
                return nil
            }
            let start = consumed + length
            consumed = start + size
            if size > 0 { return buffer[start..<consumed] }
        }
    }

    /// Gives back the room of the frames that were read.
    private mutating func keepRest(of frameBytes: Int) {
        self.frameBytes = frameBytes
        guard consumed > 0 else { return }
        buffer = Array(buffer[consumed...])
        consumed = 0
    }
}

/// Why a pubsub stream cannot be cut into frames.
public enum GossipFrameError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The length is no varint.
    case malformedLength(VarintError)
    /// The frame is longer than allowed.
    case tooLarge(bytes: UInt64, limit: Int)

    /// For people and logs.
    public var description: String {
        switch self {
        case .malformedLength(let error): "the length of a pubsub frame cannot be read: \(error)"
        case .tooLarge(let bytes, let limit): "a pubsub frame of \(bytes) bytes, beyond \(limit)"
        }
    }
}
