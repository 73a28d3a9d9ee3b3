import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

private func address(_ text: String) throws -> Multiaddr { try Multiaddr(text: text) }
private func at(_ milliseconds: UInt64) -> MonotonicInstant { MonotonicInstant(nanoseconds: milliseconds * 1_000_000) }

@Suite("Address ranking")
struct AddressRankingTests {
    @Test("private before public in its own time, IPv6 and IPv4 take turns, relays last")
    func table() throws {
        let ranked = AddressRanking.rank([
            try address("/ip4/8.8.8.8/tcp/4001"), try address("/ip4/8.8.4.4/tcp/4002"),
            try address("/ip6/2a00::1/tcp/4001"), try address("/ip6/2a00::2/tcp/4001"),
            try address("/ip4/10.0.0.1/tcp/1"),
            try address("/ip4/9.9.9.9/tcp/1/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq/p2p-circuit"),
        ])
        #expect(
            ranked.map { "\($0.address.ipAddress.map(String.init(describing:)) ?? "") \($0.delay)" } == [
                "10.0.0.1 \(Duration.zero)", "2a00::1 \(Duration.zero)", "8.8.8.8 \(Duration.milliseconds(250))",
                "2a00::2 \(Duration.milliseconds(500))", "8.8.4.4 \(Duration.milliseconds(500))",
                "9.9.9.9 \(Duration.milliseconds(500))",
            ])
    }

    @Test("QUIC goes first where it exists, others last")
    func kinds() throws {
        let ranked = AddressRanking.rank([
            try address("/ip4/8.8.8.8/tcp/4001"), try address("/ip4/8.8.8.8/udp/4001/quic-v1"),
            try address("/ip4/8.8.8.8/tcp/4001/ws"),
        ])
        #expect(ranked.map(\.delay) == [.zero, .milliseconds(250), .milliseconds(1_250)])
        #expect(ranked.first?.address.contains(.quicV1) == true)
    }

    @Test("duplicates count once; a hole punch starts all at once")
    func duplicates() throws {
        let one = try address("/ip4/8.8.8.8/tcp/4001")
        let two = try address("/ip4/8.8.8.8/tcp/4002")
        #expect(AddressRanking.rank([one, one]).count == 1)
        #expect(AddressRanking.rank([one, two], immediately: true).allSatisfy { $0.delay == .zero })
    }
}

@Suite("Dial of one peer")
struct PeerDialTests {
    private func dial(_ texts: [String], now: MonotonicInstant = .zero) throws -> PeerDial {
        PeerDial(addresses: AddressRanking.rank(try texts.map(address)), now: now)
    }

    @Test("the first that works ends the dial: all attempts are given up, whichever it was")
    func winner() throws {
        var dial = try self.dial(["/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/tcp/2"])
        #expect(dial.poll(permits: 9, now: .zero) == [.attempt(0, try address("/ip4/8.8.8.8/tcp/1"))])
        #expect(dial.nextDeadline == at(250))
        #expect(dial.poll(permits: 9, now: at(250)) == [.attempt(1, try address("/ip4/8.8.8.8/tcp/2"))])
        #expect(dial.cancel() == [.abandon(0), .abandon(1)])
        #expect(dial.isOver && dial.nextDeadline == nil)
        #expect(dial.cancel() == [])
        #expect(dial.failed(0, .refused, permits: 9, now: at(300)) == [])
    }

    @Test("a failure brings the next address forward")
    func failureBringsForward() throws {
        var dial = try self.dial(["/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/tcp/2"])
        _ = dial.poll(permits: 9, now: .zero)
        #expect(
            dial.failed(0, .refused, permits: 9, now: at(5)) == [.attempt(1, try address("/ip4/8.8.8.8/tcp/2"))])
        let actions = dial.failed(1, .timedOut, permits: 9, now: at(30))
        #expect(
            actions == [
                .failed([
                    DialAttempt(
                        address: try address("/ip4/8.8.8.8/tcp/1"), error: .refused, elapsed: .milliseconds(5)),
                    DialAttempt(
                        address: try address("/ip4/8.8.8.8/tcp/2"), error: .timedOut, elapsed: .milliseconds(25)),
                ])
            ])
    }

    @Test("a public TCP connection that is up holds the next attempt back for 250 ms")
    func hold() throws {
        var dial = try self.dial(["/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/tcp/2"])
        _ = dial.poll(permits: 9, now: .zero)
        dial.transportConnected(0, now: at(200))
        #expect(dial.poll(permits: 9, now: at(300)) == [])
        #expect(dial.nextDeadline == at(450))
        #expect(dial.poll(permits: 9, now: at(450)).count == 1)
    }

    @Test("one address that never answers ends at its time, the whole dial at its own")
    func deadlines() throws {
        var dial = try self.dial(["/ip4/8.8.8.8/tcp/1", "/ip4/10.0.0.1/tcp/1"])
        #expect(dial.poll(permits: 9, now: .zero).count == 2)
        #expect(dial.nextDeadline == at(5_000))
        #expect(dial.poll(permits: 9, now: at(5_000)).count == 1)
        let last = dial.poll(permits: 9, now: at(15_000))
        #expect(last.count == 2)
        guard case .failed(let attempts) = last.last else {
            Issue.record("no outcome")
            return
        }
        #expect(attempts.map(\.error) == [.timedOut, .timedOut])
    }

    @Test("an attempt without an answer has failed after its time, or after three seconds if nobody waits any more")
    func unanswered() throws {
        let one = try address("/ip4/10.0.0.1/tcp/1")
        var dial = try self.dial(["/ip4/10.0.0.1/tcp/1"])
        _ = dial.poll(permits: 9, now: .zero)
        let outcome = DialAttempt(address: one, error: .timedOut, elapsed: .seconds(5))
        #expect(dial.poll(permits: 9, now: at(5_000)) == [.timedOut(0, failed: one), .failed([outcome])])
        for (patience, end) in [(2_999, PeerDial.Action.abandon(0)), (3_000, .timedOut(0, failed: one))] {
            dial = try self.dial(["/ip4/10.0.0.1/tcp/1"])
            _ = dial.poll(permits: 9, now: .zero)
            #expect(dial.giveUp(now: at(UInt64(patience))) == [end])
            #expect(dial.isOver && dial.giveUp(now: at(9_000)) == [])
        }
    }

    @Test("when a dial ends those attempts have failed that were under way for long; of the others nothing is known")
    func overall() throws {
        var limits = PeerDial.Limits()
        limits.overall = .seconds(4)
        let (one, two) = (try address("/ip4/8.8.8.8/tcp/1"), try address("/ip4/8.8.8.8/tcp/2"))
        var dial = PeerDial(addresses: AddressRanking.rank([one, two]), limits: limits, now: .zero)
        #expect(dial.poll(permits: 1, now: .zero) == [.attempt(0, one)])
        #expect(dial.poll(permits: 1, now: at(1_500)) == [.attempt(1, two)])
        let end = dial.poll(permits: 1, now: at(4_000))
        #expect(Array(end.dropLast()) == [.timedOut(0, failed: one), .abandon(1)])
        guard case .failed(let attempts)? = end.last else {
            Issue.record("no outcome")
            return
        }
        #expect(attempts.map(\.error) == [.timedOut, .timedOut])
    }

    @Test("without permits nothing starts, and nothing is lost")
    func permits() throws {
        var dial = try self.dial(["/ip4/8.8.8.8/tcp/1"])
        #expect(dial.poll(permits: 0, now: .zero) == [])
        #expect(!dial.isOver && dial.isStarved)
        #expect(dial.poll(permits: 1, now: at(1)).count == 1)
        #expect(!dial.isStarved)
    }

    @Test("a dial that lacks permits has no deadline in the past: only a permit or its end can change anything")
    func starvedDeadline() throws {
        var dial = try self.dial(["/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/tcp/2", "/ip4/8.8.8.8/tcp/3"])
        #expect(dial.poll(permits: 0, now: at(5)) == [])
        #expect(dial.nextDeadline == at(60_000))
        #expect(dial.poll(permits: 1, now: at(10)).count == 1)
        #expect(dial.nextDeadline == at(250), "the next address in its own time")
        #expect(dial.poll(permits: 0, now: at(300)) == [])
        #expect(dial.nextDeadline == at(15_010), "the end of the attempt under way")
        #expect(dial.failed(0, .refused, permits: 0, now: at(400)) == [])
        #expect(dial.nextDeadline == at(60_000))
        #expect(dial.poll(permits: 9, now: at(500)).count == 2)
    }

    @Test("refused addresses show up in the outcome")
    func refused() throws {
        let attempt = DialAttempt(address: try address("/ip4/1.1.1.1/tcp/1"), error: .noTransport, elapsed: .zero)
        var dial = PeerDial(addresses: [], refused: [attempt], now: .zero)
        #expect(dial.poll(permits: 1, now: .zero) == [.failed([attempt])])
    }

    @Test("10,000 random orders: bounded attempts, one outcome, every attempt ended", arguments: [11, 12, 13])
    func randomOrders(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let pool = try (1...12).map { try address("/ip4/\($0 % 2 == 0 ? "8.8.8.8" : "10.0.0.1")/tcp/\($0)") }
        for _ in 0..<10_000 / 20 {
            var dial = PeerDial(addresses: AddressRanking.rank(pool), now: .zero)
            var open = Set<Int>()
            var outcomes = 0
            var now: UInt64 = 0
            func apply(_ actions: [PeerDial.Action]) {
                for action in actions {
                    switch action {
                    case .attempt(let number, _): #expect(open.insert(number).inserted)
                    case .abandon(let number), .timedOut(let number, _): open.remove(number)
                    case .failed(let attempts):
                        outcomes += 1
                        #expect(attempts.count == 12)
                    }
                }
            }
            for _ in 0..<60 {
                now += UInt64.random(in: 0...2_000, using: &generator)
                let permits = Int.random(in: 0...3, using: &generator)
                switch Int.random(in: 0..<10, using: &generator) {
                case 0..<5:
                    apply(dial.poll(permits: permits, now: at(now)))
                    #expect(dial.nextDeadline.map { $0 > at(now) } ?? dial.isOver)
                case 5..<8:
                    if let one = open.randomElement(using: &generator) {
                        open.remove(one)
                        apply(dial.failed(one, .refused, permits: permits, now: at(now)))
                        #expect(dial.nextDeadline.map { $0 > at(now) } ?? dial.isOver)
                    }
                case 8:
                    if let one = open.randomElement(using: &generator) { dial.transportConnected(one, now: at(now)) }
                default:
                    if Int.random(in: 0..<20, using: &generator) == 0, !open.isEmpty {
                        apply(dial.cancel())
                        outcomes += 1
                    }
                }
                #expect(open.count <= 8)
                if dial.isOver { break }
                #expect(dial.nextDeadline != nil)
            }
            if !dial.isOver { apply(dial.poll(permits: 9, now: at(70_000))) }
            #expect(dial.isOver && outcomes == 1 && open.isEmpty)
        }
    }
}

@Suite("Which connection")
struct ConnectionPreferenceTests {
    private func candidate(
        _ id: Int, limited: Bool = false, relayed: Bool = false, _ direction: Direction = .inbound, streams: Int = 0,
        opened: UInt64 = 0, isInDoubt: Bool = false
    ) -> ConnectionPreference.Candidate<Int> {
        .init(
            id: id, isLimited: limited, isRelayed: relayed, direction: direction, streams: streams, opened: at(opened),
            isInDoubt: isInDoubt)
    }

    @Test("unlimited, then direct, then most streams, then newest")
    func order() {
        let peers = [PrivateKey.generate().peerID, PrivateKey.generate().peerID]
        let preference = ConnectionPreference(local: peers[0], remote: peers[1])
        let all = [
            self.candidate(1, limited: true, relayed: true, opened: 90_000),
            self.candidate(2, relayed: true, streams: 9),
            self.candidate(3, opened: 10_000), self.candidate(4, streams: 2), self.candidate(5, opened: 60_000),
        ]
        #expect(preference.best(of: all)?.id == 4)
        #expect(preference.best(of: all.filter { $0.id != 4 })?.id == 5)
        #expect(preference.best(of: all.filter { $0.id < 3 })?.id == 2)
    }

    @Test("whoever does not answer comes behind one of its kind that does, however many streams it has")
    func doubt() {
        let preference = ConnectionPreference(local: PrivateKey.generate().peerID, remote: PrivateKey.generate().peerID)
        let silent = self.candidate(1, streams: 9, isInDoubt: true)
        let newer = self.candidate(2, opened: 60_000)
        let relayed = self.candidate(3, relayed: true, opened: 60_000)
        #expect(preference.best(of: [silent, newer, relayed])?.id == 2)
        #expect(preference.best(of: [silent, relayed])?.id == 1)
        #expect(preference.best(of: [silent])?.id == 1)
    }

    @Test("after a simultaneous dial both sides choose the same, and only one side closes the other")
    func simultaneous() {
        let (left, right) = (PrivateKey.generate().peerID, PrivateKey.generate().peerID)
        func view(_ local: PeerID, _ remote: PeerID, own: UInt64) -> (best: Int?, redundant: [Int]) {
            // Connection 1 was opened by `left`, 2 by `right`; each side saw them become usable at different moments.
            let one = self.candidate(1, local == left ? .outbound : .inbound, opened: own)
            let two = self.candidate(2, local == right ? .outbound : .inbound, opened: own + 900)
            let preference = ConnectionPreference(local: local, remote: remote)
            return (
                preference.best(of: [one, two])?.id,
                preference.redundant(among: [one, two], settle: .seconds(10), now: at(60_000))
            )
        }
        let (a, b) = (view(left, right, own: 100), view(right, left, own: 700))
        #expect(a.best == b.best)
        #expect((a.redundant + b.redundant).count == 1)
        #expect((a.redundant + b.redundant).first != a.best)
    }

    @Test("a connection with streams is never redundant")
    func streamsKeep() {
        let peers = [PrivateKey.generate().peerID, PrivateKey.generate().peerID]
        for (local, remote) in [(peers[0], peers[1]), (peers[1], peers[0])] {
            let preference = ConnectionPreference(local: local, remote: remote)
            let all = [self.candidate(1, .outbound, streams: 1), self.candidate(2, .inbound, streams: 1)]
            #expect(preference.redundant(among: all, settle: .zero, now: at(60_000)).isEmpty)
        }
    }
}
