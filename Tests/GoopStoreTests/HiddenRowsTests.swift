import GRDB
import GoopCore
import Testing

@testable import GoopStore

/// Under the read policy `owner` nothing that a visitor asks tells what is in the rows of others.
@Suite(.timeLimit(.minutes(1))) struct HiddenRowsTests {
    /// A condition that fails for titles that begin with a letter, and holds for no row.
    private static func probe(_ letter: String) -> String {
        "CASE WHEN title LIKE '\(letter)%' THEN abs(-9223372036854775808 + 0 * _id) ELSE 0 END"
    }

    private static func requests(_ letter: String) -> [String] {
        let place = "\"table\":\"diary\",\"where\":\"\(probe(letter))\""
        return [
            "{\"op\":\"query\",\(place)}", "{\"op\":\"query\",\(place),\"order\":\"title\"}",
            "{\"op\":\"query-one\",\(place)}", "{\"op\":\"exists\",\(place)}", "{\"op\":\"count\",\(place)}",
            "{\"op\":\"pluck\",\(place),\"column\":\"title\"}", "{\"op\":\"distinct\",\(place),\"column\":\"title\"}",
            "{\"op\":\"aggregate\",\(place),\"expr\":\"MAX(title) AS m, COUNT(*) AS n\"}",
            "{\"op\":\"aggregate\",\(place),\"expr\":\"COUNT(*) AS n\",\"group_by\":\"title\",\"order\":\"n\"}",
            "{\"op\":\"update-where\",\(place),\"data\":{\"score\":7}}", "{\"op\":\"delete-where\",\(place)}",
            // What is sorted by and what is computed meets shown rows only.
            "{\"op\":\"query\",\"table\":\"diary\",\"columns\":[\"title\"],\"order\":\"\(probe(letter))\"}",
            "{\"op\":\"aggregate\",\"table\":\"diary\",\"expr\":\"SUM(\(probe(letter))) AS s\"}",
        ]
    }

    private enum Outcome: Equatable {
        case answer(String)
        case refused(DataError)
    }

    private static func outcome(_ fixture: StoreFixture, _ request: String) async throws -> Outcome {
        do {
            return .answer(try await fixture.text(request, as: fixture.ada))
        } catch let error as DataError {
            return .refused(error)
        }
    }

    @Test(arguments: [true, false]) func aConditionIsNotTriedOnThem(hasIndex: Bool) async throws {
        let fixture = try StoreFixture(tablesLifetime: .zero)
        try await fixture.makeORM("diary", read: "owner", insert: "open", update: "open", delete: "open")
        try await fixture.ask(#"{"op":"insert","table":"diary","data":{"title":"apple"}}"#, as: fixture.bob)
        try await fixture.ask(#"{"op":"insert","table":"diary","data":{"title":"mine"}}"#, as: fixture.ada)
        if !hasIndex {
            let queue = try DatabaseQueue(path: fixture.path)
            try await queue.write { try $0.execute(sql: "DROP INDEX \"_owner_diary\"") }
            try queue.close()
        }
        for (about, other) in zip(Self.requests("a"), Self.requests("b")) {
            let answers = (try await Self.outcome(fixture, about), try await Self.outcome(fixture, other))
            #expect(answers.0 == answers.1, "\(about)")
            // Two refusals would be the same, too.
            if case .refused(let error) = answers.0 { Issue.record("\(about): \(error)") }
        }
        // The condition does fail where the row is one's own.
        for request in Self.requests("m") {
            #expect(await fixture.refusal(request, as: fixture.ada)?.code == .invalidQuery, "\(request)")
        }
        #expect(try await fixture.text(#"{"op":"count","table":"diary"}"#) == #"{"count":2}"#)
        await fixture.store.close()
    }

    private static func indexes(_ path: String, plan: String? = nil) async throws -> [String] {
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        return try await queue.read { database in
            guard let plan else {
                return try String.fetchAll(
                    database,
                    sql: "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE '\\_owner%' ESCAPE '\\'")
            }
            return try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN \(plan)", arguments: ["a", "a"]).map {
                $0["detail"]
            }
        }
    }

    @Test func ownRowsAreFoundByAnIndex() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeORM("diary", read: "owner", insert: "open", update: "open", delete: "owner")
        try await fixture.makeORM("wiki", read: "open", insert: "open", update: "open", delete: "owner")
        #expect(try await Self.indexes(fixture.path) == ["_owner_diary"])
        let condition = CompiledFragment(sql: "(\"title\" LIKE 'a%')")
        let rows = try #require(CompiledFragment.rows(of: "a", where: condition))
        let plan = try await Self.indexes(
            fixture.path, plan: "SELECT * FROM \"diary\" WHERE \(rows.sql) ORDER BY \"score\"")
        #expect(plan.first?.contains("USING INDEX _owner_diary") == true, "\(plan)")
        try await fixture.ask(
            #"{"op":"set-policy","table":"wiki","access":{"read":"owner","insert":"open","update":"owner","delete":"owner"}}"#
        )
        #expect(try await Self.indexes(fixture.path).sorted() == ["_owner_diary", "_owner_wiki"])
        await fixture.store.close()
    }

    /// An upsert looks for its row on the one writer: of a table in which one changes one's own rows, at those only.
    @Test func theRowOfAnUpsertIsFoundByAnIndex() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeORM("board", read: "open", insert: "open", update: "owner", delete: "open")
        try await fixture.makeNotes()
        #expect(try await Self.indexes(fixture.path).sorted() == ["_owner_board", "_owner_notes"])
        for name in ["board", "notes"] {
            let table = try await fixture.store.catalogue().table(name)
            let plan = try await Self.indexes(
                fixture.path, plan: RowWriter.search(table, for: "title", scope: .ownRows))
            #expect(plan.first?.contains("USING INDEX _owner_\(name)") == true, "\(plan)")
        }
        await fixture.store.close()
    }

    @Test func anIndexThatCannotBeMadeKeepsNobodyFromChangingTables() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeORM("board", read: "open", insert: "open", update: "owner", delete: "open")
        try await fixture.makeNotes()
        await fixture.store.close()
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.write { database in
            // A collation that only another program has.
            try database.execute(
                sql: "DROP INDEX \"_owner_board\"; DROP INDEX \"_owner_notes\"; PRAGMA writable_schema = ON")
            try database.execute(
                sql: """
                    UPDATE sqlite_master SET sql = replace(sql, '"_owner" TEXT', '"_owner" TEXT COLLATE elsewhere')
                    WHERE name = 'board'
                    """)
            #expect(database.changesCount == 1)
        }
        try queue.close()
        let again = try DataStore.open(path: fixture.path, configuration: .init(owner: fixture.owner))
        let request = try DataRequest(
            json: JSONParser.parse(Array(#"{"op":"set-policy","table":"notes","policy":"owner"}"#.utf8)))
        _ = try await again.perform(request, caller: .owner)
        await again.close()
        #expect(try await Self.indexes(fixture.path) == ["_owner_notes"], "the others are made")
    }

    /// Another program's collation at the column that the index is to begin with, or no longer.
    private static func setCollation(_ isForeign: Bool, in path: String) async throws {
        var configuration = Configuration()
        // An open store may be at work on an index just then.
        configuration.busyMode = .timeout(10)
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try await queue.write { database in
            let words = ["\"_owner\" TEXT", "\"_owner\" TEXT COLLATE elsewhere"]
            try database.execute(sql: "PRAGMA writable_schema = ON")
            try database.execute(
                sql: "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE name = 'board'",
                arguments: isForeign ? [words[0], words[1]] : [words[1], words[0]])
            #expect(database.changesCount == 1)
            // Whoever has the file open reads its tables again.
            let version = try Int.fetchOne(database, sql: "PRAGMA schema_version") ?? 0
            try database.execute(sql: "PRAGMA schema_version = \(version + 1)")
        }
        try queue.close()
    }

    @Test func anIndexThatCannotBeMadeIsToldAndTriedAgainWhileItsTableWorks() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeORM("board", read: "open", insert: "open", update: "owner", delete: "open")
        try await fixture.makeORM("diary", read: "owner", insert: "open", update: "owner", delete: "owner")
        await fixture.store.close()
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.write { try $0.execute(sql: "DROP INDEX \"_owner_board\"; DROP INDEX \"_owner_diary\"") }
        try queue.close()
        try await Self.setCollation(true, in: fixture.path)
        let (told, tell) = AsyncStream.makeStream(of: [MissingIndex].self)
        var configuration = DataStore.Configuration(owner: fixture.owner)
        configuration.onMissingIndexes = { tell.yield($0) }
        configuration.indexPauses = .milliseconds(1) ... .milliseconds(10)
        let store = try DataStore.open(path: fixture.path, configuration: configuration)
        func ask(_ text: String) async throws -> JSONValue {
            try await store.perform(DataRequest(json: JSONParser.parse(Array(text.utf8))), caller: fixture.ada)
        }
        var changes = told.makeAsyncIterator()
        let missing = try #require(await changes.next())
        #expect(missing.map(\.table) == ["board"] && missing.map(\.column) == ["_owner"])
        #expect(missing.first?.reason.detail.contains("elsewhere") == true, "\(missing)")
        #expect(missing.first?.nextStep.contains("how the column is defined") == true)
        #expect(try await Self.indexes(fixture.path) == ["_owner_diary"])
        _ = try await ask(#"{"op":"insert","table":"board","data":{"title":"works"}}"#)
        #expect(try await ask(#"{"op":"count","table":"board"}"#)["count"]?.int64 == 1)
        try await Self.setCollation(false, in: fixture.path)
        #expect(await changes.next() == [], "and that it was made")
        #expect(try await Self.indexes(fixture.path).sorted() == ["_owner_board", "_owner_diary"])
        await store.close()
    }
}

/// When indexes that could not be made are tried again, and what is told of them.
struct IndexCareTests {
    private func missing(_ table: String, _ code: DataErrorCode = .full) -> MissingIndex {
        MissingIndex(table: table, column: "_owner", reason: DataError(code: code, message: "no"))
    }

    @Test func itIsTriedAgainEachTimeLaterAndToldOnce() {
        var care = IndexCare(pauses: .seconds(1) ... .seconds(5))
        var pauses: [Duration] = []
        for number in 0..<4 {
            let outcome = care.ended(care.began(), missing: [missing("a")])
            #expect((outcome.news != nil) == (number == 0))
            if let pause = outcome.retryAfter { pauses.append(pause) }
        }
        #expect(pauses == [.seconds(1), .seconds(2), .seconds(4), .seconds(5)])
        // Another reason, and then another table, are news.
        #expect(care.ended(care.began(), missing: [missing("a", .locked)]).news == [missing("a", .locked)])
        #expect(care.ended(care.began(), missing: [missing("a", .locked), missing("b")]).news?.count == 2)
        #expect(care.ended(care.began(), missing: []) == .init(news: [], retryAfter: nil))
        #expect(care.ended(care.began(), missing: []) == .init(), "nothing was missing, and nothing is")
        #expect(care.ended(care.began(), missing: [missing("a")]).retryAfter == .seconds(1))
    }

    @Test func whatCouldNotBeFoundOutIsLookedForAgain() {
        var care = IndexCare(pauses: .seconds(1) ... .seconds(5))
        #expect(care.ended(care.began(), missing: nil) == .init(news: nil, retryAfter: .seconds(1)))
        #expect(care.ended(care.began(), missing: []) == .init())
    }

    @Test func anEarlierRoundThatEndsLaterSaysNothing() {
        var care = IndexCare(pauses: .seconds(1) ... .seconds(5))
        let (first, second) = (care.began(), care.began())
        #expect(care.ended(second, missing: []) == .init())
        #expect(care.ended(first, missing: [missing("a")]) == .init())
    }

    @Test func whatIsInTheWayOfAllEndsTheRound() {
        let wanted = ["a", "b", "c"].map { WantedIndex(table: $0, column: "_owner", name: $0) }
        for (code, tries) in [(DataErrorCode.full, 1), (.locked, 1), (.busy, 1), (.unreachable, 1), (.conflict, 3)] {
            var tried = 0
            let missing = WantedIndex.make(wanted) { _ in
                tried += 1
                throw DataError(code: code, message: "no")
            }
            #expect(tried == tries && missing.map(\.table) == ["a", "b", "c"], "\(code)")
        }
    }
}
