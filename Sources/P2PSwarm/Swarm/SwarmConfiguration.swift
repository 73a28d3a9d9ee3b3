public import Multiformats
public import P2PCore
public import PeerIdentity

/// What a swarm needs to know.
public struct SwarmConfiguration: Sendable {
    /// Our identity.
    public var identity: PrivateKey
    /// Security protocols, most wanted first.
    public var security: [ProtocolID]
    /// Muxers, most wanted first.
    public var muxers: [ProtocolID]
    /// The figures.
    public var limits: ResourceLimits
    /// When to close connections because there are too many; nil for never.
    public var trimming: ConnectionTrimming.Configuration?
    /// A redundant connection of a simultaneous dial is closed when it is older than this and carries nothing.
    public var redundantConnectionSettle: Duration = .seconds(15)
    /// The TLS layer; needed when `security` offers TLS.
    public var tls: (any TLSProvider)?
    /// Makes what hears of every frame of a connection; nil for nothing, which costs nothing.
    public var frameObserver: YamuxFrameObserverFactory?
    /// Dial from the listening port where possible.
    public var reusesListeningPort = true
    /// Looks names up.
    var names = NameResolver.shared

    /// Noise and yamux under default figures.
    public init(
        identity: PrivateKey, security: [ProtocolID], muxers: [ProtocolID] = ["/yamux/1.0.0"],
        limits: ResourceLimits = ResourceLimits(), trimming: ConnectionTrimming.Configuration? = .init()
    ) {
        self.identity = identity
        self.security = security
        self.muxers = muxers
        self.limits = limits
        self.trimming = trimming
    }
}

/// What a swarm tells its owner. Called on event loops: to be brief, and never to block.
public struct SwarmCallbacks: Sendable {
    /// A connection is usable; called before any of its inbound streams is delivered.
    public var connected: @Sendable (SwarmConnection) -> Void
    /// A connection has ended; `isLast` if the peer had no other at that moment. Each connection tells on its own event loop, so a
    /// new one of the same peer may have told before.
    public var disconnected: @Sendable (SwarmConnection, _ isLast: Bool, CloseReason) -> Void
    /// The peer opened a stream; its reservation, which a protocol can be assigned to, ends with it.
    public var inboundStream: @Sendable (MuxedStream, SwarmConnection, ResourceLedger.StreamSlot) -> Void

    /// A dial that had begun has come to nothing, and somebody still wanted it or had run out of patience. Once for each dial.
    public var dialFailed: @Sendable (DialError) -> Void
    /// Whoever connected from there was not let in, or did not get through the handshake: a `LimitExceeded`, a `DialError`, or what
    /// went wrong. The peer, if that is known.
    public var connectionRefused: @Sendable (Multiaddr, PeerID?, any Error) -> Void
    /// A limit refused something. As often as that happens, and on any thread.
    public var limitReached: @Sendable (LimitExceeded) -> Void

    /// All of them.
    public init(
        connected: @escaping @Sendable (SwarmConnection) -> Void,
        disconnected: @escaping @Sendable (SwarmConnection, Bool, CloseReason) -> Void,
        inboundStream: @escaping @Sendable (MuxedStream, SwarmConnection, ResourceLedger.StreamSlot) -> Void,
        dialFailed: @escaping @Sendable (DialError) -> Void = { _ in },
        connectionRefused: @escaping @Sendable (Multiaddr, PeerID?, any Error) -> Void = { _, _, _ in },
        limitReached: @escaping @Sendable (LimitExceeded) -> Void = { _ in }
    ) {
        self.connected = connected
        self.disconnected = disconnected
        self.inboundStream = inboundStream
        self.dialFailed = dialFailed
        self.connectionRefused = connectionRefused
        self.limitReached = limitReached
    }
}
