import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

private func address(_ text: String) throws -> Multiaddr { try Multiaddr(text: text) }
private func at(_ milliseconds: UInt64) -> MonotonicInstant { MonotonicInstant(nanoseconds: milliseconds * 1_000_000) }

/// A dialer, and what a swarm would keep for it. Peers are numbers.
private struct Board {
    static let peers = (0..<6).map { _ in PrivateKey.generate().peerID }

    var dialer: Dialer
    var book = AddressBook()
    let admission = DialAdmission(own: []) { _ in true }
    /// Attempts that hold a reservation, in the order of their beginning.
    private(set) var underWay: [Dialer.Attempt] = []
    /// Those that began in the last event.
    private(set) var started: [Dialer.Attempt] = []
    /// Those who wait, and for whom.
    private(set) var waiters: [UInt64: Int] = [:]
    /// When each dial is to be woken.
    private(set) var wakes: [PeerID: MonotonicInstant] = [:]
    /// The dials that failed in the last event.
    private(set) var failed: [Int] = []
    private var ever: Set<Dialer.AttemptID> = []
    private var nextWaiter: UInt64 = 1

    init(limits configure: (inout ResourceLimits) -> Void = { _ in }) {
        var limits = ResourceLimits()
        configure(&limits)
        self.dialer = Dialer(limits: limits)
    }

    static func number(of peer: PeerID) -> Int { Self.peers.firstIndex(of: peer) ?? -1 }

    /// The peer's number and the port.
    static func label(_ attempt: Dialer.Attempt) -> String {
        "\(Self.number(of: attempt.peer)):\(attempt.address.tcpPort ?? 0)"
    }

    /// The peer's oldest attempt.
    func attempt(of peer: Int) throws -> Dialer.Attempt {
        try #require(self.underWay.first { $0.peer == Self.peers[peer] })
    }

    /// Does what a swarm would do.
    @discardableResult
    mutating func take(_ actions: [Dialer.Action]) -> [Dialer.Action] {
        (self.started, self.failed) = ([], [])
        for action in actions {
            switch action {
            case .attempt(let attempt):
                let isNew = self.ever.insert(attempt.id).inserted
                #expect(isNew, "no attempt has the name of another")
                self.underWay.append(attempt)
                self.started.append(attempt)
            case .end(let id):
                #expect(self.underWay.contains { $0.id == id }, "only what is under way ends")
                self.underWay.removeAll { $0.id == id }
            case .wake(let peer, let instant): self.wakes[peer] = instant
            case .rest(let peer): self.wakes[peer] = nil
            case .failed(let peer, let waiters, _):
                self.failed.append(Self.number(of: peer))
                self.answer(waiters, for: Self.number(of: peer))
            case .count, .limitReached, .backOff, .forgetSecurity: break
            }
        }
        #expect(self.dialer.attemptsUnderWay == self.underWay.count, "permits are those of the attempts")
        return actions
    }

    private mutating func answer(_ waiters: [UInt64], for peer: Int) {
        for waiter in waiters {
            let wanted = self.waiters.removeValue(forKey: waiter)
            #expect(wanted == peer, "everyone is answered once, and for their peer")
        }
    }

    @discardableResult
    mutating func want(_ peer: Int, _ addresses: [Multiaddr], now: MonotonicInstant) throws -> [Dialer.Action] {
        let waiter = self.nextWaiter
        self.nextWaiter += 1
        let actions = try self.dialer.wanted(
            Self.peers[peer], by: waiter, addresses: addresses, book: self.book, admission: self.admission, now: now)
        self.waiters[waiter] = peer
        return self.take(actions)
    }

    mutating func leave(_ waiter: UInt64, hasLostPatience: Bool = false, now: MonotonicInstant) {
        guard let peer = self.waiters.removeValue(forKey: waiter) else { return }
        self.take(
            self.dialer.left(Self.peers[peer], by: waiter, hasLostPatience: hasLostPatience, now: now))
    }

    mutating func settle(_ peer: Int, now: MonotonicInstant) {
        let (waiters, actions) = self.dialer.settled(Self.peers[peer], now: now)
        self.answer(waiters, for: peer)
        self.take(actions)
    }

    @discardableResult
    mutating func fail(
        _ attempt: Dialer.Attempt, _ reason: DialFailureReason = .refused, now: MonotonicInstant
    ) -> [Dialer.Action] {
        self.take(self.dialer.failed(attempt, reason, now: now))
    }

    /// No reservation was left for it.
    mutating func refuse(_ attempt: Dialer.Attempt, now: MonotonicInstant) {
        let exceeded = LimitExceeded(.outboundConnections, limit: 0)
        self.underWay.removeAll { $0.id == attempt.id }
        self.take(self.dialer.refused(attempt, exceeded, now: now))
    }

    @discardableResult
    mutating func wake(_ peer: Int, now: MonotonicInstant) -> [Dialer.Action] {
        self.take(self.dialer.woken(Self.peers[peer], now: now))
    }

    /// A connection has come of an attempt; its dial is not settled yet.
    mutating func connect(_ attempt: Dialer.Attempt) {
        self.underWay.removeAll { $0.id == attempt.id }
        self.dialer.connected(attempt)
        #expect(self.dialer.attemptsUnderWay == self.underWay.count)
    }
}

@Suite("All dials of a node")
struct DialerTests {
    /// `count` ports of one host of a private network.
    private func ports(_ count: Int) throws -> [Multiaddr] {
        try (1...count).map { try address("/ip4/10.0.0.1/tcp/\($0)") }
    }

    // MARK: Permits

    private enum Event {
        case wanted(Int, ports: Int)
        /// The peer's oldest attempt.
        case failed(Int)
        /// No reservation was left for it.
        case refused(Int)
        case left(Int)
        case settled(Int)
        case woken(Int)
    }

    private typealias Row = (milliseconds: UInt64, event: Event, started: [String], line: [Int])

    private func run(_ rows: [Row], permits: Int) throws {
        var board = Board { $0.concurrentDials = permits }
        for (index, row) in rows.enumerated() {
            let now = at(row.milliseconds)
            switch row.event {
            case .wanted(let peer, let count): try board.want(peer, self.ports(count), now: now)
            case .failed(let peer): board.fail(try board.attempt(of: peer), now: now)
            case .refused(let peer): board.refuse(try board.attempt(of: peer), now: now)
            case .left(let peer):
                let waiter = try #require(board.waiters.first { $0.value == peer }?.key)
                board.leave(waiter, now: now)
            case .settled(let peer): board.settle(peer, now: now)
            case .woken(let peer): board.wake(peer, now: now)
            }
            #expect(board.started.map(Board.label) == row.started, "row \(index)")
            #expect(board.dialer.starved.map(Board.number) == row.line, "row \(index)")
        }
    }

    @Test("a free permit is the longest waiting dial's; who has had one waits behind the others for the next")
    func fairness() throws {
        try self.run(
            [
                (0, .wanted(0, ports: 3), ["0:1"], []),
                (0, .wanted(1, ports: 2), [], [1]),
                (0, .wanted(2, ports: 1), [], [1, 2]),
                // Once in line is enough.
                (1, .wanted(1, ports: 2), [], [1, 2]),
                (2, .failed(0), ["1:1"], [2, 0]),
                (3, .failed(1), ["2:1"], [0, 1]),
                // Time alone gives nobody a permit, and changes no turn.
                (50, .woken(1), [], [0, 1]),
                // Its third address is due as well.
                (60, .failed(2), ["0:2"], [1, 0]),
                (61, .settled(0), ["1:2"], []),
                (62, .left(1), [], []),
                (63, .left(1), [], []),
            ], permits: 1)
    }

    @Test("whoever leaves, is served or comes to the end gives all permits back, and its place in the line")
    func givingBack() throws {
        try self.run(
            [
                (0, .wanted(0, ports: 2), ["0:1"], []),
                (40, .woken(0), ["0:2"], []),
                (40, .wanted(1, ports: 1), [], [1]),
                (40, .wanted(2, ports: 1), [], [1, 2]),
                (40, .wanted(3, ports: 1), [], [1, 2, 3]),
                (50, .left(2), [], [1, 3]),
                (60, .settled(0), ["1:1", "3:1"], []),
                (70, .wanted(0, ports: 1), [], [0]),
                (80, .failed(3), ["0:1"], []),
            ], permits: 2)
    }

    @Test("an attempt for which no reservation is left gives its permit on; the dial has its next address in its turn")
    func withoutReservation() throws {
        try self.run(
            [
                (0, .wanted(0, ports: 2), ["0:1"], []),
                (0, .wanted(1, ports: 1), [], [1]),
                (0, .refused(0), ["1:1"], [0]),
                (0, .refused(1), ["0:2"], []),
                (0, .refused(0), [], []),
                (1, .wanted(0, ports: 1), ["0:1"], []),
            ], permits: 1)
    }

    @Test("a dial that has been refused every reservation has failed, and blames no address")
    func nothingReserved() throws {
        var board = Board()
        try board.want(0, self.ports(1), now: .zero)
        let attempt = try board.attempt(of: 0)
        let exceeded = LimitExceeded(.outboundConnections, limit: 7)
        let outcome = DialAttempt(address: attempt.address, error: .limit(exceeded), elapsed: .zero)
        #expect(
            board.dialer.refused(attempt, exceeded, now: .zero) == [
                .rest(Board.peers[0]), .failed(Board.peers[0], waiters: [1], [outcome]),
            ])
        #expect(board.dialer.peers.isEmpty && board.dialer.attemptsUnderWay == 0)
    }

    // MARK: Late ends

    /// What comes of an attempt.
    enum Outcome: CaseIterable { case failed, refused, resolved, leadsNowhere, pipeIsUp, connected, upgradeFailed }

    /// How its dial ended before.
    enum Ending: CaseIterable { case left, lostPatience, settled, timedOut }

    @Test(
        "the outcome of an attempt that has ended changes nothing, also when the same address of the same peer is tried again",
        arguments: Outcome.allCases, Ending.allCases)
    func late(outcome: Outcome, ending: Ending) throws {
        var board = Board { $0.concurrentDials = 1 }
        let name = [try address("/dns4/two.example/tcp/1")]
        try board.want(0, name, now: .zero)
        let old = try board.attempt(of: 0)
        switch ending {
        case .left: board.leave(1, now: at(1))
        case .lostPatience: board.leave(1, hasLostPatience: true, now: at(4_000))
        case .settled: board.settle(0, now: at(1))
        case .timedOut: board.wake(0, now: at(15_000))
        }
        #expect(board.underWay.isEmpty && board.waiters.isEmpty && board.wakes.isEmpty && !board.dialer.isUnderWay(old))
        try board.want(0, name, now: at(20_000))
        try board.want(1, self.ports(1), now: at(20_000))
        let new = try board.attempt(of: 0)
        #expect(new.id != old.id && new.address == old.address)
        let due = board.dialer.nextDeadline(of: Board.peers[0])
        let terms = AttemptTerms(presumed: "/noise", reusesPort: true)
        let now = at(20_001)
        switch outcome {
        case .failed: #expect(board.take(board.dialer.failed(old, .refused, now: now)) == [.count(.refused)])
        case .refused:
            #expect(board.take(board.dialer.refused(old, LimitExceeded(.connections, limit: 1), now: now)) == [])
        case .resolved:
            let found = try [address("/ip4/8.8.8.8/tcp/1")]
            let actions = board.dialer.resolved(
                old, to: found, book: board.book, admission: board.admission, now: now)
            #expect(board.take(actions) == [])
        case .leadsNowhere:
            let actions = board.dialer.resolved(old, to: [], book: board.book, admission: board.admission, now: now)
            #expect(board.take(actions) == [.count(.other("the name has no address"))])
        case .pipeIsUp: board.dialer.transportConnected(old, now: now)
        case .connected: board.dialer.connected(old)
        case .upgradeFailed:
            let (again, actions) = board.dialer.upgradeFailed(
                old, on: terms, .refused, isUnwanted: false, usedListeningPort: true, now: now)
            #expect(again == nil && board.take(actions) == [.count(.refused)])
        }
        #expect(board.dialer.isUnderWay(new) && board.dialer.attemptsUnderWay == 1 && board.started.isEmpty)
        #expect(board.dialer.nextDeadline(of: Board.peers[0]) == due)
        #expect(board.dialer.starved == [Board.peers[1]] && board.dialer.failures(of: Board.peers[0]).isEmpty)
    }

    @Test("an attempt whose time runs out in the moment of its success has not failed, and is not ended")
    func successAtTheDeadline() throws {
        var board = Board { $0.concurrentDials = 2 }
        let (near, far) = (try address("/ip4/10.0.0.1/tcp/1"), try address("/ip4/8.8.8.8/tcp/1"))
        try board.want(0, [near, far], now: .zero)
        try board.want(1, self.ports(1), now: .zero)
        #expect(board.underWay.map(\.address) == [near, far] && board.dialer.starved == [Board.peers[1]])
        let winner = try #require(board.underWay.first)
        board.connect(winner)
        // The permit is the next dial's at once, whatever happens first.
        let actions = board.wake(0, now: at(6_000))
        #expect(board.started.map(Board.label) == ["1:1"])
        #expect(!actions.contains(.end(winner.id)) && !actions.contains(.count(.timedOut)))
        #expect(!actions.contains(.backOff(Board.peers[0], near)))
        #expect(board.fail(winner, now: at(6_000)) == [.count(.refused)])
        board.settle(0, now: at(6_000))
        #expect(board.underWay.map(Board.label) == ["1:1"] && board.waiters.values.sorted() == [1])
    }

    @Test("an address that no answer came from in time is backed off once; one that was abandoned is not")
    func silence() throws {
        let near = try address("/ip4/10.0.0.1/tcp/1")
        for (patience, isBlamed) in [(UInt64(2_999), false), (3_000, true)] {
            var board = Board()
            try board.want(0, [near], now: .zero)
            let attempt = try board.attempt(of: 0)
            var expected: [Dialer.Action] = [.end(attempt.id)]
            if isBlamed { expected += [.count(.timedOut), .backOff(Board.peers[0], near)] }
            expected.append(.rest(Board.peers[0]))
            let actions = board.dialer.left(Board.peers[0], by: 1, hasLostPatience: true, now: at(patience))
            #expect(actions == expected)
        }
    }

    // MARK: Time

    @Test("a dial is woken earlier when something nearer is due; an instant that has come is left to come")
    func wakes() throws {
        var board = Board()
        let peer = Board.peers[0]
        let (far, near, last) = (
            try address("/ip4/8.8.8.8/tcp/1"), try address("/ip4/10.0.0.1/tcp/1"), try address("/ip4/10.0.0.1/tcp/2")
        )
        func instants(_ actions: [Dialer.Action]) -> [MonotonicInstant] {
            actions.compactMap { action -> MonotonicInstant? in
                guard case .wake(_, let instant) = action else { return nil }
                return instant
            }
        }
        #expect(try instants(board.want(0, [far], now: .zero)) == [at(15_000)])
        #expect(try instants(board.want(0, [near], now: at(1_000))) == [at(6_000)])
        let second = try #require(board.underWay.last)
        // What is due later than it is woken can wait for that.
        #expect(instants(board.fail(second, now: at(2_000))).isEmpty)
        #expect(instants(board.wake(0, now: at(6_000))) == [at(15_000)])
        // Its time has come, and nobody has said so yet: it is on its way.
        #expect(try instants(board.want(0, [last], now: at(15_001))).isEmpty)
        #expect(board.underWay.map(\.address) == [last])
        #expect(instants(board.wake(0, now: at(15_002))) == [at(20_001)])
        board.settle(0, now: at(15_003))
        #expect(board.wakes[peer] == nil && board.dialer.woken(peer, now: at(20_001)) == [])
    }

    // MARK: Upgrades

    @Test("an upgrade that failed is tried again on other terms while its attempt is under way, once for each cause")
    func terms() {
        let presumed = AttemptTerms(presumed: "/noise", reusesPort: true)
        let plain = AttemptTerms(presumed: nil, reusesPort: false)
        let other = DialFailureReason.wrongPeer(Board.peers[0])
        let rows: [(AttemptTerms, DialFailureReason, usedPort: Bool, mended: AttemptTerms?)] = [
            (presumed, .timedOut, true, plain),
            (presumed, .upgradeFailed("reset"), false, AttemptTerms(presumed: nil, reusesPort: true)),
            (AttemptTerms(presumed: nil, reusesPort: true), .timedOut, true, plain),
            (AttemptTerms(presumed: nil, reusesPort: true), .timedOut, false, nil),
            (plain, .timedOut, false, nil), (plain, .timedOut, true, nil),
            (presumed, other, true, nil), (presumed, .limit(LimitExceeded(.connections, limit: 1)), true, nil),
        ]
        for (terms, reason, usedPort, mended) in rows {
            let actual = terms.mended(after: reason, usedListeningPort: usedPort)
            #expect(actual == mended, "\(terms) \(reason) \(usedPort)")
        }
    }

    @Test("a presumption that failed is forgotten, unless another peer answered; what we refuse is not tried again")
    func presumptions() throws {
        let terms = AttemptTerms(presumed: "/noise", reusesPort: false)
        let rows: [(reason: DialFailureReason, isUnwanted: Bool, isAgain: Bool, forgets: Bool)] = [
            (.upgradeFailed("reset"), false, true, true), (.upgradeFailed("reset"), true, false, true),
            (.wrongPeer(Board.peers[1]), false, false, false),
        ]
        for (reason, isUnwanted, isAgain, forgets) in rows {
            var board = Board()
            try board.want(0, self.ports(1), now: .zero)
            let attempt = try board.attempt(of: 0)
            let (again, actions) = board.dialer.upgradeFailed(
                attempt, on: terms, reason, isUnwanted: isUnwanted, usedListeningPort: false, now: at(9))
            #expect((again != nil) == isAgain && board.dialer.isUnderWay(attempt) == isAgain, "\(reason)")
            #expect(actions.contains(.forgetSecurity(Board.peers[0])) == forgets, "\(reason)")
            #expect(actions.contains(.count(reason)) == !isAgain && actions.contains(.end(attempt.id)) == !isAgain)
        }
    }

    // MARK: Which addresses

    @Test("one rule for every address: ours, of no use to us, blocked, or behind names")
    func admission() throws {
        let own = try address("/ip4/10.0.0.9/tcp/9")
        let admission = DialAdmission(own: [own]) { $0.contains(.tcp) && $0.dnsName == nil }
        let (inside, name) = (try address("/ip4/10.0.0.1/tcp/1"), try address("/dns4/one.example/tcp/1"))
        let (quic, quicName) = (
            try address("/ip4/8.8.8.8/udp/1/quic-v1"), try address("/dns4/one.example/udp/1/quic-v1")
        )
        let (list, nowhere) = (try address("/dnsaddr/one.example"), try address("/ip4/0.0.0.0/tcp/1"))
        func behind(_ depth: Int, _ mayLead: Bool = true) -> DialAdmission.Origin {
            .named(depth: depth, mayLead: mayLead)
        }
        let deep = DialAdmission.Verdict.refused(
            .other("more than \(NamedAddress.maximumDepth) names lead to one another"))
        let notPublic = DialAdmission.Verdict.refused(
            .other("the name leads to an address that is not public, which whoever told it may not ask for"))
        let rows: [(Multiaddr, DialAdmission.Origin, DialAdmission.Verdict)] = [
            (inside, .given, .admitted), (name, .given, .admitted), (list, .given, .admitted),
            (own, .given, .ignored), (own, .known(blockedUntil: at(9_000)), .ignored),
            (own, behind(1), .refused(.other("this is our own address"))),
            (quic, .given, .refused(.noTransport)), (quicName, .given, .refused(.noTransport)),
            (nowhere, .given, .refused(.noTransport)), (quic, behind(1), .refused(.noTransport)),
            (quic, .known(blockedUntil: at(9_000)), .refused(.noTransport)),
            (inside, .known(blockedUntil: at(9_000)), .refused(.backedOff(remaining: .seconds(4)))),
            (inside, .known(blockedUntil: at(5_000)), .admitted),
            (inside, behind(1), .admitted), (name, behind(3, false), .admitted), (name, behind(4), deep),
            (inside, behind(4), .admitted),
            (inside, behind(1, false), notPublic),
        ]
        for (address, origin, verdict) in rows {
            #expect(admission.verdict(on: address, origin, now: at(5_000)) == verdict, "\(address) \(origin)")
        }
    }

    @Test("who cannot be dialled is refused before anything is begun")
    func refusals() throws {
        var board = Board {
            $0.dialledPeers = 1
            $0.waitersPerDial = 1
        }
        let ours = try self.ports(1)
        let foreign = ours.map { $0.appending(peerIDBytes: Board.peers[1].bytes) }
        #expect(throws: Dialer.Refusal.noAddresses) { try board.want(0, [], now: .zero) }
        #expect(throws: Dialer.Refusal.noAddresses) { try board.want(0, foreign, now: .zero) }
        let nowhere = try address("/ip4/0.0.0.0/tcp/1")
        let outcome = DialAttempt(address: nowhere, error: .noTransport, elapsed: .zero)
        #expect(throws: Dialer.Refusal.allFailed([outcome])) { try board.want(0, [nowhere], now: .zero) }
        try board.want(0, ours, now: .zero)
        #expect(throws: Dialer.Refusal.limit(.waitersPerDial, 1)) { try board.want(0, ours, now: .zero) }
        #expect(throws: Dialer.Refusal.limit(.dialledPeers, 1)) { try board.want(1, ours, now: .zero) }
        #expect(board.dialer.peers == [Board.peers[0]] && board.underWay.count == 1)
    }

    // MARK: Orders that nobody thought of

    @Test(
        "random orders: no permit too many, none idle while a dial could use it, everyone answered",
        arguments: UInt64(31)...36)
    func randomOrders(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<40 {
            let permits = Int.random(in: 1...4, using: &random)
            var board = Board {
                $0.concurrentDials = permits
                $0.concurrentDialsPerPeer = 3
            }
            var now: UInt64 = 0
            var ended: [Dialer.Attempt] = []
            for _ in 0..<80 {
                now += UInt64.random(in: 0...400, using: &random)
                let before = board.underWay
                let peer = Int.random(in: 0..<Board.peers.count, using: &random)
                let one = board.underWay.randomElement(using: &random)
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<3:
                    let some = try self.ports(Int.random(in: 1...6, using: &random)).shuffled(using: &random)
                    try board.want(peer, some, now: at(now))
                case 3..<5: if let one { board.fail(one, now: at(now)) }
                case 5: if let one { board.refuse(one, now: at(now)) }
                case 6:
                    if let waiter = board.waiters.keys.sorted().randomElement(using: &random) {
                        board.leave(waiter, hasLostPatience: Bool.random(using: &random), now: at(now))
                    }
                case 7:
                    if let one {
                        board.connect(one)
                        board.settle(Board.number(of: one.peer), now: at(now))
                    }
                case 8: if let late = ended.randomElement(using: &random) { board.fail(late, now: at(now)) }
                default:
                    for (peer, instant) in board.wakes.sorted(by: { $0.value < $1.value }) where instant <= at(now) {
                        board.wake(Board.number(of: peer), now: at(now))
                    }
                }
                ended += before.filter { !board.underWay.contains($0) }
                #expect(board.underWay.count <= permits, "seed \(seed)")
                #expect(board.underWay.count == permits || board.dialer.starved.isEmpty, "seed \(seed)")
                #expect(Set(board.dialer.peers) == Set(board.wakes.keys), "every dial is woken; seed \(seed)")
                #expect(
                    Set(board.waiters.values) == Set(board.dialer.peers.map(Board.number)), "seed \(seed)")
            }
            for peer in Board.peers.indices { board.settle(peer, now: at(now)) }
            #expect(board.underWay.isEmpty && board.waiters.isEmpty && board.wakes.isEmpty, "seed \(seed)")
            #expect(board.dialer.starved.isEmpty && board.dialer.attemptsUnderWay == 0, "seed \(seed)")
        }
    }
}
