import Multiformats
import P2PCore
import PeerIdentity
import Synchronization

/// Tells of discoveries and losses: the callbacks first, then everybody who reads events, each with a bound of its own.
final class DiscoveryFeed: Sendable {
    private struct State {
        var listeners: [UInt64: AsyncStream<DiscoveryEvent>.Continuation] = [:]
        var lastNumber: UInt64 = 0
        var droppedEvents = 0
        var isFinished = false
    }

    private let eventsPerListener: Int
    private let onDiscovered: @Sendable (PeerID, [Multiaddr]) -> Void
    private let onLost: @Sendable (PeerID) -> Void
    private let state = Mutex(State())

    init(
        eventsPerListener: Int, onDiscovered: @escaping @Sendable (PeerID, [Multiaddr]) -> Void,
        onLost: @escaping @Sendable (PeerID) -> Void
    ) {
        self.eventsPerListener = max(1, eventsPerListener)
        self.onDiscovered = onDiscovered
        self.onLost = onLost
    }

    var droppedEvents: Int { self.state.withLock { $0.droppedEvents } }

    /// Readers that something is kept for, for tests.
    var listenerCount: Int { self.state.withLock { $0.listeners.count } }

    func events() -> AsyncStream<DiscoveryEvent> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: DiscoveryEvent.self, bufferingPolicy: .bufferingNewest(self.eventsPerListener))
        let number: UInt64? = self.state.withLock { state in
            guard !state.isFinished else { return nil }
            state.lastNumber &+= 1
            state.listeners[state.lastNumber] = continuation
            return state.lastNumber
        }
        if let number {
            continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.listeners[number] = nil } }
        } else {
            continuation.finish()
        }
        return stream
    }

    func discovered(_ peer: PeerID, at addresses: [Multiaddr]) {
        self.onDiscovered(peer, addresses)
        self.tell(.discovered(peer, addresses: addresses))
    }

    func lost(_ peer: PeerID, because reason: MDNSLossReason) {
        guard let reason = DiscoveryEvent.LossReason(reason) else { return }
        self.onLost(peer)
        self.tell(.lost(peer, reason: reason))
    }

    /// There will be no more.
    func finish() {
        let listeners = self.state.withLock { state in
            state.isFinished = true
            return Array(state.listeners.values)
        }
        // Not under the lock: the end of a stream takes its listener off.
        for listener in listeners { listener.finish() }
    }

    private func tell(_ event: DiscoveryEvent) {
        let listeners = self.state.withLock { Array($0.listeners.values) }
        var dropped = 0
        for listener in listeners {
            if case .dropped = listener.yield(event) { dropped += 1 }
        }
        if dropped > 0 { self.state.withLock { [dropped] in $0.droppedEvents &+= dropped } }
    }
}
