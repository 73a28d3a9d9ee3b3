import NIOCore
public import P2PCore

/// What a new connection needs to know beside its pipe.
public struct ConnectionConfiguration: Sendable {
    /// Identity, expected peer, offered protocols.
    public var upgrade: ConnectionUpgrade.Configuration
    /// Figures of the muxer.
    public var yamux = YamuxConfiguration()
    /// The time for the whole upgrade.
    public var upgradeTimeout: Duration = .seconds(15)
    /// The TLS layer; needed when `upgrade` offers TLS.
    public var tls: (any TLSProvider)?
    /// Where windows ask before they grow; nil asks nobody.
    public var windowBudget: ByteBudget?
    /// Where bytes are reserved that wait in streams, unread or unsent, beyond `MuxedConnection.freeUnreadBytes` and
    /// `freePendingBytes`; nil asks nobody.
    public var streamBudget: ByteBudget?
    /// Called on the event loop each time a limit was reached and something refused: a stream of the peer's, its further growth,
    /// a ping's answer, the connection itself; or has made writers wait. To be brief, and never to block.
    public var onRefusal: @Sendable (LimitName) -> Void = { _ in }
    /// Whether a relay limits time and bytes of the connection.
    public var isLimited = false
    /// Bytes that may wait in a stream for the peer's credit or the socket before `write` suspends.
    public var streamWriteBuffer = 256 * 1024
    /// Callers that may wait to open a stream.
    public var maximumOpening = 1024
    /// Bytes of control frames that may wait for the pipe; a peer that provokes more while it takes none is cut off.
    public var maximumControlBytes = 1 << 20
    /// How long closing may take to send what is queued, and again to see the peer close.
    public var closeTimeout: Duration = .seconds(1)
    /// How much longer than `closeTimeout` streams may take to end once the peer has said go-away; then the connection is closed.
    public var goAwayGrace: Duration = .seconds(30)
    /// Makes what hears of every frame; nil for nothing, which costs nothing.
    public var frameObserver: YamuxFrameObserverFactory?
    /// Called on the event loop for each stream the peer opens. The stream is un-negotiated. Dropping it resets it.
    public var onInboundStream: @Sendable (MuxedStream) -> Void

    /// The default figures.
    public init(
        upgrade: ConnectionUpgrade.Configuration, onInboundStream: @escaping @Sendable (MuxedStream) -> Void
    ) {
        self.upgrade = upgrade
        self.onInboundStream = onInboundStream
    }
}

/// A connection's counts since it began.
public struct ConnectionStatistics: Sendable, Hashable {
    /// Bytes off the pipe, sealed.
    public var bytesReceived: UInt64 = 0
    /// Bytes given to the pipe, sealed.
    public var bytesSent: UInt64 = 0
    /// Yamux frames received.
    public var framesReceived: UInt64 = 0
    /// Stream payload bytes received.
    public var payloadReceived: UInt64 = 0
    /// Stream payload bytes sent.
    public var payloadSent: UInt64 = 0
    /// Streams the peer opened.
    public var inboundOpened: UInt64 = 0
    /// Streams we opened.
    public var outboundOpened: UInt64 = 0
    /// Streams ended by a reset of either side.
    public var resets: UInt64 = 0
    /// Streams alive now.
    public var streams = 0
    /// Bytes received and not read by their streams' users, now.
    public var bufferedBytes = 0
    /// Bytes written by users and not sent, now.
    public var pendingBytes = 0
    /// The smoothed round-trip time, once measured.
    public var roundTripTime: Duration?

    /// Nothing counted yet.
    public init() {}
}
