import GRDB

/// The tables that are not the user's: upstream's, with its names and columns, and ours.
///
/// A file that upstream made stays usable there: missing tables and columns are added, nothing is renamed or removed, and
/// columns are always addressed by name, because their order differs between files of different age.
/// Source: peer wire reference, section 4.
enum SystemTables {
    /// One column as it stands in CREATE TABLE and ALTER TABLE.
    struct Column {
        let name: String
        let definition: String

        init(_ name: String, _ definition: String) {
            self.name = name
            self.definition = definition
        }
    }

    /// One table.
    struct Table {
        let name: String
        let columns: [Column]
        var constraint = ""
    }

    private static let peerColumns = [
        Column("peer_id", "TEXT PRIMARY KEY"), Column("content", "TEXT DEFAULT ''"), Column("email", "TEXT DEFAULT ''"),
        Column("avatar_hash", "TEXT DEFAULT ''"), Column("video_disabled", "INTEGER DEFAULT 0"),
        Column("active_template", "TEXT DEFAULT ''"), Column("verified", "INTEGER DEFAULT 0"),
        Column("addrs", "TEXT DEFAULT '[]'"), Column("last_seen", "DATETIME"), Column("protocols", "TEXT DEFAULT '[]'"),
        Column("public_key", "TEXT DEFAULT ''"),
    ]

    /// Upstream's.
    static let upstream: [Table] = [
        Table(name: "_meta", columns: [Column("key", "TEXT PRIMARY KEY"), Column("value", "TEXT")]),
        Table(
            name: "_tables",
            columns: [
                Column("name", "TEXT PRIMARY KEY"), Column("schema", "TEXT NOT NULL DEFAULT ''"),
                Column("insert_policy", "TEXT DEFAULT 'owner'"),
                Column("created_at", "DATETIME DEFAULT CURRENT_TIMESTAMP"),
            ]),
        Table(
            name: "_orm_schemas",
            columns: [
                Column("table_name", "TEXT PRIMARY KEY"), Column("schema_json", "TEXT NOT NULL DEFAULT '{}'"),
                Column("created_at", "DATETIME DEFAULT CURRENT_TIMESTAMP"),
            ]),
        Table(
            name: "_groups",
            columns: [
                Column("id", "TEXT PRIMARY KEY"), Column("name", "TEXT NOT NULL DEFAULT ''"),
                Column("owner", "TEXT DEFAULT ''"), Column("group_type", "TEXT DEFAULT ''"),
                Column("group_context", "TEXT DEFAULT ''"), Column("max_members", "INTEGER DEFAULT 0"),
                Column("created_at", "DATETIME DEFAULT CURRENT_TIMESTAMP"), Column("host_joined", "INTEGER DEFAULT 0"),
                Column("volatile", "INTEGER DEFAULT 0"), Column("default_role", "TEXT DEFAULT 'viewer'"),
                Column("roles", "TEXT DEFAULT '[]'"),
            ]),
        Table(
            name: "_group_members",
            columns: [
                Column("group_id", "TEXT NOT NULL DEFAULT ''"), Column("peer_id", "TEXT NOT NULL DEFAULT ''"),
                Column("role", "TEXT DEFAULT 'viewer'"),
            ], constraint: "PRIMARY KEY (group_id, peer_id)"),
        Table(
            name: "_group_subscriptions",
            columns: [
                Column("host_peer_id", "TEXT NOT NULL DEFAULT ''"), Column("group_id", "TEXT NOT NULL DEFAULT ''"),
                Column("group_name", "TEXT DEFAULT ''"), Column("group_type", "TEXT DEFAULT ''"),
                Column("role", "TEXT DEFAULT 'member'"),
                Column("subscribed_at", "DATETIME DEFAULT CURRENT_TIMESTAMP"),
                Column("max_members", "INTEGER DEFAULT 0"), Column("volatile", "INTEGER DEFAULT 0"),
                Column("host_name", "TEXT DEFAULT ''"),
            ], constraint: "PRIMARY KEY (host_peer_id, group_id)"),
        Table(name: "_peer_cache", columns: peerColumns),
        Table(name: "_favorites", columns: peerColumns),
        Table(
            name: "_chat_messages",
            columns: [
                Column("id", "INTEGER PRIMARY KEY AUTOINCREMENT"), Column("peer_id", "TEXT NOT NULL DEFAULT ''"),
                Column("from_id", "TEXT NOT NULL DEFAULT ''"), Column("content", "TEXT NOT NULL DEFAULT ''"),
                Column("ts", "INTEGER NOT NULL DEFAULT 0"),
            ]),
        Table(
            name: "_cluster_jobs",
            columns: [
                Column("id", "TEXT PRIMARY KEY"), Column("group_id", "TEXT DEFAULT ''"),
                Column("type", "TEXT DEFAULT ''"),
                Column("mode", "TEXT DEFAULT 'oneshot'"), Column("payload", "TEXT DEFAULT '{}'"),
                Column("priority", "INTEGER DEFAULT 0"), Column("timeout_s", "INTEGER DEFAULT 0"),
                Column("max_retry", "INTEGER DEFAULT 0"), Column("status", "TEXT DEFAULT 'pending'"),
                Column("worker_id", "TEXT DEFAULT ''"), Column("result", "TEXT DEFAULT '{}'"),
                Column("error", "TEXT DEFAULT ''"), Column("progress", "INTEGER DEFAULT 0"),
                Column("progress_msg", "TEXT DEFAULT ''"), Column("retries", "INTEGER DEFAULT 0"),
                Column("created_at", "TEXT DEFAULT ''"), Column("started_at", "TEXT DEFAULT ''"),
                Column("done_at", "TEXT DEFAULT ''"), Column("elapsed_ms", "INTEGER DEFAULT 0"),
            ]),
    ]

    /// Our own steps, in order; each runs once, and is recorded in `_goop2_migrations`. Behind them all rows are counted anew.
    private static let migrations: [(name: String, body: @Sendable (Database) throws -> Void)] = [
        (
            "visitor-usage",
            { database in
                try database.execute(
                    sql: """
                        CREATE TABLE "_goop2_usage" (
                            peer_id TEXT PRIMARY KEY, row_count INTEGER NOT NULL, byte_count INTEGER NOT NULL)
                        """)
            }
        ),
        // Until then what a visitor added to another's row was the visitor's, and came back to whoever removed it.
        ("visitor-usage-by-owner", { _ in }),
        // Until then a row counted 64 bytes beside its values, and no e-mail; small rows took three times that in the file.
        ("visitor-usage-with-system-columns", { _ in }),
        (
            "row-growth",
            { database in
                try database.execute(
                    sql: """
                        CREATE TABLE "_goop2_growth" (
                            peer_id TEXT PRIMARY KEY, added INTEGER NOT NULL, day INTEGER NOT NULL,
                            received INTEGER NOT NULL)
                        """)
            }
        ),
    ]

    /// Brings a file, new or old, to what this version needs. One transaction: done as a whole, or not at all.
    static func prepare(_ database: Database) throws {
        try database.inTransaction(.immediate) {
            for table in upstream { try create(table, in: database) }
            try database.execute(
                sql: """
                    CREATE INDEX IF NOT EXISTS "_chat_messages_peer" ON "_chat_messages" (peer_id, ts DESC)
                    """)
            try database.execute(
                sql: """
                    CREATE TABLE IF NOT EXISTS "_goop2_migrations" (
                        name TEXT PRIMARY KEY, applied_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP)
                    """)
            let applied = try Set(String.fetchAll(database, sql: "SELECT name FROM \"_goop2_migrations\""))
            let missing = migrations.filter { !applied.contains($0.name) }
            for migration in missing {
                try migration.body(database)
                try database.execute(
                    sql: "INSERT INTO \"_goop2_migrations\" (name) VALUES (?)", arguments: [migration.name])
            }
            if !missing.isEmpty { try VisitorUsage.rebuild(in: database) }
            try RowGrowth.forgetPast(in: database)
            return .commit
        }
    }

    private static func create(_ table: Table, in database: Database) throws {
        let present = try String.fetchAll(
            database, sql: "SELECT lower(name) FROM pragma_table_info(?)", arguments: [table.name])
        guard !present.isEmpty else {
            var parts = table.columns.map { "\($0.name) \($0.definition)" }
            if !table.constraint.isEmpty { parts.append(table.constraint) }
            try database.execute(sql: "CREATE TABLE \"\(table.name)\" (\(parts.joined(separator: ", ")))")
            return
        }
        for column in table.columns where !present.contains(column.name) {
            // A column that is added later cannot be filled with the time of each row's making.
            let definition = column.definition.replacing(" DEFAULT CURRENT_TIMESTAMP", with: "")
            try database.execute(sql: "ALTER TABLE \"\(table.name)\" ADD COLUMN \(column.name) \(definition)")
        }
    }
}
