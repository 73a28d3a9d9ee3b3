/// One connection with a peer, as it is now.
public struct ConnectionInfo: Sendable, Hashable, CustomStringConvertible {
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

    /// For people and logs.
    public var description: String {
        let opener = self.direction == .outbound ? "us" : "the peer"
        return "\(self.peer) at \(self.remoteAddress), opened by \(opener), over \(self.security)"
            + (self.isLimited ? ", limited by a relay" : "")
    }
}
