public import Multiformats

/// Cuts the bytes of a pubsub stream into frames: a varint length, then so many bytes of RPC.
///
/// Holds at most one frame, its length included, and what came with its last piece. Between frames it holds nothing, and of a
/// frame that has begun twice what has come of it, at most, and not more than the whole.
public struct GossipFrameReader: Sendable {
    private var reader: LengthPrefixedReader

    /// - Parameter maximumFrameBytes: longer frames are an error, noticed when their length is read.
    public init(maximumFrameBytes: Int = GossipSubLimits().maximumFrameBytes) {
        reader = LengthPrefixedReader(limit: maximumFrameBytes)
    }

    /// Bytes of memory kept for a frame that has begun and is not whole, as of the last `next()` that said nil; 0 between frames.
    public var heldBytes: Int { reader.heldBytes }

    /// Takes over received bytes.
    public mutating func append(_ bytes: some Collection<UInt8>) { reader.append(bytes) }

    /// The next whole frame without its length; nil if more bytes are needed. Empty frames are skipped.
    ///
    /// - Throws: a length that is no varint or past the limit. The stream is of no use after that.
    public mutating func next() throws(GossipFrameError) -> ArraySlice<UInt8>? {
        do throws(LengthPrefixError) {
            while let frame = try reader.next() {
                if !frame.isEmpty { return frame }
            }
            return nil
        } catch {
            switch error {
            case .malformedLength(let error): throw .malformedLength(error)
            case .tooLong(let length, let limit): throw .tooLarge(bytes: length, limit: limit)
            }
        }
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
