public import PeerIdentity

/// The outcome of a TLS handshake.
public struct TLSEstablished: Sendable {
    /// The peer's identity key, from its verified certificate.
    public let peerKey: PublicKey
    /// What ALPN chose, if anything.
    public let applicationProtocol: String?

    /// An outcome of these parts.
    public init(peerKey: PublicKey, applicationProtocol: String?) {
        self.peerKey = peerKey
        self.applicationProtocol = applicationProtocol
    }
}
