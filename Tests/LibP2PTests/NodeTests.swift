import GoopTestKit
import LibP2P
import NIOCore
import Testing

/// Two or more nodes on loopback, stopped at the end.
func withNodes<Result>(
    _ count: Int = 2, configure: (inout Node.Configuration) -> Void = { _ in },
    _ body: ([Node]) async throws -> Result
) async throws -> Result {
    var nodes: [Node] = []
    for _ in 0..<count {
        var configuration = Node.Configuration(
            identity: .generate(), listen: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")], agentVersion: "test/1")
        configuration.limits.identify.pushDelay = .milliseconds(20)
        configure(&configuration)
        nodes.append(Node(configuration: configuration))
    }
    for node in nodes { try await node.start() }
    do {
        let result = try await body(nodes)
        for node in nodes { await node.stop() }
        return result
    } catch {
        for node in nodes { await node.stop() }
        throw error
    }
}

extension Node {
    /// Serves back whatever comes.
    func serveEcho(_ name: ProtocolID = "/echo/1.0.0", limits: HandlerLimits = HandlerLimits()) {
        self.setHandler(for: name, limits: limits) { stream in
            do {
                while let bytes = try await stream.read() { try await stream.write(bytes) }
                try await stream.closeWrite()
                await stream.close()
            } catch {
                stream.reset()
            }
        }
    }

    func echo(_ text: String, to peer: PeerID, timeout: Duration = .seconds(5)) async throws -> String {
        let stream = try await self.openStream(to: peer, protocols: ["/echo/1.0.0"], timeout: timeout)
        try await stream.write(text.utf8)
        try await stream.closeWrite()
        let back = try await stream.readToEnd(max: 1 << 20)
        await stream.close()
        return String(buffer: back)
    }
}

/// The first event that `select` accepts.
func first<Result>(
    of events: NodeEvents, _ select: (NodeEvent) -> Result?
) async throws -> Result {
    for await event in events { if let result = select(event) { return result } }
    throw CancellationError()
}

@Suite("Node", .timeLimit(.minutes(1)))
struct NodeTests {
    @Test("connect, echo, ping; a second connect reuses the connection")
    func basics() async throws {
        try await withNodes { nodes in
            let (client, server) = (nodes[0], nodes[1])
            server.serveEcho()
            let info = try await client.connect(to: server.peerID, addresses: server.listenAddresses())
            #expect(info.peer == server.peerID && info.direction == .outbound)
            #expect(info.security == "/noise", "docs/decisions/0013")
            #expect(try await client.echo("hello", to: server.peerID) == "hello")
            #expect(try await client.ping(server.peerID) < .seconds(5))
            #expect(try await client.connect(to: server.peerID) == info)
            #expect(client.connections() == [info])
        }
    }

    @Test("both sides identify one another at once")
    func identify() async throws {
        try await withNodes { nodes in
            let (client, server) = (nodes[0], nodes[1])
            server.serveEcho()
            let (clientEvents, serverEvents) = (client.events(), server.events())
            try await client.connect(to: server.peerID, addresses: server.listenAddresses())
            let seen = try await first(of: clientEvents) { event -> IdentifyInfo? in
                if case .identified(_, let info) = event { info } else { nil }
            }
            let back = try await first(of: serverEvents) { event -> IdentifyInfo? in
                if case .identified(_, let info) = event { info } else { nil }
            }
            #expect(seen.peer == server.peerID && back.peer == client.peerID)
            #expect(seen.agentVersion == "test/1")
            #expect(
                seen.supports("/echo/1.0.0") && seen.supports(Identify.protocolID) && seen.supports(Ping.protocolID))
            #expect(seen.listenAddresses == server.listenAddresses())
            #expect(seen.signedRecord?.peer == server.peerID)
            // A neighbour is dialled from a port of the system's choice.
            let own = try #require(client.connections().first).localAddress
            #expect(seen.observedAddress == own && own.tcpPort != client.listenAddresses().first?.tcpPort)
            #expect(back.observedAddress == server.listenAddresses().first)
        }
    }

    @Test("a new handler is pushed; the stream is then opened lazily, and a refusal drops the presumption")
    func pushAndLazy() async throws {
        try await withNodes { nodes in
            let (client, server) = (nodes[0], nodes[1])
            let events = client.events()
            try await client.connect(to: server.peerID, addresses: server.listenAddresses())
            _ = try await first(of: events) { event -> Bool? in
                if case .identified = event { true } else { nil }
            }
            server.serveEcho()
            _ = try await first(of: events) { event -> Bool? in
                if case .identified(_, let info) = event, info.supports("/echo/1.0.0") { true } else { nil }
            }
            #expect(try await client.echo("lazy", to: server.peerID) == "lazy")

            let quiet = client.events()
            server.removeHandler(for: "/echo/1.0.0")
            var options = StreamOptions()
            options.negotiation = .lazy
            let stream = try await client.openStream(to: server.peerID, protocols: ["/echo/1.0.0"], options: options)
            try await stream.write("x".utf8)
            let error = await #expect(throws: P2PError.self) { try await stream.read() }
            #expect(error?.code == .protocolNotSupported)
            _ = try await first(of: quiet) { event -> Bool? in
                if case .identified(_, let info) = event, !info.supports("/echo/1.0.0") { true } else { nil }
            }
            let eager = await #expect(throws: P2PError.self) { try await client.echo("x", to: server.peerID) }
            #expect(eager?.code == .protocolNotSupported)
        }
    }

    @Test(
        "a peer that gave up the security it was known for is reached all the same, within one connect",
        arguments: [["/tls/1.0.0", "/noise"], ["/noise", "/tls/1.0.0"]] as [[ProtocolID]])
    func presumedSecurityRefused(change: [ProtocolID]) async throws {
        let identity = PrivateKey.generate()
        func server(_ security: ProtocolID, _ listen: [Multiaddr]) async throws -> Node {
            var configuration = Node.Configuration(identity: identity, listen: listen)
            configuration.security = [security]
            let node = Node(configuration: configuration)
            try await node.start()
            return node
        }
        try await withNodes(1) { nodes in
            let first = try await server(change[0], [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")])
            let addresses = first.listenAddresses()
            #expect(try await nodes[0].connect(to: first.peerID, addresses: addresses).security == change[0])
            await nodes[0].disconnect(first.peerID)
            await first.stop()
            let second = try await server(change[1], addresses)
            #expect(try await nodes[0].connect(to: second.peerID, addresses: addresses).security == change[1])
            await second.stop()
        }
    }

    @Test("of several protocols the first that the peer speaks is taken")
    func preference() async throws {
        try await withNodes { nodes in
            nodes[1].serveEcho("/b")
            nodes[1].serveEcho("/c")
            nodes[0].addAddresses(nodes[1].listenAddresses(), of: nodes[1].peerID, source: .configured)
            var options = StreamOptions()
            options.negotiation = .eager
            let stream = try await nodes[0].openStream(
                to: nodes[1].peerID, protocols: ["/a", "/b", "/c"], options: options)
            #expect(stream.protocol == "/b")
            await stream.close()
        }
    }

    @Test("hundred callers share one dial")
    func sharedDial() async throws {
        try await withNodes { nodes in
            let addresses = nodes[1].listenAddresses()
            let ids = try await withThrowingTaskGroup(of: UInt64.self) { group in
                for _ in 0..<100 {
                    group.addTask { try await nodes[0].connect(to: nodes[1].peerID, addresses: addresses).id }
                }
                return try await group.reduce(into: Set<UInt64>()) { $0.insert($1) }
            }
            #expect(ids.count == 1)
            // The responder knows of the connection for certain once it has answered on it.
            _ = try await nodes[0].ping(nodes[1].peerID)
            #expect(nodes[1].connections(with: nodes[0].peerID).count == 1)
        }
    }

    @Test("a dial that fails names every address and what came back")
    func failedDial() async throws {
        try await withNodes(1) { nodes in
            let peer = PrivateKey.generate().peerID
            let none = await #expect(throws: P2PError.self) { try await nodes[0].connect(to: peer) }
            #expect(none?.code == .noAddresses)
            let dead = [
                try Multiaddr(text: "/ip4/127.0.0.1/tcp/1"), try Multiaddr(text: "/ip4/127.0.0.1/udp/1/quic-v1"),
            ]
            let error = await #expect(throws: P2PError.self) { try await nodes[0].connect(to: peer, addresses: dead) }
            #expect(error?.code == .unreachable && error?.peer == peer)
            #expect(Set(error?.attempts.map(\.error) ?? []) == [.refused, .noTransport])
            let own = await #expect(throws: P2PError.self) { try await nodes[0].connect(to: nodes[0].peerID) }
            #expect(own?.code == .selfDial)
        }
    }

    @Test("somebody else at the address: refused, and named")
    func wrongPeer() async throws {
        try await withNodes(3) { nodes in
            let error = await #expect(throws: P2PError.self) {
                try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[2].listenAddresses())
            }
            #expect(error?.attempts.first?.error == .wrongPeer(nodes[2].peerID))
        }
    }

    @Test("a failed address is not tried again at once, unless it is given anew")
    func backoff() async throws {
        try await withNodes(2) { nodes in
            let peer = nodes[1].peerID
            let dead = try Multiaddr(text: "/ip4/127.0.0.1/tcp/1")
            nodes[0].addAddresses([dead], of: peer, source: .identify)
            _ = await #expect(throws: P2PError.self) { try await nodes[0].connect(to: peer) }
            let second = await #expect(throws: P2PError.self) { try await nodes[0].connect(to: peer) }
            guard case .backedOff = second?.attempts.first?.error else {
                Issue.record("tried again: \(String(describing: second))")
                return
            }
            try await nodes[0].connect(to: peer, addresses: nodes[1].listenAddresses())
        }
    }

    @Test("disconnect ends all connections and tells both sides")
    func disconnect() async throws {
        try await withNodes { nodes in
            let events = nodes[1].events()
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            await nodes[0].disconnect(nodes[1].peerID)
            #expect(nodes[0].connections().isEmpty)
            let isLast = try await first(of: events) { event -> Bool? in
                if case .disconnected(_, let isLast, _) = event { isLast } else { nil }
            }
            #expect(isLast)
            try await nodes[0].connect(to: nodes[1].peerID)
        }
    }

    @Test("a refused peer is answered no more, neither on streams that are open nor while it does not take an answer")
    func refuse() async throws {
        try await withNodes { nodes in
            let (visitor, host) = (nodes[0], nodes[1])
            let (closings, closing) = AsyncStream.makeStream(of: Void.self)
            host.serveEcho()
            host.setHandler(for: "/large") { stream in
                // More than a window, and little enough that nobody waits.
                for _ in 0..<7 { try? await stream.write(ByteBuffer(repeating: 0, count: 64 * 1024)) }
                await stream.close()
                closing.yield()
            }
            try await visitor.connect(to: host.peerID, addresses: host.listenAddresses())
            var options = StreamOptions()
            options.negotiation = .eager
            let echo = try await visitor.openStream(
                to: host.peerID, protocols: ["/echo/1.0.0"], options: options)
            let large = try await visitor.openStream(to: host.peerID, protocols: ["/large"], options: options)
            for await _ in closings { break }
            let refusing = Task { await host.refuse([visitor.peerID]) }
            while host.isConnected(to: visitor.peerID) { await Task.yield() }
            try? await echo.write("x".utf8)
            await #expect(throws: P2PError.self) { try await echo.readExactly(1) }
            await refusing.value
            large.reset()
            let error = await #expect(throws: P2PError.self) { try await host.connect(to: visitor.peerID) }
            #expect(error?.code == .refusedPeer)
        }
    }

    @Test("stop ends everything: streams, events, listeners")
    func stop() async throws {
        try await withNodes { nodes in
            nodes[1].serveEcho()
            let events = nodes[1].events()
            let stream = try await { () async throws -> P2PStream in
                try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
                return try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/echo/1.0.0"])
            }()
            try await stream.write("x".utf8)
            #expect(try await stream.readExactly(1) == ByteBuffer(string: "x"))
            await nodes[1].stop()
            await #expect(throws: P2PError.self) {
                while try await stream.read() != nil {}; throw P2PError(.endOfStream, "")
            }
            for await _ in events {}
            let error = await #expect(throws: P2PError.self) { try await nodes[1].start() }
            #expect(error?.code == .notRunning)
        }
    }

    @Test("what the caller got wrong has a code of its own: a second start, a stream to nobody without a dial")
    func callersMistakes() async throws {
        try await withNodes { nodes in
            let again = await #expect(throws: P2PError.self) { try await nodes[0].start() }
            #expect(again?.code == .alreadyStarted)
            nodes[0].addAddresses(nodes[1].listenAddresses(), of: nodes[1].peerID, source: .configured)
            let options = StreamOptions(dialsIfNeeded: false)
            let away = await #expect(throws: P2PError.self) {
                _ = try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/x"], options: options)
            }
            #expect(away?.code == .notConnected && away?.peer == nodes[1].peerID)
        }
    }

    @Test("a shutdown hook that ignores its cancellation does not keep the node from stopping")
    func stubbornHook() async throws {
        try await withNodes(1) { nodes in
            let (ends, end) = AsyncStream.makeStream(of: Void.self)
            // Awaited through a task of its own, which the hook's cancellation does not reach.
            let work = Task { for await _ in ends {} }
            nodes[0].addShutdownHook { await work.value }
            await nodes[0].stop()
            end.finish()
        }
    }

    @Test("a megabyte there and back while both write, on ten streams at once")
    func volume() async throws {
        try await withNodes { nodes in
            nodes[1].serveEcho()
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let block = ByteBuffer(repeating: 7, count: 65_536)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        let stream = try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/echo/1.0.0"])
                        async let written: Void = {
                            for _ in 0..<16 { try await stream.write(block) }
                            try await stream.closeWrite()
                        }()
                        var count = 0
                        while let bytes = try await stream.read() { count += bytes.readableBytes }
                        try await written
                        await stream.close()
                        return count
                    }
                }
                for try await count in group { #expect(count == 1 << 20) }
            }
        }
    }

    @Test("a reader and a writer that begin at once on a lazy stream: the proposal comes before the data")
    func lazyReaderAndWriter() async throws {
        try await withNodes { nodes in
            nodes[1].serveEcho()
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            var options = StreamOptions()
            options.negotiation = .lazy
            for _ in 0..<200 {
                let stream = try await nodes[0].openStream(
                    to: nodes[1].peerID, protocols: ["/echo/1.0.0"], options: options)
                async let back = stream.readExactly(1)
                try await stream.write("x".utf8)
                #expect(try await back == ByteBuffer(string: "x"))
                await stream.close()
            }
        }
    }

    @Test("lines, exact counts, and their limits")
    func reading() async throws {
        try await withNodes { nodes in
            nodes[1].setHandler(for: "/lines") { stream in
                try? await stream.write("one\ntwo\nabcdefrest without end".utf8)
                try? await stream.closeWrite()
                await stream.close()
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/lines"])
            #expect(try await stream.readLine(max: 10) == ByteBuffer(string: "one"))
            #expect(try await stream.readLine(max: 3) == ByteBuffer(string: "two"))
            #expect(try await stream.readExactly(6) == ByteBuffer(string: "abcdef"))
            let tooLong = await #expect(throws: P2PError.self) { try await stream.readLine(max: 4) }
            #expect(tooLong?.code == .tooLong)
            let short = await #expect(throws: P2PError.self) { try await stream.readExactly(1_000) }
            #expect(short?.code == .endOfStream)
            await stream.close()
        }
    }

    @Test("a read that ends in an error loses nothing: the next one finds all that had come")
    func failedReads() async throws {
        struct Full: Error {}
        try await withNodes { nodes in
            let (waits, wait) = AsyncStream.makeStream(of: Void.self)
            nodes[1].serve("/parts") { stream in
                // In two pieces, of which the reader has the first before the second comes.
                for part in ["abc", "defgh"] {
                    try await stream.write(part.utf8)
                    _ = try await stream.readExactly(1)
                }
                for await _ in waits {}
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/parts"])
            // The first piece is here, and asked for again with the second behind it.
            let late = await #expect(throws: P2PError.self) {
                try await stream.readExactly(4, timeout: .milliseconds(100))
            }
            try await stream.write("x".utf8)
            let longLine = await #expect(throws: P2PError.self) { try await stream.readLine(max: 4) }
            let long = await #expect(throws: P2PError.self) { try await stream.readToEnd(max: 4) }
            await #expect(throws: Full.self) {
                try await stream.readToEnd(max: 100) { if $0 > 4 { throw Full() } }
            }
            await #expect(throws: Full.self) { try await stream.readLine(max: 100) { if $0 > 4 { throw Full() } } }
            try await stream.write("x".utf8)
            wait.finish()
            let halfLine = await #expect(throws: P2PError.self) { try await stream.readLine(max: 100) }
            let short = await #expect(throws: P2PError.self) { try await stream.readExactly(100) }
            let codes = [late, longLine, long, halfLine, short].map { $0?.code }
            #expect(codes == [.timedOut, .tooLong, .tooLong, .endOfStream, .endOfStream])
            #expect(try await stream.readToEnd(max: 100) == ByteBuffer(string: "abcdefgh"))
            await stream.close()
        }
    }

    @Test("a reader that is cancelled in the middle of a line loses nothing of it")
    func cancelledReader() async throws {
        try await withNodes { nodes in
            nodes[1].setHandler(for: "/halves") { stream in
                try? await stream.write("hel".utf8)
                _ = try? await stream.readExactly(1)
                try? await stream.write("lo\n".utf8)
                await stream.close()
            }
            try await nodes[0].connect(to: nodes[1].peerID, addresses: nodes[1].listenAddresses())
            let stream = try await nodes[0].openStream(to: nodes[1].peerID, protocols: ["/halves"])
            #expect(try await stream.readExactly(1) == ByteBuffer(string: "h"))
            let reader = Task { try await stream.readLine(max: 10) }
            reader.cancel()
            await #expect(throws: CancellationError.self) { try await reader.value }
            try await stream.write("x".utf8)
            #expect(try await stream.readLine(max: 10) == ByteBuffer(string: "ello"))
            await stream.close()
        }
    }
}
