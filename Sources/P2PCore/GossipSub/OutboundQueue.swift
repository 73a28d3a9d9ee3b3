internal import Multiformats
internal import OrderedCollections

/// What waits to be written to one peer.
///
/// Control is kept as state, not as a list: the last word per topic replaces an earlier one, so that it can wait for a
/// slow peer without growing. Messages are bounded lists; what does not fit is dropped, gossip brings it later. What the
/// peer gets unasked goes before answers to its IWANTs, and takes their room.
struct OutboundQueue: Sendable {
    enum MeshChange: Hashable, Sendable {
        case graft
        case prune(backoffSeconds: UInt64?)
    }

    /// What one queue, or all of them together, hold of what is bounded for all.
    struct Load: Hashable, Sendable {
        /// Bytes of messages that wait, answers to IWANT not counted.
        var deliveries = 0
        /// Bytes of answers to IWANT that wait.
        var answers = 0
        /// Bytes of messages, answers included, in the frame that is being written.
        var written = 0
        /// Bytes of answers in that frame.
        var writtenAnswers = 0
        /// Ids that the peer is yet to be asked for.
        var wanted = 0

        /// Bytes of all messages.
        var messages: Int { deliveries + answers + written }
        /// Bytes of all answers.
        var allAnswers: Int { answers + writtenAnswers }

        static func += (left: inout Load, right: Load) {
            left.deliveries += right.deliveries
            left.answers += right.answers
            left.written += right.written
            left.writtenAnswers += right.writtenAnswers
            left.wanted += right.wanted
        }

        static func -= (left: inout Load, right: Load) {
            left.deliveries -= right.deliveries
            left.answers -= right.answers
            left.written -= right.written
            left.writtenAnswers -= right.writtenAnswers
            left.wanted -= right.wanted
        }
    }

    /// One write.
    struct Frame: Sendable {
        /// Length included.
        var bytes: [UInt8]
        /// Of the ids that it asks for, those to be watched.
        var watched: [MessageID]
    }

    private static let comfortableControlBytes = 12 << 10
    /// Ids in the IDONTWANT of one RPC: go-libp2p-pubsub reads no more of them. The others wait for the next RPC.
    static let maximumRefusedIDsPerRPC = 10

    /// Topics that the peer may believe we follow: named to it, and not taken back in a frame that is written.
    private(set) var told: OrderedSet<TopicName> = []
    /// Those that the frame takes back that is being written.
    private var takenBack: [TopicName] = []
    private let maximumTold: Int
    private(set) var subscriptions: OrderedDictionary<TopicName, Bool> = [:]
    private(set) var meshChanges: OrderedDictionary<TopicName, MeshChange> = [:]
    private var have: OrderedDictionary<TopicName, [MessageID]> = [:]
    private var want: [MessageID] = []
    /// Of these the ones whose coming is to be watched once they are asked for.
    private var watched: Set<MessageID> = []
    private var dontWant: [MessageID] = []
    private(set) var deliveries: MessageLine
    private(set) var answers = MessageLine()
    private var written = (all: 0, answers: 0)
    private let maximumBytes: Int
    private let maximumFrameBytes: Int
    private let maximumIDs: Int
    /// A frame is being written; the next waits for its end.
    private(set) var isWriting = false
    /// Messages dropped after they had been taken in.
    private(set) var dropped: UInt64 = 0

    init(limits: GossipSubLimits) {
        deliveries = MessageLine(maximumBatches: limits.maximumQueuedRPCs)
        maximumBytes = limits.maximumQueuedBytes
        maximumFrameBytes = limits.maximumFrameBytes
        maximumIDs = limits.maximumWantedIDsPerHeartbeat
        maximumTold = 2 * limits.maximumJoinedTopics.clamped(to: 1...10_000)
    }

    var isEmpty: Bool {
        deliveries.isEmpty && answers.isEmpty && meshChanges.isEmpty && subscriptions.isEmpty && have.isEmpty
            && want.isEmpty && dontWant.isEmpty
    }

    /// No message waits, and nothing is being written.
    var isIdle: Bool { !isWriting && messageBytes == 0 }

    /// Bytes of messages that wait.
    var messageBytes: Int { deliveries.bytes + answers.bytes }

    var load: Load {
        Load(
            deliveries: deliveries.bytes, answers: answers.bytes, written: written.all, writtenAnswers: written.answers,
            wanted: want.count)
    }

    /// Makes a change, and says what was so before and after it.
    mutating func measured<Result>(
        _ change: (inout OutboundQueue) -> Result
    ) -> (result: Result, before: (load: Load, dropped: UInt64), after: (load: Load, dropped: UInt64)) {
        let before = (load, dropped)
        let result = change(&self)
        return (result, before, (load, dropped))
    }

    /// No stream, or a new one: control is said anew, and the peer asks anew for what it still wants. What it is to get
    /// unasked still waits.
    mutating func restart() {
        // Whether that was read nobody knows, so it is `told` still.
        takenBack = []
        subscriptions = [:]
        meshChanges = [:]
        have = [:]
        want = []
        watched = []
        dontWant = []
        drop { $0.answers.drop(to: 0) }
        wrote()
    }

    /// The frame that was taken last is written, or never will be.
    mutating func wrote() {
        isWriting = false
        written = (0, 0)
        for topic in takenBack { told.remove(topic) }
        takenBack = []
    }

    /// There is something to write, and nothing being written.
    var isReady: Bool { !isWriting && !isEmpty }

    mutating func announce(_ topic: TopicName, subscribes: Bool) { subscriptions[topic] = subscribes }

    mutating func change(_ topic: TopicName, _ change: MeshChange) { meshChanges[topic] = change }

    mutating func advertise(_ topic: TopicName, _ ids: [MessageID]) { have[topic] = ids }

    /// - Returns: the ids for which there was room; nobody is asked for the others.
    mutating func ask(_ ids: [MessageID]) -> ArraySlice<MessageID> {
        let asked = ids.prefix(max(0, maximumIDs - want.count))
        want += asked
        return asked
    }

    /// The frame that asks for this id says so. It is one that waits to be asked for.
    mutating func watch(_ id: MessageID) { watched.insert(id) }

    /// What waits to be asked for is asked for, but not watched.
    mutating func unwatch() { watched = [] }

    mutating func refuse(_ id: MessageID) { if dontWant.count < maximumIDs { dontWant.append(id) } }

    /// Whether `push` would take a message of so many bytes. An answer needs room beside all that waits, any other
    /// message only beside those of its kind.
    func takes(_ size: Int, isAnswer: Bool) -> Bool {
        let waiting = isAnswer ? messageBytes : deliveries.bytes
        return size <= maximumFrameBytes && (waiting == 0 || waiting + size <= maximumBytes)
            && (isAnswer || deliveries.takes(size))
    }

    /// False if there is no room: the message is dropped for this peer. Answers to IWANT, which may be many, are bounded by
    /// their bytes alone.
    mutating func push(_ field: [UInt8], isAnswer: Bool = false, now: MonotonicInstant) -> Bool {
        guard takes(field.count, isAnswer: isAnswer) else { return false }
        guard !isAnswer else {
            answers.append(field, now: now)
            return true
        }
        let room = max(0, maximumBytes - deliveries.bytes - field.count)
        drop { $0.answers.drop(to: room) }
        deliveries.append(field, now: now)
        return true
    }

    /// Gives up the oldest messages, so that no more bytes than this of their kind wait.
    mutating func cutDeliveries(to level: Int) { drop { $0.deliveries.drop(to: level) } }

    mutating func cutAnswers(to level: Int) { drop { $0.answers.drop(to: level) } }

    /// Asks for no more ids than this; others may offer the rest.
    mutating func cutWanted(to level: Int) {
        guard want.count > level else { return }
        for id in want.suffix(want.count - level) { watched.remove(id) }
        want.removeLast(want.count - level)
    }

    /// Gives up messages that have waited so long.
    mutating func expire(after time: Duration, now: MonotonicInstant) {
        drop { $0.deliveries.drop(after: time, now: now) + $0.answers.drop(after: time, now: now) }
    }

    private mutating func drop(_ body: (inout OutboundQueue) -> Int) {
        let count = body(&self)
        dropped &+= UInt64(count)
    }

    /// Takes the next frame: control first, then as many messages as fit. Nil if nothing waits.
    mutating func nextFrame() -> Frame? {
        guard !isEmpty else { return nil }
        var rpc = ProtobufWriter()
        takeSubscriptions(into: &rpc)
        let watched = takeControl(into: &rpc)
        var fields: [[UInt8]] = []
        var size = rpc.bytes.count
        deliveries.take(into: &fields, size: &size)
        let answersBegin = size
        answers.take(into: &fields, size: &size)
        written = (size - rpc.bytes.count, size - answersBegin)
        isWriting = true
        var frame: [UInt8] = []
        frame.reserveCapacity(size + 4)
        Varint.append(UInt64(size), to: &frame)
        frame += rpc.bytes
        for field in fields { frame += field }
        return Frame(bytes: frame, watched: watched)
    }

    private mutating func takeSubscriptions(into rpc: inout ProtobufWriter) {
        var taken = 0
        for (topic, subscribes) in subscriptions {
            if taken > 0, rpc.bytes.count + topic.bytes > Self.comfortableControlBytes { break }
            rpc.append(1, message: GossipRPC.encode(.init(subscribes: subscribes, topic: topic.text)))
            if subscribes { told.append(topic) } else { takenBack.append(topic) }
            taken += 1
        }
        subscriptions.removeFirst(taken)
        // Only who joins and leaves ever new topics, on streams that die, comes here. The oldest are forgotten.
        if told.count > maximumTold { told.removeFirst(told.count - maximumTold) }
    }

    /// - Returns: the watched ones among the ids that are asked for.
    private mutating func takeControl(into rpc: inout ProtobufWriter) -> [MessageID] {
        let room = Self.comfortableControlBytes - rpc.bytes.count
        var control = ProtobufWriter()
        while let (topic, ids) = have.elements.first {
            let fitting = Self.fitting(ids, in: room - control.bytes.count - topic.bytes - 8)
            guard !fitting.isEmpty || ids.isEmpty else { break }
            control.append(1, message: GossipRPC.encode(.init(topic: topic.text, ids: Array(fitting))))
            have[topic] = fitting.count < ids.count ? Array(ids.dropFirst(fitting.count)) : nil
        }
        let asked = Self.fitting(want, in: room - control.bytes.count - 4)
        if !asked.isEmpty {
            control.append(2, message: GossipRPC.encode(ids: asked))
            want.removeFirst(asked.count)
        }
        let toWatch = watched.isEmpty ? [] : asked.filter { watched.remove($0) != nil }
        var taken = 0
        for (topic, change) in meshChanges {
            guard control.bytes.count <= room else { break }
            switch change {
            case .graft: control.append(3, message: GossipRPC.encode(graft: topic.text))
            case .prune(let seconds):
                control.append(4, message: GossipRPC.encode(.init(topic: topic.text, backoffSeconds: seconds)))
            }
            taken += 1
        }
        meshChanges.removeFirst(taken)
        if !dontWant.isEmpty, control.bytes.count <= room {
            let ids = Array(dontWant.prefix(Self.maximumRefusedIDsPerRPC))
            control.append(5, message: GossipRPC.encode(ids: ids))
            dontWant.removeFirst(ids.count)
        }
        if !control.bytes.isEmpty { rpc.append(3, message: control) }
        return toWatch
    }

    /// The first ids that take no more room than there is, each with its tag and length.
    private static func fitting(_ ids: [MessageID], in room: Int) -> ArraySlice<MessageID> {
        var left = room
        return ids.prefix {
            left -= $0.bytes.count + 3
            return left >= 0
        }
    }
}
