import NIOCore
import NIOPosix
import P2PCore
import PeerIdentity
import P2PSwarm

/// A pipe in memory, on one event loop: delivers in pieces of a chosen size, and breaks after a chosen number of bytes. What it
/// says of being writable changes nothing of that.
final class MemoryPipe: BytePipe {
    /// What both directions share.
    final class Link {
        var pieceBytes: Int
        var remaining: Int
        var isBroken = false

        init(pieceBytes: Int, breaksAfter bytes: Int) {
            self.pieceBytes = pieceBytes
            self.remaining = bytes
        }
    }

    let eventLoop: any EventLoop
    var isWritable = true
    var unsentBytes = 0
    let link: Link
    weak var other: MemoryPipe?
    var receiver: (any BytePipeReceiver)?

    init(_ eventLoop: any EventLoop, _ link: Link) {
        self.eventLoop = eventLoop
        self.link = link
    }

    func writeAndFlush(_ bytes: ByteBuffer) {
        var bytes = bytes
        while bytes.readableBytes > 0, let piece = bytes.readSlice(length: min(bytes.readableBytes, link.pieceBytes)) {
            self.later { pipe in
                pipe.link.remaining -= piece.readableBytes
                guard pipe.link.remaining >= 0 else { return pipe.close() }
                pipe.other?.receiver?.pipeReceived(piece)
                pipe.other?.receiver?.pipeReceiveCompleted()
            }
        }
    }

    func closeOutput() { self.later { $0.other?.receiver?.pipeInputClosed() } }

    func close() {
        self.later { pipe in
            pipe.link.isBroken = true
            for end in [pipe, pipe.other] {
                let receiver = end?.receiver
                end?.receiver = nil
                receiver?.pipeClosed(nil)
            }
        }
    }

    func startTLS(
        _ provider: any TLSProvider, role: ConnectionRole, expectedPeer: PeerID?, muxers: [ProtocolID],
        presumption: TLSPresumption?, leftover: ByteBuffer, established: @escaping (TLSEstablished) -> Void
    ) throws { throw ChannelError.operationUnsupported }

    private func later(_ body: @escaping (MemoryPipe) -> Void) {
        self.eventLoop.assumeIsolated().execute {
            if !self.link.isBroken { body(self) }
        }
    }
}

extension ConnectionPair {
    /// Connects two engines through memory and runs `body`; a link that breaks early ends in an error.
    static func withMemory(
        pieceBytes: Int, breaksAfter bytes: Int = .max,
        _ configure: @Sendable (inout ConnectionConfiguration) -> Void = { _ in },
        _ body: (ConnectionPair) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let loop = group.any()
        let (listening, listenerStreams, listenerPeer) = try self.configuration(configure)
        let (dialing, dialerStreams, _) = try self.configuration(expecting: listenerPeer, configure)
        let address = self.address(nil)
        let dialed = loop.makePromise(of: MuxedConnection.self)
        let accepted = loop.makePromise(of: MuxedConnection.self)
        try await loop.submit {
            let link = MemoryPipe.Link(pieceBytes: pieceBytes, breaksAfter: bytes)
            let near = MemoryPipe(loop, link)
            let far = MemoryPipe(loop, link)
            // Each end keeps the other until the link breaks.
            let (nearReceiver, nearConnection) = MuxedConnection.upgrade(
                near, role: .initiator, localAddress: address, remoteAddress: address, configuration: dialing,
                keys: keys())
            let (farReceiver, farConnection) = MuxedConnection.upgrade(
                far, role: .responder, localAddress: address, remoteAddress: address, configuration: listening,
                keys: keys())
            near.receiver = nearReceiver
            far.receiver = farReceiver
            near.other = far
            far.other = near
            nearConnection.cascade(to: dialed)
            farConnection.cascade(to: accepted)
            farReceiver.pipeOpened()
            nearReceiver.pipeOpened()
        }.get()
        let results = await (dialed.futureResult.result(), accepted.futureResult.result())
        guard case (.success(let dialer), .success(let listener)) = results else {
            for case .success(let connection) in [results.0, results.1] {
                connection.close()
                _ = try await connection.closeFuture.get()
            }
            throw ConnectionError.closedDuringUpgrade("the link broke")
        }
        let pair = ConnectionPair(
            dialer: End(connection: dialer, inbound: dialerStreams),
            listener: End(connection: listener, inbound: listenerStreams))
        do {
            try await body(pair)
        } catch {
            try await pair.close()
            throw error
        }
        try await pair.close()
    }
}

extension EventLoopFuture where Value: Sendable {
    func result() async -> Result<Value, any Error> {
        do { return .success(try await self.get()) } catch { return .failure(error) }
    }
}
