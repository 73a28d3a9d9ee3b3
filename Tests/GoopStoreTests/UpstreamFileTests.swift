import Foundation
import GRDB
import GoopCore
import PeerIdentity
import Testing

@testable import GoopStore

/// Files laid out as upstream makes them, from the peer wire reference, section 4.
@Suite(.timeLimit(.minutes(1))) struct UpstreamFileTests {
    /// What an old version made, and later ones migrated: columns that came later stand last, some are missing yet.
    private static func makeOldFile(_ path: String) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA journal_mode=WAL") }
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE _meta (key TEXT PRIMARY KEY, value TEXT);
                    INSERT INTO _meta VALUES ('template_tables', 'guests,poll');
                    CREATE TABLE _tables (created_at DATETIME DEFAULT CURRENT_TIMESTAMP, schema TEXT NOT NULL, name TEXT PRIMARY KEY);
                    ALTER TABLE _tables ADD COLUMN insert_policy TEXT DEFAULT 'owner';
                    CREATE TABLE _orm_schemas (table_name TEXT PRIMARY KEY, schema_json TEXT NOT NULL, created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
                    CREATE TABLE _peer_cache (peer_id TEXT PRIMARY KEY, addrs TEXT DEFAULT '[]', content TEXT DEFAULT '', last_seen DATETIME);
                    INSERT INTO _peer_cache (peer_id, content) VALUES ('12D3KooWold', 'Old friend');
                    CREATE TABLE _chat_messages (id INTEGER PRIMARY KEY AUTOINCREMENT, peer_id TEXT, from_id TEXT, content TEXT NOT NULL, ts INTEGER);
                    INSERT INTO _chat_messages (peer_id, from_id, content, ts) VALUES ('a', 'b', 'a secret', 1);
                    CREATE TABLE guests (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, name TEXT,
                        _owner_email TEXT DEFAULT '', _created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
                        _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP);
                    ALTER TABLE guests ADD COLUMN "text" TEXT;
                    INSERT INTO _tables (name, schema, insert_policy, created_at)
                        VALUES ('guests', 'CREATE TABLE guests', 'public', '2025-01-02 03:04:05');
                    INSERT INTO guests (_owner, name, "text", _created_at)
                        VALUES ('12D3KooWsomeone', 'Eve', 'first!', '2025-02-03T04:05:06Z');
                    CREATE TABLE poll (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '',
                        _created_at DATETIME DEFAULT CURRENT_TIMESTAMP, _updated_at DATETIME DEFAULT CURRENT_TIMESTAMP,
                        choice TEXT NOT NULL);
                    INSERT INTO _tables (name, schema, insert_policy) VALUES ('poll', 'CREATE TABLE poll', 'owner');
                    CREATE TABLE stray (a TEXT);
                    CREATE TABLE damaged (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '',
                        _created_at DATETIME, _updated_at DATETIME, a TEXT);
                    INSERT INTO _tables (name, schema, insert_policy) VALUES ('damaged', '', 'open'), ('gone', '', 'open'),
                        ('_chat_messages', '', 'open'), ('stray', '', 'open');
                    INSERT INTO _orm_schemas (table_name, schema_json) VALUES ('damaged', '{"access":{"insert":"loc');
                    """)
            try database.execute(
                sql: "INSERT INTO _orm_schemas (table_name, schema_json) VALUES ('poll', ?)",
                arguments: [
                    """
                    {"name":"poll","system_key":true,"columns":[{"name":"choice","type":"enum","required":true,
                     "values":[{"key":"tea","label":"Tea"},{"key":"coffee","label":"Coffee"}]}],
                     "access":{"read":"open","insert":"open","update":"owner","delete":"local"}}
                    """
                ])
        }
        try queue.close()
    }

    /// Keys of `_meta`, and what a page is told.
    @Test(arguments: [
        ([:] as [String: String], #"{"require_email":false}"#),
        (["template_require_email": "1"], #"{"require_email":true}"#),
        (
            [
                "template_require_email": "",
                "template_manifest":
                    #"{"name":"Survey","icon":"S","category":7,"schemas":["a"],"dir":"/x","require_email":true}"#,
            ],
            #"{"name":"Survey","icon":"S","require_email":false}"#
        ),
        (
            ["template_manifest": #"{"description":"d","require_email":true}"#],
            #"{"description":"d","require_email":true}"#
        ),
        (["template_manifest": #"{"name":"x""#, "template_require_email": "1"], #"{"require_email":true}"#),
        (
            ["template_manifest": #"{"name":"\#(String(repeating: "x", count: TemplateSettings.maximumBytes))"}"#],
            #"{"require_email":false}"#
        ),
    ])
    func visitorsAreToldTheTemplateAsUpstreamWroteIt(meta: [String: String], told: String) async throws {
        let fixture = try StoreFixture { path in
            try Self.makeOldFile(path)
            let queue = try DatabaseQueue(path: path)
            try queue.write { database in
                for (key, value) in meta {
                    try database.execute(sql: "INSERT INTO _meta VALUES (?, ?)", arguments: [key, value])
                }
            }
            try queue.close()
        }
        for caller in [fixture.ada, .owner] {
            #expect(try await fixture.text(#"{"op":"template"}"#, as: caller) == told)
        }
        await fixture.store.close()
    }

    @Test func anOldFileOpensIsQueriedAndSurvives() async throws {
        let fixture = try StoreFixture(prepare: Self.makeOldFile)
        #expect(
            try await fixture.text(#"{"op":"query","table":"guests"}"#, as: fixture.ada)
                == #"[{"_id":1,"_owner":"12D3KooWsomeone","name":"Eve","_owner_email":"","_created_at":"2025-02-03 04:05:06","#
                + #""_updated_at":"\#(try await today(fixture))","text":"first!"}]"#)
        let made = try await fixture.ask(
            #"{"op":"insert","table":"guests","data":{"name":"Ada","text":"hi"}}"#, as: fixture.ada)
        #expect(made["id"]?.int64 == 2)
        let row = try await fixture.ask(#"{"op":"query-one","table":"guests","where":"_id = 2"}"#)
        #expect(row["_owner"]?.string == fixture.ada.id && row["text"]?.string == "hi" && row["name"]?.string == "Ada")
        try await fixture.ask(#"{"op":"insert","table":"poll","data":{"choice":"tea"}}"#, as: fixture.ada)
        #expect(
            await fixture.refusal(#"{"op":"insert","table":"poll","data":{"choice":"milk"}}"#, as: fixture.ada)?.code
                == .badRequest)
        #expect(
            await fixture.refusal(#"{"op":"delete","table":"poll","id":1}"#, as: fixture.ada)?.message
                == "delete not allowed: table is local-only")
        for table in ["_chat_messages", "_peer_cache", "_meta", "stray", "gone", "_goop2_usage", "sqlite_sequence"] {
            #expect(
                await fixture.refusal(#"{"op":"query","table":"\#(table)"}"#, as: fixture.ada)?.code == .notFound,
                "\(table)")
        }
        // A schema that cannot be read must not open what it closed.
        #expect(
            await fixture.refusal(#"{"op":"insert","table":"damaged","data":{"a":"x"}}"#, as: fixture.ada)?.code
                == .refused)
        await fixture.store.close()

        // What upstream would find: its tables with every column, its rows untouched, and a whole file.
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.read { database in
            let columns = try String.fetchAll(database, sql: "SELECT name FROM pragma_table_info('_peer_cache')")
            #expect(
                columns.prefix(4) == ["peer_id", "addrs", "content", "last_seen"]
                    && Set(columns).isSuperset(of: ["email", "avatar_hash", "verified", "protocols", "public_key"]))
            #expect(try String.fetchOne(database, sql: "SELECT content FROM _chat_messages") == "a secret")
            #expect(
                try String.fetchOne(database, sql: "SELECT value FROM _meta WHERE key = 'template_tables'")
                    == "guests,poll")
            #expect(try Int.fetchOne(database, sql: "SELECT COUNT(*) FROM guests") == 2)
            #expect(
                try String.fetchOne(database, sql: "SELECT created_at FROM _tables WHERE name = 'guests'")
                    == "2025-01-02 03:04:05")
            #expect(try Int.fetchOne(database, sql: "PRAGMA user_version") == 0)
            for table in SystemTables.upstream {
                #expect(try database.tableExists(table.name), "\(table.name)")
            }
            #expect(try String.fetchAll(database, sql: "PRAGMA integrity_check") == ["ok"])
        }
        try queue.close()
        // And again: nothing is done twice.
        var configuration = DataStore.Configuration(owner: fixture.owner)
        configuration.durability = .normal
        let again = try DataStore.open(path: fixture.path, configuration: configuration)
        #expect(try await again.perform(DataRequest(op: .count, table: "guests"), caller: .owner)["count"]?.int64 == 2)
        await again.close()
    }

    /// Before upstream renamed `app_type`: it empties such tables, and drops `_peer_names`; here they keep what they have.
    @Test func theOldestTablesKeepTheirRows() async throws {
        let fixture = try StoreFixture { path in
            let queue = try DatabaseQueue(path: path)
            try queue.write { database in
                try database.execute(
                    sql: """
                        CREATE TABLE _groups (id TEXT PRIMARY KEY, name TEXT NOT NULL, app_type TEXT DEFAULT '',
                            max_members INTEGER DEFAULT 0, created_at DATETIME DEFAULT CURRENT_TIMESTAMP);
                        INSERT INTO _groups (id, name, app_type) VALUES ('g1', 'Old group', 'template');
                        CREATE TABLE _group_subscriptions (host_peer_id TEXT NOT NULL, group_id TEXT NOT NULL, group_name TEXT,
                            app_type TEXT, role TEXT DEFAULT 'member', PRIMARY KEY (host_peer_id, group_id));
                        INSERT INTO _group_subscriptions (host_peer_id, group_id, app_type) VALUES ('p', 'g1', 'template');
                        CREATE TABLE _peer_names (peer_id TEXT PRIMARY KEY, name TEXT);
                        INSERT INTO _peer_names VALUES ('p', 'Somebody');
                        """)
            }
            try queue.close()
        }
        #expect(try await fixture.text(#"{"op":"tables"}"#) == "[]")
        for table in ["_groups", "_group_subscriptions", "_peer_names"] {
            #expect(await fixture.refusal(#"{"op":"query","table":"\#(table)"}"#)?.code == .notFound)
        }
        await fixture.store.close()
        let queue = try DatabaseQueue(path: fixture.path)
        let kept = try await queue.read { database in
            try [
                "SELECT quote(name) || quote(app_type) || quote(group_type) || quote(roles) FROM _groups",
                "SELECT app_type FROM _group_subscriptions", "SELECT name FROM _peer_names",
            ].map { try String.fetchAll(database, sql: $0) }
        }
        #expect(kept == [["'Old group''template''''[]'"], ["template"], ["Somebody"]])
        try queue.close()
    }

    private func today(_ fixture: StoreFixture) async throws -> String {
        let queue = try DatabaseQueue(path: fixture.path)
        defer { try? queue.close() }
        return try await queue.read {
            try String.fetchOne($0, sql: "SELECT CAST(_updated_at AS TEXT) FROM guests WHERE _id = 1") ?? ""
        }
    }

    @Test func whatAnotherProgramChangesIsSeen() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.write { database in
            try database.execute(sql: "UPDATE _tables SET insert_policy = 'owner' WHERE name = 'notes'")
        }
        // The very next write: the writer looks whether somebody else has written.
        let error = await fixture.refusal(#"{"op":"insert","table":"notes","data":{"title":"x"}}"#, as: fixture.ada)
        #expect(error?.code == .refused)
        // A program that holds the file makes writers wait, and readers not.
        try await queue.writeWithoutTransaction { database in try database.execute(sql: "PRAGMA wal_checkpoint") }
        try queue.close()
        await fixture.store.close()
    }
}
