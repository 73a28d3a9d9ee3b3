/// A figure of `ResourceLimits`, of the muxer or of a transport, by name, for counting and for errors.
public enum LimitName: String, Sendable, Hashable, CaseIterable {
    /// `ResourceLimits.connections`
    case connections
    /// `ResourceLimits.inboundConnections`
    case inboundConnections
    /// `ResourceLimits.outboundConnections`
    case outboundConnections
    /// `ResourceLimits.connectionsPerPeer`
    case connectionsPerPeer
    /// `ResourceLimits.inboundConnectionsPerAddress`
    case inboundConnectionsPerAddress
    /// `ResourceLimits.inboundConnectionsPerPrefix`
    case inboundConnectionsPerPrefix
    /// `ResourceLimits.pendingInboundConnections`
    case pendingInboundConnections
    /// `ResourceLimits.pendingInboundPerAddress`
    case pendingInboundPerAddress
    /// `ResourceLimits.newConnectionBurst` and `newConnectionInterval`
    case newConnectionRate
    /// `ResourceLimits.dialledPeers`
    case dialledPeers
    /// `ResourceLimits.waitersPerDial`
    case waitersPerDial
    /// Names that wait to be looked up, of all peers together.
    case nameLookUps
    /// `ResourceLimits.streams`
    case streams
    /// `ResourceLimits.inboundStreams`, or somebody's share of it
    case inboundStreams
    /// `ResourceLimits.negotiatingStreams`, or somebody's share of it
    case negotiatingStreams
    /// `ResourceLimits.inboundStreamsPerPeer`
    case inboundStreamsPerPeer
    /// `ResourceLimits.outboundStreamsPerPeer`
    case outboundStreamsPerPeer
    /// `ResourceLimits.inboundStreamsPerConnection`
    case inboundStreamsPerConnection
    /// `ResourceLimits.negotiatingStreamsPerPeer`
    case negotiatingStreamsPerPeer
    /// `ResourceLimits.untouchedStreamsPerConnection`
    case untouchedStreamsPerConnection
    /// `ResourceLimits.unreadBytesPerConnection`
    case unreadBytesPerConnection
    /// `ResourceLimits.windowBytes`, or somebody's share of it: counted once until a window of the connection may grow again
    case windowBytes
    /// `ResourceLimits.streamBytes`, or somebody's share of it
    case streamBytes
    /// `ResourceLimits.inboundStreamsPerProtocol` or the handler's own figure
    case inboundStreamsPerProtocol
    /// `ResourceLimits.inboundStreamsPerProtocolAndPeer` or the handler's own figure
    case inboundStreamsPerProtocolAndPeer
    /// The rates of Yamux pings of one connection: those beyond 100 a second are not answered, many more end it.
    case pings
    /// The rates of Yamux frames of one connection that carry and change nothing, or come for streams that are gone; more end it.
    case emptyFrames
    /// The rate of streams that a peer opens on one connection and resets, or that we refuse: more than 500 at once, and 50 a
    /// second from then on, end it.
    case streamResets
    /// Bytes of answers that a connection keeps while its peer takes none; more end it.
    case controlBytes
    /// `GossipSubLimits.maximumTopicBytesOfAll`, or somebody's share of it
    case topicBytes
    /// `GossipSubLimits.maximumPeers`
    case gossipPeers
    /// The figures of `GossipSubLimits` for messages that wait for verification or validation.
    case pendingChecks
    /// The figures of `GossipSubLimits` for messages that wait for peers, in number, bytes or time.
    case gossipQueues
    /// `GossipSubLimits.maximumPartialFrameBytes`, or somebody's share of it, or `maximumFrameTime`
    case partialFrames
    /// The figures of `GossipSubLimits` for what is read of one RPC, or of one peer between two heartbeats.
    case controlEntries
}
