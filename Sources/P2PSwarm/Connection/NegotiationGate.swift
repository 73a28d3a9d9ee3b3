import NIOCore
package import P2PCore

/// Agrees with the peer on a stream's protocol: stands between what has come and whoever reads it, and goes when there is an
/// outcome.
///
/// On the connection's event loop and without a task: a peer that opens streams and names no protocol costs this object and a
/// timer. The stream shows it what comes and does what it answers (`StreamState`, "The gate"). It comes to an end once: by an
/// agreement, by what the peer says or leaves out, when the time is up, or with the stream.
package final class NegotiationGate {
    package typealias Finished = (Result<ProtocolID, StreamError>) -> Void

    /// Of a stream of ours.
    private var initiator: MultistreamInitiator?
    /// Of a stream of the peer's.
    private var responder: MultistreamResponder?
    private let candidates: [ProtocolID]
    /// Header and first proposal, until they are written.
    private var proposal: [UInt8]
    /// There is nothing to propose: no names, or none that fits.
    private let isVain: Bool
    let isLazy: Bool
    private let patience: Duration
    private var timer: NIOScheduledCallback?
    private var finished: Finished?

    /// On a stream of ours, which is reset unless the peer agrees. A lazy one proposes together with the first data, or once somebody
    /// waits for the answer, from when on its time runs; an eager one begins at once.
    /// - Parameters:
    ///   - candidates: proposed in turn; a single one if lazily.
    ///   - finished: called once, on the loop, before any user of the stream is told.
    package init(
        proposing candidates: [ProtocolID], lazily isLazy: Bool, patience: Duration, finished: @escaping Finished
    ) {
        var initiator = MultistreamInitiator(candidates: candidates)
        let first = initiator.start().send
        self.initiator = initiator
        self.proposal = first
        self.isVain = first.isEmpty
        self.candidates = candidates
        self.isLazy = isLazy
        self.patience = patience
        self.finished = finished
    }

    /// On a stream of the peer's, which is then the callee's, to take or to refuse.
    package init(answering supported: Set<ProtocolID>, patience: Duration, finished: @escaping Finished) {
        self.responder = MultistreamResponder(supported: supported)
        self.candidates = []
        self.proposal = []
        self.isVain = false
        self.isLazy = false
        self.patience = patience
        self.finished = finished
    }

    func takeProposal() -> [UInt8]? {
        guard !self.proposal.isEmpty else { return nil }
        defer { self.proposal = [] }
        return self.proposal
    }

    /// The time runs from the first call.
    func startTimer(of state: StreamState) {
        guard self.timer == nil else { return }
        // A loop that is shut down takes none; its connections have ended with it.
        self.timer = try? state.connection.eventLoop.scheduleCallback(
            in: TimeAmount(self.patience), handler: NegotiationTimer(state: state, patience: self.patience))
    }

    func received(_ bytes: ByteBuffer) -> MultistreamStep {
        let bytes = Array(bytes.readableBytesView)[...]
        return self.initiator?.received(bytes) ?? self.responder?.received(bytes) ?? MultistreamStep()
    }

    /// What comes of the outcome.
    func result(_ outcome: MultistreamOutcome) -> Result<ProtocolID, StreamError> {
        switch outcome {
        case .agreed(let agreed, _): .success(agreed)
        // What was proposed lazily, the peer had announced: whatever it says, it does not take it.
        case .failed(.refused),
            .failed where self.isLazy:
            .failure(.notAgreed(.refused(self.candidates)))
        case .failed(let error): .failure(.notAgreed(.failed(error)))
        }
    }

    /// What there is to say when nothing more has come; nil to wait.
    /// - Parameter atEnd: the peer has ended its side.
    func silence(atEnd: Bool) -> NegotiationFailure? {
        if self.isVain { return .refused(self.candidates) }
        guard atEnd else { return nil }
        return self.responder?.hasRefused == true ? .declined : .ended
    }

    /// What the end of the stream says. A peer that refuses a lazy proposal may take the data behind it for another, and reset the
    /// stream; its refusal is lost with that. So the reset says the same by its code.
    func reason(_ error: StreamError) -> StreamError {
        guard self.isLazy, error == .reset(code: YamuxCode.streamNegotiationFailed, byPeer: true) else { return error }
        return .notAgreed(.refused(self.candidates))
    }

    /// The gate is no longer on its stream.
    func finish(_ result: Result<ProtocolID, StreamError>) {
        self.timer?.cancel()
        self.timer = nil
        let finished = self.finished
        self.finished = nil
        finished?(result)
    }
}

/// A callback and not a task of the event loop: every stream has one, and nearly all are cancelled. A task would bring a promise and
/// two closures each time.
struct NegotiationTimer: NIOScheduledCallbackHandler, Sendable {
    // Called back on the loop that the stream's state is confined to.
    nonisolated(unsafe) let state: StreamState
    let patience: Duration

    func handleScheduledCallback(eventLoop: some EventLoop) {
        self.state.failGate(.notAgreed(.timedOut(after: self.patience)))
    }
}

/// On the connection's event loop, before anything is read or written.
extension MuxedStream {
    /// Has a protocol agreed on. If none is, whoever uses the stream is told by `StreamError.notAgreed`.
    package func install(_ gate: NegotiationGate) { self.onLoopNow { $0.install(gate) } }

    /// Proposes one protocol after the other, and waits until the peer takes one.
    ///
    /// - Throws: `StreamError`, of which `.notAgreed`; `CancellationError`. The stream is reset then.
    package nonisolated(nonsending) func agree(
        on candidates: [ProtocolID], patience: Duration
    ) async throws -> ProtocolID {
        do {
            return try await withTaskCancellationHandler {
                try await withUnsafeThrowingContinuation {
                    (continuation: UnsafeContinuation<ProtocolID, any Error>) in
                    // Whoever is cancelled later finds the gate.
                    guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
                    self.install(
                        NegotiationGate(proposing: candidates, lazily: false, patience: patience) { result in
                            continuation.resume(with: result)
                        })
                }
            } onCancel: {
                self.onLoop { $0.failGate(.reset(code: YamuxCode.streamNegotiationFailed, byPeer: false)) }
            }
        } catch StreamError.reset(code: _, byPeer: false) where Task.isCancelled {
            throw CancellationError()
        }
    }
}
