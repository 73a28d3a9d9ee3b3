import GoopCore
import GoopHTTP
import LibP2P
import NIOCore
import Synchronization
import Testing

@testable import GoopNode

/// Pictures between peers: `/goop/avatar/1.0.0`, their hash in presence, and what is kept of them.
@Suite(.timeLimit(.minutes(1))) struct AvatarTests {
    let temporary = TemporaryFolder()

    private static func png(_ rest: String = "") -> [UInt8] {
        [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8)
            + [0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0] + Array(rest.utf8)
    }

    private func desk(_ peer: TestPeer) -> NodePictureDesk {
        NodePictureDesk(
            id: peer.id, own: peer.running.avatar, directory: peer.running.directory, gallery: peer.running.gallery)
    }

    @Test func aPictureIsAnnouncedAtOnceAndFetchedBothWays() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        #expect(await ada.sees(bob.id) { $0.reachable }.avatarHash.isEmpty)
        _ = await bob.sees(ada.id) { $0.reachable }
        #expect(await desk(ada).picture(of: bob.id) == nil)

        // Larger than a window of the stream's first piece.
        let first = try Avatar(Self.png(String(repeating: "ada", count: 80_000)), limit: Avatar.maximumOwnBytes)
        try await desk(ada).set(first)
        #expect(await bob.sees(ada.id) { !$0.avatarHash.isEmpty }.avatarHash == first.hash)
        #expect(await desk(bob).picture(of: ada.id) == first)
        #expect(await desk(bob).picture(of: bob.id) == nil)
        #expect(await desk(ada).picture(of: ada.id) == first)
        let second = try Avatar(Self.png("bob"))
        try await desk(bob).set(second)
        _ = await ada.sees(bob.id) { $0.avatarHash == second.hash }
        #expect(await desk(ada).picture(of: bob.id) == second)
        #expect(await ada.running.backend.selfProfile().avatarHash == first.hash)
        // Nothing of another's picture is on the disk.
        #expect(try AtomicFile.read(bob.folder.avatarFile, limit: 1 << 20) == second.bytes)
        #expect(!temporary.names(in: "bob").contains("cache"))

        // A muted peer is not asked and not shown.
        _ = try await bob.commands.stand("ada", .muted)
        #expect(await desk(bob).picture(of: ada.id) == nil)
        _ = try await bob.commands.stand("ada", .ordinary)
        #expect(await desk(bob).picture(of: ada.id) == first)

        // Replaced by another program, then removed.
        let count = bob.eventCount
        try AtomicFile.write(Self.png("by hand"), to: ada.folder.avatarFile)
        ada.running.avatar.look()
        let third = try Avatar(Self.png("by hand"))
        _ = await bob.sees(ada.id, after: count) { $0.avatarHash == third.hash }
        #expect(await desk(bob).picture(of: ada.id) == third)
        try await desk(ada).remove()
        _ = await bob.sees(ada.id, after: count) { $0.avatarHash.isEmpty }
        #expect(await desk(bob).picture(of: ada.id) == nil)
        #expect(!AtomicFile.exists(ada.folder.avatarFile))
        try await bob.stop()
        try await ada.stop()
    }

    @Test func aFileThatIsNoPictureIsShownToNobody() async throws {
        let folder = PeerFolder(temporary.path + "/ada")
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "ada")).release()
        temporary.write("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", to: "ada/avatar.png")
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let (node, _) = try await ada.visitor()
        #expect(ada.running.avatar.hash.isEmpty)
        let stream = try await node.openStream(to: ada.id, protocols: [ProtocolID(AvatarProtocol.id)])
        try await stream.closeWrite()
        #expect(try await stream.readLine(max: 64).map { String(buffer: $0) } == "NONE")
        await node.stop()
        try await ada.stop()
    }

    @Test(arguments: [
        ("", AvatarFault.malformed), ("NONE\n", .none), ("HTTP/1.1 200 OK\n", .malformed), ("EOK 40\nAAAA", .sealed),
        ("OK 524289\n", .tooLarge(limit: Avatar.maximumBytes)), ("OK 10\nabc", .malformed),
        ("OK 2\nabcdef", .malformed), ("OK 5\n<svg>", .notAPicture), ("OK 6\n<html>", .notAPicture),
    ])
    func badAnswersAreFaultsOfTheirClass(answer: String, fault: AvatarFault) async throws {
        await #expect(throws: fault) { _ = try await Self.fetch("0123456789abcdef", from: Array(answer.utf8)) }
    }

    @Test func anotherPictureThanTheAnnouncedOneIsDropped() async throws {
        let bytes = Self.png("mine")
        let answer = AvatarProtocol.line(.picture(size: bytes.count)) + bytes
        let hash = try Avatar(bytes).hash
        #expect(try await Self.fetch(hash, from: answer).bytes == bytes)
        await #expect(throws: AvatarFault.wrongHash) { _ = try await Self.fetch("0123456789abcdef", from: answer) }
    }

    @Test func aPeerThatStallsCostsNoMoreThanThePatience() async throws {
        await #expect(throws: AvatarFault.timedOut) {
            _ = try await Self.fetch("0123456789abcdef", from: Array("OK 100\nabc".utf8), ending: .never) {
                $0.patience = .milliseconds(200)
            }
        }
        // Progress does not put the deadline off.
        await #expect(throws: AvatarFault.timedOut) {
            _ = try await Self.fetch("0123456789abcdef", from: Array("OK 524288\n".utf8), ending: .bytewise) {
                $0.maximumDuration = .milliseconds(200)
            }
        }
    }

    private enum Ending: Sendable {
        case closed
        /// Until the other end has had enough.
        case never, bytewise
    }

    /// Asks a peer that answers with these bytes, whatever they are.
    private static func fetch(
        _ hash: String, from answer: [UInt8], ending: Ending = .closed,
        configure: (inout AvatarClient) -> Void = { _ in }
    ) async throws -> Avatar {
        let (over, end) = AsyncStream.makeStream(of: Void.self)
        let server = Node(
            configuration: .init(identity: .generate(), listen: [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]))
        server.setHandler(for: ProtocolID(AvatarProtocol.id)) { stream in
            try? await stream.write(ByteBuffer(bytes: answer))
            switch ending {
            case .closed: await stream.close()
            case .never: for await _ in over {}
            case .bytewise:
                do { while true { try await stream.write(ByteBuffer(bytes: [0])) } } catch {}
            }
        }
        try await server.start()
        let node = Node(configuration: .init(identity: .generate(), listen: []))
        try await node.start()
        try await node.connect(to: server.peerID, addresses: server.listenAddresses())
        var client = AvatarClient(node: node)
        client.answerTimeout = .seconds(30)
        client.patience = .seconds(30)
        client.maximumDuration = .seconds(30)
        configure(&client)
        let outcome: Result<Avatar, any Error>
        do { outcome = .success(try await client.fetch(hash, of: server.peerID)) } catch { outcome = .failure(error) }
        end.finish()
        await node.stop()
        await server.stop()
        return try outcome.get()
    }
}

/// What is kept of other peers' pictures, and how often they are asked.
@Suite(.timeLimit(.minutes(1))) struct AvatarGalleryTests {
    private final class Peers: Sendable {
        private let state = Mutex<(asked: [String], waiting: [CheckedContinuation<Void, Never>])>(([], []))
        let asks: AsyncStream<String>
        private let ask: AsyncStream<String>.Continuation
        let holds: Bool

        init(holds: Bool = false) {
            self.holds = holds
            (asks, ask) = AsyncStream.makeStream(of: String.self)
        }

        var asked: [String] { state.withLock { $0.asked } }

        func release() {
            let waiting = state.withLock { state in
                defer { state.waiting = [] }
                return state.waiting
            }
            for waiter in waiting { waiter.resume() }
        }

        func fetch(_ hash: String) async throws -> Avatar {
            if holds {
                await withCheckedContinuation { continuation in
                    state.withLock { state in
                        state.asked.append(hash)
                        state.waiting.append(continuation)
                    }
                    ask.yield(hash)
                }
            } else {
                state.withLock { $0.asked.append(hash) }
            }
            guard let avatar = AvatarGalleryTests.all[hash] else { throw AvatarFault.none }
            return avatar
        }
    }

    /// Ten pictures of a thousand bytes.
    static let pictures: [Avatar] = (0..<10).compactMap { index in
        try? Avatar(
            [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8)
                + [0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0] + [UInt8](repeating: UInt8(index), count: 971))
    }
    static let all = Dictionary(pictures.map { ($0.hash, $0) }) { first, _ in first }
    private let ids = (0..<10).map { _ in PrivateKey.generate().peerID }

    @Test func thePicturesThatWereShownLastAreKeptWithinTheBound() async throws {
        let peers = Peers()
        var limits = AvatarGallery.Limits()
        limits.bytes = 3500
        let gallery = AvatarGallery(limits: limits) { hash, _ in try await peers.fetch(hash) }
        let pictures = Self.pictures
        #expect(pictures.count == 10 && pictures.allSatisfy { $0.bytes.count == 1000 })
        for index in 0..<3 {
            #expect(await gallery.picture(pictures[index].hash, of: ids[index], isReachable: true) == pictures[index])
        }
        // The first is shown again, so the second is the one that goes.
        _ = await gallery.picture(pictures[0].hash, of: ids[0], isReachable: false)
        _ = await gallery.picture(pictures[3].hash, of: ids[3], isReachable: true)
        #expect(await gallery.bytes == 3000 && peers.asked.count == 4)
        #expect(await gallery.picture(pictures[1].hash, of: ids[1], isReachable: false) == nil)
        #expect(await gallery.picture(pictures[0].hash, of: ids[0], isReachable: false) == pictures[0])
        // A new picture takes the place of the old one of the same peer.
        _ = await gallery.picture(pictures[4].hash, of: ids[0], isReachable: true)
        #expect(await gallery.bytes == 3000)
        #expect(await gallery.picture(pictures[0].hash, of: ids[0], isReachable: false) == nil)
    }

    @Test func whoFailsIsNotAskedAgainForTheSamePicture() async throws {
        let peers = Peers()
        let gallery = AvatarGallery { hash, _ in try await peers.fetch(hash) }
        for _ in 0..<3 { #expect(await gallery.picture("none", of: ids[0], isReachable: true) == nil) }
        #expect(peers.asked == ["none"])
        let picture = Self.pictures[0]
        #expect(await gallery.picture(picture.hash, of: ids[0], isReachable: true) == picture)
        // Other bytes than the announced ones count as a failure, whoever brings them.
        let liar = AvatarGallery { _, _ in picture }
        #expect(await liar.picture("0123456789abcdef", of: ids[0], isReachable: true) == nil)
    }

    @Test func onePictureIsFetchedOnceAndFewAtATime() async throws {
        let peers = Peers(holds: true)
        var limits = AvatarGallery.Limits()
        limits.fetches = 2
        limits.waiting = 0
        let gallery = AvatarGallery(limits: limits) { [peers] hash, _ in try await peers.fetch(hash) }
        let (first, second) = (Self.pictures[0], Self.pictures[1])
        var asks = peers.asks.makeAsyncIterator()
        async let one = gallery.picture(first.hash, of: ids[0], isReachable: true)
        #expect(await asks.next() == first.hash)
        async let two = gallery.picture(second.hash, of: ids[1], isReachable: true)
        #expect(await asks.next() == second.hash)
        async let again = gallery.picture(first.hash, of: ids[0], isReachable: true)
        // Beyond the bound it is not waited for, and is no failure of that peer.
        #expect(await gallery.picture(Self.pictures[2].hash, of: ids[2], isReachable: true) == nil)
        peers.release()
        let got = await [one, two, again]
        #expect(got == [first, second, first])
        #expect(peers.asked.filter { $0 == first.hash }.count == 1)
    }
}
