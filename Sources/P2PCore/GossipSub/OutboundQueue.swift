internal import DequeModule
internal import Multiformats
internal import OrderedCollections

/// What waits to be written to one peer.
///
/// Control is kept as state, not as a list: the last word per topic replaces an earlier one, so that it can wait for a
/// slow peer without growing. Messages are a bounded list; what does not fit is dropped, gossip brings it later.
struct OutboundQueue: Sendable {
    enum MeshChange: Hashable, Sendable {
        case graft
        case prune(backoffSeconds: UInt64?)
    }

    /// One write's worth of messages, each already a field of an RPC and shared with the cache and the other peers'
    /// queues.
    struct Batch {
        var fields: [[UInt8]]
        var bytes: Int
        var isAnswer: Bool
    }

    /// Frames are filled up to here when several small messages wait. rust-libp2p takes longer ones, more than 500
    /// messages, and more than 16 KiB of subscriptions and control for garbage, and resets the stream.
    private static let comfortableFrameBytes = 64 << 10
    private static let comfortableControlBytes = 12 << 10
    private static let comfortableMessages = 400
    /// Ids in the IDONTWANT of one RPC: go-libp2p-pubsub reads no more of them. The others wait for the next RPC.
    static let maximumRefusedIDsPerRPC = 10

    private(set) var subscriptions: OrderedDictionary<String, Bool> = [:]
    private(set) var meshChanges: OrderedDictionary<String, MeshChange> = [:]
    private var have: OrderedDictionary<String, [MessageID]> = [:]
    private var want: [MessageID] = []
    private var dontWant: [MessageID] = []
    private(set) var batches = Deque<Batch>()
    private(set) var messageBytes = 0
    private let maximumBatches: Int
    private let maximumBytes: Int
    private let maximumFrameBytes: Int
    private let maximumIDs: Int
    /// A frame is being written; the next waits for its end.
    var isWriting = false

    init(limits: GossipSubLimits) {
        maximumBatches = limits.maximumQueuedRPCs
        maximumBytes = limits.maximumQueuedBytes
        maximumFrameBytes = limits.maximumFrameBytes
        maximumIDs = limits.maximumWantedIDsPerHeartbeat
    }

    var isEmpty: Bool {
        batches.isEmpty && meshChanges.isEmpty && subscriptions.isEmpty && have.isEmpty && want.isEmpty
            && dontWant.isEmpty
    }

    /// A new stream begins: control is said anew, messages still wait.
    mutating func restart() {
        subscriptions = [:]
        meshChanges = [:]
        have = [:]
        want = []
        dontWant = []
        isWriting = false
    }

    /// There is something to write, and nothing being written.
    var isReady: Bool { !isWriting && !isEmpty }

    mutating func announce(_ topic: String, subscribes: Bool) { subscriptions[topic] = subscribes }

    mutating func change(_ topic: String, _ change: MeshChange) { meshChanges[topic] = change }

    mutating func advertise(_ topic: String, _ ids: [MessageID]) { have[topic] = ids }

    mutating func ask(_ ids: [MessageID]) { want += ids.prefix(max(0, maximumIDs - want.count)) }

    mutating func refuse(_ id: MessageID) { if dontWant.count < maximumIDs { dontWant.append(id) } }

    /// False if there is no room: the message is dropped for this peer. Small messages share an RPC, so that a burst of
    /// them fits; those of an answer to IWANT, which may be many, are bounded by their bytes alone.
    mutating func push(_ field: [UInt8], isAnswer: Bool = false) -> Bool {
        guard field.count <= maximumFrameBytes, batches.isEmpty || messageBytes + field.count <= maximumBytes else {
            return false
        }
        if let last = batches.last?.bytes, last + field.count <= Self.comfortableFrameBytes,
            let count = batches.last?.fields.count, count < Self.comfortableMessages
        {
            batches[batches.count - 1].fields.append(field)
            batches[batches.count - 1].bytes += field.count
        } else {
            guard isAnswer || batches.count(where: { !$0.isAnswer }) < maximumBatches else { return false }
            batches.append(Batch(fields: [field], bytes: field.count, isAnswer: isAnswer))
        }
        messageBytes += field.count
        return true
    }

    /// Takes the next frame: control first, then as many messages as fit. Nil if nothing waits.
    mutating func nextFrame() -> [UInt8]? {
        guard !isEmpty else { return nil }
        var rpc = ProtobufWriter()
        takeSubscriptions(into: &rpc)
        takeControl(into: &rpc)
        var fields: [[UInt8]] = []
        var size = rpc.bytes.count
        while let batch = batches.first, size == 0 || size + batch.bytes <= Self.comfortableFrameBytes,
            fields.isEmpty || fields.count + batch.fields.count <= Self.comfortableMessages
        {
            batches.removeFirst()
            messageBytes -= batch.bytes
            size += batch.bytes
            fields += batch.fields
        }
        var frame: [UInt8] = []
        frame.reserveCapacity(size + 4)
        Varint.append(UInt64(size), to: &frame)
        frame += rpc.bytes
        for field in fields { frame += field }
        return frame
    }

    private mutating func takeSubscriptions(into rpc: inout ProtobufWriter) {
        var taken = 0
        for (topic, subscribes) in subscriptions {
            if taken > 0, rpc.bytes.count + topic.utf8.count > Self.comfortableControlBytes { break }
            rpc.append(1, message: GossipRPC.encode(.init(subscribes: subscribes, topic: topic)))
            taken += 1
        }
        subscriptions.removeFirst(taken)
    }

    private mutating func takeControl(into rpc: inout ProtobufWriter) {
        let room = Self.comfortableControlBytes - rpc.bytes.count
        var control = ProtobufWriter()
        while let (topic, ids) = have.elements.first {
            let fitting = Self.fitting(ids, in: room - control.bytes.count - topic.utf8.count - 8)
            guard !fitting.isEmpty || ids.isEmpty else { break }
            control.append(1, message: GossipRPC.encode(.init(topic: topic, ids: Array(fitting))))
            have[topic] = fitting.count < ids.count ? Array(ids.dropFirst(fitting.count)) : nil
        }
        let asked = Self.fitting(want, in: room - control.bytes.count - 4)
        if !asked.isEmpty {
            control.append(2, message: GossipRPC.encode(ids: asked))
            want.removeFirst(asked.count)
        }
        var taken = 0
        for (topic, change) in meshChanges {
            guard control.bytes.count <= room else { break }
            switch change {
            case .graft: control.append(3, message: GossipRPC.encode(graft: topic))
            case .prune(let seconds):
                control.append(4, message: GossipRPC.encode(.init(topic: topic, backoffSeconds: seconds)))
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
