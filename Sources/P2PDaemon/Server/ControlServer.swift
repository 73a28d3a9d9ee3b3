import LibP2P
import Logging
import NIOCore
import Synchronization

/// Answers the clients of the control protocol in front of a node.
///
/// Each connection carries one request after the other, until it becomes a stream or a subscription. A client is trusted with
/// the node, but not with the daemon's memory: connections, registrations and messages have limits.
///
/// Each client and each stream that one was handed takes a descriptor beside those of the peers' connections, which have half of
/// them (`ResourceLimits.scaled`). Together they leave an eighth to all else: without one nobody could be accepted any more.
final class ControlServer: Sendable {
    /// Connections of clients at one time; a further one is closed at once. A quarter of the descriptors, at most 8,192.
    static let maximumConnections = max(1, min(8_192, Node.descriptorLimit / 4))
    /// Streams of peers that clients have been handed at one time; a further one is reset with code 0x1002 (resource limit). An
    /// eighth of the descriptors, at most 8,192.
    static let maximumStreams = max(1, min(8_192, Node.descriptorLimit / 8))

    let node: Node
    let pubSub: PubSub?
    let logger: Logger
    let registry = StreamHandlerRegistry()
    /// Of each protocol one peer has at most a quarter of the places.
    let limits: HandlerLimits
    private let maximumConnections: Int
    private let maximumStreams: Int
    private let handedOver = Atomic(0)
    private let clients = Mutex((next: UInt64(0), open: [UInt64: any Channel]()))

    init(
        node: Node, pubSub: PubSub?, logger: Logger, maximumConnections: Int = ControlServer.maximumConnections,
        maximumStreams: Int = ControlServer.maximumStreams
    ) {
        self.node = node
        self.pubSub = pubSub
        self.logger = logger
        self.maximumConnections = maximumConnections
        self.maximumStreams = maximumStreams
        self.limits = HandlerLimits(streams: nil, streamsPerPeer: max(1, min(1_024, maximumStreams / 4)))
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
        guard handedOver.add(1, ordering: .relaxed).newValue <= maximumStreams else {
            handedOver.subtract(1, ordering: .relaxed)
            logger.debug(
                "stream refused", metadata: ["peer": "\(stream.remotePeer)", "limit": "\(maximumStreams)"])
            return stream.refuse(code: YamuxCode.streamResourceLimit)
        }
        let info = StreamInfo(
            peer: stream.remotePeer, address: stream.connection.remoteAddress, protocolName: stream.protocol.name)
        let head = ByteBuffer(bytes: FrameDecoder.frame(info.protobuf))
        ControlChannels.connect(to: address, group: stream.eventLoop) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(StreamRelay(stream))
            }
        }.assumeIsolated().whenComplete { [self] outcome in
            switch outcome {
            case .success(let channel):
                channel.closeFuture.whenComplete { _ in self.handedOver.subtract(1, ordering: .relaxed) }
            case .failure: handedOver.subtract(1, ordering: .relaxed)
            }
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
