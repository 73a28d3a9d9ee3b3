import NIOCore
import P2PSwarm

/// Agrees with a peer on the protocol of a stream that the peer has opened.
///
/// On the connection's event loop and without a task: a peer that opens streams and names no protocol costs this object and a
/// timer. The stream keeps it alive until it has an outcome, which the time limit makes sure of.
final class InboundNegotiation: StreamObserver {
    enum Outcome {
        case success((ProtocolID, leftover: [UInt8]))
        case failure(any Error)
        /// The peer was refused what it proposed, and has ended its side: it is still to hear the refusal.
        case declined
    }

    private let muxed: MuxedStream
    private var responder: MultistreamResponder
    private var finished: ((Outcome) -> Void)?
    private var deadline: StreamDeadline?

    /// - Parameter finished: called once.
    init(_ muxed: MuxedStream, supported: Set<ProtocolID>, finished: @escaping (Outcome) -> Void) {
        self.muxed = muxed
        self.responder = MultistreamResponder(supported: supported)
        self.finished = finished
    }

    func start(patience: Duration) {
        self.muxed.observe(self)
        self.deadline = StreamDeadline(self.muxed, after: patience, .peerNegotiation)
        self.streamIsReadable()
    }

    func streamIsReadable() {
        do {
            while self.finished != nil {
                switch try self.muxed.readNow() {
                case .nothingYet: return
                // The peer gave up without a protocol that we speak.
                case .end where self.responder.hasRefused: self.finish(.declined)
                case .end: throw P2PError(.endOfStream, "closed before a protocol was agreed on")
                case .bytes(let bytes):
                    let step = self.responder.received(Array(bytes.readableBytesView)[...])
                    try self.answer(step)
                    switch step.outcome {
                    case nil: continue
                    case .failed(let error): throw error
                    case .agreed(let agreed, let leftover): self.finish(.success((agreed, leftover: leftover)))
                    }
                }
            }
        } catch {
            self.finish(.failure(error))
        }
    }

    /// A peer that has sent data behind its proposal does not wait for our consent, which then leaves with our first data: alone it
    /// would cost a write here and a read there, and nobody would be the wiser for it.
    private func answer(_ step: MultistreamStep) throws(StreamError) {
        guard !step.send.isEmpty else { return }
        if case .agreed(_, let leftover) = step.outcome, !leftover.isEmpty {
            try self.muxed.writeLater(ByteBuffer(bytes: step.send))
        } else {
            _ = try self.muxed.writeNow(ByteBuffer(bytes: step.send))
        }
    }

    func streamIsWritable() {}

    private func finish(_ outcome: Outcome) {
        guard let finished = self.finished else { return }
        self.finished = nil
        self.deadline?.cancel()
        self.muxed.observe(nil)
        finished(outcome)
        self.muxed.flushNow()
    }
}
