import Foundation
import GRDB
import GoopCore
import PeerIdentity
import Testing

@testable import GoopStore

/// What SQLite lets stand in a file and nobody expects: values of every kind in every column, names that are words of SQL,
/// views, triggers, generated columns. The file works, every row is shown, nothing of it is lost.
@Suite(.timeLimit(.minutes(1))) struct OddFileTests {
    private static func fill(_ path: String, _ sql: String) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode=WAL") }
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE _meta (key TEXT PRIMARY KEY, value TEXT);
                    CREATE TABLE _tables (name TEXT PRIMARY KEY, schema TEXT NOT NULL, insert_policy TEXT DEFAULT 'owner',
                        created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
                    CREATE TABLE _orm_schemas (table_name TEXT PRIMARY KEY, schema_json TEXT NOT NULL,
                        created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
                    """ + sql)
        }
        try queue.close()
    }

    /// A user table as upstream makes it.
    private static func table(_ name: String, _ columns: String, policy: String = "'open'") -> String {
        """
        CREATE TABLE "\(name)" (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '',
            _created_at DATETIME DEFAULT CURRENT_TIMESTAMP, _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP, \(columns));
        INSERT INTO _tables (name, schema, insert_policy) VALUES ('\(name)', 'CREATE TABLE \(name)', \(policy));

        """
    }

    @Test func everyKindOfValueInEveryColumnIsShownAndKept() async throws {
        let values = [
            "NULL", "7", "-9223372036854775808", "1.5", "9e999", "'text'", "''", "x'00ff41'", "x''", "'12'",
            "CAST(x'ff' AS TEXT)",
        ]
        let rows = values.map { value -> String in
            let owner = value == "NULL" ? "''" : value
            return """
                INSERT INTO odd (_owner, _owner_email, _created_at, _updated_at, a, b, c, d, e) VALUES
                    (\(owner), \(value), \(value), \(value), \(value), \(value), \(value), \(value), \(value));
                """
        }.joined(separator: "\n")
        let fixture = try StoreFixture { path in
            try Self.fill(
                path, Self.table("odd", "a TEXT, b INTEGER, c REAL, d BLOB, e DATETIME") + rows)
        }
        let before = try await Self.dump(fixture.path)
        for caller in [DataCaller.owner, fixture.ada] {
            let found = try await fixture.ask(#"{"op":"query","table":"odd","order":"_id"}"#, as: caller)
            #expect(found.array?.count == values.count)
            #expect(found.array?[5]["a"]?.string == "text" && found.array?[5]["e"]?.string == "text")
            #expect(found.array?[1]["b"]?.int64 == 7 && found.array?[0]["b"]?.isNull == true)
            // What was shown can be shown: it is JSON, and comes back the same.
            #expect(try JSONParser.parse(JSONWriter.compact(found)) == found)
        }
        // Conditions over mixed kinds are SQLite's; none fails.
        for condition in [
            "a = 'text'", "b > 3", "c < 2 OR d IS NULL", "length(a) >= 0", "e LIKE '%t%'", "_owner = 'text'",
        ] {
            _ = try await fixture.ask(#"{"op":"count","table":"odd","where":"\#(condition)"}"#, as: fixture.ada)
        }
        // A visitor's own row beside them, changed and removed; the others stay as they are, byte by byte.
        let made = try await fixture.ask(#"{"op":"insert","table":"odd","data":{"a":"mine","b":1}}"#, as: fixture.ada)
        let id = try #require(made["id"]?.int64)
        try await fixture.ask(#"{"op":"update","table":"odd","id":\#(id),"data":{"a":"changed"}}"#, as: fixture.ada)
        for other in 1...values.count {
            #expect(
                await fixture.refusal(#"{"op":"delete","table":"odd","id":\#(other)}"#, as: fixture.ada)?.code
                    == .refused)
        }
        try await fixture.ask(#"{"op":"delete","table":"odd","id":\#(id)}"#, as: fixture.ada)
        #expect(try await Self.dump(fixture.path) == before)
        // The owner changes one column of each; the odd values beside it stay.
        for row in 1...values.count {
            try await fixture.ask(#"{"op":"update","table":"odd","id":\#(row),"data":{"a":"x"}}"#)
        }
        try await fixture.ask(#"{"op":"delete-where","table":"odd","where":"_id > 2"}"#)
        #expect(try await fixture.text(#"{"op":"count","table":"odd"}"#) == #"{"count":2}"#)
        try await fixture.ask(#"{"op":"delete-table","table":"odd"}"#)
        await fixture.store.close()
    }

    /// Every value with its kind.
    private static func dump(_ path: String) async throws -> [String] {
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        return try await queue.read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT _id || quote(_owner) || quote(_owner_email) || quote(_created_at) || quote(_updated_at) || quote(a)
                        || quote(b) || quote(c) || quote(d) || quote(e) FROM odd ORDER BY _id
                    """)
        }
    }

    @Test func metadataOfTheWrongKindEndsNothing() async throws {
        let fixture = try StoreFixture { path in
            try Self.fill(
                path,
                Self.table("good", "a TEXT") + Self.table("blobpolicy", "a TEXT", policy: "x'6f70656e'")
                    + Self.table("nullpolicy", "a TEXT", policy: "NULL") + Self.table("numbered", "a TEXT", policy: "7")
                        + """
                        UPDATE _tables SET created_at = 1700000000 WHERE name = 'good';
                        INSERT INTO _tables (name, schema) VALUES (NULL, ''), (x'676f6f64', ''), (5, ''), ('', ''), ('no such', '');
                        INSERT INTO _orm_schemas (table_name, schema_json) VALUES (NULL, '{}'), ('numbered', x'ff'), (9, '{}'),
                            ('nullpolicy', 12);
                        """)
        }
        let tables = try await fixture.ask(#"{"op":"tables"}"#)
        #expect(tables.array?.compactMap { $0["name"]?.string } == ["blobpolicy", "good", "nullpolicy", "numbered"])
        // A word that is none opens nothing.
        for name in ["blobpolicy", "nullpolicy", "numbered"] {
            #expect(
                await fixture.refusal(#"{"op":"insert","table":"\#(name)","data":{"a":"x"}}"#, as: fixture.ada)?.code
                    == .refused, "\(name)")
            try await fixture.ask(#"{"op":"insert","table":"\#(name)","data":{"a":"x"}}"#)
        }
        try await fixture.ask(#"{"op":"insert","table":"good","data":{"a":"x"}}"#, as: fixture.ada)
        await fixture.store.close()
    }

    @Test func accountsOfTheWrongKindEndNothing() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.write { database in
            try database.execute(
                sql: """
                    INSERT INTO "_goop2_usage" VALUES (x'ff', 3, 3), ('words', 'many', 'more'), ('large', 1e300, 2.5)
                    """)
        }
        try queue.close()
        let shown = try await fixture.store.visitors(most: 10)
        #expect(Set(shown.visitors.map(\.id)) == ["words", "large"])
        await fixture.store.close()
    }

    @Test func namesThatAreWordsOfSQL() async throws {
        let columns = [
            "select", "from", "where", "order", "group", "table", "index", "limit", "rowid", "oid", "null", "A1_", "_x",
        ]
        let tables = ["order", "Select", "group", "T_\(String(repeating: "x", count: 62))"]
        let fixture = try StoreFixture { path in
            try Self.fill(
                path,
                tables.map { name -> String in
                    Self.table(name, columns.map { "\"\($0)\" TEXT" }.joined(separator: ", "))
                        + "INSERT INTO \"\(name)\" (_owner, \"select\", \"rowid\") VALUES ('x', 'old', 'r');"
                }.joined())
        }
        for table in tables {
            let data = JSONWriter.compact(
                .object(JSONObject(members: columns.filter { $0 != "_x" }.map { .init(name: $0, value: "v") })))
            try await fixture.ask(
                #"{"op":"insert","table":"\#(table)","data":\#(String(decoding: data, as: UTF8.self))}"#,
                as: fixture.ada)
            let rows = try await fixture.ask(
                #"{"op":"query","table":"\#(table)","where":"\"select\" = 'old' OR \"order\" = ?","args":["v"],"order":"\"limit\", _id"}"#,
                as: fixture.ada)
            #expect(rows.array?.count == 2, "\(table)")
            #expect(rows.array?.first?["rowid"]?.string == "r" && rows.array?.last?["group"]?.string == "v", "\(table)")
            try await fixture.ask(
                #"{"op":"update","table":"\#(table)","id":2,"data":{"from":"changed"}}"#, as: fixture.ada)
            #expect(
                try await fixture.text(#"{"op":"pluck","table":"\#(table)","column":"from","where":"_id = 2"}"#)
                    == #"["changed"]"#)
        }
        await fixture.store.close()
    }

    @Test func viewsTriggersIndexesAndGeneratedColumnsStandAndWork() async throws {
        let fixture = try StoreFixture { path in
            try Self.fill(
                path,
                Self.table(
                    "notes", "a TEXT, n INTEGER CHECK (n < 100), twice INTEGER GENERATED ALWAYS AS (n * 2) VIRTUAL")
                    + Self.table("log", "what TEXT")
                        + """
                        CREATE VIEW shown AS SELECT a FROM notes;
                        INSERT INTO _tables (name, schema, insert_policy) VALUES ('shown', '', 'open');
                        CREATE UNIQUE INDEX one_each ON notes (a);
                        CREATE TRIGGER logged AFTER INSERT ON notes BEGIN
                            INSERT INTO log (_owner, what) VALUES (new._owner, new.a); END;
                        CREATE TRIGGER guarded BEFORE INSERT ON notes WHEN new.a = 'bad' BEGIN
                            SELECT RAISE(ABORT, 'not that'); END;
                        CREATE TABLE unlisted (x); INSERT INTO unlisted VALUES (1);
                        INSERT INTO notes (_owner, a, n) VALUES ('x', 'first', 3);
                        """)
        }
        #expect(
            try await fixture.ask(#"{"op":"tables"}"#).array?.compactMap { $0["name"]?.string } == ["log", "notes"],
            "a view is no table, and what is not listed is nobody's business")
        let insert = { (a: String, n: Int) in #"{"op":"insert","table":"notes","data":{"a":"\#(a)","n":\#(n)}}"# }
        try await fixture.ask(insert("second", 5), as: fixture.ada)
        #expect(await fixture.refusal(insert("second", 6), as: fixture.ada)?.code == .conflict, "the unique index")
        #expect(await fixture.refusal(insert("third", 100), as: fixture.ada)?.code == .conflict, "the check")
        let refused = await fixture.refusal(insert("bad", 1), as: fixture.ada)
        #expect(refused?.code == .conflict && refused?.message == "not that", "the trigger")
        #expect(
            try await fixture.text(#"{"op":"pluck","table":"log","column":"what","order":"_id"}"#, as: fixture.bob)
                == #"["first","second"]"#)
        let rows = try await fixture.ask(#"{"op":"query","table":"notes","where":"_id = 2"}"#, as: fixture.bob)
        #expect(rows.array?.first?["n"]?.int64 == 5 && rows.array?.first?["twice"]?.int64 == 10)
        #expect(
            await fixture.refusal(#"{"op":"insert","table":"notes","data":{"a":"x","twice":1}}"#, as: fixture.ada)
                != nil)
        await fixture.store.close()
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.read { database in
            let kept = try String.fetchAll(
                database,
                sql:
                    "SELECT name FROM sqlite_master WHERE type IN ('view', 'trigger') OR name IN ('unlisted', 'one_each')"
            )
            #expect(Set(kept) == ["shown", "logged", "guarded", "unlisted", "one_each"])
            #expect(try Int.fetchOne(database, sql: "SELECT x FROM unlisted") == 1)
            #expect(try String.fetchAll(database, sql: "PRAGMA integrity_check") == ["ok"])
        }
        try queue.close()
    }

    @Test func anAutomaticNumberBesideTextsIsStillANumber() async throws {
        let fixture = try StoreFixture { path in
            try Self.fill(
                path,
                Self.table("items", "number INTEGER, note TEXT")
                    + """
                    INSERT INTO items (_owner, number) VALUES ('x', 4), ('x', 'not a number'), ('x', x'ff'), ('x', 6.5);
                    INSERT INTO _orm_schemas (table_name, schema_json) VALUES ('items', '{"name":"items","system_key":true,
                        "columns":[{"name":"number","type":"integer","auto":true},{"name":"note","type":"text"}],
                        "access":{"read":"open","insert":"open","update":"owner","delete":"owner"}}');
                    """)
        }
        try await fixture.ask(#"{"op":"insert","table":"items","data":{"note":"x"}}"#, as: fixture.ada)
        #expect(try await fixture.text(#"{"op":"pluck","table":"items","column":"number","where":"_id = 5"}"#) == "[8]")
        await fixture.store.close()
    }

    /// All the kinds of columns of the specification, classic and ORM, with defaults that are kept.
    @Test func everyDeclaredTypeAndDefault() async throws {
        let fixture = try StoreFixture { path in
            try Self.fill(
                path,
                Self.table(
                    "kinds",
                    """
                    t TEXT NOT NULL DEFAULT 'it''s', i INTEGER DEFAULT 42, r REAL DEFAULT 1.5, b BLOB, dt DATETIME
                    DEFAULT CURRENT_TIMESTAMP, d DATE, ti TIME, n NUMERIC, bo BOOLEAN DEFAULT 0, v VARCHAR(20), j JSON, none
                    """))
        }
        try await fixture.ask(
            #"{"op":"insert","table":"kinds","data":{"b":"bytes","d":"2026-01-02","n":"12","none":1}}"#, as: fixture.ada
        )
        let row = try await fixture.ask(#"{"op":"query-one","table":"kinds"}"#, as: fixture.bob)
        #expect(row["t"]?.string == "it's" && row["i"]?.int64 == 42 && row["bo"]?.int64 == 0 && row["none"]?.int64 == 1)
        #expect(row["d"]?.string == "2026-01-02" && row["n"]?.int64 == 12 && row["v"]?.isNull == true)
        let time = row["dt"]?.string ?? ""
        #expect(time.utf8.count == 19 && time.dropFirst(10).first == " ")
        let described = try await fixture.ask(#"{"op":"describe","table":"kinds"}"#, as: fixture.bob)
        #expect(described["columns"]?.array?.count == 17 && described["mode"]?.string == "classic")
        await fixture.store.close()
    }

    /// To SQLite names are bytes, of which A to Z have a second form; to Swift two of these are one text, and two one letter.
    @Test func columnsWhoseNamesLookTheSameAreTwo() async throws {
        let columns = [("\u{E9}", "one"), ("e\u{301}", "two"), ("\u{212A}", "three"), ("k", "four")]
        let fixture = try StoreFixture { path in
            let names = columns.map { "\"\($0.0)\"" }
            let values = columns.map { "'\($0.1)'" }.joined(separator: ", ")
            try Self.fill(
                path,
                Self.table("odd", names.map { $0 + " TEXT" }.joined(separator: ", "))
                    + "INSERT INTO odd (_owner, \(names.joined(separator: ", "))) VALUES ('', \(values));")
        }
        for (name, value) in columns {
            let found = try await fixture.ask(#"{"op":"pluck","table":"odd","column":"\#(name)"}"#, as: fixture.ada)
            #expect(found == .array([.string(value)]))
        }
        try await fixture.ask(#"{"op":"insert","table":"odd","data":{"K":"mine"}}"#, as: fixture.ada)
        let found = try await fixture.ask(#"{"op":"pluck","table":"odd","column":"k","order":"_id"}"#)
        #expect(found == .array(["four", "mine"]))
        await fixture.store.close()
    }
}
