import GoopCore
import LibP2P
import Logging
import NIOCore
import Synchronization
import Testing

@testable import GoopNode

@Suite(.timeLimit(.minutes(1))) struct TwoPeersTests {
    let temporary = TemporaryFolder()

    @Test func theyFindEachOtherVisitEachOtherAndSayGoodbye() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        let seen = await ada.sees(bob.id) { $0.reachable }
        #expect(seen.label == "bob")
        #expect(seen.path == .loopback)
        #expect(seen.addresses == [], "a loopback address means nothing to others")
        #expect(seen.email == "" && !seen.encryptionSupported)
        _ = await bob.sees(ada.id) { $0.reachable && $0.label == "ada" }

        let list = try await ada.commands.peers().array ?? []
        #expect(list.count == 1)
        #expect(list.first?.object?["state"]?.string == "online")
        let ping = try await bob.commands.ping("ada")
        #expect(ping.object?["peer"]?.string == ada.id.base58)

        let page = Mutex("")
        let head = try await ada.commands.get("bob", path: "/") { chunk in
            page.withLock { $0 += String(buffer: chunk) }
        }
        #expect(head.object?["type"]?.string == "text/html; charset=utf-8")
        #expect(page.withLock { $0 }.contains("Hello, I am <bdi>bob</bdi>."))

        try await bob.stop()
        let gone = await ada.sees(bob.id) { $0.offline }
        #expect(!gone.reachable)
        #expect(!FolderLock.isHeld(path: bob.folder.lockFile))
        #expect(!AtomicFile.exists(bob.folder.controlSocket))
        try await ada.stop()
    }

    @Test func whatOthersAnnounceInAPeersNameEndsNoConnection() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        _ = await bob.sees(ada.id) { $0.reachable }
        let node = bob.running.node
        let before = Set(node.connections(with: ada.id).map(\.id))
        // One packet can hold as many; a peer takes two pings at a time.
        for host in UInt32(1)...64 {
            bob.running.announced(ada.id, at: [Multiaddr(ip: .v4(0x0a00_0000 + host), tcpPort: 4001)])
        }
        // Their answers come before those of pings that begin later.
        for _ in 0..<20 { _ = try? await node.ping(ada.id, timeout: .seconds(5)) }
        #expect(!before.isEmpty && Set(node.connections(with: ada.id).map(\.id)) == before)
        try await bob.stop()
        try await ada.stop()
    }

    @Test func tagsAreDifferentTopics() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada") { $0.p2p.mdnsTag = "one" }
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address]) {
            $0.p2p.mdnsTag = "two"
        }
        // They are connected, so a ping works; but neither hears of the other's presence.
        _ = try await bob.commands.ping(ada.address.description)
        #expect(try await ada.commands.peers() == .array([]))
        #expect(try await bob.commands.peers() == .array([]))
        try await bob.stop()
        try await ada.stop()
    }

    @Test func refusalsHaveTheirClasses() async throws {
        temporary.write("secret", to: "bob/site/.env")
        temporary.write("secret", to: "bob/site/lua/x.lua")
        let bob = try await TestPeer.start(in: temporary, label: "bob")
        let ada = try await TestPeer.start(in: temporary, label: "ada", contacts: [bob.address])
        _ = await ada.sees(bob.id) { $0.reachable }
        for (path, kind) in [
            ("/nothing", Failure.Kind.noInput), ("/.env", .permission), ("/LUA/x.lua", .permission),
            ("/../goop.json", .permission), ("/a\\b", .usage),
        ] {
            #expect(await failure { try await ada.commands.get("bob", path: path) { _ in } }?.kind == kind, "\(path)")
        }
        #expect(await failure { try await ada.commands.ping("nobody") }?.kind == .noInput)
        #expect(await failure { try await ada.commands.ping("bobb") }?.nextStep == "did you mean bob?")
        #expect(await failure { try await ada.commands.ping("/ip4/127.0.0.1/tcp/1") }?.kind == .usage)
        try await bob.stop()
        try await ada.stop()
    }

    @Test func aPeerThatIsNotThereIsNamedWithWhatWasTried() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let nobody = PrivateKey.generate().peerID
        let address = "/ip4/127.0.0.1/tcp/1/p2p/\(nobody)"
        let refused = await failure { try await ada.commands.get(address, path: "/") { _ in } }
        #expect(refused?.kind == .unavailable)
        // At once, that is, and not by a time limit.
        #expect(
            refused?.cause.contains("/ip4/127.0.0.1/tcp/1: connection refused") == true,
            "\(String(describing: refused))")
        try await ada.stop()
    }

    @Test func largeFilesArriveWhole() async throws {
        let size = 6_000_000
        let text = String(repeating: "0123456789", count: size / 10)
        temporary.write(text, to: "bob/site/large.txt")
        temporary.write("", to: "bob/site/empty.txt")
        let bob = try await TestPeer.start(in: temporary, label: "bob")
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let received = Mutex([UInt8]())
        let head = try await ada.commands.get(bob.address.description, path: "/large.txt") { chunk in
            received.withLock { $0 += chunk.readableBytesView }
        }
        #expect(head.object?["size"]?.int64 == Int64(size))
        #expect(received.withLock { $0 } == Array(text.utf8))
        let empty = try await ada.commands.get(bob.address.description, path: "/empty.txt") { _ in }
        #expect(empty.object?["size"]?.int64 == 0)
        try await bob.stop()
        try await ada.stop()
    }

    @Test func aShortLivedNodeFetchesByAddress() async throws {
        let bob = try await TestPeer.start(in: temporary, label: "bob")
        let folder = PeerFolder(temporary.path + "/visitor")
        try PreparedPeer.open(folder, options: .init(createsMissing: true)).release()
        let commands = PeerCommands(folder: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let size = Mutex(0)
        _ = try await commands.get(bob.address.description, path: "/style.css") { chunk in
            size.withLock { $0 += chunk.readableBytes }
        }
        #expect(size.withLock { $0 } > 100)
        #expect(try await commands.ping(bob.address.description).object?["path"]?.string == "loopback")
        #expect(await failure { try await commands.peers() }?.kind == .unavailable)
        #expect(!FolderLock.isHeld(path: folder.lockFile))
        try await bob.stop()
    }

    @Test func aChosenPortIsRememberedAndAWrittenOneIsNotReplaced() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let taken = try #require(ada.address.tcpPort)
        let folder = PeerFolder(temporary.path + "/bob")
        try PreparedPeer.open(folder, options: .init(createsMissing: true)).release()
        var configuration = try GoopConfiguration(decoding: AtomicFile.read(folder.configurationFile, limit: 1 << 20))
        configuration.p2p.listenPort = Int(taken)
        try AtomicFile.write(configuration.encoded(), to: folder.configurationFile)
        var options = PeerService.Options()
        options.hasViewer = false
        options.hasDiscovery = false
        let service = PeerService(
            try PreparedPeer.open(folder, options: .init(createsMissing: false)), options: options,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let refused = await failure { try await service.run() }
        #expect(refused?.kind == .unavailable)
        #expect(refused?.cause.contains("p2p.listen_port") == true)
        try await ada.stop()
        #expect(ListenPlan(configured: 0, remembered: 4001).attempts.map(\.port) == [4001, 4001, 0, 0])
        #expect(ListenPlan(configured: 7, remembered: 4001).attempts.map(\.port) == [7, 7])
    }
}
