/// Why a yamux session has to end.
///
/// Every case but `keepAliveTimedOut` and `writeTimedOut` is the peer's misuse of the protocol: the adapter sends
/// go-away code 1 and closes. Nothing here is recoverable within the session; dialling again is the next step.
public enum YamuxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Fewer than 12 bytes were offered as a header (a fault of the adapter).
    case truncatedHeader
    /// The version byte was not 0.
    case unsupportedVersion(UInt8)
    /// The kind byte was above 3.
    case unknownKind(UInt8)
    /// A data frame or window update named stream 0.
    case streamFrameOnSession
    /// A ping or go-away named a stream.
    case sessionFrameOnStream(UInt32)
    /// The peer opened a stream with an id of our parity.
    case wrongParity(UInt32)
    /// The peer opened an id that is alive.
    case duplicateOpen(UInt32)
    /// The peer sent more than it was granted.
    case windowExceeded(stream: UInt32, granted: UInt32, received: UInt32)
    /// More pings than any honest peer sends.
    case pingFlood
    /// Too many frames that change nothing: empty, for streams that are gone, or credit for nothing.
    case emptyFrameFlood
    /// Too many streams opened by the peer and reset or refused in a short time.
    case resetFlood
    /// Nothing arrived for the time an answer to our ping was due.
    case keepAliveTimedOut
    /// The peer took no bytes from us for the time allowed.
    case writeTimedOut

    /// The limit that the peer went beyond, if it was one.
    public var limit: LimitName? {
        switch self {
        case .pingFlood: .pings
        case .emptyFrameFlood: .emptyFrames
        case .resetFlood: .streamResets
        case .truncatedHeader, .unsupportedVersion, .unknownKind, .streamFrameOnSession, .sessionFrameOnStream,
            .wrongParity, .duplicateOpen, .windowExceeded, .keepAliveTimedOut, .writeTimedOut:
            nil
        }
    }

    /// For people and logs.
    public var description: String {
        switch self {
        case .truncatedHeader: "a frame's head of fewer than 12 bytes, by mistake of our own"
        case .unsupportedVersion(let version): "a frame of version \(version); the only one is 0"
        case .unknownKind(let kind): "a frame of the unknown kind \(kind)"
        case .streamFrameOnSession: "a frame of a stream without the stream's number"
        case .sessionFrameOnStream(let id): "a ping or go-away that names the stream \(id)"
        case .wrongParity(let id): "a stream opened with a number of ours, \(id)"
        case .duplicateOpen(let id): "the stream \(id) opened, which is open already"
        case .windowExceeded(let id, let granted, let received):
            "\(received) bytes on the stream \(id), where \(granted) were granted"
        case .pingFlood: "more pings than any honest peer sends"
        case .emptyFrameFlood:
            "too many frames that change nothing: empty, for streams that are gone, or credit for nothing"
        case .resetFlood: "too many streams opened in a short time and reset or refused"
        case .keepAliveTimedOut: "no answer to our ping in time; if the peer is still there, dial it again"
        case .writeTimedOut: "it took no bytes from us in the time allowed; if the peer is still there, dial it again"
        }
    }
}

/// The codes that go into a go-away frame and into the length of a reset.
///
/// Source: libp2p yamux specification, "Go Away" codes 0 to 2; libp2p error codes specification for the rest.
public enum YamuxCode {
    /// The session ends without fault.
    public static let normal: UInt32 = 0
    /// The peer broke the protocol.
    public static let protocolError: UInt32 = 1
    /// We failed.
    public static let internalError: UInt32 = 2
    /// Stream: no protocol was agreed.
    public static let streamNegotiationFailed: UInt32 = 0x1001
    /// Stream: a limit of ours was reached.
    public static let streamResourceLimit: UInt32 = 0x1002
    /// Stream: too often.
    public static let streamRateLimited: UInt32 = 0x1003
    /// Stream: the peer broke the stream's protocol.
    public static let streamViolation: UInt32 = 0x1004
    /// Stream: nobody reads it any more.
    public static let streamGarbageCollected: UInt32 = 0x1006
    /// Stream: we are going away.
    public static let streamShutdown: UInt32 = 0x1007
}
