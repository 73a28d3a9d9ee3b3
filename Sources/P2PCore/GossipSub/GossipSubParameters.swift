/// The figures of the GossipSub protocol. The defaults are those of go-libp2p-pubsub, which the network runs, but for `pruneBackoff`
/// and `opportunisticGraftTicks`, and for `gossipMinimumAge`, `eagerDegree` and `deferral`, which it does not have.
///
/// Each figure has the range that it names, and the sizes of a mesh are in order: Dlo at most D, D at most Dhi, Dscore and Dout at
/// most D. `GossipSub` moves what lies outside to the nearest figure inside; D stays, and the others give way to it.
///
/// Source: gossipsub v1.0 "Parameters", v1.1 "Overview of New Parameters", v1.2.
public struct GossipSubParameters: Sendable, Hashable {
    /// Mesh peers per topic aimed at (D); 0 to 10,000.
    public var meshDegree = 6
    /// Fewer than this: graft (Dlo); 0 to D.
    public var meshDegreeLow = 5
    /// This many or more: prune (Dhi); D to 10,000.
    public var meshDegreeHigh = 12
    /// Of the peers kept when pruning, all the best scored, how many do not even give way to dialled ones (Dscore); 0 to D.
    public var meshDegreeScore = 4
    /// At least this many mesh peers were dialled by us (Dout); 0 to D: an attacker can fill our inbound side, not this one.
    public var meshDegreeOutbound = 2
    /// At least this many peers outside the mesh hear IHAVE per heartbeat (Dlazy); 0 to 10,000.
    public var lazyDegree = 6
    /// Or this share of them, if that is more; 0 to 1.
    public var gossipFactor = 0.25
    /// Time between heartbeats; 10 ms to an hour.
    public var heartbeatInterval: Duration = .seconds(1)
    /// Time from start to the first heartbeat.
    public var heartbeatInitialDelay: Duration = .milliseconds(100)
    /// Heartbeats a message stays answerable; 1 to 1,000.
    public var historyLength = 5
    /// Heartbeats a message is gossiped about; 0 to `historyLength`.
    public var historyGossip = 3
    /// A message is gossiped about from this age on: before, the mesh is still bringing it, and it would come twice.
    public var gossipMinimumAge: Duration = .milliseconds(400)
    /// How often one peer may be sent the same message on IWANT.
    public var gossipRetransmissions = 3
    /// How long an id is remembered from first sight.
    public var seenTTL: Duration = .seconds(120)
    /// How long the peers of a topic we publish to without joining it are remembered.
    public var fanoutTTL: Duration = .seconds(60)
    /// How long a pruned peer stays away. Half of go-libp2p-pubsub's: among many attackers an honest peer that was pruned
    /// is back within the minute. Peers take the figure from the PRUNE; those of v1.0 stay away longer by themselves.
    public var pruneBackoff: Duration = .seconds(30)
    /// How long a peer stays away after we left the topic.
    public var unsubscribeBackoff: Duration = .seconds(10)
    /// What we wait beyond a back-off before we graft again: an early GRAFT costs score.
    public var backoffSlack: Duration = .seconds(2)
    /// A GRAFT this soon after our PRUNE is punished twice.
    public var graftFloodThreshold: Duration = .seconds(10)
    /// How long an advertised message may take to come once our IWANT for it is written.
    public var promiseTimeout: Duration = .seconds(3)
    /// Messages from this size on are announced with IDONTWANT.
    public var dontWantThresholdBytes = 1024
    /// Heartbeats an IDONTWANT is honoured.
    public var dontWantHeartbeats = 3
    /// Every so many heartbeats the mesh may take in better peers than its median, and within as many those that had to bring by
    /// gossip what the mesh did not. More often than go-libp2p-pubsub's 60, so that a captured mesh is free in a minute. 0: never.
    public var opportunisticGraftTicks = 20
    /// How many peers either takes in; 0 to 10,000.
    public var opportunisticGraftPeers = 2
    /// Every so many heartbeats missing direct peers are dialled.
    public var directConnectTicks = 300
    /// A message in transit goes to so many mesh peers at once. The others, if they speak v1.2, are told with IDONTWANT
    /// that it is here, and get it after `deferral` unless they have said the same by then. Every peer still gets every
    /// message; most copies that would cross on the wire are saved. 0 sends to all at once.
    public var eagerDegree = 3
    /// How long the others wait: about a long-distance round trip.
    public var deferral: Duration = .milliseconds(120)
    /// Send own messages to all topic peers above the publish threshold instead of to the mesh.
    public var floodPublish = false

    /// The defaults.
    public init() {}

    /// The same with every figure in its range, so that nothing that is computed with them traps or spins.
    var inRange: GossipSubParameters {
        var figures = self
        let counts = 0...10_000
        figures.meshDegree = meshDegree.clamped(to: counts)
        figures.meshDegreeLow = meshDegreeLow.clamped(to: 0...figures.meshDegree)
        figures.meshDegreeHigh = meshDegreeHigh.clamped(to: figures.meshDegree...counts.upperBound)
        figures.meshDegreeScore = meshDegreeScore.clamped(to: 0...figures.meshDegree)
        figures.meshDegreeOutbound = meshDegreeOutbound.clamped(to: 0...figures.meshDegree)
        figures.lazyDegree = lazyDegree.clamped(to: counts)
        figures.gossipFactor = gossipFactor.isNaN ? 0 : gossipFactor.clamped(to: 0...1)
        figures.heartbeatInterval = heartbeatInterval.clamped(to: .milliseconds(10) ... .seconds(3600))
        figures.historyLength = historyLength.clamped(to: 1...1_000)
        figures.historyGossip = historyGossip.clamped(to: 0...figures.historyLength)
        figures.opportunisticGraftPeers = opportunisticGraftPeers.clamped(to: counts)
        return figures
    }
}

extension Comparable {
    /// The nearest that is in the range.
    func clamped(to range: ClosedRange<Self>) -> Self { min(max(self, range.lowerBound), range.upperBound) }
}

/// What strangers may make us hold or do. Past a limit entries are dropped and counted, and the connection lives on.
public struct GossipSubLimits: Sendable, Hashable {
    /// Largest frame, sent or received.
    public var maximumFrameBytes = 1 << 20
    /// Peers known at once; further ones are refused.
    public var maximumPeers = 4096
    /// Topics we may join: no more than a peer of our own kind remembers of us, or the others would never be heard of.
    public var maximumJoinedTopics = 100
    /// Topics remembered per peer.
    public var maximumTopicsPerPeer = 100
    /// Bytes of the names of topics that peers follow and we do not, of all peers together, with 96 for each beside its name.
    /// Shared out: one peer gets an eighth of what the others leave, the peers of one address a quarter, see `ByteShares`. Past
    /// it a topic is not remembered, and counted in `GossipSubCounts.topicsWithoutRoom`; should we join it later, a GRAFT tells
    /// who follows it. Those that we have joined, or publish to, are always remembered.
    public var maximumTopicBytesOfAll = 16 << 20
    /// Subscription entries read per RPC.
    public var maximumSubscriptionsPerRPC = 100
    /// Subscription changes accepted per peer and heartbeat.
    public var maximumSubscriptionChangesPerHeartbeat = 200
    /// Messages read per RPC.
    public var maximumMessagesPerRPC = 4096
    /// Control bytes read per RPC: room for one full IHAVE.
    public var maximumControlBytesPerRPC = 256 << 10
    /// IHAVE, GRAFT and PRUNE entries read per RPC, together.
    public var maximumControlEntriesPerRPC = 200
    /// Message ids read per RPC.
    public var maximumIDsPerRPC = 5000
    /// Longest message id. Ours are a peer id and eight bytes.
    public var maximumIDBytes = 128
    /// Longest topic.
    public var maximumTopicBytes = 1024
    /// RPCs with IHAVE answered per peer and heartbeat.
    public var maximumHavePerHeartbeat = 10
    /// Ids asked from one peer per heartbeat, and ids put in one IHAVE.
    public var maximumWantedIDsPerHeartbeat = 5000
    /// Ids one peer may ask from us per heartbeat.
    public var maximumServedIDsPerHeartbeat = 5000
    /// IDONTWANT ids accepted per peer and heartbeat.
    public var maximumDontWantPerHeartbeat = 1000
    /// IDONTWANT ids remembered per peer.
    public var maximumDontWantPerPeer = 3000
    /// The same, of all peers together.
    public var maximumDontWant = 100_000
    /// Ids remembered as seen; the oldest goes first.
    public var maximumSeen = 100_000
    /// Memory for the messages kept for IWANT; the oldest goes first. A message counts with 640 bytes beside its own, and 64 for
    /// each peer that has been sent it.
    public var maximumCachedBytes = 64 << 20
    /// Back-offs remembered; the one that ends first goes first.
    public var maximumBackoffs = 16_384
    /// Longest back-off a peer can ask for.
    public var maximumBackoff: Duration = .seconds(3600)
    /// Promises watched at once; further IWANTs go unwatched.
    public var maximumPromises = 10_000
    /// Messages waiting for verification or validation, in all.
    public var maximumPendingMessages = 8192
    /// The same, per topic.
    public var maximumPendingPerTopic = 1024
    /// The same, per forwarding peer, so that one flood does not push out the others.
    public var maximumPendingPerPeer = 128
    /// Messages for which one peer found no such room, per heartbeat. Past it no more of its messages are read until the next
    /// heartbeat, its control is, and nothing is held against it. Peers of positive score and direct ones are read as ever.
    public var maximumThrottledPerHeartbeat = 512
    /// Bytes of messages waiting, in all.
    public var maximumPendingBytes = 32 << 20
    /// RPCs waiting per peer: further messages are dropped, control stays until there is room.
    public var maximumQueuedRPCs = 32
    /// Bytes of messages waiting per peer. What it asked for gives way to what it gets unasked.
    public var maximumQueuedBytes = 8 << 20
    /// Bytes of messages waiting for all peers together, with what is being written to them. A message that waits for several
    /// counts for each, though they share one copy: what is kept is never more than this, and often less. At the bound there is
    /// no room for answers to IWANT; for anything else the peers that most waits for lose the oldest of it, answers before all.
    public var maximumQueuedBytesOfAll = 64 << 20
    /// The same, of answers to IWANT alone, and shared out: one peer gets an eighth of what the others leave, the peers of one
    /// address a quarter, see `ByteShares`. Past it an answer is not given.
    public var maximumAnswerBytesOfAll = 32 << 20
    /// Beyond `maximumQueuedBytesOfAll`, for peers to which nothing is being written and for which no message waits: one message
    /// each, and shared out like answers. So whoever reads hears what is said while frames to those that do not take the room.
    public var maximumSpareBytesOfAll = 16 << 20
    /// How long a message waits for a peer: as long as writing a frame may take.
    public var maximumQueuedTime: Duration = .seconds(30)
    /// Ids waiting to be asked for, of all peers together; at the bound those that most are to be asked of are asked for less.
    public var maximumWaitingWants = 100_000
    /// Bytes kept of frames that peers have begun and not ended, in all, and shared out in the same way. Past it the stream of
    /// the one that finds no room is given up.
    public var maximumPartialFrameBytes = 32 << 20
    /// Longest time from the first byte of a frame to its last, noticed at the next heartbeat.
    public var maximumFrameTime: Duration = .seconds(30)
    /// Messages held back for part of the mesh; with more under way, they are sent at once.
    public var maximumDeferredMessages = 1024
    /// Peers whose bad score is remembered after they left.
    public var maximumRetainedScores = 4096
    /// Peers of which the application's opinion is remembered, connected or not; past it
    /// those that were first given longest ago go, a sixteenth of all at once.
    public var maximumApplicationScores = 16_384

    /// The defaults.
    public init() {}

    /// Figures for a machine. What bounds memory over all peers is the default, which is for 4 GiB, in proportion as in
    /// `ResourceLimits.scaled`, and never more than the default. Three figures stay at 16 MiB at least: of them one peer gets an
    /// eighth of what the others leave, and that must be room for a whole frame.
    ///
    /// At the worst all of it comes to 224 MiB for 4 GiB and more; answers are among what waits for all peers.
    ///
    /// - Parameter memoryBytes: the machine's memory.
    public static func scaled(memoryBytes: UInt64) -> GossipSubLimits {
        var limits = GossipSubLimits()
        let factor = min(ResourceLimits.factor(memoryBytes: memoryBytes), 1)
        let sharedFrames = 16 * limits.maximumFrameBytes
        func scaled(_ figure: Int) -> Int { Int(Double(figure) * factor) }
        limits.maximumTopicBytesOfAll = scaled(limits.maximumTopicBytesOfAll)
        limits.maximumCachedBytes = scaled(limits.maximumCachedBytes)
        limits.maximumPendingBytes = scaled(limits.maximumPendingBytes)
        limits.maximumQueuedBytesOfAll = scaled(limits.maximumQueuedBytesOfAll)
        limits.maximumAnswerBytesOfAll = max(scaled(limits.maximumAnswerBytesOfAll), sharedFrames)
        limits.maximumSpareBytesOfAll = max(scaled(limits.maximumSpareBytesOfAll), sharedFrames)
        limits.maximumPartialFrameBytes = max(scaled(limits.maximumPartialFrameBytes), sharedFrames)
        return limits
    }
}
