public import P2PCore

/// Why a pipe did not become a connection, or a connection gave no stream.
public enum ConnectionError: Error, Sendable, CustomStringConvertible {
    /// The negotiation or a handshake failed.
    case upgrade(UpgradeError)
    /// The upgrade took longer than allowed, in all.
    case upgradeTimedOut(after: Duration)
    /// TLS was agreed on, but this pipe cannot carry it or it could not be set up.
    case tlsUnavailable(String)
    /// The pipe ended during the upgrade. The text names the error of the pipe, if there was one.
    case closedDuringUpgrade(String?)
    /// The connection has ended or is ending.
    case closed(CloseReason)
    /// More callers wait to open a stream than allowed.
    case tooManyOpening(limit: Int)
    /// All stream ids are used: dial a new connection.
    case streamsExhausted

    /// For people and logs.
    public var description: String {
        switch self {
        case .upgrade(let error): "\(error)"
        case .upgradeTimedOut(let time): "not secured and multiplexed within \(time)"
        case .tlsUnavailable(let cause): "TLS was agreed on, but is not to be had here: \(cause)"
        case .closedDuringUpgrade(nil): "it ended before it was secured and multiplexed"
        case .closedDuringUpgrade(let cause?): "it ended before it was secured and multiplexed: \(cause)"
        case .closed(let reason): "the connection ended: \(reason)"
        case .tooManyOpening(let limit): "\(limit) callers already wait to open a stream"
        case .streamsExhausted: "the connection has used all its stream numbers"
        }
    }
}

/// Why a connection ended.
public enum CloseReason: Equatable, Sendable, CustomStringConvertible {
    /// We closed it, with this go-away code.
    case local(code: UInt32)
    /// The peer said go-away with this code.
    case remote(code: UInt32)
    /// The peer closed without a word.
    case closedByPeer
    /// The peer broke the rules of the muxer, or did not answer.
    case yamux(YamuxError)
    /// A sealed frame could not be opened or made.
    case noise(NoiseError)
    /// The peer made us queue more control frames than allowed.
    case controlFlood
    /// The pipe failed; the text is the error's.
    case pipe(String)

    /// The limit of ours that the peer went beyond, if that was the reason.
    public var limit: LimitName? {
        switch self {
        case .yamux(let error): error.limit
        case .controlFlood: .controlBytes
        case .local, .remote, .closedByPeer, .noise, .pipe: nil
        }
    }

    /// For people and logs.
    public var description: String {
        switch self {
        case .local(let code): "closed by us\(ConnectionCode.words(for: code))"
        case .remote(let code): "closed by the peer\(ConnectionCode.words(for: code))"
        case .closedByPeer: "closed by the peer without a word"
        case .yamux(let error) where error == .keepAliveTimedOut || error == .writeTimedOut:
            "the peer was silent for too long: \(error)"
        case .yamux(let error): "the peer broke the rules of the muxer: \(error)"
        case .noise(let error): "the encryption failed: \(error)"
        case .controlFlood: "the peer made us owe it too many control frames"
        case .pipe(let text): "the network ended it: \(text)"
        }
    }
}

/// Why a stream could not be read or written.
public enum StreamError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The stream was reset, by the peer or by us.
    case reset(code: UInt32, byPeer: Bool)
    /// The connection ended.
    case connectionClosed(CloseReason)
    /// Our direction was closed before this write.
    case writeClosed
    /// The reading side was closed by us.
    case readClosed
    /// Another read or write of the same direction is waiting: each direction has one user at a time.
    case busy
    /// Nothing came until the deadline of this read. The stream is none the worse for it.
    case timedOut
    /// No protocol was agreed on.
    indirect case notAgreed(NegotiationFailure)

    /// For people and logs.
    public var description: String {
        switch self {
        case .reset(let code, let byPeer): "reset by \(byPeer ? "the peer" : "us"), code 0x\(String(code, radix: 16))"
        case .connectionClosed(let reason): "the connection ended: \(reason)"
        case .writeClosed: "our side of the stream is closed"
        case .readClosed: "the stream is closed"
        case .busy: "another read or write of the stream is under way"
        case .timedOut: "nothing more came in the time that the reader had"
        case .notAgreed(let failure): "\(failure)"
        }
    }
}
