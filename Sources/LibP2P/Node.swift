public import Logging
public import NIOCore
public import NIOPosix
import P2PSwarm
public import ServiceLifecycle
import Synchronization

/// A libp2p peer: listens, connects, identifies, and carries streams under any number of protocols.
///
/// ```swift
/// let node = Node(configuration: .init(identity: .generate(), listen: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/0")]))
/// node.serve("/echo/1.0.0") { stream in
///     while let bytes = try await stream.read() { try await stream.write(bytes) }
/// }
/// try await node.start()
/// ```
///
/// Thread-safe; every method may be called from anywhere. Use it as a `Service`, or call `start` and `stop` yourself: once each,
/// since a node that has stopped does not start again.
public final class Node: Service {
    /// What it was made with.
    public let configuration: Configuration
    /// Our id.
    public let peerID: PeerID
    /// Where its connections run.
    public let eventLoopGroup: any EventLoopGroup
    let logger: Logger
    let swarm: Swarm
    let state: Mutex<NodeState>
    let tasks = StreamTasks()
    private let interfaceWatch = Mutex<InterfaceWatch?>(nil)

    /// A node that does nothing yet.
    ///
    /// - Parameters:
    ///   - eventLoopGroup: where connections run; it must outlive the node.
    ///   - logger: logs nothing above `debug` in normal operation.
    public init(
        configuration: Configuration, eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        logger: Logger = Logger(label: "libp2p", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
        self.configuration = configuration
        self.peerID = configuration.identity.peerID
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.state = Mutex(NodeState(limits: configuration.limits))
        let back = NodeReference()
        var swarm = SwarmConfiguration(
            identity: configuration.identity, security: configuration.security, limits: configuration.limits,
            trimming: configuration.trimming?.within(configuration.limits))
        swarm.frameObserver = configuration.frameObserver
        if swarm.security.contains(ConnectionUpgrade.tlsProtocolID) {
            do { swarm.tls = try TLSLayer(identity: configuration.identity, muxers: swarm.muxers) } catch {
                logger.warning("TLS is not offered", metadata: ["reason": "\(error)"])
                swarm.security.removeAll { $0 == ConnectionUpgrade.tlsProtocolID }
            }
        }
        self.swarm = Swarm(
            configuration: swarm, transports: [TCPTransport()], group: eventLoopGroup, logger: logger,
            callbacks: SwarmCallbacks(
                connected: { back.node?.connected($0) },
                disconnected: { back.node?.disconnected($0, isLast: $1, reason: $2) },
                inboundStream: { stream, connection, slot in
                    guard let node = back.node else { return stream.reset(code: YamuxCode.streamShutdown) }
                    node.serve(stream, on: connection, slot: slot)
                },
                dialFailed: { back.node?.dialFailed($0) },
                connectionRefused: { back.node?.connectionRefused(from: $0, peer: $1, $2) },
                limitReached: { back.node?.limitReached($0) }))
        back.set(self)
        self.registerIdentify()
        if configuration.answersPings { self.registerPing() }
    }

    /// Runs tasks on one of the node's event loops, see `P2PStream.executor`.
    public static func executor(on eventLoop: any EventLoop) -> any TaskExecutor { EventLoopTaskExecutor(eventLoop) }

    // MARK: Life

    /// Starts, waits until the service group shuts down gracefully or the task is cancelled, and stops.
    public func run() async throws {
        try await self.start()
        // Cancellation and graceful shutdown end the wait alike.
        try? await gracefulShutdown()
        // Its own task: stopping takes its moment even if this one is cancelled.
        await Task { await self.stop() }.value
    }

    /// Opens all listeners.
    ///
    /// - Throws: `P2PError` with `.listenFailed` if one cannot be opened: none is open then, and it may be tried again.
    ///   `.alreadyStarted` while the node runs or starts; `.notRunning` after `stop`, or if that comes meanwhile.
    public func start() async throws {
        let before: NodeState.Phase = self.state.withLock { state in
            defer { if state.phase == .idle { state.phase = .running } }
            return state.phase
        }
        switch before {
        case .idle: break
        case .running: throw P2PError(.alreadyStarted, "the node runs already")
        case .stopping, .stopped: throw P2PError(.notRunning, "the node was stopped: make another one")
        }
        do {
            try await self.swarm.start(listeningOn: self.configuration.listen)
        } catch {
            let mayStartAgain = self.state.withLock { state in
                guard state.phase == .running else { return false }
                state.phase = .idle
                return true
            }
            guard mayStartAgain else { throw P2PError(.notRunning, "the node was stopped while it started") }
            let wanted = self.configuration.listen.map(\.description).joined(separator: ", ")
            throw P2PError(.listenFailed, "cannot listen on \(wanted)", cause: error)
        }
        self.refreshAddresses(announcing: false)
        guard self.configuration.interfaceAddresses == nil,
            self.swarm.listeningAddresses.contains(where: \.isUnspecified)
        else { return }
        let watch = InterfaceWatch(eventLoop: self.eventLoopGroup.next()) { [weak self] _ in self?.interfacesChanged() }
        watch.start()
        self.interfaceWatch.withLock { $0 = watch }
        // Whoever stops says so before it looks for this watch.
        guard self.state.withLock({ $0.phase == .running }) else {
            watch.stop()
            throw P2PError(.notRunning, "the node was stopped while it started")
        }
    }

    /// Ends in good order: no new connections, the shutdown hooks (goodbyes of other parts), then every connection is flushed
    /// and closed.
    ///
    /// Usually at once. However many peers, handlers and hooks there are, each of these waits is one for all of them: at most
    /// three seconds for hooks; one for bytes that peers do not take; one for the end of peers that say nothing any more, such
    /// as a process that is stopped or a machine that sleeps; one for handlers that ignore their end. A second call returns at
    /// once.
    public func stop() async {
        let hooks: [@Sendable () async -> Void]? = self.state.withLock { state in
            guard state.phase == .running || state.phase == .idle else { return nil }
            state.phase = .stopping
            return state.shutdownHooks
        }
        guard let hooks else { return }
        let watch = self.interfaceWatch.withLock { watch in
            defer { watch = nil }
            return watch
        }
        // The watch only ever ends well.
        try? await watch?.stop().get()
        await self.swarm.stopAccepting()
        await self.runHooks(hooks)
        self.tasks.cancelAll()
        await self.swarm.close()
        await self.tasks.drain(on: self.eventLoopGroup.next(), patience: .seconds(1))
        let subscribers = self.state.withLock { state in
            state.phase = .stopped
            state.shutdownHooks = []
            defer { state.subscribers = [:] }
            return Array(state.subscribers.values)
        }
        for subscriber in subscribers { subscriber.finish() }
    }

    /// Adds something to do before connections are closed, such as a goodbye. All hooks together get three seconds.
    public func addShutdownHook(_ hook: @escaping @Sendable () async -> Void) {
        self.state.withLock { $0.shutdownHooks.append(hook) }
    }

    private func runHooks(_ hooks: [@Sendable () async -> Void]) async {
        // Not a task group, which would wait for a hook that ignores its cancellation.
        let running = StreamTasks()
        for hook in hooks { running.spawn(on: nil, hook) }
        await running.drain(on: self.eventLoopGroup.next(), patience: .seconds(3))
        running.cancelAll()
    }

    // MARK: Peers

    /// Connects to a peer, unless it is connected already; all who ask share one dial.
    ///
    /// - Parameters:
    ///   - addresses: tried in addition to those known; one whose `/p2p` part names somebody else is left out.
    ///   - timeout: this caller's patience; the dial goes on for others who wait for it.
    /// - Returns: the connection that new streams would use.
    /// - Throws: `P2PError` with every address tried and what came back; `CancellationError`.
    @discardableResult
    public func connect(
        to peer: PeerID, addresses: [Multiaddr] = [], timeout: Duration = .seconds(15)
    ) async throws -> ConnectionInfo {
        try await self.connection(with: peer, addresses: addresses, timeout: timeout, allowsLimited: false).info
    }

    /// Connects to the peer at an address that says whose it is: one that ends in `/p2p/` and the peer's id.
    ///
    /// Who answers there is proved by the handshake; if it is somebody else, the attempt says so and fails.
    /// - Returns: the connection, and with it the peer's id.
    /// - Throws: `P2PError` with `.invalidAddress` if the address names no peer; else as the other form.
    @discardableResult
    public func connect(to address: Multiaddr, timeout: Duration = .seconds(15)) async throws -> ConnectionInfo {
        guard let peer = address.peerID else {
            throw P2PError(.invalidAddress, "\(address) does not end in /p2p/ and a peer's id")
        }
        return try await self.connect(to: peer, addresses: [address], timeout: timeout)
    }

    /// Notes where a peer may be found, for dials to come. Dials nobody.
    ///
    /// What leads nowhere is left out: wildcards, IPv6 link-local and multicast addresses, those whose `/p2p` part names somebody
    /// else, loopback addresses on hearsay, and IPv4 link-local ones on hearsay or of the peer itself (`.identify`, `.signedRecord`).
    /// Names of these three sources are followed to public addresses only.
    /// - Parameters:
    ///   - source: who says so; decides what is forgotten first.
    ///   - ttl: forgotten after this, unless connected; at most a day.
    public func addAddresses(
        _ addresses: [Multiaddr], of peer: PeerID, source: AddressSource, ttl: Duration = .seconds(600)
    ) {
        self.swarm.withAddressBook { book, now in
            let fresh = book.add(addresses, of: peer, source: source, ttl: ttl, now: now)
            // A peer that multicasts, or that the operator names, is there again: what failed before may work now.
            if !fresh.isEmpty || source == .configured || source == .multicast { book.clearBackoff(of: peer) }
        }
    }

    /// Forgets addresses of a peer that came from `source` or a less trusted one.
    public func removeAddresses(_ addresses: [Multiaddr], of peer: PeerID, upTo source: AddressSource) {
        self.swarm.withAddressBook { book, _ in book.remove(addresses, of: peer, upTo: source) }
    }

    /// What is known of where the peer may be found, most trusted first.
    public func addresses(of peer: PeerID) -> [Multiaddr] {
        self.swarm.withAddressBook { book, now in book.addresses(of: peer, now: now) }
    }

    /// All connections, in no order.
    public func connections() -> [ConnectionInfo] { self.swarm.connections.map(\.info) }

    /// All connections with one peer.
    public func connections(with peer: PeerID) -> [ConnectionInfo] { self.swarm.connections(with: peer).map(\.info) }

    /// Whether the peer has a connection that no relay limits.
    public func isConnected(to peer: PeerID) -> Bool { self.swarm.bestConnection(with: peer) != nil }

    /// What the peer said of itself last, while it is connected.
    public func identification(of peer: PeerID) -> IdentifyInfo? { self.state.withLock { $0.identified[peer] } }

    /// Closes all connections with a peer; what was written still arrives. Returns when they are closed: at once if the peer
    /// answers, within two seconds if it does not. Nothing keeps either side from connecting again; `refuse` does.
    public func disconnect(_ peer: PeerID) async {
        let open = self.swarm.connections(with: peer)
        self.swarm.disconnect(peer)
        // A connection that ended with an error has ended all the same.
        for connection in open { _ = try? await connection.muxed.closeFuture.get() }
    }

    /// Has nothing to do with these peers from now on, in place of those of the last call: their connections are closed, none
    /// is dialled or accepted, so none of their streams is answered.
    ///
    /// A peer that connects learns so after the handshake, which is when its id is proved. All of it holds before the caller is
    /// first suspended; what is waited for is that the connections are closed.
    public nonisolated(nonsending) func refuse(_ peers: Set<PeerID>) async {
        let open = peers.flatMap { self.swarm.connections(with: $0) }
        self.swarm.refuse(peers)
        // A connection that ended with an error has ended all the same.
        for connection in open { _ = try? await connection.muxed.closeFuture.get() }
    }

    /// Tags a peer: connections of peers with a low sum of tags are closed first when there are too many.
    public func tag(_ peer: PeerID, _ name: String, value: Int) {
        self.swarm.withTrimming { $0.tag(peer, name, value: value) }
    }

    /// Takes a tag away.
    public func untag(_ peer: PeerID, _ name: String) { self.swarm.withTrimming { $0.untag(peer, name) } }

    /// Keeps a peer's connections from being closed for being too many, and what is known of it from making room for others,
    /// until `unprotect` with the same reason.
    public func protect(_ peer: PeerID, reason: String) { self.swarm.protect(peer, reason: reason) }

    /// Takes a protection away.
    public func unprotect(_ peer: PeerID, reason: String) { self.swarm.unprotect(peer, reason: reason) }

    /// Whether a reason to keep the peer's connections stands. For tests.
    package func isProtected(_ peer: PeerID) -> Bool { self.swarm.withTrimming { $0.isProtected(peer) } }

    /// Closes connections that are too many or redundant now, instead of at the next interval.
    public func trimConnections() { self.swarm.maintain() }

    /// Connections and streams in use or being made, as the limits count them.
    public var usage: (connections: Int, streams: Int) { self.swarm.usage }

    /// How often each of our limits refused something.
    public var refusals: [LimitName: Int] { self.swarm.refusals }

    /// Something comes whenever `usage` or `refusals` may have changed, from now on. For tests.
    package func usageChanges() -> AsyncStream<Void> { self.swarm.usageChanges() }

    // MARK: Connections, inside

    func connection(
        with peer: PeerID, addresses: [Multiaddr] = [], timeout: Duration, allowsLimited: Bool
    ) async throws -> SwarmConnection {
        do {
            return try await self.swarm.connect(
                to: peer, addresses: addresses, timeout: timeout, allowsLimited: allowsLimited)
        } catch let error as DialError {
            throw P2PError(dial: error, timeout: timeout)
        }
    }

    func connected(_ connection: SwarmConnection) {
        self.publish(.connected(connection.info))
        // Behind those who wait for the connection, who are served in this turn of the loop.
        connection.eventLoop.execute { self.identify(connection) }
    }

    func disconnected(_ connection: SwarmConnection, isLast: Bool, reason: CloseReason) {
        let (hasChanged, pending) = self.state.withLock { state in
            // Under this lock, as all that a new connection tells is: by the time we hear of the last one's end, the peer may be
            // back, and what it said since is not to be forgotten.
            if isLast, self.swarm.connections(with: connection.peer).isEmpty {
                state.identified[connection.peer] = nil
                state.pushAllowances[connection.peer] = nil
                state.pushes.removed(connection.peer)
            }
            return (
                state.observed.ended(connection.id), state.identifyRetries.removeValue(forKey: connection.id)
            )
        }
        pending?.timer?.cancel()
        if hasChanged { self.refreshAddresses(announcing: true) }
        self.publish(.disconnected(connection.info, isLast: isLast, cause: DisconnectCause(reason)))
    }
}

/// The way back from the swarm to its node, without keeping the node alive.
private final class NodeReference: Sendable {
    private struct Weak { weak var node: Node? }
    private let storage = Mutex(Weak())
    var node: Node? { self.storage.withLock { $0.node } }
    func set(_ node: Node) { self.storage.withLock { $0.node = node } }
}

extension SwarmConnection {
    var info: ConnectionInfo {
        ConnectionInfo(
            id: self.id, peer: self.peer, direction: self.direction, remoteAddress: self.remoteAddress,
            localAddress: self.localAddress, security: self.muxed.security, isLimited: self.isLimited)
    }
}
