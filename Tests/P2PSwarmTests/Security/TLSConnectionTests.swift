import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import P2PSwarm
import PeerIdentity
import Testing

/// One side of a connection in these tests: who it is and what it offers.
private struct Side: Sendable {
    let identity = PrivateKey.generate()
    var security: [ProtocolID] = ["/tls/1.0.0", "/noise"]
    var muxers: [ProtocolID] = ["/yamux/1.0.0"]
    var expected: PeerID?
    var assumed: ProtocolID?

    func configuration(
        onInboundStream: @escaping @Sendable (MuxedStream) -> Void
    ) throws -> ConnectionConfiguration {
        var configuration = ConnectionConfiguration(
            upgrade: .init(
                identity: identity, expectedPeer: expected, security: security, muxers: muxers, assumeSecurity: assumed),
            onInboundStream: onInboundStream)
        configuration.tls = try TLSLayer(identity: identity)
        return configuration
    }

    static func keys() -> NoiseKeys {
        var generator = SystemRandomNumberGenerator()
        return NoiseKeys(using: &generator)
    }
}

@Suite("Connections over TLS")
struct TLSConnectionTests {
    private static let address = Multiaddr(ip: IPAddress("127.0.0.1") ?? .v4(0), tcpPort: 1)

    /// Connects two sides through TCP on loopback and gives what each of them got.
    private func connect<Value: Sendable>(
        _ dialer: Side, _ listener: Side,
        _ body: (Result<MuxedConnection, any Error>, Result<MuxedConnection, any Error>, AsyncStream<MuxedStream>)
            async throws -> Value
    ) async throws -> Value {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let (streams, continuation) = AsyncStream.makeStream(of: MuxedStream.self, bufferingPolicy: .bufferingOldest(8))
        let listening = try listener.configuration { continuation.yield($0) }
        let dialing = try dialer.configuration { _ in }
        let accepted = group.any().makePromise(of: MuxedConnection.self)
        let dialed = group.any().makePromise(of: MuxedConnection.self)
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                MuxedConnection.upgrade(
                    channel, role: .responder, localAddress: Self.address, remoteAddress: Self.address,
                    configuration: listening, keys: Side.keys()
                ).cascade(to: accepted)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .bind(host: "127.0.0.1", port: 0).get()
        _ = try await ClientBootstrap(group: group)
            .channelInitializer { channel in
                MuxedConnection.upgrade(
                    channel, role: .initiator, localAddress: Self.address, remoteAddress: Self.address,
                    configuration: dialing, keys: Side.keys()
                ).cascade(to: dialed)
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            .connect(to: try #require(server.localAddress)).get()
        let ours = await Self.result(of: dialed.futureResult)
        let theirs = await Self.result(of: accepted.futureResult)
        let value = try await body(ours, theirs, streams)
        for connection in [try? ours.get(), try? theirs.get()] { connection?.close() }
        for connection in [try? ours.get(), try? theirs.get()] { _ = try await connection?.closeFuture.get() }
        try await server.close()
        try await group.shutdownGracefully()
        return value
    }

    private static func result(of future: EventLoopFuture<MuxedConnection>) async -> Result<MuxedConnection, any Error>
    {
        do { return .success(try await future.get()) } catch { return .failure(error) }
    }

    @Test(
        "TLS is chosen when both have it, and streams carry bytes both ways; with and without the early muxer and presumption",
        .timeLimit(.minutes(1)), arguments: [true, false], ["/tls/1.0.0", nil] as [ProtocolID?])
    func overTLS(early: Bool, assumed: ProtocolID?) async throws {
        let listener = Side(muxers: early ? ["/yamux/1.0.0"] : ["/other/1.0.0", "/yamux/1.0.0"])
        let dialer = Side(expected: listener.identity.peerID, assumed: assumed)
        try await connect(dialer, listener) { ours, theirs, streams in
            let near = try ours.get()
            let far = try theirs.get()
            #expect(near.security == "/tls/1.0.0" && far.security == "/tls/1.0.0")
            #expect(near.muxer == "/yamux/1.0.0" && far.muxer == "/yamux/1.0.0")
            #expect(near.remotePeer == listener.identity.peerID)
            #expect(far.remotePeer == dialer.identity.peerID)
            let payload = [UInt8](repeating: 5, count: 300_000)
            let stream = try await near.openStream()
            async let echo: Void = {
                var iterator = streams.makeAsyncIterator()
                let peer = try #require(await iterator.next())
                while let chunk = try await peer.read() { try await peer.write(chunk) }
                try await peer.closeWrite()
            }()
            async let sent: Void = {
                try await stream.write(ByteBuffer(bytes: payload))
                try await stream.closeWrite()
            }()
            var received = 0
            while let chunk = try await stream.read() { received += chunk.readableBytes }
            try await sent
            try await echo
            #expect(received == payload.count)
        }
    }

    @Test("a dialer that presumes TLS of a peer without it is told so", .timeLimit(.minutes(1)))
    func presumptionRefused() async throws {
        let listener = Side(security: ["/noise"])
        try await connect(Side(assumed: "/tls/1.0.0"), listener) { ours, theirs, _ in
            let error = #expect(throws: ConnectionError.self) { try ours.get() }
            guard case .upgrade(.assumptionRefused("/tls/1.0.0"))? = error else {
                Issue.record("expected a refused assumption, got \(String(describing: error))")
                return
            }
            #expect(throws: ConnectionError.self) { try theirs.get() }
        }
    }

    @Test("a dialer that prefers TLS falls back to Noise", .timeLimit(.minutes(1)))
    func fallback() async throws {
        let listener = Side(security: ["/noise"])
        try await connect(Side(), listener) { ours, theirs, _ in
            let near = try ours.get()
            let far = try theirs.get()
            #expect(near.security == "/noise" && far.security == "/noise")
        }
    }

    @Test("a wrong peer is a typed error on the dialing side", .timeLimit(.minutes(1)))
    func wrongPeer() async throws {
        let listener = Side()
        let other = PrivateKey.generate().peerID
        try await connect(Side(expected: other), listener) { ours, theirs, _ in
            let error = #expect(throws: ConnectionError.self) { try ours.get() }
            if case .upgrade(.tls(.wrongPeer(let expected, let actual))) = error {
                #expect(expected == other && actual == listener.identity.peerID)
            } else {
                Issue.record("expected a wrong peer, got \(String(describing: error))")
            }
            #expect(throws: ConnectionError.self) { try theirs.get() }
        }
    }
}
