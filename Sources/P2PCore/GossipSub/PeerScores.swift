internal import Multiformats
internal import OrderedCollections
internal import PeerIdentity

/// What is remembered of each peer's conduct, and the score it adds up to.
///
/// Holds the connected peers and at most `retainedLimit` departed ones with a bad name; then the one whose record ends
/// first is forgotten. What the application thinks of peers is held apart, connected or not, of as many as `opinionLimit`: then
/// the oldest opinion is forgotten.
struct PeerScores: Sendable {
    private struct TopicRecord {
        var graftedAt: MonotonicInstant?
        var secondsInMesh = 0.0
        var firstDeliveries = 0.0
        var meshDeliveries = 0.0
        var meshDeliveriesActive = false
        var meshFailures = 0.0
        var invalidMessages = 0.0
    }

    private struct Record {
        var isConnected = true
        var expiry = MonotonicInstant.zero
        /// Ordered, so that sums do not depend on hashing.
        var topics: OrderedDictionary<TopicName, TopicRecord> = [:]
        /// Invalid messages whose topic could not even be read.
        var malformedMessages = 0.0
        var breaches = 0.0
        /// Addresses that are probably in one hand.
        var address: AddressScope?
    }

    let scoring: GossipSubScoring
    private let retainedLimit: Int
    private let opinionLimit: Int
    private var records: [PeerID: Record] = [:]
    private var colocated: [AddressScope: Int] = [:]
    private var retained = 0
    /// P5, in the order in which they were first given.
    private var opinions: OrderedDictionary<PeerID, Double> = [:]

    init(scoring: GossipSubScoring, retainedLimit: Int, opinionLimit: Int) {
        self.scoring = scoring
        self.retainedLimit = retainedLimit
        self.opinionLimit = opinionLimit
    }

    mutating func connect(_ peer: PeerID, address: IPAddress?) {
        if records[peer]?.isConnected == false { retained -= 1 }
        var record = records[peer] ?? Record()
        if record.isConnected, let group = record.address { release(group) }
        record.isConnected = true
        record.address = address.flatMap(Self.group)
        if let group = record.address { colocated[group, default: 0] += 1 }
        records[peer] = record
    }

    /// Forgets a peer that did nothing bad; keeps a bad name for a while, so that reconnecting does not wash it off.
    mutating func disconnect(_ peer: PeerID, now: MonotonicInstant) {
        guard var record = records[peer], record.isConnected else { return }
        if let group = record.address { release(group) }
        record.address = nil
        for topic in record.topics.keys {
            record.topics[topic] = leavingMesh(record.topics[topic])
            record.topics[topic]?.firstDeliveries = 0
            record.topics[topic]?.secondsInMesh = 0
        }
        records[peer] = record
        guard conduct(of: peer) < 0, retainedLimit > 0 else {
            records[peer] = nil
            return
        }
        if retained >= retainedLimit { forgetOldest() }
        record.isConnected = false
        record.expiry = now.advanced(by: scoring.retention)
        records[peer] = record
        retained += 1
    }

    mutating func grafted(_ peer: PeerID, topic: TopicName, now: MonotonicInstant) {
        guard records[peer] != nil else { return }
        records[peer]?.topics[topic, default: TopicRecord()].graftedAt = now
        records[peer]?.topics[topic]?.secondsInMesh = 0
        records[peer]?.topics[topic]?.meshDeliveriesActive = false
    }

    mutating func pruned(_ peer: PeerID, topic: TopicName) {
        guard let known = records[peer]?.topics[topic] else { return }
        let left = leavingMesh(known)
        records[peer]?.topics[topic] = left
    }

    mutating func deliveredFirst(_ peer: PeerID, topic: TopicName) {
        guard records[peer] != nil else { return }
        let count = records[peer]?.topics[topic]?.firstDeliveries ?? 0
        let raised = min(count + 1, scoring.firstDeliveryCap)
        records[peer]?.topics[topic, default: TopicRecord()].firstDeliveries = raised
        deliveredInMesh(peer, topic: topic)
    }

    /// A further copy that came in time.
    mutating func deliveredInMesh(_ peer: PeerID, topic: TopicName) {
        guard scoring.meshDeliveryWeight != 0, let record = records[peer]?.topics[topic], record.graftedAt != nil else {
            return
        }
        records[peer]?.topics[topic]?.meshDeliveries = min(record.meshDeliveries + 1, scoring.meshDeliveryCap)
    }

    mutating func rejected(_ peer: PeerID, topic: TopicName?) {
        guard records[peer] != nil else { return }
        if let topic {
            records[peer]?.topics[topic, default: TopicRecord()].invalidMessages += 1
        } else {
            records[peer]?.malformedMessages += 1
        }
    }

    mutating func breached(_ peer: PeerID, by count: Int = 1) { records[peer]?.breaches += Double(count) }

    /// 0 takes an opinion back.
    mutating func setApplicationScore(_ peer: PeerID, _ score: Double) {
        guard score != 0, opinionLimit > 0 else {
            opinions[peer] = nil
            return
        }
        // A sixteenth at once, since taking from the front moves all others.
        if opinions[peer] == nil, opinions.count >= opinionLimit { opinions.removeFirst(max(1, opinionLimit / 16)) }
        opinions[peer] = score
    }

    func score(_ peer: PeerID) -> Double { conduct(of: peer) + scoring.applicationWeight * opinions[peer, default: 0] }

    /// The score without what the application thinks.
    private func conduct(of peer: PeerID) -> Double {
        guard let record = records[peer] else { return 0 }
        var total = 0.0
        for topic in record.topics.values { total += topicScore(topic) }
        total = min(total, scoring.topicScoreCap)
        total += scoring.invalidMessageWeight * record.malformedMessages * record.malformedMessages
        if let group = record.address {
            let surplus = Double((colocated[group] ?? 0) - scoring.colocationThreshold)
            if surplus > 0 { total += scoring.colocationWeight * surplus * surplus }
        }
        let breaches = record.breaches - scoring.behaviourThreshold
        if breaches > 0 { total += scoring.behaviourWeight * breaches * breaches }
        return total
    }

    /// Once a second: counters fade, time in the mesh counts, old records go.
    mutating func decay(now: MonotonicInstant) {
        for peer in Array(records.keys) {
            guard let record = records[peer] else { continue }
            guard record.isConnected else {
                if record.expiry <= now {
                    records[peer] = nil
                    retained -= 1
                }
                continue
            }
            records[peer] = decayed(record, now: now)
        }
    }

    private func decayed(_ known: Record, now: MonotonicInstant) -> Record {
        var record = known
        record.breaches = fade(record.breaches, scoring.behaviourDecay)
        record.malformedMessages = fade(record.malformedMessages, scoring.invalidMessageDecay)
        for index in record.topics.elements.indices {
            record.topics.values[index] = decayed(record.topics.values[index], now: now)
        }
        return record
    }

    private func decayed(_ known: TopicRecord, now: MonotonicInstant) -> TopicRecord {
        var topic = known
        topic.firstDeliveries = fade(topic.firstDeliveries, scoring.firstDeliveryDecay)
        topic.meshDeliveries = fade(topic.meshDeliveries, scoring.meshDeliveryDecay)
        topic.meshFailures = fade(topic.meshFailures, scoring.meshFailureDecay)
        topic.invalidMessages = fade(topic.invalidMessages, scoring.invalidMessageDecay)
        if let start = topic.graftedAt {
            let time = start.duration(to: now)
            topic.secondsInMesh = Double(time.components.seconds)
            if time >= scoring.meshDeliveryActivation { topic.meshDeliveriesActive = true }
        }
        return topic
    }

    private func topicScore(_ topic: TopicRecord) -> Double {
        var score = scoring.firstDeliveryWeight * topic.firstDeliveries
        if topic.graftedAt != nil {
            score += scoring.timeInMeshWeight * min(topic.secondsInMesh, scoring.timeInMeshCap)
            let deficit = missingDeliveries(topic)
            score += scoring.meshDeliveryWeight * deficit * deficit
        }
        score += scoring.meshFailureWeight * topic.meshFailures
        score += scoring.invalidMessageWeight * topic.invalidMessages * topic.invalidMessages
        return score
    }

    private func missingDeliveries(_ topic: TopicRecord) -> Double {
        topic.meshDeliveriesActive ? max(0, scoring.meshDeliveryThreshold - topic.meshDeliveries) : 0
    }

    private func leavingMesh(_ known: TopicRecord?) -> TopicRecord {
        var topic = known ?? TopicRecord()
        guard topic.graftedAt != nil else { return topic }
        let deficit = missingDeliveries(topic)
        topic.meshFailures += deficit * deficit
        topic.graftedAt = nil
        topic.meshDeliveriesActive = false
        return topic
    }

    private func fade(_ value: Double, _ factor: Double) -> Double {
        let faded = value * factor
        return faded < scoring.decayToZero ? 0 : faded
    }

    private mutating func release(_ group: AddressScope) {
        guard let count = colocated[group] else { return }
        colocated[group] = count > 1 ? count - 1 : nil
    }

    private mutating func forgetOldest() {
        let departed = records.filter { !$0.value.isConnected }
        guard
            let oldest = departed.min(by: {
                $0.value.expiry == $1.value.expiry ? $0.key < $1.key : $0.value.expiry < $1.value.expiry
            })
        else { return }
        records[oldest.key] = nil
        retained -= 1
    }

    private static func group(_ address: IPAddress) -> AddressScope? { address.isPublic ? .host(address) : nil }
}
