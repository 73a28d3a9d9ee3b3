import GoopCore
import HTTPTypes
import HummingbirdCore
public import Logging
public import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// The web server of the viewer: the owner's pages and the sites of peers, on loopback, and beyond it if the configuration
/// has an outer door.
///
/// `run()` binds 127.0.0.1 and ::1, then the outer door, calls `onListening`, serves until the task is cancelled or a graceful shutdown
/// begins, lets requests in progress finish within the grace time, and returns.
public final class ViewerServer: Service {
    private let configuration: ViewerConfiguration
    private let backend: any ViewerBackend
    private let rooms: ViewerRooms
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger

    /// Makes a server that does nothing until `run()`; without a group it uses SwiftNIO's shared one.
    public init(
        configuration: ViewerConfiguration, backend: any ViewerBackend, rooms: ViewerRooms = .init(),
        eventLoopGroup: (any EventLoopGroup)? = nil, logger: Logger
    ) {
        self.configuration = configuration
        self.backend = backend
        self.rooms = rooms
        self.eventLoopGroup = eventLoopGroup ?? MultiThreadedEventLoopGroup.singleton
        self.logger = logger
    }

    /// Serves until shutdown. Call once.
    /// - Throws: `ViewerListenError` if the address cannot be had.
    public func run() async throws {
        if configuration.address == .off {
            try? await gracefulShutdown()
            return
        }
        let shared = ViewerShared(configuration)
        let inner = try await bindInner(shared)
        let outer: OpenDoor?
        do { outer = try await bindOuter(shared) } catch {
            await inner.listener.discard()
            throw error
        }
        var endpoint = ViewerEndpoint(port: inner.listener.port)
        endpoint.instead = inner.listener.instead
        if let outer {
            endpoint.outerPort = outer.listener.port
            endpoint.outerURLs = outer.urls
        }
        await serve([inner] + (outer.map { [$0] } ?? []), at: endpoint, shared: shared)
    }

    /// A door whose sockets are bound.
    private struct OpenDoor: Sendable {
        let http: HTTP1Channel
        let listener: ViewerListener
        let registry: ConnectionRegistry
        var sessions: SessionTable?
        /// Ends when the owner shuts the door before the others.
        var shut: AsyncStream<Void>?
        var urls: [String] = []
    }

    private func bindInner(_ shared: ViewerShared) async throws -> OpenDoor {
        // The responder has to know the port, which is known only once the sockets are bound; a connection is not
        // served before, for accepting begins after.
        let responder = Slot<ViewerResponder>()
        let registry = ConnectionRegistry(limit: configuration.maximumConnections)
        let http = makeHTTP { request, _ in await responder.value?.respond(to: request) }
        let binder = LoopbackBinder(http: http, registry: registry, eventLoopGroup: eventLoopGroup, logger: logger)
        let listener = try await ViewerListener.bind(
            configuration.address, rememberedPort: configuration.rememberedPort, using: binder)
        responder.fill(
            makeResponder(RequestGuard(port: listener.port, capabilities: CapabilityTable()), shared: shared))
        return OpenDoor(http: http, listener: listener, registry: registry)
    }

    private func bindOuter(_ shared: ViewerShared) async throws -> OpenDoor? {
        guard let outer = configuration.outer else { return nil }
        let door = Slot<OuterDoor>()
        let registry = ConnectionRegistry(
            limit: outer.maximumConnections, limitOfOneAddress: outer.maximumConnectionsOfOneAddress)
        let http = makeHTTP({ request, channel in await door.value?.respond(to: request, on: channel) }) { channel in
            door.value?.sessions.leave(ObjectIdentifier(channel), now: .now)
        }
        let listener = try await OuterBinder(
            http: http, registry: registry, access: outer.access, tls: OuterBinder.context(of: outer.access),
            eventLoopGroup: eventLoopGroup, logger: logger
        ).bind()
        let authorities = outer.access.authorities(listeningPort: listener.port)
        let capabilities = CapabilityTable()
        let sessions = SessionTable(limits: outer.sessions) { capabilities.revokeAll(of: $0) }
        outer.lock.onChange {
            if let asking = SessionTable.asking {
                sessions.closeAll(except: asking.session)
            } else {
                sessions.closeAll()
            }
        }
        let shut = AsyncStream.makeStream(of: Void.self)
        outer.lock.onShut {
            listener.stopListening()
            sessions.closeAll(exceptConnection: SessionTable.asking?.connection)
            registry.quiesce()
            shut.continuation.finish()
        }
        let viewers = authorities.map { authority in
            makeResponder(
                RequestGuard(outer: authority, capabilities: capabilities),
                isEncrypted: outer.access.isEncrypted && outer.access.proxies.isEmpty, shared: shared)
        }
        // The settings have at least one name.
        guard let first = viewers.first else { return nil }
        door.fill(
            OuterDoor(
                proxies: ProxyPolicy(proxies: outer.access.proxies),
                viewers: Dictionary(zip(authorities, viewers)) { first, _ in first }, first: first, sessions: sessions,
                capabilities: capabilities,
                desk: LoginDesk(lock: outer.lock, sessions: sessions, limits: outer.attempts),
                lock: outer.lock, logger: logger))
        return OpenDoor(
            http: http, listener: listener, registry: registry, sessions: sessions, shut: shut.stream,
            urls: viewers.map { $0.headers.origin + "/" })
    }

    private func makeResponder(
        _ requestGuard: RequestGuard, isEncrypted: Bool = false, shared: ViewerShared
    ) -> ViewerResponder {
        ViewerResponder(
            requestGuard, isEncrypted: isEncrypted, configuration: configuration, backend: backend, rooms: rooms,
            shared: shared, logger: logger)
    }

    private func serve(_ doors: [OpenDoor], at endpoint: ViewerEndpoint, shared: ViewerShared) async {
        let feed = shared.feed
        let closing = AsyncStream.makeStream(of: Void.self)
        let stop: @Sendable () -> Void = {
            for door in doors { door.listener.stopListening() }
            shared.closeStreams()
            for door in doors { door.registry.quiesce() }
            closing.continuation.finish()
        }
        // Before the first page can open: it gets the list as it is then, and every change from then on.
        let changes = await backend.peerChanges()
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.relay(changes, to: feed, failures: shared.failures) }
                group.addTask { await self.beat(feed, sessions: doors.compactMap(\.sessions)) }
                group.addTask { await self.closeConnections(of: doors, behind: closing.stream) }
                for door in doors {
                    guard let shut = door.shut else { continue }
                    group.addTask { await self.closeConnections(of: [door], behind: shut) }
                }
                await configuration.onListening(endpoint)
                logger.debug("viewer listens", metadata: ["port": "\(endpoint.port)"])
                await withDiscardingTaskGroup { serving in
                    for door in doors {
                        serving.addTask { [logger] in await door.listener.serve(door.http, logger: logger) }
                    }
                }
                stop()
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            stop()
        }
    }

    /// Closes what is still open some time after doors were shut, which the end of `shut` tells.
    private func closeConnections(of doors: [OpenDoor], behind shut: AsyncStream<Void>) async {
        for await _ in shut {}
        // Answers under way have this long. Cancelled when everything has ended before: then there is nothing left to close.
        try? await Task.sleep(for: configuration.shutdownGrace)
        for door in doors { door.registry.closeAll() }
    }

    /// - Parameters:
    ///   - respond: nil before the door is open.
    ///   - finish: called when an answer is complete, or has failed.
    private func makeHTTP(
        _ respond: @escaping @Sendable (Request, any Channel) async -> Response?,
        finish: @escaping @Sendable (any Channel) -> Void = { _ in }
    ) -> HTTP1Channel {
        let stalledWriteTimeout = TimeAmount(configuration.stalledWriteTimeout)
        return HTTP1Channel(
            responder: { request, writer, channel in
                defer { finish(channel) }
                guard let response = await respond(request, channel) else { return }
                let closes = response.headers[.connection] == "close"
                try await writer.write(response: response.head, body: response.body)
                if closes { try await channel.close() }
            },
            configuration: .init(
                additionalChannelHandlers: [StalledWriteHandler(timeout: stalledWriteTimeout)],
                idleTimeout: TimeAmount(configuration.idleTimeout),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 16 * 1024, maxHeaderListSize: 32 * 1024, maxHeaderFieldCount: 100)))
    }

    /// News of a peer goes to the open pages, and ends the memory of its failure.
    private func relay(_ first: AsyncStream<PeerChange>, to feed: PeerFeed, failures: FailureMemory) async {
        var changes = first
        while !Task.isCancelled {
            for await change in changes {
                if case .updated(let entry) = change, entry.reachable { failures.forget(entry.id) }
                feed.publish(change)
            }
            // The backend ended the stream, because changes were lost or because it stops; asking again at once would spin.
            try? await Task.sleep(for: .seconds(1))
            changes = await backend.peerChanges()
            // Between the two streams, and at the end of the first, nobody was told anything.
            feed.miss()
        }
    }

    /// A pulse, so that open pages notice a dead connection; ends when the server does.
    private func beat(_ feed: PeerFeed, sessions: [SessionTable]) async {
        while (try? await Task.sleep(for: configuration.heartbeat)) != nil {
            feed.beat()
            for table in sessions { table.expire(now: .now) }
        }
    }
}

/// Holds what answers from the moment the port is known.
private final class Slot<Value: Sendable>: Sendable {
    private let slot = Mutex<Value?>(nil)

    var value: Value? { slot.withLock { $0 } }

    func fill(_ value: Value) {
        slot.withLock { $0 = value }
    }
}
