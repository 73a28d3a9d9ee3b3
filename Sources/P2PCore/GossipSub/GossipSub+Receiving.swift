internal import DequeModule
internal import OrderedCollections
public import PeerIdentity

// What peers send: frames in, messages through their checks, out again.
extension GossipSub {
    /// One frame of the peer's stream, without its length. Empty frames mean nothing.
    public mutating func received(
        _ body: ArraySlice<UInt8>, from peer: PeerID, now: MonotonicInstant
    ) -> [GossipSubAction] {
        guard peers[peer] != nil, !body.isEmpty else { return [] }
        forgetPartialFrame(of: peer)
        counts.framesReceived &+= 1
        guard !isGraylisted(peer) else {
            counts.framesGraylisted &+= 1
            return []
        }
        guard body.count <= limits.maximumFrameBytes, let rpc = try? GossipRPC(decoding: body, limits: limits) else {
            scores.breached(peer)
            actions.append(.resetInbound(peer))
            return takeActions()
        }
        counts.entriesOverLimit &+= UInt64(rpc.ignoredEntries)
        note(hello: rpc.subscriptions, of: peer, now: now)
        handle(rpc.subscriptions, from: peer, now: now)
        for (index, message) in rpc.messages.enumerated() {
            // A frame holds thousands; nothing more is read of it once its sender has disqualified itself.
            if isGraylisted(peer) { break }
            guard !isOverBudget(peer) else {
                counts.messagesThrottled &+= UInt64(rpc.messages.count - index)
                // What it owes may be among them.
                promises.forget(peer)
                break
            }
            handle(message, from: peer, now: now)
        }
        handleControl(rpc, from: peer, now: now)
        flushAll()
        return takeActions()
    }

    /// The outcome of `.verify`. Late and repeated answers are without effect.
    public mutating func verified(
        _ ticket: GossipTicket, _ verdict: SignatureVerdict, now: MonotonicInstant
    ) -> [GossipSubAction] {
        guard let entry = pending[ticket.number], !entry.isVerified else { return [] }
        let message = entry.message
        switch verdict {
        case .invalid:
            reject(ticket, entry)
        case .unverifiable:
            promises.fulfill(message.id)
            seen.insert(message.id, now: now)
            counts.messagesIgnored &+= 1
            forget(ticket)
        case .valid:
            promises.fulfill(message.id)
            guard seen.insert(message.id, now: now) else {
                // Another copy with other bytes won, so the author signed twice with one number.
                counts.duplicates &+= 1
                forget(ticket)
                break
            }
            guard let topic = topics[message.topicName] else {
                counts.messagesOfOtherTopics &+= 1
                forget(ticket)
                break
            }
            guard message.source != localPeer else {
                // Ours indeed, said before a restart: who passes that on is honest, and only a forgery would not be.
                counts.messagesIgnored &+= 1
                forget(ticket)
                break
            }
            refuseFurtherCopies(of: entry, mesh: Array(topic.mesh))
            if topic.asksForValidation {
                pending[ticket.number]?.isVerified = true
                actions.append(.validate(ticket, message, from: entry.from))
            } else {
                accept(ticket, entry, now: now)
            }
        }
        flushAll()
        return takeActions()
    }

    /// The outcome of `.validate`. Late and repeated answers are without effect.
    public mutating func validated(
        _ ticket: GossipTicket, _ verdict: GossipVerdict, now: MonotonicInstant
    ) -> [GossipSubAction] {
        guard let entry = pending[ticket.number], entry.isVerified else { return [] }
        switch verdict {
        case .accept: accept(ticket, entry, now: now)
        case .reject: reject(ticket, entry)
        case .ignore:
            counts.messagesIgnored &+= 1
            forget(ticket)
        }
        flushAll()
        return takeActions()
    }

    // MARK: - Subscriptions

    /// At the beginning of a stream that replaced another: the peer may have unsubscribed in between.
    ///
    /// Only if its first frame names topics: go-libp2p-pubsub and we begin every stream with them, but rust-libp2p says them on a
    /// peer's first connection only, and goes on without when another connection or stream takes over. Many topics take several
    /// frames; what is in none of them is forgotten with the first frame of another kind, or when none has come for a heartbeat.
    private mutating func note(hello said: [GossipRPC.Subscription], of peer: PeerID, now: MonotonicInstant) {
        guard let hello = peers[peer]?.hello else { return }
        var unsaid: OrderedSet<TopicName>
        let begun: MonotonicInstant
        switch hello {
        case .over: return
        case .awaited:
            guard said.contains(where: \.subscribes) else {
                peers[peer]?.hello = .over
                return
            }
            unsaid = peers[peer]?.topics.keys ?? []
            begun = now
        case .begun(let known, let instant):
            guard !said.isEmpty else { return endHello(of: peer) }
            unsaid = known
            begun = instant
        }
        for entry in said where entry.subscribes { unsaid.remove(TopicName(entry.topic)) }
        peers[peer]?.hello = unsaid.isEmpty ? .over : .begun(unsaid: unsaid, at: begun)
    }

    private mutating func endHello(of peer: PeerID) {
        guard case .begun(let unsaid, _)? = peers[peer]?.hello else { return }
        peers[peer]?.hello = .over
        for topic in unsaid { unsubscribe(peer, from: topic) }
    }

    mutating func endHellos(now: MonotonicInstant) {
        let silent = peers.elements.filter { _, known in
            guard case .begun(_, let begun) = known.hello else { return false }
            return begun.advanced(by: parameters.heartbeatInterval) <= now
        }.map(\.key)
        for peer in silent { endHello(of: peer) }
    }

    private mutating func unsubscribe(_ peer: PeerID, from topic: TopicName) {
        guard let names = peers[peer]?.names, let bytes = peers[peer]?.topics.removeValue(forKey: topic) else { return }
        topicShares.release(bytes, of: names)
        actions.append(.peerUnsubscribed(peer, topic: topic.text))
        removeFromMesh(peer, topic: topic, because: .peerLeft)
        fanout[topic]?.peers.remove(peer)
    }

    private mutating func handle(
        _ subscriptions: [GossipRPC.Subscription], from peer: PeerID, now: MonotonicInstant
    ) {
        for entry in subscriptions {
            // Not through a copy of the entry, which would copy its topics with every change.
            let topic = TopicName(entry.topic)
            guard let follows = peers[peer]?.follows(topic), follows != entry.subscribes,
                let changes = peers[peer]?.budget.subscriptionChanges, let topicCount = peers[peer]?.topics.count
            else { continue }
            guard changes < limits.maximumSubscriptionChangesPerHeartbeat else {
                counts.entriesOverLimit &+= 1
                scores.breached(peer)
                return
            }
            peers[peer]?.budget.subscriptionChanges += 1
            if entry.subscribes {
                guard topicCount < limits.maximumTopicsPerPeer else {
                    counts.entriesOverLimit &+= 1
                    continue
                }
                guard remember(topic, of: peer) else {
                    counts.topicsWithoutRoom &+= 1
                    continue
                }
                actions.append(.peerSubscribed(peer, topic: entry.topic))
                fillMesh(of: topic, with: peer, now: now)
            } else {
                unsubscribe(peer, from: topic)
            }
        }
    }

    /// Notes that the peer follows a topic. False if there is no room for the name.
    ///
    /// A topic of ours takes none: its name is kept once, and nobody can crowd out those who follow it.
    private mutating func remember(_ topic: TopicName, of peer: PeerID) -> Bool {
        let own =
            topics.index(forKey: topic).map { topics.keys[$0] } ?? fanout.index(forKey: topic).map { fanout.keys[$0] }
        let bytes = own == nil ? topic.bytes + GossipSub.bytesPerTopic : 0
        guard let names = peers[peer]?.names, bytes == 0 || topicShares.reserve(bytes, for: names) else { return false }
        peers[peer]?.topics[own ?? topic] = bytes
        return true
    }

    // MARK: - Messages

    private mutating func handle(_ encoded: ArraySlice<UInt8>, from peer: PeerID, now: MonotonicInstant) {
        let message: GossipMessage
        do {
            message = try GossipMessage(encoded: encoded, limits: limits)
        } catch {
            counts.messagesRejected &+= 1
            scores.rejected(peer, topic: nil)
            return
        }
        guard let topic = topics[message.topicName] else {
            guard message.source != localPeer else {
                counts.messagesRejected &+= 1
                // What is kept of a peer is kept for topics of ours: this one is a name that the peer made up.
                scores.rejected(peer, topic: nil)
                return
            }
            counts.messagesOfOtherTopics &+= 1
            return
        }
        if noteCopy(of: message, from: peer, now: now) { return }
        guard hasRoomToCheck(message, of: topic, from: peer) else {
            // It came in time. That we have no time for it is not the sender's breach.
            promises.fulfill(message.id, by: peer)
            counts.messagesThrottled &+= 1
            peers[peer]?.budget.throttledMessages += 1
            return
        }
        nextTicket &+= 1
        let ticket = GossipTicket(number: nextTicket)
        let entry = Pending(message: message, from: peer, fingerprint: message.fingerprint)
        pending[ticket.number] = entry
        pendingByID[message.id, default: [:]][entry.fingerprint] = ticket.number
        pendingBytes += message.encoded.count
        peers[peer]?.pending += 1
        topics[message.topicName]?.pending += 1
        actions.append(.verify(ticket, message))
    }

    /// Half of the room is for everybody, the other half for peers that have proved good, so that a crowd of strangers
    /// with forged messages cannot keep the real ones out.
    private func hasRoomToCheck(_ message: GossipMessage, of topic: Topic, from peer: PeerID) -> Bool {
        guard let known = peers[peer] else { return false }
        let score = scores.score(peer)
        let share = isDirect(peer) || score > 0 ? 1 : 2
        return known.pending < (score < 0 ? limits.maximumPendingPerPeer / 16 : limits.maximumPendingPerPeer)
            && topic.pending < limits.maximumPendingPerTopic / share
            && pending.count < limits.maximumPendingMessages / share
            && pendingBytes + message.encoded.count <= limits.maximumPendingBytes / share
    }

    /// A peer that has not proved good sends more than we come to check, again and again. Till the next heartbeat its messages
    /// are not even looked at; control still is.
    private func isOverBudget(_ peer: PeerID) -> Bool {
        guard let throttled = peers[peer]?.budget.throttledMessages, throttled >= limits.maximumThrottledPerHeartbeat
        else { return false }
        return !isDirect(peer) && scores.score(peer) <= 0
    }

    /// The check under way of the very same bytes.
    private mutating func pendingCopy(of message: GossipMessage) -> UInt64? {
        guard let copies = pendingByID[message.id], let number = copies[message.fingerprint] else { return nil }
        copiesCompared += 1
        return pending[number]?.message == message ? number : nil
    }

    /// True if the message was seen, or the same bytes are being checked.
    private mutating func noteCopy(of message: GossipMessage, from peer: PeerID, now: MonotonicInstant) -> Bool {
        if let number = pendingCopy(of: message) {
            counts.duplicates &+= 1
            if pending[number]?.from != peer { pending[number]?.alsoFrom.append(peer) }
            return true
        }
        guard let first = seen.firstSight(of: message.id) else { return false }
        counts.duplicates &+= 1
        cancelDeferred(message.id, to: peer)
        promises.fulfill(message.id)
        if first.duration(to: now) <= scores.scoring.meshDeliveryWindow {
            scores.deliveredInMesh(peer, topic: message.topicName)
        }
        return true
    }

    private mutating func accept(_ ticket: GossipTicket, _ entry: Pending, now: MonotonicInstant) {
        let message = entry.message
        forget(ticket)
        let topic = message.topicName
        guard let mesh = topics[topic]?.mesh else { return }
        if entry.from != message.source, peers[entry.from] != nil, !mesh.contains(entry.from),
            mesh.isDisjoint(with: entry.alsoFrom)
        {
            topics[topic]?.rescuers[entry.from, default: 0] += 1
        }
        counts.messagesAccepted &+= 1
        scores.deliveredFirst(entry.from, topic: topic)
        for peer in entry.alsoFrom { scores.deliveredInMesh(peer, topic: topic) }
        cache.insert(message, now: now)
        actions.append(.deliver(message, from: entry.from))
        forward(message, notTo: entry, now: now)
    }

    /// To a few mesh peers at once, to the others a little later.
    private mutating func forward(_ message: GossipMessage, notTo entry: Pending, now: MonotonicInstant) {
        let topic = message.topicName
        var targets = topics[topic]?.mesh ?? []
        targets.remove(entry.from)
        targets.remove(message.source)
        targets.subtract(entry.alsoFrom)
        let informed = targets.filter { peers[$0]?.unwanted.contains(message.id) == true }
        targets.subtract(informed)
        var later: OrderedSet<PeerID> = []
        if parameters.eagerDegree > 0, targets.count > parameters.eagerDegree,
            deferred.count < limits.maximumDeferredMessages
        {
            // Who cannot say IDONTWANT is served at once.
            let patient = targets.filter { peers[$0]?.version == .v1_2 }
            for peer in patient.shuffled(using: &random).prefix(targets.count - parameters.eagerDegree) {
                later.append(peer)
                targets.remove(peer)
            }
        }
        for peer in directPeers where peers[peer]?.follows(topic) == true {
            let hasIt = peer == entry.from || peer == message.source || entry.alsoFrom.contains(peer)
            if !hasIt { targets.append(peer) }
        }
        send(message, to: Array(targets), now: now)
        if parameters.eagerDegree > 0, message.data.count < parameters.dontWantThresholdBytes {
            // Those that have it already hold back a copy for us, as we do for the others.
            for peer in informed.union(later) {
                peers[peer]?.queue.refuse(message.id)
                toFlush.append(peer)
            }
        }
        guard !later.isEmpty else { return }
        let due = now.advanced(by: parameters.deferral)
        deferred.append(Deferred(due: due, message: message))
        deferredTargets[message.id, default: []].formUnion(later)
    }

    /// What was held back goes to those that have not shown that they have it.
    mutating func sendDeferred(now: MonotonicInstant) {
        while let first = deferred.first, first.due <= now {
            deferred.removeFirst()
            let mesh = topics[first.message.topicName]?.mesh ?? []
            let targets = deferredTargets.removeValue(forKey: first.message.id) ?? []
            send(first.message, to: targets.filter(mesh.contains), now: now)
        }
    }

    /// The peer has the message itself.
    private mutating func cancelDeferred(_ id: MessageID, to peer: PeerID) { deferredTargets[id]?.remove(peer) }

    private mutating func reject(_ ticket: GossipTicket, _ entry: Pending) {
        counts.messagesRejected &+= 1
        scores.rejected(entry.from, topic: entry.message.topicName)
        for peer in entry.alsoFrom { scores.rejected(peer, topic: entry.message.topicName) }
        forget(ticket)
    }

    private mutating func forget(_ ticket: GossipTicket) {
        guard let entry = pending.removeValue(forKey: ticket.number) else { return }
        pendingBytes -= entry.message.encoded.count
        // A peer or topic that left and came back meanwhile counts from zero again.
        if let waiting = peers[entry.from]?.pending, waiting > 0 { peers[entry.from]?.pending = waiting - 1 }
        let topic = entry.message.topicName
        if let waiting = topics[topic]?.pending, waiting > 0 { topics[topic]?.pending = waiting - 1 }
        let id = entry.message.id
        guard pendingByID[id]?[entry.fingerprint] == ticket.number else { return }
        pendingByID[id]?[entry.fingerprint] = nil
        if pendingByID[id]?.isEmpty == true { pendingByID[id] = nil }
    }

    /// Tells the mesh that a large message has arrived. Sent at once, before the application's opinion is known.
    private mutating func refuseFurtherCopies(of entry: Pending, mesh: [PeerID]) {
        guard entry.message.data.count >= parameters.dontWantThresholdBytes else { return }
        for peer in mesh where peer != entry.from && !entry.alsoFrom.contains(peer) {
            guard let version = peers[peer]?.version, version >= .v1_2 else { continue }
            peers[peer]?.queue.refuse(entry.message.id)
            toFlush.append(peer)
        }
    }

    // MARK: - Sending messages

    /// Publishes a message of our own: to the mesh, or to the fanout of a topic we do not follow.
    ///
    /// A mesh that is still too small is helped out with other peers of the topic, so that what is said right after
    /// joining is heard; one with fewer than Dout dialled peers, with such peers. Without any peer the message is gossiped
    /// about for three heartbeats.
    /// - Throws: `.messageTooLarge` if no frame could hold it; `.invalidTopic` for a topic that is empty or too long.
    public mutating func publish(
        _ message: GossipMessage, now: MonotonicInstant
    ) throws(GossipSubError) -> [GossipSubAction] {
        guard message.encoded.count + 8 <= limits.maximumFrameBytes else {
            throw .messageTooLarge(bytes: message.encoded.count, limitBytes: limits.maximumFrameBytes - 8)
        }
        guard !message.topic.isEmpty, message.topic.utf8.count <= limits.maximumTopicBytes else {
            throw .invalidTopic(limitBytes: limits.maximumTopicBytes)
        }
        guard seen.insert(message.id, now: now) else { return [] }
        cache.insert(message, now: now)
        send(message, to: publishTargets(topic: message.topicName, now: now), now: now)
        flushAll()
        return takeActions()
    }

    private mutating func publishTargets(topic: TopicName, now: MonotonicInstant) -> [PeerID] {
        let reachable = peers.elements.filter { peer, known in
            known.version != nil && known.follows(topic)
                && (isDirect(peer) || scores.score(peer) >= scores.scoring.publishThreshold)
        }.map(\.key)
        if parameters.floodPublish { return reachable }
        var targets = topics[topic]?.mesh ?? fanoutPeers(topic: topic, now: now)
        for peer in reachable where isDirect(peer) { targets.append(peer) }
        // Known, but our stream to it is still being opened: the message waits there, or it would miss a new neighbour.
        for (peer, known) in peers where known.version == nil && known.follows(topic) {
            guard targets.count < parameters.meshDegree else { break }
            targets.append(peer)
        }
        let shuffled = reachable.shuffled(using: &random)
        for peer in shuffled {
            guard targets.count < parameters.meshDegree else { break }
            targets.append(peer)
        }
        // Dout of those that we dialled hear us even while back-offs keep them out of the mesh: the others may be of one mind.
        var missing = parameters.meshDegreeOutbound - targets.filter { peers[$0]?.isOutbound == true }.count
        for peer in shuffled where missing > 0 && peers[peer]?.isOutbound == true && targets.append(peer).inserted {
            missing -= 1
        }
        return Array(targets)
    }

    mutating func send(_ message: GossipMessage, to targets: [PeerID], now: MonotonicInstant) {
        guard !targets.isEmpty else { return }
        for peer in targets {
            guard peers[peer]?.unwanted.contains(message.id) == false else { continue }
            toFlush.append(peer)
            if enqueue(message, for: peer, now: now) {
                counts.messagesSent &+= 1
            } else {
                counts.messagesDroppedForSlowPeers &+= 1
            }
        }
    }
}
