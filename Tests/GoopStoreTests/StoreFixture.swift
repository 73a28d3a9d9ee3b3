import Dispatch
import Foundation
import GRDB
import GoopCore
import PeerIdentity
import Synchronization
import Testing

@testable import GoopStore

/// A store on a file of its own, and callers.
final class StoreFixture: Sendable {
    let folder: String
    let path: String
    let owner = PrivateKey.generate().peerID
    let ada = DataCaller.remote(PrivateKey.generate().peerID, email: "ada@example.org")
    let bob = DataCaller.remote(PrivateKey.generate().peerID, email: "")
    let store: DataStore
    let interlude = Interlude()

    /// - Parameters:
    ///   - tablesLifetime: for how long the store believes that nobody else changes its tables.
    ///   - writeLimits: of the writer, but for the log.
    ///   - logBytes: of SQLite's log, beyond which it is emptied.
    ///   - maximumBulkRows: of one bulk form.
    ///   - day: tells which one it is; nil: the clock does.
    ///   - prepare: fills the file before the store opens it.
    init(
        quota: VisitorQuota = .init(), tablesLifetime: Duration = KnownTables.lifetime,
        writeLimits: WriteQueue.Limits = .init(), logBytes: Int = WriteQueue.Limits().logBytes,
        maximumBulkRows: Int = DataStore.maximumBulkRows, prepare: (String) throws -> Void = { _ in },
        day: (@Sendable () -> Int64)? = nil
    ) throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "goop2-store-\(UUID())").path()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        path = folder + "/data.db"
        try prepare(path)
        var configuration = DataStore.Configuration(owner: owner)
        configuration.quota = quota
        configuration.ownerEmail = "owner@example.org"
        configuration.durability = .normal
        configuration.tablesLifetime = tablesLifetime
        configuration.writeLimits = writeLimits
        configuration.writeLimits.logBytes = logBytes
        configuration.maximumBulkRows = maximumBulkRows
        if let day { configuration.day = day }
        configuration.pause = { [interlude] step in await interlude.play(step) }
        store = try DataStore.open(path: path, configuration: configuration)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Performs a request that is written as JSON.
    @discardableResult
    func ask(_ text: String, as caller: DataCaller = .owner) async throws -> JSONValue {
        try await store.perform(
            DataRequest(json: JSONParser.parse(Array(text.utf8))), caller: caller)
    }

    /// The error of a request that must fail.
    func refusal(_ text: String, as caller: DataCaller = .owner) async -> DataError? {
        do {
            let value = try await ask(text, as: caller)
            Issue.record("\(text) gave \(String(decoding: JSONWriter.compact(value), as: UTF8.self))")
            return nil
        } catch {
            return error as? DataError
        }
    }

    /// The answer as text.
    func text(_ request: String, as caller: DataCaller = .owner) async throws -> String {
        String(decoding: JSONWriter.compact(try await ask(request, as: caller)), as: UTF8.self)
    }

    /// A classic table `notes(title, score, body)` under a policy.
    func makeNotes(policy: String = "open") async throws {
        try await ask(
            """
            {"op":"create-table","name":"notes","policy":"\(policy)","column_defs":[
             {"name":"title","type":"TEXT"},{"name":"score","type":"INTEGER"},{"name":"body","type":"BLOB"}]}
            """)
    }

    /// An ORM table with the four words of access.
    func makeORM(_ name: String, read: String, insert: String, update: String, delete: String) async throws {
        try await ask(
            """
            {"op":"create-table","name":"\(name)","column_defs":[
             {"name":"title","type":"text","required":true},{"name":"score","type":"integer"}],
             "access":{"read":"\(read)","insert":"\(insert)","update":"\(update)","delete":"\(delete)"}}
            """)
    }

    /// As many readers as Ada may have, held by her.
    func heldReaders() async -> [HeldReader] {
        var held: [HeldReader] = []
        for _ in 0..<ReadShares().readersPerVisitor {
            let reader = HeldReader(store, ada)
            await reader.begun()
            held.append(reader)
        }
        return held
    }

    /// Returns once so many reads wait.
    func readsWait(_ count: Int) async throws {
        while store.readers.waiting < count {
            try Task.checkCancellation()
            await Task.yield()
        }
    }
}

/// A read that keeps its reader until it is let go.
struct HeldReader {
    private let release: DispatchSemaphore
    private let task: Task<Void, Never>
    private let begins: AsyncStream<Void>

    init(_ store: DataStore, _ caller: DataCaller) {
        let release = DispatchSemaphore(value: 0)
        self.release = release
        let (begins, begin) = AsyncStream.makeStream(of: Void.self)
        self.begins = begins
        task = Task {
            _ = try? await store.readers.read(for: caller) { (_) throws(DataError) -> Void in
                begin.yield()
                // Not without end, so that the test ends when it fails.
                _ = release.wait(timeout: .now() + 30)
            }
        }
    }

    func begun() async { for await _ in begins { break } }

    func letGo() async {
        release.signal()
        await task.value
    }
}

/// What a test does between two steps of the store.
final class Interlude: Sendable {
    private let body = Mutex<(@Sendable (DataStore.Step) async -> Void)?>(nil)

    func set(_ body: (@Sendable (DataStore.Step) async -> Void)?) { self.body.withLock { $0 = body } }

    func play(_ step: DataStore.Step) async { await body.withLock { $0 }?(step) }
}

extension DataCaller {
    var id: String { peer?.base58 ?? "" }
}

extension JSONValue {
    subscript(name: String) -> JSONValue? { object?[name] }
}
