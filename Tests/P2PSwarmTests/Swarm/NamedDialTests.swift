import Logging
import Multiformats
import NIOCore
import NIOPosix
import P2PCore
import PeerIdentity
import Synchronization
import Testing

@testable import P2PSwarm

@Suite("Swarm: dials of names", .timeLimit(.minutes(1))) struct NamedDialTests {
    private let transport = StubTransport()
    private let peer = PrivateKey.generate().peerID

    /// A name service of the test's own; what is not in it does not exist.
    private struct Zone: Sendable {
        var hosts: [String: [String]] = [:]
        /// Records of `_dnsaddr.` in front of these names.
        var lists: [String: [String]] = [:]

        func resolver(on threads: NIOThreadPool) -> NameResolver {
            NameResolver(
                threads: threads,
                texts: { name in
                    guard let list = self.lists.first(where: { "_dnsaddr.\($0.key)." == name }),
                        let owner = try? DNSName(text: name)
                    else { return nil }
                    let records = list.value.map {
                        DNSRecord(owner, .txt([Array("dnsaddr=\($0)".utf8)[...]]), timeToLive: 60)
                    }
                    return DNSMessage(isResponse: true, answers: records).encoded(maximumLength: 9_000)
                },
                lookUp: { name, _ in (self.hosts[name] ?? []).compactMap { IPAddress($0) } })
        }
    }

    private func address(_ text: String) throws -> Multiaddr { try Multiaddr(text: text) }

    /// - Parameter refuses: whether every address that is dialled refuses at once; else nothing is heard of it.
    private func withSwarm<Result>(
        _ zone: Zone, refuses: Bool = true, limits configure: (inout ResourceLimits) -> Void = { _ in },
        _ body: (Swarm) async throws -> Result
    ) async throws -> Result {
        let transport = self.transport
        let refusing = refuses ? Task { for await address in transport.dialled { transport.refuse(address) } } : nil
        defer { refusing?.cancel() }
        let threads = NIOThreadPool(numberOfThreads: 1)
        threads.start()
        var configuration = SwarmConfiguration(identity: .generate(), security: ["/noise"])
        configure(&configuration.limits)
        configuration.names = zone.resolver(on: threads)
        let swarm = Swarm(
            configuration: configuration, transports: [self.transport], group: MultiThreadedEventLoopGroup.singleton,
            logger: Logger(label: "test"),
            callbacks: SwarmCallbacks(
                connected: { _ in }, disconnected: { _, _, _ in }, inboundStream: { stream, _, _ in stream.reset() }))
        try await swarm.start(listeningOn: [])
        let result = try await body(swarm)
        await swarm.close()
        self.transport.refuse()
        try await threads.shutdownGracefully()
        return result
    }

    /// Enters a waiter that nobody waits for.
    private func join(_ swarm: Swarm, _ addresses: [String]) throws {
        let promise = MultiThreadedEventLoopGroup.singleton.any().makePromise(of: SwarmConnection.self)
        _ = try swarm.join(self.peer, addresses: addresses.map(self.address), promise: promise)
    }

    /// What a dial comes to in which nobody answers.
    private func failures(_ swarm: Swarm, _ addresses: [String]) async throws -> [DialAttempt] {
        let wanted = try addresses.map(self.address)
        let error = await #expect(throws: DialError.self) {
            try await swarm.connect(to: self.peer, addresses: wanted, timeout: .seconds(50))
        }
        return error?.attempts ?? []
    }

    @Test("both families of a name are under way though the first does not answer")
    func race() async throws {
        let zone = Zone(hosts: ["two.example": ["10.0.0.1", "2a00::1"]])
        try await self.withSwarm(zone, refuses: false) { swarm in
            var dialled = self.transport.dialled.makeAsyncIterator()
            try self.join(swarm, ["/dns/two.example/tcp/7"])
            var begun = Set<Multiaddr>()
            for _ in 0..<2 { begun.insert(try #require(await dialled.next())) }
            #expect(try begun == [self.address("/ip4/10.0.0.1/tcp/7"), self.address("/ip6/2a00::1/tcp/7")])
            #expect(swarm.state.withLock { $0.dialer.attemptsUnderWay } == 2, "the look-up has given its permit back")
        }
    }

    @Test("a name one of whose addresses is dead is reached by the other, and is known to be good then")
    func deadAddress() async throws {
        let server = Swarm(
            configuration: SwarmConfiguration(identity: .generate(), security: ["/noise"]),
            transports: [self.transport], group: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "test"),
            callbacks: SwarmCallbacks(
                connected: { _ in }, disconnected: { _, _, _ in }, inboundStream: { stream, _, _ in stream.reset() }))
        try await server.start(listeningOn: [self.address("/ip4/127.0.0.1/tcp/0")])
        let port = try #require(server.listeningAddresses.first?.tcpPort)
        let zone = Zone(hosts: ["home.localhost": ["2a00::1", "127.0.0.1"]])
        let name = try self.address("/dns/home.localhost/tcp/\(port)")
        try await self.withSwarm(zone, refuses: false) { swarm in
            let connection = try await swarm.connect(to: server.localPeer, addresses: [name], timeout: .seconds(50))
            #expect(try connection.remoteAddress == self.address("/ip4/127.0.0.1/tcp/\(port)"))
            #expect(swarm.state.withLock { $0.dialer.attemptsUnderWay } == 0)
            let known = swarm.withAddressBook { book, now in book.items(of: server.localPeer, now: now) }
            #expect(known.first { $0.address == name }?.source == .connection)
        }
        await server.close()
    }

    @Test("a failure tells the address and its name, and the name has failed once, however many addresses it has")
    func failure() async throws {
        let zone = Zone(hosts: ["two.example": ["10.0.0.1", "10.0.0.2", "10.0.0.3"]])
        try await self.withSwarm(zone) { swarm in
            let name = try self.address("/dns4/two.example/tcp/7")
            swarm.withAddressBook { book, now in
                _ = book.add([name], of: self.peer, source: .identify, ttl: .seconds(600), leadsInside: true, now: now)
            }
            let failures = try await self.failures(swarm, [])
            #expect(
                Set(failures.map(\.place))
                    == Set((1...3).map { "/ip4/10.0.0.\($0)/tcp/7 (named by /dns4/two.example/tcp/7)" }))
            #expect(failures.allSatisfy { $0.error == .refused })
            let (blocked, now) = swarm.withAddressBook { book, now in
                (book.items(of: self.peer, now: now).first { $0.address == name }?.blockedUntil, now)
            }
            // The first wait of all; a second failure would have made it six seconds.
            let wait = now.duration(to: try #require(blocked))
            #expect(wait > .zero && wait <= .seconds(5))
        }
    }

    @Test("lists of addresses are followed, names within them too; only the wanted peer's addresses are dialled")
    func lists() async throws {
        let (peer, other) = (self.peer, PrivateKey.generate().peerID)
        let zone = Zone(
            hosts: ["one.example": ["10.0.0.1"]],
            lists: [
                "boot.example": [
                    "/dnsaddr/all.boot.example/p2p/\(peer)", "/ip4/10.0.0.2/tcp/2/p2p/\(peer)",
                    "/ip4/10.0.0.3/tcp/3/p2p/\(other)", "/ip4/10.0.0.4/udp/4/quic-v1/p2p/\(peer)",
                ],
                "all.boot.example": ["/dns4/one.example/tcp/1/p2p/\(peer)"],
            ])
        try await self.withSwarm(zone) { swarm in
            let failures = try await self.failures(swarm, ["/dnsaddr/boot.example/p2p/\(peer)"])
            let list = "/dnsaddr/boot.example"
            #expect(
                Set(failures.map { "\($0.place): \($0.error)" }) == [
                    "/ip4/10.0.0.1/tcp/1 (named by \(list), /dnsaddr/all.boot.example, /dns4/one.example/tcp/1): "
                        + "connection refused",
                    "/ip4/10.0.0.2/tcp/2 (named by \(list)): connection refused",
                    "/ip4/10.0.0.4/udp/4/quic-v1 (named by \(list)): no transport for such an address",
                ])
        }
    }

    @Test("lists that lead in circles, deeper than allowed or nowhere come to an end that says so")
    func circles() async throws {
        let (peer, other) = (self.peer, PrivateKey.generate().peerID)
        var zone = Zone(lists: ["circle.example": ["/dnsaddr/circle.example/p2p/\(peer)"]])
        for level in 1...9 { zone.lists["l\(level).example"] = ["/dnsaddr/l\(level + 1).example/p2p/\(peer)"] }
        zone.lists["foreign.example"] = ["/ip4/10.0.0.3/tcp/3/p2p/\(other)"]
        try await self.withSwarm(zone) { swarm in
            var outcomes: [String] = []
            for list in ["circle", "l1", "foreign", "missing"] {
                let failures = try await self.failures(swarm, ["/dnsaddr/\(list).example"])
                outcomes += failures.map { "\($0.address): \($0.error)" }
            }
            #expect(
                outcomes == [
                    "/dnsaddr/circle.example: the name leads to nothing new",
                    "/dnsaddr/l5.example: more than \(NamedAddress.maximumDepth) names lead to one another",
                    "/dnsaddr/foreign.example: the name has no dnsaddr record of this peer",
                    "/dnsaddr/missing.example: the name has no dnsaddr record of this peer",
                ])
        }
    }

    @Test("names and what they lead to count among the addresses of a dial")
    func bounds() async throws {
        let zone = Zone(hosts: ["many.example": (1...9).map { "10.0.0.\($0)" }])
        try await self.withSwarm(zone, limits: { $0.addressesPerDial = 4 }) { swarm in
            let failures = try await self.failures(swarm, ["/dns4/many.example/tcp/1"])
            #expect(failures.count == 3)
        }
    }

    @Test(
        "a stranger's name does not lead to our own machine, directly or through a list",
        arguments: ["127.0.0.1", "0.0.0.0", "::1"])
    func leadsHome(found: String) async throws {
        let kind = found.contains(":") ? "ip6" : "ip4"
        let zone = Zone(
            hosts: ["stranger.example": [found], "localhost": ["127.0.0.1"]],
            lists: [
                "list.example": ["/\(kind)/\(found)/tcp/9/p2p/\(self.peer)", "/dns/localhost/tcp/9/p2p/\(self.peer)"]
            ])
        try await self.withSwarm(zone) { swarm in
            for address in ["/dns/stranger.example/tcp/9", "/dnsaddr/list.example"] {
                let failures = try await self.failures(swarm, [address])
                #expect(failures.count == 1 && failures.first?.address.description == address)
                #expect(failures.first?.error.description.hasPrefix("the name leads to this machine") == true)
            }
        }
    }

    @Test("a name that a stranger on the internet told does not lead into our network; one that the caller gives does")
    func leadsInside() async throws {
        let found = ["8.8.8.8", "192.168.1.1", "169.254.169.254"]
        let zone = Zone(
            hosts: ["stranger.example": found],
            lists: ["list.example": ["/dns4/stranger.example/tcp/9/p2p/\(self.peer)"]])
        try await self.withSwarm(zone) { swarm in
            for text in ["/dns4/stranger.example/tcp/9", "/dnsaddr/list.example"] {
                let name = try self.address(text)
                swarm.withAddressBook { book, now in
                    _ = book.add(
                        [name], of: self.peer, source: .identify, ttl: .seconds(600), leadsInside: false, now: now)
                }
                let failures = try await self.failures(swarm, [])
                #expect(failures.count == 3)
                #expect(failures.filter { $0.error == .refused }.map(\.address.description) == ["/ip4/8.8.8.8/tcp/9"])
                let ofGiven = try await self.failures(swarm, [text])
                #expect(ofGiven.map(\.error) == [.refused, .refused, .refused])
                swarm.withAddressBook { book, _ in book.remove([name], of: self.peer, upTo: .connection) }
            }
        }
    }

    @Test("a name of a transport that we do not have is not even looked up")
    func noTransport() async throws {
        try await self.withSwarm(Zone(hosts: ["a.example": ["10.0.0.1"]])) { swarm in
            let failures = try await self.failures(swarm, ["/dns4/a.example/udp/1/quic-v1"])
            #expect(failures.map(\.error) == [.noTransport] && failures.first?.names == [])
        }
    }
}
