public import Logging
public import Multiformats
public import NIOCore
public import NIOPosix
import P2PCore
import P2PSwarm
public import PeerIdentity
public import ServiceLifecycle

/// Finds the peers of one service name on the local network, and is found by them.
///
/// Runs on every interface that is up, IPv4 and IPv6, the loopback interface included, also beside another
/// Multicast DNS process on port 5353. Asks and announces at once, again when an interface or address changes, and says
/// goodbye when it stops. Over the loopback interface, and only there, loopback addresses are announced.
///
/// Nothing in Multicast DNS is signed: a discovery says only where a peer might be, and the secure channel proves who is there; a
/// loss does not prove that the peer is gone.
///
/// It dials nobody: what is done with a discovery is the caller's. It is told of each by `onDiscovered` and `onLost`, or reads them
/// from `events()`.
/// ```swift
/// let neighbours = try MDNSService(peer: node.peerID, addresses: { node.listenAddresses() }) { peer, addresses in
///     node.addAddresses(addresses, of: peer, source: .multicast, ttl: MDNSService.addressLifetime)
///     Task { try await node.connect(to: peer) }
/// }
/// try await neighbours.run()
/// ```
/// Source: libp2p mDNS discovery specification r2; RFC 6762; RFC 6763.
public final class MDNSService: Service {
    /// How long discovered addresses are good for unless they are reported again: four minutes.
    public static let addressLifetime = Duration.seconds(240)

    /// Where a service speaks.
    public enum Scope: Hashable, Sendable {
        /// On every interface that is up.
        case everyInterface
        /// On the loopback interface only: peers of this machine find one another, and no packet leaves it.
        case thisMachine
    }

    private let responder: MDNSResponder
    private let feed: DiscoveryFeed
    private let addresses: @Sendable () async -> [Multiaddr]
    private let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    /// Prepares discovery; nothing is sent before `run`.
    /// - Parameters:
    ///   - serviceName: one or more labels of 1 to 63 bytes, without `local`; peers of other names stay unseen.
    ///   - scope: where to speak.
    ///   - peer: our own id.
    ///   - eventLoopGroup: one of its loops serves the sockets; it must outlive the service.
    ///   - logger: logs nothing above `debug` in normal operation.
    ///   - eventsPerListener: events kept for one slow reader of `events()`, at least one; past it the oldest are dropped and counted.
    ///   - addresses: the addresses to announce, asked for at the start, at each change of an interface, and at
    ///     `addressesChanged`. Wildcards are allowed and stand for each interface's own addresses. An address is announced on
    ///     the interface that has it, and on no other.
    ///   - onDiscovered: called on an event loop when a peer is heard: the first time, with new addresses, and again at
    ///     most once a second. One to 16 addresses, without the peer id, the most local first. Must not block.
    ///   - onLost: called on an event loop when a peer said goodbye, was not heard for four minutes, or its interface
    ///     went down.
    ///   - onNamesake: called on an event loop, at most once a second, when somebody else says that they are `peer`, with one
    ///     to 16 addresses: another process that runs with the same key, or a forgery.
    /// - Throws: `MDNSServiceNameError` for a service name that does not fit into the DNS.
    public init(
        serviceName: String = "_p2p._udp", scope: Scope = .everyInterface, peer: PeerID,
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        logger: Logger = Logger(label: "libp2p", factory: { _ in SwiftLogNoOpLogHandler() }),
        eventsPerListener: Int = 1_024,
        addresses: @escaping @Sendable () async -> [Multiaddr],
        onDiscovered: @escaping @Sendable (PeerID, [Multiaddr]) -> Void = { _, _ in },
        onLost: @escaping @Sendable (PeerID) -> Void = { _ in },
        onNamesake: @escaping @Sendable ([Multiaddr]) -> Void = { _ in }
    ) throws(MDNSServiceNameError) {
        let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.changes = changes
        self.changed = changed
        self.addresses = addresses
        let feed = DiscoveryFeed(eventsPerListener: eventsPerListener, onDiscovered: onDiscovered, onLost: onLost)
        self.feed = feed
        do {
            self.responder = try MDNSResponder(
                serviceName: serviceName, peer: peer, eventLoop: eventLoopGroup.next(), logger: logger,
                speaksOn: { scope == .everyInterface || $0.isLoopback },
                onInterfacesChanged: { changed.yield() },
                onEvent: { event in
                    switch event {
                    case .discovered(let discovery): feed.discovered(discovery.peer, at: discovery.addresses)
                    case .lost(let peer, let reason): feed.lost(peer, because: reason)
                    case .namesake(let addresses): onNamesake(addresses)
                    }
                })
        } catch {
            throw MDNSServiceNameError(serviceName: serviceName)
        }
    }

    deinit { feed.finish() }

    /// What is discovered and lost from now on, as it is told to `onDiscovered` and `onLost`, behind them. Ask before `run`, which
    /// tells at once who is there.
    ///
    /// Bounded: a reader that falls behind by more than `eventsPerListener` loses the oldest. Ends when `run` does, and when a task
    /// is cancelled that waits for the next event; ask for another then.
    public func events() -> AsyncStream<DiscoveryEvent> { feed.events() }

    /// Events that slow readers of `events()` lost, in all.
    public var droppedEvents: Int { feed.droppedEvents }

    /// Runs until a graceful shutdown or cancellation, and says goodbye. Once only: `events()` have ended with it.
    public func run() async throws {
        defer { feed.finish() }
        responder.start(listening: await addresses())
        await withTaskCancellationOrGracefulShutdownHandler {
            for await _ in changes { responder.listening(await addresses()) }
        } onCancelOrGracefulShutdown: { [changed] in
            changed.finish()
        }
        try await responder.stop().get()
    }

    /// Asks `addresses` again and announces what is new. Returns at once.
    public func addressesChanged() { changed.yield() }
}

/// A service name that does not fit into the DNS: an empty label, one of more than 63 bytes, or too many.
public struct MDNSServiceNameError: Error, Hashable, CustomStringConvertible {
    /// The name as it was given.
    public let serviceName: String

    /// What is wrong, and what would be right.
    public var description: String {
        "not a service name: \"\(serviceName)\" (labels of 1 to 63 bytes, separated by dots, 222 bytes in all)"
    }
}
