internal import PeerIdentity

/// Until when which peer stays out of which mesh.
///
/// Bounded: when full, those of peers that are gone make room, and then those that end first. They outlive the peer, for whoever
/// comes back at once has not waited; but new identities cost a stranger nothing, and must not displace those of peers that stay.
struct BackoffTable: Sendable {
    struct Entry: Sendable {
        var start: MonotonicInstant
        var end: MonotonicInstant
        /// The peer is connected no longer.
        var isOfGone = false
    }

    private struct Key: Hashable {
        var topic: TopicName
        var peer: PeerID
    }

    private let limit: Int
    private var entries: [Key: Entry] = [:]

    init(limit: Int) { self.limit = max(1, limit) }

    var count: Int { entries.count }

    func entry(topic: TopicName, peer: PeerID) -> Entry? { entries[Key(topic: topic, peer: peer)] }

    /// True until the back-off and the slack beyond it are over.
    func blocks(topic: TopicName, peer: PeerID, slack: Duration, now: MonotonicInstant) -> Bool {
        guard let entry = entry(topic: topic, peer: peer) else { return false }
        return now < entry.end.advanced(by: slack)
    }

    /// Starts a back-off; one that ends later already stays.
    mutating func set(topic: TopicName, peer: PeerID, duration: Duration, now: MonotonicInstant) {
        let key = Key(topic: topic, peer: peer)
        let end = now.advanced(by: duration)
        if let known = entries[key], known.end >= end {
            entries[key]?.isOfGone = false
            return
        }
        if entries[key] == nil, entries.count >= limit { evict() }
        entries[key] = Entry(start: now, end: end)
    }

    /// A peer is connected no longer.
    mutating func left(_ peer: PeerID, topics: some Sequence<TopicName>) {
        for topic in topics { entries[Key(topic: topic, peer: peer)]?.isOfGone = true }
    }

    /// It is connected again.
    mutating func returned(_ peer: PeerID, topics: some Sequence<TopicName>) {
        for topic in topics { entries[Key(topic: topic, peer: peer)]?.isOfGone = false }
    }

    mutating func expire(slack: Duration, now: MonotonicInstant) {
        entries = entries.filter { now < $0.value.end.advanced(by: slack) }
    }

    /// Frees a sixteenth at once, so that a flood at the limit does not search the table at every entry.
    private mutating func evict() {
        let doomed = entries.sorted {
            if $0.value.isOfGone != $1.value.isOfGone { return $0.value.isOfGone }
            return $0.value.end == $1.value.end ? $0.key.peer < $1.key.peer : $0.value.end < $1.value.end
        }.prefix(max(1, limit / 16))
        for (key, _) in doomed { entries[key] = nil }
    }
}
