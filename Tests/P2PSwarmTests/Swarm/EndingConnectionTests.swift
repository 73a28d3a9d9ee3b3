import Logging
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import PeerIdentity
import Testing

@testable import P2PSwarm

@Suite("Connections that are ending", .timeLimit(.minutes(1))) struct EndingConnectionTests {
    private let local = PrivateKey.generate().peerID
    private let remote = PrivateKey.generate().peerID

    private func siege() async throws -> Siege {
        // The peer answers no pings.
        try await Siege { $0.yamux.keepAliveTimeout = .seconds(3600) }
    }

    /// The swarm's tables with these connections of one peer.
    private func state(_ sieges: [Siege]) throws -> SwarmState {
        var state = SwarmState(configuration: SwarmConfiguration(identity: .generate(), security: []))
        for siege in sieges {
            let slot = try state.ledger.reserveOutbound(to: nil)
            state.connections[self.remote, default: []].append(
                SwarmConnection(
                    id: state.takeNumber(), muxed: siege.connection, direction: .outbound, opened: .now(),
                    usesListeningPort: false, slot: slot))
        }
        return state
    }

    private func best(_ state: SwarmState) -> SwarmConnection? {
        state.best(of: self.remote, local: self.local, allowsLimited: true)
    }

    @Test("a connection of which the peer says go-away, and stays, gets no new streams: the next best does, or a dial")
    func goAway() async throws {
        let sieges = [try await self.siege(), try await self.siege()]
        let state = try self.state(sieges)
        for left in [1, 0] {
            let before = try #require(self.best(state))
            let said = try #require(sieges.firstIndex { $0.connection === before.muxed })
            // Says it is going, and answers on: the connection lives for as long as there is a stream.
            try await sieges[said].attack { peer in
                peer.say(peer.frame(.windowUpdate, .syn, 1))
                peer.say(peer.frame(.goAway, [], 0))
                peer.say(peer.frame(.ping, .syn, 0, 5))
            }
            try await sieges[said].heard { $0.kind == .ping && $0.flags.contains(.ack) && $0.length == 5 }
            #expect(self.best(state)?.muxed !== before.muxed)
            #expect(state.candidates(of: self.remote).count == left)
        }
        #expect(self.best(state) == nil)
        for siege in sieges {
            siege.connection.close()
            _ = try await siege.connection.closeFuture.get()
        }
    }

    @Test("a connection that we close is out of the question at once")
    func closing() async throws {
        let siege = try await self.siege()
        let state = try self.state([siege])
        #expect(self.best(state)?.muxed === siege.connection)
        siege.connection.close()
        #expect(self.best(state) == nil)
        _ = try await siege.connection.closeFuture.get()
    }

    @Test("a connection that was asked for a sign of life gets no new streams before it gives one, if there is another")
    func silent() async throws {
        let sieges = [try await self.siege(), try await self.siege()]
        var state = try self.state(sieges)
        let used = try #require(state.connections[self.remote]?.first)
        try state.ledger.bind(used.slot, to: self.remote)
        for _ in 1...3 { _ = try state.ledger.reserveStream(on: used.slot, direction: .outbound) }
        #expect(self.best(state) === used)
        used.muxed.probe()
        #expect(self.best(state)?.muxed === sieges[1].connection)
        try await sieges[0].attack { $0.say($0.frame(.ping, .syn, 0, 5)) }
        try await sieges[0].heard { $0.kind == .ping && $0.flags.contains(.ack) && $0.length == 5 }
        #expect(self.best(state) === used)
        for siege in sieges {
            siege.connection.close()
            _ = try await siege.connection.closeFuture.get()
        }
    }

    @Test(
        "a peer that connects once more is asked on its older connections whether it is there, and new streams wait for none"
    )
    func returned() async throws {
        let identity = PrivateKey.generate()
        let (connections, connected) = AsyncStream.makeStream(of: SwarmConnection.self)
        func swarm(_ identity: PrivateKey, connected: @escaping @Sendable (SwarmConnection) -> Void) async throws
            -> Swarm
        {
            let swarm = Swarm(
                configuration: SwarmConfiguration(identity: identity, security: ["/noise"]),
                transports: [TCPTransport()], group: MultiThreadedEventLoopGroup.singleton,
                logger: Logger(label: "test"),
                callbacks: SwarmCallbacks(
                    connected: connected, disconnected: { _, _, _ in },
                    inboundStream: { stream, _, _ in stream.reset() }))
            try await swarm.start(listeningOn: [Multiaddr(text: "/ip4/127.0.0.1/tcp/0")])
            return swarm
        }
        let server = try await swarm(.generate()) { connected.yield($0) }
        let client = try await swarm(identity) { _ in }
        // The older one, of which nothing is heard any more.
        let siege = try await Siege(by: identity) { $0.yamux.keepAliveTimeout = .seconds(3600) }
        let older = try server.state.withLock { state in
            let slot = try state.ledger.reserveOutbound(to: nil)
            let older = SwarmConnection(
                id: state.takeNumber(), muxed: siege.connection, direction: .inbound, opened: .now(),
                usesListeningPort: false, slot: slot)
            state.connections[identity.peerID] = [older]
            try state.ledger.bind(slot, to: identity.peerID)
            for _ in 1...3 { _ = try state.ledger.reserveStream(on: slot, direction: .outbound) }
            return older
        }
        #expect(server.bestConnection(with: identity.peerID) === older)
        _ = try await client.connect(
            to: server.localPeer, addresses: server.listeningAddresses, timeout: .seconds(50))
        let newer = try #require(await connections.first { _ in true })
        #expect(older.muxed.isInDoubt && !newer.muxed.isInDoubt)
        #expect(server.bestConnection(with: identity.peerID) === newer)
        await client.close()
        await server.close()
    }

    @Test("the place of a connection is free when its socket is, which TLS keeps for the peer's goodbye")
    func placeOfTheSocket() async throws {
        let swarm = Swarm(
            configuration: SwarmConfiguration(identity: .generate(), security: []), transports: [],
            group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"),
            callbacks: SwarmCallbacks(
                connected: { _ in }, disconnected: { _, _, _ in }, inboundStream: { stream, _, _ in stream.reset() }))
        let siege = try await self.siege()
        let connection = try swarm.state.withLock { state in
            let connection = SwarmConnection(
                id: state.takeNumber(), muxed: siege.connection, direction: .outbound, opened: .now(),
                usesListeningPort: false, slot: try state.ledger.reserveOutbound(to: nil))
            state.connections[connection.peer] = [connection]
            return connection
        }
        let group = MultiThreadedEventLoopGroup.singleton
        let door = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let socket = try await ClientBootstrap(group: group).connect(to: try #require(door.localAddress)).get()
        swarm.ended(connection, over: socket, .closedByPeer)
        #expect(swarm.connections.isEmpty && swarm.usage.connections == 1)
        let changes = swarm.usageChanges()
        try await socket.close()
        for await _ in changes where swarm.usage.connections == 0 { break }
        try await door.close()
        siege.connection.close()
        _ = try await siege.connection.closeFuture.get()
    }

    @Test("one that has ended by itself as well")
    func ended() async throws {
        let siege = try await self.siege()
        let state = try self.state([siege])
        try await siege.attack { $0.sayUnsealed(ByteBuffer(bytes: [0, 3, 1, 2, 3])) }
        _ = try await siege.connection.closeFuture.get()
        #expect(self.best(state) == nil)
    }
}
