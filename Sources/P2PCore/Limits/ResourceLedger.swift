public import Multiformats
public import PeerIdentity

/// The books of what is in use: connections and streams are reserved here before anything is spent on them.
///
/// A reservation yields a slot; releasing a slot twice, or one that was never given, changes nothing. All operations
/// are constant in time but for the rate table, which forgets its oldest entries when full.
///
/// Places for streams that others open are shared out like bytes, see `ByteShares`: those of all kinds, and once more those of
/// streams that name no protocol yet. The first few of each connection are its own, so that whoever comes can always be identified.
public struct ResourceLedger: Sendable {
    /// Inbound streams of one connection that need no share: identify in both forms, ping and one more.
    public static let ownStreamsPerConnection = 4

    /// One reserved connection.
    public struct ConnectionSlot: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    /// One reserved stream.
    public struct StreamSlot: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    /// What one protocol's handler allows to be open inbound at one time.
    public struct ProtocolLimit: Sendable, Hashable {
        /// Of all peers together.
        public var total: Int
        /// Of one peer.
        public var perPeer: Int

        /// Both figures.
        public init(total: Int, perPeer: Int) {
            self.total = total
            self.perPeer = perPeer
        }
    }

    private struct Connection {
        let direction: Direction
        let address: IPAddress?
        var peer: PeerID?
        var isPending: Bool
        /// In the two books of shares, once it is known whose it is.
        var shares: Shares?
        var inboundStreams = 0
        /// Inbound streams that are its own, see `ownStreamsPerConnection`.
        var ownStreams = 0
        /// Streams that our side has done with, see `served`.
        var servedStreams = 0
        /// In both directions.
        var streams: Set<StreamSlot> = []

        mutating func add(_ slot: StreamSlot, _ stream: Stream) {
            self.streams.insert(slot)
            guard stream.direction == .inbound else { return }
            self.inboundStreams += 1
            if stream.isOwn { self.ownStreams += 1 }
        }

        mutating func remove(_ slot: StreamSlot, _ stream: Stream) {
            self.streams.remove(slot)
            if case .served = stream.use { self.servedStreams -= 1 }
            guard stream.direction == .inbound else { return }
            self.inboundStreams -= 1
            if stream.isOwn { self.ownStreams -= 1 }
        }
    }

    /// A connection as the books of shares know it, from `bind` until its last stream is given back.
    private struct Shares {
        let inbound: ByteShares.Holder
        let negotiating: ByteShares.Holder
    }

    private struct Stream {
        /// What an inbound stream counts as, beside being one.
        enum Use {
            case negotiating
            case serving(ProtocolID)
            /// Nothing more: our side has done with it.
            case served
        }

        let connection: ConnectionSlot
        let peer: PeerID
        let direction: Direction
        /// Of an inbound stream that holds places of these; nil for one that needs none.
        var shares: Shares?
        var use = Use.negotiating

        /// Whether it is one of its connection's own, see `ownStreamsPerConnection`.
        var isOwn: Bool { self.direction == .inbound && self.shares == nil }
    }

    private struct PeerCounts {
        var connections = 0
        var inboundStreams = 0
        var outboundStreams = 0
        var negotiating = 0
        var protocols: [ProtocolID: Int] = [:]
        var isEmpty: Bool {
            self.connections == 0 && self.inboundStreams == 0 && self.outboundStreams == 0 && self.negotiating == 0
        }
    }

    private struct AddressCounts {
        var connections = 0
        var pending = 0

        /// A connection that is pending.
        mutating func add() {
            self.connections += 1
            self.pending += 1
        }
    }

    /// The figures in force.
    public let limits: ResourceLimits
    /// How often each limit refused something.
    public private(set) var refusals: [LimitName: Int] = [:]
    /// Inbound connections, pending ones included.
    public private(set) var inboundConnections = 0
    /// Outbound connections, dials under way included.
    public private(set) var outboundConnections = 0
    /// Inbound connections still being upgraded.
    public private(set) var pendingInbound = 0

    private var nextNumber: UInt64 = 1
    private var connections: [ConnectionSlot: Connection] = [:]
    private var streams: [StreamSlot: Stream] = [:]
    private var peers: [PeerID: PeerCounts] = [:]
    /// By holder, and by local network where there is one, see `AddressScope`.
    private var addresses: [AddressScope: AddressCounts] = [:]
    private var prefixes: [AddressScope: Int] = [:]
    private var protocols: [ProtocolID: Int] = [:]
    private var arrivals: ArrivalRates
    /// A place is a byte of these.
    private var inboundShares: ByteShares
    private var negotiatingShares: ByteShares
    /// Inbound streams that hold no place of the shares.
    private var ownStreams = 0

    /// Empty books under `limits`.
    public init(limits: ResourceLimits) {
        self.limits = limits
        self.arrivals = ArrivalRates(
            burst: limits.newConnectionBurst, interval: limits.newConnectionInterval, capacity: limits.rateTableSize)
        self.inboundShares = ByteShares(maximumBytes: limits.inboundStreams)
        self.negotiatingShares = ByteShares(maximumBytes: limits.negotiatingStreams)
    }

    /// Connections in all.
    public var connectionCount: Int { self.connections.count }
    /// Streams in all.
    public var streamCount: Int { self.streams.count }

    /// Streams of one peer in both directions.
    public func streamCount(of peer: PeerID) -> Int {
        guard let counts = self.peers[peer] else { return 0 }
        return counts.inboundStreams + counts.outboundStreams
    }

    /// Streams of one connection in both directions.
    public func streamCount(on slot: ConnectionSlot) -> Int { self.streams(on: slot).count }

    /// Of these, those that somebody on our side still has to do with.
    public func busyStreamCount(on slot: ConnectionSlot) -> Int {
        self.streamCount(on: slot) - (self.connections[slot]?.servedStreams ?? 0)
    }

    /// Whether nothing at all is reserved, in any of the books. For tests.
    package var isBalanced: Bool {
        self.connections.isEmpty && self.streams.isEmpty && self.peers.isEmpty && self.addresses.isEmpty
            && self.prefixes.isEmpty && self.protocols.isEmpty && self.ownStreams == 0 && self.inboundConnections == 0
            && self.outboundConnections == 0 && self.pendingInbound == 0
            && [self.inboundShares, self.negotiatingShares].allSatisfy { $0.reservedBytes == 0 && $0.accountCount == 0 }
    }

    /// The streams of one connection in both directions.
    package func streams(on slot: ConnectionSlot) -> Set<StreamSlot> { self.connections[slot]?.streams ?? [] }

    /// Whether the slot is still reserved.
    public func isReserved(_ slot: ConnectionSlot) -> Bool { self.connections[slot] != nil }

    // MARK: Connections

    /// Reserves an inbound connection that was just accepted, before its upgrade begins.
    ///
    /// - Parameter address: where it comes from; nil for transports without IP addresses.
    /// - Throws: `LimitExceeded` naming the limit; nothing is reserved then.
    public mutating func reserveInbound(
        from address: IPAddress?, now: MonotonicInstant
    ) throws(LimitExceeded) -> ConnectionSlot {
        try self.check(self.connections.count, .connections, self.limits.connections)
        try self.check(self.inboundConnections, .inboundConnections, self.limits.inboundConnections)
        try self.check(self.pendingInbound, .pendingInboundConnections, self.limits.pendingInboundConnections)
        if let address, !address.isLoopback {
            let factor = address.isPrivate || address.isLinkLocal ? max(1, self.limits.privateAddressFactor) : 1
            let counts = self.addresses[.holder(address)] ?? AddressCounts()
            try self.check(
                counts.connections, .inboundConnectionsPerAddress, self.limits.inboundConnectionsPerAddress * factor)
            try self.check(
                counts.pending, .pendingInboundPerAddress,
                min(self.limits.pendingInboundPerAddress * factor, max(1, self.limits.pendingInboundConnections / 8)))
            if let network = AddressScope.localNetwork(address) {
                let counts = self.addresses[network] ?? AddressCounts()
                try self.check(
                    counts.connections, .inboundConnectionsPerPrefix, max(1, self.limits.inboundConnections / 2))
                try self.check(
                    counts.pending, .pendingInboundPerAddress, max(1, self.limits.pendingInboundConnections / 2))
            }
            try self.check(
                self.prefixes[.prefix(address)] ?? 0, .inboundConnectionsPerPrefix,
                self.limits.inboundConnectionsPerPrefix * factor)
            if factor == 1, !self.arrivals.admit(.host(address), now: now) {
                throw self.refuse(.newConnectionRate, self.limits.newConnectionBurst)
            }
            self.addresses[.holder(address), default: AddressCounts()].add()
            if let network = AddressScope.localNetwork(address) {
                self.addresses[network, default: AddressCounts()].add()
            }
            self.prefixes[.prefix(address), default: 0] += 1
        }
        self.inboundConnections += 1
        self.pendingInbound += 1
        return self.insert(Connection(direction: .inbound, address: address, peer: nil, isPending: true))
    }

    /// Reserves an outbound connection before its first packet is sent.
    public mutating func reserveOutbound(to address: IPAddress?) throws(LimitExceeded) -> ConnectionSlot {
        try self.check(self.connections.count, .connections, self.limits.connections)
        try self.check(self.outboundConnections, .outboundConnections, self.limits.outboundConnections)
        self.outboundConnections += 1
        return self.insert(Connection(direction: .outbound, address: address, peer: nil, isPending: true))
    }

    /// Notes whose connection this is, once the handshake has shown it.
    ///
    /// - Throws: `LimitExceeded` if the peer has too many already; the slot stays reserved and is the caller's to release.
    public mutating func bind(_ slot: ConnectionSlot, to peer: PeerID) throws(LimitExceeded) {
        guard var connection = self.connections[slot], connection.peer == nil else { return }
        try self.check(self.peers[peer]?.connections ?? 0, .connectionsPerPeer, self.limits.connectionsPerPeer)
        self.endPending(&connection)
        connection.peer = peer
        connection.shares = Shares(
            inbound: self.inboundShares.enter(peer, at: connection.address),
            negotiating: self.negotiatingShares.enter(peer, at: connection.address))
        self.connections[slot] = connection
        self.peers[peer, default: PeerCounts()].connections += 1
    }

    /// Gives a connection back. Its streams stay reserved, each until it is given back itself: whoever serves one may still be
    /// at work, and would not be counted otherwise when the peer comes back.
    public mutating func release(_ slot: ConnectionSlot) {
        guard var connection = self.connections.removeValue(forKey: slot) else { return }
        self.endPending(&connection)
        switch connection.direction {
        case .inbound:
            self.inboundConnections -= 1
            if let address = connection.address, !address.isLoopback {
                self.decrement(address) { $0.connections -= 1 }
                self.prefixes[.prefix(address), default: 1] -= 1
                if self.prefixes[.prefix(address)] == 0 { self.prefixes[.prefix(address)] = nil }
            }
        case .outbound:
            self.outboundConnections -= 1
        }
        if let peer = connection.peer { self.updatePeer(peer) { $0.connections -= 1 } }
        if let shares = connection.shares { self.leaveIfDone(shares) }
    }

    // MARK: Streams

    /// Reserves a stream on a bound connection.
    public mutating func reserveStream(
        on slot: ConnectionSlot, direction: Direction
    ) throws(LimitExceeded) -> StreamSlot {
        // All at once, and not as a copy of the entry that stays: then the set of streams would be copied with every new one.
        let found = self.connections[slot].map { ($0.peer, $0.shares, $0.inboundStreams, $0.ownStreams) }
        guard case (let peer?, let shares?, let inbound, let own)? = found else {
            // It has just ended: no limit of ours has refused anything.
            throw LimitExceeded(.connections, limit: 0)
        }
        let counts = self.peers[peer] ?? PeerCounts()
        try self.check(self.streams.count, .streams, self.limits.streams)
        var stream = Stream(connection: slot, peer: peer, direction: direction, shares: nil)
        switch direction {
        case .inbound:
            try self.check(inbound, .inboundStreamsPerConnection, self.limits.inboundStreamsPerConnection)
            try self.check(counts.inboundStreams, .inboundStreamsPerPeer, self.limits.inboundStreamsPerPeer)
            try self.check(counts.negotiating, .negotiatingStreamsPerPeer, self.limits.negotiatingStreamsPerPeer)
            if own < Self.ownStreamsPerConnection && self.ownStreams < self.maximumOwnStreams {
                self.ownStreams += 1
            } else {
                try self.reserve(shares)
                stream.shares = shares
            }
            self.updatePeer(peer) {
                $0.inboundStreams += 1
                $0.negotiating += 1
            }
        case .outbound:
            try self.check(counts.outboundStreams, .outboundStreamsPerPeer, self.limits.outboundStreamsPerPeer)
            self.updatePeer(peer) { $0.outboundStreams += 1 }
        }
        let number = StreamSlot(number: self.nextNumber)
        self.nextNumber &+= 1
        self.connections[slot]?.add(number, stream)
        self.streams[number] = stream
        return number
    }

    /// Notes which protocol an inbound stream agreed on.
    ///
    /// - Throws: `LimitExceeded` if that protocol is full; the slot stays reserved and is the caller's to release.
    public mutating func assign(
        _ slot: StreamSlot, to protocolID: ProtocolID, limit: ProtocolLimit
    ) throws(LimitExceeded) {
        guard let stream = self.streams[slot], stream.direction == .inbound, case .negotiating = stream.use else {
            return
        }
        try self.check(self.protocols[protocolID] ?? 0, .inboundStreamsPerProtocol, limit.total)
        try self.check(
            self.peers[stream.peer]?.protocols[protocolID] ?? 0, .inboundStreamsPerProtocolAndPeer, limit.perPeer)
        if let shares = stream.shares { self.negotiatingShares.release(1, of: shares.negotiating) }
        self.streams[slot]?.use = .serving(protocolID)
        self.protocols[protocolID, default: 0] += 1
        self.updatePeer(stream.peer) {
            $0.negotiating -= 1
            $0.protocols[protocolID, default: 0] += 1
        }
    }

    /// Our side has done with a stream: it is closed, and all that was written is on its way. Its protocol has a place for another,
    /// however long the peer takes to end its own side; as a stream of its connection it counts until then.
    public mutating func served(_ slot: StreamSlot) {
        guard let stream = self.streams[slot] else { return }
        if case .served = stream.use { return }
        if stream.direction == .inbound { self.endUse(of: stream) }
        self.streams[slot]?.use = .served
        self.connections[stream.connection]?.servedStreams += 1
    }

    /// Gives a stream back.
    public mutating func release(_ slot: StreamSlot) {
        guard let stream = self.streams.removeValue(forKey: slot) else { return }
        self.connections[stream.connection]?.remove(slot, stream)
        guard stream.direction == .inbound else { return self.updatePeer(stream.peer) { $0.outboundStreams -= 1 } }
        self.endUse(of: stream) { $0.inboundStreams -= 1 }
        guard let shares = stream.shares else {
            self.ownStreams -= 1
            return
        }
        self.inboundShares.release(1, of: shares.inbound)
        if self.connections[stream.connection] == nil { self.leaveIfDone(shares) }
    }

    /// Counts a refusal that was decided elsewhere.
    public mutating func countRefusal(by name: LimitName) { self.refusals[name, default: 0] &+= 1 }

    /// The same, for one of these figures.
    /// - Returns: the error that says so.
    public mutating func refuse(_ name: LimitName, _ limit: Int) -> LimitExceeded {
        self.countRefusal(by: name)
        return LimitExceeded(name, limit: limit)
    }

    // MARK: Private

    private mutating func check(_ inUse: Int, _ name: LimitName, _ limit: Int) throws(LimitExceeded) {
        if inUse >= limit { throw self.refuse(name, limit) }
    }

    /// Of all connections together: those of connections that have ended may still be served.
    private var maximumOwnStreams: Int {
        let (most, overflow) = self.limits.connections.multipliedReportingOverflow(by: Self.ownStreamsPerConnection)
        return overflow ? .max : most
    }

    private mutating func reserve(_ shares: Shares) throws(LimitExceeded) {
        guard self.inboundShares.reserve(1, for: shares.inbound) else {
            self.countRefusal(by: .inboundStreams)
            throw LimitExceeded(.inboundStreams, limit: nil)
        }
        guard self.negotiatingShares.reserve(1, for: shares.negotiating) else {
            self.inboundShares.release(1, of: shares.inbound)
            self.countRefusal(by: .negotiatingStreams)
            throw LimitExceeded(.negotiatingStreams, limit: nil)
        }
    }

    /// Gives back what an inbound stream counts as, beside being one.
    /// - Parameter change: what else is to be changed in the counts of its peer.
    private mutating func endUse(of stream: Stream, _ change: (inout PeerCounts) -> Void = { _ in }) {
        switch stream.use {
        case .negotiating:
            if let shares = stream.shares { self.negotiatingShares.release(1, of: shares.negotiating) }
            self.updatePeer(stream.peer) {
                $0.negotiating -= 1
                change(&$0)
            }
        case .serving(let protocolID):
            Self.decrement(&self.protocols, protocolID)
            self.updatePeer(stream.peer) {
                Self.decrement(&$0.protocols, protocolID)
                change(&$0)
            }
        case .served: self.updatePeer(stream.peer, change)
        }
    }

    private static func decrement(_ counts: inout [ProtocolID: Int], _ protocolID: ProtocolID) {
        guard let place = counts.index(forKey: protocolID) else { return }
        counts.values[place] -= 1
        if counts.values[place] <= 0 { counts.remove(at: place) }
    }

    /// The connection has ended; once its streams have too, it leaves the books.
    private mutating func leaveIfDone(_ shares: Shares) {
        guard self.inboundShares.held(by: shares.inbound) == 0 else { return }
        self.inboundShares.leave(shares.inbound)
        self.negotiatingShares.leave(shares.negotiating)
    }

    private mutating func insert(_ connection: Connection) -> ConnectionSlot {
        let slot = ConnectionSlot(number: self.nextNumber)
        self.nextNumber &+= 1
        self.connections[slot] = connection
        return slot
    }

    private mutating func endPending(_ connection: inout Connection) {
        guard connection.isPending else { return }
        connection.isPending = false
        guard connection.direction == .inbound else { return }
        self.pendingInbound -= 1
        if let address = connection.address, !address.isLoopback {
            self.decrement(address) { $0.pending -= 1 }
        }
    }

    private mutating func decrement(_ address: IPAddress, _ change: (inout AddressCounts) -> Void) {
        self.decrementAddress(.holder(address), change)
        if let network = AddressScope.localNetwork(address) { self.decrementAddress(network, change) }
    }

    private mutating func decrementAddress(_ scope: AddressScope, _ change: (inout AddressCounts) -> Void) {
        guard var counts = self.addresses[scope] else { return }
        change(&counts)
        self.addresses[scope] = counts.connections == 0 && counts.pending == 0 ? nil : counts
    }

    /// Changed where it stands, by one look-up: to take it out and put it back would be two, each of which hashes the peer's id.
    private mutating func updatePeer(_ peer: PeerID, _ change: (inout PeerCounts) -> Void) {
        guard let place = self.peers.index(forKey: peer) else {
            var counts = PeerCounts()
            change(&counts)
            if !counts.isEmpty { self.peers[peer] = counts }
            return
        }
        change(&self.peers.values[place])
        if self.peers.values[place].isEmpty { self.peers.remove(at: place) }
    }
}
