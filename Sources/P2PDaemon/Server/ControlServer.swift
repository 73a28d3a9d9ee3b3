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
    private let maximumConnections: Int
    private let clients = Mutex((next: UInt64(0), open: [UInt64: any Channel]()))

    init(node: Node, pubSub: PubSub?, logger: Logger, maximumConnections: Int = ControlServer.maximumConnections) {
        self.node = node
        self.pubSub = pubSub
        self.logger = logger
        self.maximumConnections = maximumConnections
    }

    /// Opens the listener; clients are served from then on.
    ///
    /// - Parameter loop: where clients are served: that of the node's connections, or bytes would change threads on their way.
    func listen(on address: ControlAddress, loop: any EventLoop) async throws -> any Channel {
        let executor = Node.executor(on: loop)
        return try await ControlChannels.listen(on: address, group: loop) { [self] channel in
            channel.eventLoop.makeCompletedFuture {
                guard let number = enter(channel) else {
                    logger.warning("client refused", metadata: ["limit": "\(maximumConnections)"])
                    throw ChannelError.operationUnsupported
                }
                let service = ControlService(server: self, number: number)
                try channel.pipeline.syncOperations.addHandler(ControlHandler(service, executor: executor))
            }
        }
    }

    /// Closes the clients' connections.
    func close() {
        for channel in clients.withLock({ Array($0.open.values) }) { channel.close(promise: nil) }
    }

    private func enter(_ channel: any Channel) -> UInt64? {
        let number: UInt64? = clients.withLock { clients in
            guard clients.open.count < maximumConnections else { return nil }
            clients.next += 1
            clients.open[clients.next] = channel
            return clients.next
        }
        if let number { channel.closeFuture.whenComplete { _ in self.left(number) } }
        return number
    }

    private func left(_ number: UInt64) {
        _ = clients.withLock { $0.open.removeValue(forKey: number) }
        for gone in registry.removeAll(of: number) { node.removeHandler(for: gone) }
    }

    /// Hands a stream that a peer has opened to the client that is registered for its protocol.
    func handOver(_ stream: P2PStream) {
        guard let address = registry.next(for: stream.protocol) else { return stream.reset() }
        let info = StreamInfo(
            peer: stream.remotePeer, address: stream.connection.remoteAddress, protocolName: stream.protocol.name)
        let head = ByteBuffer(bytes: FrameDecoder.frame(info.protobuf))
        ControlChannels.connect(to: address, group: stream.eventLoop) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(StreamRelay(stream))
            }
        }.assumeIsolated().whenComplete { [logger] outcome in
            do {
                let channel = try outcome.get()
                try channel.pipeline.syncOperations.handler(type: StreamRelay.self).begin(
                    head: head, first: ByteBuffer())
            } catch {
                logger.debug(
                    "client does not take the stream",
                    metadata: ["peer": "\(stream.remotePeer)", "proto": "\(stream.protocol)", "reason": "\(error)"])
                stream.reset()
            }
        }
    }
}
