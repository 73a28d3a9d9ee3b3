import Dispatch
import NIOCore
import NIOPosix
import P2PSwarm
import Testing

@testable import LibP2P

@Suite("Node: what may hold up a stop", .timeLimit(.minutes(1)))
struct NodeStopTests {
    @Test("peers that say nothing any more cost one wait for all of them, not one each")
    func frozenPeers() async throws {
        // Its loop stands still, as a process does that is stopped; the system takes what is sent to it all the same.
        let frozen = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let thaw = DispatchSemaphore(value: 0)
        try await withNodes(1) { nodes in
            var peers: [Node] = []
            for _ in 0..<3 {
                let peer = Node(configuration: .init(identity: .generate()), eventLoopGroup: frozen)
                try await peer.start()
                try await peer.connect(to: nodes[0].peerID, addresses: nodes[0].listenAddresses())
                peers.append(peer)
            }
            await until(nodes[0]) { $0.usage == (3, 0) }
            let events = nodes[0].events()
            frozen.next().execute { thaw.wait() }
            async let stopped: Void = nodes[0].stop()
            _ = try await first(of: events) { if case .disconnected = $0 { true } else { nil } }
            // The first of them has had its time. By then the others have long been told, too.
            let left = nodes[0].swarm.connections
            thaw.signal()
            #expect(left.allSatisfy { !$0.muxed.takesStreams })
            await stopped
            #expect(nodes[0].usage == (0, 0))
            for peer in peers { await peer.stop() }
        }
        try await frozen.shutdownGracefully()
    }

    @Test("a handler that ignores its cancellation and the end of its stream does not keep the node from stopping")
    func stubbornHandler() async throws {
        try await withNodes { nodes in
            let (begun, begin) = AsyncStream.makeStream(of: Void.self)
            let (ends, end) = AsyncStream.makeStream(of: Void.self)
            // Awaited through a task of its own, which the handler's cancellation does not reach.
            let work = Task { for await _ in ends {} }
            nodes[1].setHandler(for: "/stubborn") { _ in
                begin.yield()
                await work.value
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/stubborn"])
            try await stream.write("x".utf8)
            _ = await begun.first { _ in true }
            await nodes[1].stop()
            end.finish()
            stream.reset()
        }
    }
}
