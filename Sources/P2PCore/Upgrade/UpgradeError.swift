/// Why a connection did not become a secured and multiplexed one. Every case means: close the connection.
public enum UpgradeError: Error, Equatable, Sendable, CustomStringConvertible {
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

    /// For people and logs.
    public var description: String {
        switch self {
        case .securityNegotiation(let error): "no agreement on a security protocol: \(error)"
        case .noise(let error): "the Noise handshake failed: \(error)"
        case .tls(let error): "the peer's TLS certificate was refused: \(error)"
        case .muxerNegotiation(let error): "no agreement on a muxer: \(error)"
        case .frame(let error): "a sealed frame could not be opened: \(error)"
        case .assumptionRefused(let name): "the peer does not speak \(name), which it spoke before"
        case .unsupportedSecurity(let name): "agreed on the security protocol \(name), which cannot be run here"
        case .unexpectedApplicationProtocol(nil): "TLS agreed on no protocol, so on no muxer of ours"
        case .unexpectedApplicationProtocol(let name?): "TLS agreed on \(name), which is no muxer of ours"
        }
    }
}
