import GoopCore
import GoopHTTP
import GoopStore
import LibP2P
import Logging
import NIOCore
import Testing

@testable import GoopNode

/// A site for certain people only, between whole peers: every protocol, at once, and over a restart.
@Suite(.timeLimit(.minutes(1))) struct PrivateSiteTests {
    let temporary = TemporaryFolder()

    /// A node that visits.
    private func visitor(of peer: TestPeer) async throws -> Node {
        let node = Node(configuration: .init(identity: .generate(), listen: []))
        try await node.start()
        try await node.connect(to: peer.id, addresses: [peer.address])
        return node
    }

    private func kind(_ body: () async throws -> some Any) async -> SiteError.Kind? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? SiteError)?.kind
        }
    }

    private func code(_ body: () async throws -> some Any) async -> DataErrorCode? {
        do {
            _ = try await body()
            return nil
        } catch {
            return (error as? DataError)?.code
        }
    }

    private func page(_ node: Node, _ peer: TestPeer) async throws -> String {
        var text = ""
        for try await chunk in try await SiteClient.patient(node).open(try SitePath("/big.txt"), of: peer.id).chunks {
            text += String(buffer: chunk)
        }
        return text
    }

    private func line(_ node: Node, _ peer: TestPeer, _ name: String, _ request: String) async throws -> String {
        let stream = try await node.openStream(to: peer.id, protocols: [ProtocolID(name)])
        if !request.isEmpty { try await stream.write(ByteBuffer(string: request)) }
        return String(buffer: try await stream.readToEnd(max: 1 << 20))
    }

    /// All that comes for a query of `/goop/site/2.0.0`.
    private func reply(_ node: Node, _ peer: TestPeer) async throws -> [UInt8] {
        let stream = try await node.openStream(to: peer.id, protocols: [ProtocolID(SiteProtocol.querySiteID)])
        try await stream.write(ByteBuffer(bytes: SiteQuery("/big.txt").encoded))
        return Array(try await stream.readToEnd(max: 1 << 20).readableBytesView)
    }

    private func request(_ text: String) throws -> DataRequest {
        try DataRequest(json: JSONParser.parse(Array(text.utf8)))
    }

    private func host(_ guests: [PeerID]? = nil) async throws -> TestPeer {
        temporary.write("hello", to: "host/site/big.txt")
        let path = temporary.path + "/host/data.db"
        if guests == nil {
            let store = try DataStore.open(path: path, configuration: .init(owner: PrivateKey.generate().peerID))
            _ = try await store.perform(
                try request(
                    #"{"op":"create-table","name":"t","column_defs":[{"name":"x","type":"text"}],"access":{"read":"open","insert":"open","update":"owner","delete":"owner"}}"#
                ), caller: .owner)
            await store.close()
        }
        return try await TestPeer.start(in: temporary, label: "host") { configuration in
            if let guests { #expect(configuration.siteAudience == .named(Set(guests))) }
        }
    }

    @Test func onlyThoseWhoAreNamedGetAnythingAndARestartChangesNothing() async throws {
        var host = try await host()
        let (guest, other) = (try await visitor(of: host), try await visitor(of: host))
        #expect(try await page(guest, host) == "hello")
        #expect(try await page(other, host) == "hello")
        let answer = try await host.commands.audience("only", peers: [guest.peerID.base58])
        #expect(answer.object?["audience"]?.string == "named")

        for _ in 1...2 {
            #expect(try await page(guest, host) == "hello")
            #expect(await kind { try await page(other, host) } == .notInvited)
            #expect(await kind { try await SiteClient.patient(other).changes(of: host.id) } == .notInvited)
            #expect(
                try await line(other, host, SiteProtocol.siteID, "GET /big.txt\n") == "ERR forbidden\n",
                "upstream's words")
            #expect(try await reply(other, host) == SiteHead.refusal(SiteError(kind: .notInvited)), "and ours")
            #expect(try await reply(guest, host).suffix(5) == Array("hello".utf8))
            // A change of one row goes another way than what reads.
            let insert = try request(#"{"op":"insert","table":"t","data":{"x":"y"}}"#)
            #expect(await code { try await DataClient(node: other).perform(insert, of: host.id) } == .refused)
            let select = try request(#"{"op":"query","table":"t"}"#)
            #expect(await code { try await DataClient(node: guest).perform(select, of: host.id) } == nil)
            #expect(await code { try await DataClient(node: other).perform(select, of: host.id) } == .refused)
            #expect(await code { try await DataClient(node: other).changes(of: host.id, table: "t") } == .refused)
            // The label is what everybody hears anyway, and the sign that a peer is there.
            #expect(try await line(other, host, SiteProtocol.contentID, "") == "host\n")
            // The owner sees the own site, whoever else does.
            _ = try await host.commands.get(host.id.base58, path: "/big.txt") { _ in }
            try await host.stop()
            host = try await self.host([guest.peerID])
            for node in [guest, other] { try await node.connect(to: host.id, addresses: [host.address]) }
        }
        _ = try await host.commands.audience("everyone")
        #expect(try await page(other, host) == "hello")
        try await host.stop()
        await guest.stop()
        await other.stop()
    }

    @Test func aRevokedVisitorIsShownOutOfEverythingAtOnce() async throws {
        let host = try await host()
        temporary.write(String(repeating: "x", count: 64 << 20), to: "host/site/big.txt")
        let guest = try await visitor(of: host)
        _ = try await host.commands.audience("only", peers: [guest.peerID.base58])

        var files = try await SiteClient.patient(guest).changes(of: host.id).makeAsyncIterator()
        var rows = try await DataClient(node: guest).changes(of: host.id, table: "t").makeAsyncIterator()
        let answer = try await SiteClient.patient(guest).open(try SitePath("/big.txt"), of: host.id)

        _ = try await host.commands.audience("revoke", peers: [guest.peerID.base58])
        #expect(await kind { try await files.next() } == .notInvited)
        #expect(await code { try await rows.next() } == .refused)
        var received = 0
        await #expect(throws: SiteError.self, "an answer under way is cut") {
            for try await chunk in answer.chunks { received += chunk.readableBytes }
        }
        #expect(received < 64 << 20)

        _ = try await host.commands.audience("allow", peers: [guest.peerID.base58])
        #expect(await kind { try await page(guest, host) } == nil)
        await guest.stop()
        try await host.stop()
    }

    /// Names these in the file, as an owner does with an editor.
    private func edit(_ host: TestPeer, naming guests: [PeerID]) throws {
        var configuration = try stored(host)
        configuration.site.guests = guests.map(\.base58)
        try AtomicFile.write(configuration.encoded(), to: host.folder.configurationFile)
    }

    private func stored(_ host: TestPeer) throws -> GoopConfiguration {
        try GoopConfiguration(decoding: AtomicFile.read(host.folder.configurationFile, limit: 1 << 20))
    }

    @Test func whoIsNamedByTheRunningPeerOrByItsFileIsRevoked() async throws {
        let host = try await host()
        let guest = try await visitor(of: host)
        let (friend, other) = (PrivateKey.generate().peerID, PrivateKey.generate().peerID)
        _ = try await host.commands.audience("only", peers: [guest.peerID.base58, friend.base58])
        // Taken off the list by hand, and still inside.
        try edit(host, naming: [friend])
        #expect(await kind { try await page(guest, host) } == nil)
        _ = try await host.commands.audience("revoke", peers: [guest.peerID.base58])
        #expect(await kind { try await page(guest, host) } == .notInvited)
        #expect(host.running.door.audience == .named([friend]))
        #expect(try stored(host).siteAudience == .named([friend]))
        // Named by hand, to be let in after the next start; and one of each sort at once.
        try edit(host, naming: [other, guest.peerID])
        _ = try await host.commands.audience("revoke", peers: [guest.peerID.base58])
        #expect(try stored(host).siteGuests == [other])
        let answer = try await host.commands.audience("revoke", peers: [friend.base58, other.base58])
        #expect(answer.object?["guests"]?.array == [])
        #expect(try stored(host).siteAudience == .named([]) && host.running.door.audience == .named([]))
        #expect(await failure { try await host.commands.audience("revoke", peers: [other.base58]) }?.kind == .usage)
        await guest.stop()
        try await host.stop()
    }

    @Test func aStoppedPeerKnowsTheNamesThatItsFileHas() async throws {
        let folder = PeerFolder(temporary.path + "/host")
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "host")).release()
        let commands = PeerCommands(folder: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        #expect(try await commands.audience("show").object?["audience"]?.string == "everyone")
        #expect(!AtomicFile.exists(folder.peersDatabase), "who looks makes nothing")

        let (ada, other) = (PrivateKey.generate().peerID, PrivateKey.generate().peerID)
        let store = try folder.openPeerStore()
        try await store.save([KnownPeer(id: ada, label: "Ada"), KnownPeer(id: other, label: "Eve", petname: "Bob")])
        try store.close()
        let guests: JSONValue = .array([["id": .string(ada.base58), "name": "Ada"]])
        #expect(try await commands.audience("only", peers: ["Ada"]).object?["guests"] == guests)
        #expect(try await commands.audience("show").object?["guests"] == guests)
        #expect(try await commands.audience("allow", peers: ["Bob"]).object?["guests"]?.array?.count == 2)
        #expect(try await commands.audience("revoke", peers: [other.base58]).object?["guests"] == guests)
        let unknown = await failure { try await commands.audience("allow", peers: ["Zacharias"]) }
        #expect(unknown?.kind == .noInput && unknown?.nextStep == PeerName.nextStepWhileStopped)

        // A file that cannot be read is told where a name needs it, and keeps nobody from being shown out.
        try AtomicFile.write(Array("no database, and long enough to be seen as none".utf8), to: folder.peersDatabase)
        let told = await failure { try await commands.audience("revoke", peers: ["Ada"]) }
        #expect(told?.kind == .data && told?.cause.contains(folder.peersDatabase) == true, "\(told as Any)")
        #expect(try await commands.audience("show").object?["guests"]?.array?.count == 1)
        #expect(try await commands.audience("revoke", peers: [ada.base58]).object?["guests"]?.array == [])
    }

    @Test func commandsNameWhatIsWrong() async throws {
        let host = try await host()
        let stranger = PrivateKey.generate().peerID.base58
        for (action, peer) in [
            ("only", host.id.base58), ("revoke", stranger), ("allow", "nobody"), ("dance", stranger),
        ] {
            await #expect(throws: Failure.self, "\(action)") {
                _ = try await host.commands.audience(action, peers: [peer])
            }
        }
        #expect(try await host.commands.audience("show").object?["audience"]?.string == "everyone")
        try await host.stop()
        _ = try await host.commands.audience("allow", peers: [stranger])
        _ = try await host.commands.audience("only", peers: [stranger])
        let file = try AtomicFile.read(host.folder.configurationFile, limit: 1 << 20)
        #expect(try GoopConfiguration(decoding: file).siteGuests.map(\.base58) == [stranger])
    }
}
