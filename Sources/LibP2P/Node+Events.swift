import P2PSwarm
import Synchronization

extension Node {
    /// Everything that happens from now on; bounded, see `NodeEvents`.
    public func events() -> NodeEvents {
        let (stream, continuation) = AsyncStream.makeStream(
            of: NodeEvent.self, bufferingPolicy: .bufferingNewest(self.configuration.limits.eventsPerSubscriber))
        let number: UInt64? = self.state.withLock { state in
            guard state.phase != .stopped else { return nil }
            let number = state.takeNumber()
            state.subscribers[number] = continuation
            return number
        }
        if let number {
            continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.subscribers[number] = nil } }
        } else {
            continuation.finish()
        }
        return NodeEvents(stream: stream)
    }

    /// Events that slow subscribers lost, in all.
    public var droppedEvents: Int { self.state.withLock { $0.droppedEvents } }

    /// Events that were not told because too many of their kind came, in all; see `NodeEvent`.
    public var withheldEvents: Int { self.state.withLock { $0.pace.withheld } }

    func publish(_ event: NodeEvent) {
        let subscribers = self.state.withLock { Array($0.subscribers.values) }
        var dropped = 0
        for subscriber in subscribers {
            if case .dropped = subscriber.yield(event) { dropped += 1 }
        }
        if dropped > 0 { self.state.withLock { [dropped] in $0.droppedEvents &+= dropped } }
    }

    /// Publishes an event of a kind that strangers can bring about as often as they like, unless there were too many lately.
    private func publish(_ kind: EventPace.Kind, _ event: (_ times: Int) -> NodeEvent) {
        let times: Int? = self.state.withLock { state in
            state.subscribers.isEmpty ? nil : state.pace.admit(kind, now: .now())
        }
        if let times { self.publish(event(times)) }
    }

    // MARK: What the swarm tells

    func dialFailed(_ error: DialError) {
        self.publish(.dialFailed) { _ in .dialFailed(error.peer, P2PError(dial: error, timeout: nil)) }
    }

    func connectionRefused(from address: Multiaddr, peer: PeerID?, _ error: any Error) {
        guard let reason = ConnectionRefusal(error) else { return }
        self.publish(.connectionRefused) { _ in .connectionRefused(from: address, peer: peer, reason: reason) }
    }

    func limitReached(_ exceeded: LimitExceeded) {
        self.publish(.limitReached(exceeded.name)) { .limitReached(exceeded, times: $0) }
    }
}
