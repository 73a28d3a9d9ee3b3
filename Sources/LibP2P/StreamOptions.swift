/// How a stream is to be opened.
public struct StreamOptions: Sendable, Hashable {
    /// When the agreement on a protocol is awaited.
    public enum Negotiation: Sendable, Hashable {
        /// Lazy if the peer is known to speak exactly what is asked for, else eager.
        case automatic
        /// Data goes out together with the proposal, which saves a round trip; a refusal shows at the first read, or at
        /// a write before it. For a single protocol that the caller has reason to believe in.
        case lazy
        /// The stream is returned once the peer has agreed.
        case eager
    }

    /// For everything: dial, if needed, and negotiation. That last has `ResourceLimits.negotiationTimeout` of it at most (10 s).
    public var timeout: Duration
    /// When the agreement is awaited.
    public var negotiation: Negotiation
    /// Whether a connection that a relay limits in time and bytes will do.
    public var allowsLimitedConnection: Bool
    /// Whether to dial if there is no connection; else the error is `.notConnected`.
    public var dialsIfNeeded: Bool

    /// The default but for these.
    public init(
        timeout: Duration = .seconds(10), negotiation: Negotiation = .automatic,
        allowsLimitedConnection: Bool = false, dialsIfNeeded: Bool = true
    ) {
        self.timeout = timeout
        self.negotiation = negotiation
        self.allowsLimitedConnection = allowsLimitedConnection
        self.dialsIfNeeded = dialsIfNeeded
    }
}
