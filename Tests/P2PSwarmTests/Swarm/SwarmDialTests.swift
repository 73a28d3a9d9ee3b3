import Logging
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import PeerIdentity
import Synchronization
import Testing

@testable import P2PSwarm

@Suite("Swarm: permits of dials", .timeLimit(.minutes(1))) struct SwarmDialTests {
    private let transport = StubTransport()
    private let peers = (0..<3).map { _ in PrivateKey.generate().peerID }

    private func address(_ text: String) throws -> Multiaddr { try Multiaddr(text: text) }

    private func swarm(
        group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        limits configure: (inout ResourceLimits) -> Void = { _ in },
        connected: @escaping @Sendable (SwarmConnection) -> Void = { _ in }
    ) async throws -> Swarm {
        var configuration = SwarmConfiguration(identity: .generate(), security: ["/noise"])
        configure(&configuration.limits)
        let swarm = Swarm(
            configuration: configuration, transports: [self.transport], group: group, logger: Logger(label: "test"),
            callbacks: SwarmCallbacks(
                connected: connected, disconnected: { _, _, _ in }, inboundStream: { stream, _, _ in stream.reset() }))
        try await swarm.start(listeningOn: [])
        return swarm
    }

    /// Enters a waiter that nobody waits for.
    private func join(_ swarm: Swarm, _ peer: PeerID, _ addresses: [String]) throws -> UInt64 {
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: SwarmConnection.self)
        return try swarm.join(peer, addresses: addresses.map(self.address), promise: promise)
    }

    @Test("an identity that cannot be checked is told in words, with what is accepted instead, and uncut")
    func refusedIdentity() throws {
        let error = ConnectionError.upgrade(.noise(.identityKey(.unsupported(.secp256k1))))
        let attempt = DialAttempt(
            address: try self.address("/ip4/192.0.2.1/tcp/4001"), error: DialFailureReason(upgrade: error),
            elapsed: .milliseconds(500))
        #expect(
            "\(attempt)" == """
                /ip4/192.0.2.1/tcp/4001: upgrade failed: the Noise handshake failed: the identity key cannot be used: \
                secp256k1 keys cannot be used, the crypto library lacks them; \
                accepted are Ed25519, ECDSA on P-256, and RSA of 2048 to 8192 bits after 500 ms
                """)
    }

    @Test("a dial without a permit waits for one, and sets no timer after the other")
    func starvedDialRests() async throws {
        let group = CountingGroup()
        let swarm = try await self.swarm(group: group) {
            $0.concurrentDials = 1
            $0.localDialTimeout = .milliseconds(100)
        }
        @Sendable func attempts(_ peer: PeerID, _ address: String) async throws -> [DialFailureReason] {
            let error = await #expect(throws: DialError.self) {
                try await swarm.connect(
                    to: peer, addresses: [Multiaddr(text: address)], timeout: .seconds(50))
            }
            return error?.attempts.map(\.error) ?? []
        }
        async let first = attempts(self.peers[0], "/ip4/10.0.0.1/tcp/1")
        async let second = attempts(self.peers[1], "/ip4/10.0.0.2/tcp/1")
        // Each had the permit for its time, the second when the first gave it back.
        #expect(try await [first, second] == [[.timedOut], [.timedOut]])
        #expect(group.timesAsked < 40)
        #expect(
            swarm.state.withLock {
                $0.dialer.attemptsUnderWay == 0 && $0.dialer.starved.isEmpty && $0.dialer.peers.isEmpty
            })
        #expect(swarm.state.withLock { $0.waiters.isEmpty && $0.attempts.isEmpty && $0.timers.isEmpty })
        self.transport.refuse()
        await swarm.close()
    }

    @Test("whoever gives a dial up gives its permits to the dials that wait, and its attempts are no longer wanted")
    func leavingFreesPermits() async throws {
        let swarm = try await self.swarm { $0.concurrentDials = 1 }
        let waiter = try self.join(swarm, self.peers[0], ["/ip4/10.0.0.1/tcp/1"])
        _ = try self.join(swarm, self.peers[1], ["/ip4/10.0.0.2/tcp/1"])
        let requests = self.transport.requests
        #expect(try requests.map(\.address) == [self.address("/ip4/10.0.0.1/tcp/1")])
        #expect(requests.first?.isWanted() == true && requests.first?.peer == self.peers[0])
        #expect(swarm.state.withLock { $0.dialer.starved } == [self.peers[1]])
        swarm.leave(self.peers[0], waiter: waiter) { _ in CancellationError() }
        #expect(requests.first?.isWanted() == false)
        #expect(self.transport.requests.last?.peer == self.peers[1])
        #expect(swarm.state.withLock { $0.dialer.attemptsUnderWay == 1 && $0.dialer.starved.isEmpty })
        await swarm.close()
        #expect(swarm.state.withLock { $0.dialer.attemptsUnderWay } == 0)
        self.transport.refuse()
    }

    @Test("a dial with many addresses does not go on while others wait for their first")
    func permitsGoRound() async throws {
        let swarm = try await self.swarm { $0.concurrentDials = 1 }
        var dialled = self.transport.dialled.makeAsyncIterator()
        _ = try self.join(swarm, self.peers[0], (1...9).map { "/ip4/10.0.0.1/tcp/\($0)" })
        _ = try self.join(swarm, self.peers[1], ["/ip4/10.0.0.2/tcp/1"])
        _ = try self.join(swarm, self.peers[2], ["/ip4/10.0.0.3/tcp/1"])
        var first: [Multiaddr] = []
        for _ in 0..<4 {
            let next = try #require(await dialled.next())
            first.append(next)
            self.transport.refuse(next)
        }
        // The first dial has its first address before them, and another if that was due before they came.
        #expect(try first.contains(self.address("/ip4/10.0.0.2/tcp/1")))
        #expect(try first.contains(self.address("/ip4/10.0.0.3/tcp/1")))
        await swarm.close()
        self.transport.refuse()
    }

    /// The limit that refuses a waiter.
    private func refusal(_ swarm: Swarm, _ peer: PeerID, _ addresses: [String]) throws -> LimitExceeded? {
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: SwarmConnection.self)
        defer { promise.fail(CancellationError()) }
        let wanted = try addresses.map(self.address)
        let error = #expect(throws: DialError.self) { _ = try swarm.join(peer, addresses: wanted, promise: promise) }
        guard case .limit(let exceeded)? = error?.kind else { return nil }
        return exceeded
    }

    @Test("peers being dialled, and those who wait for one dial, are bounded; whoever leaves makes room")
    func waitersAreBounded() async throws {
        let swarm = try await self.swarm {
            $0.dialledPeers = 2
            $0.waitersPerDial = 2
        }
        let addresses = ["/ip4/10.0.0.1/tcp/1"]
        let first = try self.join(swarm, self.peers[0], addresses)
        _ = try self.join(swarm, self.peers[0], addresses)
        #expect(try self.refusal(swarm, self.peers[0], addresses) == LimitExceeded(.waitersPerDial, limit: 2))
        let other = try self.join(swarm, self.peers[1], addresses)
        #expect(try self.refusal(swarm, self.peers[2], addresses) == LimitExceeded(.dialledPeers, limit: 2))
        swarm.leave(self.peers[0], waiter: first) { _ in CancellationError() }
        _ = try self.join(swarm, self.peers[0], addresses)
        swarm.leave(self.peers[1], waiter: other) { _ in CancellationError() }
        _ = try self.join(swarm, self.peers[2], addresses)
        await swarm.close()
        self.transport.refuse()
    }

    @Test("of one dial so many addresses are tried as the limits say, and so many at one time")
    func addressesAreBounded() async throws {
        let swarm = try await self.swarm {
            $0.addressesPerDial = 3
            $0.concurrentDialsPerPeer = 2
        }
        let many = try (1...9).map { try self.address("/ip4/10.0.0.1/tcp/\($0)") }
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: SwarmConnection.self)
        let begun = MonotonicInstant.now()
        _ = try swarm.join(self.peers[0], addresses: many, promise: promise)
        // Another caller, who knows as many others.
        _ = try self.join(swarm, self.peers[0], (11...19).map { "/ip4/10.0.0.1/tcp/\($0)" })
        var dialled = self.transport.dialled.makeAsyncIterator()
        for _ in 1...2 { _ = try #require(await dialled.next()) }
        #expect(self.transport.requests.count == 2)
        // A third would begin within a second of the second; nothing is due before one of the two comes to its end.
        let due = try #require(swarm.state.withLock { $0.dialer.nextDeadline(of: self.peers[0]) })
        #expect(begun.duration(to: due) > .seconds(3))
        let transport = self.transport
        let refusing = Task { for await address in transport.dialled { transport.refuse(address) } }
        transport.refuse()
        let error = await #expect(throws: DialError.self) { _ = try await promise.futureResult.get() }
        #expect(Set((error?.attempts ?? []).map(\.address)) == Set(many.prefix(3)))
        refusing.cancel()
        await swarm.close()
    }

    @Test("a dial ends at its own time, also if its turn never comes")
    func timeOfADial() async throws {
        let swarm = try await self.swarm {
            $0.concurrentDials = 1
            $0.localDialTimeout = .seconds(3600)
            $0.peerDialTimeout = .milliseconds(100)
        }
        _ = try self.join(swarm, self.peers[0], ["/ip4/10.0.0.1/tcp/1"])
        let error = await #expect(throws: DialError.self) {
            try await swarm.connect(
                to: self.peers[1], addresses: [self.address("/ip4/10.0.0.2/tcp/1")], timeout: .seconds(50))
        }
        #expect(error?.kind == .allFailed, "not the caller's patience")
        self.transport.refuse()
        await swarm.close()
    }

    /// Until when the book blocks the peer's one address.
    private func blockedUntil(_ swarm: Swarm) -> MonotonicInstant {
        swarm.withAddressBook { book, now in book.items(of: self.peers[0], now: now).first?.blockedUntil ?? .zero }
    }

    private func enter(_ text: String, in swarm: Swarm) throws {
        let address = try self.address(text)
        swarm.withAddressBook { book, now in
            _ = book.add([address], of: self.peers[0], source: .identify, ttl: .seconds(600), now: now)
        }
    }

    @Test("an address that does not answer in time is backed off, like one that refuses")
    func silenceIsBackedOff() async throws {
        let swarm = try await self.swarm { $0.localDialTimeout = .milliseconds(50) }
        try self.enter("/ip4/10.0.0.1/tcp/1", in: swarm)
        var outcomes: [DialFailureReason] = []
        for _ in 0..<2 {
            let error = await #expect(throws: DialError.self) {
                try await swarm.connect(to: self.peers[0], timeout: .seconds(50))
            }
            outcomes.append(try #require(error?.attempts.first?.error))
        }
        #expect(outcomes.first == .timedOut)
        guard case .backedOff? = outcomes.last else {
            Issue.record("tried again: \(outcomes)")
            return
        }
        self.transport.refuse()
        await swarm.close()
    }

    @Test("so it is when those who dial have less patience, unless they have very little or want the peer no more")
    func impatienceIsBackedOff() async throws {
        let cases: [(time: Duration, error: any Error, isBlocked: Bool)] = [
            (.zero, DialError(.timedOut, peer: self.peers[0]), true), (.zero, CancellationError(), false),
            (.seconds(3600), DialError(.timedOut, peer: self.peers[0]), false),
        ]
        for (time, error, isBlocked) in cases {
            let swarm = try await self.swarm { $0.unansweredDialTime = time }
            try self.enter("/ip4/10.0.0.1/tcp/1", in: swarm)
            let waiter = try self.join(swarm, self.peers[0], [])
            #expect(self.blockedUntil(swarm) == .zero)
            swarm.leave(self.peers[0], waiter: waiter) { _ in error }
            #expect((self.blockedUntil(swarm) != .zero) == isBlocked, "\(error), \(time)")
            self.transport.refuse()
            await swarm.close()
        }
    }

    @Test("the figures of the limits reach the dials and connections that they bound")
    func figures() async throws {
        func configure(_ limits: inout ResourceLimits) {
            limits.connectTimeout = .seconds(11)
            limits.dialTimeout = .seconds(40)
            limits.inboundUpgradeTimeout = .seconds(20)
            limits.windowBytes = 1 << 20
            limits.streamBytes = 2 << 20
        }
        let (connections, connected) = AsyncStream.makeStream(of: SwarmConnection.self)
        let server = try await self.swarm(limits: configure, connected: { connected.yield($0) })
        try await server.start(listeningOn: [self.address("/ip4/127.0.0.1/tcp/0")])
        let client = try await self.swarm(limits: configure)
        let dialled = try await client.connect(
            to: server.localPeer, addresses: server.listeningAddresses, timeout: .seconds(50))
        let accepted = try #require(await connections.first { _ in true })
        for (swarm, connection, seconds) in [(client, dialled, 40), (server, accepted, 20)] {
            let figures = connection.muxed.configuration
            #expect(figures.upgradeTimeout == .seconds(seconds))
            #expect(figures.windowBudget === swarm.windowBudget && figures.windowBudget?.maximumBytes == 1 << 20)
            #expect(figures.streamBudget === swarm.streamBudget && figures.streamBudget?.maximumBytes == 2 << 20)
        }
        let begun = MonotonicInstant.now()
        _ = try self.join(client, self.peers[0], ["/ip4/8.8.8.8/tcp/1"])
        #expect(self.transport.requests.first?.timeout == .seconds(11))
        let due = try #require(client.state.withLock { $0.dialer.nextDeadline(of: self.peers[0]) })
        #expect((Duration.seconds(40)..<Duration.seconds(55)).contains(begun.duration(to: due)))
        self.transport.refuse()
        await client.close()
        await server.close()
    }

    @Test("an attempt whose time runs out in the moment of its success takes no permit of the others with it")
    func successAtTheDeadline() async throws {
        let server = try await self.swarm()
        try await server.start(listeningOn: [self.address("/ip4/127.0.0.1/tcp/0")])
        let held = Mutex<Swarm?>(nil)
        let client = try await self.swarm(connected: { connection in
            // Between the connection's entry into the tables and the end of its dial.
            held.withLock { $0 }?.timerFired(connection.peer, now: .now().advanced(by: .seconds(6)))
        })
        held.withLock { $0 = client }
        let silent = "/ip4/8.8.8.8/tcp/1"
        let connection = try await client.connect(
            to: server.localPeer, addresses: server.listeningAddresses + [self.address(silent)], timeout: .seconds(50))
        #expect(connection.peer == server.localPeer)
        #expect(try self.transport.requests.map(\.address) == [self.address(silent)])
        #expect(client.state.withLock { $0.dialer.attemptsUnderWay } == 0)
        #expect(client.usage.connections == 1)
        self.transport.refuse()
        held.withLock { $0 = nil }
        await client.close()
        await server.close()
    }

    /// Two swarms of which the first has been connected with the second, and what it knows of the second's security.
    private func acquaintances() async throws -> (client: Swarm, server: Swarm, security: @Sendable () -> ProtocolID?) {
        let server = try await self.swarm()
        try await server.start(listeningOn: [self.address("/ip4/127.0.0.1/tcp/0")])
        let client = try await self.swarm()
        let peer = server.localPeer
        let connection = try await client.connect(
            to: peer, addresses: server.listeningAddresses, timeout: .seconds(50))
        client.disconnect(peer)
        _ = try await connection.muxed.closeFuture.get()
        return (client, server, { client.withAddressBook { book, _ in book.security(of: peer) } })
    }

    @Test("an attempt that loses the race leaves alone what its winner has shown of the peer")
    func loser() async throws {
        let (client, server, security) = try await self.acquaintances()
        let address = try #require(server.listeningAddresses.first)
        // The same port, for lower ones are tried first.
        let port = try #require(address.tcpPort)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        let group = MultiThreadedEventLoopGroup.singleton
        let silent = try await ServerBootstrap(group: group).childChannelInitializer { channel in
            channel.closeFuture.whenComplete { _ in end.yield() }
            return channel.eventLoop.makeSucceededVoidFuture()
        }.bind(host: "127.0.0.2", port: Int(port)).get()
        #expect(security() == "/noise")
        _ = try await client.connect(
            to: server.localPeer, addresses: [Multiaddr(ip: .v4(0x7f00_0002), tcpPort: port), address],
            timeout: .seconds(50))
        // The loser's end: the swarm hears of it in the turn of the loop that closes it, and so before these tasks run.
        _ = await ends.first { _ in true }
        for loop in group.makeIterator() { try await loop.submit {}.get() }
        #expect(security() == "/noise")
        try await silent.close()
        await client.close()
        await server.close()
    }

    @Test("an address that is another peer's now says nothing of how the one that was looked for is spoken to")
    func anotherPeer() async throws {
        let (client, server, security) = try await self.acquaintances()
        await server.close()
        let other = try await self.swarm()
        try await other.start(listeningOn: [self.address("/ip4/127.0.0.1/tcp/0")])
        let error = await #expect(throws: DialError.self) {
            try await client.connect(to: server.localPeer, addresses: other.listeningAddresses, timeout: .seconds(50))
        }
        #expect(error?.attempts.map(\.error).contains(.wrongPeer(other.localPeer)) == true)
        #expect(security() == "/noise")
        await client.close()
        await other.close()
    }
}
