internal import OrderedCollections
internal import PeerIdentity

// GRAFT, PRUNE, IHAVE, IWANT and IDONTWANT from a peer.
extension GossipSub {
    mutating func handleControl(_ rpc: GossipRPC, from peer: PeerID, now: MonotonicInstant) {
        handle(want: rpc.want, from: peer, now: now)
        handle(have: rpc.have, from: peer)
        for topic in rpc.graft { handle(graft: TopicName(topic), from: peer, now: now) }
        for entry in rpc.prune { handle(prune: entry, from: peer, now: now) }
        handle(dontWant: rpc.dontWant, from: peer)
    }

    // MARK: - Mesh

    /// No answer means accepted.
    private mutating func handle(graft topic: TopicName, from peer: PeerID, now: MonotonicInstant) {
        guard let known = peers[peer], let joined = topics[topic], !joined.mesh.contains(peer) else { return }
        if isDirect(peer) {
            queuePrune(peer, topic: topic, backoff: parameters.pruneBackoff)
            return
        }
        if let entry = backoffs.entry(topic: topic, peer: peer), now < entry.end {
            scores.breached(peer)
            if now < entry.start.advanced(by: parameters.graftFloodThreshold) { scores.breached(peer) }
            refuse(graft: topic, from: peer, now: now)
            return
        }
        guard scores.score(peer) >= 0 else {
            refuse(graft: topic, from: peer, now: now)
            return
        }
        let size = joined.mesh.count
        let hasRoom =
            size < parameters.meshDegreeHigh
            || size < 2 * parameters.meshDegreeHigh && (known.isOutbound || isBetter(peer, than: joined.mesh))
        guard hasRoom else {
            refuse(graft: topic, from: peer, now: now)
            return
        }
        // A GRAFT says as much as a subscription, which may have been dropped or come late.
        if known.version != nil { addToMesh(peer, topic: topic, now: now) }
    }

    /// Attackers whose back-offs end at one time fill a mesh within moments. Honest ones wait the slack longer: whoever has earned
    /// more than the worst of the mesh comes in all the same, and the next heartbeat keeps the best.
    private func isBetter(_ peer: PeerID, than mesh: OrderedSet<PeerID>) -> Bool {
        let score = scores.score(peer)
        return mesh.contains { scores.score($0) < score }
    }

    private mutating func refuse(graft topic: TopicName, from peer: PeerID, now: MonotonicInstant) {
        backoffs.set(topic: topic, peer: peer, duration: parameters.pruneBackoff, now: now)
        queuePrune(peer, topic: topic, backoff: parameters.pruneBackoff)
    }

    private mutating func handle(prune entry: GossipRPC.Prune, from peer: PeerID, now: MonotonicInstant) {
        let topic = TopicName(entry.topic)
        guard let joined = topics[topic] else { return }
        // Whoever is not in the mesh has little to ask for: a minute, which is what others take where nothing is said, and what the
        // answer to a GRAFT may name of a peer that we have pruned since.
        let longest = joined.mesh.contains(peer) ? limits.maximumBackoff : max(.seconds(60), parameters.pruneBackoff)
        removeFromMesh(peer, topic: topic, because: .prunedByPeer)
        let limit = UInt64(clamping: min(longest, limits.maximumBackoff).components.seconds)
        var backoff = parameters.pruneBackoff
        // Zero says as little as none, as to go-libp2p-pubsub.
        if let seconds = entry.backoffSeconds, seconds > 0 { backoff = .seconds(Int64(min(seconds, limit))) }
        backoffs.set(topic: topic, peer: peer, duration: backoff, now: now)
    }

    // MARK: - Gossip

    private mutating func handle(have entries: [GossipRPC.Have], from peer: PeerID) {
        // Without a stream of ours there is nothing to ask on, and what is offered now is offered again.
        guard !entries.isEmpty, scores.score(peer) >= scores.scoring.gossipThreshold, peers[peer]?.version != nil,
            let before = peers[peer]?.budget
        else { return }
        // RPCs are counted, as go-libp2p-pubsub does, not their entries: with many topics in common each has its turn.
        guard before.haveMessages < limits.maximumHavePerHeartbeat else {
            counts.entriesOverLimit &+= UInt64(entries.count)
            return
        }
        peers[peer]?.budget.haveMessages += 1
        var wanted = OrderedSet<MessageID>()
        for entry in entries {
            guard before.wantedIDs + wanted.count < limits.maximumWantedIDsPerHeartbeat else {
                counts.entriesOverLimit &+= 1
                break
            }
            guard topics[TopicName(entry.topic)] != nil else { continue }
            for id in entry.ids where !seen.contains(id) && !isOwn(id) { wanted.append(id) }
        }
        let room = max(0, limits.maximumWantedIDsPerHeartbeat - before.wantedIDs)
        let chosen = Array(wanted.elements.shuffled(using: &random).prefix(roomToAsk(min(room, wanted.count))))
        let asked = withQueue(of: peer) { $0.ask(chosen) } ?? []
        guard let watched = asked.randomElement(using: &random) else { return }
        peers[peer]?.queue.watch(watched)
        peers[peer]?.budget.wantedIDs += asked.count
        counts.idsWanted &+= UInt64(asked.count)
        toFlush.append(peer)
    }

    /// After a restart others may still offer what we said before it.
    private func isOwn(_ id: MessageID) -> Bool { id.bytes.starts(with: localPeer.bytes) }

    private mutating func handle(want ids: [MessageID], from peer: PeerID, now: MonotonicInstant) {
        // Nothing is put by for a peer that does not accept our stream. It had the offer on one, so it can have another.
        guard !ids.isEmpty, scores.score(peer) >= scores.scoring.gossipThreshold, peers[peer]?.version != nil else {
            return
        }
        for id in ids {
            guard let count = peers[peer]?.budget.servedIDs, count < limits.maximumServedIDsPerHeartbeat else {
                counts.entriesOverLimit &+= 1
                break
            }
            peers[peer]?.budget.servedIDs += 1
            guard peers[peer]?.unwanted.contains(id) == false,
                let message = cache.message(id, for: peer, limit: parameters.gossipRetransmissions)
            else { continue }
            toFlush.append(peer)
            // Whoever asks for more than it takes off us is not counted as having got it: it may ask again.
            guard enqueue(message, for: peer, isAnswer: true, now: now) else {
                counts.messagesDroppedForSlowPeers &+= 1
                break
            }
            cache.sent(id, to: peer)
            counts.messagesServed &+= 1
        }
    }

    private mutating func handle(dontWant ids: [MessageID], from peer: PeerID) {
        for id in ids {
            guard let count = peers[peer]?.budget.dontWantIDs, count < limits.maximumDontWantPerHeartbeat,
                let remembered = peers[peer]?.unwanted.count, remembered < limits.maximumDontWantPerPeer,
                unwantedIDs < limits.maximumDontWant
            else {
                counts.entriesOverLimit &+= 1
                return
            }
            peers[peer]?.budget.dontWantIDs += 1
            peers[peer]?.unwanted.insert(id)
            unwantedIDs += 1
        }
    }

    mutating func queuePrune(_ peer: PeerID, topic: TopicName, backoff: Duration) {
        guard let version = peers[peer]?.version else { return }
        let seconds = version >= .v1_1 ? UInt64(clamping: backoff.components.seconds) : nil
        peers[peer]?.queue.change(topic, .prune(backoffSeconds: seconds))
        toFlush.append(peer)
        counts.prunesSent &+= 1
    }
}
