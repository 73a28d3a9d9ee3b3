import Logging
public import Multiformats
import NIOCore
import P2PCore
public import PeerIdentity
import Synchronization

extension Swarm {
    // MARK: Asking

    /// A usable connection with the peer: a live one, or the outcome of a dial that all who ask share.
    ///
    /// - Parameters:
    ///   - addresses: tried along with those in the address book, without regard to back-off.
    ///   - timeout: this caller's patience; the dial goes on for others.
    ///   - allowsLimited: whether a relayed connection with limits will do.
    /// - Throws: `DialError`, or `CancellationError`.
    public func connect(
        to peer: PeerID, addresses: [Multiaddr] = [], timeout: Duration, allowsLimited: Bool = false
    ) async throws -> SwarmConnection {
        if let live = self.bestConnection(with: peer, allowsLimited: allowsLimited) { return live }
        guard peer != self.localPeer else { throw DialError(.selfDial, peer: peer) }
        let promise = self.group.next().makePromise(of: SwarmConnection.self)
        let joined: UInt64
        do {
            joined = try self.join(peer, addresses: addresses, promise: promise)
        } catch {
            promise.fail(error)
            return try await promise.futureResult.get()
        }
        let patience = self.group.next().scheduleTask(in: TimeAmount(timeout)) { [weak self] in
            self?.leave(peer, waiter: joined) { DialError(.timedOut, peer: peer, attempts: $0) }
        }
        defer { patience.cancel() }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            self.leave(peer, waiter: joined) { _ in CancellationError() }
        }
    }

    /// Enters a waiter into the dial of a peer, which begins if there is none; the number is for `leave`.
    func join(
        _ peer: PeerID, addresses: [Multiaddr], promise: EventLoopPromise<SwarmConnection>
    ) throws -> UInt64 {
        let now = MonotonicInstant.now()
        let outcome: Result<UInt64, DialError> = self.update { state, effects in
            guard state.phase == .running else { return .failure(DialError(.stopped, peer: peer)) }
            guard !state.refusedPeers.contains(peer) else { return .failure(DialError(.refused, peer: peer)) }
            let number = state.takeNumber()
            if let live = state.best(of: peer, local: self.localPeer, allowsLimited: false) {
                effects.append(.succeed(promise, live))
                return .success(number)
            }
            let limits = self.configuration.limits
            if var dial = state.dials[peer] {
                guard dial.waiters.count < limits.waitersPerDial else {
                    let exceeded = state.ledger.refuse(.waitersPerDial, limits.waitersPerDial)
                    effects.append(.limitReached(exceeded))
                    return .failure(DialError(.limit(exceeded), peer: peer))
                }
                dial.waiters[number] = promise
                dial.give(addresses, most: limits.addressesPerDial)
                dial.machine.add(AddressRanking.rank(self.dialable(addresses, of: peer, in: state)), now: now)
                state.dials[peer] = dial
                effects += self.advance(peer, in: &state, now: now)
                return .success(number)
            }
            guard state.dials.count < limits.dialledPeers else {
                let exceeded = state.ledger.refuse(.dialledPeers, limits.dialledPeers)
                effects.append(.limitReached(exceeded))
                return .failure(DialError(.limit(exceeded), peer: peer))
            }
            let (candidates, refused) = self.candidates(of: peer, explicit: addresses, in: state, now: now)
            guard !candidates.isEmpty else {
                return .failure(DialError(refused.isEmpty ? .noAddresses : .allFailed, peer: peer, attempts: refused))
            }
            var figures = PeerDial.Limits()
            figures.concurrent = limits.concurrentDialsPerPeer
            figures.perAddress = limits.dialTimeout
            figures.perLocalAddress = limits.localDialTimeout
            figures.overall = limits.peerDialTimeout
            figures.addresses = limits.addressesPerDial
            figures.unanswered = limits.unansweredDialTime
            let machine = PeerDial(
                addresses: AddressRanking.rank(candidates), refused: refused, limits: figures, now: now)
            var dial = SwarmState.Dial(machine: machine)
            dial.waiters[number] = promise
            dial.give(addresses, most: limits.addressesPerDial)
            state.dials[peer] = dial
            effects += self.advance(peer, in: &state, now: now)
            return .success(number)
        }
        return try outcome.get()
    }

    /// What can be tried, and what cannot with the reason.
    private func candidates(
        of peer: PeerID, explicit: [Multiaddr], in state: SwarmState, now: MonotonicInstant
    ) -> (candidates: [Multiaddr], refused: [DialAttempt]) {
        let wanted = explicit.filter { $0.peerIDBytes == nil || $0.peerIDBytes == peer.bytes }.map(\.withoutPeerID)
        var candidates: [Multiaddr] = []
        var refused: [DialAttempt] = []
        let own = Set(state.listeners.map(\.address))
        func consider(_ address: Multiaddr, blockedUntil: MonotonicInstant) {
            let reason: DialFailureReason
            if own.contains(address) {
                return
            } else if !self.canDial(address) || address.isUnspecified {
                reason = .noTransport
            } else if blockedUntil > now {
                reason = .backedOff(remaining: now.duration(to: blockedUntil))
            } else {
                candidates.append(address)
                return
            }
            refused.append(DialAttempt(address: address, error: reason, elapsed: .zero))
        }
        for address in wanted.prefix(self.configuration.limits.addressesPerDial) {
            consider(address, blockedUntil: .zero)
        }
        let given = Set(wanted)
        for item in state.book.items(of: peer, now: now) where !given.contains(item.address) {
            consider(item.address, blockedUntil: item.blockedUntil)
        }
        return (candidates, refused)
    }

    private func dialable(_ addresses: [Multiaddr], of peer: PeerID, in state: SwarmState) -> [Multiaddr] {
        let own = Set(state.listeners.map(\.address))
        return addresses.filter { $0.peerIDBytes == nil || $0.peerIDBytes == peer.bytes }.map(\.withoutPeerID)
            .filter { address in
                !own.contains(address) && !address.isUnspecified && self.canDial(address)
            }
    }

    func leave(_ peer: PeerID, waiter: UInt64, error: ([DialAttempt]) -> any Error) {
        self.update { state, effects in
            guard let promise = state.dials[peer]?.waiters.removeValue(forKey: waiter),
                let dial = state.dials[peer]
            else { return }
            let error = error(dial.machine.failures)
            if dial.waiters.isEmpty {
                let failure = error as? DialError
                _ = self.takeDial(of: peer, from: &state, &effects) {
                    // Who no longer wants the peer says nothing about its addresses.
                    failure == nil ? $0.cancel() : $0.giveUp(now: .now())
                }
                if let failure { effects.append(.dialFailed(failure)) }
            }
            effects.append(.fail([promise], error))
        }
    }

    /// There is a connection, by this dial or by the peer's own: whoever waits for it is served, attempts under way end.
    func satisfyDial(of peer: PeerID, with connection: SwarmConnection) {
        self.endDial(of: peer) { .succeed($0, connection) }
    }

    /// Ends a dial with an error for all who wait.
    func endDial(of peer: PeerID, error: DialError) { self.endDial(of: peer) { .fail([$0], error) } }

    private func endDial(of peer: PeerID, outcome: (EventLoopPromise<SwarmConnection>) -> Effect) {
        self.update { state, effects in
            let waiters = self.takeDial(of: peer, from: &state, &effects)
            effects += waiters.map(outcome)
        }
    }

    /// Takes a dial out of the tables, and gives back what its attempts hold.
    ///
    /// - Parameter end: how the machine is told.
    /// - Returns: those who wait for it.
    private func takeDial(
        of peer: PeerID, from state: inout SwarmState, _ effects: inout [Effect],
        end: (inout PeerDial) -> [PeerDial.Action] = { $0.cancel() }
    ) -> [EventLoopPromise<SwarmConnection>] {
        guard var dial = state.dials[peer] else { return [] }
        let actions = end(&dial.machine)
        state.dials[peer] = dial
        effects += self.apply(actions, to: peer, in: &state)
        self.forgetDial(of: peer, in: &state)
        return Array(dial.waiters.values)
    }

    private func forgetDial(of peer: PeerID, in state: inout SwarmState) {
        state.dials.removeValue(forKey: peer)?.timer?.cancel()
        state.starved.remove(peer)
    }

    // MARK: Driving the machine

    /// What is to be done once the lock is released.
    enum Effect: Sendable {
        case attempt(AttemptOrder)
        case close(any Channel)
        case succeed(EventLoopPromise<SwarmConnection>, SwarmConnection)
        case fail([EventLoopPromise<SwarmConnection>], any Error)
        case arm(PeerID)
        case attemptTimedOut
        case dialFailed(DialError)
        case limitReached(LimitExceeded)
    }

    /// Changes the tables, gives the permits that are free then to the dials that wait for one, and does what follows of
    /// both. Every change of a dial goes through here, and attempts start nowhere else: no permit lies idle while a dial
    /// could use it, and no dial can keep others waiting by going on to its next address with the permit of the last.
    func update<Outcome: Sendable>(
        _ change: (inout SwarmState, inout [Effect]) -> Outcome
    ) -> Outcome {
        let (outcome, effects) = self.state.withLock { state in
            var effects: [Effect] = []
            let outcome = change(&state, &effects)
            while self.permits(in: state) > 0, let peer = state.starved.first {
                state.starved.removeFirst()
                effects += self.advance(peer, permits: self.permits(in: state), in: &state, now: .now())
            }
            return (outcome, effects)
        }
        self.perform(effects)
        return outcome
    }

    private func permits(in state: SwarmState) -> Int {
        self.configuration.limits.concurrentDials - state.attemptsUnderWay
    }

    /// Lets time pass for one dial.
    private func advance(
        _ peer: PeerID, permits: Int = 0, in state: inout SwarmState, now: MonotonicInstant
    ) -> [Effect] {
        guard var dial = state.dials[peer] else { return [] }
        let actions = dial.machine.poll(permits: permits, now: now)
        state.dials[peer] = dial
        return self.apply(actions, to: peer, in: &state)
    }

    func apply(_ actions: [PeerDial.Action], to peer: PeerID, in state: inout SwarmState) -> [Effect] {
        var effects: [Effect] = []
        var queue = actions[...]
        while let action = queue.popFirst() {
            switch action {
            case .attempt(let attempt, let address):
                do throws(LimitExceeded) {
                    let slot = try state.ledger.reserveOutbound(to: address.ipAddress)
                    state.attemptsUnderWay += 1
                    state.dials[peer]?.attempts[attempt] = SwarmState.Attempt(address: address, slot: slot)
                    effects.append(
                        .attempt(
                            AttemptOrder(
                                peer: peer, number: attempt, address: address,
                                names: state.dials[peer]?.machine.names(of: attempt) ?? [], slot: slot,
                                presumed: state.book.security(of: peer),
                                reusesPort: self.configuration.reusesListeningPort)))
                } catch {
                    effects.append(.limitReached(error))
                    guard var dial = state.dials[peer] else { continue }
                    queue += dial.machine.failed(attempt, .limit(error), permits: 0, now: .now())
                    state.dials[peer] = dial
                }
            case .abandon(let attempt):
                if let ended = self.endAttempt(attempt, of: peer, in: &state), let channel = ended.channel {
                    effects.append(.close(channel))
                }
            case .timedOut(let attempt, let failed):
                // One that a connection has come of in this very moment is in the books no more, and has not failed.
                guard let ended = self.endAttempt(attempt, of: peer, in: &state) else { continue }
                if let channel = ended.channel { effects.append(.close(channel)) }
                effects.append(.attemptTimedOut)
                if let failed { state.book.dialFailed(failed, of: peer, now: .now()) }
            case .failed(let attempts):
                guard let dial = state.dials[peer] else { continue }
                self.forgetDial(of: peer, in: &state)
                let error = DialError(.allFailed, peer: peer, attempts: attempts)
                effects += [.dialFailed(error), .fail(Array(dial.waiters.values), error)]
            }
        }
        guard let machine = state.dials[peer]?.machine else { return effects }
        if machine.isStarved {
            state.starved.append(peer)
            // Its turn comes before the lock is released, and with it another deadline.
            if self.permits(in: state) > 0 { return effects }
        }
        if machine.nextDeadline != nil { effects.append(.arm(peer)) }
        return effects
    }

    /// Takes an attempt that came to nothing out of the books.
    func endAttempt(
        _ attempt: Int, of peer: PeerID, in state: inout SwarmState
    ) -> SwarmState.Attempt? {
        guard let ended = state.dials[peer]?.attempts.removeValue(forKey: attempt) else { return nil }
        state.attemptsUnderWay -= 1
        state.ledger.release(ended.slot)
        return ended
    }

    private func perform(_ effects: [Effect]) {
        for effect in effects {
            switch effect {
            case .attempt(let order): self.start(order)
            case .close(let channel): channel.close(mode: .all, promise: nil)
            case .succeed(let promise, let connection): promise.succeed(connection)
            case .fail(let promises, let error): for promise in promises { promise.fail(error) }
            case .arm(let peer): self.arm(peer)
            case .attemptTimedOut: self.metrics.attemptFailed(.timedOut)
            case .dialFailed(let error): self.callbacks.dialFailed(error)
            case .limitReached(let exceeded): self.limitReached(exceeded)
            }
        }
    }

    /// Makes sure that the peer's dial goes on when its time comes.
    func arm(_ peer: PeerID) {
        self.state.withLock { state in
            // As it is now: the lock was released since somebody asked for this, and something nearer may be due. A timer whose
            // time has come and that has not fired yet is on its way.
            guard var dial = state.dials[peer], let deadline = dial.machine.nextDeadline else { return }
            if dial.timer != nil, let armed = dial.armed, armed <= deadline { return }
            dial.timer?.cancel()
            dial.armed = deadline
            dial.timer = self.group.next().scheduleTask(deadline: .uptimeNanoseconds(deadline.nanoseconds)) {
                [weak self] in self?.timerFired(peer)
            }
            state.dials[peer] = dial
        }
    }

    /// A deadline of the peer's dial has come.
    func timerFired(_ peer: PeerID, now: MonotonicInstant = .now()) {
        self.update { state, effects in
            state.dials[peer]?.timer = nil
            effects += self.advance(peer, in: &state, now: now)
        }
    }

    // MARK: One attempt

    /// One attempt, and how it is to be made.
    struct AttemptOrder: Sendable {
        let peer: PeerID
        let number: Int
        let address: Multiaddr
        /// The addresses whose names led there, first the one that was known.
        let names: [Multiaddr]
        let slot: ResourceLedger.ConnectionSlot
        var presumed: ProtocolID?
        var reusesPort: Bool

        /// What the address book knows: the address, or the one whose name led there.
        var known: Multiaddr { self.names.first ?? self.address }
    }

    private func start(_ order: AttemptOrder) {
        let request = DialRequest(
            address: order.address, eventLoop: self.group.next(),
            timeout: TimeAmount(self.configuration.limits.connectTimeout),
            reusesListeningPort: order.reusesPort, peer: order.peer,
            isWanted: { [weak self] in self?.state.withLock { $0.isUnderWay(order) } ?? false }
        ) { [weak self] channel in self?.adopt(channel, for: order) ?? false }
        if NamedAddress(order.address) != nil { return self.lookUp(request, for: order) }
        guard let transport = self.transports.first(where: { $0.canDial(order.address) }) else {
            return self.failed(order, .noTransport)
        }
        transport.dial(request).whenComplete { [weak self] result in
            switch result {
            case .success(let link):
                guard let self else { return link.channel.close(mode: .all, promise: nil) }
                self.transportConnected(order)
                self.upgrade(
                    link, role: .initiator, expecting: order.peer, presuming: order.presumed, slot: order.slot
                ).whenComplete { result in
                    switch result {
                    case .success(let connection): self.succeeded(order, connection)
                    case .failure(let error): self.upgradeFailed(order, error, link: link)
                    }
                }
            case .failure(let error):
                self?.failed(order, (error as? DialFailureReason) ?? .other(brief(error)))
            }
        }
    }

    /// Enters the channel of an attempt, so that it can be abandoned; false if it already was.
    private func adopt(_ channel: any Channel, for order: AttemptOrder) -> Bool {
        self.state.withLock { state in
            guard state.isUnderWay(order) else { return false }
            state.dials[order.peer]?.attempts[order.number]?.channel = channel
            return true
        }
    }

    private func transportConnected(_ order: AttemptOrder) {
        self.state.withLock { state in
            guard state.isUnderWay(order) else { return }
            state.dials[order.peer]?.machine.transportConnected(order.number, now: .now())
        }
    }

    private func succeeded(_ order: AttemptOrder, _ connection: SwarmConnection) {
        self.metrics.attemptSucceeded()
        self.state.withLock { state in
            let isGiven = state.dials[order.peer]?.given.contains(order.known) == true
            state.book.dialSucceeded(order.known, of: order.peer, leadsInside: isGiven, now: .now())
        }
        // Its attempt is out of the books already, and the machine may count it as timed out or never have had it: a
        // connection serves whoever waits for the peer now.
        self.satisfyDial(of: order.peer, with: connection)
    }

    /// The pipe was up, but no connection came of it. Two causes are ours to mend, at once and on the same attempt: a
    /// presumption that no longer holds, and two dials that crossed on the same pair of ports.
    private func upgradeFailed(_ order: AttemptOrder, _ error: any Error, link: TransportLink) {
        link.channel.close(mode: .all, promise: nil)
        var again = order
        if order.presumed != nil {
            self.state.withLock { state in
                // One that lost the race to another says nothing of what that one has just shown.
                if state.isUnderWay(order), !Self.isAnotherPeer(error) { state.book.clearSecurity(of: order.peer) }
            }
            again.presumed = nil
        }
        if link.usesListeningPort { again.reusesPort = false }
        if self.isWorthRepeating(order, again, error) {
            self.logger.debug(
                "attempt repeated without presumptions",
                metadata: ["peer": "\(order.peer)", "addr": "\(order.address)", "reason": "\(brief(error))"])
            return self.start(again)
        }
        self.failed(order, DialFailureReason(upgrade: error))
    }

    private func isWorthRepeating(_ order: AttemptOrder, _ again: AttemptOrder, _ error: any Error) -> Bool {
        if Self.isAnotherPeer(error) || error is LimitExceeded || error is DialError { return false }
        guard again.presumed != order.presumed || (again.reusesPort != order.reusesPort) else { return false }
        return self.state.withLock { $0.isUnderWay(order) }
    }

    /// Whether the address is another peer's now, whose ways are not those of the one that was looked for.
    private static func isAnotherPeer(_ error: any Error) -> Bool {
        if case .wrongPeer = DialFailureReason(upgrade: error) { true } else { false }
    }

    func failed(_ order: AttemptOrder, _ reason: DialFailureReason) {
        self.metrics.attemptFailed(reason)
        let now = MonotonicInstant.now()
        self.update { state, effects in
            guard state.isUnderWay(order), self.endAttempt(order.number, of: order.peer, in: &state) != nil,
                var dial = state.dials[order.peer]
            else { return }
            let actions = dial.machine.failed(order.number, reason, permits: 0, now: now)
            switch reason {
            // A resolver has no books to count it in.
            case .limit(let exceeded) where exceeded.name == .nameLookUps:
                state.ledger.countRefusal(by: exceeded.name)
                effects.append(.limitReached(exceeded))
            case .limit: break
            // A name has failed when everything has that it leads to.
            default:
                if !dial.machine.isTrying(order.known) { state.book.dialFailed(order.known, of: order.peer, now: now) }
            }
            state.dials[order.peer] = dial
            effects += self.apply(actions, to: order.peer, in: &state)
        }
    }
}

extension SwarmState {
    /// Whether an attempt is one of the dial under way. The outcome of one that was abandoned may come when the same peer is
    /// being dialled again, and attempts have the same numbers in each dial; their reservations are their own.
    func isUnderWay(_ order: Swarm.AttemptOrder) -> Bool {
        self.dials[order.peer]?.attempts[order.number]?.slot == order.slot
    }
}

extension DialFailureReason {
    /// Why a link that was up did not become a connection.
    init(upgrade error: any Error) {
        if let exceeded = error as? LimitExceeded {
            self = .limit(exceeded)
            return
        }
        guard let error = error as? ConnectionError else {
            self = .upgradeFailed(brief(error))
            return
        }
        switch error {
        case .upgrade(.tls(.wrongPeer(_, let actual))): self = .wrongPeer(actual)
        case .upgrade(.noise(.wrongPeer(_, let actual))): self = .wrongPeer(actual)
        case .upgradeTimedOut: self = .timedOut
        case .upgrade(let cause): self = .upgradeFailed(brief(cause))
        default: self = .upgradeFailed(brief(error))
        }
    }
}
