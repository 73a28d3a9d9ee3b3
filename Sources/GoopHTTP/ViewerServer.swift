import GoopCore
import HTTPTypes
import HummingbirdCore
public import Logging
public import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// The web server of the viewer: the owner's pages and the sites of peers, on loopback only.
///
/// `run()` binds 127.0.0.1 and ::1, calls `onListening`, serves until the task is cancelled or a graceful shutdown
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
        let registry = ConnectionRegistry(limit: configuration.maximumConnections)
        let feed = PeerFeed(limit: configuration.maximumEventStreams)
        let failures = FailureMemory(lifetime: configuration.failureMemory)
        // The responder has to know the port, which is known only once the sockets are bound; a connection is not
        // served before, for accepting begins after.
        let responder = ResponderSlot()
        let http = makeHTTP(responder)
        let binder = LoopbackBinder(http: http, registry: registry, eventLoopGroup: eventLoopGroup, logger: logger)
        let listener = try await LoopbackListener.bind(
            configuration.address, rememberedPort: configuration.rememberedPort, using: binder)
        responder.fill(
            ViewerResponder(
                port: listener.port, configuration: configuration, backend: backend, rooms: rooms, feed: feed,
                failures: failures, logger: logger))
        await serve(http, on: listener, registry: registry, feed: feed, failures: failures)
    }

    private func serve(
        _ http: HTTP1Channel, on listener: LoopbackListener, registry: ConnectionRegistry, feed: PeerFeed,
        failures: FailureMemory
    ) async {
        let closing = AsyncStream.makeStream(of: Void.self)
        let stop: @Sendable () -> Void = {
            listener.stopListening()
            feed.close()
            registry.quiesce()
            closing.continuation.finish()
        }
        await withTaskCancellationOrGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                group.addTask { await self.relayChanges(to: feed, failures: failures) }
                group.addTask { await self.beat(feed) }
                group.addTask { [configuration] in
                    for await _ in closing.stream {}
                    // Cancelled when everything has ended before: then there is nothing left to close.
                    try? await Task.sleep(for: configuration.shutdownGrace)
                    registry.closeAll()
                }
                await configuration.onListening(ViewerEndpoint(port: listener.port))
                logger.debug("viewer listens", metadata: ["port": "\(listener.port)"])
                await listener.serve(http, logger: logger)
                stop()
                group.cancelAll()
            }
        } onCancelOrGracefulShutdown: {
            stop()
        }
    }

    private func makeHTTP(_ responder: ResponderSlot) -> HTTP1Channel {
        let stalledWriteTimeout = TimeAmount(configuration.stalledWriteTimeout)
        return HTTP1Channel(
            responder: { request, writer, channel in
                guard let viewer = responder.value else { return }
                let response = await viewer.respond(to: request)
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
    private func relayChanges(to feed: PeerFeed, failures: FailureMemory) async {
        while !Task.isCancelled {
            for await change in await backend.peerChanges() {
                if case .updated(let entry) = change, entry.reachable { failures.forget(entry.id) }
                feed.publish(change)
            }
            // The backend ended the stream, as it does when it stops; asking again at once would spin.
            try? await Task.sleep(for: .seconds(1))
        }
    }

    private func beat(_ feed: PeerFeed) async {
        while (try? await Task.sleep(for: configuration.heartbeat)) != nil {
            feed.beat()
        }
    }
}

/// Holds the responder from the moment the port is known.
private final class ResponderSlot: Sendable {
    private let slot = Mutex<ViewerResponder?>(nil)

    var value: ViewerResponder? { slot.withLock { $0 } }

    func fill(_ responder: ViewerResponder) {
        slot.withLock { $0 = responder }
    }
}
