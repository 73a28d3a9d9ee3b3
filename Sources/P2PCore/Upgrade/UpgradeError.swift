/// Why a connection did not become a secured and multiplexed one. Every case means: close the connection.
public enum UpgradeError: Error, Equatable, Sendable {
    /// No common security protocol, or the peer broke the rules of choosing one.
    case securityNegotiation(MultistreamError)
    /// The Noise handshake failed.
    case noise(NoiseError)
    /// The peer's TLS certificate was refused.
    case tls(TLSIdentityError)
    /// No common muxer, or the peer broke the rules of choosing one.
    case muxerNegotiation(MultistreamError)
    /// A sealed frame during the choice of the muxer could not be opened.
    case frame(NoiseError)
    /// The peer does not speak the security protocol that was assumed. Forget the assumption and dial again without it.
    case assumptionRefused(ProtocolID)
    /// The negotiated security protocol is one that this upgrade cannot run.
    case unsupportedSecurity(ProtocolID)
    /// The negotiated TLS application protocol is neither a muxer of ours nor `libp2p`.
    case unexpectedApplicationProtocol(String?)
}
