import Glibc
import GoopCore
import GoopHTTP
import LibP2P
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import GoopNode

/// `/goop/site/2.0.0` between two nodes, and how it stands beside upstream's protocol.
@Suite(.timeLimit(.minutes(1))) struct SiteQueriesTests {
    let temporary = TemporaryFolder()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() { temporary.write("<h1>", to: "site/index.html") }

    private func node(listens: Bool = true) async throws -> Node {
        let listen = listens ? [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)] : []
        let node = Node(configuration: .init(identity: .generate(), listen: listen))
        try await node.start()
        return node
    }

    /// A node that serves the site, one that visits it, and what the visitor asks.
    private func visit(
        shares: Shares = SiteService.shares,
        _ body: (Node, Node, SiteClient) async throws -> Void
    ) async throws {
        let server = try await node()
        SiteService(
            folder: SiteFolder(root: temporary.path + "/site"), label: "s", door: SiteDoor(), logger: logger,
            shares: shares,
            patience: .seconds(300)  // A busy machine is no visitor that stalls.
        ).register(on: server)
        let visitor = try await node(listens: false)
        try await visitor.connect(to: server.peerID, addresses: server.listenAddresses())
        try await body(server, visitor, SiteClient.patient(visitor))
        await visitor.stop()
        await server.stop()
    }

    private func text(_ body: SiteBody) async throws -> String {
        var text = ""
        for try await chunk in body.chunks { text += String(buffer: chunk) }
        return text
    }

    @Test func partsTagsHeadsAndFoldersCrossTheWire() async throws {
        temporary.write("0123456789", to: "site/a/digits.txt")
        temporary.write("in a", to: "site/a/index.html")
        try await visit { server, _, client in
            let peer = server.peerID
            let whole = try await client.open(SiteQuery("/a/digits.txt"), of: peer)
            #expect(try await text(whole) == "0123456789")
            #expect(whole.head.mediaType == "text/plain; charset=utf-8" && !whole.head.tag.isEmpty)
            let tag = whole.head.tag
            let part = try await client.open(SiteQuery("/a/digits.txt", part: .between(2, 4), partOf: tag), of: peer)
            #expect(try await text(part) == "234")
            #expect(part.head.status == .part && part.head.first == 2 && part.head.total == 10)
            let known = try await client.open(SiteQuery("/a/digits.txt", known: [tag]), of: peer)
            #expect(try await text(known).isEmpty && known.head.status == .notModified)
            let head = try await client.open(SiteQuery("/a/digits.txt", method: .head), of: peer)
            #expect(try await text(head).isEmpty && head.head.size == 10)
            #expect(try await client.open(SiteQuery("/a"), of: peer).head.status == .folder)
            #expect(try await text(client.open(try SitePath("/a"), of: peer)) == "in a")
            await #expect(throws: SiteError(kind: .notFound)) { _ = try await client.open(SiteQuery("/b"), of: peer) }
            temporary.write("lost?", to: "site/404.html")
            let missing = try await client.open(SiteQuery("/b"), of: peer)
            #expect(try await text(missing) == "lost?" && missing.head.status == .missing)
            await #expect(throws: SiteError(kind: .notFound)) {
                _ = try await client.open(try SitePath("/b"), of: peer)
            }
            var refused: SiteError.Kind?
            do throws(SiteError) { _ = try await client.open(SiteQuery("/lua/x"), of: peer) } catch {
                refused = error.kind
            }
            #expect(refused == .forbidden)
        }
    }

    @Test func everyQueryReadsTheFileAnew() async throws {
        temporary.write("0", to: "site/count.txt")
        try await visit { server, _, client in
            for number in 0..<20 {
                temporary.write("\(number)", to: "site/count.txt")
                let body = try await client.open(SiteQuery("/count.txt"), of: server.peerID)
                #expect(try await text(body) == "\(number)")
            }
        }
    }

    @Test func theWholeOfUpstreamsProtocolStillAnswers() async throws {
        try await visit { server, visitor, _ in
            let stream = try await visitor.openStream(
                to: server.peerID, protocols: [ProtocolID(SiteProtocol.siteID)])
            try await stream.write(ByteBuffer(string: "GET /\n"))
            let all = String(buffer: try await stream.readToEnd(max: 1000))
            #expect(all == "OK text/html; charset=utf-8 4\n<h1>")
        }
    }

    @Test func upstreamIsAskedInItsOwnWords() async throws {
        let server = try await node()
        server.setHandler(for: ProtocolID(SiteProtocol.siteID)) { stream in
            let line = try? await stream.readLine(max: 100)
            #expect(line.map { String(buffer: $0) } == "GET /index.html")
            try? await stream.write(ByteBuffer(string: "OK text/html 5\nhello"))
            await stream.close()
        }
        let visitor = try await node(listens: false)
        try await visitor.connect(to: server.peerID, addresses: server.listenAddresses())
        let client = SiteClient.patient(visitor)
        let body = try await client.open(SiteQuery("/", known: ["t"], part: .from(3)), of: server.peerID)
        #expect(try await text(body) == "hello")
        #expect(body.head == SiteHead(mediaType: "text/html", size: 5))
        let head = try await client.open(SiteQuery("/", method: .head), of: server.peerID)
        #expect(try await text(head).isEmpty && head.head.size == 5)
        await visitor.stop()
        await server.stop()
    }

    @Test func aPeerThatSpokeOursAndDoesNoMoreIsAskedAgain() async throws {
        try await visit { server, _, client in
            let peer = server.peerID
            _ = try await text(try await client.open(SiteQuery("/"), of: peer))
            server.removeHandler(for: ProtocolID(SiteProtocol.querySiteID))
            #expect(try await text(try await client.open(SiteQuery("/"), of: peer)) == "<h1>")
        }
    }

    @Test(arguments: [
        ("", SiteError.Kind.protocolViolation), ("ff", .protocolViolation), ("81 04", .protocolViolation),
        ("03 08 c9 01", .protocolViolation), ("03 08 f7 03", .busy), ("05 08 c8 01 18 05", .protocolViolation),
        ("05 08 c8 01 18 01 61 62", .protocolViolation), ("05 08 b0 02 18 01", .protocolViolation),
    ])
    func badAnswersAreErrorsOfTheirClass(hex: String, kind: SiteError.Kind) async throws {
        let server = try await node()
        let answer = try Hex.decode(hex.filter { $0 != " " })
        server.setHandler(for: ProtocolID(SiteProtocol.querySiteID)) { stream in
            _ = try? await stream.read()
            try? await stream.write(ByteBuffer(bytes: answer))
            await stream.close()
        }
        let visitor = try await node(listens: false)
        try await visitor.connect(to: server.peerID, addresses: server.listenAddresses())
        var outcome: SiteError.Kind?
        do { _ = try await text(try await SiteClient.patient(visitor).open(SiteQuery("/"), of: server.peerID)) } catch {
            outcome = (error as? SiteError)?.kind
        }
        #expect(outcome == kind)
        await visitor.stop()
        await server.stop()
    }

    @Test(arguments: ["ff ff ff ff ff ff ff ff ff ff", "81 20", "02 08 07", "00"])
    func badQueriesAreRefused(hex: String) async throws {
        try await visit { server, visitor, _ in
            let stream = try await visitor.openStream(
                to: server.peerID, protocols: [ProtocolID(SiteProtocol.querySiteID)])
            try await stream.write(ByteBuffer(bytes: try Hex.decode(hex.filter { $0 != " " })))
            #expect(Array(try await stream.readToEnd(max: 100).readableBytesView) == [3, 8, 0x90, 3])
        }
    }

    @Test func tooManyAtOnceAreToldSo() async throws {
        // More than the windows of a stream hold, so that an answer that is not read occupies its place.
        temporary.write(String(repeating: "x", count: 3_000_000), to: "site/large.bin")
        try await visit(shares: Shares(total: 8, perPeer: 2, floor: 1)) { server, visitor, client in
            let peer = server.peerID
            let first = try await client.open(SiteQuery("/large.bin"), of: peer)
            let second = try await client.open(SiteQuery("/large.bin"), of: peer)
            await #expect(throws: SiteError(kind: .busy)) { _ = try await client.open(SiteQuery("/"), of: peer) }
            let stream = try await visitor.openStream(to: peer, protocols: [ProtocolID(SiteProtocol.siteID)])
            try await stream.write(ByteBuffer(string: "GET /\n"))
            #expect(String(buffer: try await stream.readToEnd(max: 100)) == "ERR busy\n")
            #expect(try await text(first).utf8.count == 3_000_000)
            #expect(try await text(second).utf8.count == 3_000_000)
            while true {
                // The place is free once the server has seen its end.
                if let body = try? await client.open(SiteQuery("/"), of: peer) {
                    #expect(try await text(body) == "<h1>")
                    break
                }
            }
        }
    }

    @Test func manyFilesShareOneConnection() async throws {
        try await visit { server, visitor, client in
            let peer = server.peerID
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        var text = ""
                        for try await chunk in try await client.open(SiteQuery("/"), of: peer).chunks {
                            text += String(buffer: chunk)
                        }
                        return text
                    }
                }
                for try await text in group { #expect(text == "<h1>") }
            }
            #expect(visitor.connections(with: peer).count == 1)
        }
    }

    @Test func aDeadPeerIsDialledOnceHoweverManyFilesAreAsked() async throws {
        // Takes connections and ends them: what is left of a peer whose program is gone behind a forwarded port.
        let counter = Counter()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                counter.add()
                return channel.eventLoop.scheduleTask(in: .milliseconds(200)) {}.futureResult
                    .flatMap { channel.close() }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let visitor = try await node(listens: false)
        let dead = PrivateKey.generate().peerID
        let port = UInt16(try #require(listener.localAddress?.port))
        visitor.addAddresses(
            [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: port)], of: dead, source: .configured, ttl: .seconds(60))
        let client = SiteClient.patient(visitor)
        await withTaskGroup(of: SiteError.Kind?.self) { group in
            for number in 0..<20 {
                group.addTask {
                    do throws(SiteError) {
                        _ = try await client.open(SiteQuery("/\(number).png"), of: dead)
                        return nil
                    } catch {
                        return error.kind
                    }
                }
            }
            for await kind in group { #expect(kind == .unreachable) }
        }
        #expect(counter.value == 1)
        try await listener.close()
        await visitor.stop()
    }
}

/// Counts across threads.
private final class Counter: Sendable {
    private let state = Mutex(0)
    func add() { state.withLock { $0 += 1 } }
    var value: Int { state.withLock { $0 } }
}
