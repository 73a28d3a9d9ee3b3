internal import DequeModule
public import Multiformats
internal import OrderedCollections
public import PeerIdentity

/// The GossipSub router: which peers are in the mesh of which topic, what is forwarded, asked for and refused.
///
/// A value without I/O, clock or randomness of its own. Calls report events and return the actions they cause; time is
/// an argument, `nextDeadline` says when `timerFired(now:)` is due, random choices come from the generator given at
/// creation, so that a run can be repeated from its seed.
///
/// Speaks v1.0, v1.1 and v1.2 (IDONTWANT) with signed messages only. Peer exchange and flood publishing are off: nobody
/// can make this node dial, and a message leaves its author towards the mesh, and a few dialled peers, only.
///
/// The path of a received message: shape, topic joined, not seen before; then `.verify`; then marked as seen, author is not
/// ourselves and IDONTWANT sent, `.validate` if the topic asks for it, `.deliver`, forwarded. An id is marked as
/// seen, and refused elsewhere, only after the signature was found good: otherwise a forged copy that comes first would
/// silence the message it imitates.
///
/// Every table has a bound, see `GossipSubLimits`; past it entries are dropped and counted in `counts`.
///
/// Source: libp2p pubsub specification; gossipsub v1.0, v1.1, v1.2.
public struct GossipSub: Sendable {
    struct Peer: Sendable {
        /// Nil while there is no stream to write to.
        var version: GossipSubVersion?
        var isOutbound: Bool
        /// What the peer follows, and what each name takes of the room for topics.
        var topics: OrderedDictionary<TopicName, Int> = [:]
        var queue: OutboundQueue
        /// Ids the peer does not want.
        var unwanted: RefusedIDs
        var pending = 0
        /// What the peer's first frames on a new stream say of its topics.
        var hello = Hello.over
        /// The peer in the books of what its IWANTs may hold.
        let answers: ByteShares.Holder
        /// And in those of what its begun frames may.
        let frames: ByteShares.Holder
        /// And in those of what is beyond the room for all.
        let spare: ByteShares.Holder
        /// What it has of that: a message that is being written to it, or is next.
        var spareBytes = 0
        /// And in those of the topics that it names.
        let names: ByteShares.Holder
        /// What has come of a frame that is not whole yet.
        var partialFrame: PartialFrame?
        var budget = Budget()

        func follows(_ topic: TopicName) -> Bool { topics[topic] != nil }
    }

    /// The beginning of a stream that may have taken the place of an earlier one.
    enum Hello: Sendable {
        /// No frame has come.
        case awaited
        /// The peer is naming its topics, in one frame or several; of those known from before, these it has not named again.
        case begun(unsaid: OrderedSet<TopicName>, at: MonotonicInstant)
        case over
    }

    /// The beginning of a frame.
    struct PartialFrame: Sendable {
        /// What it takes up.
        var bytes: Int
        let begun: MonotonicInstant
    }

    /// What a topic of a peer takes beside its name.
    package static let bytesPerTopic = 96

    /// What one peer did since the last heartbeat.
    struct Budget: Sendable {
        var haveMessages = 0
        var wantedIDs = 0
        var servedIDs = 0
        var dontWantIDs = 0
        var subscriptionChanges = 0
        var throttledMessages = 0
    }

    struct Topic: Sendable {
        var mesh = OrderedSet<PeerID>()
        /// When mesh peers of the last heartbeats came in: what arrived before was not sent to them.
        var newcomers: OrderedDictionary<PeerID, MonotonicInstant> = [:]
        /// Peers outside the mesh that brought what no mesh peer had brought, and how often: since the last opportunistic graft, and
        /// before it if a back-off kept them out.
        var rescuers: OrderedDictionary<PeerID, Int> = [:]
        /// How many of them were taken into the mesh since the last opportunistic graft.
        var rescuersTaken = 0
        var asksForValidation: Bool
        var pending = 0
    }

    struct Fanout: Sendable {
        var peers = OrderedSet<PeerID>()
        var lastPublished: MonotonicInstant
    }

    /// A message being checked.
    struct Pending: Sendable {
        var message: GossipMessage
        var from: PeerID
        /// Further peers that sent the very same bytes.
        var alsoFrom = OrderedSet<PeerID>()
        var isVerified = false
        let fingerprint: Int
    }

    /// A message that part of the mesh gets a little later, unless it came there by another way.
    struct Deferred: Sendable {
        var due: MonotonicInstant
        var message: GossipMessage
    }

    let localPeer: PeerID
    let parameters: GossipSubParameters
    let limits: GossipSubLimits
    let directPeers: OrderedSet<PeerID>
    var random: any RandomNumberGenerator & Sendable

    var peers: OrderedDictionary<PeerID, Peer> = [:]
    var topics: OrderedDictionary<TopicName, Topic> = [:]
    var fanout: OrderedDictionary<TopicName, Fanout> = [:]
    var seen: SeenCache
    var cache: MessageCache
    var backoffs: BackoffTable
    var promises: PromiseBook
    var scores: PeerScores
    var pending: [UInt64: Pending] = [:]
    /// By id, and by what the bytes hash to: many may claim one id, and each copy that comes has to be compared with one of
    /// them only. Two messages of one fingerprint do no harm: copies of the first are then checked as if they were new.
    var pendingByID: [MessageID: [Int: UInt64]] = [:]
    /// How often the bytes of two messages were compared, for tests.
    var copiesCompared = 0
    var pendingBytes = 0
    /// What waits for all peers together.
    var queued = OutboundQueue.Load()
    var answerShares: ByteShares
    var frameShares: ByteShares
    var spareShares: ByteShares
    var topicShares: ByteShares
    /// Ids that peers do not want, of all peers together.
    var unwantedIDs = 0
    var nextTicket: UInt64 = 0
    /// In the order in which they are due.
    var deferred = Deque<Deferred>()
    /// Who is to get each of them.
    var deferredTargets: [MessageID: OrderedSet<PeerID>] = [:]
    var tick: UInt64 = 0
    /// Peers whose queue got something since it was last looked at: a frame costs as many looks as it caused answers.
    var toFlush: OrderedSet<PeerID> = []
    var actions: [GossipSubAction] = []

    private var nextHeartbeat: MonotonicInstant
    /// When `timerFired(now:)` is due. May move closer with every call.
    public var nextDeadline: MonotonicInstant { deferred.first.map { min($0.due, nextHeartbeat) } ?? nextHeartbeat }
    /// What happened so far.
    public internal(set) var counts = GossipSubCounts()

    /// Makes a router without peers and topics.
    ///
    /// - Parameters:
    ///   - localPeer: the own identity; messages that claim it and come from others are not delivered.
    ///   - parameters: what lies outside of its range is moved into it, see `GossipSubParameters`.
    ///   - directPeers: always forwarded to, never in a mesh, exempt from scores; dialled when missing.
    ///   - random: the source of all random choices.
    ///   - now: the time of creation; the first heartbeat follows after the initial delay.
    public init(
        localPeer: PeerID, parameters: GossipSubParameters = .init(), limits: GossipSubLimits = .init(),
        scoring: GossipSubScoring = .init(), directPeers: [PeerID] = [],
        random: any RandomNumberGenerator & Sendable, now: MonotonicInstant
    ) {
        self.localPeer = localPeer
        let parameters = parameters.inRange
        self.parameters = parameters
        self.limits = limits
        self.directPeers = OrderedSet(directPeers)
        self.random = random
        seen = SeenCache(timeToLive: parameters.seenTTL, limit: limits.maximumSeen)
        cache = MessageCache(
            windows: parameters.historyLength, gossipWindows: parameters.historyGossip,
            maximumBytes: limits.maximumCachedBytes)
        answerShares = ByteShares(maximumBytes: limits.maximumAnswerBytesOfAll)
        frameShares = ByteShares(maximumBytes: limits.maximumPartialFrameBytes)
        spareShares = ByteShares(maximumBytes: limits.maximumSpareBytesOfAll)
        topicShares = ByteShares(maximumBytes: limits.maximumTopicBytesOfAll)
        backoffs = BackoffTable(limit: limits.maximumBackoffs)
        promises = PromiseBook(limit: limits.maximumPromises)
        scores = PeerScores(
            scoring: scoring, retainedLimit: limits.maximumRetainedScores, opinionLimit: limits.maximumApplicationScores
        )
        nextHeartbeat = now.advanced(by: parameters.heartbeatInitialDelay)
    }

    // MARK: - What is so

    /// The topics joined, in the order of joining.
    public var joinedTopics: [String] { topics.keys.map(\.text) }

    /// The mesh peers of a topic.
    public func meshPeers(of topic: String) -> [PeerID] {
        topics[TopicName(topic)].map { Array($0.mesh) } ?? []
    }

    /// All known peers.
    public var knownPeers: [PeerID] { Array(peers.keys) }

    /// All known peers that follow a topic.
    public func peers(of topic: String) -> [PeerID] {
        let name = TopicName(topic)
        return peers.elements.filter { $0.value.follows(name) }.map(\.key)
    }

    /// The peer's score; for an unknown one, what the application thinks of it.
    public func score(of peer: PeerID) -> Double { scores.score(peer) }

    /// True if nothing is being written and nothing waits to be.
    public var isWritten: Bool {
        peers.values.allSatisfy { $0.queue.isEmpty && !$0.queue.isWriting }
    }

    /// Messages being checked at the moment.
    public var pendingMessages: Int { pending.count }

    /// Bytes of messages that wait for peers or are being written to them; one that several are to get counts for each.
    public var queuedBytes: Int { queued.messages }

    /// Bytes that are kept of frames that are not whole yet.
    public var partialFrameBytes: Int { frameShares.reservedBytes }

    /// Bytes that topics of peers take of `GossipSubLimits.maximumTopicBytesOfAll`.
    public var topicBytes: Int { topicShares.reservedBytes }

    // MARK: - Peers

    /// The stream we write to is open.
    ///
    /// Call it once per peer, not per connection; again after `outboundClosed(to:)` when the stream was reopened. The
    /// first frames carry all subscriptions, and take back those of earlier streams that are none any more.
    ///
    /// - Parameters:
    ///   - isOutbound: this node dialled the connection.
    ///   - address: the remote address, for counting peers per address; nil if unknown.
    public mutating func outboundOpened(
        to peer: PeerID, version: GossipSubVersion, isOutbound: Bool, address: IPAddress?, now: MonotonicInstant
    ) -> [GossipSubAction] {
        guard admit(peer, isOutbound: isOutbound, address: address) else { return takeActions() }
        restartQueue(of: peer)
        peers[peer]?.version = version
        peers[peer]?.isOutbound = isOutbound
        for topic in topics.keys { peers[peer]?.queue.announce(topic, subscribes: true) }
        for topic in peers[peer]?.queue.told ?? [] where topics[topic] == nil {
            // Left while there was no stream to say it on. Others keep what a new stream's first frame does not name.
            peers[peer]?.queue.announce(topic, subscribes: false)
            queuePrune(peer, topic: topic, backoff: parameters.unsubscribeBackoff)
        }
        for topic in peers[peer]?.topics.keys ?? [] { fillMesh(of: topic, with: peer, now: now) }
        flush(peer)
        return takeActions()
    }

    /// The stream we write to is gone, the connection lives: the adapter will reopen it.
    ///
    /// The peer leaves the meshes; what it follows is kept, and messages that still wait for it, unless it asked for them.
    public mutating func outboundClosed(to peer: PeerID, now: MonotonicInstant) -> [GossipSubAction] {
        guard peers[peer] != nil else { return [] }
        leaveAllMeshes(peer)
        peers[peer]?.version = nil
        restartQueue(of: peer)
        return takeActions()
    }

    /// The peer opened a stream to us, perhaps before ours to it is open, perhaps in place of an earlier one. The first
    /// frames on it tell all that the peer follows.
    public mutating func inboundOpened(
        from peer: PeerID, isOutbound: Bool, address: IPAddress?, now: MonotonicInstant
    ) -> [GossipSubAction] {
        if admit(peer, isOutbound: isOutbound, address: address) {
            peers[peer]?.hello = .awaited
            forgetPartialFrame(of: peer)
        }
        return takeActions()
    }

    /// The last connection to the peer is gone.
    public mutating func disconnected(_ peer: PeerID, now: MonotonicInstant) -> [GossipSubAction] {
        guard let known = peers[peer] else { return [] }
        leaveAllMeshes(peer)
        for topic in fanout.keys { fanout[topic]?.peers.remove(peer) }
        for topic in known.topics.keys { actions.append(.peerUnsubscribed(peer, topic: topic.text)) }
        promises.forget(peer)
        queued -= known.queue.load
        answerShares.leave(known.answers)
        frameShares.leave(known.frames)
        spareShares.leave(known.spare)
        topicShares.leave(known.names)
        peers[peer] = nil
        backoffs.left(peer, topics: topics.keys)
        scores.disconnect(peer, now: now)
        return takeActions()
    }

    /// The application's own opinion of a peer (P5), connected or not; 0 is neutral. It holds until another is given, or
    /// until there are too many (`GossipSubLimits.maximumApplicationScores`).
    public mutating func setApplicationScore(of peer: PeerID, to score: Double) {
        scores.setApplicationScore(peer, score)
    }

    /// The frame handed out by `.send` is written: the next may follow.
    public mutating func wrote(to peer: PeerID, now: MonotonicInstant) -> [GossipSubAction] {
        promises.written(to: peer, until: now.advanced(by: parameters.promiseTimeout))
        withQueue(of: peer) { $0.wrote() }
        flush(peer)
        return takeActions()
    }

    // MARK: - Topics

    /// Follows a topic and joins its mesh. Joining twice changes only `validates`.
    ///
    /// - Parameter validates: ask with `.validate` before a message is delivered and forwarded.
    public mutating func join(
        _ topic: String, validates: Bool = false, now: MonotonicInstant
    ) throws(GossipSubError) -> [GossipSubAction] {
        let topic = TopicName(topic)
        guard topics[topic] == nil else {
            topics[topic]?.asksForValidation = validates
            return []
        }
        guard topic.bytes > 0, topic.bytes <= limits.maximumTopicBytes else {
            throw .invalidTopic(limitBytes: limits.maximumTopicBytes)
        }
        guard topics.count < limits.maximumJoinedTopics else {
            throw .tooManyTopics(limit: limits.maximumJoinedTopics)
        }
        topics[topic] = Topic(asksForValidation: validates)
        for peer in peers.keys where peers[peer]?.version != nil {
            peers[peer]?.queue.announce(topic, subscribes: true)
            toFlush.append(peer)
        }
        joinMesh(of: topic, now: now)
        flushAll()
        return takeActions()
    }

    /// Leaves a topic and its mesh.
    public mutating func leave(_ topic: String, now: MonotonicInstant) -> [GossipSubAction] {
        let topic = TopicName(topic)
        guard let left = topics.removeValue(forKey: topic) else { return [] }
        forgetPromises()
        for peer in left.mesh {
            scores.pruned(peer, topic: topic)
            actions.append(.pruned(peer, topic: topic.text, reason: .left))
            backoffs.set(topic: topic, peer: peer, duration: parameters.unsubscribeBackoff, now: now)
            queuePrune(peer, topic: topic, backoff: parameters.unsubscribeBackoff)
        }
        for peer in peers.keys where peers[peer]?.version != nil {
            peers[peer]?.queue.announce(topic, subscribes: false)
            toFlush.append(peer)
        }
        flushAll()
        return takeActions()
    }

    // MARK: - Time

    /// Sends what was held back and runs the heartbeat, as they are due; late heartbeats are not made up for.
    public mutating func timerFired(now: MonotonicInstant) -> [GossipSubAction] {
        sendDeferred(now: now)
        if now >= nextHeartbeat {
            heartbeat(now: now)
            nextHeartbeat = max(
                nextHeartbeat.advanced(by: parameters.heartbeatInterval),
                now.advanced(by: parameters.heartbeatInterval / 2))
        }
        flushAll()
        return takeActions()
    }

    // MARK: - Parts

    /// True if the peer is known, or there is room to know it.
    private mutating func admit(_ peer: PeerID, isOutbound: Bool, address: IPAddress?) -> Bool {
        if peers[peer] != nil { return true }
        guard peers.count < limits.maximumPeers, peer != localPeer else {
            if peer != localPeer { counts.peersRefused &+= 1 }
            actions.append(.refuse(peer))
            return false
        }
        peers[peer] = Peer(
            isOutbound: isOutbound, queue: OutboundQueue(limits: limits),
            unwanted: RefusedIDs(lifetime: parameters.dontWantHeartbeats),
            answers: answerShares.enter(peer, at: address), frames: frameShares.enter(peer, at: address),
            spare: spareShares.enter(peer, at: address),
            names: topicShares.enter(peer, at: address))
        backoffs.returned(peer, topics: topics.keys)
        scores.connect(peer, address: address)
        return true
    }

    private mutating func leaveAllMeshes(_ peer: PeerID) {
        for topic in topics.keys {
            removeFromMesh(peer, topic: topic, because: .streamEnded)
            topics[topic]?.rescuers[peer] = nil
        }
    }

    /// What is being written to the peer never will be, or not whole.
    private mutating func restartQueue(of peer: PeerID) {
        promises.notWritten(to: peer)
        withQueue(of: peer) { $0.restart() }
    }

    /// What comes of a topic that was left is not looked at, so nobody can be blamed for its not coming. Which promises are of
    /// that topic is not noted: a liar in another one gains three seconds at most, and not by anything that it does.
    private mutating func forgetPromises() {
        promises = PromiseBook(limit: limits.maximumPromises)
        for index in peers.elements.indices { peers.values[index].queue.unwatch() }
    }

    /// Hands out the next frame for a peer that is not being written to.
    mutating func flush(_ peer: PeerID) {
        // Not through a copy of the entry: taking from a queue that is held twice would copy the queue.
        guard peers[peer]?.version != nil, peers[peer]?.queue.isReady == true,
            let frame = withQueue(of: peer, { $0.nextFrame() }) ?? nil
        else { return }
        counts.framesSent &+= 1
        // What has come since the peer offered it, it does not owe.
        for id in frame.watched where !seen.contains(id) { promises.watch(id, from: peer) }
        actions.append(.send(peer, frame: frame.bytes))
    }

    mutating func flushAll() {
        let touched = toFlush
        toFlush.removeAll(keepingCapacity: true)
        for peer in touched { flush(peer) }
    }

    mutating func takeActions() -> [GossipSubAction] {
        let taken = actions
        actions = []
        return taken
    }

    func isDirect(_ peer: PeerID) -> Bool { directPeers.contains(peer) }

    /// Nothing the peer says is read. Direct peers are never that bad.
    func isGraylisted(_ peer: PeerID) -> Bool {
        !isDirect(peer) && scores.score(peer) < scores.scoring.graylistThreshold
    }
}
