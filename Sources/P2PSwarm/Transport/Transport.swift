public import Multiformats
public import NIOCore
import P2PCore
public import PeerIdentity

/// A way to reach and be reached: turns multiaddrs into byte pipes that are not secured yet.
///
/// Nothing here assumes TCP: a transport says which addresses it can use, and hands over NIO channels that carry bytes in
/// order. What goes on above (security, multiplexing) is the caller's.
public protocol Transport: Sendable {
    /// Whether `dial` can make sense of the address. Names are not a transport's business: the swarm looks them up, and asks about
    /// the addresses that they lead to.
    func canDial(_ address: Multiaddr) -> Bool
    /// Whether `listen` can make sense of the address.
    func canListen(on address: Multiaddr) -> Bool
    /// Opens a pipe.
    ///
    /// - Returns: the link as soon as it is up, on the request's loop and before its first byte is read; fails with a
    ///   `DialFailureReason`.
    func dial(_ request: DialRequest) -> EventLoopFuture<TransportLink>
    /// Opens a listener; fails with the system's error.
    ///
    /// - Parameter accept: called on the new link's event loop before its first byte is read; a failed future closes the link.
    func listen(
        on address: Multiaddr, group: any EventLoopGroup,
        accept: @escaping @Sendable (TransportLink) -> EventLoopFuture<Void>
    ) -> EventLoopFuture<any TransportListener>
}

/// What a transport needs to know of a dial.
public struct DialRequest: Sendable {
    /// Where to.
    public let address: Multiaddr
    /// The loop that the pipe lives on.
    public let eventLoop: any EventLoop
    /// Longest time until the pipe is up.
    public let timeout: TimeAmount
    /// Use the port we listen on as the source, so that the other side sees an address where we can be reached.
    public let reusesListeningPort: Bool
    /// Whose address it is, as far as is known: what must be done before the first packet is done for all peers in turn.
    public let peer: PeerID?
    /// Whether anybody still waits for the link. Asked on any thread; must not block or call back.
    public let isWanted: @Sendable () -> Bool
    /// Called on the loop as soon as there is something to close; false means that the dial is no longer wanted.
    public let created: @Sendable (any Channel) -> Bool

    /// All of it.
    public init(
        address: Multiaddr, eventLoop: any EventLoop, timeout: TimeAmount, reusesListeningPort: Bool,
        peer: PeerID? = nil, isWanted: @escaping @Sendable () -> Bool = { true },
        created: @escaping @Sendable (any Channel) -> Bool
    ) {
        self.address = address
        self.eventLoop = eventLoop
        self.timeout = timeout
        self.reusesListeningPort = reusesListeningPort
        self.peer = peer
        self.isWanted = isWanted
        self.created = created
    }
}

/// One byte pipe with its two ends.
public struct TransportLink: Sendable {
    /// Carries the bytes.
    public let channel: any Channel
    /// Our end.
    public let localAddress: Multiaddr
    /// The other end.
    public let remoteAddress: Multiaddr
    /// Whether the source port is one that we listen on.
    public let usesListeningPort: Bool

    /// All of it.
    public init(channel: any Channel, localAddress: Multiaddr, remoteAddress: Multiaddr, usesListeningPort: Bool) {
        self.channel = channel
        self.localAddress = localAddress
        self.remoteAddress = remoteAddress
        self.usesListeningPort = usesListeningPort
    }
}

/// An open listener.
public protocol TransportListener: Sendable {
    /// Where it listens, with the real port; may be a wildcard.
    var address: Multiaddr { get }
    /// From now on strangers are let in by a loop of their own, behind everybody else, or, with `false`, by the ordinary ones again.
    /// Links that were accepted stay where they are. Returns at once and calls nothing back, so a lock may be held; calls take
    /// effect in their order.
    func keepsStrangersApart(_ isApart: Bool)
    /// Ends it; links that were accepted stay.
    func close() -> EventLoopFuture<Void>
}
