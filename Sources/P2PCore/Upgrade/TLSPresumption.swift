/// The start of TLS towards a peer that is known to speak it: the first TLS record goes out together with the proposal of
/// TLS, before the peer has agreed, which saves a round trip.
///
/// A value without I/O: write `proposal` and the TLS layer's first bytes, best as one write; feed what the socket delivers to
/// `received` until it gives back what is left for the TLS layer, and from then on feed the TLS layer itself.
///
/// A peer that does not speak TLS reads the record behind the proposal as one more proposal, so nothing can be saved of such a
/// connection: it is closed, and dialled again without the presumption.
///
/// Bounds: holds less than one multistream message (1026 bytes) plus the latest input.
///
/// Source: libp2p specifications, connections/README.md, section "multistream-select"; tls/tls.md.
public struct TLSPresumption: Sendable {
    /// Header and proposal, to be sent in front of the first TLS record.
    public let proposal: [UInt8]
    private var initiator = MultistreamInitiator(lazily: ConnectionUpgrade.tlsProtocolID)

    /// Creates a presumption nothing of which has been sent.
    public init() {
        proposal = initiator.start().send
    }

    /// Takes bytes off the socket.
    ///
    /// - Returns: nil while the peer's answer is incomplete; then the bytes behind it, which are TLS's. Not to be called after that.
    /// - Throws: `assumptionRefused` when the peer does not speak TLS, `securityNegotiation` when it speaks something else
    ///   than multistream-select. The connection is of no further use.
    public mutating func received(_ bytes: ArraySlice<UInt8>) throws(UpgradeError) -> [UInt8]? {
        switch initiator.received(bytes).outcome {
        case nil: return nil
        case .agreed(_, let leftover): return leftover
        case .failed(.refused): throw .assumptionRefused(ConnectionUpgrade.tlsProtocolID)
        case .failed(let error): throw .securityNegotiation(error)
        }
    }
}
