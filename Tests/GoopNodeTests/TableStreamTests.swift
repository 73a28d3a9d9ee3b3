import GoopCore
import GoopHTTP
import LibP2P
import NIOCore
import NIOPosix
import Testing

@testable import GoopNode

/// The tables of a site as its page in the viewer hears of them: over one stream, whoever's they are.
@Suite(.timeLimit(.minutes(1))) struct TableStreamTests {
    private let temporary = TemporaryFolder()

    private static func create(_ names: [String], at host: TestPeer) async throws {
        for name in names {
            _ = try await host.running.tables.perform(
                try Self.request(
                    """
                    {"op":"create-table","name":"\(name)","column_defs":[{"name":"text","type":"text"}],
                     "access":{"read":"open","insert":"open","update":"owner","delete":"owner"}}
                    """), caller: .owner)
        }
    }

    private static func request(_ text: String) throws -> DataRequest {
        try DataRequest(json: JSONParser.parse(Array(text.utf8)))
    }

    private static func insert(into table: String, at host: TestPeer) async throws {
        _ = try await host.running.tables.perform(
            try Self.request(#"{"op":"insert","table":"\#(table)","data":{"text":"live"}}"#), caller: .owner)
    }

    private static func path(_ peer: PeerID, _ tables: [String]) -> String {
        "/api/p/\(peer.base58)/data/subscribe?" + tables.map { "table=\($0)" }.joined(separator: "&")
    }

    /// Waits until its only visitor has so many watches.
    private static func watches(at host: TestPeer, are count: Int) async {
        let door = host.running.door
        let changes = door.changes()
        guard door.visitors.first?.openPages != count else { return }
        for await _ in changes where door.visitors.first?.openPages == count { break }
    }

    /// A host, and a visitor with a viewer who sees it.
    private func pair() async throws -> (host: TestPeer, visitor: TestPeer, port: Int) {
        let host = try await TestPeer.start(in: temporary, label: "host")
        let visitor = try await TestPeer.start(
            in: temporary, label: "visitor", contacts: [host.address], hasViewer: true
        ) {
            $0.viewer.httpAddress = "127.0.0.1:0"
        }
        _ = await visitor.sees(host.id) { $0.reachable }
        return (host, visitor, await visitor.viewerPort())
    }

    @Test func onePageHearsOfEightTablesOfAnotherPeerAndOfItsOwn() async throws {
        let (host, visitor, port) = try await pair()
        let tables = (0..<8).map { "table\($0)" }
        for owner in [host, visitor] {
            try await Self.create(tables, at: owner)
            try await PageStream.open(
                Self.path(owner.id, tables + ["missing"]), host: "\(owner.id.base36).localhost:\(port)", port: port
            ) { stream in
                for table in tables { try await stream.read(until: "event: ready\ndata: {\"table\":\"\(table)\"}") }
                try await stream.read(until: #"{"table":"missing","error":"#)
                for table in tables {
                    try await Self.insert(into: table, at: owner)
                    try await stream.read(until: #"{"table":"\#(table)","kind":"insert""#)
                }
                if owner === host { await Self.watches(at: host, are: tables.count) }
            }
        }
        // The page is gone, and so are its watches at the other peer.
        await Self.watches(at: host, are: 0)
        try await visitor.stop()
        try await host.stop()
    }

    @Test func aTableThatIsDroppedDoesNotEndTheOthers() async throws {
        let (host, visitor, port) = try await pair()
        try await Self.create(["one", "other"], at: host)
        try await PageStream.open(
            Self.path(host.id, ["one", "other"]), host: "\(host.id.base36).localhost:\(port)", port: port
        ) { stream in
            for table in ["one", "other"] {
                try await stream.read(until: "event: ready\ndata: {\"table\":\"\(table)\"}")
            }
            _ = try await host.running.tables.perform(
                try Self.request(#"{"op":"delete-table","table":"one"}"#), caller: .owner)
            try await stream.read(until: #"{"table":"one","error":"the table changed","code":"conflict""#)
            try await Self.insert(into: "other", at: host)
            try await stream.read(until: #"{"table":"other","kind":"insert""#)
            // It is asked for again in the same stream, and is not there.
            try await stream.read(until: "event: lost\ndata: {\"table\":\"one\",")
            try await stream.read(until: #""code":"not_found""#)
            _ = try await host.running.tables.perform(
                try Self.request(#"{"op":"delete","table":"other","id":1}"#), caller: .owner)
            try await stream.read(until: #"{"table":"other","kind":"delete""#)
        }
        try await visitor.stop()
        try await host.stop()
    }
}

/// A stream of events of a viewer, as a page has it open. One task reads.
private final class PageStream: @unchecked Sendable {
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    /// Everything so far: what comes of different tables comes in any order.
    private var text = ""

    private init(_ inbound: NIOAsyncChannelInboundStream<ByteBuffer>) {
        self.inbound = inbound.makeAsyncIterator()
    }

    static func open(
        _ path: String, host: String, port: Int, _ body: @Sendable (PageStream) async throws -> Void
    ) async throws {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n"))
            try await body(PageStream(inbound))
        }
    }

    /// Reads until everything so far holds `mark`.
    func read(until mark: String) async throws {
        while !text.contains(mark) {
            text += String(
                buffer: try #require(await inbound.next(), "the stream ended before “\(mark)”: \(text)"))
        }
    }
}
