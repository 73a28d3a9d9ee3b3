import Foundation
import GRDB
import GoopCore
import PeerIdentity
import Testing

@testable import GoopStore

@Suite struct SiteDatabaseTests {
    @Test(arguments: [(SiteDatabase.Durability.full, 2), (.normal, 1)])
    func aNewDatabaseIsInWALModeWithTheDurabilityAskedFor(
        durability: SiteDatabase.Durability, level: Int
    ) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "goop2-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try SiteDatabase(path: folder.appending(path: "data.db").path(), durability: durability)
        defer { try? database.close() }
        let found = try database.pool.write { database in
            (
                try String.fetchOne(database, sql: "PRAGMA journal_mode"),
                try Int.fetchOne(database, sql: "PRAGMA synchronous"),
                try Int.fetchOne(database, sql: "PRAGMA trusted_schema")
            )
        }
        #expect(found.0 == "wal" && found.1 == level && found.2 == 0)
    }

    /// Also after the pool has read, on a connection that only reads and closes last: people copy files without their logs.
    @Test func whatWasWrittenIsInTheFileItselfOnceItIsClosed() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "goop2-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "data.db").path()
        let database = try SiteDatabase(path: path)
        try await database.pool.write { try $0.execute(sql: "CREATE TABLE notes AS SELECT 'kept' AS text") }
        let read = try await database.pool.read { try String.fetchAll($0, sql: "SELECT text FROM notes") }
        #expect(read == ["kept"])
        try database.close()
        let copy = folder.appending(path: "copy.db").path()
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        let queue = try DatabaseQueue(path: copy)
        #expect(try await queue.read { try String.fetchAll($0, sql: "SELECT text FROM notes") } == ["kept"])
        try queue.close()
    }

    @Test func aFileThatIsNoDatabaseIsRefusedAndLeftAsItIs() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "goop2-\(UUID())")
        try Data(repeating: 7, count: 4096).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        #expect(throws: DatabaseError.self) { _ = try SiteDatabase(path: file.path()) }
        #expect(try Data(contentsOf: file) == Data(repeating: 7, count: 4096))
    }

    /// As when the disk that the link leads to is not mounted: an empty database there would look like a loss.
    @Test(arguments: ["data.db", "elsewhere.db"]) func aLinkThatLeadsNowhereBecomesNoNewDatabase(target: String) throws
    {
        let folder = FileManager.default.temporaryDirectory.appending(path: "goop2-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.path() + "/data.db"
        try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
        let error = #expect(throws: DataError.self) {
            _ = try DataStore.open(path: path, configuration: .init(owner: PrivateKey.generate().peerID))
        }
        #expect(error?.code == .internalFailure, "\(String(describing: error))")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path()) == ["data.db"])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: path) == target)
    }
}
