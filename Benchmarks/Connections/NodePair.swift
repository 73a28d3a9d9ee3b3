import LibP2P
import NIOCore
import NIOPosix

/// Two nodes in this process, each with one event loop of its own, over TCP on loopback.
struct NodePair {
    static let sink: ProtocolID = "/bench/sink/1.0.0"
    static let echo: ProtocolID = "/bench/echo/1.0.0"

    let near: Node
    let far: Node
    let address: Multiaddr

    /// - Parameter onLoop: whether the answering handlers run on the connection's event loop.
    init(security: ProtocolID, onLoop: Bool) async throws {
        var limits = HandlerLimits()
        limits.runsOnEventLoop = onLoop
        func node() throws -> Node {
            var configuration = Node.Configuration(
                identity: .generate(), listen: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")])
            configuration.security = [security]
            return Node(configuration: configuration, eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: 1))
        }
        self.near = try node()
        self.far = try node()
        // Reads to the end, answers with one byte.
        self.far.setHandler(for: Self.sink, limits: limits) { stream in
            do {
                while try await stream.read() != nil {}
                try await stream.write([1])
            } catch { print("sink: \(error)") }
            await stream.close()
        }
        self.far.setHandler(for: Self.echo, limits: limits) { stream in
            do {
                while let bytes = try await stream.read() { try await stream.write(bytes) }
            } catch { print("echo: \(error)") }
            await stream.close()
        }
        try await self.near.start()
        try await self.far.start()
        self.address = self.far.listenAddresses()[0]
        try await self.near.connect(to: self.far.peerID, addresses: [self.address])
    }

    func stop() async {
        await self.near.stop()
        await self.far.stop()
    }
}
