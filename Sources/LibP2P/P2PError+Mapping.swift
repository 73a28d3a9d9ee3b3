import NIOCore
import P2PSwarm

extension P2PError {
    /// The outcome of a dial.
    ///
    /// - Parameter timeout: the patience of the one caller it is for; nil if it is for nobody in particular.
    init(dial error: DialError, timeout: Duration?) {
        let (code, message): (Code, String) =
            switch error.kind {
            case .noAddresses: (.noAddresses, "no address known")
            case .allFailed: (.unreachable, "all \(error.attempts.count) addresses failed")
            case .timedOut:
                (.timedOut, timeout.map { "not connected within \($0)" } ?? "nobody waits for it any longer")
            case .limit(let exceeded): (.limitReached, "\(exceeded)")
            case .selfDial: (.selfDial, "that is our own id")
            case .refused: (.refusedPeer, "this peer is refused here")
            case .stopped: (.notRunning, "the node is not running")
            }
        self.init(code, message, cause: error, peer: error.peer, attempts: error.attempts)
    }
}

extension P2PError {
    /// What a stream or connection threw, in the terms of this API; cancellation stays what it is.
    static func translating(_ error: any Error, peer: PeerID) -> any Error {
        switch error {
        case is CancellationError, is P2PError: error
        case let error as StreamError: P2PError(stream: error, peer: peer)
        case ConnectionError.closed(let reason):
            P2PError(.connectionClosed, "the connection ended: \(reason)", cause: error, peer: peer)
        case ConnectionError.tooManyOpening(let limit):
            P2PError(.limitReached, "\(limit) callers already wait to open a stream", cause: error, peer: peer)
        case ConnectionError.streamsExhausted:
            P2PError(.connectionClosed, "the connection has used all its stream numbers", cause: error, peer: peer)
        default: P2PError(.connectionClosed, "the connection failed", cause: error, peer: peer)
        }
    }

    init(stream error: StreamError, peer: PeerID) {
        let (code, message): (Code, String) =
            switch error {
            case .reset(let number, let byPeer):
                (.streamReset, "reset by \(byPeer ? "the peer" : "us"), code 0x\(String(number, radix: 16))")
            case .connectionClosed(let reason): (.connectionClosed, "the connection ended: \(reason)")
            case .writeClosed: (.streamClosed, "our side of the stream is closed")
            case .readClosed: (.streamClosed, "the stream is closed")
            case .busy: (.streamBusy, "another read or write of the stream is under way")
            case .timedOut: (.timedOut, "nothing more came in the time that the reader had")
            }
        self.init(code, message, cause: error, peer: peer)
    }
}
