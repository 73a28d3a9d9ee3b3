import Logging
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import PeerIdentity
import Testing

@testable import P2PSwarm

@Suite(.timeLimit(.minutes(1))) struct CrowdTests {
    /// One loop, so that whatever is not on it is on the one for crowds.
    private func withServer(_ body: (Swarm, any EventLoop, Int) async throws -> Void) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var configuration = SwarmConfiguration(identity: .generate(), security: ["/noise"])
        configuration.limits.crowdWaiting = 2
        configuration.limits.crowdInterval = .microseconds(1)
        let server = Swarm(
            configuration: configuration, transports: [TCPTransport()], group: group, logger: Logger(label: "test"),
            callbacks: SwarmCallbacks(
                connected: { _ in }, disconnected: { _, _, _ in }, inboundStream: { stream, _, _ in stream.reset() }))
        try await server.start(listeningOn: [Multiaddr(text: "/ip4/127.0.0.1/tcp/0")])
        let port = try #require(server.listeningAddresses.first?.tcpPort)
        try await body(server, group.next(), Int(port))
        await server.close()
        try await group.shutdownGracefully()
    }

    /// Somebody who says nothing; returns when the server has let them in.
    private func stranger(at server: Swarm, _ port: Int) async throws -> any Channel {
        let changes = server.usageChanges()
        let before = server.usage.connections
        let stranger = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
        for await _ in changes where server.usage.connections > before { break }
        return stranger
    }

    private func leave(_ strangers: [any Channel], _ server: Swarm) async throws {
        let changes = server.usageChanges()
        let rest = server.usage.connections - strangers.count
        for stranger in strangers { try? await stranger.close() }
        guard server.usage.connections > rest else { return }
        for await _ in changes where server.usage.connections <= rest { break }
    }

    private func loops(_ server: Swarm) -> [any EventLoop] {
        server.state.withLock { $0.strangers.values.map(\.eventLoop) }
    }

    @Test("strangers who wait in a crowd are on a loop of their own, and those after them on the ordinary one again")
    func crowd() async throws {
        try await self.withServer { server, ordinary, port in
            var strangers: [any Channel] = []
            for _ in 0..<3 { strangers.append(try await self.stranger(at: server, port)) }
            #expect(self.loops(server).allSatisfy { $0 === ordinary })
            // The door is closed behind the third, by what its coming has left to do there.
            try await ordinary.submit {}.get()
            strangers.append(try await self.stranger(at: server, port))
            #expect(self.loops(server).filter { $0 !== ordinary }.count == 1)
            #expect(server.state.withLock { $0.crowd.isCrowd })
            try await self.leave(strangers, server)
            var isOrdinary = false
            while !isOrdinary {
                let next = try await self.stranger(at: server, port)
                isOrdinary = self.loops(server).allSatisfy { $0 === ordinary }
                try await self.leave([next], server)
            }
            #expect(server.state.withLock { !$0.crowd.isCrowd })
        }
    }

    @Test("who is let in by the loop for crowds is served as others are")
    func served() async throws {
        try await self.withServer { server, ordinary, port in
            var strangers: [any Channel] = []
            for _ in 0..<3 { strangers.append(try await self.stranger(at: server, port)) }
            try await ordinary.submit {}.get()
            let client = Swarm(
                configuration: SwarmConfiguration(identity: .generate(), security: ["/noise"]),
                transports: [TCPTransport()], group: MultiThreadedEventLoopGroup.singleton,
                logger: Logger(label: "test"),
                callbacks: SwarmCallbacks(
                    connected: { _ in }, disconnected: { _, _, _ in },
                    inboundStream: { stream, _, _ in stream.reset() }))
            try await client.start(listeningOn: [])
            let connection = try await client.connect(
                to: server.localPeer, addresses: server.listeningAddresses, timeout: .seconds(50))
            // The client's end may be ready first.
            let changes = server.usageChanges()
            if server.connections.isEmpty { for await _ in changes where !server.connections.isEmpty { break } }
            #expect(server.connections.map(\.peer) == [client.localPeer])
            #expect(server.connections.allSatisfy { $0.muxed.eventLoop !== ordinary })
            #expect(connection.muxed.takesStreams)
            try await self.leave(strangers, server)
            await client.close()
        }
    }
}
