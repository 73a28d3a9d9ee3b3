internal import PeerIdentity

/// Messages that peers advertised and we asked for: whoever does not deliver in time is blamed.
///
/// One id per IWANT is watched, picked at random: enough to catch a liar, little to remember. Bounded; past the limit
/// an IWANT goes unwatched.
struct PromiseBook: Sendable {
    private let limit: Int
    private var promises: [MessageID: [PeerID: MonotonicInstant]] = [:]
    private(set) var count = 0

    init(limit: Int) { self.limit = limit }

    mutating func watch(_ id: MessageID, from peer: PeerID, until deadline: MonotonicInstant) {
        guard count < limit, promises[id]?[peer] == nil else { return }
        promises[id, default: [:]][peer] = deadline
        count += 1
    }

    /// The message came, from whomever: nobody owes it any longer.
    mutating func fulfill(_ id: MessageID) {
        if let kept = promises.removeValue(forKey: id) { count -= kept.count }
    }

    /// One peer did what it said; what came of it is not its fault. The others still owe the message.
    mutating func fulfill(_ id: MessageID, by peer: PeerID) {
        guard promises[id]?.removeValue(forKey: peer) != nil else { return }
        count -= 1
        if promises[id]?.isEmpty == true { promises[id] = nil }
    }

    /// Removes what is overdue and says how many promises each peer broke.
    mutating func takeBroken(now: MonotonicInstant) -> [PeerID: Int] {
        var broken: [PeerID: Int] = [:]
        for (id, peers) in promises {
            let overdue = peers.filter { $0.value <= now }
            guard !overdue.isEmpty else { continue }
            for peer in overdue.keys {
                broken[peer, default: 0] += 1
                promises[id]?[peer] = nil
                count -= 1
            }
            if promises[id]?.isEmpty == true { promises[id] = nil }
        }
        return broken
    }

    /// Forgets a peer that left: a lost connection is no lie.
    mutating func forget(_ peer: PeerID) {
        for (id, peers) in promises where peers[peer] != nil {
            promises[id]?[peer] = nil
            count -= 1
            if promises[id]?.isEmpty == true { promises[id] = nil }
        }
    }
}
