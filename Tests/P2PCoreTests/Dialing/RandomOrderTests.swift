import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

/// Tables that many events touch, in orders nobody thought of. A failure names its seed.
@Suite("Tables under random orders of events")
struct RandomOrderTests {
    private static let peers = (0..<12).map { _ in PrivateKey.generate().peerID }

    @Test("the address book keeps its bounds, and gives out nothing expired or refused", arguments: UInt64(1)...8)
    func addressBook(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = AddressBookLimits()
        limits.peers = 8
        limits.addressesPerPeer = 10
        limits.addressesPerDisconnectedPeer = 4
        limits.protocolsPerPeer = 5
        var book = AddressBook(limits: limits)
        let addresses =
            try ["/ip4/0.0.0.0/tcp/1", "/ip4/224.0.0.1/tcp/1"].map { try Multiaddr(text: $0) }
            + (1...30).map { try Multiaddr(text: "/ip4/192.0.2.\($0)/tcp/4001") }
        var now = MonotonicInstant.zero
        /// The latest time up to which an address may be known, by peer.
        var promised: [PeerID: [Multiaddr: MonotonicInstant]] = [:]
        // Their addresses do not expire.
        var connected: Set<PeerID> = []
        for step in 0..<10_000 {
            now = now.advanced(by: .milliseconds(Int.random(in: 0...2_000, using: &random)))
            let peer = Self.peers[Int.random(in: 0..<Self.peers.count, using: &random)]
            let address = addresses[Int.random(in: 0..<addresses.count, using: &random)]
            let source = AddressSource.allCases[Int.random(in: 0..<AddressSource.allCases.count, using: &random)]
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                let life = Duration.seconds(Int.random(in: -1...120, using: &random))
                book.add([address], of: peer, source: source, ttl: life, now: now)
                promised[peer, default: [:]][address] = max(
                    promised[peer]?[address] ?? .zero, now.advanced(by: max(life, .zero)))
            case 4: book.dialFailed(address, of: peer, now: now)
            case 5:
                book.dialSucceeded(address, of: peer, now: now)
                let kept = now.advanced(by: limits.recentlyConnectedTTL)
                promised[peer, default: [:]][address] = max(promised[peer]?[address] ?? .zero, kept)
            case 6:
                book.connected(peer, security: "/noise", now: now)
                connected.insert(peer)
            case 7:
                book.disconnected(peer, now: now)
                connected.remove(peer)
                // What was used stays for a while longer.
                let kept = now.advanced(by: limits.recentlyConnectedTTL)
                promised[peer] = promised[peer]?.mapValues { max($0, kept) }
            case 8: book.remove([address], of: peer, upTo: source)
            default:
                book.expire(now: now)
                book.setProtocols((0..<8).map { ProtocolID("/p/\($0)") }, of: peer, now: now)
            }
            #expect(book.count <= limits.peers, "seed \(seed) step \(step)")
            let given = book.addresses(of: peer, now: now)
            #expect(given.count <= limits.addressesPerPeer, "seed \(seed) step \(step)")
            #expect(Set(given).count == given.count && !given.contains(addresses[0]) && !given.contains(addresses[1]))
            #expect(
                given.allSatisfy { promised[peer]?[$0].map { connected.contains(peer) || now < $0 } ?? false },
                "seed \(seed) step \(step)")
            #expect((book.protocols(of: peer)?.count ?? 0) <= limits.protocolsPerPeer)
        }
        for peer in Self.peers { book.disconnected(peer, now: now) }
        book.expire(now: now.advanced(by: .seconds(48 * 3_600)))
        #expect(Self.peers.allSatisfy { book.addresses(of: $0, now: now.advanced(by: .seconds(48 * 3_600))).isEmpty })
    }

    @Test("trimming leaves the low mark, the protected and the young alone", arguments: UInt64(1)...8)
    func trimming(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var configuration = ConnectionTrimming.Configuration()
        configuration.lowWater = 6
        configuration.highWater = 9
        configuration.grace = .seconds(60)
        var trimming = ConnectionTrimming(configuration: configuration)
        let now = MonotonicInstant.zero.advanced(by: .seconds(1_000))
        for step in 0..<3_000 {
            let peer = Self.peers[Int.random(in: 0..<Self.peers.count, using: &random)]
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                trimming.tag(
                    peer, "t\(Int.random(in: 0..<40, using: &random))", value: Int.random(in: -9...9, using: &random))
            case 1: trimming.untag(peer, "t\(Int.random(in: 0..<40, using: &random))")
            case 2: trimming.protect(peer, reason: "r\(Int.random(in: 0..<3, using: &random))")
            default: for reason in 0..<3 { trimming.unprotect(peer, reason: "r\(reason)") }
            }
            let candidates = (0..<Int.random(in: 0...20, using: &random)).map { number in
                ConnectionTrimming.Candidate(
                    id: number, peer: Self.peers[Int.random(in: 0..<Self.peers.count, using: &random)],
                    opened: now.advanced(by: .seconds(-Int.random(in: 0...120, using: &random))),
                    streams: Int.random(in: 0...3, using: &random), direction: .inbound)
            }
            let victims = trimming.victims(among: candidates, now: now)
            #expect(Set(victims).count == victims.count)
            if candidates.count <= configuration.highWater { #expect(victims.isEmpty, "seed \(seed) step \(step)") }
            #expect(
                candidates.count - victims.count >= min(candidates.count, configuration.lowWater),
                "seed \(seed) step \(step)")
            for victim in victims {
                let candidate = candidates[victim]
                #expect(!trimming.isProtected(candidate.peer), "seed \(seed) step \(step)")
                #expect(candidate.opened.duration(to: now) >= configuration.grace, "seed \(seed) step \(step)")
            }
        }
    }

    @Test("pushes: few at a time, none twice for one state, none forgotten", arguments: UInt64(1)...8)
    func pushes(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var schedule = IdentifyPushSchedule(delay: .seconds(1), concurrent: 3)
        var now = MonotonicInstant.zero
        var connected: Set<PeerID> = []
        var running: Set<PeerID> = []
        var changedSincePush: Set<PeerID> = []
        func begin(_ peers: [PeerID], step: Int) {
            for peer in peers {
                #expect(connected.contains(peer) && !running.contains(peer), "seed \(seed) step \(step)")
                #expect(changedSincePush.remove(peer) != nil, "seed \(seed) step \(step): told the same twice")
                running.insert(peer)
            }
            #expect(running.count <= 3, "seed \(seed) step \(step)")
        }
        for step in 0..<5_000 {
            now = now.advanced(by: .milliseconds(Int.random(in: 0...400, using: &random)))
            let peer = Self.peers[Int.random(in: 0..<Self.peers.count, using: &random)]
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                schedule.changed(now: now)
                changedSincePush.formUnion(connected)
            case 1:
                schedule.peerAcceptsPushes(peer)
                connected.insert(peer)
            case 2:
                schedule.removed(peer)
                connected.remove(peer)
                running.remove(peer)
                changedSincePush.remove(peer)
            case 3:
                if let peer = running.sorted().first {
                    running.remove(peer)
                    begin(schedule.pushed(peer), step: step)
                }
            default: begin(schedule.poll(now: now), step: step)
            }
        }
        // Left in peace, everybody who does not know the last state is told.
        now = now.advanced(by: .seconds(2))
        begin(schedule.poll(now: now), step: -1)
        while let peer = running.sorted().first {
            running.remove(peer)
            begin(schedule.pushed(peer), step: -1)
        }
        #expect(changedSincePush.isEmpty, "seed \(seed)")
    }
}
