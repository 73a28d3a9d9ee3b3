public import Multiformats
public import NIOCore
public import P2PCore
public import PeerIdentity

/// One live connection with a peer, as the swarm's tables know it.
public final class SwarmConnection: Sendable {
    /// Unique in this process.
    public let id: UInt64
    /// The secured, multiplexed connection.
    public let muxed: MuxedConnection
    /// The peer, proved by the handshake.
    public let peer: PeerID
    /// Who opened it.
    public let direction: Direction
    /// When it became usable.
    public let opened: MonotonicInstant
    /// Whether our end has a port that we listen on, so that what the peer observes is of use to others.
    public let usesListeningPort: Bool
    let slot: ResourceLedger.ConnectionSlot

    init(
        id: UInt64, muxed: MuxedConnection, direction: Direction, opened: MonotonicInstant, usesListeningPort: Bool,
        slot: ResourceLedger.ConnectionSlot
    ) {
        self.id = id
        self.muxed = muxed
        self.peer = muxed.remotePeer
        self.direction = direction
        self.opened = opened
        self.usesListeningPort = usesListeningPort
        self.slot = slot
    }

    /// The other end.
    public var remoteAddress: Multiaddr { self.muxed.remoteAddress }
    /// Our end.
    public var localAddress: Multiaddr { self.muxed.localAddress }
    /// Bounded in time or bytes by a relay.
    public var isLimited: Bool { self.muxed.isLimited }
    /// Through a relay.
    public var isRelayed: Bool { self.remoteAddress.isRelayed }
    /// Runs tasks on its loop.
    public var executor: EventLoopTaskExecutor { self.muxed.taskExecutor }
    /// The loop it lives on.
    public var eventLoop: any EventLoop { self.muxed.eventLoop }
}
