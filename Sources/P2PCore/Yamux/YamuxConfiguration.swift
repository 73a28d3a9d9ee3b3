/// The figures of a yamux session.
public struct YamuxConfiguration: Sendable {
    /// The credit both sides start a stream with, in bytes. Fixed by the protocol.
    public static let initialWindow: UInt32 = 262_144

    /// The largest receive window one stream may grow to, in bytes. A larger frame ends the session.
    public var maximumStreamWindow: UInt32 = 16 << 20
    /// The bytes by which the receive windows of all streams together may grow beyond their first ones. Streams that are open
    /// and silent take nothing of it; what arrives in their first windows is bounded by `maximumBufferedBytes`.
    public var maximumWindowGrowth: Int
    /// A longer round trip than this counts as this one when windows grow.
    public var longestGrowthRoundTrip: Duration = .seconds(1)
    /// Bytes received and not yet read by the application, over all streams. A stream whose frame would pass this
    /// is reset with code 0x1002.
    public var maximumBufferedBytes: Int
    /// Streams opened by us that the peer has not acknowledged; at this bound opening waits.
    public var maximumUnacknowledged = 256
    /// Streams opened by the peer that the application has not touched; one more is reset with code 0x1002.
    public var maximumUnaccepted: Int
    /// Streams opened by the peer and alive; one more is reset with code 0x1002.
    public var maximumInbound: Int
    /// Silence after which a ping is sent, and the interval of round-trip measurements.
    public var keepAliveInterval: Duration = .seconds(30)
    /// How long after an unanswered ping silence ends the session; later, if data may be on its way before the ping.
    public var keepAliveTimeout: Duration = .seconds(10)
    /// Bytes a second that the thinnest link takes on which a session is to last: so slowly the data that we sent before a ping
    /// may leave.
    public var thinnestLink = 4096
    /// But no longer than this: more than a minute of a thin link is not under way at one time.
    public var longestWay: Duration = .seconds(60)
    /// How long the peer may take no bytes before the session ends.
    public var writeTimeout: Duration = .seconds(30)
    /// How long an acknowledgement waits for a frame to ride on.
    public var acknowledgementDelay: Duration = .milliseconds(20)
    /// How long the last bytes of a closed stream may wait for the peer's credit even when others need their room.
    public var creditPatience: Duration = .seconds(10)
    /// How long a stream that the application has closed may stay, since then or since the peer's last credit, while bytes of ours
    /// are still held for it because the peer gives none; then it is reset.
    public var lingerTimeout: Duration = .seconds(60)
    /// How long after our last bytes and FIN a closed stream may stay of which only the peer's own end is missing. Longer, since a
    /// reset has the peer drop what it received and has not read yet. Until then the stream counts against the limits, but those
    /// of its protocol.
    public var finishedLingerTimeout: Duration = .seconds(300)
    /// How often closed streams that are still there are looked at for the two times above.
    public var lingerInterval: Duration = .seconds(10)

    /// The figures of specification and of go-libp2p; those that bound what a peer can make us spend are of `limits`.
    public init(limits: ResourceLimits = ResourceLimits()) {
        self.maximumInbound = limits.inboundStreamsPerConnection
        self.maximumUnaccepted = limits.untouchedStreamsPerConnection
        self.maximumBufferedBytes = limits.unreadBytesPerConnection
        self.maximumWindowGrowth = limits.windowBytesPerConnection
    }
}
