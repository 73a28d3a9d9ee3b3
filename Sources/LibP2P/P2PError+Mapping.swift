import NIOCore
import P2PSwarm

extension P2PError {
    /// The outcome of a dial.
    ///
    /// - Parameter timeout: the patience of the one caller it is for; nil if it is for nobody in particular.
    init(dial error: DialError, timeout: Duration?) {
        let (code, message): (Code, String) =
            switch error.kind {
            case .noAddresses: (.noAddresses, "\(error.kind)")
            case .allFailed: (.unreachable, "all \(error.attempts.count) addresses failed")
            case .timedOut:
                (.timedOut, timeout.map { "not connected within \($0)" } ?? "nobody waits for it any longer")
            case .limit: (.limitReached, "\(error.kind)")
            case .selfDial: (.selfDial, "\(error.kind)")
            case .refused: (.refusedPeer, "\(error.kind)")
            case .stopped: (.notRunning, "\(error.kind)")
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
        case ConnectionError.tooManyOpening: P2PError(.limitReached, "\(error)", cause: error, peer: peer)
        case ConnectionError.closed, ConnectionError.streamsExhausted:
            P2PError(.connectionClosed, "\(error)", cause: error, peer: peer)
        default: P2PError(.connectionClosed, "the connection failed", cause: error, peer: peer)
        }
    }

    init(stream error: StreamError, peer: PeerID) {
        let code: Code =
            switch error {
            case .reset: .streamReset
            case .connectionClosed: .connectionClosed
            case .writeClosed, .readClosed: .streamClosed
            case .busy: .streamBusy
            case .timedOut, .notAgreed(.timedOut): .timedOut
            case .notAgreed(.refused): .protocolNotSupported
            case .notAgreed(.failed): .protocolViolation
            case .notAgreed(.ended), .notAgreed(.declined): .endOfStream
            }
        self.init(code, "\(error)", cause: error, peer: peer)
    }
}
