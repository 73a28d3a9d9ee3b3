public import P2PCore

/// A network of numbered nodes on a virtual clock: hours of protocol time in seconds, the same in every run.
///
/// Nodes are joined by connections. A connection carries packets in order, as a TCP stream does. What the network does
/// to them is up to the connection's `Quality` and to partitions; every random choice comes from one seed. The network
/// decides nothing about protocols: it is a queue of events, which the owner takes one by one.
public struct VirtualNetwork<Packet: Sendable>: Sendable {
    /// The manners of a connection, both ways.
    public struct Quality: Sendable, Hashable {
        /// One-way delay.
        public var latency: Duration
        /// Up to this much more, evenly spread.
        public var jitter: Duration
        /// How many packets of a hundred are hit by loss.
        public var lossPercent: Double
        /// What loss means: gone for good, as after a queue overflow, or a retransmission after this time.
        public var retransmission: Duration?
        /// Bytes that a direction takes in a second; nil for any number at once.
        public var bytesPerSecond: Int?

        /// Describes a connection.
        public init(
            latency: Duration = .milliseconds(20), jitter: Duration = .zero, lossPercent: Double = 0,
            retransmission: Duration? = nil, bytesPerSecond: Int? = nil
        ) {
            self.latency = latency
            self.jitter = jitter
            self.lossPercent = lossPercent
            self.retransmission = retransmission
            self.bytesPerSecond = bytesPerSecond
        }
    }

    /// What happens next.
    public enum Event: Sendable {
        /// A packet arrives.
        case packet(Packet, from: Int, to: Int)
        /// On a connection with a rate: the last byte of a packet has left its sender, in the order in which they were sent.
        case sent(bytes: Int, from: Int, to: Int)
        /// A timer set with `setTimer` is due.
        case timer(node: Int, kind: Int)
        /// A step of the scenario, see `schedule`.
        case step(Int)
    }

    private struct Connection {
        var quality: Quality
        /// Tells this connection from an earlier one of the same pair.
        var number: UInt64
        /// Per direction: when the last packet arrives, so that none overtakes it.
        var lastArrival: [MonotonicInstant] = [.zero, .zero]
        /// Per direction: when all that was sent has left, on a connection with a rate.
        var freeAt: [MonotonicInstant] = [.zero, .zero]
    }

    private struct Pair: Hashable {
        var low: Int
        var high: Int

        init(_ one: Int, _ other: Int) {
            low = min(one, other)
            high = max(one, other)
        }
    }

    private enum Entry: Sendable {
        case packet(Packet, from: Int, to: Int, connection: UInt64)
        case sent(bytes: Int, from: Int, to: Int, connection: UInt64)
        case event(Event)
    }

    /// The seed everything follows from.
    public let seed: UInt64
    /// The virtual time.
    public private(set) var now = MonotonicInstant.zero
    /// The network's dice; scenarios may use them too.
    public var random: SeededGenerator
    /// Packets that were lost, by loss or partition.
    public private(set) var lostPackets = 0
    /// Packets that arrived.
    public private(set) var arrivedPackets = 0
    private var queue = EventQueue<Entry>()
    private var connections: [Pair: Connection] = [:]
    private var connectionCount: UInt64 = 0
    private var side: [Int: Int] = [:]

    /// An empty network at time zero.
    public init(seed: UInt64) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
    }

    // MARK: - Connections

    /// Joins two nodes; a connection they have already is replaced, and what is under way on it is lost.
    public mutating func connect(_ one: Int, _ other: Int, quality: Quality = .init()) {
        connectionCount += 1
        connections[Pair(one, other)] = Connection(quality: quality, number: connectionCount)
    }

    /// Parts two nodes. Packets under way are lost.
    public mutating func disconnect(_ one: Int, _ other: Int) { connections[Pair(one, other)] = nil }

    /// True while the nodes are joined.
    public func areConnected(_ one: Int, _ other: Int) -> Bool { connections[Pair(one, other)] != nil }

    /// Sends a packet; it is lost if the nodes are not joined.
    ///
    /// On a connection with a rate it leaves behind all that was sent before. How much waits there is the sender's to bound:
    /// `.sent` tells it of every packet that has left.
    /// - Parameter bytes: its size; of no account without a rate.
    /// - Returns: whether `.sent` follows.
    @discardableResult
    public mutating func send(_ packet: Packet, bytes: Int = 0, from sender: Int, to receiver: Int) -> Bool {
        let pair = Pair(sender, receiver)
        guard var connection = connections[pair] else {
            lostPackets += 1
            return false
        }
        let direction = sender == pair.low ? 0 : 1
        var departure = now
        let isPaced = connection.quality.bytesPerSecond != nil
        if let rate = connection.quality.bytesPerSecond {
            let time = Duration.nanoseconds(bytes * 1_000_000_000 / max(1, rate))
            departure = max(now, connection.freeAt[direction]).advanced(by: time)
            connection.freeAt[direction] = departure
            connections[pair] = connection
            queue.insert(
                .sent(bytes: bytes, from: sender, to: receiver, connection: connection.number), at: departure)
        }
        var delay = connection.quality.latency + random.duration(upTo: connection.quality.jitter)
        if connection.quality.lossPercent > 0,
            Double.random(in: 0..<100, using: &random) < connection.quality.lossPercent
        {
            guard let retransmission = connection.quality.retransmission else {
                lostPackets += 1
                return isPaced
            }
            delay += retransmission
        }
        let arrival = max(departure.advanced(by: delay), connection.lastArrival[direction])
        connection.lastArrival[direction] = arrival
        connections[pair] = connection
        queue.insert(.packet(packet, from: sender, to: receiver, connection: connection.number), at: arrival)
        return isPaced
    }

    // MARK: - Partitions

    /// Cuts the nodes off from all others; among themselves they still talk. Packets across the cut are lost.
    public mutating func partition(_ nodes: some Sequence<Int>) { for node in nodes { side[node] = 1 } }

    /// Ends every partition.
    public mutating func heal() { side = [:] }

    /// True if a partition lies between the nodes.
    public func arePartitioned(_ one: Int, _ other: Int) -> Bool { side[one, default: 0] != side[other, default: 0] }

    // MARK: - Time

    /// Sets a timer of a node. Timers are not cancelled: the node must know whether one still matters.
    public mutating func setTimer(node: Int, kind: Int = 0, at time: MonotonicInstant) {
        queue.insert(.event(.timer(node: node, kind: kind)), at: max(now, time))
    }

    /// Puts a step of the scenario on the calendar.
    public mutating func schedule(step: Int, at time: MonotonicInstant) {
        queue.insert(.event(.step(step)), at: max(now, time))
    }

    /// Moves the clock to the next event and takes it; nil, and the clock at `end`, if there is none until then.
    public mutating func next(until end: MonotonicInstant) -> Event? {
        while let time = queue.nextTime, time <= end, let (_, entry) = queue.popFirst() {
            now = time
            switch entry {
            case .event(let event): return event
            case .sent(let bytes, let sender, let receiver, let number):
                guard connections[Pair(sender, receiver)]?.number == number else { continue }
                return .sent(bytes: bytes, from: sender, to: receiver)
            case .packet(let packet, let sender, let receiver, let number):
                guard connections[Pair(sender, receiver)]?.number == number, !arePartitioned(sender, receiver) else {
                    lostPackets += 1
                    continue
                }
                arrivedPackets += 1
                return .packet(packet, from: sender, to: receiver)
            }
        }
        now = max(now, end)
        return nil
    }
}

extension SeededGenerator {
    /// A random time from zero up to a bound.
    public mutating func duration(upTo bound: Duration) -> Duration {
        guard bound > .zero else { return .zero }
        let nanoseconds = bound.components.seconds * 1_000_000_000 + bound.components.attoseconds / 1_000_000_000
        return .nanoseconds(Int64.random(in: 0...nanoseconds, using: &self))
    }
}
