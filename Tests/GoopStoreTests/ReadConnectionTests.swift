import Foundation
import GRDB
import GoopCore
import Testing

@testable import GoopStore

/// The walls behind the query grammar, with nothing of the grammar in front of them.
@Suite(.timeLimit(.minutes(1))) struct ReadConnectionTests {
    /// Statements that no request may become, and how each is refused.
    private static let attacks: [(sql: String, code: DataErrorCode)] = [
        (#"SELECT "key" FROM "secrets""#, .refused),
        (#"SELECT COUNT(*) FROM "secrets""#, .refused),
        ("SELECT * FROM sqlite_master", .refused),
        // What is no table and no action, SQLite calls an error of the text.
        ("SELECT * FROM pragma_table_info('secrets')", .invalidQuery),
        ("SELECT * FROM json_each('[1]')", .invalidQuery),
        (#"SELECT (SELECT "key" FROM "secrets") FROM "notes""#, .refused),
        (#"SELECT "title" FROM "notes" WHERE EXISTS (SELECT 1 FROM "secrets")"#, .refused),
        (#"SELECT "title" FROM "notes" JOIN "secrets""#, .refused),
        (#"WITH "notes" AS (SELECT "key" AS "title" FROM "secrets") SELECT "title" FROM "notes""#, .refused),
        (#"SELECT "title" FROM "notes" UNION ALL SELECT "key" FROM "secrets""#, .invalidQuery),
        ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n", .invalidQuery),
        ("PRAGMA user_version", .refused),
        ("PRAGMA query_only=OFF", .refused),
        (#"INSERT INTO "notes" ("_owner", "title") VALUES ('', 'x')"#, .refused),
        (#"UPDATE "notes" SET "title" = 'x'"#, .refused),
        (#"DELETE FROM "notes""#, .refused),
        (#"DROP TABLE "notes""#, .refused),
        ("CREATE TEMP TABLE mine (a)", .refused),
        ("BEGIN IMMEDIATE", .refused),
        (#"SELECT "title" FROM "notes"; SELECT "title" FROM "notes""#, .refused),
        (#"SELECT "title" FROM "notes"; DELETE FROM "notes""#, .refused),
        (#"SELECT randomblob(9) FROM "notes""#, .invalidQuery),
        (#"SELECT zeroblob(1000000000) FROM "notes""#, .invalidQuery),
        (#"SELECT load_extension('x') FROM "notes""#, .invalidQuery),
        ("SELECT sqlite_version()", .invalidQuery),
    ]

    private static let rows = 200
    private static let bodyBytes = 1000

    /// A table with rows, and one that must not be seen.
    private func fixture() async throws -> StoreFixture {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        try await fixture.store.database.pool.writeWithoutTransaction { database in
            try database.execute(
                sql: """
                    WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < \(Self.rows))
                    INSERT INTO notes (_owner, title, score, body)
                    SELECT '', 'row ' || x, x, zeroblob(\(Self.bodyBytes)) FROM n
                    """)
            try database.execute(sql: "CREATE TABLE secrets (\"key\" TEXT)")
            try database.execute(sql: "INSERT INTO secrets VALUES ('canary')")
        }
        return fixture
    }

    private func contents(_ fixture: StoreFixture) async throws -> [String] {
        try await fixture.store.database.pool.read { database in
            var lines: [String] = []
            for sql in ["SELECT * FROM sqlite_master", "SELECT * FROM notes", "SELECT * FROM secrets"] {
                for row in try Row.fetchAll(database, sql: sql) { lines.append(row.description) }
            }
            return lines
        }
    }

    /// The error of a statement that must fail.
    private func refusal(
        _ sql: String, _ connection: ReadConnection, _ table: TableInfo,
        _ limits: ReadConnection.Limits = DataStore.visitorLimits
    ) -> DataError? {
        do throws(DataError) {
            _ = try connection.rows(CompiledFragment(sql: sql), table: table, limits: limits, isOwner: false)
            return nil
        } catch {
            return error
        }
    }

    @Test func whatIsMoreThanOneTablesRowsIsRefused() async throws {
        let fixture = try await fixture()
        let notes = try await fixture.store.catalogue().table("notes")
        let connection = try ReadConnection(path: fixture.path)
        let other = fixture.folder + "/other.db"
        let before = try await contents(fixture)
        for attack in Self.attacks + [(sql: "ATTACH '\(other)' AS other", code: DataErrorCode.refused)] {
            let error = refusal(attack.sql, connection, notes)
            #expect(error?.code == attack.code, "\(attack.sql): \(String(describing: error))")
            #expect(error?.description.contains("secrets") != true, "a visitor hears nothing of other tables")
        }
        #expect(try await contents(fixture) == before)
        #expect(!FileManager.default.fileExists(atPath: other))
        // It is no connection that refuses everything.
        let all = CompiledFragment(sql: "SELECT \"title\" FROM \(notes.quoted)")
        let found = try connection.rows(all, table: notes, limits: DataStore.visitorLimits, isOwner: false)
        #expect(found.rows.count == Self.rows && found.rows.first == ["row 1"])
        await fixture.store.close()
    }

    /// SQLite asks whether a statement may be only when it is made.
    @Test func aStatementThatIsKeptForItsTableServesNoOther() async throws {
        let fixture = try await fixture()
        let notes = try await fixture.store.catalogue().table("notes")
        let secrets = TableInfo(name: "secrets", insertPolicy: "owner", createdAt: "", columns: [], schema: nil)
        let connection = try ReadConnection(path: fixture.path)
        let sql = #"SELECT "key" FROM "secrets""#
        for _ in 1...2 {
            #expect(refusal(sql, connection, secrets) == nil)
            #expect(refusal(sql, connection, notes)?.code == .refused)
        }
        await fixture.store.close()
    }

    /// Eight million rounds without a pattern, whose own look at the clock would end it too.
    @Test func aJoinWithoutEndEndsInTime() async throws {
        let fixture = try await fixture()
        let notes = try await fixture.store.catalogue().table("notes")
        let connection = try ReadConnection(path: fixture.path)
        var limits = DataStore.visitorLimits
        limits.time = .milliseconds(1)
        let join = #"SELECT COUNT(*) FROM "notes" a, "notes" b, "notes" c"#
        #expect(refusal(join, connection, notes, limits)?.code == .tooSlow)
        // The next question has a time of its own.
        #expect(refusal(#"SELECT "title" FROM "notes" LIMIT 1"#, connection, notes) == nil)
        await fixture.store.close()
    }

    @Test func rowsBytesAndValuesAreBounded() async throws {
        let fixture = try await fixture()
        let notes = try await fixture.store.catalogue().table("notes")
        let connection = try ReadConnection(path: fixture.path)
        let sql = #"SELECT "body" FROM "notes""#
        var limits = DataStore.visitorLimits
        limits.rows = Self.rows
        #expect(refusal(sql, connection, notes, limits) == nil)
        limits.rows = Self.rows - 1
        #expect(refusal(sql, connection, notes, limits)?.code == .tooLarge)

        limits = DataStore.visitorLimits
        limits.bytes = Self.rows * Self.bodyBytes
        #expect(refusal(sql, connection, notes, limits)?.code == .tooLarge, "names count too")
        limits.bytes = Self.bodyBytes - 1
        #expect(refusal(sql + " LIMIT 1", connection, notes, limits)?.code == .tooLarge)

        limits = DataStore.visitorLimits
        let long = #"SELECT "body" || "body" FROM "notes" LIMIT 1"#
        #expect(refusal(long, connection, notes, limits) == nil)
        limits.valueBytes = 2 * Self.bodyBytes - 1
        #expect(refusal(long, connection, notes, limits)?.code == .tooLarge)
        await fixture.store.close()
    }
}
