import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import P2PSwarm
import PeerIdentity
import Testing

/// Two ends of one connection, and the streams each end's peer has opened.
struct ConnectionPair: Sendable {
    struct End: Sendable {
        let connection: MuxedConnection
        let inbound: AsyncStream<MuxedStream>

        /// The next stream the peer opened.
        func nextStream() async throws -> MuxedStream {
            var iterator = self.inbound.makeAsyncIterator()
            return try #require(await iterator.next())
        }
    }

    let dialer: End
    let listener: End

    /// Opens a stream, sends one byte so that the peer sees it, and returns both ends of it.
    func stream() async throws -> (dialer: MuxedStream, listener: MuxedStream) {
        let near = try await self.dialer.connection.openStream()
        try await near.write(ByteBuffer(bytes: [1]))
        let far = try await self.listener.nextStream()
        #expect(try await far.read() == ByteBuffer(bytes: [1]))
        return (near, far)
    }

    func close() async throws {
        self.dialer.connection.close()
        self.listener.connection.close()
        _ = try await self.dialer.connection.closeFuture.get()
        _ = try await self.listener.connection.closeFuture.get()
    }

    static func configuration(
        expecting peer: PeerID? = nil, _ configure: (inout ConnectionConfiguration) -> Void = { _ in }
    ) throws -> (ConnectionConfiguration, AsyncStream<MuxedStream>, PeerID) {
        let identity = PrivateKey.generate()
        let (streams, continuation) = AsyncStream.makeStream(
            of: MuxedStream.self, bufferingPolicy: .bufferingOldest(2000))
        var configuration = ConnectionConfiguration(
            upgrade: .init(identity: identity, expectedPeer: peer), onInboundStream: { continuation.yield($0) })
        configure(&configuration)
        return (configuration, streams, identity.peerID)
    }

    static func keys() -> NoiseKeys {
        var generator = SystemRandomNumberGenerator()
        return NoiseKeys(using: &generator)
    }

    static func address(_ address: SocketAddress?) -> Multiaddr {
        Multiaddr(ip: IPAddress("127.0.0.1") ?? .v4(0), tcpPort: UInt16(address?.port ?? 0))
    }

    /// Connects two engines through TCP on loopback, runs `body`, and closes everything.
    static func withTCP(
        loops: Int = 2, _ configure: @Sendable (inout ConnectionConfiguration) -> Void = { _ in },
        onAccept: @escaping @Sendable (any Channel) -> Void = { _ in },
        _ body: (ConnectionPair) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        let (listening, listenerStreams, listenerPeer) = try self.configuration(configure)
        let (dialing, dialerStreams, dialerPeer) = try self.configuration(expecting: listenerPeer, configure)
        let accepted = group.any().makePromise(of: MuxedConnection.self)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                onAccept(channel)
                MuxedConnection.upgrade(
                    channel, role: .responder, localAddress: self.address(channel.localAddress),
                    remoteAddress: self.address(channel.remoteAddress), configuration: listening, keys: self.keys()
                ).cascade(to: accepted)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let dialed = try await ClientBootstrap(group: group)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.autoRead, value: false)
            .connect(to: try #require(server.localAddress))
            .flatMap { channel in
                MuxedConnection.upgrade(
                    channel, role: .initiator, localAddress: self.address(channel.localAddress),
                    remoteAddress: self.address(channel.remoteAddress), configuration: dialing, keys: self.keys())
            }.get()
        let pair = ConnectionPair(
            dialer: End(connection: dialed, inbound: dialerStreams),
            listener: End(connection: try await accepted.futureResult.get(), inbound: listenerStreams))
        #expect(pair.dialer.connection.remotePeer == listenerPeer)
        #expect(pair.listener.connection.remotePeer == dialerPeer)
        do {
            try await body(pair)
        } catch {
            Issue.record(error)
        }
        try await pair.close()
        try await server.close()
        try await group.shutdownGracefully()
    }
}

extension MuxedStream {
    func send(_ bytes: [UInt8]) async throws { try await self.write(ByteBuffer(bytes: bytes)) }

    /// Reads to the end, which must be `count` bytes of the pattern away.
    func expectPattern(count: Int, seed: UInt8) async throws {
        var position = 0
        while let chunk = try await self.read() {
            guard Pattern.matches(chunk, at: position, seed: seed) else {
                Issue.record("stream \(self.id): wrong bytes from \(position) on")
                return
            }
            position += chunk.readableBytes
        }
        #expect(position == count)
    }

    /// Writes `count` bytes of the pattern in pieces, then finishes.
    func writePattern(count: Int, seed: UInt8, piece: Int = 60_000) async throws {
        var position = 0
        while position < count {
            let size = min(piece, count - position)
            try await self.write(Pattern.buffer(position..<(position + size), seed: seed))
            position += size
        }
        try await self.closeWrite()
    }
}

/// Bytes that tell where they are, up to a multiple of a prime that no buffer has.
enum Pattern {
    private static let period = 65_521
    private static let longest = 300_000
    private static let table: ByteBuffer = {
        var random: UInt32 = 1
        let bytes = (0..<period).map { _ -> UInt8 in
            random = random &* 1_664_525 &+ 1_013_904_223
            return UInt8(truncatingIfNeeded: random >> 24)
        }
        var table = ByteBuffer()
        while table.readableBytes < period + longest { table.writeBytes(bytes) }
        return table
    }()

    static func buffer(_ range: Range<Int>, seed: UInt8) -> ByteBuffer {
        precondition(range.count <= self.longest, "a piece of the pattern has at most \(self.longest) bytes")
        let start = (range.lowerBound + Int(seed) * 7_919) % self.period
        return self.table.getSlice(at: start, length: range.count) ?? ByteBuffer()
    }

    static func matches(_ bytes: ByteBuffer, at position: Int, seed: UInt8) -> Bool {
        bytes == self.buffer(position..<(position + bytes.readableBytes), seed: seed)
    }
}
