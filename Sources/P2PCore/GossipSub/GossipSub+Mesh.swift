internal import OrderedCollections
internal import PeerIdentity

// The heartbeat, and the meshes it keeps in shape.
extension GossipSub {
    mutating func heartbeat(now: MonotonicInstant) {
        tick += 1
        scores.decay(now: now)
        for (peer, broken) in promises.takeBroken(now: now) {
            counts.promisesBroken &+= UInt64(broken)
            scores.breached(peer, by: broken)
        }
        unwantedIDs = 0
        for index in peers.elements.indices {
            peers.values[index].budget = Budget()
            peers.values[index].unwanted.shift()
            unwantedIDs += peers.values[index].unwanted.count
        }
        endHellos(now: now)
        giveUpOldMessages(now: now)
        giveUpSlowFrames(now: now)
        seen.expire(now: now)
        if tick.isMultiple(of: 15) { backoffs.expire(slack: parameters.backoffSlack, now: now) }
        if parameters.directConnectTicks > 0, (tick - 1).isMultiple(of: UInt64(parameters.directConnectTicks)) {
            for peer in directPeers where peers[peer] == nil { actions.append(.connect(peer)) }
        }
        for topic in topics.keys {
            tendMesh(of: topic, now: now)
            let offer = cache.offer(of: topic)
            gossip(offer, about: topic, excluding: topics[topic]?.mesh ?? [], now: now)
            gossip(offer, toNewcomersOf: topic, now: now)
        }
        tendFanout(now: now)
        cache.shift()
    }

    // MARK: - Joining

    /// A new or newly heard of peer of the topic: taken in at once while the mesh is thin, so that a small network
    /// does not wait for a heartbeat.
    mutating func fillMesh(of topic: TopicName, with peer: PeerID, now: MonotonicInstant) {
        guard let joined = topics[topic], joined.mesh.count < parameters.meshDegreeLow,
            candidates(for: topic, only: peer, now: now).first != nil
        else { return }
        graft(peer, topic: topic, now: now)
    }

    mutating func joinMesh(of topic: TopicName, now: MonotonicInstant) {
        let known = fanout.removeValue(forKey: topic)?.peers ?? []
        let eligible = candidates(for: topic, now: now)
        let chosen = eligible.filter(known.contains) + eligible.filter { !known.contains($0) }.shuffled(using: &random)
        for peer in chosen.prefix(parameters.meshDegree) { graft(peer, topic: topic, now: now) }
    }

    /// Peers we may graft: they follow the topic, we can write to them, no bad score, no back-off.
    private func candidates(for topic: TopicName, only: PeerID? = nil, now: MonotonicInstant) -> [PeerID] {
        guard let mesh = topics[topic]?.mesh else { return [] }
        func isEligible(_ peer: PeerID) -> Bool {
            guard let known = peers[peer] else { return false }
            return known.version != nil && known.follows(topic) && !mesh.contains(peer) && !isDirect(peer)
                && scores.score(peer) >= 0
                && !backoffs.blocks(topic: topic, peer: peer, slack: parameters.backoffSlack, now: now)
        }
        if let only { return isEligible(only) ? [only] : [] }
        return peers.keys.filter(isEligible)
    }

    mutating func addToMesh(_ peer: PeerID, topic: TopicName, now: MonotonicInstant) {
        guard topics[topic]?.mesh.append(peer).inserted == true else { return }
        topics[topic]?.newcomers[peer] = now
        scores.grafted(peer, topic: topic, now: now)
        actions.append(.grafted(peer, topic: topic.text))
    }

    mutating func removeFromMesh(_ peer: PeerID, topic: TopicName, because reason: PruneReason) {
        guard topics[topic]?.mesh.remove(peer) != nil else { return }
        scores.pruned(peer, topic: topic)
        actions.append(.pruned(peer, topic: topic.text, reason: reason))
    }

    private mutating func graft(_ peer: PeerID, topic: TopicName, now: MonotonicInstant) {
        addToMesh(peer, topic: topic, now: now)
        peers[peer]?.queue.change(topic, .graft)
        toFlush.append(peer)
        counts.graftsSent &+= 1
    }

    private mutating func prune(
        _ peer: PeerID, topic: TopicName, because reason: PruneReason, now: MonotonicInstant
    ) {
        removeFromMesh(peer, topic: topic, because: reason)
        backoffs.set(topic: topic, peer: peer, duration: parameters.pruneBackoff, now: now)
        queuePrune(peer, topic: topic, backoff: parameters.pruneBackoff)
    }

    // MARK: - Upkeep

    private mutating func tendMesh(of topic: TopicName, now: MonotonicInstant) {
        for peer in topics[topic]?.mesh ?? [] where scores.score(peer) < 0 {
            prune(peer, topic: topic, because: .badScore, now: now)
        }
        let size = topics[topic]?.mesh.count ?? 0
        if size < parameters.meshDegreeLow {
            let missing = parameters.meshDegree - size
            for peer in candidates(for: topic, now: now).shuffled(using: &random).prefix(missing) {
                graft(peer, topic: topic, now: now)
            }
        } else if size >= parameters.meshDegreeHigh {
            shrinkMesh(of: topic, now: now)
        }
        addOutboundPeers(to: topic, now: now)
        guard parameters.opportunisticGraftTicks > 0 else { return }
        graftRescuers(for: topic, now: now)
        if tick.isMultiple(of: UInt64(parameters.opportunisticGraftTicks)) {
            graftBetterPeers(for: topic, now: now)
            forgetRescues(of: topic, now: now)
        }
    }

    /// Down to D: the best scored stay, but for those that give way to dialled ones until there are enough of them.
    ///
    /// The specification leaves the places beyond Dscore to chance. Among twenty strangers to each honest peer chance picks
    /// strangers, each time they come back together; so only equals are left to it. What keeps those that have earned the best of
    /// scores from having all of the mesh is the dialled ones.
    private mutating func shrinkMesh(of topic: TopicName, now: MonotonicInstant) {
        var ranked = (topics[topic]?.mesh.elements ?? []).shuffled(using: &random)
        let scored = Dictionary(uniqueKeysWithValues: ranked.map { ($0, scores.score($0)) })
        // Sorting is stable, so equals stay shuffled.
        ranked.sort { scored[$0, default: 0] > scored[$1, default: 0] }
        var kept = Array(ranked.prefix(parameters.meshDegree))
        var spare = ranked.dropFirst(parameters.meshDegree).filter { peers[$0]?.isOutbound == true }[...]
        var dialled = kept.filter { peers[$0]?.isOutbound == true }.count
        for index in kept.indices.dropFirst(parameters.meshDegreeScore).reversed()
        where dialled < parameters.meshDegreeOutbound {
            guard peers[kept[index]]?.isOutbound != true, let replacement = spare.popFirst() else { continue }
            kept[index] = replacement
            dialled += 1
        }
        let staying = Set(kept)
        for peer in ranked where !staying.contains(peer) {
            prune(peer, topic: topic, because: .crowded, now: now)
        }
    }

    private mutating func addOutboundPeers(to topic: TopicName, now: MonotonicInstant) {
        guard let mesh = topics[topic]?.mesh, mesh.count >= parameters.meshDegreeLow else { return }
        let missing = parameters.meshDegreeOutbound - mesh.filter { peers[$0]?.isOutbound == true }.count
        guard missing > 0 else { return }
        let eligible = candidates(for: topic, now: now).filter { peers[$0]?.isOutbound == true }
        for peer in eligible.shuffled(using: &random).prefix(missing) { graft(peer, topic: topic, now: now) }
    }

    /// A mesh full of idlers gets better company: the way out of an eclipse.
    private mutating func graftBetterPeers(for topic: TopicName, now: MonotonicInstant) {
        guard let mesh = topics[topic]?.mesh, mesh.count > 1 else { return }
        let sorted = mesh.map { scores.score($0) }.sorted()
        let median = sorted[sorted.count / 2]
        guard median < scores.scoring.opportunisticGraftThreshold else { return }
        let better = candidates(for: topic, now: now).filter { scores.score($0) > median }
        for peer in better.shuffled(using: &random).prefix(parameters.opportunisticGraftPeers) {
            graft(peer, topic: topic, now: now)
        }
    }

    /// Who repeatedly brought what the mesh kept back belongs into the mesh, as soon as its back-off is over. This also finds out
    /// peers that pass on everything but one author's messages: they have the best of scores, so the median shows nothing.
    ///
    /// Attackers can play it: some hold back what others of them bring. That gets them places that a GRAFT would get them too, and
    /// no more of them than there ever were between two opportunistic grafts.
    private mutating func graftRescuers(for topic: TopicName, now: MonotonicInstant) {
        guard let joined = topics[topic], joined.rescuersTaken < parameters.opportunisticGraftPeers else { return }
        let useful = joined.rescuers.filter { $0.value > 1 }.sorted { $0.value > $1.value }.map(\.key)
        let eligible = useful.filter { candidates(for: topic, only: $0, now: now).first != nil }
        for peer in eligible.prefix(parameters.opportunisticGraftPeers - joined.rescuersTaken) {
            topics[topic]?.rescuers[peer] = nil
            topics[topic]?.rescuersTaken += 1
            graft(peer, topic: topic, now: now)
        }
    }

    /// Remembered are those that only a back-off keeps out: honest peers that were pruned in a crowd.
    private mutating func forgetRescues(of topic: TopicName, now: MonotonicInstant) {
        guard let rescuers = topics[topic]?.rescuers else { return }
        let kept = rescuers.filter { peer, rescues in
            rescues > 1 && backoffs.blocks(topic: topic, peer: peer, slack: parameters.backoffSlack, now: now)
        }
        topics[topic]?.rescuers = kept
        topics[topic]?.rescuersTaken = 0
    }

    // MARK: - Gossip

    /// Tells some peers outside the mesh what can be had.
    private mutating func gossip(
        _ offer: GossipOffer, about topic: TopicName, excluding mesh: OrderedSet<PeerID>, now: MonotonicInstant
    ) {
        var ids = offer.ids(arrivedBy: now.advanced(by: .zero - parameters.gossipMinimumAge))
        guard !ids.isEmpty else { return }
        let eligible = peers.elements.filter { peer, known in
            known.version != nil && known.follows(topic) && !mesh.contains(peer) && !isDirect(peer)
                && scores.score(peer) >= scores.scoring.gossipThreshold
        }.map(\.key)
        for peer in listeners(among: eligible) {
            toFlush.append(peer)
            let told = draw(limits.maximumWantedIDsPerHeartbeat, of: &ids)
            peers[peer]?.queue.advertise(topic, told)
        }
    }

    /// Whom to tell: chance picks, but in a crowd, for half of the places, those that we dialled come first, then those that have
    /// brought something. Otherwise strangers would keep from them what we have. Dlazy places are always left to chance.
    private mutating func listeners(among eligible: [PeerID]) -> OrderedSet<PeerID> {
        let count = max(parameters.lazyDegree, Int(Double(eligible.count) * parameters.gossipFactor))
        let shuffled = eligible.shuffled(using: &random)
        guard count < shuffled.count else { return OrderedSet(shuffled) }
        let dialled = shuffled.filter { peers[$0]?.isOutbound == true }
        let useful = shuffled.filter { peers[$0]?.isOutbound != true && scores.score($0) > 0 }
        var chosen = OrderedSet((dialled + useful).prefix(min(count / 2, count - parameters.lazyDegree)))
        for peer in shuffled where chosen.count < count { chosen.append(peer) }
        return chosen
    }

    /// All of them, or so many by chance. Those change places with the first, which costs nothing for the others.
    private mutating func draw(_ limit: Int, of ids: inout [MessageID]) -> [MessageID] {
        guard ids.count > limit else { return ids }
        for index in 0..<max(0, limit) { ids.swapAt(index, Int.random(in: index..<ids.count, using: &random)) }
        return Array(ids.prefix(max(0, limit)))
    }

    /// A peer that enters the mesh leaves the circle of those that hear gossip, but had none of the messages before it.
    /// Without this, what is said before a mesh has formed would reach nobody whom the mesh then consists of.
    private mutating func gossip(_ offer: GossipOffer, toNewcomersOf topic: TopicName, now: MonotonicInstant) {
        guard let joined = topics[topic], !joined.newcomers.isEmpty else { return }
        let memory = parameters.heartbeatInterval * (parameters.historyGossip + 1)
        topics[topic]?.newcomers = joined.newcomers.filter { peer, since in
            joined.mesh.contains(peer) && since.advanced(by: memory) > now
        }
        let settled = now.advanced(by: .zero - parameters.gossipMinimumAge)
        // Most came in at one time.
        var missed: (by: MonotonicInstant, ids: [MessageID])?
        for (peer, since) in topics[topic]?.newcomers ?? [:] where scores.score(peer) >= scores.scoring.gossipThreshold
        {
            let latest = min(since, settled)
            if missed?.by != latest {
                missed = (latest, offer.ids(arrivedBy: latest, atMost: limits.maximumWantedIDsPerHeartbeat))
            }
            guard let ids = missed?.ids, !ids.isEmpty else { continue }
            peers[peer]?.queue.advertise(topic, ids)
            toFlush.append(peer)
        }
    }

    // MARK: - Fanout

    /// The peers that hear what we publish to a topic we do not follow. At most `maximumJoinedTopics` topics; then the
    /// one published to longest ago is forgotten.
    mutating func fanoutPeers(topic: TopicName, now: MonotonicInstant) -> OrderedSet<PeerID> {
        if fanout[topic] == nil {
            if fanout.count >= limits.maximumJoinedTopics,
                let oldest = fanout.min(by: { $0.value.lastPublished < $1.value.lastPublished })?.key
            {
                fanout[oldest] = nil
            }
            fanout[topic] = Fanout(lastPublished: now)
        }
        fanout[topic]?.lastPublished = now
        fillFanout(of: topic)
        return fanout[topic]?.peers ?? []
    }

    private mutating func tendFanout(now: MonotonicInstant) {
        for (topic, entry) in fanout {
            guard entry.lastPublished.advanced(by: parameters.fanoutTTL) > now else {
                fanout[topic] = nil
                continue
            }
            for peer in entry.peers where !canHearFanout(peer, topic: topic) { fanout[topic]?.peers.remove(peer) }
            fillFanout(of: topic)
            gossip(cache.offer(of: topic), about: topic, excluding: fanout[topic]?.peers ?? [], now: now)
        }
    }

    private mutating func fillFanout(of topic: TopicName) {
        guard let entry = fanout[topic], entry.peers.count < parameters.meshDegree else { return }
        let eligible = peers.keys.filter { !entry.peers.contains($0) && canHearFanout($0, topic: topic) }
        for peer in eligible.shuffled(using: &random).prefix(parameters.meshDegree - entry.peers.count) {
            fanout[topic]?.peers.append(peer)
        }
    }

    private func canHearFanout(_ peer: PeerID, topic: TopicName) -> Bool {
        guard let known = peers[peer] else { return false }
        return known.version != nil && known.follows(topic) && !isDirect(peer)
            && scores.score(peer) >= scores.scoring.publishThreshold
    }
}
