import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

/// One router under test, driven by hand: what strangers say goes in as RPCs, what it writes comes out decoded.
struct RouterBench {
    var router: GossipSub
    var now = MonotonicInstant.zero
    /// What was written to each peer since `takeSent(to:)`.
    var sent: [PeerID: [GossipRPC]] = [:]
    var delivered: [GossipMessage] = []
    var toVerify: [(ticket: GossipTicket, message: GossipMessage)] = []
    var toValidate: [(ticket: GossipTicket, message: GossipMessage)] = []
    /// The meshes, from what the router told of them.
    var toldMeshes: [String: Set<PeerID>] = [:]
    /// Why peers were pruned, in order.
    var toldReasons: [PruneReason] = []
    var otherActions: [GossipSubAction] = []
    /// Peers whose writes do not end until `finishWrite(to:)`.
    var stalled: Set<PeerID> = []
    /// Answer `.verify` at once with the truth that `forged` tells.
    var verifiesAtOnce = true
    var forged: Set<MessageID> = []

    static let key = testKey(1)

    init(
        parameters: GossipSubParameters = .init(), limits: GossipSubLimits = .init(),
        scoring: GossipSubScoring = .init(),
        direct: [PeerID] = []
    ) {
        router = GossipSub(
            localPeer: Self.key.peerID, parameters: parameters, limits: limits, scoring: scoring, directPeers: direct,
            random: SeededGenerator(seed: 7), now: .zero)
    }

    mutating func perform(_ actions: [GossipSubAction]) {
        for action in actions {
            switch action {
            case .send(let peer, let frame):
                do {
                    var reader = ByteReader(frame)
                    let length = try reader.readVarint()
                    #expect(Int(length) == reader.remaining.count)
                    var unlimited = GossipSubLimits()
                    unlimited.maximumIDsPerRPC = .max
                    unlimited.maximumControlBytesPerRPC = .max
                    sent[peer, default: []].append(try GossipRPC(decoding: reader.remaining, limits: unlimited))
                } catch {
                    Issue.record("unreadable frame: \(error)")
                }
                if !stalled.contains(peer) { perform(router.wrote(to: peer, now: now)) }
            case .verify(let ticket, let message):
                if verifiesAtOnce {
                    perform(router.verified(ticket, forged.contains(message.id) ? .invalid : .valid, now: now))
                } else {
                    toVerify.append((ticket, message))
                }
            case .validate(let ticket, let message, _): toValidate.append((ticket, message))
            case .deliver(let message, _): delivered.append(message)
            case .grafted(let peer, let topic):
                let isNew = toldMeshes[topic, default: []].insert(peer).inserted
                #expect(isNew, "told twice")
            case .pruned(let peer, let topic, let reason):
                let left = toldMeshes[topic, default: []].remove(peer)
                #expect(left == peer, "was not in that mesh")
                toldReasons.append(reason)
            default: otherActions.append(action)
            }
        }
    }

    mutating func open(
        _ peer: PeerID, topics: [String] = [], version: GossipSubVersion = .v1_2, outbound: Bool = false,
        address: IPAddress? = nil
    ) {
        perform(router.outboundOpened(to: peer, version: version, isOutbound: outbound, address: address, now: now))
        if !topics.isEmpty {
            receive(from: peer) { rpc in rpc.subscriptions = topics.map { .init(subscribes: true, topic: $0) } }
        }
    }

    mutating func receive(from peer: PeerID, _ build: (inout GossipRPC) -> Void) {
        var rpc = GossipRPC()
        build(&rpc)
        perform(router.received(rpc.encode()[...], from: peer, now: now))
    }

    mutating func join(_ topic: String, validates: Bool = false) throws {
        perform(try router.join(topic, validates: validates, now: now))
    }

    mutating func advance(by duration: Duration) {
        let end = now.advanced(by: duration)
        while router.nextDeadline <= end {
            now = router.nextDeadline
            perform(router.timerFired(now: now))
        }
        now = end
    }

    mutating func finishWrite(to peer: PeerID) { perform(router.wrote(to: peer, now: now)) }

    mutating func takeSent(to peer: PeerID) -> [GossipRPC] { sent.removeValue(forKey: peer) ?? [] }

    mutating func clearSent() { sent = [:] }

    func grafts(to peer: PeerID) -> [String] { (sent[peer] ?? []).flatMap(\.graft) }

    func prunes(to peer: PeerID) -> [GossipRPC.Prune] { (sent[peer] ?? []).flatMap(\.prune) }

    func messages(to peer: PeerID) -> [MessageID] {
        (sent[peer] ?? []).flatMap(\.messages).compactMap { try? GossipMessage(encoded: $0).id }
    }
}

/// A key that is the same in every run.
func testKey(_ number: UInt8) -> PrivateKey {
    do {
        return try PrivateKey(ed25519Seed: [UInt8](repeating: number, count: 32))
    } catch {
        preconditionFailure("a 32-byte seed is a key: \(error)")
    }
}

/// A peer id that is the same in every run, without a key behind it.
func testPeer(_ number: Int) -> PeerID {
    do {
        let digest = (0..<32).map { UInt8(truncatingIfNeeded: $0 < 8 ? number >> (8 * $0) : 0xaa) }
        return try PeerID(multihash: [0x12, 0x20] + digest)
    } catch {
        preconditionFailure("a sha2-256 multihash is a peer id: \(error)")
    }
}

/// A message nobody signed, for routers whose signatures are checked elsewhere.
func testMessage(
    _ number: UInt64, topic: String = "t", source: PeerID = testPeer(9999), size: Int = 8
) -> GossipMessage {
    .assembled(
        data: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size), topic: topic, sequence: number,
        source: source, signature: [1])
}
