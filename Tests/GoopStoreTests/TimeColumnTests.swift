import GRDB
import GoopCore
import Testing

@testable import GoopStore

/// Times in one form: what is shown is what is compared, in files of today and of upstream.
@Suite(.timeLimit(.minutes(1))) struct TimeColumnTests {
    private func makeVisits(_ fixture: StoreFixture) async throws {
        try await fixture.ask(
            """
            {"op":"create-table","name":"visits","column_defs":[
             {"name":"at","type":"datetime","auto":true},{"name":"word","type":"text"}],
             "access":{"read":"open","insert":"open","update":"open","delete":"open"}}
            """)
    }

    /// A table of upstream, with the two forms that it stores, and its own times.
    private func upstreamFile() throws -> StoreFixture {
        try StoreFixture { path in
            let queue = try DatabaseQueue(path: path)
            try queue.write { database in
                try database.execute(
                    sql: """
                        CREATE TABLE _tables (name TEXT PRIMARY KEY, schema TEXT NOT NULL DEFAULT '',
                            insert_policy TEXT DEFAULT 'owner', created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
                        CREATE TABLE visits (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL,
                            _owner_email TEXT DEFAULT '', _created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
                            _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, at DATETIME, word TEXT);
                        INSERT INTO _tables (name, insert_policy) VALUES ('visits', 'open');
                        INSERT INTO visits (_owner, at, word) VALUES
                            ('p', '2026-01-31T10:00:00Z', 'ten'), ('p', '2026-01-31 09:00:00', 'nine'),
                            ('p', '2026-01-31T11:00:00.500Z', 'eleven'), ('p', '2026-01-31 10:00:00', 'ten again'),
                            ('p', 1769853600, 'number'), ('p', NULL, 'never');
                        """)
            }
            try queue.close()
        }
    }

    private func words(_ fixture: StoreFixture, _ request: String) async throws -> [String] {
        try await fixture.ask(
            #"{"op":"pluck","table":"visits","column":"word",\#(request)}"#, as: fixture.ada
        ).array?.compactMap(\.string) ?? []
    }

    @Test func everyWayOfWritingAMomentIsStoredInOneForm() async throws {
        let fixture = try StoreFixture()
        try await makeVisits(fixture)
        for time in [
            "2026-01-31T10:00:00Z", "2026-01-31 10:00:00", "2026-01-31T10:00:00.000Z", "2026-01-31T12:00:00+02:00",
            "2026-01-31 10:00",
        ] {
            try await fixture.ask(#"{"op":"insert","table":"visits","data":{"at":"\#(time)"}}"#, as: fixture.ada)
        }
        try await fixture.ask(#"{"op":"insert","table":"visits","data":{"word":"by itself"}}"#)
        let stored = try await fixture.store.database.pool.read {
            try String.fetchAll($0, sql: "SELECT at FROM visits ORDER BY _id")
        }
        #expect(stored.prefix(5) == ArraySlice(Array(repeating: "2026-01-31 10:00:00", count: 5)))
        #expect(stored.last?.utf8.count == 19 && stored.last?.contains(" ") == true)
        // A value that was shown finds its row, and an upsert too.
        let shown = try await fixture.ask(#"{"op":"query-one","table":"visits","order":"_id"}"#)["at"]?.string
        #expect(shown == "2026-01-31 10:00:00")
        let count = #"{"op":"count","table":"visits","where":"at = ?","args":["2026-01-31 10:00:00"]}"#
        #expect(try await fixture.text(count) == #"{"count":5}"#)
        try await fixture.ask(
            #"{"op":"upsert","table":"visits","key_col":"at","data":{"at":"2026-01-31T11:00:00+01:00","word":"found"}}"#,
            as: fixture.ada)
        #expect(try await words(fixture, #""where":"word = 'found'""#) == ["found"])
        #expect(try await fixture.text(#"{"op":"count","table":"visits"}"#) == #"{"count":6}"#)
        // In a column of texts it is a text.
        try await fixture.ask(#"{"op":"update","table":"visits","id":1,"data":{"word":"2026-01-31T10:00:00Z"}}"#)
        #expect(try await words(fixture, #""where":"_id = 1""#) == ["2026-01-31T10:00:00Z"])
        await fixture.store.close()
    }

    @Test func aFractionIsKept() async throws {
        let fixture = try StoreFixture()
        try await makeVisits(fixture)
        try await fixture.ask(#"{"op":"insert","table":"visits","data":{"at":"2026-01-31T10:00:00.123Z"}}"#)
        let row = try await fixture.ask(#"{"op":"query-one","table":"visits"}"#)
        #expect(row["at"]?.string == "2026-01-31 10:00:00.123")
        // As an export and an import do.
        #expect(try await fixture.store.insert([["at": .string("2026-01-31 10:00:00.123")]], into: "visits").isEmpty)
        #expect(
            try await fixture.text(#"{"op":"distinct","table":"visits","column":"at"}"#)
                == #"["2026-01-31 10:00:00.123"]"#)
        await fixture.store.close()
    }

    @Test func aFileOfUpstreamComparesAndShowsMoments() async throws {
        let fixture = try upstreamFile()
        let order = #""order":"at, _id""#
        #expect(
            try await words(fixture, order) == ["never", "number", "nine", "ten", "ten again", "eleven"],
            "as SQLite puts what is none in front")
        for time in [
            "2026-01-31 10:00:00", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000Z", "2026-01-31T11:00:00+01:00",
        ] {
            let args = #""args":["\#(time)"]"#
            #expect(
                try await words(fixture, #""where":"at = ?",\#(args),\#(order)"#) == ["ten", "ten again"], "\(time)")
            #expect(try await words(fixture, #""where":"at > ?",\#(args),\#(order)"#) == ["eleven"], "\(time)")
            #expect(try await words(fixture, #""where":"? > at AND at > 2000000000",\#(args),\#(order)"#) == ["nine"])
            #expect(
                try await words(fixture, #""where":"at BETWEEN '2026-01-31' AND ?",\#(args),\#(order)"#)
                    == ["nine", "ten", "ten again"])
        }
        #expect(try await words(fixture, #""where":"at = 1769853600""#) == ["number"])
        #expect(try await words(fixture, #""where":"at = '1769853600'""#) == ["number"], "by the rules of the column")
        #expect(try await words(fixture, #""where":"at IS NULL""#) == ["never"])
        // Of a number, and not of the text '2026': by the rules of the column that is a number too, and so the row of one is above it.
        let visible = #""where":"at > 2000000000""#
        #expect(
            try await fixture.text(
                #"{"op":"distinct","table":"visits","column":"at",\#(visible)}"#, as: fixture.ada)
                == #"["2026-01-31 09:00:00","2026-01-31 10:00:00","2026-01-31 11:00:00.5"]"#)
        #expect(
            try await fixture.text(
                #"{"op":"aggregate","table":"visits","expr":"COUNT(*) AS n, MIN(at) AS first, MAX(at) AS last","where":"at > 2000000000"}"#,
                as: fixture.ada)
                == #"[{"n":4,"first":"2026-01-31 09:00:00","last":"2026-01-31 11:00:00.5"}]"#)
        #expect(
            try await fixture.text(
                #"{"op":"aggregate","table":"visits","expr":"COUNT(*) AS n","group_by":"at",\#(visible)}"#,
                as: fixture.ada)
                == #"[{"at":"2026-01-31 09:00:00","n":1},{"at":"2026-01-31 10:00:00","n":2},{"at":"2026-01-31 11:00:00.5","n":1}]"#
        )
        try await fixture.ask(#"{"op":"delete-where","table":"visits","where":"at = '2026-01-31T11:00:00.5Z'"}"#)
        try await fixture.ask(#"{"op":"delete","table":"visits","id":4}"#)
        #expect(try await words(fixture, order) == ["never", "number", "nine", "ten"])
        // Nothing else of the file was rewritten.
        func stored() async throws -> [String] {
            try await fixture.store.database.pool.read {
                try String.fetchAll($0, sql: "SELECT at FROM visits WHERE _id = 1")
            }
        }
        #expect(try await stored() == ["2026-01-31T10:00:00Z"])
        // An upsert finds the row of old, and writes today's form.
        try await fixture.ask(
            #"{"op":"upsert","table":"visits","key_col":"at","data":{"at":"2026-01-31T10:00:00Z","word":"found"}}"#)
        #expect(try await words(fixture, order) == ["never", "number", "nine", "found"])
        #expect(try await stored() == ["2026-01-31 10:00:00"])
        await fixture.store.close()
    }
}
