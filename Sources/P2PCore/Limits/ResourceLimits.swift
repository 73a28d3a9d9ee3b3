/// Every figure that bounds what strangers can make a node spend, in one place.
///
/// Counts are upper bounds that are still allowed: the reservation that would exceed one is refused before memory or a
/// descriptor is taken. Defaults suit a machine with 4 GiB of memory and 4,096 descriptors; `scaled` derives them for
/// other machines.
public struct ResourceLimits: Sendable, Equatable {
    // MARK: Connections

    /// All connections, including those still being upgraded.
    public var connections = 1_536
    /// Connections that others opened to us.
    public var inboundConnections = 1_024
    /// Connections that we opened, including dials under way.
    public var outboundConnections = 1_024
    /// Connections to one peer, in both directions.
    public var connectionsPerPeer = 8
    /// Inbound connections from one IPv4 address or IPv6 /56. Loopback is exempt. Of private and link-local IPv6 it is from one
    /// address, and its /56, where everybody in the local network is, has half of all inbound ones, and half of those pending.
    public var inboundConnectionsPerAddress = 16
    /// Inbound connections from one IPv4 /24 or IPv6 /48. Loopback is exempt.
    public var inboundConnectionsPerPrefix = 128
    /// Both figures above, and those of one address below, are multiplied by this for private addresses, where one household
    /// or laboratory shares one.
    public var privateAddressFactor = 16
    /// Inbound connections that have not finished their upgrade.
    public var pendingInboundConnections = 256
    /// The same from one address, and never more than an eighth of all, whatever the factor: two hosts of a local network
    /// must not shut out the others. Loopback is exempt.
    public var pendingInboundPerAddress = 8
    /// New inbound connections of one address that may arrive at once, before the refill interval counts.
    public var newConnectionBurst = 32
    /// One new inbound connection of one address is allowed per this interval once the burst is used up.
    public var newConnectionInterval: Duration = .seconds(2)
    /// Addresses whose arrival rate is remembered; past it the oldest is forgotten.
    public var rateTableSize = 4_096
    /// Inbound connections that may wait for their handshake beside everybody else. Where more do, or come, those that follow are
    /// let in by a loop of their own, behind the others (`CrowdWatch`).
    public var crowdWaiting = 16
    /// New inbound connections, of all addresses, that may come at once beside everybody else, before the interval below counts.
    public var crowdBurst = 64
    /// One new inbound connection may come beside everybody else per this interval once the burst is used up.
    public var crowdInterval: Duration = .milliseconds(4)
    /// Longest time an inbound connection may take until it is secured and multiplexed.
    public var inboundUpgradeTimeout: Duration = .seconds(15)

    // MARK: Dialing

    /// Attempts under way at one time, in all.
    public var concurrentDials = 160
    /// Attempts under way at one time to one peer.
    public var concurrentDialsPerPeer = 8
    /// Addresses tried in one dial.
    public var addressesPerDial = 64
    /// Peers being dialled at one time.
    public var dialledPeers = 1_024
    /// Callers that wait for the dial of one peer.
    public var waitersPerDial = 1_024
    /// TCP connection establishment.
    public var connectTimeout: Duration = .seconds(5)
    /// One address, from the first packet to a usable connection; on a local network `localDialTimeout`.
    public var dialTimeout: Duration = .seconds(15)
    /// One address on the same machine or a private network.
    public var localDialTimeout: Duration = .seconds(5)
    /// All addresses of one peer together.
    public var peerDialTimeout: Duration = .seconds(60)
    /// An address that gave no answer for this long is backed off also where whoever dialled had no patience for more. A shorter
    /// patience says nothing about the address: packets are sent again after one second and three.
    public var unansweredDialTime: Duration = .seconds(3)

    // MARK: Streams

    /// All streams, in both directions.
    public var streams = 65_536
    /// Streams that others opened, in all; less than `streams`, so that there are always places for our own.
    ///
    /// One peer, one address and one network get at most a part of what the others have left, see `ByteShares`. The first
    /// `ResourceLedger.ownStreamsPerConnection` of each connection come on top.
    public var inboundStreams = 49_152
    /// Inbound streams that have not yet named a protocol, in all; shared out, and with the same exception, as `inboundStreams`.
    public var negotiatingStreams = 16_384
    /// Streams of one peer that the peer opened.
    public var inboundStreamsPerPeer = 2_048
    /// Streams of one peer that we opened.
    public var outboundStreamsPerPeer = 4_096
    /// Inbound streams of one connection.
    public var inboundStreamsPerConnection = 1_024
    /// Inbound streams of one connection that nobody has read from or written to yet.
    public var untouchedStreamsPerConnection = 256
    /// Inbound streams of one peer that have not yet named a protocol.
    public var negotiatingStreamsPerPeer = 256
    /// Inbound streams of one protocol, unless its handler says otherwise.
    public var inboundStreamsPerProtocol = 8_192
    /// Inbound streams of one protocol and peer, unless its handler says otherwise.
    public var inboundStreamsPerProtocolAndPeer = 1_024
    /// Bytes received and not yet read of all streams of one connection. A stream that more arrives for is reset.
    public var unreadBytesPerConnection = 64 * 1_024 * 1_024
    /// Bytes that the stream windows of one connection may grow to above their first 256 KiB.
    public var windowBytesPerConnection = 64 * 1_024 * 1_024
    /// Bytes that stream windows may grow to above their first 256 KiB, in all.
    ///
    /// One peer, one address and one network get at most a part of what the others have left, see `ByteShares`.
    public var windowBytes = 512 * 1_024 * 1_024
    /// Bytes that wait in streams, received and not read or written and not sent, in all; beyond the first 320 KiB of each
    /// connection, which are reckoned with the connection.
    ///
    /// Shared out like `windowBytes`. At the bound streams of the connection are reset that we closed long ago and the peer takes
    /// nothing from, writers wait, each with what it last wrote, and a stream that more arrives for is reset.
    public var streamBytes = 512 * 1_024 * 1_024
    /// Longest time until a new stream has agreed on its protocol.
    public var negotiationTimeout: Duration = .seconds(10)
    /// A ping stream that a peer leaves silent for this long is reset.
    public var pingIdleTimeout: Duration = .seconds(10)

    // MARK: What peers tell us

    /// Identify's own limits.
    public var identify = IdentifyLimits()
    /// The address book's own limits.
    public var addressBook = AddressBookLimits()
    /// Events kept for one slow subscriber; past it the oldest are dropped and counted.
    public var eventsPerSubscriber = 1_024
    /// Events of failed dials, and of refused connections, that are told at once; further ones only as time passes. Of each limit
    /// that is reached one.
    public var pacedEventBurst = 32
    /// One more event of such a kind is told per this interval.
    public var pacedEventInterval: Duration = .seconds(1)

    /// The default figures.
    public init() {}

    /// Figures for a machine. What bounds memory is the default, which is for 4 GiB, in proportion, and never more than the
    /// default: strangers share it, so more of it would only be more for them to take. Connections and streams grow with the
    /// machine; connections leave half of the descriptors to databases, files and other sockets.
    ///
    /// At the worst this comes to about a third of the memory: an eighth for bytes that wait in streams, as much for what each
    /// connection may hold without asking, and a sixteenth for streams at 4 KiB each. Windows are a promise; when it is used, it
    /// is bytes that wait. With what GossipSub may hold (`GossipSubLimits.scaled`) it is less than three eighths of the memory
    /// from 2 GiB on, and less than half from 256 MiB on; for less memory the figures are those for 256 MiB.
    ///
    /// - Parameters:
    ///   - memoryBytes: the machine's memory.
    ///   - descriptors: how many files and sockets the process may have open.
    /// - Returns: figures from a sixteenth of the defaults to the defaults for bytes, to eight times the defaults for numbers; of
    ///   connections fewer if descriptors are few.
    public static func scaled(memoryBytes: UInt64, descriptors: UInt64) -> ResourceLimits {
        var limits = ResourceLimits()
        let factor = Self.factor(memoryBytes: memoryBytes)
        func scaled(_ figure: Int) -> Int { Int(Double(figure) * factor) }
        limits.connections = max(1, min(scaled(limits.connections), Int(clamping: descriptors / 2)))
        limits.inboundConnections = max(1, limits.connections / 3 * 2)
        limits.outboundConnections = limits.inboundConnections
        limits.pendingInboundConnections = min(limits.inboundConnections, max(64, limits.connections / 6))
        // One network must not have all places, nor eight addresses.
        limits.inboundConnectionsPerPrefix = min(
            limits.inboundConnectionsPerPrefix, max(4, limits.inboundConnections / 8))
        limits.inboundConnectionsPerAddress = min(
            limits.inboundConnectionsPerAddress, max(2, limits.inboundConnections / 16))
        limits.streams = scaled(limits.streams)
        limits.inboundStreams = scaled(limits.inboundStreams)
        limits.negotiatingStreams = scaled(limits.negotiatingStreams)
        limits.windowBytes = min(scaled(limits.windowBytes), limits.windowBytes)
        limits.streamBytes = min(scaled(limits.streamBytes), limits.streamBytes)
        return limits
    }

    /// The machine's memory in proportion to the 4 GiB of the defaults: a sixteenth to eight.
    static func factor(memoryBytes: UInt64) -> Double { min(max(Double(memoryBytes) / Double(4 << 30), 0.0625), 8) }
}
