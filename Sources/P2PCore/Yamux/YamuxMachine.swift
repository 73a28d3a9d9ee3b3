/// One yamux session: decides on headers, credit, flags and stream states, and never sees a payload byte.
///
/// The owner feeds it each header that arrives (`received`) and each wish of the application; it answers with events
/// appended to a sink that the owner reuses. The owner keeps the payloads: after `payload(id, count)` the next `count`
/// bytes on the wire belong to that stream, and `payloadCompleted` must follow before the next header.
///
/// Rules that are easy to get wrong, and how they are kept here:
/// - Credit goes back when the application reads (`consumed`), never on receipt, so a slow reader slows its peer.
/// - The length of a window update is always added, also in the first one; that of a reset is a code, never credit.
/// - Frames for unknown ids are drained in silence: a late window update after a close is ordinary. Only a flood ends the session.
/// - SYN, ACK, FIN and RST count on data frames and window updates alike.
/// - FIN travels in a frame of its own behind the last data, since some peers act on flags before payload.
///
/// A value without I/O, clock or randomness; not safe for concurrent use.
/// Source: libp2p yamux specification; go-libp2p's observed choices for windows, backlog and keep-alive.
public struct YamuxMachine: Sendable {
    /// What the owner has to do, in order.
    public enum Event: Hashable, Sendable {
        /// Write this header; it has no payload. Goes ahead of queued data of other streams.
        case send(YamuxHeader)
        /// The peer opened a stream.
        case opened(UInt32)
        /// The next `count` bytes received belong to this stream, or to nobody when nil.
        case payload(UInt32?, count: UInt32)
        /// The stream may send again.
        case writable(UInt32)
        /// The peer will write no more on this stream; everything before is delivered.
        case endOfStream(UInt32)
        /// The stream is gone in both directions; unread bytes are to be dropped. No event for it follows.
        case reset(UInt32, code: UInt32, byPeer: Bool)
        /// Both sides have finished the stream. No event for it follows.
        case closed(UInt32)
        /// A call to `openStream` that was refused for the backlog would now succeed.
        case openingAllowed
        /// A ping came back. For tests, which look at each; an adapter has `roundTripTime`.
        case roundTrip(Duration)
        /// The peer announced the end of the session: it takes no new streams.
        case goAway(code: UInt32)
        /// A limit was reached, and what the peer wanted beyond it was refused. To be counted: all else is done.
        case refused(LimitName)
    }

    /// The outcome of `openStream`.
    public enum Opening: Hashable, Sendable {
        /// The new stream's id. Nothing is on the wire until its first frame, which carries SYN.
        case opened(UInt32)
        /// Too many streams wait for an acknowledgement: `openingAllowed` will tell.
        case backlogFull
        /// One side is going away.
        case goingAway
        /// All ids are used: a new connection is needed.
        case exhausted
    }

    struct Stream: Sendable {
        enum Half: Sendable { case open, finished }

        let isInbound: Bool
        var local = Half.open
        var remote = Half.open
        /// Flags that the next frame of this stream has to carry: SYN of ours, or ACK of theirs.
        var owed: YamuxHeader.Flags
        /// Outbound: the peer has acknowledged. Inbound: the application has touched the stream.
        var isAccepted = false
        /// We have sent data since the peer gave credit last.
        var awaitsCredit = false
        var sendCredit = YamuxConfiguration.initialWindow
        var receiveCredit = YamuxConfiguration.initialWindow
        var window = YamuxConfiguration.initialWindow
        /// Received and not yet consumed.
        var buffered: UInt32 = 0
        var lastUpdate: MonotonicInstant
        /// Set once the application will read no more; later again when our last bytes are out.
        var readClosedAt: MonotonicInstant?
        /// How long it then stays once our FIN is out; nil for `YamuxConfiguration.finishedLingerTimeout`.
        var patience: Duration?
        /// When the peer gave credit last, after that.
        var lastCredit: MonotonicInstant?
    }

    struct PayloadInProgress: Sendable {
        var stream: UInt32?
        var endsStream: Bool
    }

    struct PingInFlight: Sendable {
        var value: UInt32
        var sentAt: MonotonicInstant
        /// When it has left, even if the link is thin and all that was claimed before it is still under way.
        var leavesBy: MonotonicInstant
    }

    /// The figures in force.
    public let configuration: YamuxConfiguration
    /// Whether we are the upgrade's initiator, and so use odd ids.
    public let role: ConnectionRole

    var streams: [UInt32: Stream] = [:]
    var nextID: UInt32?
    var unacknowledged = 0
    var unaccepted = 0
    var inbound = 0
    var openersWaiting = false
    var grownBytes = 0
    var acknowledgementsOwed: [UInt32] = []
    var acknowledgementsDue: MonotonicInstant?
    var payloadInProgress: PayloadInProgress?
    var lastReceived: MonotonicInstant
    var nextPing: MonotonicInstant
    /// When closed streams are looked at; nil while there are none.
    var lingerDue: MonotonicInstant?
    var pingInFlight: PingInFlight?
    var lastPingValue: UInt32 = 0
    /// Data that was claimed since the last ping.
    var claimedBytes = 0
    var writeBlockedAt: MonotonicInstant?
    var hasSentGoAway = false
    var pingAnswers = TokenBucket(capacity: 100, every: .milliseconds(10))
    var pingFlood = TokenBucket(capacity: 1000, every: .milliseconds(5))
    var emptyFrames = TokenBucket(capacity: 1000, every: .milliseconds(10))
    /// Frames that change nothing and that honest peers send as well, as often as streams end: for streams that are gone, and credit
    /// for nothing that we sent. So many cost little; at the rate of a line they would cost a processor.
    var lateFrames = TokenBucket(capacity: 20_000, every: .microseconds(100))
    /// What is longer and for a stream that is gone costs the peer more than us.
    static let smallPayload: UInt32 = 1_024
    /// Bytes that were granted to streams when we reset them: they may be on their way, in frames as small as the peer likes, and
    /// are no flood. With what came before, a stream has no more than its credit. At most `maximumWindowGrowth`.
    var lateBytes = 0
    /// Streams that the peer opened in vain: reset by it, or refused by us. An honest one asks for what we do not speak a few
    /// times a second at the worst, and then counts once for each, whichever side ends the stream.
    var churn = TokenBucket(capacity: 500, every: .milliseconds(20))

    /// Bytes received and not yet read, over all streams.
    public internal(set) var bufferedBytes = 0
    /// The smoothed round-trip time, once a ping has come back.
    public internal(set) var roundTripTime: Duration?
    /// The least round-trip time seen: a peer that delays its answers makes it no longer.
    var leastRoundTripTime: Duration?
    /// The code of the peer's go-away, once it came.
    public internal(set) var receivedGoAway: UInt32?

    /// A session that starts at `now`. Call `start` once before anything else.
    public init(role: ConnectionRole, configuration: YamuxConfiguration = .init(), now: MonotonicInstant) {
        self.role = role
        self.configuration = configuration
        self.nextID = role == .initiator ? 1 : 2
        self.lastReceived = now
        self.nextPing = now
    }

    /// Sends the first ping, so that windows can grow from the first round trip on.
    public mutating func start(now: MonotonicInstant, into events: inout [Event]) {
        self.ping(now: now, into: &events)
    }

    // MARK: Facts

    /// Streams alive, of either side.
    public var streamCount: Int { self.streams.count }
    /// Bytes by which receive windows have grown beyond the initial ones, over all living streams.
    public var grownWindowBytes: Int { self.grownBytes }
    /// Whether a go-away went either way.
    public var isGoingAway: Bool { self.hasSentGoAway || self.receivedGoAway != nil }

    /// What the peer lets us send on a stream now, in bytes; 0 for an unknown stream.
    public func sendCredit(of id: UInt32) -> UInt32 { self.streams[id]?.sendCredit ?? 0 }

    // MARK: The application's wishes

    /// Reserves an id for a new stream.
    public mutating func openStream(now: MonotonicInstant) -> Opening {
        if self.isGoingAway { return .goingAway }
        guard let id = self.nextID else { return .exhausted }
        guard self.unacknowledged < self.configuration.maximumUnacknowledged else {
            self.openersWaiting = true
            return .backlogFull
        }
        let (next, overflow) = id.addingReportingOverflow(2)
        self.nextID = overflow ? nil : next
        self.unacknowledged += 1
        self.streams[id] = Stream(isInbound: false, owed: .syn, lastUpdate: now)
        return .opened(id)
    }

    /// Sends a stream's SYN or ACK now instead of with its first data: for a side that reads before it writes.
    public mutating func announce(_ id: UInt32, into events: inout [Event]) {
        guard var stream = self.streams[id], !stream.owed.isEmpty else { return }
        events.append(.send(Self.frame(.windowUpdate, id, flags: Self.takeOwed(&stream), length: 0)))
        self.streams[id] = stream
    }

    /// The application has taken up a stream the peer opened. The ACK rides on the stream's next frame, or goes out
    /// alone after `acknowledgementDelay`.
    public mutating func accept(_ id: UInt32, now: MonotonicInstant) {
        guard var stream = self.streams[id], stream.isInbound, !stream.isAccepted else { return }
        stream.isAccepted = true
        stream.owed.insert(.ack)
        self.streams[id] = stream
        self.unaccepted -= 1
        if self.acknowledgementsOwed.count >= 128 {
            self.acknowledgementsOwed.removeAll { self.streams[$0]?.owed.contains(.ack) != true }
        }
        self.acknowledgementsOwed.append(id)
        if self.acknowledgementsDue == nil {
            self.acknowledgementsDue = now.advanced(by: self.configuration.acknowledgementDelay)
        }
    }

    /// Claims credit for a data frame of at most `count` payload bytes and returns its header, or nil while the stream
    /// has no credit, is finished or unknown. The payload must follow the header on the wire.
    public mutating func claim(_ id: UInt32, count: Int) -> YamuxHeader? {
        guard count > 0, var stream = self.streams[id], stream.local == .open, stream.sendCredit > 0 else { return nil }
        let length = UInt32(min(count, Int(stream.sendCredit)))
        stream.sendCredit -= length
        stream.awaitsCredit = true
        self.claimedBytes += Int(length)
        let header = Self.frame(.data, id, flags: Self.takeOwed(&stream), length: length)
        self.streams[id] = stream
        return header
    }

    /// Our side writes no more on this stream: sends FIN. Call it when everything claimed is on its way.
    public mutating func finish(_ id: UInt32, into events: inout [Event]) {
        guard var stream = self.streams[id], stream.local == .open else { return }
        stream.local = .finished
        // The peer took the last bytes with what it sent last: from then on it has time to read them.
        if let closed = stream.readClosedAt { stream.readClosedAt = max(closed, self.lastReceived) }
        let flags = Self.takeOwed(&stream).union(.fin)
        events.append(.send(Self.frame(.windowUpdate, id, flags: flags, length: 0)))
        self.streams[id] = stream
        self.removeIfFinished(id, stream, into: &events)
    }

    /// Ends a stream in both directions at once: sends RST with `code`. A stream whose SYN is not out yet just vanishes.
    public mutating func reset(_ id: UInt32, code: UInt32, into events: inout [Event]) {
        guard let stream = self.streams[id] else { return }
        if !stream.owed.contains(.syn) {
            events.append(.send(Self.frame(.windowUpdate, id, flags: .rst, length: code)))
        }
        self.expectLateBytes(of: stream)
        self.remove(id, stream, into: &events)
    }

    /// A stream that the peer opened is not taken, because of a limit or for want of a common protocol: as `reset`, and counted
    /// with those that the peer resets itself.
    /// - Throws: `.resetFlood` if that were too many; the stream is there then.
    public mutating func refuse(
        _ id: UInt32, code: UInt32, now: MonotonicInstant, into events: inout [Event]
    ) throws(YamuxError) {
        try self.countRefused(id, now: now)
        self.reset(id, code: code, into: &events)
    }

    /// Counts a stream as `refuse` does; its end is the caller's, in good order.
    /// - Throws: `.resetFlood` if that were too many.
    public mutating func countRefused(_ id: UInt32, now: MonotonicInstant) throws(YamuxError) {
        guard let stream = self.streams[id], stream.isInbound else { return }
        if !self.churn.take(now: now) { throw .resetFlood }
    }

    /// The application will read no more on this stream: unread and later bytes are dropped and give no credit back.
    /// A peer that does not finish is waited for: see `YamuxConfiguration.lingerTimeout` and `finishedLingerTimeout`.
    /// - Parameter patience: in place of `finishedLingerTimeout`, where a peer that takes longer has no use for the stream any more.
    ///   Past it the stream is reset, a `lingerInterval` later at most.
    public mutating func closeRead(_ id: UInt32, now: MonotonicInstant, patience: Duration? = nil) {
        guard var stream = self.streams[id], stream.readClosedAt == nil else { return }
        stream.readClosedAt = now
        stream.patience = patience
        let interval = self.configuration.lingerInterval
        let due = now.advanced(by: min(interval, patience ?? interval))
        self.lingerDue = min(due, self.lingerDue ?? due)
        self.bufferedBytes -= Int(stream.buffered)
        stream.buffered = 0
        // It gets no credit any more: what its window had grown by is for others, however long the peer takes to end.
        self.grownBytes -= Int(stream.window - YamuxConfiguration.initialWindow)
        stream.window = YamuxConfiguration.initialWindow
        self.streams[id] = stream
    }

    /// The application has read `count` bytes of this stream. Returns credit once half of the window is free, and
    /// doubles the window when that happens within four round trips of the last time: the shortest seen, and at most
    /// `longestGrowthRoundTrip`, since the peer can make them as long as it likes.
    /// - Parameter grant: asked before a window grows by the given bytes; false keeps the window as it is.
    public mutating func consumed(
        _ id: UInt32, count: Int, now: MonotonicInstant, into events: inout [Event],
        grant: (Int) -> Bool = { _ in true }
    ) {
        guard var stream = self.streams[id], stream.readClosedAt == nil else { return }
        let consumed = UInt32(clamping: min(count, Int(stream.buffered)))
        stream.buffered -= consumed
        self.bufferedBytes -= Int(consumed)
        defer { self.streams[id] = stream }
        guard stream.remote == .open else { return }
        var delta = stream.window - stream.receiveCredit - stream.buffered
        guard delta >= stream.window / 2 else { return }
        if let growth = self.growth(of: stream, now: now), grant(Int(growth)) {
            stream.window += growth
            self.grownBytes += Int(growth)
            delta += growth
        }
        stream.receiveCredit += delta
        stream.lastUpdate = now
        events.append(.send(Self.frame(.windowUpdate, id, flags: Self.takeOwed(&stream), length: delta)))
    }

    private func growth(of stream: Stream, now: MonotonicInstant) -> UInt32? {
        guard let leastRoundTripTime = self.leastRoundTripTime, stream.window < self.configuration.maximumStreamWindow,
            stream.lastUpdate.duration(to: now)
                < min(leastRoundTripTime, self.configuration.longestGrowthRoundTrip) * 4
        else { return nil }
        let growth = min(stream.window, self.configuration.maximumStreamWindow - stream.window)
        return self.grownBytes + Int(growth) <= self.configuration.maximumWindowGrowth ? growth : nil
    }

    /// Announces the end of the session. Streams the peer opens from now on are refused.
    public mutating func goAway(code: UInt32, into events: inout [Event]) {
        guard !self.hasSentGoAway else { return }
        self.hasSentGoAway = true
        events.append(.send(YamuxHeader(kind: .goAway, streamID: 0, length: code)))
    }

    // MARK: Pieces shared by all parts

    static func frame(
        _ kind: YamuxHeader.Kind, _ id: UInt32, flags: YamuxHeader.Flags, length: UInt32
    ) -> YamuxHeader {
        YamuxHeader(kind: kind, flags: flags, streamID: id, length: length)
    }

    static func takeOwed(_ stream: inout Stream) -> YamuxHeader.Flags {
        let flags = stream.owed
        stream.owed = []
        return flags
    }

    mutating func removeIfFinished(_ id: UInt32, _ stream: Stream, into events: inout [Event]) {
        guard stream.local == .finished, stream.remote == .finished else { return }
        events.append(.closed(id))
        self.remove(id, stream, into: &events)
    }

    /// We reset a stream: what the peer was granted may still come. Nothing does behind its FIN, or if it never heard of the stream.
    /// A stream that we refused to open adds nothing: refusals come as often as the peer asks, and `lateFrames` has room for the
    /// first windows of some.
    mutating func expectLateBytes(of stream: Stream) {
        guard stream.remote == .open, !stream.owed.contains(.syn) else { return }
        self.lateBytes = min(self.lateBytes + Int(stream.receiveCredit), self.configuration.maximumWindowGrowth)
    }

    /// Whether that much may have been on its way when we reset a stream. A frame counts for 64 bytes at least: what a window holds
    /// in single bytes would be a flood.
    mutating func takeLateBytes(_ count: UInt32) -> Bool {
        let bytes = max(Int(count), 64)
        guard count > 0, bytes <= self.lateBytes else { return false }
        self.lateBytes -= bytes
        return true
    }

    /// Forgets a stream and everything counted for it.
    mutating func remove(_ id: UInt32, _ stream: Stream, into events: inout [Event]) {
        self.streams.removeValue(forKey: id)
        self.bufferedBytes -= Int(stream.buffered)
        self.grownBytes -= Int(stream.window - YamuxConfiguration.initialWindow)
        if self.payloadInProgress?.stream == id { self.payloadInProgress?.stream = nil }
        if stream.isInbound {
            self.inbound -= 1
            if !stream.isAccepted { self.unaccepted -= 1 }
        } else if !stream.isAccepted {
            self.releaseBacklog(into: &events)
        }
    }

    mutating func releaseBacklog(into events: inout [Event]) {
        self.unacknowledged -= 1
        if self.openersWaiting {
            self.openersWaiting = false
            events.append(.openingAllowed)
        }
    }
}
