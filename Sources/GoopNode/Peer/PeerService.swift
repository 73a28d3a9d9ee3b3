public import GoopCore
import GoopHTTP
import GoopStore
public import LibP2P
public import Logging
public import NIOCore
public import NIOPosix
public import ServiceLifecycle

/// A running peer: its node, discovery, presence, site, viewer and commands.
///
/// `run()` starts the parts in order (node, viewer, discovery), works until a graceful shutdown or cancellation, and stops
/// them in order: the goodbye first, while there are still connections to carry it. The folder is released at the end.
public final class PeerService: Service {
    /// What differs from the settings for one run.
    public struct Options: Sendable {
        /// False: no viewer, whatever the settings say.
        public var hasViewer = true
        /// False: nobody is looked for on the local network.
        public var hasDiscovery = true
        /// True: listens and looks for neighbours on this machine only; no packet leaves it.
        public var isLocal = false
        /// Where to listen instead of all addresses of the machine.
        public var listen: [Multiaddr]?
        /// Peers to connect to by address, each ending in `/p2p` and an id, besides those that are discovered.
        public var contacts: [Multiaddr] = []
        /// The version of the program, told to other peers.
        public var version = "0"
        /// Whether whoever runs the service starts it again when it ends with `PeerRestart`.
        public var canRestart = false
        /// Told about what happens; must return at once.
        public var onEvent: @Sendable (Event) -> Void = { _ in }

        /// Given the parts before they start; for the tests.
        var onParts: @Sendable (RunningPeer) -> Void = { _ in }

        /// Makes the options of an ordinary run.
        public init() {}

        /// A contact as a person writes it.
        /// - Throws: `Failure` of kind `.usage`.
        public static func contact(_ text: String) throws(Failure) -> Multiaddr {
            // Names are known while the peer runs, and none of them says where somebody is.
            guard text.hasPrefix("/") || PeerName.id(in: text) != nil else {
                throw Failure(
                    .usage, "--contact takes an address, and \(text.prefix(200)) is none",
                    nextStep: "an address looks like /ip4/192.168.1.5/tcp/4001/p2p/12D3Koo...; the other peer prints "
                        + "its own when it starts")
            }
            let (peer, address) = try PeerName.resolve(text)
            guard let address else {
                throw Failure(
                    .usage, "\(text.prefix(200)) says who, and not at which address",
                    nextStep: "write /ip4/ADDRESS/tcp/PORT/p2p/\(peer)")
            }
            return address.appending(peer)
        }
    }

    /// Something the owner wants to know.
    public enum Event: Sendable, Hashable {
        /// The node listens there.
        case listening([Multiaddr])
        /// The viewer answers at this address.
        case viewer(url: String)
        /// It would have answered at this port, which another program has: `holder`, where the system tells.
        case viewerPortTaken(Int, holder: String?)
        /// From other machines it answers at these addresses.
        case viewerBeyond(urls: [String])
        /// The owner has closed the viewer for other machines, until the next start.
        case viewerBeyondClosed
        /// Somebody on the local network says that they are this peer: a second program with its key, or a forgery. Where: IP
        /// addresses, or `this computer`. Once in a run.
        case twin(place: String)
        /// Every part is up.
        case ready
        /// The peer list changed.
        case changed(PeerChange)
        /// A peer that was named at the start does not answer at these addresses, and is tried again; once for each.
        case contactFailed(PeerID, at: [Multiaddr], reason: String)
        /// There is a connection with a peer that was named at the start at these addresses; once for each.
        case contactReached(PeerID, at: [Multiaddr])
        /// The goodbye is on its way.
        case stopping
    }

    private let peer: PreparedPeer
    private let options: Options
    private let group: any EventLoopGroup
    private let logger: Logger

    /// Makes a peer that does nothing yet.
    public init(
        _ peer: PreparedPeer, options: Options = .init(),
        eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger
    ) {
        self.peer = peer
        self.options = options
        self.group = eventLoopGroup
        self.logger = logger
    }

    /// Starts, works, stops. To be called once.
    /// - Throws: `Failure` if a part cannot start, for example because a port that the settings name is taken; `PeerRestart` when
    ///   the owner wants the next run, everything in order.
    public func run() async throws {
        defer { peer.release() }
        let doors = try viewerDoors()
        let store = try peer.folder.openPeerStore()
        defer { try? store.close() }
        let records = PeerRecords(ownID: peer.identity.peerID, known: try await peer.folder.peers(in: store))
        let door = SiteDoor(peer.configuration.siteAudience)
        let own = OwnProfile(peer.configuration.profile)
        let site = OwnSite(peer, logger: logger)
        let (node, pubsub) = try await startNode(refusing: records.blocked, site: site, door: door, own: own)
        let running = await RunningPeer(
            peer: peer, options: options, node: node, pubsub: pubsub, viewer: doors?.own ?? .off,
            outerDoor: doors?.outer, group: group, records: records, store: store, site: site, door: door,
            own: own, logger: logger)
        options.onParts(running)
        try await running.run()
    }

    private func viewerDoors() throws(Failure) -> ViewerDoors? {
        guard options.hasViewer else { return nil }
        do throws(ConfigurationError) {
            let doors = try ViewerDoors(peer.configuration.viewer, folder: peer.folder, isLocal: options.isLocal)
            if doors.isOuterWithheld {
                logger.notice(
                    "the viewer stays on this machine, whatever viewer.http_addr says: the peer is a local one")
            }
            return doors
        } catch {
            throw Failure(
                .configuration, "\(peer.folder.configurationFile): \(error)",
                nextStep: "change the file as it says there; a key that is taken out has its default")
        }
    }

    // MARK: The node

    /// Starts a node on the first set of addresses that can be had, and remembers a port that was chosen.
    private func startNode(
        refusing blocked: Set<PeerID>, site: OwnSite, door: SiteDoor, own: OwnProfile
    ) async throws -> (Node, PubSub) {
        var state = PeerState.load(peer.folder.stateFile)
        let configured = peer.configuration.p2p.listenPort
        let plan = ListenPlan(configured: configured, remembered: state.listenPort)
        let attempts =
            options.listen.map { [$0] }
            ?? plan.attempts.map {
                ListenPlan.addresses(port: $0.port, isDual: $0.isDual, isLocal: options.isLocal)
            }
        var failure: (any Error)?
        for addresses in attempts {
            let node = makeNode(listen: addresses, site: site, door: door, own: own)
            await node.refuse(blocked)
            // Before the start, so that the first peer hears of it.
            let pubsub = PubSub(node: node)
            do {
                try await node.start()
            } catch {
                await node.stop()
                failure = error
                continue
            }
            let port = node.listenAddresses().lazy.compactMap(\.tcpPort).first.map { Int($0) } ?? 0
            if options.listen == nil, configured == 0, port != 0, port != state.listenPort {
                state.listenPort = port
                state.peerID = peer.identity.peerID
                // A port that is not remembered is chosen anew next time: no reason not to run.
                do { try state.save(peer.folder.stateFile) } catch {
                    logger.warning("the chosen port cannot be remembered", metadata: ["reason": "\(error)"])
                }
            }
            return (node, pubsub)
        }
        throw listenFailure(configured: configured, cause: failure)
    }

    private func makeNode(listen: [Multiaddr], site: OwnSite, door: SiteDoor, own: OwnProfile) -> Node {
        let node = Node(
            configuration: .init(
                identity: peer.identity, listen: listen, agentVersion: "goop2-swift/\(options.version)"),
            eventLoopGroup: group, logger: logger)
        SiteService(
            folder: site.folder, tags: site.tags, label: own.label, door: door, logger: logger
        ).register(on: node)
        WatchService(watch: site.watch, door: door, logger: logger).register(on: node)
        return node
    }

    private func listenFailure(configured: Int, cause: (any Error)?) -> Failure {
        let reason = cause.map(ListenPlan.reason) ?? "unknown"
        guard configured != 0 else {
            return Failure(
                .unavailable, "no address of this machine can be listened on: \(reason)",
                nextStep: "check the machine's network")
        }
        return Failure(
            .unavailable, "port \(configured) of p2p.listen_port cannot be had: \(reason)",
            nextStep: "stop the program that uses it, or set p2p.listen_port to 0 in \(peer.folder.configurationFile)")
    }
}
