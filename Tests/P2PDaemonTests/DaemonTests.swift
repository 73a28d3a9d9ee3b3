import Glibc
import GoopTestKit
import LibP2P
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import P2PDaemon

@Suite(.timeLimit(.minutes(1))) struct DaemonTests {
    @Test func identifies() async throws {
        try await RunningDaemon.with { daemon in
            #expect(daemon.addresses.count == 1 && daemon.addresses[0].tcpPort != 0)
            try await TestClient.with(daemon.control) { (client: inout TestClient) async throws in
                let answer = try await client.ask(0)
                #expect(answer.isOK)
                var identity = ProtobufWriter()
                identity.append(1, bytes: daemon.peer.bytes)
                for address in daemon.addresses { identity.append(2, bytes: address.bytes) }
                #expect(answer.fields[4] == [identity.bytes[...]])
            }
        }
    }

    @Test func aBadRequestLeavesTheConnectionUsable() async throws {
        try await RunningDaemon.with { daemon in
            try await TestClient.with(daemon.control) { (client: inout TestClient) async throws in
                #expect(try await client.ask(99).error == "unknown request type 99")
                #expect(try await client.ask(1).error == "malformed request; missing parameter connect")
                #expect(try await client.ask(4, 5).error == "there is no DHT in this daemon")
                #expect(try await client.ask(8, 8) { $0.append(1, varint: 0) }.error?.contains("-pubsub") == true)
                #expect(try await client.ask(0).isOK)
            }
        }
    }

    /// More answers than the sockets hold: the daemon waits for the client, and goes on.
    @Test func aClientThatReadsLateGetsEveryAnswer() async throws {
        let count = 20_000
        try await RunningDaemon.with { daemon in
            try await TestClient.with(daemon.control) { (client: inout TestClient) async throws in
                try await client.send([UInt8](repeating: 0, count: count))
                client.closeWrite()
                var answers = 0
                while try await client.receive() != nil { answers += 1 }
                #expect(answers == count)
            }
        }
    }

    @Test func aFrameBeyondTheLimitEndsTheConnection() async throws {
        try await RunningDaemon.with { daemon in
            try await TestClient.with(daemon.control) { (client: inout TestClient) async throws in
                try await client.send(Varint.encode(UInt64(FrameDecoder.maximumLength) + 1))
                #expect(try await client.receive() == nil)
            }
            try await TestClient.with(daemon.control) { (client: inout TestClient) async throws in
                #expect(try await client.ask(0).isOK)
            }
        }
    }

    /// The larger one is more than all buffers on the way hold: the handler's last bytes, written before it closed, are
    /// still under way when it is gone.
    @Test(arguments: [300_000, 8_000_000]) func carriesStreamsBothWays(size: Int) async throws {
        let payload = [UInt8](repeating: 0xa5, count: size)
        try await RunningDaemon.with { one in
            try await RunningDaemon.with { two in
                try await EchoListener.with { listener in
                    try await TestClient.with(two.control) { (handler: inout TestClient) async throws in
                        #expect(try await handler.registers("/echo/1", at: listener).isOK)
                        try await TestClient.with(one.control) { (client: inout TestClient) async throws in
                            #expect(try await client.connects(to: two).isOK)
                            // Bytes behind the request, before the answer, belong to the stream.
                            let answer = try await client.opens("/echo/1", with: two.peer, first: [1, 2, 3])
                            #expect(answer.isOK)
                            var info = ProtobufReader(answer.fields[3]?.first ?? [])
                            #expect(try info.next()?.bytes == two.peer.bytes[...])
                            #expect(try info.next()?.bytes == two.addresses[0].bytes[...])
                            #expect(try info.next()?.string == "/echo/1")
                            try await client.send(payload)
                            client.closeWrite()
                            let echoed = try await client.receiveToEnd()
                            #expect(echoed.count == payload.count + 3)
                            #expect(echoed.elementsEqual([1, 2, 3] + payload))
                        }
                    }
                    // The registration went with its connection, which the daemon may still be taking down.
                    try await TestClient.with(one.control) { (client: inout TestClient) async throws in
                        var isRefused = false
                        for _ in 0..<100 where !isRefused {
                            isRefused = try await !client.opensAndCloses("/echo/1", with: two.peer, one.control)
                        }
                        #expect(isRefused)
                        #expect(try await client.ask(5).fields[6]?.count == 1)
                        #expect(try await client.ask(7, 7) { $0.append(1, bytes: two.peer.bytes) }.isOK)
                        #expect(try await client.ask(5).fields[6] == nil)
                    }
                }
            }
        }
    }

    /// Whoever comes behind a crowd is on a loop of its own, and its streams are not on the clients' one.
    @Test(arguments: [300_000, 8_000_000]) func carriesStreamsOfAPeerThatCameWithACrowd(size: Int) async throws {
        let payload = [UInt8](repeating: 0xa5, count: size)
        try await RunningDaemon.with { one in
            try await RunningDaemon.with { two in
                let port = Int(try #require(two.addresses[0].tcpPort))
                var strangers: [any Channel] = []
                for _ in 0..<60 {
                    strangers.append(
                        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                            .connect(host: "127.0.0.1", port: port).get())
                }
                try await EchoListener.with { listener in
                    try await TestClient.with(one.control) { (handler: inout TestClient) async throws in
                        #expect(try await handler.registers("/echo/1", at: listener).isOK)
                        #expect(try await handler.connects(to: two).isOK)
                        try await TestClient.with(two.control) { (client: inout TestClient) async throws in
                            // The one who was let in may know of it first.
                            while try await client.ask(5).fields[6] == nil {}
                            let answer = try await client.opens("/echo/1", with: one.peer, first: [1, 2, 3])
                            #expect(answer.isOK)
                            try await client.send(payload)
                            client.closeWrite()
                            let echoed = try await client.receiveToEnd()
                            #expect(echoed.count == payload.count + 3)
                            let isAsSent = echoed.elementsEqual([1, 2, 3] + payload)
                            #expect(isAsSent)
                        }
                        // Of one that is refused there the client hears too.
                        try await TestClient.with(two.control) { (client: inout TestClient) async throws in
                            #expect(try await !client.opens("/nobody/1", with: one.peer, first: []).isOK)
                            #expect(try await client.ask(0).isOK)
                        }
                    }
                }
                for stranger in strangers { try? await stranger.close() }
            }
        }
    }

    @Test func aClientThatIsNotThereCostsOnlyTheStream() async throws {
        try await RunningDaemon.with { one in
            try await RunningDaemon.with { two in
                try await TestClient.with(two.control) { (handler: inout TestClient) async throws in
                    let nobody = ControlAddress.unix(path: RunningDaemon.socketPath())
                    #expect(try await handler.registers("/echo/1", at: nobody).isOK)
                    try await TestClient.with(one.control) { (client: inout TestClient) async throws in
                        #expect(try await client.connects(to: two).isOK)
                        // The peer resets the stream as soon as it finds nobody there. If the reset overtakes the agreement
                        // on a protocol, opening fails; else it ends the connection that carried the stream.
                        if try await client.opens("/echo/1", with: two.peer, first: []).isOK {
                            #expect(try await client.endOfStream())
                        }
                    }
                    #expect(try await handler.ask(0).isOK)
                }
            }
        }
    }

    @Test func carriesTopics() async throws {
        try await RunningDaemon.with(arguments: ["-pubsub"]) { one in
            try await RunningDaemon.with(arguments: ["-pubsub"]) { two in
                try await TestClient.with(one.control) { (listener: inout TestClient) async throws in
                    #expect(try await listener.subscribes("topic").isOK)
                    try await TestClient.with(two.control) { (client: inout TestClient) async throws in
                        #expect(try await client.connects(to: one).isOK)
                        // Identify and the stream of GossipSub come behind the connection, each in its own time.
                        while try await client.topicPeers("topic") != [one.peer.bytes[...]] {}
                        let published = try await client.ask(8, 8) {
                            $0.append(1, varint: 2)
                            $0.append(2, string: "topic")
                            $0.append(3, bytes: [7, 8, 9])
                        }
                        #expect(published.isOK)
                    }
                    let message = try #require(try await listener.receive())
                    var reader = ProtobufReader(message)
                    #expect(try reader.next()?.bytes == two.peer.bytes[...])
                    #expect(try reader.next()?.bytes == [7, 8, 9])
                    #expect(try reader.next()?.bytes?.count == 8)
                    #expect(try reader.next()?.string == "topic")
                    #expect(try reader.next()?.bytes?.count == 64)
                }
            }
        }
    }

    @Test func anUnreachablePeerIsAnErrorWithItsAddress() async throws {
        try await RunningDaemon.with { daemon in
            try await TestClient.with(daemon.control) { (client: inout TestClient) async throws in
                let nobody = try Multiaddr(text: "/ip4/127.0.0.1/tcp/1")
                let answer = try await client.ask(1, 2) {
                    $0.append(1, bytes: PrivateKey.generate().peerID.bytes)
                    $0.append(2, bytes: nobody.bytes)
                    $0.append(3, varint: 5)
                }
                #expect(!answer.isOK)
                #expect(answer.error?.contains(nobody.description) == true)
            }
        }
    }

    @Test func clientsAreBounded() async throws {
        let path = RunningDaemon.socketPath()
        defer { unlink(path) }
        let server = ControlServer(
            node: Node(configuration: .init(identity: .generate())), pubSub: nil,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }), maximumConnections: 2)
        let address = ControlAddress.unix(path: path)
        let listener = try await server.listen(on: address, loop: MultiThreadedEventLoopGroup.singleton.any())
        try await TestClient.with(address) { (first: inout TestClient) async throws in
            #expect(try await first.ask(5).isOK)
            try await TestClient.with(address) { (second: inout TestClient) async throws in
                #expect(try await second.ask(5).isOK)
                try await TestClient.with(address) { (third: inout TestClient) async throws in
                    #expect(try await third.endOfStream())
                }
            }
        }
        try await listener.close().get()
    }

    @Test func streamsThatAreHandedOverAreBounded() async throws {
        let path = RunningDaemon.socketPath()
        defer { unlink(path) }
        let listen = [try Multiaddr(text: "/ip4/127.0.0.1/tcp/0")]
        let node = Node(configuration: .init(identity: .generate(), listen: listen))
        let peer = Node(configuration: .init(identity: .generate()))
        try await node.start()
        try await peer.start()
        let server = ControlServer(
            node: node, pubSub: nil, logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            maximumStreams: 1)
        let address = ControlAddress.unix(path: path)
        let door = try await server.listen(on: address, loop: MultiThreadedEventLoopGroup.singleton.any())
        @Sendable func open(_ name: ProtocolID) async throws -> P2PStream {
            try await peer.openStream(
                to: node.peerID, protocols: [name], options: StreamOptions(negotiation: .eager))
        }
        try await EchoListener.with { listener in
            try await TestClient.with(address) { (handler: inout TestClient) async throws in
                for name in ["/echo/1", "/echo/2"] { #expect(try await handler.registers(name, at: listener).isOK) }
                try await peer.connect(to: node.peerID, addresses: node.listenAddresses())
                let first = try await open("/echo/1")
                let refused = await #expect(throws: P2PError.self) { _ = try await open("/echo/2").read() }
                #expect(refused?.code == .streamReset)
                try await first.write([1, 2, 3])
                try await first.closeWrite()
                #expect(try await first.readToEnd(max: 10).readableBytes == 3)
                // The place is free once the server has done with the client's socket too.
                var next: P2PStream?
                for _ in 0..<400 where next == nil {
                    guard let stream = try? await open("/echo/2") else { continue }
                    try? await stream.closeWrite()
                    if (try? await stream.readToEnd(max: 10)) != nil { next = stream }
                }
                #expect(next != nil)
            }
        }
        try await door.close().get()
        await peer.stop()
        await node.stop()
    }

    @Test func theControlSocketIsTakenOnceAndRemoved() async throws {
        let path = try await RunningDaemon.with { daemon in
            guard case .unix(let path) = daemon.control else { return "" }
            let options = try DaemonOptions(
                arguments: ["-listen", "/unix\(path)", "-hostAddrs", "/ip4/127.0.0.1/tcp/0"])
            let second = Daemon(
                options: options, identity: .generate(), logger: .init(label: "test"), say: { _ in })
            await #expect(throws: DaemonStartError.controlSocketInUse(path: path)) { try await second.run() }
            try await TestClient.with(daemon.control) { (client: inout TestClient) async throws in
                #expect(try await client.ask(0).isOK)
            }
            return path
        }
        await #expect(throws: (any Error).self) {
            try await TestClient.with(.unix(path: path)) { _ in }
        }
    }

    @Test func aFileInThePlaceOfTheControlSocketIsLeftAlone() async throws {
        let path = RunningDaemon.socketPath()
        close(open(path, O_WRONLY | O_CREAT, 0o600))
        defer { unlink(path) }
        let options = try DaemonOptions(
            arguments: ["-listen", "/unix\(path)", "-hostAddrs", "/ip4/127.0.0.1/tcp/0"])
        let daemon = Daemon(
            options: options, identity: .generate(), logger: .init(label: "test"), say: { _ in })
        await #expect(throws: DaemonStartError.self) { try await daemon.run() }
        #expect(access(path, F_OK) == 0)
    }

    @Test func handlersTakeTurnsOnlyIfAllAreBalanced() {
        let registry = StreamHandlerRegistry()
        let first = ControlAddress.unix(path: "/a")
        let second = ControlAddress.unix(path: "/b")
        #expect(registry.add(["/p"], at: first, isBalanced: true, owner: 1) == ["/p"])
        #expect(registry.add(["/p"], at: second, isBalanced: true, owner: 2) == [])
        let turns = (0..<4).map { _ in registry.next(for: "/p") }
        #expect(turns == [first, second, first, second])
        #expect(registry.add(["/p", "/q"], at: first, isBalanced: false, owner: 3) == ["/q"])
        #expect(registry.next(for: "/p") == first)
        #expect(registry.removeAll(of: 3) == ["/q"])
        #expect(registry.removeAll(of: 1) == [])
        #expect(registry.next(for: "/p") == second)
        #expect(registry.removeAll(of: 2) == ["/p"])
        #expect(registry.next(for: "/p") == nil)
        let many = (0..<StreamHandlerRegistry.maximumRegistrations).map { ProtocolID("/\($0)") }
        #expect(registry.add(many, at: first, isBalanced: false, owner: 4)?.count == many.count)
        #expect(registry.add(["/p"], at: first, isBalanced: false, owner: 5) == nil)
    }
}

extension TestClient {
    mutating func registers(_ name: String, at address: ControlAddress) async throws -> Answer {
        let bytes = try Multiaddr(text: address.description).bytes
        return try await ask(3, 4) {
            $0.append(1, bytes: bytes)
            $0.append(2, string: name)
        }
    }

    mutating func connects(to daemon: RunningDaemon) async throws -> Answer {
        try await ask(1, 2) {
            $0.append(1, bytes: daemon.peer.bytes)
            for address in daemon.addresses { $0.append(2, bytes: address.bytes) }
        }
    }

    mutating func opens(_ name: String, with peer: PeerID, first: [UInt8]) async throws -> Answer {
        var open = ProtobufWriter()
        open.append(1, bytes: peer.bytes)
        open.append(2, string: name)
        var request = ProtobufWriter()
        request.append(1, varint: 2)
        request.append(3, message: open)
        try await send(FrameDecoder.frame(request.bytes) + first)
        return try Answer(try await receive() ?? [])
    }

    mutating func subscribes(_ topic: String) async throws -> Answer {
        try await ask(8, 8) {
            $0.append(1, varint: 3)
            $0.append(2, string: topic)
        }
    }

    mutating func topicPeers(_ topic: String) async throws -> [ArraySlice<UInt8>] {
        let answer = try await ask(8, 8) {
            $0.append(1, varint: 1)
            $0.append(2, string: topic)
        }
        var peers: [ArraySlice<UInt8>] = []
        var reader = ProtobufReader(answer.fields[7]?.first ?? [])
        while let field = try reader.next() { if let peer = field.bytes { peers.append(peer) } }
        return peers
    }

    /// Whether a stream could be opened on a connection of its own.
    func opensAndCloses(_ name: String, with peer: PeerID, _ control: ControlAddress) async throws -> Bool {
        try await TestClient.with(control) { client in try await client.opens(name, with: peer, first: []).isOK }
    }

    /// Whether the daemon ends the connection, in order or not.
    mutating func endOfStream() async throws -> Bool {
        do { return try await receiveToEnd().isEmpty } catch is IOError { return true }
    }
}
