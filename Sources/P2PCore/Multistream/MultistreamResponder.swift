/// The answering side of multistream-select.
///
/// Everything may arrive glued together: header, proposals, application data, and the end of the stream right behind.
/// The answers are all in the returned step, so a caller that sends `step.send` before it acts on an end of stream always
/// answers. Names are compared byte for byte; `ls` is a name like any other and is refused unless registered, as
/// go-multistream 0.6 does.
///
/// Source: libp2p specifications, connections/README.md, section "multistream-select".
public struct MultistreamResponder: Sendable {
    private enum State {
        case awaitingHeader
        case awaitingProposal
        case over
    }

    private let supported: Set<ProtocolID>
    private var refusals = 0
    private var headerSent = false
    private var decoder = MultistreamDecoder()
    private var state = State.awaitingHeader

    /// Creates the answering side for the protocols we serve.
    public init(supported: Set<ProtocolID>) {
        self.supported = supported
    }

    /// The header, for callers that send it before the peer has said anything, as is usual on a fresh connection.
    /// Without this call the header goes out with the first answer, which saves a write on streams.
    public mutating func start() -> MultistreamStep {
        var step = MultistreamStep()
        sendHeader(into: &step)
        return step
    }

    /// Whether a proposal was refused: whoever ends the stream then is still owed that answer.
    public var hasRefused: Bool { refusals > 0 }

    /// Takes bytes from the peer. After the outcome was given, further bytes are not looked at.
    public mutating func received(_ bytes: ArraySlice<UInt8>) -> MultistreamStep {
        var step = MultistreamStep()
        if case .over = state { return step }
        guard !bytes.isEmpty else { return step }
        sendHeader(into: &step)
        decoder.append(bytes)
        do throws(MultistreamError) {
            while step.outcome == nil, let message = try decoder.next() {
                try process(message, into: &step)
            }
        } catch {
            state = .over
            // What follows a refused optimistic proposal may be application data: not the peer's mistake.
            step.outcome = .failed(refusals > 0 ? refusalError(for: error) : error)
        }
        return step
    }

    private mutating func process(
        _ message: ArraySlice<UInt8>, into step: inout MultistreamStep
    ) throws(MultistreamError) {
        switch state {
        case .awaitingHeader:
            guard message.elementsEqual(Multistream.header.name.utf8) else { throw .missingHeader }
            state = .awaitingProposal
        case .awaitingProposal:
            if let name = String(validating: message, as: UTF8.self), supported.contains(ProtocolID(name)) {
                Multistream.append(name, to: &step.send)
                state = .over
                step.outcome = .agreed(ProtocolID(name), leftover: decoder.takeLeftover())
            } else {
                refusals += 1
                guard refusals <= Multistream.maximumProposals else {
                    throw .tooManyProposals(limit: Multistream.maximumProposals)
                }
                Multistream.append(Multistream.refusal, to: &step.send)
            }
        case .over:
            throw .noAgreement
        }
    }

    private mutating func sendHeader(into step: inout MultistreamStep) {
        guard !headerSent else { return }
        headerSent = true
        Multistream.append(Multistream.header.name, to: &step.send)
    }

    private func refusalError(for error: MultistreamError) -> MultistreamError {
        if case .tooManyProposals = error { return error }
        return .noAgreement
    }
}
