package import Multiformats
import OrderedCollections
package import PeerIdentity

/// All dials of a node: one a peer, however many want it, and the permits that they share.
///
/// Pure: the caller says what happened and when, and carries out the actions in their order. It keeps by their numbers what is
/// not of our making: whoever waits, and the reservation and the channel of each attempt.
///
/// Attempts start with a permit, and there are `ResourceLimits.concurrentDials` of them. A dial that could use one stands in line,
/// behind those that came before it, and stands there again for its next address: no permit lies idle while a dial could use it,
/// and no dial can keep others waiting by going on to its next address with the permit of the last.
package struct Dialer: Sendable {
    /// Names an attempt; never used again in the life of the dialer, so that the outcome of one that was ended long ago changes
    /// nothing, also if the same peer is being dialled anew.
    package struct AttemptID: Sendable, Hashable {
        fileprivate let dial: UInt64
        fileprivate let number: Int
    }

    /// One attempt: whom, and where.
    package struct Attempt: Sendable, Hashable {
        /// Its name.
        package let id: AttemptID
        /// Who is wanted.
        package let peer: PeerID
        /// Where to connect to; if it begins with a name, that is to be looked up.
        package let address: Multiaddr
        /// The addresses whose names led there, first the one that was known.
        package let names: [Multiaddr]

        /// What the address book knows: the address, or the one whose name led there.
        package var known: Multiaddr { self.names.first ?? self.address }
    }

    /// What the caller must do.
    package enum Action: Sendable, Hashable {
        /// Reserve a connection and start the attempt, or say `refused` if there is none to reserve.
        case attempt(Attempt)
        /// An attempt is over: close what it has opened, and give its reservation back. Its outcome no longer matters.
        case end(AttemptID)
        /// Count an attempt that failed.
        case count(DialFailureReason)
        /// Count a refusal, and tell of it.
        case limitReached(LimitExceeded)
        /// Tell the address book that an address of the peer has failed.
        case backOff(PeerID, Multiaddr)
        /// Tell the address book that the peer no longer speaks what it spoke last.
        case forgetSecurity(PeerID)
        /// Say `woken` then; this takes the place of an earlier instant.
        case wake(PeerID, at: MonotonicInstant)
        /// A dial is over: it need not be woken any more.
        case rest(PeerID)
        /// Tell those who wait that every address of the peer has failed, and how.
        case failed(PeerID, waiters: [UInt64], [DialAttempt])
    }

    /// Why nobody can wait for a peer.
    package enum Refusal: Error, Sendable, Hashable {
        /// A limit of ours, and its figure. Not counted yet.
        case limit(LimitName, Int)
        /// No address of the peer is known.
        case noAddresses
        /// There are some, and none can be tried.
        case allFailed([DialAttempt])
    }

    private struct Dial {
        let number: UInt64
        var machine: PeerDial
        var waiters: Set<UInt64> = []
        /// Names that those who wait gave along: they may lead anywhere. At most as many as a dial has addresses.
        private(set) var given: Set<Multiaddr> = []
        /// When the caller has been told to wake it, unless it has done so.
        var wakes: MonotonicInstant?

        init(number: UInt64, machine: PeerDial) {
            self.number = number
            self.machine = machine
        }

        mutating func give(_ addresses: [Multiaddr], most: Int) {
            for address in addresses where address.dnsName != nil && self.given.count < most {
                self.given.insert(address.withoutPeerID)
            }
        }
    }

    private let limits: ResourceLimits
    private var dials: [PeerID: Dial] = [:]
    private var nextDial: UInt64 = 0
    /// Dials that could use a permit, longest waiting first. At most as many as there are dials.
    private var line: OrderedSet<PeerID> = []
    /// Attempts that hold a permit.
    package private(set) var attemptsUnderWay = 0

    /// No dial yet.
    package init(limits: ResourceLimits) { self.limits = limits }

    // MARK: Questions

    /// The peers being dialled.
    package var peers: [PeerID] { Array(self.dials.keys) }
    /// Those whose dials wait for a permit, longest waiting first.
    package var starved: [PeerID] { Array(self.line) }

    /// Whether the peer is being dialled.
    package func isDialling(_ peer: PeerID) -> Bool { self.dials[peer] != nil }

    /// Whether an attempt is under way, and nothing has come of it yet.
    package func isUnderWay(_ attempt: Attempt) -> Bool { self.index(of: attempt) != nil }

    /// What has failed so far in the dial of a peer.
    package func failures(of peer: PeerID) -> [DialAttempt] { self.dials[peer]?.machine.failures ?? [] }

    /// When the dial of a peer goes on even if nothing happens; nil if there is none.
    package func nextDeadline(of peer: PeerID) -> MonotonicInstant? { self.dials[peer]?.machine.nextDeadline }

    /// Whether somebody who waits for the peer gave this name along.
    package func isGiven(_ name: Multiaddr, of peer: PeerID) -> Bool { self.dials[peer]?.given.contains(name) == true }

    // MARK: Who wants a peer

    /// Somebody wants a connection with the peer: the dial under way is theirs too, or begins.
    ///
    /// - Parameters:
    ///   - waiter: a number that nobody else has.
    ///   - addresses: tried along with those in the book, without regard to back-off; those of other peers are left out.
    package mutating func wanted(
        _ peer: PeerID, by waiter: UInt64, addresses: [Multiaddr], book: AddressBook, admission: DialAdmission,
        now: MonotonicInstant
    ) throws(Refusal) -> [Action] {
        let wanted = addresses.filter { $0.peerIDBytes == nil || $0.peerIDBytes == peer.bytes }.map(\.withoutPeerID)
        if let index = self.dials.index(forKey: peer) {
            guard self.dials.values[index].waiters.count < self.limits.waitersPerDial else {
                throw Refusal.limit(.waitersPerDial, self.limits.waitersPerDial)
            }
            let more = wanted.filter { admission.verdict(on: $0, .given, now: now) == .admitted }
            self.dials.values[index].waiters.insert(waiter)
            self.dials.values[index].give(addresses, most: self.limits.addressesPerDial)
            return self.proceed(index, now: now) {
                $0.add(AddressRanking.rank(more), now: now)
                return $0.poll(permits: 0, now: now)
            }
        }
        guard self.dials.count < self.limits.dialledPeers else {
            throw Refusal.limit(.dialledPeers, self.limits.dialledPeers)
        }
        let (usable, refused) = self.candidates(of: peer, wanted, book: book, admission: admission, now: now)
        guard !usable.isEmpty else { throw refused.isEmpty ? Refusal.noAddresses : Refusal.allFailed(refused) }
        var dial = Dial(
            number: self.nextDial,
            machine: PeerDial(
                addresses: AddressRanking.rank(usable), refused: refused, limits: PeerDial.Limits(self.limits),
                now: now))
        self.nextDial += 1
        dial.waiters.insert(waiter)
        dial.give(addresses, most: self.limits.addressesPerDial)
        self.dials[peer] = dial
        guard let index = self.dials.index(forKey: peer) else { return [] }
        return self.proceed(index, now: now) { $0.poll(permits: 0, now: now) }
    }

    /// What can be tried, and what cannot with the reason.
    private func candidates(
        of peer: PeerID, _ wanted: [Multiaddr], book: AddressBook, admission: DialAdmission, now: MonotonicInstant
    ) -> (usable: [Multiaddr], refused: [DialAttempt]) {
        var usable: [Multiaddr] = []
        var refused: [DialAttempt] = []
        func consider(_ address: Multiaddr, _ origin: DialAdmission.Origin) {
            switch admission.verdict(on: address, origin, now: now) {
            case .admitted: usable.append(address)
            case .refused(let reason): refused.append(DialAttempt(address: address, error: reason, elapsed: .zero))
            case .ignored: break
            }
        }
        for address in wanted.prefix(self.limits.addressesPerDial) { consider(address, .given) }
        let given = Set(wanted)
        for item in book.items(of: peer, now: now) where !given.contains(item.address) {
            consider(item.address, .known(blockedUntil: item.blockedUntil))
        }
        return (usable, refused)
    }

    /// Somebody wants the peer no more. Of a dial that nobody waits for the attempts end.
    ///
    /// - Parameter hasLostPatience: whether it is for the time that it takes. Who no longer wants the peer says nothing about its
    ///   addresses.
    package mutating func left(
        _ peer: PeerID, by waiter: UInt64, hasLostPatience: Bool, now: MonotonicInstant
    ) -> [Action] {
        guard let index = self.dials.index(forKey: peer), self.dials.values[index].waiters.remove(waiter) != nil,
            self.dials.values[index].waiters.isEmpty
        else { return [] }
        return self.end(index, now: now) { hasLostPatience ? $0.giveUp(now: now) : $0.cancel() }
    }

    /// The dial of a peer is over: there is a connection, by an attempt or by the peer's own, or nobody is to have one.
    ///
    /// - Returns: those who wait for it, beside the actions.
    package mutating func settled(_ peer: PeerID, now: MonotonicInstant) -> (waiters: [UInt64], actions: [Action]) {
        guard let index = self.dials.index(forKey: peer) else { return ([], self.givePermits(now: now)) }
        let waiters = self.dials.values[index].waiters.sorted()
        return (waiters, self.end(index, now: now) { $0.cancel() })
    }

    // MARK: What comes of it

    /// The instant of a `wake` has come, or an earlier one.
    package mutating func woken(_ peer: PeerID, now: MonotonicInstant) -> [Action] {
        guard let index = self.dials.index(forKey: peer) else { return [] }
        self.dials.values[index].wakes = nil
        return self.proceed(index, now: now) { $0.poll(permits: 0, now: now) }
    }

    /// No connection could be reserved for an attempt that was to start.
    package mutating func refused(_ attempt: Attempt, _ exceeded: LimitExceeded, now: MonotonicInstant) -> [Action] {
        guard let index = self.index(of: attempt) else { return [] }
        return self.proceed(index, now: now) {
            $0.failed(attempt.id.number, .limit(exceeded), permits: 0, now: now)
        }
    }

    /// The name that the attempt's address begins with has been looked up.
    package mutating func resolved(
        _ attempt: Attempt, to found: [Multiaddr], book: AddressBook, admission: DialAdmission, now: MonotonicInstant
    ) -> [Action] {
        // Names are strangers', and a zone may say anything: none but `localhost` leads to our own machine's doors.
        let leads = attempt.known.isLoopback ? found : found.filter { !$0.isLoopback && !$0.isUnspecified }
        guard !leads.isEmpty else {
            let why = Self.whyNowhere(attempt.address, foundNothing: found.isEmpty)
            return self.failed(attempt, .other(why), now: now)
        }
        guard let index = self.index(of: attempt) else { return [] }
        let isGiven = self.dials.values[index].given.contains(attempt.known)
        var usable: [Multiaddr] = []
        var refused: [(address: Multiaddr, reason: DialFailureReason)] = []
        for address in leads {
            let mayLead = isGiven || book.mayLead(attempt.known, of: attempt.peer, to: address)
            let origin = DialAdmission.Origin.named(depth: attempt.names.count + 1, mayLead: mayLead)
            switch admission.verdict(on: address, origin, now: now) {
            case .admitted: usable.append(address)
            case .refused(let reason): refused.append((address, reason))
            case .ignored: break
            }
        }
        let steps = self.change(index) {
            $0.resolved(
                attempt.id.number, to: AddressRanking.rank(usable), refused: refused, permits: 0, now: now)
        }
        var actions: [Action] = [.end(attempt.id)]
        // Where it leads to what is tried already, that address succeeds or fails, not the name.
        if usable.isEmpty { actions += self.backOff(attempt, index) }
        return actions + self.proceed(index, steps, now: now)
    }

    private static func whyNowhere(_ address: Multiaddr, foundNothing: Bool) -> String {
        guard foundNothing else {
            return "the name leads to this machine: dial /ip4/127.0.0.1 or localhost instead"
        }
        return NamedAddress(address)?.isList == true
            ? "the name has no dnsaddr record of this peer" : "the name has no address"
    }

    /// The attempt's pipe is up; its upgrade is under way.
    package mutating func transportConnected(_ attempt: Attempt, now: MonotonicInstant) {
        guard let index = self.index(of: attempt) else { return }
        self.change(index) { $0.transportConnected(attempt.id.number, now: now) }
    }

    /// A connection has come of the attempt: it can no longer be ended, and its reservation is the connection's. Its permit goes
    /// to others when the dial is `settled`, which is to follow.
    package mutating func connected(_ attempt: Attempt) {
        guard let index = self.index(of: attempt) else { return }
        self.change(index) { $0.connected(attempt.id.number) }
    }

    /// The attempt failed before its pipe was up, or for good.
    package mutating func failed(_ attempt: Attempt, _ reason: DialFailureReason, now: MonotonicInstant) -> [Action] {
        var actions: [Action] = [.count(reason)]
        guard let index = self.index(of: attempt) else { return actions }
        actions.append(.end(attempt.id))
        let steps = self.change(index) { $0.failed(attempt.id.number, reason, permits: 0, now: now) }
        switch reason {
        // A resolver has no books to count it in.
        case .limit(let exceeded) where exceeded.name == .nameLookUps: actions.append(.limitReached(exceeded))
        case .limit: break
        default: actions += self.backOff(attempt, index)
        }
        return actions + self.proceed(index, steps, now: now)
    }

    /// The attempt's pipe was up, but no connection came of it.
    ///
    /// - Parameters:
    ///   - isUnwanted: whether it was we who did not want the connection.
    ///   - usedListeningPort: whether the pipe's source port was one that we listen on.
    /// - Returns: terms on which the same attempt is to be made again, if it is, beside the actions.
    package mutating func upgradeFailed(
        _ attempt: Attempt, on terms: AttemptTerms, _ reason: DialFailureReason, isUnwanted: Bool,
        usedListeningPort: Bool, now: MonotonicInstant
    ) -> (again: AttemptTerms?, actions: [Action]) {
        var actions: [Action] = []
        // One that lost the race to another says nothing of what that one has just shown.
        if self.isUnderWay(attempt) {
            // Nor does another peer, whose address it is now, and whose ways are its own.
            let isOther = if case .wrongPeer = reason { true } else { false }
            if terms.presumed != nil, !isOther { actions.append(.forgetSecurity(attempt.peer)) }
            if !isUnwanted, let again = terms.mended(after: reason, usedListeningPort: usedListeningPort) {
                return (again, actions)
            }
        }
        return (nil, actions + self.failed(attempt, reason, now: now))
    }

    // MARK: Driving the machines

    private var freePermits: Int { self.limits.concurrentDials - self.attemptsUnderWay }

    /// The dial of an attempt that is under way.
    private func index(of attempt: Attempt) -> Dictionary<PeerID, Dial>.Index? {
        guard let index = self.dials.index(forKey: attempt.peer) else { return nil }
        let dial = self.dials.values[index]
        return dial.number == attempt.id.dial && dial.machine.isUnderWay(attempt.id.number) ? index : nil
    }

    /// A name has failed when everything has that it leads to.
    private func backOff(_ attempt: Attempt, _ index: Dictionary<PeerID, Dial>.Index) -> [Action] {
        self.dials.values[index].machine.isTrying(attempt.known) ? [] : [.backOff(attempt.peer, attempt.known)]
    }

    /// Changes a machine. Every change goes through here, so that the permits in use are those of its attempts.
    private mutating func change<Outcome>(
        _ index: Dictionary<PeerID, Dial>.Index, _ event: (inout PeerDial) -> Outcome
    ) -> Outcome {
        let before = self.dials.values[index].machine.attemptsUnderWay
        let outcome = event(&self.dials.values[index].machine)
        self.attemptsUnderWay += self.dials.values[index].machine.attemptsUnderWay - before
        return outcome
    }

    /// Tells a machine something, and follows it.
    private mutating func proceed(
        _ index: Dictionary<PeerID, Dial>.Index, now: MonotonicInstant, _ event: (inout PeerDial) -> [PeerDial.Action]
    ) -> [Action] {
        let steps = self.change(index, event)
        return self.proceed(index, steps, now: now)
    }

    /// Follows a machine that has been told something without a permit. It gets one when its turn comes, which may be at once.
    private mutating func proceed(
        _ index: Dictionary<PeerID, Dial>.Index, _ steps: [PeerDial.Action], now: MonotonicInstant
    ) -> [Action] {
        let peer = self.dials[index].key
        return self.follow(index, steps) + self.givePermits(after: peer, now: now)
    }

    /// Ends a dial for a cause of its caller's.
    private mutating func end(
        _ index: Dictionary<PeerID, Dial>.Index, now: MonotonicInstant, _ event: (inout PeerDial) -> [PeerDial.Action]
    ) -> [Action] {
        let steps = self.change(index, event)
        let peer = self.dials[index].key
        var actions = self.follow(index, steps)
        self.forget(peer)
        actions.append(.rest(peer))
        return actions + self.givePermits(now: now)
    }

    private mutating func forget(_ peer: PeerID) {
        self.dials[peer] = nil
        self.line.remove(peer)
    }

    /// What a machine's steps mean. The index is of no use afterwards, since the dial may be over.
    private mutating func follow(_ index: Dictionary<PeerID, Dial>.Index, _ steps: [PeerDial.Action]) -> [Action] {
        let (peer, dial) = self.dials[index]
        var actions: [Action] = []
        for step in steps {
            switch step {
            case .attempt(let number, let address):
                actions.append(
                    .attempt(
                        Attempt(
                            id: AttemptID(dial: dial.number, number: number), peer: peer, address: address,
                            names: dial.machine.names(of: number))))
            case .abandon(let number): actions.append(.end(AttemptID(dial: dial.number, number: number)))
            case .timedOut(let number, let failed):
                actions += [.end(AttemptID(dial: dial.number, number: number)), .count(.timedOut)]
                if let failed { actions.append(.backOff(peer, failed)) }
            case .failed(let attempts):
                self.forget(peer)
                actions += [.rest(peer), .failed(peer, waiters: dial.waiters.sorted(), attempts)]
            }
        }
        if dial.machine.isStarved { self.line.append(peer) }
        return actions
    }

    /// Gives the permits that are free to the dials in line, each as many as it can use when its turn comes; then sees to it that
    /// every dial that has changed is woken.
    private mutating func givePermits(after peer: PeerID? = nil, now: MonotonicInstant) -> [Action] {
        var actions: [Action] = []
        var changed = peer.map { [$0] } ?? []
        while self.freePermits > 0, let next = self.line.first {
            self.line.removeFirst()
            guard let index = self.dials.index(forKey: next) else { continue }
            let permits = self.freePermits
            let steps = self.change(index) { $0.poll(permits: permits, now: now) }
            actions += self.follow(index, steps)
            changed.append(next)
        }
        for peer in changed { actions += self.wake(peer) }
        return actions
    }

    /// An instant that has come, and of which the caller has not said so yet, is on its way.
    private mutating func wake(_ peer: PeerID) -> [Action] {
        guard let index = self.dials.index(forKey: peer),
            let deadline = self.dials.values[index].machine.nextDeadline
        else { return [] }
        if let wakes = self.dials.values[index].wakes, wakes <= deadline { return [] }
        self.dials.values[index].wakes = deadline
        return [.wake(peer, at: deadline)]
    }
}

extension PeerDial.Limits {
    /// The figures for one dial among those of a node.
    init(_ limits: ResourceLimits) {
        self.init()
        self.concurrent = limits.concurrentDialsPerPeer
        self.perAddress = limits.dialTimeout
        self.perLocalAddress = limits.localDialTimeout
        self.overall = limits.peerDialTimeout
        self.addresses = limits.addressesPerDial
        self.unanswered = limits.unansweredDialTime
    }
}
