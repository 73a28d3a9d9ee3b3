import GoopTestKit
import Logging
import NIOCore
import NIOPosix
import P2PSwarm
import Synchronization
import Testing

@testable import LibP2P

/// Waits until `condition` holds, looking whenever what `node` uses or refuses has changed. The suites bound the time.
func until(_ node: Node, _ condition: (Node) -> Bool) async {
    let changes = node.usageChanges()
    if condition(node) { return }
    for await _ in changes where condition(node) { return }
}

@Suite("Node: limits and hostile peers", .timeLimit(.minutes(1)))
struct NodeLimitsTests {
    @Test("what was reserved is given back when streams and connections end")
    func balance() async throws {
        try await withNodes { nodes in
            nodes[1].serveEcho()
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            for _ in 0..<50 { #expect(try await nodes[0].echo("x", to: nodes[1].peerID) == "x") }
            for node in nodes { await until(node) { $0.usage == (1, 0) } }
            await nodes[0].disconnect(nodes[1].peerID)
            for node in nodes { await until(node) { $0.usage == (0, 0) } }
        }
    }

    @Test("whom the owner protects is not forgotten for others")
    func protectedPeersAreRemembered() throws {
        var configuration = Node.Configuration(identity: .generate())
        configuration.limits.addressBook.peers = 1
        let node = Node(configuration: configuration)
        let there = try Multiaddr(text: "/ip4/10.0.0.1/tcp/1")
        let (friend, stranger) = (PrivateKey.generate().peerID, PrivateKey.generate().peerID)
        node.protect(friend, reason: "one")
        node.protect(friend, reason: "other")
        node.addAddresses([there], of: friend, source: .hearsay)
        node.unprotect(friend, reason: "one")
        node.addAddresses([there], of: stranger, source: .connection)
        #expect(node.addresses(of: friend) == [there] && node.addresses(of: stranger) == [])
        node.unprotect(friend, reason: "other")
        node.addAddresses([there], of: stranger, source: .configured)
        #expect(node.addresses(of: friend) == [] && node.addresses(of: stranger) == [there])
    }

    @Test("a protocol's streams per peer are bounded; ending one makes room")
    func streamsPerPeer() async throws {
        try await withNodes { nodes in
            nodes[1].serveEcho(limits: HandlerLimits(streams: 100, streamsPerPeer: 2))
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            var options = StreamOptions()
            options.negotiation = .eager
            func open() async throws -> P2PStream {
                let stream = try await nodes[0].openStream(
                    to: nodes[1].peerID, protocols: ["/echo/1.0.0"], options: options)
                try await stream.write("x".utf8)
                _ = try await stream.readExactly(1)
                return stream
            }
            let (first, second) = (try await open(), try await open())
            let refused = await #expect(throws: P2PError.self) { try await open() }
            #expect(refused?.code == .streamReset)
            #expect(nodes[1].refusals[.inboundStreamsPerProtocolAndPeer] == 1)
            try await first.closeWrite()
            _ = try await first.readToEnd(max: 10)
            // The place is free once the server is done with the stream; until then it would refuse.
            await until(nodes[1]) { $0.usage.streams == 1 }
            _ = try await open()
            second.reset()
        }
    }

    @Test("the node's own figures for a protocol are in force where its handler names none")
    func streamsPerProtocolOfTheNode() async throws {
        try await withNodes(configure: {
            $0.limits.inboundStreamsPerProtocol = 2
            $0.limits.inboundStreamsPerProtocolAndPeer = 1
        }) { nodes in
            nodes[1].serveEcho()
            nodes[1].serveEcho("/two", limits: HandlerLimits(streams: nil, streamsPerPeer: 3))
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            // One peer's figure of the node: one; of all peers: two.
            for (name, most, limit) in [
                ("/echo/1.0.0", 1, LimitName.inboundStreamsPerProtocolAndPeer),
                ("/two", 2, LimitName.inboundStreamsPerProtocol),
            ] {
                var held: [P2PStream] = []
                for _ in 0..<most { held.append(try await self.open(ProtocolID(name), from: nodes[0], to: nodes[1])) }
                let error = await #expect(throws: P2PError.self) {
                    try await self.open(ProtocolID(name), from: nodes[0], to: nodes[1]).read()
                }
                #expect(error?.code == .streamReset)
                #expect(nodes[1].refusals[limit] == 1)
                for stream in held { await stream.close() }
            }
        }
    }

    @Test("what the muxer refuses is counted by name, like all else: here the bytes of a connection that nobody reads")
    func refusalsOfTheMuxer() async throws {
        try await withNodes(configure: { $0.limits.unreadBytesPerConnection = 100_000 }) { nodes in
            let (ends, end) = AsyncStream.makeStream(of: Void.self)
            nodes[1].setHandler(for: "/idle") { stream in
                for await _ in ends {}
                stream.reset()
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            var options = StreamOptions()
            options.negotiation = .eager
            let stream = try await nodes[0].openStream(
                to: nodes[1].peerID, protocols: ["/idle"], options: options)
            try await stream.write(ByteBuffer(repeating: 0, count: 200_000))
            await until(nodes[1]) { $0.refusals[.unreadBytesPerConnection] == 1 }
            let error = await #expect(throws: P2PError.self) { try await stream.read() }
            #expect(error?.code == .streamReset)
            end.finish()
        }
    }

    @Test("a handler at work counts when its connection is gone: to come back is no way around the limit")
    func handlersOutliveConnections() async throws {
        try await withNodes { nodes in
            let (ends, end) = AsyncStream.makeStream(of: Void.self)
            // Awaited through a task of its own: work that neither the stream nor a cancellation ends.
            let work = Task { for await _ in ends {} }
            nodes[1].setHandler(for: "/slow", limits: HandlerLimits(streams: 2, streamsPerPeer: 2)) { stream in
                await work.value
                stream.reset()
            }
            var options = StreamOptions()
            options.negotiation = .eager
            func open() async throws -> P2PStream {
                try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
                return try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/slow"], options: options)
            }
            for _ in 0..<2 { _ = try await open() }
            await nodes[0].disconnect(nodes[1].peerID)
            await until(nodes[1]) { $0.usage.connections == 0 }
            let error = await #expect(throws: P2PError.self) { try await open().read() }
            #expect(error?.code == .streamReset)
            #expect(nodes[1].refusals[.inboundStreamsPerProtocol] == 1)
            end.finish()
            for node in nodes { await until(node) { $0.usage.streams == 0 } }
        }
    }

    @Test("a stream that its handler has closed counts for as long as the peer does not take what was written")
    func closedButNotTaken() async throws {
        try await withNodes { nodes in
            let (closings, closing) = AsyncStream.makeStream(of: Void.self)
            nodes[1].setHandler(for: "/large") { stream in
                // More than a window, and little enough that nobody waits.
                for _ in 0..<7 { try? await stream.write(ByteBuffer(repeating: 0, count: 64 * 1024)) }
                await stream.close()
                closing.yield()
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            var options = StreamOptions()
            options.negotiation = .eager
            var streams: [P2PStream] = []
            for _ in 0..<20 {
                streams.append(
                    try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/large"], options: options))
            }
            var iterator = closings.makeAsyncIterator()
            for _ in streams { await iterator.next() }
            #expect(nodes[1].usage.streams >= 20)
            for stream in streams { stream.reset() }
            for node in nodes { await until(node) { $0.usage == (1, 0) } }
        }
    }

    @Test("a stream that its handler drops is reset, not left hanging", arguments: [true, false])
    func droppedStream(eagerly: Bool) async throws {
        try await withNodes { nodes in
            // Nothing is dropped before the agreement on the protocol has arrived: a reset would overtake it.
            let (agreed, agreement) = AsyncStream.makeStream(of: Void.self)
            nodes[1].setHandler(for: "/drop") { _ in for await _ in agreed {} }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            var options = StreamOptions()
            options.negotiation = eagerly ? .eager : .lazy
            let stream = try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/drop"], options: options)
            if !eagerly { try await stream.write("proposed".utf8) }
            agreement.finish()
            let error = await #expect(throws: P2PError.self) { try await stream.read() }
            #expect(error?.code == .streamReset)
        }
    }

    @Test("a stream whose opener names no protocol is reset at the negotiation's time")
    func silentStream() async throws {
        try await withNodes(configure: { $0.limits.negotiationTimeout = .milliseconds(500) }) { nodes in
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let connection = try #require(nodes[0].swarm.bestConnection(with: nodes[1].peerID))
            let stream = try await connection.muxed.openStream()
            // Whoever reads lets the other side know that the stream is there.
            let outcome = StreamError.reset(code: YamuxCode.streamNegotiationFailed, byPeer: true)
            await #expect(throws: outcome) { try await stream.read() }
        }
    }

    @Test("a peer that asks for protocols we lack is told so each time; one that goes on with garbage is cut off")
    func vainStreams() async throws {
        try await withNodes { nodes in
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            for _ in 0..<100 {
                let error = await #expect(throws: P2PError.self) {
                    try await self.open("/lacking", from: nodes[0], to: nodes[1])
                }
                #expect(error?.code == .protocolNotSupported)
            }
            let connection = try #require(nodes[0].swarm.bestConnection(with: nodes[1].peerID))
            // Held, since a dropped one is reset, which counts anyway.
            var held: [MuxedStream] = []
            while let stream = try? await connection.muxed.openStream() {
                held.append(stream)
                // It may be refused while it is written.
                try? await stream.write(ByteBuffer(string: "\u{1}x"))
            }
            await until(nodes[1]) { $0.connections().isEmpty }
            #expect(nodes[1].refusals[.streamResets] == 1 && held.count >= 400)
        }
    }

    /// Takes connections and streams, and says nothing.
    private func silentPeer() async throws -> (Swarm, held: HeldStreams) {
        let held = HeldStreams()
        let silent = Swarm(
            configuration: SwarmConfiguration(identity: .generate(), security: ["/noise"]),
            transports: [TCPTransport()], group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"),
            callbacks: SwarmCallbacks(
                connected: { _ in }, disconnected: { _, _, _ in }, inboundStream: { stream, _, _ in held.add(stream) }))
        try await silent.start(listeningOn: [Multiaddr(text: "/ip4/127.0.0.1/tcp/0")])
        return (silent, held)
    }

    /// A dropped one would be reset.
    private final class HeldStreams: Sendable {
        private let streams = Mutex<[MuxedStream]>([])

        func add(_ stream: MuxedStream) { streams.withLock { $0.append(stream) } }

        func drop() { streams.withLock { $0 = [] } }
    }

    @Test("what came before the agreement on a protocol leaves it no more than the rest of the caller's time")
    func oneTimeForAll() async throws {
        let (silent, held) = try await self.silentPeer()
        try await withNodes(1, configure: { $0.limits.negotiationTimeout = .seconds(3600) }) { nodes in
            try await nodes[0].connect(to: silent.localPeer, addresses: silent.listeningAddresses)
            let connection = try #require(nodes[0].swarm.bestConnection(with: silent.localPeer))
            let error = await #expect(throws: P2PError.self) {
                _ = try await nodes[0].openStream(
                    on: connection, protocols: ["/x"], negotiation: .eager, until: .now())
            }
            #expect(error?.code == .timedOut)
        }
        await silent.close()
        held.drop()
    }

    @Test("a peer that answers no proposal is waited for as long as the limits say, eagerly and lazily")
    func unansweredProposal() async throws {
        let (silent, held) = try await self.silentPeer()
        try await withNodes(1, configure: { $0.limits.negotiationTimeout = .milliseconds(100) }) { nodes in
            try await nodes[0].connect(to: silent.localPeer, addresses: silent.listeningAddresses)
            for negotiation in [StreamOptions.Negotiation.eager, .lazy] {
                let options = StreamOptions(timeout: .seconds(3600), negotiation: negotiation)
                let error = await #expect(throws: P2PError.self) {
                    try await nodes[0].openStream(to: silent.localPeer, protocols: ["/x"], options: options).read()
                }
                #expect(error?.code == .timedOut)
            }
            // Not longer for whoever reads again and again with little patience: the stream comes to its end.
            let options = StreamOptions(timeout: .seconds(3600), negotiation: .lazy)
            let stream = try await nodes[0].openStream(to: silent.localPeer, protocols: ["/x"], options: options)
            while (try? await stream.write([1])) != nil {
                await #expect(throws: P2PError.self) { try await stream.read(timeout: .milliseconds(10)) }
            }
        }
        await silent.close()
        held.drop()
    }

    @Test("an identity that comes to no end is given up at its time")
    func endlessIdentity() async throws {
        try await withNodes(configure: { $0.limits.identify.timeout = .milliseconds(500) }) { nodes in
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await self.open(Identify.pushProtocolID, from: nodes[0], to: nodes[1])
            try await stream.write([5])
            let slow = StreamError.reset(code: YamuxCode.streamRateLimited, byPeer: true)
            await #expect(throws: slow) { try await stream.muxed.read() }
        }
    }

    @Test("ping streams of one peer are bounded")
    func pingStreams() async throws {
        try await withNodes { nodes in
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            var held: [P2PStream] = []
            for _ in 0..<2 { held.append(try await self.open(Ping.protocolID, from: nodes[0], to: nodes[1])) }
            let error = await #expect(throws: P2PError.self) {
                try await self.open(Ping.protocolID, from: nodes[0], to: nodes[1]).read()
            }
            #expect(error?.code == .streamReset)
            #expect(nodes[1].refusals[.inboundStreamsPerProtocolAndPeer] == 1)
            for stream in held { await stream.close() }
        }
    }

    @Test("a ping stream on which nothing comes is reset at its time")
    func idlePingStream() async throws {
        try await withNodes(configure: { $0.limits.pingIdleTimeout = .milliseconds(500) }) { nodes in
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await self.open(Ping.protocolID, from: nodes[0], to: nodes[1])
            let idle = StreamError.reset(code: YamuxCode.streamGarbageCollected, byPeer: true)
            await #expect(throws: idle) { try await stream.muxed.read() }
        }
    }

    private func open(_ name: ProtocolID, from node: Node, to other: Node) async throws -> P2PStream {
        var options = StreamOptions()
        options.negotiation = .eager
        return try await node.openStream(to: other.peerID, protocols: [name], options: options)
    }

    @Test("connections of one peer are bounded")
    func connectionsPerPeer() async throws {
        let identity = PrivateKey.generate()
        try await withNodes(1) { servers in
            var nodes: [Node] = []
            // Several processes with one identity look like one peer with several connections.
            for _ in 0..<10 {
                let node = Node(configuration: .init(identity: identity))
                try await node.start()
                nodes.append(node)
                try await node.connect(to: servers[0].peerID, addresses: servers[0].listenAddresses())
            }
            await until(servers[0]) { $0.refusals[.connectionsPerPeer] == 2 }
            #expect(servers[0].connections().count == 8)
            for node in nodes { await node.stop() }
            await until(servers[0]) { $0.usage == (0, 0) }
        }
    }

    private func open(_ node: Node) async throws -> any Channel {
        let port = Int(try #require(node.listenAddresses().first?.tcpPort))
        return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port).get()
    }

    @Test("a silent connection is closed at the upgrade's time")
    func silentConnection() async throws {
        try await withNodes(1, configure: { $0.limits.inboundUpgradeTimeout = .milliseconds(100) }) { nodes in
            try await self.open(nodes[0]).closeFuture.get()
            await until(nodes[0]) { $0.usage == (0, 0) }
        }
    }

    @Test("a connection that has said nothing yet ends with the node")
    func silentConnectionAtStop() async throws {
        try await withNodes(1, configure: { $0.limits.inboundUpgradeTimeout = .seconds(3600) }) { nodes in
            let channel = try await self.open(nodes[0])
            await until(nodes[0]) { $0.usage == (1, 0) }
            await nodes[0].stop()
            try await channel.closeFuture.get()
        }
    }

    @Test("silent connections are bounded: the next one is closed at once")
    func silentConnections() async throws {
        func configure(_ settings: inout Node.Configuration) {
            settings.limits.pendingInboundConnections = 4
            settings.limits.inboundUpgradeTimeout = .seconds(3600)
        }
        try await withNodes(1, configure: configure) { nodes in
            var channels: [any Channel] = []
            for count in 1...4 {
                channels.append(try await self.open(nodes[0]))
                await until(nodes[0]) { $0.usage == (count, 0) }
            }
            try await self.open(nodes[0]).closeFuture.get()
            #expect(nodes[0].refusals[.pendingInboundConnections] == 1)
            for channel in channels { try await channel.close() }
            await until(nodes[0]) { $0.usage == (0, 0) }
        }
    }

    @Test("garbage instead of a handshake closes the connection", arguments: [1, 2, 3])
    func garbage(seed: UInt64) async throws {
        try await withNodes(1) { nodes in
            var generator = SeededGenerator(seed: seed)
            let port = Int(try #require(nodes[0].listenAddresses().first?.tcpPort))
            let header = Array("\u{13}/multistream/1.0.0\n\u{7}/noise\n".utf8)
            for index in 0..<20 {
                let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: "127.0.0.1", port: port).get()
                let noise = generator.bytes(Int.random(in: 200...70_000, using: &generator))
                // The node may close before all is written; that is the point.
                try? await channel.writeAndFlush(ByteBuffer(bytes: index % 2 == 0 ? noise : header + [0, 9] + noise))
                try await channel.closeFuture.get()
            }
            await until(nodes[0]) { $0.usage == (0, 0) }
        }
    }

    @Test("too many connections: the least valuable go, a protected peer stays")
    func trimming() async throws {
        try await withNodes(
            1,
            configure: {
                $0.trimming?.lowWater = 2
                $0.trimming?.highWater = 3
                $0.trimming?.grace = .zero
                // Only when the test says so: a node that trims by itself in between keeps others.
                $0.trimming?.interval = .seconds(3600)
            }
        ) { servers in
            let server = servers[0]
            try await withNodes(5) { clients in
                server.protect(clients[0].peerID, reason: "test")
                server.tag(clients[1].peerID, "test", value: 10)
                for client in clients {
                    try await client.connect(to: server.peerID, addresses: server.listenAddresses())
                    _ = try await client.ping(server.peerID)
                }
                await until(server) { $0.connections().count == 5 && $0.usage.streams == 0 }
                server.trimConnections()
                await until(server) { $0.connections().count == 2 }
                #expect(Set(server.connections().map(\.peer)) == [clients[0].peerID, clients[1].peerID])
            }
        }
    }

    @Test("events that a slow subscriber does not take are bounded: the oldest go, and are counted")
    func eventsOfASlowSubscriber() async throws {
        let host = Mutex<UInt32>(1)
        var configuration = Node.Configuration(
            identity: .generate(), listen: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/0")])
        configuration.limits.eventsPerSubscriber = 2
        configuration.interfaceAddresses = { [.v4(0x7F00_0000 + host.withLock { $0 })] }
        let node = Node(configuration: configuration)
        try await node.start()
        let events = node.events()
        var told: [[Multiaddr]] = []
        for number in UInt32(2)...6 {
            host.withLock { $0 = number }
            node.interfacesChanged()
            told.append(node.listenAddresses())
        }
        #expect(node.droppedEvents == 3)
        await node.stop()
        var heard: [[Multiaddr]] = []
        for await case .listenAddressesChanged(let addresses) in events { heard.append(addresses) }
        #expect(heard == Array(told.suffix(2)))
    }

    @Test("pushes of our identity that are under way at one time are as few as the limits say")
    func pushesAtATime() {
        var limits = ResourceLimits()
        limits.identify.concurrentPushes = 2
        limits.identify.pushDelay = .zero
        var state = NodeState(limits: limits)
        for _ in 0..<5 { state.pushes.peerAcceptsPushes(PrivateKey.generate().peerID) }
        state.pushes.changed(now: .zero)
        let first = state.pushes.poll(now: .zero)
        #expect(first.count == 2)
        let next = state.pushes.pushed(first[0])
        #expect(next.count == 1)
    }

    @Test("a peer that pushes its identity too often is refused, and stays connected")
    func pushesOfAPeer() async throws {
        func configure(_ settings: inout Node.Configuration) {
            settings.limits.identify.pushBurst = 2
            settings.limits.identify.pushInterval = .seconds(3600)
        }
        try await withNodes(configure: configure) { nodes in
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            func push() async throws {
                var options = StreamOptions()
                options.negotiation = .eager
                let stream = try await nodes[0].openStream(
                    to: nodes[1].peerID, protocols: [Identify.pushProtocolID], options: options)
                try await stream.write(ByteBuffer(bytes: IdentifyMessage().encoded()))
                try await stream.closeWrite()
                #expect(try await stream.read() == nil)
                await stream.close()
            }
            for _ in 0..<2 { try await push() }
            let refused = await #expect(throws: P2PError.self) { try await push() }
            #expect(refused?.code == .streamReset)
            #expect(nodes[1].isConnected(to: nodes[0].peerID))
        }
    }

    @Test("a caller that gives up leaves the dial to the others")
    func cancelledConnect() async throws {
        try await withNodes(2) { nodes in
            let silent = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: 0).get()
            let port = UInt16(try #require(silent.localAddress?.port))
            let nowhere = Multiaddr(ip: try #require(IPAddress("127.0.0.1")), tcpPort: port)
            let impatient = Task {
                try await nodes[0].connect(to: nodes[1].peerID, addresses: [nowhere], timeout: .seconds(30))
            }
            await until(nodes[0]) { $0.usage.connections == 1 }
            let timed = await #expect(throws: P2PError.self) {
                try await nodes[0].connect(to: nodes[1].peerID, timeout: .milliseconds(30))
            }
            #expect(timed?.code == .timedOut)
            impatient.cancel()
            await #expect(throws: CancellationError.self) { try await impatient.value }
            await until(nodes[0]) { $0.usage == (0, 0) }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            try await silent.close().get()
        }
    }
}
