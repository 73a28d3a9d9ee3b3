import GoopCore
import GoopHTTP
import GoopStore
import LibP2P
import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle
import Synchronization

/// The parts of a peer around a node that listens, and how they feed each other.
final class RunningPeer: Sendable {
    /// How long a probe may take.
    static let probeTimeout = Duration.seconds(2)
    /// How long a dial of a discovered peer may take.
    static let dialTimeout = Duration.seconds(5)
    /// The same of a stranger while many wait. Whoever is there answers in milliseconds, and is tried again.
    static let shortDialTimeout = Duration.seconds(2)
    /// How often the connections are compared with the table, and missing ones tried again.
    static let checkInterval = Duration.seconds(5)
    /// How often the addresses of the contacts are told to the address book anew, which forgets them after a day. Not with
    /// every look: what is told by the owner is tried at once, without regard to back-off.
    static let contactInterval = Duration.seconds(3600)

    let peer: PreparedPeer
    let options: PeerService.Options
    let node: Node
    let viewer: ViewerAddress
    let outerDoor: OuterDoorConfiguration?
    let group: any EventLoopGroup
    let logger: Logger
    let clock = PeerClock()
    let directory: PeerDirectory
    let tables: SiteTables
    let backend: PeerBackend
    let book: NodePeerBook
    let journal: NetworkJournal
    /// Who may see the site, and who does.
    let door: SiteDoor
    let access: NodeSiteAccess
    let visibility: Visibility
    let own: OwnProfile
    let avatar: OwnAvatar
    let gallery: AvatarGallery
    let restarter: NodeRestarter
    /// Writes `goop.json`; everything that changes it while the peer runs goes through here.
    let settings: NodeSettingsDesk
    let voice: PresenceVoice
    let progress = StartProgress()
    let neighbours: Neighbours
    private let contacts: ContactWatch
    let probes: WorkQueue<PeerID>
    let dials = WorkQueue<PeerID>(width: 16, capacity: 1024)
    /// Dials of peers that we know only from multicast: a line of their own, for anybody on the network can fill it.
    private let strangers = StrangerDials()
    /// Peers that are asked whether they have moved.
    private let moves = WorkQueue<PeerID>(width: 16, capacity: 1024)
    private let discovery = Mutex<MDNSService?>(nil)
    /// Who says that they are this peer.
    private let twin = Twin()
    private let topic: any PresenceTopic

    init(
        peer: PreparedPeer, options: PeerService.Options, node: Node, pubsub: PubSub, viewer: ViewerAddress,
        outerDoor: OuterDoorConfiguration?,
        group: any EventLoopGroup, records: PeerRecords, store: PeerStore?,
        site: OwnSite, door: SiteDoor, own: OwnProfile, logger: Logger
    ) async {
        self.peer = peer
        self.options = options
        self.node = node
        self.viewer = viewer
        self.outerDoor = outerDoor
        self.group = group
        self.logger = logger
        self.door = door
        self.own = own
        let configuration = peer.configuration
        let visibility = Visibility(isHidden: configuration.presence.invisible)
        self.visibility = visibility
        let id = node.peerID
        let probes = WorkQueue<PeerID>(width: 16, capacity: 1024)
        self.probes = probes
        let neighbours = Neighbours()
        self.neighbours = neighbours
        contacts = ContactWatch(options.contacts)
        directory = PeerDirectory(
            table: PeerTable(
                ownID: id,
                limits: .init(
                    timeToLive: .seconds(configuration.presence.ttlSeconds), grace: configuration.offlineGrace)),
            records: records, clock: clock, save: { try await store?.save($0, removing: $1) }
        ) { request in
            switch request {
            case .probe(let peer): probes.request(peer)
            case .learn(let peer, let addresses):
                node.addAddresses(addresses, of: peer, source: .hearsay, ttl: .seconds(120))
            case .keep(let peer, let isKept):
                if isKept {
                    node.protect(peer, reason: "favourite")
                } else {
                    node.unprotect(peer, reason: "favourite")
                }
                neighbours.keep(peer, isKept)
            }
        } refuse: {
            await node.refuse($0)
        }
        book = NodePeerBook(node: node, directory: directory)
        journal = NetworkJournal(clock: clock)
        let avatar = OwnAvatar(path: peer.folder.avatarFile, logger: logger)
        self.avatar = avatar
        AvatarService(own: avatar, logger: logger).register(on: node)
        let client = AvatarClient(node: node)
        gallery = AvatarGallery { try await client.fetch($0, of: $1) }
        let tables = await SiteTables.open(peer, owner: id, logger: logger) { [progress] fault in
            progress.set(.data, isReady: true, detail: fault.map { "not usable: \($0)" } ?? SiteTables.fileName)
        }
        self.tables = tables
        let preferences = LivePreferences(configuration.viewer)
        settings = NodeSettingsDesk(
            file: peer.folder.configurationFile, running: configuration, door: door, visibility: visibility,
            own: own, preferences: preferences, tables: tables, lock: outerDoor?.lock)
        restarter = NodeRestarter(settings: settings, folder: peer.folder, isLocal: options.isLocal)
        access = NodeSiteAccess(owner: id, settings: settings, door: door, directory: directory)
        DataService(tables: tables, door: door, logger: logger) { [directory] peer in
            await directory.entry(of: peer)?.email ?? ""
        }.register(on: node)
        backend = PeerBackend(
            id: id, own: own, avatar: avatar, directory: directory,
            client: SiteClient(node: node), site: site, tables: tables, dataClient: DataClient(node: node),
            progress: progress, visibility: visibility, consents: SiteConsents(path: peer.folder.consentsFile),
            live: preferences, suspect: twin, clock: clock)
        let topic = PubSubTopic(pubsub: pubsub, name: configuration.presenceTopic, logger: logger)
        self.topic = topic
        voice = PresenceVoice(
            machine: PresenceMachine(
                configuration: .init(heartbeat: .seconds(configuration.presence.heartbeatSeconds))),
            profile: PresenceProfile(
                peer: id, label: own.label, email: own.sharedEmail, avatarHash: avatar.hash,
                activeTemplate: configuration.viewer.activeTemplate,
                videoDisabled: configuration.viewer.videoDisabled, clientVersion: options.version,
                addresses: node.listenAddresses()),
            clock: clock
        ) { await topic.publish($0) }
    }

    // MARK: Life

    func run() async throws {
        progress.set(.node, isReady: true, detail: node.listenAddresses().map(\.description).joined(separator: " "))
        options.onEvent(.listening(node.listenAddresses()))
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await start(in: &group)
                options.onEvent(.ready)
                group.addTask {
                    // Cancellation and graceful shutdown end the wait alike.
                    try? await gracefulShutdown()
                    throw CancellationError()
                }
                // The first part that ends, ends all.
                do { try await group.next() } catch {
                    await Task { await self.sayGoodbye() }.value
                    throw error
                }
                await Task { await self.sayGoodbye() }.value
                group.cancelAll()
            }
        } catch is CancellationError {
            // The ordinary end.
        } catch let restart as PeerRestart {
            await Task { await self.stop() }.value
            throw restart
        } catch {
            await Task { await self.stop() }.value
            throw failure(of: error)
        }
        await Task { await self.stop() }.value
    }

    /// The node first: then nobody can ask for rows any more.
    private func stop() async {
        await node.stop()
        await tables.close()
    }

    /// While everything still stands: afterwards nothing would carry it.
    private func sayGoodbye() async {
        options.onEvent(.stopping)
        // A command or a page that waits for rows behind those of strangers would keep its part from ending.
        tables.takeNoMore()
        await voice.goodbye()
        await topic.flush()
    }

    private func start(in group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        let control = try await ControlServer.open(peer.folder.controlSocket, group: self.group, logger: logger)
        group.addTask { await control.run { await self.answer($0) } }
        // What happens to the node is heard before anything can happen.
        let events = node.events()
        let presence = try await topic.events()
        await directory.recall()
        let changes = await directory.changes()
        group.addTask { await self.followPeers(changes) }
        group.addTask { await self.directory.run() }
        group.addTask { await self.follow(events) }
        group.addTask { await self.listen(to: presence) }
        group.addTask { await self.probes.run { await self.probe($0) } }
        group.addTask { await self.dials.run { await self.dial($0) } }
        group.addTask { await self.strangers.run { await self.dialStranger($0, isShort: $1) } }
        group.addTask { await self.moves.run { await self.checkMove(of: $0) } }
        group.addTask { await self.check() }
        if visibility.isHidden { await voice.hide() }
        group.addTask { await self.followVisibility() }
        group.addTask { await self.followProfile() }
        group.addTask { for await _ in self.avatar.changes { self.voice.avatarChanged(self.avatar.hash) } }
        let wishes = restarter.wishes
        group.addTask { for await _ in wishes { throw PeerRestart() } }
        try await startViewer(in: &group)
        group.addTask { await self.voice.run() }
        try await startDiscovery(in: &group)
        for peer in nameContacts() {
            if peer == node.peerID { contactFailed(peer, reason: "that is this peer itself") }
            found(peer)
        }
    }

    /// Where the peers are that were named at the start, for another day.
    private func nameContacts() -> [PeerID] {
        options.contacts.compactMap { contact in
            guard let peer = contact.peerID else { return nil }
            node.addAddresses([contact.withoutPeerID], of: peer, source: .configured, ttl: .seconds(86_400))
            neighbours.name(peer)
            return peer
        }
    }

    private func startViewer(in group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        guard viewer != .off else {
            progress.set(.viewer, isReady: true, detail: "off")
            return
        }
        let (outcomes, outcome) = AsyncStream.makeStream(of: (any Error)?.self, bufferingPolicy: .bufferingOldest(1))
        let state = PeerState.load(peer.folder.stateFile)
        var configuration = ViewerConfiguration(
            address: viewer, rememberedPort: state.viewerPort == 0 ? nil : state.viewerPort
        ) { endpoint in
            self.viewerListens(endpoint)
            outcome.yield(nil)
        }
        configuration.outer = outerDoor
        configuration.offlineGrace = peer.configuration.offlineGrace
        configuration.startCommand = Self.startCommand(of: peer.folder.path, options)
        let server = ViewerServer(
            configuration: configuration, backend: backend,
            rooms: ViewerRooms(
                book: book, settings: settings,
                network: NodeNetworkView(
                    node: node, directory: directory, own: own, clock: clock, journal: journal),
                site: NodeSiteDesk(
                    root: peer.siteRoot, hidden: peer.configuration.hiddenSiteFolders, tables: tables,
                    label: self.own.label),
                data: NodeDataDesk(tables: tables), access: access,
                restarter: options.canRestart ? restarter : nil,
                pictures: NodePictureDesk(id: node.peerID, own: avatar, directory: directory, gallery: gallery)),
            eventLoopGroup: self.group, logger: logger)
        group.addTask {
            do { try await server.run() } catch {
                outcome.yield(error)
                throw error
            }
            // It ends by itself at a graceful shutdown; the others are stopped by theirs.
            try? await gracefulShutdown()
        }
        for await error in outcomes {
            if let error { throw error }
            return
        }
    }

    private func viewerListens(_ endpoint: ViewerEndpoint) {
        progress.set(.viewer, isReady: true, detail: endpoint.url)
        var state = PeerState.load(peer.folder.stateFile)
        if viewer == .automatic, state.viewerPort != endpoint.port {
            state.viewerPort = endpoint.port
            state.peerID = peer.identity.peerID
            do { try state.save(peer.folder.stateFile) } catch {
                logger.warning("the viewer's port cannot be remembered", metadata: ["reason": "\(error)"])
            }
        }
        options.onEvent(.viewer(url: endpoint.url))
        if let taken = endpoint.instead { options.onEvent(.viewerPortTaken(taken.port, holder: taken.holder)) }
        guard !endpoint.outerURLs.isEmpty else { return }
        options.onEvent(.viewerBeyond(urls: endpoint.outerURLs))
        outerDoor?.lock.onShut { [options] in options.onEvent(.viewerBeyondClosed) }
    }

    private func startDiscovery(in group: inout ThrowingTaskGroup<Void, any Error>) async throws {
        guard options.hasDiscovery else {
            progress.set(.discovery, isReady: true, detail: "off")
            return
        }
        let tag = peer.configuration.p2p.mdnsTag
        let discovery = try MDNSService(
            serviceName: tag, scope: options.isLocal ? .thisMachine : .everyInterface, peer: node.peerID,
            eventLoopGroup: self.group, logger: logger,
            // Without an address there is nothing to announce or to answer; it asks for others all the same.
            addresses: { [node, visibility] in visibility.isHidden ? [] : node.listenAddresses() },
            onDiscovered: { [weak self] peer, addresses in
                guard let self else { return }
                node.addAddresses(addresses, of: peer, source: .multicast, ttl: MDNSService.addressLifetime)
                announced(peer, at: addresses)
                found(peer, byMulticastAt: addresses)
            },
            onLost: { [neighbours] in neighbours.lost($0) },
            onNamesake: { [weak self] in self?.heardTwin(at: $0) })
        self.discovery.withLock { $0 = discovery }
        group.addTask {
            try await discovery.run()
            try? await gracefulShutdown()
        }
        progress.set(.discovery, isReady: true, detail: tag)
    }

    private func failure(of error: any Error) -> Failure {
        switch error {
        case let failure as Failure: failure
        case let error as ViewerListenError:
            Failure(
                .unavailable, "the viewer cannot start: \(error)",
                nextStep: "correct that, or change viewer.http_addr in \(peer.folder.configurationFile), "
                    + "or start with --no-viewer")
        default:
            Failure(.unavailable, String("\(error)".prefix(400)), nextStep: "try again; --log-level debug tells more")
        }
    }

    // MARK: What happens

    private func follow(_ events: NodeEvents) async {
        // When each connection began; starts anew if events were lost and ends are missing.
        var began: [UInt64: ContinuousClock.Instant] = [:]
        // When each limit was last told of: a flood is a line a minute, and leaves the others in the journal.
        var toldOfLimit: [LimitName: ContinuousClock.Instant] = [:]
        for await event in events {
            switch event {
            case .connected(let info):
                if began.count >= 4096 { began = [:] }
                began[info.id] = .now
                neighbours.met(info.peer)
                if let addresses = contacts.reached(info.peer) {
                    options.onEvent(.contactReached(info.peer, at: addresses))
                }
                journal.note("connection", "Connected with \(info.peer) at \(info.remoteAddress)")
                await connectionsChanged(info.peer)
            case .disconnected(let info, let isLast, let cause):
                journal.note("connection", "The connection with \(info.peer) ended: \(cause)")
                await connectionsChanged(info.peer)
                // A peer that ends connections as they begin may have blocked us: it is tried again, but not at once.
                let lived = began.removeValue(forKey: info.id).map { ContinuousClock.now - $0 } ?? .zero
                let isShort = lived <= RunningPeer.checkInterval
                if isLast { neighbours.parted(info.peer, isShort: isShort) }
                if isLast, !isShort, await directory.entry(of: info.peer)?.offline == false {
                    dials.request(info.peer)
                }
            case .listenAddressesChanged(let addresses):
                journal.note("peer", "Listens at \(addresses.map(\.description).joined(separator: ", "))")
                voice.addressesChanged(addresses)
                discovery.withLock { $0 }?.addressesChanged()
            case .identifyFailed(let info, let reason, triesAgain: false) where node.isConnected(to: info.peer):
                journal.note("connection", "\(info.peer) does not tell what it speaks: \(reason)")
            case .dialFailed(let peer, let error):
                journal.note("connection", "\(peer) was not reached: \(error.message)\(Self.tried(error.attempts))")
            case .limitReached(let exceeded, _):
                if let last = toldOfLimit[exceeded.name], .now - last < .seconds(60) { break }
                toldOfLimit[exceeded.name] = .now
                journal.note("connection", "Refused: \(exceeded)")
            case .identified, .identifyFailed, .connectionRefused: break
            }
        }
    }

    /// The first addresses that were tried, and what came back.
    private static func tried(_ attempts: [DialAttempt]) -> String {
        attempts.prefix(3).map { "; \($0.place): \($0.error)" }.joined()
    }

    private func followPeers(_ first: AsyncStream<PeerChange>) async {
        // As many as are listed.
        var states: [PeerID: String] = [:]
        func tell(_ change: PeerChange) {
            switch change {
            case .updated(let entry):
                states[entry.id] = journal.note(change, before: states[entry.id])
            case .removed(let peer):
                journal.note(change, before: states.removeValue(forKey: peer))
            }
            options.onEvent(.changed(change))
        }
        var changes = first
        while true {
            for await change in changes { tell(change) }
            // It was too far behind. A breath, so that one that is always behind does not spin.
            guard (try? await Task.sleep(for: .seconds(1))) != nil else { return }
            changes = await directory.changes()
            // What was missed: everything as it is now.
            let entries = await directory.entries
            for peer in Set(states.keys).subtracting(entries.map(\.id)) { tell(.removed(peer)) }
            for entry in entries { tell(.updated(entry)) }
        }
    }

    private func followVisibility() async {
        for await _ in visibility.changes {
            let isHidden = visibility.isHidden
            if isHidden { await voice.hide() } else { await voice.appear() }
            discovery.withLock { $0 }?.addressesChanged()
            journal.note("peer", isHidden ? "Invisible: nobody is told that you are here" : "Visible again")
        }
    }

    private func followProfile() async {
        for await _ in own.changes {
            voice.profileChanged(label: own.label, email: own.sharedEmail)
            await directory.profileChanged()
            journal.note("peer", "Others see you as \(own.label.isEmpty ? "somebody without a name" : own.label) now")
        }
    }

    private func connectionsChanged(_ peer: PeerID) async {
        await directory.connectionChanged(peer, path: node.connections(with: peer).map(\.path).max() ?? .none)
    }

    private func listen(to events: AsyncStream<PresenceTopicEvent>) async {
        for await event in events {
            switch event {
            case .message(let from, let bytes):
                guard let presence = try? PresenceMessage(decoding: bytes) else { continue }
                await directory.received(presence, from: from)
            case .listenerAppeared(let listeners): voice.listenerAppeared(listeners: listeners)
            }
        }
    }

    private func found(_ peer: PeerID, byMulticastAt addresses: [Multiaddr]? = nil) {
        guard peer != node.peerID else { return }
        let address = addresses?.lazy.compactMap(\.ipAddress).first
        neighbours.saw(peer, at: address, isConnected: node.isConnected(to: peer))
        if addresses != nil { Task { await directory.discovered(peer) } }
        guard !node.isConnected(to: peer) else { return }
        if neighbours.standing(of: peer) == .stranger {
            strangers.heard(peer, at: address)
        } else {
            dials.request(peer)
        }
    }

    /// Somebody says by multicast that they are this peer.
    private func heardTwin(at addresses: [Multiaddr]) {
        tell(twin.heard(at: addresses, own: node.listenAddresses(), now: clock.now().uptime))
    }

    func tell(_ telling: TwinWatch.Telling) {
        switch telling {
        case .nothing: return
        case .log(let place): journal.note("peer", Self.twinLine(place))
        case .owner(let place):
            journal.note("peer", Self.twinLine(place))
            logger.notice("somebody else says that they are this peer", metadata: ["place": "\(place)"])
            options.onEvent(.twin(place: place))
        }
    }

    /// What starts this peer again as it was started: whoever was for this computer only is not to be on the network then.
    static func startCommand(of folder: String, _ options: PeerService.Options) -> String {
        "goop2 peer " + TerminalText.shellWord(FolderPath.plain(folder)) + (options.isLocal ? " --local" : "")
            + (options.hasDiscovery ? "" : " --no-discovery")
    }

    private static func twinLine(_ place: String) -> String {
        let who = place == "this computer" ? "Another program on this computer" : place
        return "\(who) says that it is you: a second program with this peer's key, or a forgery"
    }

    private func tryAgain(_ peer: PeerID) {
        guard !node.isConnected(to: peer) else { return }
        if neighbours.standing(of: peer) == .stranger {
            strangers.again(peer, at: neighbours.address(of: peer))
        } else {
            dials.request(peer)
        }
    }

    /// A neighbour that announces only other addresses than the one we are connected to has perhaps moved there.
    func announced(_ peer: PeerID, at addresses: [Multiaddr]) {
        let connected = node.connections(with: peer).compactMap(\.remoteAddress.ipAddress)
        let announced = addresses.compactMap(\.ipAddress)
        guard !connected.isEmpty, !connected.contains(where: announced.contains) else { return }
        moves.request(peer)
    }

    // MARK: What is done about it

    /// Of two peers that find each other at the same moment the one with the smaller id dials first.
    private func dial(_ peer: PeerID, timeout: Duration = RunningPeer.dialTimeout) async {
        let head = node.peerID < peer ? 0.0 : 60.0
        // Not a wait for anything: the head start itself.
        try? await Task.sleep(for: .milliseconds(head + Double.random(in: 0..<15)))
        guard !node.isConnected(to: peer), !Task.isCancelled else { return }
        do { try await node.connect(to: peer, timeout: timeout) } catch {
            logger.debug("a neighbour was not reached", metadata: ["peer": "\(peer)", "reason": "\(error)"])
            guard !Task.isCancelled else { return }
            let known = error as? P2PError
            contactFailed(peer, reason: known.map { "\($0.message)\(Self.tried($0.attempts))" } ?? "\(error)")
        }
    }

    private func contactFailed(_ peer: PeerID, reason: String) {
        guard let addresses = contacts.failed(peer) else { return }
        options.onEvent(.contactFailed(peer, at: addresses, reason: reason))
    }

    private func dialStranger(_ peer: PeerID, isShort: Bool) async {
        await dial(peer, timeout: isShort ? RunningPeer.shortDialTimeout : RunningPeer.dialTimeout)
    }

    /// If it does not answer on the connection any more, the connection is given up and the neighbour dialled anew, long
    /// before keep-alives would tell. A stranger who announces in its name, however often, gains nothing: it is asked once
    /// at a time, for peers take two pings at a time and reset more; and a reset is an answer too.
    private func checkMove(of peer: PeerID) async {
        do { _ = try await node.ping(peer, timeout: .seconds(2)) } catch {
            let code = (error as? P2PError)?.code
            guard code == .timedOut || code == .connectionClosed, !Task.isCancelled else { return }
            await node.disconnect(peer)
            dials.request(peer)
        }
    }

    private func probe(_ peer: PeerID) async {
        do {
            try await Probe(node: node, timeout: RunningPeer.probeTimeout).run(peer)
            await directory.probeSucceeded(peer)
        } catch {
            let reason = SiteClient.siteError(error, peer: peer, elapsed: .zero)
            await directory.probeFailed(peer, reason: reason.reason)
            // A peer that fails is not asked again at once, however often it is named.
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    /// Repairs what lost events and failed dials leave behind.
    private func check() async {
        var named = ContinuousClock.now
        // The pace of the look itself: one sleep at a time for the whole peer, until it stops.
        while (try? await Task.sleep(for: RunningPeer.checkInterval)) != nil {
            for entry in await directory.entries {
                let path = node.connections(with: entry.id).map(\.path).max() ?? .none
                if path != entry.path { await directory.connectionChanged(entry.id, path: path) }
            }
            if .now - named >= RunningPeer.contactInterval {
                named = .now
                _ = nameContacts()
            }
            for peer in neighbours.current() where neighbours.mayTry(peer) {
                // The node would refuse it, each time anew.
                if await directory.isBlocked(peer) { continue }
                tryAgain(peer)
            }
            try? await NIOThreadPool.singleton.runIfActive { [avatar] in avatar.look() }
        }
    }
}

extension ConnectionInfo {
    /// What the way is like.
    var path: PeerPath {
        if isRelayed { return .relay }
        if remoteAddress.isLoopback { return .loopback }
        return remoteAddress.isPrivate || remoteAddress.isLinkLocal ? .lan : .internet
    }
}
