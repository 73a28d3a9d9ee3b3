/// What a handler allows, and where it runs.
public struct HandlerLimits: Sendable, Hashable {
    /// Streams of all peers at one time; further ones are reset with code 0x1002 (resource limit). One that its handler has closed
    /// counts until all that was written is on its way. Nil: `ResourceLimits.inboundStreamsPerProtocol` of the node.
    public var streams: Int?
    /// Streams of one peer at one time. Nil: `ResourceLimits.inboundStreamsPerProtocolAndPeer` of the node.
    public var streamsPerPeer: Int?
    /// Whether it is served on connections that a relay limits in time and bytes.
    public var allowsLimitedConnection = false
    /// Runs the handler on the connection's event loop, which saves thread changes. Only for handlers that never block and
    /// compute little.
    public var runsOnEventLoop = false

    /// The default: as many streams as the node allows for a protocol.
    public init() {}

    /// The default but for these.
    public init(streams: Int?, streamsPerPeer: Int?) {
        self.streams = streams
        self.streamsPerPeer = streamsPerPeer
    }
}
