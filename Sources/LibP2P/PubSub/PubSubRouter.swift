import DequeModule
import Logging
import NIOCore
import P2PSwarm
import Synchronization

/// Runs the GossipSub machine: turns streams, timers and subscriptions into its calls, and its actions into I/O.
///
/// One actor for all peers, since meshes and caches are shared. Signatures are checked elsewhere, by a few workers.
actor PubSubRouter {
    private struct Link {
        /// Tells this link from an earlier one to the same peer.
        let number: UInt64
        let task: Task<Void, Never>
        /// The open stream's connection, and the way to its writer.
        var open: (connection: UInt64, frames: AsyncStream<[UInt8]>.Continuation)?
    }

    private struct Inbound {
        let number: UInt64
        let stream: P2PStream
    }

    private struct Topic {
        var validator: (@Sendable (PubSubMessage) async -> GossipVerdict)?
        var subscriptions: [UInt64: SubscriptionQueue] = [:]
    }

    let node: Node
    private let configuration: PubSub.Configuration
    private let logger: Logger
    private var machine: GossipSub
    /// The counts when limits were last told of.
    private var told = GossipSubCounts()
    private var links: [PeerID: Link] = [:]
    private var inbound: [PeerID: Inbound] = [:]
    private var subscribed: [TopicName: Topic] = [:]
    private var listeners: [UInt64: AsyncStream<PubSubEvent>.Continuation] = [:]
    private var sequence = WallClock.nanoseconds()
    private var lastNumber: UInt64 = 0
    private var timer: (due: MonotonicInstant, scheduled: Scheduled<Void>)?
    private var nextReview = MonotonicInstant.zero
    private var drainers: [CheckedContinuation<Void, Never>] = []
    private var isStopped = false
    /// By subscriptions that are slow.
    private(set) var droppedMessages = 0
    /// By listeners that are slow.
    private(set) var droppedEvents = 0
    private let checks: SignatureChecks
    private var validating = 0
    private var waitingForValidation: Deque<(ticket: GossipTicket, message: PubSubMessage)> = []
    /// In how many meshes each peer is that is in one; as many entries as the meshes have places.
    private var meshes: [PeerID: Int] = [:]

    init(node: Node, configuration: PubSub.Configuration) {
        self.node = node
        self.configuration = configuration
        logger = node.logger
        machine = GossipSub(
            localPeer: node.peerID, parameters: configuration.parameters, limits: configuration.limits,
            scoring: configuration.scoring, directPeers: configuration.directPeers,
            random: SystemRandomNumberGenerator(), now: .now())
        checks = SignatureChecks()
        for peer in configuration.directPeers { node.protect(peer, reason: PubSub.directPeerReason) }
    }

    /// Begins to beat. Separate from `init` because an actor cannot hand itself out there.
    func wake() {
        checks.start { [weak self] ticket, verdict in await self?.verified(ticket, verdict) }
        arm()
    }

    // MARK: - Application

    var topics: [String] { machine.joinedTopics }
    var counts: GossipSubCounts { machine.counts }

    func peers(of topic: String) -> [PeerID] { machine.peers(of: topic) }
    func meshPeers(of topic: String) -> [PeerID] { machine.meshPeers(of: topic) }
    func score(of peer: PeerID) -> Double { machine.score(of: peer) }
    func setApplicationScore(of peer: PeerID, to score: Double) { machine.setApplicationScore(of: peer, to: score) }

    func subscribe(
        to topic: String, validator: (@Sendable (PubSubMessage) async -> GossipVerdict)?
    ) throws -> PubSubSubscription {
        try requireRunning()
        let name = TopicName(topic)
        let validates = validator != nil || subscribed[name]?.validator != nil
        perform(try machine.join(topic, validates: validates, now: .now()))
        if let validator { subscribed[name, default: Topic()].validator = validator }
        let number = takeNumber()
        let queue = SubscriptionQueue(
            maximumMessages: configuration.messagesPerSubscription, maximumBytes: configuration.bytesPerSubscription
        ) { [weak self] in
            Task { await self?.unsubscribe(number, from: name) }
        }
        subscribed[name, default: Topic()].subscriptions[number] = queue
        return PubSubSubscription(topic: topic, queue: queue)
    }

    /// The end of the node's events, which stops this actor, may still be on its way here.
    private func requireRunning() throws {
        guard !isStopped, node.state.withLock({ $0.phase != .stopped }) else {
            throw P2PError(.notRunning, "the node has stopped")
        }
    }

    private func unsubscribe(_ number: UInt64, from topic: TopicName) {
        guard subscribed[topic]?.subscriptions.removeValue(forKey: number) != nil,
            subscribed[topic]?.subscriptions.isEmpty == true
        else { return }
        subscribed[topic] = nil
        perform(machine.leave(topic.text, now: .now()))
    }

    func publish(_ data: [UInt8], to topic: String) throws -> MessageID {
        try requireRunning()
        sequence = max(sequence &+ 1, 1)
        // Here and not in the caller's task, so that numbers leave in the order in which they were given.
        let message = try GossipMessage.signed(
            data: data, topic: topic, sequence: sequence, key: node.configuration.identity)
        perform(try machine.publish(message, now: .now()))
        if configuration.deliversOwnMessages { deliver(message, from: node.peerID) }
        return message.id
    }

    func events() -> AsyncStream<PubSubEvent> {
        let number = takeNumber()
        let (stream, continuation) = AsyncStream.makeStream(
            of: PubSubEvent.self, bufferingPolicy: .bufferingNewest(configuration.eventsPerListener))
        guard !isStopped else {
            continuation.finish()
            return stream
        }
        listeners[number] = continuation
        continuation.onTermination = { [weak self] _ in Task { await self?.removeListener(number) } }
        return stream
    }

    private func removeListener(_ number: UInt64) { listeners[number] = nil }

    /// Returns when nothing waits to be written any more, after a second at the latest.
    func drain() async {
        guard !isStopped, !machine.isWritten else { return }
        let timeout = node.eventLoopGroup.next().scheduleTask(in: .seconds(1)) { [weak self] in
            _ = Task { await self?.releaseDrainers() }
        }
        await withCheckedContinuation { drainers.append($0) }
        timeout.cancel()
    }

    private func releaseDrainers() {
        for drainer in drainers { drainer.resume() }
        drainers = []
    }

    /// The node has stopped.
    func stop() {
        guard !isStopped else { return }
        isStopped = true
        timer?.scheduled.cancel()
        timer = nil
        for link in links.values { link.task.cancel() }
        links = [:]
        for inbound in inbound.values { inbound.stream.reset() }
        inbound = [:]
        for topic in subscribed.values { for queue in topic.subscriptions.values { queue.finish() } }
        subscribed = [:]
        for listener in listeners.values { listener.finish() }
        listeners = [:]
        checks.stop()
        releaseDrainers()
    }

    // MARK: - Peers

    func handle(_ event: NodeEvent) {
        guard !isStopped else { return }
        switch event {
        case .identified(let peer, let info):
            if info.protocols.contains(where: { GossipSubVersion(protocolID: $0) != nil }) { link(to: peer) }
        case .disconnected(let connection, _, _):
            // A peer that is back already keeps its state; its streams notice for themselves that they ended.
            if !node.isConnected(to: connection.peer) { depart(connection.peer) }
        case .connected, .identifyFailed, .dialFailed, .connectionRefused, .limitReached, .listenAddressesChanged: break
        }
    }

    /// Makes sure that a stream to the peer is open or about to be.
    private func link(to peer: PeerID) {
        guard links[peer] == nil, !isStopped, node.isConnected(to: peer) else { return }
        let number = takeNumber()
        let (node, timeout) = (node, configuration.writeTimeout)
        let task = Task { [weak self] in
            guard let self else { return }
            await PubSubLink(peer: peer, number: number, node: node, router: self, writeTimeout: timeout).run()
        }
        links[peer] = Link(number: number, task: task)
    }

    /// The last connection is gone. What had arrived on it, perhaps a goodbye, is still read before the peer is forgotten.
    private func depart(_ peer: PeerID) {
        guard inbound[peer] != nil else { return forget(peer) }
        links.removeValue(forKey: peer)?.task.cancel()
        perform(machine.outboundClosed(to: peer, now: .now()))
    }

    private func forget(_ peer: PeerID) {
        links.removeValue(forKey: peer)?.task.cancel()
        inbound.removeValue(forKey: peer)?.stream.reset()
        perform(machine.disconnected(peer, now: .now()))
    }

    /// Events may have been lost when there were very many: look again from time to time.
    private func review(now: MonotonicInstant) {
        guard now >= nextReview else { return }
        nextReview = now.advanced(by: .seconds(10))
        // The machine's too: one that has neither stream open any more is in no other table.
        for peer in Set(links.keys).union(inbound.keys).union(machine.knownPeers) where !node.isConnected(to: peer) {
            forget(peer)
        }
        for connection in node.connections() where links[connection.peer] == nil {
            let spoken = node.identification(of: connection.peer)?.protocols ?? []
            if spoken.contains(where: { GossipSubVersion(protocolID: $0) != nil }) { link(to: connection.peer) }
        }
    }

    // MARK: - The stream we write to

    /// False if the link is not wanted any more.
    func opened(
        _ stream: P2PStream, by number: UInt64, frames: AsyncStream<[UInt8]>.Continuation
    ) -> Bool {
        let peer = stream.remotePeer
        guard links[peer]?.number == number, let version = GossipSubVersion(protocolID: stream.protocol) else {
            return false
        }
        links[peer]?.open = (stream.connection.id, frames)
        perform(
            machine.outboundOpened(
                to: peer, version: version, isOutbound: stream.connection.direction == .outbound,
                address: stream.connection.remoteAddress.ipAddress, now: .now()))
        return links[peer]?.number == number
    }

    func wrote(to peer: PeerID, by number: UInt64) {
        guard links[peer]?.number == number else { return }
        perform(machine.wrote(to: peer, now: .now()))
    }

    func closed(to peer: PeerID, by number: UInt64) {
        guard links[peer]?.number == number else { return }
        links[peer]?.open = nil
        perform(machine.outboundClosed(to: peer, now: .now()))
    }

    /// The link gave up; the next identify or review may begin another.
    func ended(_ peer: PeerID, by number: UInt64) {
        guard links[peer]?.number == number else { return }
        links[peer] = nil
    }

    // MARK: - The stream we read from

    /// The peer's stream takes the place of an earlier one. Nil if it is not wanted.
    func accept(_ stream: P2PStream) -> UInt64? {
        let peer = stream.remotePeer
        // Not even if the connection has ended meanwhile: what came on it counts.
        guard !isStopped else { return nil }
        let number = takeNumber()
        let replaced = inbound[peer]
        inbound[peer] = Inbound(number: number, stream: stream)
        if let replaced {
            replaced.stream.reset()
            // The peer began anew. If our stream to it runs elsewhere, on what may be a dead connection, so do we.
            if let open = links[peer]?.open, open.connection != stream.connection.id,
                replaced.stream.connection.id != stream.connection.id
            {
                open.frames.finish()
            }
        }
        perform(
            machine.inboundOpened(
                from: peer, isOutbound: stream.connection.direction == .outbound,
                address: stream.connection.remoteAddress.ipAddress, now: .now()))
        guard inbound[peer]?.number == number else { return nil }
        link(to: peer)
        return number
    }

    /// False if the stream has been replaced.
    func received(_ frame: ArraySlice<UInt8>, from peer: PeerID, on number: UInt64) -> Bool {
        guard inbound[peer]?.number == number else { return false }
        perform(machine.received(frame, from: peer, now: .now()))
        return inbound[peer]?.number == number
    }

    /// What has arrived ends within a frame, of which so many bytes are kept. False if the stream has been replaced or is given
    /// up.
    func frameBegun(_ bytes: Int, from peer: PeerID, on number: UInt64) -> Bool {
        guard inbound[peer]?.number == number else { return false }
        perform(machine.frameBegun(bytes, from: peer, now: .now()))
        return inbound[peer]?.number == number
    }

    func inboundEnded(_ peer: PeerID, _ number: UInt64) {
        guard inbound[peer]?.number == number else { return }
        inbound[peer] = nil
        machine.inboundClosed(from: peer)
        if !node.isConnected(to: peer) { forget(peer) }
    }

    // MARK: - Checks

    private func verified(_ ticket: GossipTicket, _ verdict: SignatureVerdict) {
        guard !isStopped else { return }
        perform(machine.verified(ticket, verdict, now: .now()))
    }

    /// Runs the topic's validator, or queues the message: the queue is bounded by what the machine lets wait.
    private func validate(_ ticket: GossipTicket, _ message: PubSubMessage) {
        guard validating < configuration.concurrentValidations else {
            waitingForValidation.append((ticket, message))
            return
        }
        validating += 1
        let validator = subscribed[TopicName(message.topic)]?.validator
        Task { [weak self] in
            let verdict = await validator?(message) ?? .accept
            await self?.validated(ticket, verdict)
        }
    }

    private func validated(_ ticket: GossipTicket, _ verdict: GossipVerdict) {
        validating -= 1
        guard !isStopped else { return }
        perform(machine.validated(ticket, verdict, now: .now()))
        if validating < configuration.concurrentValidations, let next = waitingForValidation.popFirst() {
            validate(next.ticket, next.message)
        }
    }

    // MARK: - Time

    /// Keeps one timer for the machine's deadline; it may have moved closer.
    private func arm() {
        let due = machine.nextDeadline
        if let timer, timer.due <= due { return }
        timer?.scheduled.cancel()
        guard !isStopped else { return }
        let scheduled = node.eventLoopGroup.next().scheduleTask(deadline: .uptimeNanoseconds(due.nanoseconds)) {
            [weak self] in
            _ = Task { await self?.timerFired() }
        }
        timer = (due, scheduled)
    }

    private func timerFired() {
        guard !isStopped else { return }
        timer = nil
        let now = MonotonicInstant.now()
        review(now: now)
        perform(machine.timerFired(now: now))
    }

    // MARK: - Actions

    private func perform(_ actions: [GossipSubAction]) {
        for action in actions {
            switch action {
            case .send(let peer, let frame):
                // Never more than one frame is in there: the machine waits for `wrote`.
                links[peer]?.open?.frames.yield(frame)
            case .verify(let ticket, let message): checks.add(ticket, message)
            case .validate(let ticket, let message, let peer):
                validate(ticket, PubSubMessage(message, receivedFrom: peer))
            case .deliver(let message, let peer): deliver(message, from: peer)
            case .peerSubscribed(let peer, let topic): tell(.peerSubscribed(peer, topic: topic))
            case .peerUnsubscribed(let peer, let topic): tell(.peerUnsubscribed(peer, topic: topic))
            case .grafted(let peer, let topic):
                tagMeshPeer(peer, inMoreMeshes: 1)
                tell(.grafted(peer, topic: topic))
            case .pruned(let peer, let topic, let reason):
                tagMeshPeer(peer, inMoreMeshes: -1)
                tell(.pruned(peer, topic: topic, reason: reason))
            case .resetInbound(let peer):
                logger.debug("pubsub stream carried garbage", metadata: ["peer": "\(peer)"])
                inbound.removeValue(forKey: peer)?.stream.reset(code: YamuxCode.streamViolation)
            case .abandonInbound(let peer):
                logger.debug("pubsub frame does not end", metadata: ["peer": "\(peer)"])
                inbound.removeValue(forKey: peer)?.stream.reset(code: YamuxCode.streamResourceLimit)
            case .refuse(let peer):
                logger.debug("pubsub has no room for another peer", metadata: ["peer": "\(peer)"])
                links.removeValue(forKey: peer)?.task.cancel()
                inbound.removeValue(forKey: peer)?.stream.reset(code: YamuxCode.streamResourceLimit)
            case .connect(let peer):
                // A direct peer that is away is tried again by the machine.
                Task { [node] in _ = try? await node.connect(to: peer) }
            }
        }
        arm()
        tellOfLimits()
        if !drainers.isEmpty, machine.isWritten { releaseDrainers() }
    }

    /// Counts the limits that have just been reached among the node's refusals, and tells of them.
    private func tellOfLimits() {
        let names = machine.counts.limitsReached(since: told)
        guard !names.isEmpty else { return }
        told = machine.counts
        for name in names { node.swarm.countRefusal(by: name) }
    }

    /// Says to the connection manager what a peer is worth to us for the meshes that it is in.
    ///
    /// Nobody gains by a flood of GRAFTs: the machine refuses them once a mesh has `meshDegreeHigh` peers, or twice as many for
    /// peers that we dialled, and only topics that we joined have a mesh. So there are never more tagged peers than these places.
    /// And a tag is no protection: it decides who goes first, but where all are tagged, connections are closed all the same.
    private func tagMeshPeer(_ peer: PeerID, inMoreMeshes change: Int) {
        let count = meshes[peer, default: 0] + change
        guard count > 0 else {
            meshes[peer] = nil
            return node.untag(peer, PubSub.meshTag)
        }
        meshes[peer] = count
        node.tag(peer, PubSub.meshTag, value: min(count, PubSub.meshesThatCount) * PubSub.meshTagValue)
    }

    private func deliver(_ message: GossipMessage, from peer: PeerID) {
        guard let topic = subscribed[TopicName(message.topic)] else { return }
        let message = PubSubMessage(message, receivedFrom: peer)
        for queue in topic.subscriptions.values { droppedMessages &+= queue.add(message) }
    }

    private func tell(_ event: PubSubEvent) {
        for listener in listeners.values {
            if case .dropped = listener.yield(event) { droppedEvents &+= 1 }
        }
    }

    private func takeNumber() -> UInt64 {
        lastNumber &+= 1
        return lastNumber
    }
}
