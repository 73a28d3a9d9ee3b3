public import Logging
public import Multiformats
public import NIOCore
public import P2PCore
public import PeerIdentity
import Synchronization

/// Connections with peers: listens, dials, secures, counts, prefers, trims, and closes.
///
/// Thread-safe. Tables live under one lock that is held for moments only; bytes stay on their connection's event loop.
/// What the streams carry is not its business.
public final class Swarm: Sendable {
    /// What it was made with.
    public let configuration: SwarmConfiguration
    /// Our own id.
    public let localPeer: PeerID
    let transports: [any Transport]
    let group: any EventLoopGroup
    let logger: Logger
    let callbacks: SwarmCallbacks
    let metrics = SwarmMetrics()
    let state: Mutex<SwarmState>
    /// Shared by all connections: what stream windows may grow to together.
    let windowBudget: ByteBudget
    /// Shared by all connections: what may wait in streams.
    let streamBudget: ByteBudget
    /// Signed once for all handshakes; nil if the identity cannot sign, which each handshake then says.
    let noiseKey: SignedNoiseKey?
    private let upkeep = Mutex<RepeatedTask?>(nil)

    /// A swarm that does nothing yet.
    public init(
        configuration: SwarmConfiguration, transports: [any Transport], group: any EventLoopGroup, logger: Logger,
        callbacks: SwarmCallbacks
    ) {
        self.configuration = configuration
        self.localPeer = configuration.identity.peerID
        var generator = SystemRandomNumberGenerator()
        self.noiseKey = try? SignedNoiseKey(identity: configuration.identity, using: &generator)
        self.transports = transports
        self.group = group
        self.logger = logger
        self.callbacks = callbacks
        self.state = Mutex(SwarmState(configuration: configuration))
        self.windowBudget = ByteBudget(maximumBytes: configuration.limits.windowBytes)
        self.streamBudget = ByteBudget(maximumBytes: configuration.limits.streamBytes)
    }

    // MARK: Life

    /// Starts listening on `addresses`; either on all of them or, with an error, on none.
    ///
    /// A wildcard IPv6 address with port 0 takes the port of the wildcard IPv4 listener before it, if that is free.
    public func start(listeningOn addresses: [Multiaddr]) async throws {
        let mayStart = self.state.withLock { state in
            guard state.phase != .stopping else { return false }
            state.phase = .running
            return true
        }
        // Stopped before it began.
        guard mayStart else { throw CancellationError() }
        var lastPort: UInt16?
        do {
            for address in addresses {
                let listener = try await self.listen(on: address, sharing: lastPort)
                lastPort = listener.address.tcpPort
                // Stopped meanwhile: nobody would close it.
                guard self.enter(listener) else {
                    try? await listener.close().get()
                    throw CancellationError()
                }
            }
        } catch {
            await self.closeListeners()
            self.state.withLock { if $0.phase == .running { $0.phase = .idle } }
            throw error
        }
        let interval = TimeAmount(self.configuration.trimming?.interval ?? .seconds(10))
        let task = self.group.next().scheduleRepeatedTask(initialDelay: interval, delay: interval) {
            [weak self] _ in self?.maintain()
        }
        self.upkeep.withLock { $0 = task }
        // Whoever stops says so before it looks for this task.
        guard self.state.withLock({ $0.phase == .running }) else {
            task.cancel()
            throw CancellationError()
        }
    }

    /// Stops accepting and closes the listeners; connections stay. First step of an orderly end.
    public func stopAccepting() async {
        self.state.withLock { $0.phase = .stopping }
        self.upkeep.withLock { task in
            task?.cancel()
            task = nil
        }
        await self.closeListeners()
    }

    /// Ends all dials and closes all connections, all at the same time: queued bytes first, then goodbye, then the peer's end.
    ///
    /// At once, where peers answer. However many do not, all of them together cost one `ConnectionConfiguration.closeTimeout`
    /// (a second) if they only say nothing any more, and another if they do not take what is queued either.
    public func close() async {
        await self.stopAccepting()
        let (connections, strangers, peers) = self.state.withLock {
            ($0.connections.values.flatMap(\.self), Array($0.strangers.values), $0.dialer.peers)
        }
        for peer in peers { self.endDial(of: peer, error: DialError(.stopped, peer: peer)) }
        for channel in strangers { channel.close(promise: nil) }
        for connection in connections { connection.muxed.close(code: ConnectionCode.normal) }
        for connection in connections { _ = try? await connection.muxed.closeFuture.get() }
    }

    private func listen(on address: Multiaddr, sharing port: UInt16?) async throws -> any TransportListener {
        guard let transport = self.transports.first(where: { $0.canListen(on: address) }) else {
            throw DialFailureReason.noTransport
        }
        if let port, let ip = address.ipAddress, address.tcpPort == 0 {
            let shared = Multiaddr(ip: ip, tcpPort: port)
            if let listener = try? await self.open(transport, shared).get() { return listener }
        }
        return try await self.open(transport, address).get()
    }

    private func open(_ transport: any Transport, _ address: Multiaddr) -> EventLoopFuture<any TransportListener> {
        transport.listen(on: address, group: self.group) { [weak self] link in
            self?.accepted(link) ?? link.channel.eventLoop.makeFailedFuture(ChannelError.alreadyClosed)
        }
    }

    private func enter(_ listener: any TransportListener) -> Bool {
        self.state.withLock { state in
            guard state.phase == .running else { return false }
            state.listeners.append(listener)
            if state.crowd.isCrowd { listener.keepsStrangersApart(true) }
            return true
        }
    }

    private func closeListeners() async {
        let listeners = self.state.withLock { state in
            defer { state.listeners = [] }
            return state.listeners
        }
        for listener in listeners { try? await listener.close().get() }
    }

    // MARK: Questions

    /// The addresses we listen on with their real ports; wildcards as they are.
    public var listeningAddresses: [Multiaddr] { self.state.withLock { $0.listeners.map(\.address) } }

    /// All connections.
    public var connections: [SwarmConnection] { self.state.withLock { $0.connections.values.flatMap(\.self) } }

    /// All connections with one peer.
    public func connections(with peer: PeerID) -> [SwarmConnection] {
        self.state.withLock { $0.connections[peer] ?? [] }
    }

    /// The connection that a new stream with the peer should use, if there is one.
    public func bestConnection(with peer: PeerID, allowsLimited: Bool = false) -> SwarmConnection? {
        self.state.withLock { $0.best(of: peer, local: self.localPeer, allowsLimited: allowsLimited) }
    }

    /// How often each limit refused something.
    public var refusals: [LimitName: Int] { self.state.withLock { $0.ledger.refusals } }

    /// Connections and streams in use.
    public var usage: (connections: Int, streams: Int) {
        self.state.withLock { ($0.ledger.connectionCount, $0.ledger.streamCount) }
    }

    /// Something comes whenever `usage` or `refusals` may have changed, from now on; changes that nobody has taken yet are one.
    package func usageChanges() -> AsyncStream<Void> {
        let (changes, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.state.withLock { $0.ledgerWatchers.append(continuation) }
        return changes
    }

    // MARK: Tables

    /// Reads or changes the address book.
    public func withAddressBook<Result: Sendable>(
        _ body: (inout AddressBook, MonotonicInstant) throws -> Result
    ) rethrows -> Result {
        let now = MonotonicInstant.now()
        return try self.state.withLock { try body(&$0.book, now) }
    }

    /// Reads or changes tags and protections.
    public func withTrimming<Result: Sendable>(_ body: (inout ConnectionTrimming) -> Result) -> Result {
        self.state.withLock { body(&$0.trimming) }
    }

    /// Keeps a peer for as long as at least one reason stands: its connections when there are too many, and what is known of it
    /// when too many are known.
    public func protect(_ peer: PeerID, reason: String) {
        self.state.withLock { state in
            state.trimming.protect(peer, reason: reason)
            state.book.keep(peer, state.trimming.isProtected(peer))
        }
    }

    /// Takes one reason away.
    public func unprotect(_ peer: PeerID, reason: String) {
        self.state.withLock { state in
            state.trimming.unprotect(peer, reason: reason)
            state.book.keep(peer, state.trimming.isProtected(peer))
        }
    }

    /// Reserves an outbound stream.
    public func reserveStream(on connection: SwarmConnection) throws(LimitExceeded) -> ResourceLedger.StreamSlot {
        let outcome: Result<ResourceLedger.StreamSlot, LimitExceeded> = self.state.withLock { state in
            do throws(LimitExceeded) {
                return .success(try state.ledger.reserveStream(on: connection.slot, direction: .outbound))
            } catch {
                return .failure(error)
            }
        }
        if case .failure(let exceeded) = outcome, exceeded.name != .connections { self.limitReached(exceeded) }
        return try outcome.get()
    }

    /// Notes an inbound stream's protocol.
    public func assign(
        _ slot: ResourceLedger.StreamSlot, to protocolID: ProtocolID, limit: ResourceLedger.ProtocolLimit
    ) throws(LimitExceeded) {
        let refusal: LimitExceeded? = self.state.withLock { state in
            do throws(LimitExceeded) {
                try state.ledger.assign(slot, to: protocolID, limit: limit)
                return nil
            } catch {
                return error
            }
        }
        if let refusal {
            self.limitReached(refusal)
            throw refusal
        }
    }

    /// Gives a stream back.
    public func release(_ slot: ResourceLedger.StreamSlot) { self.state.withLock { $0.ledger.release(slot) } }

    /// Gives a stream back when it is really over: not when its user closes it, since what the peer does not take of it
    /// stays in memory until then. Its protocol's place is given back when our side has done with it.
    public func release(_ slot: ResourceLedger.StreamSlot, afterEndOf stream: MuxedStream) {
        stream.whenEnding { [weak self] ending in
            switch ending {
            case .served: self?.state.withLock { $0.ledger.served(slot) }
            case .over: self?.release(slot)
            }
        }
    }

    /// A connection, or a protocol above it, has refused something: counted in `refusals`, and told of.
    public func countRefusal(by limit: LimitName) {
        self.state.withLock { $0.ledger.countRefusal(by: limit) }
        self.limitReached(LimitExceeded(limit, limit: nil))
    }

    /// A limit has refused something, and the ledger has counted it. Not while the tables are locked.
    func limitReached(_ exceeded: LimitExceeded) {
        self.metrics.refused(exceeded.name)
        self.callbacks.limitReached(exceeded)
    }

    /// Neither dials nor accepts these peers from now on, in place of those of the last call; ends what lives with them.
    public func refuse(_ peers: Set<PeerID>) {
        let added: Set<PeerID> = self.state.withLock { state in
            defer { state.refusedPeers = peers }
            return peers.subtracting(state.refusedPeers)
        }
        for peer in added {
            self.endDial(of: peer, error: DialError(.refused, peer: peer))
            // Not in good order: a peer that does not take what is queued for it would be served until the time for that is up.
            for connection in self.connections(with: peer) { connection.muxed.abort() }
        }
    }

    /// Closes all connections with a peer.
    public func disconnect(_ peer: PeerID, code: UInt32 = ConnectionCode.normal) {
        for connection in self.connections(with: peer) { connection.muxed.close(code: code) }
    }
}
