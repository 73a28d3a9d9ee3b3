/// The proposing side of multistream-select.
///
/// Flights: `start()` gives header and first proposal as one write; every refusal costs one more round trip with the
/// next candidate.
///
/// Lazy use: with exactly one candidate, which the peer is known to support, the caller may send application bytes
/// right behind those of `start()` and feed the answers here when they come. The negotiation then costs no round trip. If
/// the outcome is a failure, what was sent is lost and the stream must be reset: the peer may have read application bytes
/// as a further proposal, so lazy use suits only protocols the peer itself announced.
///
/// Source: libp2p specifications, connections/README.md, section "multistream-select".
public struct MultistreamInitiator: Sendable {
    private enum State {
        case idle
        case awaitingHeader
        case awaitingAnswer
        case over
    }

    private let candidates: [ProtocolID]
    private var proposed = 0
    private var decoder = MultistreamDecoder()
    private var state = State.idle

    /// Creates the proposing side for `candidates` in order of preference; those past `Multistream.maximumProposals` and
    /// those whose name does not fit a message are left out.
    public init(candidates: [ProtocolID]) {
        self.candidates = Array(
            candidates.lazy.filter { $0.name.utf8.count < Multistream.maximumMessageBytes }
                .prefix(Multistream.maximumProposals))
    }

    /// Creates the proposing side for a single protocol, for lazy use.
    public init(lazily candidate: ProtocolID) {
        self.init(candidates: [candidate])
    }

    /// Header and first proposal. Call once, before `received`; later calls give nothing.
    public mutating func start() -> MultistreamStep {
        guard case .idle = state else { return MultistreamStep() }
        guard let first = candidates.first else {
            state = .over
            return MultistreamStep(outcome: .failed(.refused(proposed: [])))
        }
        state = .awaitingHeader
        proposed = 1
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Multistream.header.name.utf8.count + first.name.utf8.count + 6)
        Multistream.append(Multistream.header.name, to: &bytes)
        Multistream.append(first.name, to: &bytes)
        return MultistreamStep(send: bytes)
    }

    /// Takes bytes from the peer. After the outcome was given, further bytes are not looked at.
    public mutating func received(_ bytes: ArraySlice<UInt8>) -> MultistreamStep {
        var step = MultistreamStep()
        if case .over = state { return step }
        decoder.append(bytes)
        do throws(MultistreamError) {
            while step.outcome == nil, let message = try decoder.next() {
                try process(message, into: &step)
            }
        } catch {
            state = .over
            step.outcome = .failed(error)
        }
        return step
    }

    private mutating func process(
        _ message: ArraySlice<UInt8>, into step: inout MultistreamStep
    ) throws(MultistreamError) {
        switch state {
        case .awaitingHeader:
            guard message.elementsEqual(Multistream.header.name.utf8) else { throw .missingHeader }
            state = .awaitingAnswer
        case .awaitingAnswer:
            let current = candidates[proposed - 1]
            if message.elementsEqual(current.name.utf8) {
                state = .over
                step.outcome = .agreed(current, leftover: decoder.takeLeftover())
            } else if message.elementsEqual(Multistream.refusal.utf8) {
                guard proposed < candidates.count else { throw .refused(proposed: candidates) }
                Multistream.append(candidates[proposed].name, to: &step.send)
                proposed += 1
            } else {
                throw .unexpectedAnswer(name: String(String(decoding: message, as: UTF8.self).prefix(64)))
            }
        case .idle, .over:
            throw .noAgreement
        }
    }
}
