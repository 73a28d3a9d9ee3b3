import Foundation
import GRDB
import GoopCore
import Testing

@Suite struct QueryAttackTests {
    @Test func thereAreSixtyAndNoTwoAreTheSame() {
        #expect(QueryAttack.all.count >= 60)
        #expect(Set(QueryAttack.all.map(\.name)).count == QueryAttack.all.count)
    }

    @Test(arguments: QueryAttack.all)
    func theAttackIsRefusedOrSeesOnlyWhatItMay(attack: QueryAttack) throws {
        let world = try AttackedDatabase()
        let before = try world.contents()
        #expect(world.outcome(of: attack) == attack.outcome)
        #expect(try world.contents() == before, "\(attack.name) changed something")
    }

    /// What the compiler is for: the texts it refuses are worth refusing.
    @Test func withoutTheCompilerTheSameTextsDoHarm() throws {
        let world = try AttackedDatabase()
        for name in [
            "owner filter commented away", "owner filter in a block comment", "closes the parenthesis around it",
        ] {
            let attack = try #require(QueryAttack.all.first { $0.name == name })
            #expect(world.isHarmedWithoutCompiler(by: attack.text), "\(name)")
        }
    }

    /// A value of a megabyte against the most expensive patterns that are allowed, as many as are allowed.
    @Test func theWorstPatternThatIsAllowedEndsSoon() throws {
        let queue = try DatabaseQueue()
        try queue.write { database in
            try database.execute(sql: "CREATE TABLE t (a TEXT)")
            try database.execute(
                sql: "INSERT INTO t VALUES (?)", arguments: [String(repeating: "a", count: 1 << 20)])
        }
        let wild = QueryCompiler.Limit.wildcards
        let patterns = [
            String(repeating: "%a", count: wild) + "b", String(repeating: "%_a", count: wild) + "b",
            "%" + String(repeating: "_", count: QueryCompiler.Limit.patternBytes - 2) + "b",
            "%" + String(repeating: "a", count: QueryCompiler.Limit.patternBytes - 2) + "b",
            "%ab",
        ]
        for pattern in patterns {
            // A search is a column, LIKE, a placeholder, and an OR behind it.
            let most = min(
                QueryCompiler.Limit.searchBytes / pattern.utf8.count, QueryCompiler.Limit.parts / 4)
            let compiled = try QueryCompiler.condition(
                Array(repeating: "a LIKE ?", count: most).joined(separator: " OR "),
                args: Array(repeating: .text(pattern), count: most), scope: QueryScope(columns: ["a"]))
            let clock = ContinuousClock()
            let start = clock.now
            let found = try queue.read { database in
                try Int.fetchOne(
                    database, sql: "SELECT COUNT(*) FROM t WHERE \(compiled.sql)",
                    arguments: StatementArguments(compiled.bindings.map(\.forSQLite)))
            }
            #expect(found == 0)
            // It took 0.8 s at most where it was measured; without the limits it is minutes.
            #expect(clock.now - start < .seconds(60), "\(pattern)")
        }
    }

    /// A condition as deep as it may be fits into what is put around it.
    @Test func theDeepestTextsFitIntoTheirStatement() throws {
        let queue = try DatabaseQueue()
        try queue.write { try $0.execute(sql: "CREATE TABLE t (_id INTEGER PRIMARY KEY, _owner TEXT, a TEXT)") }
        let step = "a OR a AND a = a < a + a * a || "
        var accepted = 0
        for steps in 1...6 {
            for tail in 0...32 {
                let text =
                    String(repeating: step + "(", count: steps) + String(repeating: "(", count: tail) + "a"
                    + String(repeating: ")", count: steps + tail)
                guard let part = try? QueryCompiler.condition(text, scope: QueryScope(columns: ["a"])) else { continue }
                accepted += 1
                let own = try #require(CompiledFragment.rows(of: "me", where: part))
                _ = try queue.read { database in
                    try Row.fetchAll(
                        database, sql: "SELECT DISTINCT a FROM t WHERE \(own.sql) ORDER BY a LIMIT 1",
                        arguments: StatementArguments(own.bindings.map(\.forSQLite)))
                }
            }
        }
        #expect(accepted > 32)
    }

    /// A thread with a stack of 1 MiB reads (a debug build needs the most) the deepest texts that are allowed.
    @Test func theDeepestTextsNeedLittleStack() async {
        let scope = QueryScope(columns: ["a"])
        let texts = [
            String(repeating: "(", count: 32) + "a" + String(repeating: ")", count: 32),
            String(repeating: "a OR a AND a = a < a + a * a || (", count: 32) + "a" + String(repeating: ")", count: 32),
            "a" + String(repeating: "+a", count: 255), String(repeating: "NOT ", count: 32) + "a",
        ]
        let ended = await withCheckedContinuation { continuation in
            let thread = Thread {
                let results = texts.map { (try? QueryCompiler.condition($0, scope: scope)) != nil }
                continuation.resume(returning: results)
            }
            thread.stackSize = 1 << 20
            thread.start()
        }
        #expect(ended == [true, false, true, true])
    }
}

/// Two tables of one site: the attacked one, and one that must not be seen.
private struct AttackedDatabase {
    static let columns = ["_id", "_owner", "_owner_email", "_created_at", "_updated_at", "text", "score"]
    static let canary = "canary-7431"

    let queue: DatabaseQueue

    init() throws {
        queue = try DatabaseQueue()
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TABLE notes (_id INTEGER PRIMARY KEY AUTOINCREMENT, _owner TEXT NOT NULL, _owner_email TEXT DEFAULT '',
                        _created_at DATETIME, _updated_at DATETIME, text TEXT, score INTEGER);
                    CREATE TABLE secrets (key TEXT);
                    INSERT INTO secrets VALUES ('\(Self.canary)');
                    INSERT INTO notes (_owner, text, score) VALUES ('me', 'one', 1), ('me', 'two!', 2), ('me', 'three', NULL),
                        ('other', '\(Self.canary)', 9), ('other', '\(Self.canary)', 10);
                    """)
        }
    }

    func contents() throws -> [String] {
        try queue.read { database in
            try ["notes", "secrets", "sqlite_master"].flatMap {
                try Row.fetchAll(database, sql: "SELECT * FROM \($0)").map(\.description)
            }
        }
    }

    /// Runs the attack as the data engine runs a query: the text compiled, and tried on the sender's rows only.
    func outcome(of attack: QueryAttack) -> QueryAttack.Outcome? {
        let scope = QueryScope(columns: Self.columns)
        do {
            let rows: [Row]
            switch attack.place {
            case .condition:
                let part = try QueryCompiler.condition(attack.text, args: attack.arguments, scope: scope)
                let own = CompiledFragment.rows(of: "me", where: part)
                rows = try run("SELECT * FROM notes WHERE \(own?.sql ?? "") ORDER BY _id", own?.bindings ?? [])
            case .order:
                let part = try QueryCompiler.order(attack.text, scope: scope)
                rows = try run(
                    "SELECT * FROM notes WHERE \"_owner\" = ? ORDER BY \(part.sql)", [.text("me")] + part.bindings)
            case .resultOrder:
                var arguments = try QueryArguments(attack.arguments)
                let results = try QueryCompiler.results(
                    "COUNT(*) AS n, MAX(_id) AS _id", arguments: &arguments, scope: scope)
                let part = try QueryCompiler.order(attack.text, arguments: &arguments, scope: scope, of: results)
                rows = try run(
                    "SELECT \(results.fragment.sql) FROM notes WHERE \"_owner\" = ? ORDER BY \(part.sql)",
                    [.text("me")] + part.bindings)
            case .columns:
                let part = try QueryCompiler.columns(attack.text, scope: scope)
                rows = try run(
                    "SELECT \(part.sql) FROM notes WHERE \"_owner\" = ? ORDER BY _id", part.bindings + [.text("me")])
            case .expressions:
                let part = try QueryCompiler.expressions(attack.text, args: attack.arguments, scope: scope)
                rows = try run("SELECT \(part.sql) FROM notes WHERE \"_owner\" = ?", part.bindings + [.text("me")])
            }
            guard !rows.contains(where: { $0.description.contains(Self.canary) }) else {
                Issue.record("\(attack.name) saw what it must not see")
                return nil
            }
            return .harmless(rows.compactMap { $0["_id"] as Int64? }.sorted())
        } catch let error as QueryError {
            return .refused(error)
        } catch {
            Issue.record("\(attack.name) was accepted, and SQLite refused it: \(error)")
            return nil
        }
    }

    private func run(_ sql: String, _ values: [QueryValue]) throws -> [Row] {
        try queue.read { database in
            try Row.fetchAll(database, sql: sql, arguments: StatementArguments(values.map(\.forSQLite)))
        }
    }

    /// Pastes the text into the statement, as one should not.
    func isHarmedWithoutCompiler(by text: String) -> Bool {
        let sql = "SELECT text FROM notes WHERE (\(text)) AND _owner = 'me'"
        let loose = "SELECT text FROM notes WHERE \(text) AND _owner = 'me'"
        return [sql, loose].contains { sql in
            let texts = try? queue.read { try String.fetchAll($0, sql: sql) }
            return texts?.contains { $0.contains(Self.canary) } ?? false
        }
    }
}
