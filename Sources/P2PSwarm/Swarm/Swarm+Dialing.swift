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
        let outcome: Result<UInt64, DialError> = self.update { state, effects in
            guard state.phase == .running else { return .failure(DialError(.stopped, peer: peer)) }
            guard !state.refusedPeers.contains(peer) else { return .failure(DialError(.refused, peer: peer)) }
            let number = state.takeNumber()
            if let live = state.best(of: peer, local: self.localPeer, allowsLimited: false) {
                effects.append(.succeed(promise, live))
                return .success(number)
            }
            do throws(Dialer.Refusal) {
                let (admission, now) = (self.admission(in: state), MonotonicInstant.now())
                let actions = try state.dialer.wanted(
                    peer, by: number, addresses: addresses, book: state.book, admission: admission, now: now)
                state.waiters[number] = promise
                self.carryOut(actions, in: &state, &effects, now: now)
                return .success(number)
            } catch {
                switch error {
                case .limit(let name, let figure):
                    let exceeded = state.ledger.refuse(name, figure)
                    effects.append(.limitReached(exceeded))
                    return .failure(DialError(.limit(exceeded), peer: peer))
                case .noAddresses: return .failure(DialError(.noAddresses, peer: peer))
                case .allFailed(let attempts):
                    return .failure(DialError(.allFailed, peer: peer, attempts: attempts))
                }
            }
        }
        return try outcome.get()
    }

    /// Which addresses can be dialled as things are.
    func admission(in state: SwarmState) -> DialAdmission {
        DialAdmission(own: Set(state.listeners.map(\.address))) { [transports] address in
            transports.contains { $0.canDial(address) }
        }
    }

    func leave(_ peer: PeerID, waiter: UInt64, error: ([DialAttempt]) -> any Error) {
        self.update { state, effects in
            let now = MonotonicInstant.now()
            guard let promise = state.waiters.removeValue(forKey: waiter) else { return }
            let error = error(state.dialer.failures(of: peer))
            let failure = error as? DialError
            let actions = state.dialer.left(peer, by: waiter, hasLostPatience: failure != nil, now: now)
            self.carryOut(actions, in: &state, &effects, now: now)
            if let failure, !state.dialer.isDialling(peer) { effects.append(.dialFailed(failure)) }
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
            let now = MonotonicInstant.now()
            let (waiters, actions) = state.dialer.settled(peer, now: now)
            self.carryOut(actions, in: &state, &effects, now: now)
            effects += state.takeWaiters(waiters).map(outcome)
        }
    }

    // MARK: What the dialer wants

    /// What is to be done once the lock is released.
    enum Effect: Sendable {
        case attempt(AttemptOrder)
        case close(any Channel)
        case succeed(EventLoopPromise<SwarmConnection>, SwarmConnection)
        case fail([EventLoopPromise<SwarmConnection>], any Error)
        case attemptFailed(DialFailureReason)
        case dialFailed(DialError)
        case limitReached(LimitExceeded)
    }

    /// Changes the tables, and does what follows.
    func update<Outcome: Sendable>(
        _ change: (inout SwarmState, inout [Effect]) -> Outcome
    ) -> Outcome {
        let (outcome, effects) = self.state.withLock { state in
            var effects: [Effect] = []
            let outcome = change(&state, &effects)
            return (outcome, effects)
        }
        self.perform(effects)
        return outcome
    }

    /// Does what the dialer wants: at once what concerns the tables and the timers, so that it happens in the dialer's order.
    func carryOut(
        _ actions: [Dialer.Action], in state: inout SwarmState, _ effects: inout [Effect], now: MonotonicInstant
    ) {
        var queue = actions[...]
        while let action = queue.popFirst() {
            switch action {
            case .attempt(let attempt):
                do throws(LimitExceeded) {
                    let slot = try state.ledger.reserveOutbound(to: attempt.address.ipAddress)
                    state.attempts[attempt.id] = SwarmState.Attempt(slot: slot)
                    let terms = AttemptTerms(
                        presumed: state.book.security(of: attempt.peer),
                        reusesPort: self.configuration.reusesListeningPort)
                    effects.append(.attempt(AttemptOrder(attempt: attempt, slot: slot, terms: terms)))
                } catch {
                    effects.append(.limitReached(error))
                    queue += state.dialer.refused(attempt, error, now: now)
                }
            case .end(let attempt):
                guard let ended = state.attempts.removeValue(forKey: attempt) else { continue }
                state.ledger.release(ended.slot)
                if let channel = ended.channel { effects.append(.close(channel)) }
            case .count(let reason): effects.append(.attemptFailed(reason))
            case .limitReached(let exceeded):
                state.ledger.countRefusal(by: exceeded.name)
                effects.append(.limitReached(exceeded))
            case .backOff(let peer, let address): state.book.dialFailed(address, of: peer, now: now)
            case .forgetSecurity(let peer): state.book.clearSecurity(of: peer)
            case .wake(let peer, let deadline):
                state.timers[peer]?.cancel()
                state.timers[peer] = self.group.next().scheduleTask(
                    deadline: .uptimeNanoseconds(deadline.nanoseconds)
                ) { [weak self] in self?.timerFired(peer) }
            case .rest(let peer): state.timers.removeValue(forKey: peer)?.cancel()
            case .failed(let peer, let waiters, let attempts):
                let error = DialError(.allFailed, peer: peer, attempts: attempts)
                effects += [.dialFailed(error), .fail(state.takeWaiters(waiters), error)]
            }
        }
    }

    private func perform(_ effects: [Effect]) {
        for effect in effects {
            switch effect {
            case .attempt(let order): self.start(order)
            case .close(let channel): channel.close(mode: .all, promise: nil)
            case .succeed(let promise, let connection): promise.succeed(connection)
            case .fail(let promises, let error): for promise in promises { promise.fail(error) }
            case .attemptFailed(let reason): self.metrics.attemptFailed(reason)
            case .dialFailed(let error): self.callbacks.dialFailed(error)
            case .limitReached(let exceeded): self.limitReached(exceeded)
            }
        }
    }

    /// The time has come for which the dial of a peer wanted to be woken.
    func timerFired(_ peer: PeerID, now: MonotonicInstant = .now()) {
        self.update { state, effects in
            let actions = state.dialer.woken(peer, now: now)
            self.carryOut(actions, in: &state, &effects, now: now)
        }
    }

    // MARK: One attempt

    /// One attempt, and how it is to be made.
    struct AttemptOrder: Sendable {
        let attempt: Dialer.Attempt
        let slot: ResourceLedger.ConnectionSlot
        var terms: AttemptTerms
    }

    private func start(_ order: AttemptOrder) {
        let attempt = order.attempt
        let request = DialRequest(
            address: attempt.address, eventLoop: self.group.next(),
            timeout: TimeAmount(self.configuration.limits.connectTimeout),
            reusesListeningPort: order.terms.reusesPort, peer: attempt.peer,
            isWanted: { [weak self] in self?.state.withLock { $0.attempts[attempt.id] != nil } ?? false }
        ) { [weak self] channel in self?.adopt(channel, for: attempt) ?? false }
        if NamedAddress(attempt.address) != nil { return self.lookUp(request, for: attempt) }
        guard let transport = self.transports.first(where: { $0.canDial(attempt.address) }) else {
            return self.failed(attempt, .noTransport)
        }
        transport.dial(request).whenComplete { [weak self] result in
            switch result {
            case .success(let link):
                guard let self else { return link.channel.close(mode: .all, promise: nil) }
                self.transportConnected(attempt)
                self.upgrade(
                    link, role: .initiator, expecting: attempt.peer, presuming: order.terms.presumed,
                    slot: order.slot, attempt: attempt
                ).whenComplete { result in
                    switch result {
                    case .success(let connection): self.succeeded(attempt, connection)
                    case .failure(let error): self.upgradeFailed(order, error, link: link)
                    }
                }
            case .failure(let error):
                self?.failed(attempt, (error as? DialFailureReason) ?? .other(brief(error)))
            }
        }
    }

    /// Enters the channel of an attempt, so that it can be ended; false if it already was.
    private func adopt(_ channel: any Channel, for attempt: Dialer.Attempt) -> Bool {
        self.state.withLock { state in
            guard state.attempts[attempt.id] != nil else { return false }
            state.attempts[attempt.id]?.channel = channel
            return true
        }
    }

    private func transportConnected(_ attempt: Dialer.Attempt) {
        self.state.withLock { $0.dialer.transportConnected(attempt, now: .now()) }
    }

    private func succeeded(_ attempt: Dialer.Attempt, _ connection: SwarmConnection) {
        self.metrics.attemptSucceeded()
        self.state.withLock { state in
            let isGiven = state.dialer.isGiven(attempt.known, of: attempt.peer)
            state.book.dialSucceeded(attempt.known, of: attempt.peer, leadsInside: isGiven, now: .now())
        }
        // Its attempt is out of the books already, and its dial may be over: a connection serves whoever waits for the peer now.
        self.satisfyDial(of: attempt.peer, with: connection)
    }

    /// The pipe was up, but no connection came of it.
    private func upgradeFailed(_ order: AttemptOrder, _ error: any Error, link: TransportLink) {
        link.channel.close(mode: .all, promise: nil)
        let terms: AttemptTerms? = self.update { state, effects in
            let now = MonotonicInstant.now()
            let (again, actions) = state.dialer.upgradeFailed(
                order.attempt, on: order.terms, DialFailureReason(upgrade: error), isUnwanted: error is DialError,
                usedListeningPort: link.usesListeningPort, now: now)
            self.carryOut(actions, in: &state, &effects, now: now)
            return again
        }
        guard let terms else { return }
        self.logger.debug(
            "attempt repeated without presumptions",
            metadata: [
                "peer": "\(order.attempt.peer)", "addr": "\(order.attempt.address)", "reason": "\(brief(error))",
            ])
        var again = order
        again.terms = terms
        self.start(again)
    }

    func failed(_ attempt: Dialer.Attempt, _ reason: DialFailureReason) {
        self.update { state, effects in
            let now = MonotonicInstant.now()
            let actions = state.dialer.failed(attempt, reason, now: now)
            self.carryOut(actions, in: &state, &effects, now: now)
        }
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
