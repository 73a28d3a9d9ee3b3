import LibP2P
import Logging
import NIOCore
import Synchronization

/// Answers the clients of the control protocol in front of a node.
///
/// Each connection carries one request after the other, until it becomes a stream or a subscription. A client is trusted with
/// the node, but not with the daemon's memory: connections, registrations and messages have limits.
final class ControlServer: Sendable {
    /// Connections of clients at one time; a further one is closed at once.
    static let maximumConnections = 8_192

    let node: Node
    let pubSub: PubSub?
    let logger: Logger
    let registry = StreamHandlerRegistry()
    private let counts = Mutex((next: UInt64(0), open: 0))

    init(node: Node, pubSub: PubSub?, logger: Logger) {
        self.node = node
        self.pubSub = pubSub
        self.logger = logger
    }

    /// Accepts clients until the task is cancelled or the listener is closed.
    func serve(_ listener: NIOAsyncChannel<ControlChannel, Never>) async throws {
        try await listener.executeThenClose { clients in
            try await withThrowingDiscardingTaskGroup { group in
                for try await client in clients {
                    guard let number = enter() else {
                        logger.warning("client refused", metadata: ["limit": "\(Self.maximumConnections)"])
                        group.addTask {
                            // It is closed either way.
                            try? await client.executeThenClose { _, _ in }
                        }
                        continue
                    }
                    group.addTask { [self] in
                        await self.serve(client, number: number)
                        for gone in self.registry.removeAll(of: number) { self.node.removeHandler(for: gone) }
                        self.counts.withLock { $0.open -= 1 }
                    }
                }
                group.cancelAll()
            }
        }
    }

    private func enter() -> UInt64? {
        counts.withLock { counts in
            guard counts.open < Self.maximumConnections else { return nil }
            counts.open += 1
            counts.next += 1
            return counts.next
        }
    }

    private func serve(_ client: ControlChannel, number: UInt64) async {
        do {
            try await client.executeThenClose { inbound, outbound in
                var session = ControlSession(
                    server: self, number: number, channel: client.channel, inbound: inbound.makeAsyncIterator(),
                    outbound: outbound)
                try await session.run()
            }
        } catch {
            logger.debug("client connection ended", metadata: ["conn": "\(number)", "reason": "\(error)"])
        }
    }
}
