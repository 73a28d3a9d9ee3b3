import GoopCore
import GoopHTTP
import LibP2P
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import GoopNode

/// A peer among strangers that keep to no rules.
@Suite(.timeLimit(.minutes(1))) struct HostilePeerTests {
    let temporary = TemporaryFolder()

    private func stranger(listens: Bool = false) async throws -> Node {
        let listen = listens ? [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)] : []
        return Node(configuration: .init(identity: .generate(), listen: listen))
    }

    private func line(_ request: String, to peer: TestPeer, from node: Node) async throws -> String? {
        let stream = try await node.openStream(to: peer.id, protocols: [ProtocolID(SiteProtocol.siteID)])
        defer { stream.reset() }
        try await stream.write(ByteBuffer(string: request))
        guard let line = try await stream.readLine(max: 600) else { return nil }
        return String(buffer: line)
    }

    @Test func badRequestsAreAnsweredInUpstreamsWords() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let node = try await stranger()
        try await node.start()
        try await node.connect(to: ada.id, addresses: [ada.address])
        for (request, answer) in [
            ("POST /\n", "ERR bad request"), ("\n", "ERR bad request"), ("ENC:AAAA\n", "ERR bad request"),
            ("GET /../goop.json\n", "ERR forbidden"), ("GET ../site/lua/x\n", "ERR forbidden"),
            ("GET /lua\n", "ERR forbidden"),
            ("GET /.git/config\n", "ERR forbidden"), ("GET /data/identity.key\n", "ERR not found"),
            ("GET /nope\r\n", "ERR not found"), ("GET /a\\b\n", "ERR bad request"),
        ] {
            #expect(try await line(request, to: ada, from: node) == answer, "\(request)")
        }
        #expect(try await line("GET \n", to: ada, from: node)?.hasPrefix("OK text/html; charset=utf-8 ") == true)
        // A line without end: no answer, and no memory either.
        await #expect(throws: P2PError.self) {
            _ = try await line(String(repeating: "x", count: 100_000), to: ada, from: node)
        }
        // The peer is as well as before.
        #expect(try await line("GET /style.css\n", to: ada, from: node)?.hasPrefix("OK text/css") == true)
        await node.stop()
        try await ada.stop()
    }

    @Test func theProbeGetsTheLabel() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let node = try await stranger()
        try await node.start()
        try await node.connect(to: ada.id, addresses: [ada.address])
        #expect(try await Probe(node: node, timeout: .seconds(5)).run(ada.id) == "ada")
        await node.stop()
        try await ada.stop()
    }

    @Test func aLabelWithoutEndIsNone() async throws {
        let server = try await stranger(listens: true)
        let label = String(repeating: "x", count: SiteProtocol.maximumLabelLine + 1)
        server.setHandler(for: ProtocolID(SiteProtocol.contentID)) { stream in
            try? await stream.write(ByteBuffer(string: label + "\n"))
            await stream.close()
        }
        try await server.start()
        let node = try await stranger()
        try await node.start()
        try await node.connect(to: server.peerID, addresses: server.listenAddresses())
        await #expect(throws: P2PError.self) {
            _ = try await Probe(node: node, timeout: .seconds(50)).run(server.peerID)
        }
        await node.stop()
        await server.stop()
    }

    @Test func neighboursThatAreRememberedAreBounded() {
        let neighbours = Neighbours()
        let peers = (0..<Neighbours.maximum + 5).map { _ in PrivateKey.generate().peerID }
        for peer in peers { neighbours.saw(peer) }
        #expect(neighbours.current().count == Neighbours.maximum)
        let current = Set(neighbours.current())
        #expect(current.contains(peers[peers.count - 1]) && !current.contains(peers[0]))
        // One that is known already takes nobody's place.
        neighbours.saw(peers[peers.count - 1])
        #expect(Set(neighbours.current()) == current)
    }

    @Test func strangersMakeRoomForOneAnotherOnly() {
        let neighbours = Neighbours()
        func ids(_ count: Int) -> [PeerID] { (0..<count).map { _ in PrivateKey.generate().peerID } }
        let (favourites, friends, guests) = (ids(3), ids(3), ids(3))
        for peer in favourites { neighbours.keep(peer, true) }
        for peer in favourites + friends { neighbours.saw(peer) }
        for peer in guests { neighbours.saw(peer, isConnected: true) }
        for peer in friends { neighbours.met(peer) }
        let strangers = ids(2 * Neighbours.maximum)
        for peer in strangers { neighbours.saw(peer) }
        var current = Set(neighbours.current())
        #expect(current.count == Neighbours.maximum && current.isSuperset(of: favourites + friends + guests))
        #expect(current.isSuperset(of: strangers.suffix(Neighbours.maximum - 9)), "and the latest strangers")
        #expect(neighbours.standing(of: favourites[0]) == .chosen && neighbours.standing(of: friends[0]) == .met)
        #expect(neighbours.standing(of: guests[0]) == .met && neighbours.standing(of: strangers[9]) == .stranger)
        // All places taken by peers that were met: a stranger finds none, a favourite does.
        for peer in strangers { neighbours.met(peer) }
        let (stranger, favourite) = (ids(1)[0], ids(1)[0])
        neighbours.saw(stranger)
        neighbours.keep(favourite, true)
        neighbours.saw(favourite)
        current = Set(neighbours.current())
        #expect(!current.contains(stranger) && current.contains(favourite) && current.count == Neighbours.maximum)
        #expect(current.isSuperset(of: favourites))
        // Whoever is kept no longer is what it was.
        neighbours.keep(favourite, false)
        #expect(neighbours.standing(of: favourite) == .stranger)
    }

    @Test func whatIsWrittenDownOfStrangersIsBounded() {
        let journal = NetworkJournal(clock: PeerClock())
        for number in 1...NetworkJournal.maximum + 50 {
            journal.note("presence", "\(number)")
            #expect(journal.lines.count <= NetworkJournal.maximum)
        }
        #expect(journal.lines.last?.number == UInt64(NetworkJournal.maximum + 50), "the oldest go")
        journal.note("presence", String(repeating: "x", count: 5000))
        #expect(journal.lines.last?.text == String(repeating: "x", count: NetworkJournal.maximumLength) + "…")
    }

    @Test(arguments: [
        ("", SiteError.Kind.protocolViolation), ("OK text/html\n", .protocolViolation),
        ("HTTP/1.1 200 OK\n", .protocolViolation),
        ("OK text/html 99999999999\n", .tooLarge), ("OK text/html 10\nabc", .protocolViolation),
        ("OK text/html 2\nabcdef", .protocolViolation), ("ERR forbidden\n", .forbidden),
        ("EOK text/html 4\nAAAA", .protocolViolation),
        (String(repeating: "O", count: 5000), .protocolViolation),
    ])
    func badAnswersAreErrorsOfTheirClass(answer: String, kind: SiteError.Kind) async throws {
        let server = try await stranger(listens: true)
        server.setHandler(for: ProtocolID(SiteProtocol.siteID)) { stream in
            _ = try? await stream.readLine(max: 4096)
            try? await stream.write(ByteBuffer(string: answer))
            await stream.close()
        }
        try await server.start()
        let node = try await stranger()
        try await node.start()
        try await node.connect(to: server.peerID, addresses: server.listenAddresses())
        var outcome: SiteError.Kind?
        do {
            let body = try await SiteClient.patient(node).open(try SitePath("/"), of: server.peerID)
            for try await _ in body.chunks {}
        } catch {
            outcome = (error as? SiteError)?.kind
        }
        #expect(outcome == kind)
        await node.stop()
        await server.stop()
    }

    @Test func aPeerThatNeverAnswersCostsNoMoreThanTheTimeout() async throws {
        let server = try await stranger(listens: true)
        server.setHandler(for: ProtocolID(SiteProtocol.siteID)) { stream in while (try? await stream.read()) != nil {} }
        try await server.start()
        let node = try await stranger()
        try await node.start()
        try await node.connect(to: server.peerID, addresses: server.listenAddresses())
        var client = SiteClient.patient(node)
        client.answerTimeout = .milliseconds(300)
        await #expect(throws: SiteError.self) { _ = try await client.open(try SitePath("/"), of: server.peerID) }
        await node.stop()
        await server.stop()
    }

    @Test func nobodySpeaksForSomebodyElse() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let node = try await stranger()
        let pubsub = PubSub(node: node)
        try await node.start()
        let topic = GoopConfiguration().presenceTopic
        let messages = try await pubsub.subscribe(to: topic)
        try await node.connect(to: ada.id, addresses: [ada.address])
        // Ada's update for the new listener shows that the mesh stands.
        for await message in messages {
            let presence = try PresenceMessage(decoding: message.data)
            #expect(message.from == ada.id && presence.peerID == ada.id.base58 && presence.content == "ada")
            break
        }
        let victim = PrivateKey.generate().peerID
        let forged = PresenceMessage(kind: .online, peerID: victim.base58, content: "victim", timestamp: 1)
        try await pubsub.publish(forged.encoded(), to: topic)
        try await pubsub.publish(Array("{\"type\":\"online\"".utf8), to: topic)
        try await pubsub.publish([UInt8](repeating: 0x5B, count: 100_000), to: topic)
        let honest = PresenceMessage(kind: .online, peerID: node.peerID.base58, content: "stranger", timestamp: 1)
        try await pubsub.publish(honest.encoded(), to: topic)
        _ = await ada.sees(node.peerID) { $0.label == "stranger" }
        #expect(try await ada.commands.peers().array?.count == 1)
        await node.stop()
        try await ada.stop()
    }

    @Test func theControlSocketIsTheOwnersAndBounded() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        #expect(temporary.mode("ada/data/control.sock") == 0o600)
        // The last one has no end, and is one byte longer than a request may be.
        let endless = String(repeating: "x", count: ControlRequest.maximumLine + 1)
        for request in ["nonsense\n", "{}\n", "{\"command\":\"dance\"}\n", endless] {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: ada.folder.controlSocket) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            let answer = try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: request))
                var answer = ""
                for try await chunk in inbound {
                    answer += String(buffer: chunk)
                    if answer.hasSuffix("\n") { break }
                }
                return answer
            }
            #expect(answer.hasPrefix("{\"ok\":false,\"kind\":76,"), "\(answer)")
        }
        #expect(try await ada.commands.peers() == .array([]))
        try await ada.stop()
    }
}
