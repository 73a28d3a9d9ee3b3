import LibP2P
import NIOCore
import NIOPosix

/// Memory of connections and streams that are open and silent, both ends in this process.
enum Idle {
    private static let hold: ProtocolID = "/bench/hold/1.0.0"
    private static let clients = 10
    private static let streamsEach = 1_000
    private static let connectionCount = 1_000

    /// 10,000 streams on ten connections.
    ///
    /// - Parameter withTasks: whether each is held by a handler's task that waits in `read`, or by an observer.
    static func streams(_ security: ProtocolID, withTasks: Bool) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let server = try node(security, group, listens: true)
        var limits = HandlerLimits(streams: 20_000, streamsPerPeer: 2_000)
        limits.runsOnEventLoop = true
        if withTasks {
            server.setHandler(for: hold, limits: limits) { stream in
                do {
                    try await stream.write([1])
                    while try await stream.read() != nil {}
                } catch {}  // The end of the benchmark resets it.
                await stream.close()
            }
        } else {
            server.setAcceptor(for: hold, limits: limits) { stream in
                let holder = Holder(stream)
                stream.observe(holder)
                // The stream is new and the connection lives.
                _ = try? stream.writeNow(ByteBuffer(bytes: [1]))
                holder.streamIsReadable()
            }
        }
        try await server.start()
        var nodes: [Node] = []
        for _ in 0..<clients {
            let client = try node(security, group, listens: false)
            try await client.start()
            try await client.connect(to: server.peerID, addresses: server.listenAddresses())
            // The first makes what all others share.
            try await open(client, server).close()
            nodes.append(client)
        }
        var held: [P2PStream] = []
        held.reserveCapacity(clients * streamsEach)
        let before = residentBytes()
        for client in nodes { for _ in 0..<(streamsEach - 1) { held.append(try await open(client, server)) } }
        let each = (residentBytes() - before) / held.count
        print(
            "idle streams \(security): \(held.count) open, \(each) bytes each, both ends",
            withTasks ? "and the handler's task" : "without a task")
        for stream in held { stream.reset() }
        for node in nodes + [server] { await node.stop() }
    }

    private static func open(_ client: Node, _ server: Node) async throws -> P2PStream {
        let stream = try await client.openStream(to: server.peerID, protocols: [hold])
        _ = try await stream.readExactly(1)
        return stream
    }

    /// 1,000 connections, each from a node of its own to one server; identify has passed both ways.
    static func connections(_ security: ProtocolID) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let server = try node(security, group, listens: true)
        try await server.start()
        var nodes: [Node] = []
        for _ in 0...connectionCount {
            let client = try node(security, group, listens: false)
            try await client.start()
            nodes.append(client)
        }
        try await connect(nodes[0], to: server)
        let before = residentBytes()
        for client in nodes.dropFirst() { try await connect(client, to: server) }
        while nodes.contains(where: { server.identification(of: $0.peerID) == nil }) { await Task.yield() }
        let each = (residentBytes() - before) / connectionCount
        print("idle connections \(security): \(connectionCount) open, \(each) bytes each, both ends")
        for node in nodes + [server] { await node.stop() }
    }

    private static func connect(_ client: Node, to server: Node) async throws {
        try await client.connect(to: server.peerID, addresses: server.listenAddresses())
        while client.identification(of: server.peerID) == nil { await Task.yield() }
    }

    private static func node(_ security: ProtocolID, _ group: any EventLoopGroup, listens: Bool) throws -> Node {
        var configuration = Node.Configuration(
            identity: .generate(), listen: listens ? [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")] : [])
        configuration.security = [security]
        configuration.trimming = nil
        configuration.limits.newConnectionBurst = 10_000
        configuration.limits.inboundConnectionsPerAddress = 10_000
        configuration.limits.inboundConnections = 10_000
        configuration.limits.connections = 10_000
        configuration.limits.inboundStreamsPerProtocol = 20_000
        return Node(configuration: configuration, eventLoopGroup: group)
    }

    /// Holds a stream until the peer ends it.
    private final class Holder: StreamObserver {
        private let stream: P2PStream
        init(_ stream: P2PStream) { self.stream = stream }

        func streamIsReadable() {
            do {
                while case .bytes = try stream.readNow() {}
            } catch {
                stream.reset()
            }
        }

        func streamIsWritable() {}
    }
}
