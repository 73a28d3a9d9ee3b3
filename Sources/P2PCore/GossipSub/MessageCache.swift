internal import DequeModule
internal import PeerIdentity

/// The messages of the last heartbeats, to be gossiped about and to answer IWANT from.
///
/// One window per heartbeat; the newest is filled, the oldest dropped at each shift. Bounded by bytes too: past the
/// limit the oldest messages go first.
struct MessageCache: Sendable {
    private struct Entry {
        var message: GossipMessage
        var arrival: MonotonicInstant
        var transmissions: [PeerID: Int] = [:]
    }

    private let gossipWindows: Int
    private let maximumBytes: Int
    private var entries: [MessageID: Entry] = [:]
    /// Newest first.
    private var windows: Deque<Deque<MessageID>>
    private(set) var bytes = 0

    init(windows: Int, gossipWindows: Int, maximumBytes: Int) {
        self.gossipWindows = gossipWindows
        self.maximumBytes = maximumBytes
        self.windows = Deque(repeating: Deque(), count: max(1, windows))
    }

    var count: Int { entries.count }

    mutating func insert(_ message: GossipMessage, now: MonotonicInstant) {
        guard entries[message.id] == nil, message.encoded.count <= maximumBytes else { return }
        while bytes + message.encoded.count > maximumBytes, dropOldest() {}
        entries[message.id] = Entry(message: message, arrival: now)
        windows[0].append(message.id)
        bytes += message.encoded.count
    }

    /// Ids young enough to be advertised and in the cache since `latest`, newest heartbeat first.
    func gossipIDs(topic: String, arrivedBy latest: MonotonicInstant) -> [MessageID] {
        var ids: [MessageID] = []
        for window in windows.prefix(gossipWindows) {
            for id in window {
                guard let entry = entries[id], entry.message.topic == topic, entry.arrival <= latest else { continue }
                ids.append(id)
            }
        }
        return ids
    }

    /// The message for an IWANT, unless the peer had it `limit` times already.
    func message(_ id: MessageID, for peer: PeerID, limit: Int) -> GossipMessage? {
        guard let entry = entries[id], entry.transmissions[peer, default: 0] < limit else { return nil }
        return entry.message
    }

    /// Counts one answer to an IWANT.
    mutating func sent(_ id: MessageID, to peer: PeerID) { entries[id]?.transmissions[peer, default: 0] += 1 }

    mutating func shift() {
        if let oldest = windows.popLast() { for id in oldest { forget(id) } }
        windows.prepend(Deque())
    }

    private mutating func dropOldest() -> Bool {
        for index in windows.indices.reversed() {
            if let id = windows[index].popFirst() {
                forget(id)
                return true
            }
        }
        return false
    }

    private mutating func forget(_ id: MessageID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        bytes -= entry.message.encoded.count
    }
}
