internal import PeerIdentity

/// Messages that peers advertised and we asked for: whoever does not deliver in time is blamed.
///
/// One id per answered IHAVE is watched, picked at random: enough to catch a liar, little to remember. The time runs from the
/// moment when our IWANT is written: until then nobody can have read it. Bounded; past the limit an IWANT goes unwatched.
struct PromiseBook: Sendable {
    private let limit: Int
    /// What each peer has been asked for, and until when it may come.
    private var owed: [PeerID: [MessageID: MonotonicInstant]] = [:]
    /// What the frame asks for that is being written to the peer.
    private var unwritten: [PeerID: [MessageID]] = [:]
    /// The peers in either of the two, by message.
    private var debtors: [MessageID: Set<PeerID>] = [:]
    private(set) var count = 0

    init(limit: Int) { self.limit = limit }

    /// A frame that asks the peer for this has been handed out.
    mutating func watch(_ id: MessageID, from peer: PeerID) {
        guard count < limit, debtors[id]?.contains(peer) != true else { return }
        debtors[id, default: []].insert(peer)
        unwritten[peer, default: []].append(id)
        count += 1
    }

    /// The frame handed out last is written: the peer has until `deadline`.
    mutating func written(to peer: PeerID, until deadline: MonotonicInstant) {
        for id in unwritten.removeValue(forKey: peer) ?? [] { owed[peer, default: [:]][id] = deadline }
    }

    /// The frame handed out last will not be written whole: what it asks for nobody owes.
    mutating func notWritten(to peer: PeerID) {
        for id in unwritten.removeValue(forKey: peer) ?? [] { release(peer, from: id) }
    }

    /// The message came, from whomever: nobody owes it any longer.
    mutating func fulfill(_ id: MessageID) {
        for peer in debtors.removeValue(forKey: id) ?? [] { forget(id, of: peer) }
    }

    /// One peer did what it said; what came of it is not its fault. The others still owe the message.
    mutating func fulfill(_ id: MessageID, by peer: PeerID) {
        guard debtors[id]?.remove(peer) != nil else { return }
        if debtors[id]?.isEmpty == true { debtors[id] = nil }
        forget(id, of: peer)
    }

    /// Removes what is overdue and says how many promises each peer broke.
    mutating func takeBroken(now: MonotonicInstant) -> [PeerID: Int] {
        var broken: [PeerID: Int] = [:]
        for (peer, promises) in owed {
            let overdue = promises.filter { $0.value <= now }
            guard !overdue.isEmpty else { continue }
            broken[peer] = overdue.count
            for id in overdue.keys {
                owed[peer]?[id] = nil
                release(peer, from: id)
            }
            if owed[peer]?.isEmpty == true { owed[peer] = nil }
        }
        return broken
    }

    /// Forgets what a peer owes: a lost connection is no lie.
    mutating func forget(_ peer: PeerID) {
        notWritten(to: peer)
        for id in (owed.removeValue(forKey: peer) ?? [:]).keys { release(peer, from: id) }
    }

    /// The message is owed by this peer no longer; it stands among its own promises no more.
    private mutating func release(_ peer: PeerID, from id: MessageID) {
        guard debtors[id]?.remove(peer) != nil else { return }
        if debtors[id]?.isEmpty == true { debtors[id] = nil }
        count -= 1
    }

    /// The other half: the peer stands among the message's debtors no more.
    private mutating func forget(_ id: MessageID, of peer: PeerID) {
        count -= 1
        if owed[peer]?.removeValue(forKey: id) != nil {
            if owed[peer]?.isEmpty == true { owed[peer] = nil }
        } else {
            unwritten[peer]?.removeAll { $0 == id }
            if unwritten[peer]?.isEmpty == true { unwritten[peer] = nil }
        }
    }
}
