public import Multiformats
public import PeerIdentity

/// Why one address did not yield a connection.
public enum DialFailureReason: Error, Sendable, Hashable, CustomStringConvertible {
    /// Nobody listens there.
    case refused
    /// No answer in time.
    case timedOut
    /// The network has no way there; the system's error number.
    case unreachable(code: Int32)
    /// No transport of ours can use such an address.
    case noTransport
    /// Failures before: not tried again for this long.
    case backedOff(remaining: Duration)
    /// Another peer answered.
    case wrongPeer(PeerID)
    /// Connected, but security or multiplexing failed; the cause in a few words.
    case upgradeFailed(String)
    /// One of our own limits.
    case limit(LimitExceeded)
    /// The dial ended before this address had its turn, or while it had it.
    case abandoned
    /// Anything else; the cause in a few words.
    case other(String)

    /// For people and logs.
    public var description: String {
        switch self {
        case .refused: "connection refused"
        case .timedOut: "timed out"
        case .unreachable(let code): "unreachable (system error \(code))"
        case .noTransport: "no transport for such an address"
        case .backedOff(let remaining):
            "not tried: failed before, next attempt in \(Int(remaining.seconds.rounded(.up))) s"
        case .wrongPeer(let peer): "answered by another peer, \(peer)"
        case .upgradeFailed(let cause): "upgrade failed: \(cause)"
        case .limit(let exceeded): "\(exceeded)"
        case .abandoned: "abandoned"
        case .other(let cause): cause
        }
    }
}

/// One address that was tried, what came back, and after how long.
public struct DialAttempt: Sendable, Hashable, CustomStringConvertible {
    /// Where.
    public let address: Multiaddr
    /// What came back.
    public let error: DialFailureReason
    /// How long it took.
    public let elapsed: Duration
    /// The addresses whose names led there, first the one that was known; none if this one was.
    public let names: [Multiaddr]

    /// All of it.
    public init(address: Multiaddr, error: DialFailureReason, elapsed: Duration, names: [Multiaddr] = []) {
        self.address = address
        self.error = error
        self.elapsed = elapsed
        self.names = names
    }

    /// The address, and the names that led there if there are any: `/ip4/192.0.2.1/tcp/1 (named by /dns4/a.example/tcp/1)`.
    public var place: String {
        guard !self.names.isEmpty else { return "\(self.address)" }
        return "\(self.address) (named by \(self.names.map(\.description).joined(separator: ", ")))"
    }

    /// For people and logs.
    public var description: String { "\(self.place): \(self.error) after \(Int(self.elapsed.seconds * 1_000)) ms" }
}

/// One dial of one peer over all its addresses, shared by everybody who wants that peer.
///
/// Pure: the caller says what happened and when, and carries out the actions. Addresses start by their rank's delay, or as
/// soon as nothing is under way; a fresh TCP connection on a public address holds new attempts back for 250 ms so that
/// its upgrade may finish. The caller ends the dial with the first attempt that yields a usable connection.
///
/// An address that begins with a name takes its turn like any other, to be looked up. What it leads to joins the others, ranked from
/// then on: so the families of a name race each other too, and one that is dead costs a head start, not its time-out.
public struct PeerDial: Sendable {
    /// What the caller must do.
    public enum Action: Sendable, Hashable {
        /// Start an attempt; for an address that begins with a name: look it up, and say `resolved`.
        case attempt(Int, Multiaddr)
        /// End an attempt under way; its outcome no longer matters.
        case abandon(Int)
        /// End an attempt under way that had no answer in its time. `failed` is the address that was known, if nothing is left to
        /// try of what it leads to: it has failed.
        case timedOut(Int, failed: Multiaddr?)
        /// The dial is over: every address and what came back.
        case failed([DialAttempt])
    }

    /// Times and counts.
    public struct Limits: Sendable, Hashable {
        /// Attempts at one time.
        public var concurrent = 8
        /// One address.
        public var perAddress: Duration = .seconds(15)
        /// One local address.
        public var perLocalAddress: Duration = .seconds(5)
        /// The whole dial.
        public var overall: Duration = .seconds(60)
        /// Addresses in all, with the names and what they lead to.
        public var addresses = 64
        /// An attempt under way this long has failed also if the dial ends before the attempt's own time.
        public var unanswered: Duration = .seconds(3)

        /// The default figures.
        public init() {}
    }

    private struct Waiting {
        let address: Multiaddr
        let names: [Multiaddr]
        let due: MonotonicInstant

        var origin: Multiaddr { self.names.first ?? self.address }
    }

    private struct Running {
        let address: Multiaddr
        let names: [Multiaddr]
        let started: MonotonicInstant
        let deadline: MonotonicInstant
        /// A connection has come of it: there is nothing left to end. It keeps its turn until the dial is over, or its time is.
        var isConnected = false

        /// The address, or the one whose name led there.
        var origin: Multiaddr { self.names.first ?? self.address }

        func ended(_ reason: DialFailureReason, now: MonotonicInstant) -> DialAttempt {
            DialAttempt(
                address: self.address, error: reason, elapsed: self.started.duration(to: now), names: self.names)
        }
    }

    private enum State { case running, over }

    private let limits: Limits
    private let started: MonotonicInstant
    private var state = State.running
    private var waiting: [Waiting] = []
    private var running: [Int: Running] = [:]
    private var known: Set<Multiaddr> = []
    private var results: [DialAttempt] = []
    private var nextAttempt = 0
    private var holdUntil: MonotonicInstant = .zero
    /// Whether the last `poll` left an address whose turn it was, for want of permits: time will not start it, a permit
    /// will.
    public private(set) var isStarved = false

    /// A dial that begins at `now`. `refused` are addresses that are not tried at all, with the reason.
    public init(
        addresses: [RankedAddress], refused: [DialAttempt] = [], limits: Limits = Limits(), now: MonotonicInstant
    ) {
        self.limits = limits
        self.started = now
        self.results = Array(refused.prefix(limits.addresses))
        self.add(addresses, now: now)
    }

    /// Whether the outcome is known.
    public var isOver: Bool { self.state == .over }
    /// Attempts under way, without those that a connection has come of.
    public var attemptsUnderWay: Int { self.running.values.count(where: { !$0.isConnected }) }
    /// What has failed so far.
    public var failures: [DialAttempt] { self.results }

    /// Whether an attempt is under way, and nothing has come of it yet.
    public func isUnderWay(_ attempt: Int) -> Bool { self.running[attempt]?.isConnected == false }

    /// The addresses whose names led to that of an attempt under way, first the one that was known.
    public func names(of attempt: Int) -> [Multiaddr] { self.running[attempt]?.names ?? [] }

    /// Whether an address, or anything that its name leads to, is under way or has its turn before it.
    public func isTrying(_ address: Multiaddr) -> Bool {
        self.running.values.contains { $0.origin == address } || self.waiting.contains { $0.origin == address }
    }

    /// Adds addresses learnt while the dial is under way; known ones are ignored.
    public mutating func add(_ addresses: [RankedAddress], now: MonotonicInstant) {
        guard self.state == .running else { return }
        _ = self.wait(for: addresses, names: [], now: now)
    }

    /// - Returns: whether any of them was news.
    private mutating func wait(for addresses: [RankedAddress], names: [Multiaddr], now: MonotonicInstant) -> Bool {
        let before = self.known.count
        for ranked in addresses where self.known.count < self.limits.addresses {
            guard self.known.insert(ranked.address).inserted else { continue }
            self.waiting.append(Waiting(address: ranked.address, names: names, due: now.advanced(by: ranked.delay)))
        }
        self.waiting.sort { $0.due < $1.due }
        return self.known.count > before
    }

    /// When `poll` must be called next, even if nothing happens; nil if never. Later than the time of the last `poll`.
    public var nextDeadline: MonotonicInstant? {
        guard self.state == .running else { return nil }
        var next = self.started.advanced(by: self.limits.overall)
        if let deadline = self.running.values.map(\.deadline).min() { next = min(next, deadline) }
        if !self.isStarved, self.running.count < self.limits.concurrent, let due = self.waiting.first?.due {
            next = min(next, max(due, self.holdUntil))
        }
        return next
    }

    /// Time has passed, or permits have become free.
    ///
    /// - Parameter permits: how many attempts may be started now; each `.attempt` returned uses one.
    public mutating func poll(permits: Int, now: MonotonicInstant) -> [Action] {
        guard self.state == .running else { return [] }
        var actions: [Action] = []
        for (attempt, record) in self.running.sorted(by: { $0.key < $1.key }) where record.deadline <= now {
            self.results.append(record.ended(.timedOut, now: now))
            if let end = self.stop(attempt, record, now: now) { actions.append(end) }
        }
        if self.started.advanced(by: self.limits.overall) <= now { return actions + self.end(now: now) }
        var left = permits
        self.isStarved = false
        while self.running.count < self.limits.concurrent, let next = self.waiting.first {
            let isIdle = self.running.isEmpty
            guard isIdle || (next.due <= now && self.holdUntil <= now) else { break }
            guard left > 0 else {
                self.isStarved = true
                break
            }
            self.waiting.removeFirst()
            left -= 1
            actions.append(self.start(next, now: now))
        }
        if self.running.isEmpty, self.waiting.isEmpty { actions += self.end(now: now) }
        return actions
    }

    /// The attempt's transport connection is up; its upgrade is under way.
    public mutating func transportConnected(_ attempt: Int, now: MonotonicInstant) {
        guard let record = self.running[attempt], record.address.isPublic else { return }
        self.holdUntil = now.advanced(by: .milliseconds(250))
    }

    /// A usable connection has come of the attempt: no action names it from now on. The caller ends the dial as soon as it can.
    public mutating func connected(_ attempt: Int) { self.running[attempt]?.isConnected = true }

    /// The attempt failed.
    public mutating func failed(
        _ attempt: Int, _ reason: DialFailureReason, permits: Int, now: MonotonicInstant
    ) -> [Action] {
        guard let record = self.takeUnderWay(attempt) else { return [] }
        self.results.append(record.ended(reason, now: now))
        return self.poll(permits: permits, now: now)
    }

    /// The attempt's address began with a name, which has been looked up.
    ///
    /// - Parameters:
    ///   - addresses: where it leads, ranked as from now; those that are known already are ignored.
    ///   - refused: of those, what cannot be tried, with the reason.
    public mutating func resolved(
        _ attempt: Int, to addresses: [RankedAddress], refused: [(address: Multiaddr, reason: DialFailureReason)] = [],
        permits: Int, now: MonotonicInstant
    ) -> [Action] {
        guard let record = self.takeUnderWay(attempt) else { return [] }
        let names = record.names + [record.address]
        let before = self.results.count
        for (address, reason) in refused where self.known.count < self.limits.addresses {
            guard self.known.insert(address).inserted else { continue }
            self.results.append(DialAttempt(address: address, error: reason, elapsed: .zero, names: names))
        }
        let isNews = self.wait(for: addresses, names: names, now: now)
        if !isNews, self.results.count == before {
            self.results.append(record.ended(.other("the name leads to nothing new"), now: now))
        }
        return self.poll(permits: permits, now: now)
    }

    /// The dial is over: those who wanted the peer have no more patience.
    ///
    /// - Returns: an end to every attempt under way.
    public mutating func giveUp(now: MonotonicInstant) -> [Action] {
        guard self.state == .running else { return [] }
        let ended = self.running.sorted { $0.key < $1.key }.compactMap { self.stop($0.key, $0.value, now: now) }
        return ended + self.cancel()
    }

    /// The dial is over: an attempt yielded a usable connection, the peer connected to us by itself, or nobody wants it
    /// any more.
    ///
    /// - Returns: an end to every attempt under way. The one that yielded a connection is not among them if the machine was told,
    ///   see `connected`: it is the caller's already.
    public mutating func cancel() -> [Action] {
        guard self.state == .running else { return [] }
        let abandoned = self.running.filter { !$0.value.isConnected }.keys.sorted().map(Action.abandon)
        self.running = [:]
        self.waiting = []
        self.isStarved = false
        self.state = .over
        return abandoned
    }

    private mutating func takeUnderWay(_ attempt: Int) -> Running? {
        guard self.state == .running, self.isUnderWay(attempt) else { return nil }
        return self.running.removeValue(forKey: attempt)
    }

    private mutating func start(_ next: Waiting, now: MonotonicInstant) -> Action {
        let address = next.address
        let isLocal = address.isPrivate || address.isLoopback || address.isLinkLocal
        let time = isLocal ? self.limits.perLocalAddress : self.limits.perAddress
        let attempt = self.nextAttempt
        self.nextAttempt += 1
        self.running[attempt] = Running(
            address: address, names: next.names, started: now, deadline: now.advanced(by: time))
        return .attempt(attempt, address)
    }

    private mutating func end(now: MonotonicInstant) -> [Action] {
        self.state = .over
        var actions: [Action] = []
        for (attempt, record) in self.running.sorted(by: { $0.key < $1.key }) {
            self.results.append(record.ended(.timedOut, now: now))
            if let end = self.stop(attempt, record, now: now) { actions.append(end) }
        }
        for entry in self.waiting {
            self.results.append(
                DialAttempt(address: entry.address, error: .abandoned, elapsed: .zero, names: entry.names))
        }
        self.running = [:]
        self.waiting = []
        self.isStarved = false
        return actions + [.failed(self.results)]
    }

    /// Ends an attempt that has had no answer. Of one that began only just now nobody can say that it failed, and one that a
    /// connection has come of has not.
    private mutating func stop(_ attempt: Int, _ record: Running, now: MonotonicInstant) -> Action? {
        self.running[attempt] = nil
        guard !record.isConnected else { return nil }
        guard record.deadline <= now || record.started.advanced(by: self.limits.unanswered) <= now else {
            return .abandon(attempt)
        }
        return .timedOut(attempt, failed: self.isTrying(record.origin) ? nil : record.origin)
    }
}
