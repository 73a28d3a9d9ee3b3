internal import OrderedCollections
public import PeerIdentity

// The room that peers share: for what waits to be written to them, and for frames of theirs that are not whole yet.
//
// Each table of a peer has a bound of its own, but peers cost a stranger nothing. So these have one of all peers too, and
// there the peers that hold most lose first: who holds little is not touched by those that hold much.
extension GossipSub {
    // MARK: - What waits for peers

    /// Changes what waits for a peer; every change goes through here, so that it is known what waits for all.
    /// - Returns: nil for a peer that is not known.
    @discardableResult
    mutating func withQueue<Result>(of peer: PeerID, _ change: (inout OutboundQueue) -> Result) -> Result? {
        guard let index = peers.index(forKey: peer) else { return nil }
        return withQueue(at: index, change)
    }

    private mutating func withQueue<Result>(at index: Int, _ change: (inout OutboundQueue) -> Result) -> Result {
        // In one access: taking from a queue that is held twice would copy the queue.
        let (result, before, after) = peers.values[index].queue.measured(change)
        queued -= before.load
        queued += after.load
        // What came was reserved before.
        let given = before.load.allAnswers - after.load.allAnswers
        if given > 0 { answerShares.release(given, of: peers.values[index].answers) }
        // The message that has the spare room is the first of its line: once some of that is written, it is.
        let spare = peers.values[index].spareBytes
        let wroteDelivery = after.load.written == 0 && before.load.written > before.load.writtenAnswers
        if spare > 0, wroteDelivery || after.load.messages == 0 {
            spareShares.release(spare, of: peers.values[index].spare)
            peers.values[index].spareBytes = 0
        }
        counts.messagesDroppedForSlowPeers &+= after.dropped &- before.dropped
        return result
    }

    /// Lets a message wait for a peer. False if there is no room for it, in the peer's own queue or in that of all.
    mutating func enqueue(
        _ message: GossipMessage, for peer: PeerID, isAnswer: Bool = false, now: MonotonicInstant
    ) -> Bool {
        let field = message.publishField
        guard let holder = peers[peer]?.answers, peers[peer]?.queue.takes(field.count, isAnswer: isAnswer) == true,
            isAnswer
                ? reserve(field.count, for: holder) : makeRoom(for: field.count) || reserveSpare(field.count, for: peer)
        else { return false }
        return withQueue(of: peer) { $0.push(field, isAnswer: isAnswer, now: now) } == true
    }

    /// What counts against the room for all.
    private var ordinaryBytes: Int { queued.messages - spareShares.reservedBytes }

    /// Where frames to peers that do not read have taken the room for all, one message may go to a peer that waits for nothing:
    /// what is being written cannot be taken back from the others, and this one has done nothing to be left out.
    private mutating func reserveSpare(_ bytes: Int, for peer: PeerID) -> Bool {
        guard let index = peers.index(forKey: peer), peers.values[index].version != nil,
            peers.values[index].queue.isIdle, spareShares.reserve(bytes, for: peers.values[index].spare)
        else { return false }
        peers.values[index].spareBytes += bytes
        return true
    }

    /// Answers take nobody's room, and nobody can take all the room that is theirs: what is being written cannot be taken back
    /// from a peer that does not read.
    private mutating func reserve(_ bytes: Int, for holder: ByteShares.Holder) -> Bool {
        ordinaryBytes + bytes <= limits.maximumQueuedBytesOfAll && answerShares.reserve(bytes, for: holder)
    }

    /// Makes an eighth of the room free if there is none left, so that a flood does not pay for a search with each message.
    /// If that little waits, because most is being written, nothing is dropped for nothing.
    private mutating func makeRoom(for bytes: Int) -> Bool {
        let excess = ordinaryBytes + bytes - limits.maximumQueuedBytesOfAll
        guard excess > 0 else { return true }
        let wanted = excess + limits.maximumQueuedBytesOfAll / 8
        guard queued.answers + queued.deliveries >= wanted else { return false }
        let before = queued.messages
        level(by: min(wanted, queued.answers), of: \.answers) { $0.cutAnswers(to: $1) }
        level(by: wanted - (before - queued.messages), of: \.deliveries) { $0.cutDeliveries(to: $1) }
        return ordinaryBytes + bytes <= limits.maximumQueuedBytesOfAll
    }

    /// How many of so many ids there is room to ask for.
    mutating func roomToAsk(_ ids: Int) -> Int {
        let excess = queued.wanted + ids - limits.maximumWaitingWants
        guard excess > 0 else { return ids }
        level(by: excess + limits.maximumWaitingWants / 8, of: \.wanted) { $0.cutWanted(to: $1) }
        return min(ids, max(0, limits.maximumWaitingWants - queued.wanted))
    }

    /// Takes `excess` from those that hold most, all of them down to one level. Who reads what it gets has its turn to be
    /// written to before the next event, and loses nothing.
    private mutating func level(
        by excess: Int, of amount: KeyPath<OutboundQueue.Load, Int>, cut: (inout OutboundQueue, Int) -> Void
    ) {
        guard excess > 0 else { return }
        let holders = peers.values.enumerated().filter { $0.element.version == nil || $0.element.queue.isWriting }
            .map { (index: $0.offset, amount: $0.element.queue.load[keyPath: amount]) }
            .filter { $0.amount > 0 }.sorted { $0.amount > $1.amount }
        let level = Self.level(of: holders.map(\.amount), giving: excess)
        for holder in holders.prefix(while: { $0.amount > level }) {
            withQueue(at: holder.index) { cut(&$0, level) }
        }
    }

    /// The most that each of these may keep, the largest first, so that together they give `excess`.
    static func level(of amounts: [Int], giving excess: Int) -> Int {
        var sum = 0
        for (index, amount) in amounts.enumerated() {
            sum += amount
            let level = (sum - excess) / (index + 1)
            if sum >= excess, level >= (index + 1 < amounts.count ? amounts[index + 1] : 0) { return level }
        }
        return 0
    }

    /// What waited too long is of no use to anybody any more.
    mutating func giveUpOldMessages(now: MonotonicInstant) {
        guard queued.deliveries + queued.answers > 0 else { return }
        let time = limits.maximumQueuedTime
        for index in peers.elements.indices { withQueue(at: index) { $0.expire(after: time, now: now) } }
    }

    // MARK: - Frames that are not whole yet

    /// Of a frame that the peer has begun so many bytes are kept, and the end is yet to come.
    ///
    /// Call it whenever what has arrived ends within a frame; `received(_:from:now:)` ends the frame.
    /// - Parameter bytes: what is kept in memory for it, `GossipFrameReader.heldBytes`.
    public mutating func frameBegun(_ bytes: Int, from peer: PeerID, now: MonotonicInstant) -> [GossipSubAction] {
        guard let known = peers[peer] else { return [] }
        let begun = known.partialFrame?.begun ?? now
        forgetPartialFrame(of: peer)
        if frameShares.reserve(bytes, for: known.frames) {
            peers[peer]?.partialFrame = PartialFrame(bytes: bytes, begun: begun)
        } else {
            abandonFrame(of: peer)
        }
        return takeActions()
    }

    /// The stream that the peer opened has ended, perhaps within a frame. The peer itself stays.
    public mutating func inboundClosed(from peer: PeerID) { forgetPartialFrame(of: peer) }

    mutating func forgetPartialFrame(of peer: PeerID) {
        guard let known = peers[peer], let frame = known.partialFrame else { return }
        frameShares.release(frame.bytes, of: known.frames)
        peers[peer]?.partialFrame = nil
    }

    private mutating func abandonFrame(of peer: PeerID) {
        forgetPartialFrame(of: peer)
        counts.framesAbandoned &+= 1
        actions.append(.abandonInbound(peer))
    }

    mutating func giveUpSlowFrames(now: MonotonicInstant) {
        guard partialFrameBytes > 0 else { return }
        let time = limits.maximumFrameTime
        let slow = peers.elements.filter { $0.value.partialFrame.map { $0.begun.advanced(by: time) <= now } ?? false }
        for (peer, _) in slow { abandonFrame(of: peer) }
    }
}
