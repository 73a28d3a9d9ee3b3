import GoopTestKit
import LibP2P
import NIOCore
import Synchronization
import Testing

@Suite("Node: both at once, restarts, churn", .timeLimit(.minutes(2)))
struct NodeChurnTests {
    @Test("both sides dial at once: connected, and streams work in both directions", arguments: 1...20)
    func simultaneousDial(round: Int) async throws {
        try await withNodes { nodes in
            for node in nodes { node.serveEcho() }
            async let one = nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            async let two = nodes[1].connect(to: nodes[0].peerID, addresses: nodes[0].listenAddresses())
            _ = try await (one, two)
            for (from, to) in [(0, 1), (1, 0), (0, 1)] {
                #expect(try await nodes[from].echo("x", to: nodes[to].peerID) == "x")
            }
        }
    }

    @Test("a peer that restarts on its port with its identity is reached again at once")
    func restart() async throws {
        let identity = PrivateKey.generate()
        try await withNodes(1) { nodes in
            let client = nodes[0]
            var listen = try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")
            for _ in 0..<4 {
                let server = Node(configuration: .init(identity: identity, listen: [listen]))
                server.serveEcho()
                try await server.start()
                listen = try #require(server.listenAddresses().first)
                try await client.connect(to: identity.peerID, addresses: [listen])
                #expect(try await client.echo("again", to: identity.peerID) == "again")
                await server.stop()
                await until(client) { $0.connections().isEmpty }
            }
        }
    }

    @Test("wildcards: IPv4 and IPv6 on one port, told as real addresses, reached through each")
    func wildcards() async throws {
        var configuration = Node.Configuration(
            identity: .generate(),
            listen: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/0"), try Multiaddr(text: "/ip6/::/tcp/0")])
        configuration.interfaceAddresses = { ["127.0.0.1", "::1"].compactMap { IPAddress($0) } }
        let server = Node(configuration: configuration)
        try await server.start()
        let told = server.listenAddresses()
        #expect(told.count == 2 && Set(told.map(\.tcpPort)).count == 1)
        #expect(!told.contains { $0.isUnspecified })
        for address in told {
            try await withNodes(1) { nodes in
                #expect(try await nodes[0].connect(to: server.peerID, addresses: [address]).remoteAddress == address)
                _ = try await nodes[0].ping(server.peerID)
            }
        }
        await server.stop()
    }

    @Test("a name is looked up and dialled", arguments: ["dns4", "dns"])
    func names(kind: String) async throws {
        try await withNodes { nodes in
            let port = try #require(nodes[1].listenAddresses().first?.tcpPort)
            let named = try Multiaddr(text: "/\(kind)/localhost/tcp/\(port)")
            let info = try await nodes[0].connect(to: nodes[1].peerID, addresses: [named])
            #expect(info.remoteAddress == nodes[1].listenAddresses().first)
            let unknown = try Multiaddr(text: "/dns4/no-such-name.invalid/tcp/1")
            let peer = PrivateKey.generate().peerID
            let error = await #expect(throws: P2PError.self) {
                try await nodes[0].connect(to: peer, addresses: [unknown])
            }
            #expect(error?.attempts.map(\.error) == [.other("the name has no address")])
        }
    }

    @Test("addresses of the machine that come and go are told to connected peers")
    func addressChange() async throws {
        final class Interfaces: Sendable {
            let extra = Mutex(false)
            func now() -> [IPAddress] {
                (["127.0.0.1"] + (self.extra.withLock { $0 } ? ["127.0.0.2"] : [])).compactMap { IPAddress($0) }
            }
        }
        let interfaces = Interfaces()
        var configuration = Node.Configuration(
            identity: .generate(), listen: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/0")])
        configuration.interfaceAddresses = { interfaces.now() }
        configuration.limits.identify.pushDelay = .milliseconds(10)
        let server = Node(configuration: configuration)
        try await server.start()
        try await withNodes(1) { nodes in
            let events = nodes[0].events()
            try await nodes[0].connect(to: server.peerID, addresses: server.listenAddresses())
            let before = try await first(of: events) { event -> IdentifyInfo? in
                if case .identified(_, let info) = event { info } else { nil }
            }
            #expect(before.listenAddresses.count == 1)
            interfaces.extra.withLock { $0 = true }
            server.interfacesChanged()
            let after = try await first(of: events) { event -> IdentifyInfo? in
                if case .identified(_, let info) = event { info } else { nil }
            }
            #expect(after.listenAddresses.count == 2)
            #expect(nodes[0].addresses(of: server.peerID).count == 2)
        }
        await server.stop()
    }

    @Test("of two looks at the machine's addresses the later one counts, whichever is done first")
    func overtakenLook() async throws {
        final class Interfaces: Sendable {
            let node = Mutex<Node?>(nil)
            /// What was there when asked; while the first asker has it in hand, a second address comes and is seen.
            func look() -> [IPAddress] {
                let overtakes = self.node.withLock { node in
                    defer { node = nil }
                    return node
                }
                guard let overtakes else { return ["127.0.0.1", "127.0.0.2"].compactMap { IPAddress($0) } }
                overtakes.interfacesChanged()
                return [IPAddress("127.0.0.1")].compactMap(\.self)
            }
        }
        let interfaces = Interfaces()
        var configuration = Node.Configuration(
            identity: .generate(), listen: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/0")])
        configuration.interfaceAddresses = { interfaces.look() }
        let node = Node(configuration: configuration)
        try await node.start()
        interfaces.node.withLock { $0 = node }
        node.interfacesChanged()
        #expect(node.listenAddresses().count == 2)
        await node.stop()
    }

    @Test("random connects, echoes, disconnects and drops among five nodes: nothing leaks", arguments: [1, 2])
    func churn(seed: UInt64) async throws {
        try await withNodes(5) { nodes in
            for node in nodes { node.serveEcho() }
            let addresses = nodes.map { $0.listenAddresses() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<8 {
                    group.addTask {
                        var generator = SeededGenerator(seed: seed &* 100 &+ UInt64(worker))
                        for _ in 0..<40 {
                            let from = Int.random(in: 0..<5, using: &generator)
                            let to = (from + Int.random(in: 1..<5, using: &generator)) % 5
                            let (node, peer) = (nodes[from], nodes[to].peerID)
                            // Each may fail because another worker disconnects meanwhile; what counts is the end.
                            switch Int.random(in: 0..<6, using: &generator) {
                            case 0, 1: _ = try? await node.connect(to: peer, addresses: addresses[to])
                            case 2, 3: _ = try? await node.echo("x", to: peer)
                            case 4: _ = try? await node.openStream(to: peer, protocols: ["/echo/1.0.0"])
                            default: await node.disconnect(peer)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            for (from, to) in [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)] {
                try await nodes[from].connect(to: nodes[to].peerID, addresses: addresses[to])
                #expect(try await nodes[from].echo("end", to: nodes[to].peerID) == "end")
            }
            for node in nodes {
                for other in nodes where other.peerID != node.peerID { await node.disconnect(other.peerID) }
            }
            for node in nodes { await until(node) { $0.usage == (0, 0) } }
        }
    }
}
