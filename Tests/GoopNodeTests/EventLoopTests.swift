import Dispatch
import GoopCore
import GoopHTTP
import LibP2P
import NIOCore
import Synchronization
import Testing

@testable import GoopNode
@testable import GoopStore

/// What is served on the event loop of a connection never makes it wait.
@Suite(.timeLimit(.minutes(1))) struct EventLoopTests {
    let temporary = TemporaryFolder()

    private func request(_ text: String) throws -> DataRequest {
        try DataRequest(json: JSONParser.parse(Array(text.utf8)))
    }

    /// The writer stands still, as when another program holds the database or the disk hangs; a row waits for it, and the
    /// same connection goes on with everything else.
    @Test func aStuckDatabaseHoldsUpNoVisit() async throws {
        temporary.write("hello", to: "host/site/a.txt")
        let host = try await TestPeer.start(in: temporary, label: "host")
        let store = try await host.running.tables.store()
        _ = try await store.perform(
            try request(
                #"{"op":"create-table","name":"t","column_defs":[{"name":"x","type":"text"}],"access":{"read":"open","insert":"open","update":"owner","delete":"owner"}}"#
            ), caller: .owner)
        let visitor = Node(configuration: .init(identity: .generate(), listen: []))
        try await visitor.start()
        try await visitor.connect(to: host.id, addresses: [host.address])

        let release = DispatchSemaphore(value: 0)
        let (isStuck, stuck) = AsyncStream.makeStream(of: Void.self)
        async let holder = store.writer.write(of: .owner, cost: 1, isHeavy: false) { _ in
            stuck.yield()
            // Not without end, so that the test ends when it fails.
            _ = release.wait(timeout: .now() + 15)
            return .null
        }
        _ = await isStuck.first { true }

        let asks = host.running.door.changes()
        let isAnswered = Mutex(false)
        let insert = try request(#"{"op":"insert","table":"t","data":{"x":"y"}}"#)
        async let row: JSONValue = {
            defer { isAnswered.withLock { $0 = true } }
            return try await DataClient(node: visitor).perform(insert, of: host.id)
        }()
        for await _ in asks where host.running.door.visitors.first?.openAnswers == 1 { break }
        let client = SiteClient.patient(visitor)
        for _ in 1...5 {
            var text = ""
            for try await chunk in try await client.open(try SitePath("/a.txt"), of: host.id).chunks {
                text += String(buffer: chunk)
            }
            #expect(text == "hello")
        }
        #expect(!isAnswered.withLock { $0 }, "the row still waits")
        release.signal()
        _ = try await holder
        #expect(try await row.object?["id"] != nil)
        #expect(visitor.connections().count == 1)
        await visitor.stop()
        try await host.stop()
    }
}
