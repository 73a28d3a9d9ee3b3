/// One connection with a peer, as it is now.
public struct ConnectionInfo: Sendable, Hashable {
    /// Unique in this process.
    public let id: UInt64
    /// The peer, proved by the handshake.
    public let peer: PeerID
    /// Who opened it.
    public let direction: Direction
    /// The other end, without `/p2p` part.
    public let remoteAddress: Multiaddr
    /// Our end.
    public let localAddress: Multiaddr
    /// The security protocol in use.
    public let security: ProtocolID
    /// A relay bounds its time or its bytes; streams are opened on it only when asked for.
    public let isLimited: Bool

    /// Whether it runs through a relay.
    public var isRelayed: Bool { self.remoteAddress.isRelayed }

    /// All of it.
    public init(
        id: UInt64, peer: PeerID, direction: Direction, remoteAddress: Multiaddr, localAddress: Multiaddr,
        security: ProtocolID, isLimited: Bool
    ) {
        self.id = id
        self.peer = peer
        self.direction = direction
        self.remoteAddress = remoteAddress
        self.localAddress = localAddress
        self.security = security
        self.isLimited = isLimited
    }
}

/// What happens to a node.
public enum NodeEvent: Sendable {
    /// A connection is usable. One event for each connection, so several for one peer are possible.
    case connected(ConnectionInfo)
    /// A connection has ended; `isLast` if the peer has no other.
    case disconnected(ConnectionInfo, isLast: Bool)
    /// A peer said who it is and what it speaks: after connecting, and whenever it pushes a change.
    case identified(PeerID, IdentifyInfo)
    /// A peer did not answer identify on this connection. It is asked again later, with growing waits, as long as it stays
    /// connected and does not tell by itself: `IdentifyLimits.attempts` times in all, then `triesAgain` is false. That is so at once
    /// for a peer that does not speak identify, or answers what cannot be meant.
    case identifyFailed(ConnectionInfo, reason: String, triesAgain: Bool)
    /// Our addresses have changed; the new ones.
    case listenAddressesChanged([Multiaddr])
}

/// A node's events from the moment of subscription on.
///
/// Bounded: a subscriber that falls behind by more than `ResourceLimits.eventsPerSubscriber` loses the oldest ones. Ends when the
/// node stops.
public struct NodeEvents: AsyncSequence, Sendable {
    let stream: AsyncStream<NodeEvent>

    /// Iterates once; a second iterator shares the events with the first.
    public func makeAsyncIterator() -> AsyncStream<NodeEvent>.Iterator { self.stream.makeAsyncIterator() }
}
