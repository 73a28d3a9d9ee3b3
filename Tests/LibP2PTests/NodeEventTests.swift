import GoopTestKit
import LibP2P
import NIOCore
import NIOPosix
import Testing

@Suite("Node: events", .timeLimit(.minutes(1)))
struct NodeEventTests {
    /// So slowly that nothing more than the burst is told.
    private static func slowPace(_ configuration: inout Node.Configuration) {
        configuration.limits.pacedEventInterval = .seconds(3600)
    }

    private func connect(_ nodes: [Node]) async throws {
        try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
    }

    private func firstRefusal(
        _ events: NodeEvents
    ) async throws -> (from: Multiaddr, peer: PeerID?, reason: ConnectionRefusal) {
        try await first(of: events) { event in
            if case .connectionRefused(let address, let peer, let reason) = event {
                (address, peer, reason)
            } else {
                nil
            }
        }
    }

    private func firstCause(_ events: NodeEvents) async throws -> DisconnectCause {
        try await first(of: events) { event in
            if case .disconnected(_, _, let cause) = event { cause } else { nil }
        }
    }

    @Test("a dial that fails is told of, with every address and what came back")
    func dialFailed() async throws {
        try await withNodes(1) { nodes in
            let peer = PrivateKey.generate().peerID
            let dead = try ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"].map { try Multiaddr(text: $0) }
            let events = nodes[0].events()
            _ = await #expect(throws: P2PError.self) { try await nodes[0].connect(to: peer, addresses: dead) }
            let (failed, error) = try await first(of: events) { event -> (PeerID, P2PError)? in
                if case .dialFailed(let peer, let error) = event { (peer, error) } else { nil }
            }
            #expect(failed == peer && error.code == .unreachable)
            #expect(Set(error.attempts.map(\.address)) == Set(dead))
            #expect(error.attempts.allSatisfy { $0.error == .refused })
        }
    }

    @Test("a limit that is reached is told by name; what comes too fast is counted, not told")
    func limitReached() async throws {
        try await withNodes(configure: Self.slowPace) { nodes in
            nodes[1].serveEcho(limits: HandlerLimits(streams: 100, streamsPerPeer: 0))
            let events = nodes[1].events()
            try await self.connect(nodes)
            var options = StreamOptions()
            options.negotiation = .eager
            for _ in 0..<3 {
                await #expect(throws: P2PError.self) {
                    try await nodes[0].openStream(
                        to: nodes[1].peerID, protocols: ["/echo/1.0.0"], options: options
                    ).readExactly(1)
                }
            }
            await nodes[1].stop()
            var told: [LimitExceeded] = []
            for await case .limitReached(let exceeded, let times) in events {
                told.append(exceeded)
                #expect(times == 1)
            }
            #expect(told == [LimitExceeded(.inboundStreamsPerProtocolAndPeer, limit: 0)])
            #expect(nodes[1].withheldEvents == 2)
            #expect(nodes[1].refusals[.inboundStreamsPerProtocolAndPeer] == 3)
        }
    }

    @Test("without anybody who listens nothing is paced, and so nothing withheld")
    func nobodyListens() async throws {
        try await withNodes(configure: Self.slowPace) { nodes in
            nodes[1].serveEcho(limits: HandlerLimits(streams: 100, streamsPerPeer: 0))
            try await self.connect(nodes)
            for _ in 0..<3 { _ = try? await nodes[0].echo("x", to: nodes[1].peerID) }
            #expect(nodes[1].refusals[.inboundStreamsPerProtocolAndPeer] == 3)
            #expect(nodes[1].withheldEvents == 0)
        }
    }

    @Test("whoever is not let in is told of: for a limit, as a refused peer, and behind a handshake that fails")
    func connectionRefused() async throws {
        try await withNodes(configure: { $0.limits.inboundConnections = 1 }) { nodes in
            let (visitor, host) = (nodes[0], nodes[1])
            let events = host.events()
            await host.refuse([visitor.peerID])
            // Whether it hears so in the handshake or as the end of a connection is a matter of who is faster.
            _ = try? await self.connect(nodes)
            let refused = try await self.firstRefusal(events)
            #expect(refused.peer == visitor.peerID && refused.reason == .refusedPeer)

            await until(host) { $0.usage.connections == 0 }
            let port = Int(try #require(host.listenAddresses().first?.tcpPort))
            let stranger = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port).get()
            await until(host) { $0.usage.connections == 1 }
            let second = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: "127.0.0.1", port: port).get()
            let full = try await self.firstRefusal(events)
            #expect(full.peer == nil && full.reason == .limit(LimitExceeded(.inboundConnections, limit: 1)))
            try await second.closeFuture.get()

            // The node may close before all is written; that is the point.
            try? await stranger.writeAndFlush(ByteBuffer(bytes: [1, UInt8(ascii: "x")]))
            let garbage = try await self.firstRefusal(events)
            guard case .handshake = garbage.reason else {
                Issue.record("\(garbage.reason)")
                return
            }
            #expect(garbage.from.ipAddress == .v4(0x7f00_0001) && garbage.peer == nil)
            try await stranger.closeFuture.get()
        }
    }

    @Test("the end of a connection has its cause, on both sides")
    func causes() async throws {
        try await withNodes { nodes in
            let events = nodes.map { $0.events() }
            try await self.connect(nodes)
            // The other side has the connection, too.
            _ = try await nodes[0].ping(nodes[1].peerID)
            await nodes[0].disconnect(nodes[1].peerID)
            #expect(try await self.firstCause(events[0]) == .closed)
            #expect(try await self.firstCause(events[1]) == .closedByPeer(code: 0))
        }
    }

    @Test("a trimmed connection says so to its own side and, by code, to the other")
    func trimmed() async throws {
        func configure(_ configuration: inout Node.Configuration) {
            configuration.trimming?.lowWater = 0
            configuration.trimming?.highWater = 0
            configuration.trimming?.grace = .zero
            // Only when the test says so.
            configuration.trimming?.interval = .seconds(3600)
        }
        try await withNodes(configure: configure) { nodes in
            let events = nodes.map { $0.events() }
            try await self.connect(nodes)
            _ = try await nodes[0].ping(nodes[1].peerID)
            nodes[1].trimConnections()
            #expect(try await self.firstCause(events[1]) == .trimmed)
            #expect(try await self.firstCause(events[0]) == .closedByPeer(code: 0x1005))
        }
    }
}
