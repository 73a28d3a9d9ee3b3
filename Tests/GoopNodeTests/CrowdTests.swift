import GoopCore
import GoopHTTP
import LibP2P
import Logging
import NIOCore
import Testing

@testable import GoopNode
@testable import GoopStore

/// Many keys of one address take all that they can get; somebody from another address gets a page, rows, and news of both.
@Suite(.timeLimit(.minutes(2))) struct CrowdTests {
    let temporary = TemporaryFolder()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private static let shares = Shares(total: 32, perPeer: 8, floor: 2)

    init() {
        temporary.write("<h1>", to: "site/index.html")
        // More than the windows of a stream hold, so that an answer that is not read occupies its place.
        temporary.write(String(repeating: "x", count: 3_000_000), to: "site/large.bin")
    }

    private func node(at address: UInt32?) async throws -> Node {
        let listen = address.map { [Multiaddr(ip: .v4($0), tcpPort: 0)] } ?? []
        let node = Node(configuration: .init(identity: .generate(), listen: listen))
        try await node.start()
        return node
    }

    /// A site, keys of one address that are connected with it, and a visitor at another address, which the site has dialled:
    /// whoever dials on this machine does so from one and the same address.
    private func meet(
        keys: Int, serving: (Node) -> Void,
        _ body: (_ server: PeerID, _ crowd: [Node], _ visitor: Node) async throws -> Void
    ) async throws {
        let server = try await node(at: 0x7f00_0001)
        serving(server)
        let visitor = try await node(at: 0x7f00_0002)
        try await server.connect(to: visitor.peerID, addresses: visitor.listenAddresses())
        while visitor.connections(with: server.peerID).isEmpty {
            try Task.checkCancellation()
            await Task.yield()
        }
        var crowd: [Node] = []
        for _ in 0..<keys {
            let key = try await node(at: nil)
            try await key.connect(to: server.peerID, addresses: server.listenAddresses())
            crowd.append(key)
        }
        try await body(server.peerID, crowd, visitor)
        for node in crowd + [visitor, server] { await node.stop() }
    }

    private func site() -> SiteService {
        SiteService(
            folder: SiteFolder(root: temporary.path + "/site"), label: "s", door: SiteDoor(), logger: logger,
            shares: Self.shares,
            patience: .seconds(300)  // A busy machine is no visitor that stalls.
        )
    }

    /// One stream more than a key may have, which say nothing; returns once one of them was refused.
    private func silentStreams(of key: Node, to server: PeerID, _ id: String) async throws -> [P2PStream] {
        var options = StreamOptions()
        options.negotiation = .eager
        var streams: [P2PStream] = []
        for _ in 0...Self.shares.perPeer {
            streams.append(try await key.openStream(to: server, protocols: [ProtocolID(id)], options: options))
        }
        await withTaskGroup(of: Void.self) { group in
            for stream in streams { group.addTask { _ = try? await stream.read() } }
            _ = await group.next()
            group.cancelAll()
        }
        return streams
    }

    @Test(arguments: [4, 40]) func whoeverSaysNothingKeepsNobodyFromAPage(keys: Int) async throws {
        try await meet(keys: keys, serving: { site().register(on: $0) }) { server, crowd, visitor in
            var held: [P2PStream] = []
            for key in crowd { held += try await silentStreams(of: key, to: server, SiteProtocol.querySiteID) }
            let body = try await SiteClient.patient(visitor).open(SiteQuery("/"), of: server)
            #expect(body.head.size == 4)
            for stream in held { stream.reset() }
        }
    }

    @Test func whoeverTakesNothingKeepsNobodyFromAPage() async throws {
        try await meet(keys: 8, serving: { site().register(on: $0) }) { server, crowd, visitor in
            var held: [SiteBody] = []
            for key in crowd {
                let client = SiteClient.patient(key)
                while let body = try? await client.open(SiteQuery("/large.bin"), of: server) { held.append(body) }
            }
            #expect(held.count > Self.shares.perPeer && held.count < Self.shares.total)
            // Neither those who are read nor those who are answered are in the way.
            for key in crowd { _ = try await silentStreams(of: key, to: server, SiteProtocol.querySiteID) }
            let body = try await SiteClient.patient(visitor).open(SiteQuery("/"), of: server)
            #expect(body.head.size == 4)
            withExtendedLifetime(held) {}
        }
    }

    @Test(arguments: [4, 40]) func whoeverSaysNothingKeepsNobodyFromTheTables(keys: Int) async throws {
        let tables = SiteTables(
            path: temporary.path + "/data.db", configuration: .init(owner: PrivateKey.generate().peerID),
            logger: logger)
        let serving: (Node) -> Void = { node in
            DataService(tables: tables, door: SiteDoor(), logger: logger, shares: Self.shares) { _ in "" }
                .register(on: node)
        }
        try await meet(keys: keys, serving: serving) { server, crowd, visitor in
            var held: [P2PStream] = []
            for key in crowd { held += try await silentStreams(of: key, to: server, DataProtocol.dataID) }
            _ = try await DataClient(node: visitor).perform(DataRequest(op: .tables), of: server)
            for stream in held { stream.reset() }
        }
        await tables.close()
    }

    @Test func whoeverWatchesEverythingKeepsNobodyFromNews() async throws {
        let tables = SiteTables(
            path: temporary.path + "/data.db", configuration: .init(owner: PrivateKey.generate().peerID),
            logger: logger)
        let table = try JSONParser.parse(
            Array(
                #"""
                {"op":"create-table","name":"guests","column_defs":[{"name":"text","type":"text"}],
                 "access":{"read":"open","insert":"open","update":"owner","delete":"owner"}}
                """#.utf8))
        _ = try await tables.perform(try DataRequest(json: table), caller: .owner)
        let watch = SiteWatch(folder: SiteFolder(root: temporary.path + "/site"), logger: logger)
        let serving: (Node) -> Void = { node in
            DataService(tables: tables, door: SiteDoor(), logger: logger) { _ in "" }.register(on: node)
            WatchService(watch: watch, door: SiteDoor(), logger: logger, shares: Self.shares).register(on: node)
        }
        // As many keys as had all subscriptions when there were so many for each.
        let keys = ChangeHub.shares.total / ChangeHub.shares.perPeer
        try await meet(keys: keys, serving: serving) { server, crowd, visitor in
            var rows: [AsyncThrowingStream<DataChange, any Error>] = []
            var files: [AsyncThrowingStream<SiteChanges, any Error>] = []
            for key in crowd {
                let (data, site) = (DataClient(node: key), SiteClient.patient(key))
                while let changes = try? await data.changes(of: server, table: "guests") { rows.append(changes) }
                while let changes = try? await site.changes(of: server) { files.append(changes) }
            }
            #expect(rows.count > ChangeHub.shares.perPeer && rows.count < ChangeHub.shares.total)
            #expect(files.count > Self.shares.perPeer && files.count < Self.shares.total)
            rows.append(try await DataClient(node: visitor).changes(of: server, table: "guests"))
            files.append(try await SiteClient.patient(visitor).changes(of: server))
            withExtendedLifetime((rows, files)) {}
        }
        await tables.close()
    }
}
