import NIOCore
import Testing

@testable import LibP2P

/// Askers that take their answers and never end their own side.
@Suite("Node: streams that only wait for the peer's end", .timeLimit(.minutes(1)))
struct NodeServedStreamsTests {
    /// A stream whose answer has come to its end, and whose own side is open.
    private func ask(_ node: Node, _ peer: PeerID, _ name: ProtocolID) async throws -> P2PStream {
        let stream = try await node.openStream(
            to: peer, protocols: [name], options: StreamOptions(negotiation: .eager))
        while try await stream.read() != nil {}
        return stream
    }

    @Test("they keep nobody from the protocol, and count as streams of their connection")
    func placesOfTheProtocol() async throws {
        try await withNodes { nodes in
            nodes[1].serve("/answer", limits: HandlerLimits(streams: 2, streamsPerPeer: 2)) { stream in
                try await stream.write("y".utf8)
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            var streams: [P2PStream] = []
            for _ in 0..<5 { streams.append(try await self.ask(nodes[0], nodes[1].peerID, "/answer")) }
            #expect(nodes[1].refusals[.inboundStreamsPerProtocol] == nil && nodes[1].usage.streams >= 5)
            for stream in streams { await stream.close() }
            for node in nodes { await until(node) { $0.usage == (1, 0) } }
        }
    }

    @Test("an asker that has been told who we are and ends nothing is reset at its time")
    func identify() async throws {
        try await withNodes(configure: { $0.limits.identify.endTimeout = .milliseconds(500) }) { nodes in
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await self.ask(nodes[0], nodes[1].peerID, Identify.protocolID)
            await until(nodes[1]) { $0.usage.streams == 0 }
            let error = await #expect(throws: P2PError.self) { while true { try await stream.write("x".utf8) } }
            #expect(error?.code == .streamReset)
        }
    }

    @Test("they do not keep their connection when there are too many: the newer one goes, not the one that is idle")
    func trimming() async throws {
        try await withNodes(
            1,
            configure: {
                $0.trimming?.lowWater = 1
                $0.trimming?.highWater = 1
                $0.trimming?.grace = .zero
                // Only when the test says so.
                $0.trimming?.interval = .seconds(3600)
            }
        ) { servers in
            let server = servers[0]
            server.serve("/answer") { stream in try await stream.write("y".utf8) }
            try await withNodes(2) { clients in
                for client in clients {
                    try await client.connect(to: server.peerID, addresses: server.listenAddresses())
                    _ = try await client.ping(server.peerID)
                }
                let stream = try await self.ask(clients[1], server.peerID, "/answer")
                await until(server) { $0.connections().count == 2 && $0.usage.streams == 1 }
                server.trimConnections()
                await until(server) { $0.connections().count == 1 }
                #expect(server.connections().map(\.peer) == [clients[0].peerID])
                stream.reset()
            }
        }
    }
}
