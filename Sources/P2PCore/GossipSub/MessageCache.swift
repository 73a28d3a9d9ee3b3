internal import DequeModule
internal import PeerIdentity

/// The messages of the last heartbeats, to be gossiped about and to answer IWANT from.
///
/// One window per heartbeat; the newest is filled, the oldest dropped at each shift. Bounded by bytes too, as they are in memory
/// and not as they travel: past the limit the oldest messages go first.
struct MessageCache: Sendable {
    private struct Entry {
        var message: GossipMessage
        var transmissions: [PeerID: Int] = [:]
    }

    /// What came within one heartbeat, in order.
    private struct Window {
        var ids = Deque<MessageID>()
        var byTopic: [TopicName: Deque<GossipOffer.Arrival>] = [:]
    }

    /// What a message takes beside its bytes: its entry in the table, which is a third to two thirds empty; its author and id,
    /// each an array of its own; its places in the windows. Counted from the layout of the types.
    static let bytesPerMessage = 640
    /// What it takes to remember that a peer has been sent a message.
    static let bytesPerTransmission = 64

    private let gossipWindows: Int
    private let maximumBytes: Int
    private var entries: [MessageID: Entry] = [:]
    /// Newest first.
    private var windows: Deque<Window>
    private(set) var bytes = 0

    init(windows: Int, gossipWindows: Int, maximumBytes: Int) {
        self.gossipWindows = gossipWindows
        self.maximumBytes = maximumBytes
        self.windows = Deque(repeating: Window(), count: max(1, windows))
    }

    var count: Int { entries.count }

    mutating func insert(_ message: GossipMessage, now: MonotonicInstant) {
        let cost = message.encoded.count + Self.bytesPerMessage
        guard entries[message.id] == nil, cost <= maximumBytes else { return }
        while bytes + cost > maximumBytes, dropOldest() {}
        entries[message.id] = Entry(message: message)
        windows[0].ids.append(message.id)
        let last = windows[0].byTopic[message.topicName]?.last?.time ?? now
        windows[0].byTopic[message.topicName, default: Deque()].append(.init(id: message.id, time: max(last, now)))
        bytes += cost
    }

    /// The messages of a topic that are young enough to be advertised. Nothing is looked at or copied for it but the windows.
    func offer(of topic: TopicName) -> GossipOffer {
        GossipOffer(windows: windows.prefix(gossipWindows).compactMap { $0.byTopic[topic] })
    }

    /// The message for an IWANT, unless the peer had it `limit` times already.
    func message(_ id: MessageID, for peer: PeerID, limit: Int) -> GossipMessage? {
        guard let entry = entries[id], entry.transmissions[peer, default: 0] < limit else { return nil }
        return entry.message
    }

    /// Counts one answer to an IWANT.
    mutating func sent(_ id: MessageID, to peer: PeerID) {
        guard let times = entries[id].map({ $0.transmissions[peer] ?? 0 }) else { return }
        entries[id]?.transmissions[peer] = times + 1
        guard times == 0 else { return }
        bytes += Self.bytesPerTransmission
        while bytes > maximumBytes, dropOldest() {}
    }

    mutating func shift() {
        if let oldest = windows.popLast() { for id in oldest.ids { forget(id) } }
        windows.prepend(Window())
    }

    private mutating func dropOldest() -> Bool {
        for index in windows.indices.reversed() {
            guard let id = windows[index].ids.popFirst() else { continue }
            // The oldest of the window is the oldest of its topic there.
            if let topic = entries[id]?.message.topicName {
                windows[index].byTopic[topic]?.removeFirst()
                if windows[index].byTopic[topic]?.isEmpty == true { windows[index].byTopic[topic] = nil }
            }
            forget(id)
            return true
        }
        return false
    }

    private mutating func forget(_ id: MessageID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        bytes -= entry.message.encoded.count + Self.bytesPerMessage
        bytes -= entry.transmissions.count * Self.bytesPerTransmission
    }
}
