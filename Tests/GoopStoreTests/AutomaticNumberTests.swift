import GRDB
import GoopCore
import Testing

@testable import GoopStore

/// An automatic integer is the largest there is plus one, whoever changed the rows, and is found without reading the table.
@Suite(.timeLimit(.minutes(1))) struct AutomaticNumberTests {
    private static let insert = #"{"op":"insert","table":"tasks","data":{"note":"x"}}"#

    private func make(
        _ fixture: StoreFixture, number: String = #"{"name":"number","type":"integer","auto":true}"#
    ) async throws {
        try await fixture.ask(
            """
            {"op":"create-table","name":"tasks","column_defs":[\(number),{"name":"note","type":"text"}],
             "access":{"read":"open","insert":"open","update":"open","delete":"open"}}
            """)
    }

    /// The number that the next row gets.
    private func next(_ fixture: StoreFixture, as caller: DataCaller? = nil) async throws -> Int64? {
        let id = try await fixture.ask(Self.insert, as: caller ?? fixture.ada)["id"]?.int64 ?? 0
        return try await fixture.ask(#"{"op":"query-one","table":"tasks","where":"_id = \#(id)"}"#)["number"]?.int64
    }

    /// How SQLite would look for the largest number of a table's first own column.
    private func plan(_ path: String, of table: String = "tasks") async throws -> String {
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        return try await queue.read { database in
            let table = try Catalogue.load(database).table(table)
            let sql = AutomaticIndex.largest(of: table.columns[DataName.systemColumns.count].name, in: table)
            return try Row.fetchAll(database, sql: "EXPLAIN QUERY PLAN " + sql).map { $0["detail"] as String }
                .joined(separator: "; ")
        }
    }

    private func indexes(_ path: String) async throws -> [String] {
        let queue = try DatabaseQueue(path: path)
        defer { try? queue.close() }
        return try await queue.read {
            try String.fetchAll($0, sql: "SELECT name FROM sqlite_master WHERE name LIKE '\\_auto\\_%' ESCAPE '\\'")
        }
    }

    @Test func changesByHandCount() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        #expect(try await next(fixture) == 1)
        #expect(try await next(fixture) == 2)
        try await fixture.ask(#"{"op":"update","table":"tasks","id":1,"data":{"number":40}}"#)
        #expect(try await next(fixture) == 41)
        try await fixture.ask(#"{"op":"update-where","table":"tasks","where":"number > 9","data":{"number":7}}"#)
        #expect(try await next(fixture) == 8, "what was larger is not there any more")
        try await fixture.ask(#"{"op":"insert","table":"tasks","data":{"number":-5}}"#)
        #expect(try await next(fixture) == 9)
        try await fixture.ask(#"{"op":"update","table":"tasks","id":2,"data":{"number":9.5}}"#)
        #expect(try await next(fixture) == 11)
        try await fixture.ask(#"{"op":"update","table":"tasks","id":2,"data":{"number":9223372036854775807}}"#)
        #expect(await fixture.refusal(Self.insert, as: fixture.ada)?.code == .conflict)
        await fixture.store.close()
    }

    /// One row with the largest number there is would keep everybody from adding rows.
    @Test func aVisitorSetsNoNumber() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        let most = "9223372036854775807"
        for data in [#"{"number":\#(most),"note":"a"}"#, #"{"NUMBER":\#(most),"note":"a"}"#, #"{"number":"x"}"#] {
            try await fixture.ask(#"{"op":"insert","table":"tasks","data":\#(data)}"#, as: fixture.ada)
        }
        try await fixture.ask(
            #"{"op":"update","table":"tasks","id":1,"data":{"number":\#(most),"note":"b"}}"#, as: fixture.ada)
        try await fixture.ask(
            #"{"op":"update-where","table":"tasks","where":"1","data":{"Number":\#(most),"note":"b"}}"#, as: fixture.bob
        )
        try await fixture.ask(
            #"{"op":"upsert","table":"tasks","key_col":"note","data":{"number":\#(most),"note":"c"}}"#, as: fixture.bob)
        try await fixture.ask(
            #"{"op":"upsert","table":"tasks","key_col":"note","data":{"number":\#(most),"note":"c"}}"#, as: fixture.bob)
        let all = #"{"op":"query","table":"tasks","columns":["number","note"],"order":"_id"}"#
        #expect(
            try await fixture.text(all)
                == #"[{"number":1,"note":"b"},{"number":2,"note":"b"},{"number":3,"note":"b"},{"number":4,"note":"c"}]"#
        )
        // Alone it is nothing to change.
        let refused = await fixture.refusal(
            #"{"op":"update","table":"tasks","id":1,"data":{"number":9}}"#, as: fixture.ada)
        #expect(refused?.code == .badRequest)
        // A row is found by its number, and none is made with one.
        let upsert = #"{"op":"upsert","table":"tasks","key_col":"number","data":{"number":2,"note":"d"}}"#
        #expect(try await fixture.ask(upsert, as: fixture.ada)["id"]?.int64 == 2)
        let missing = await fixture.refusal(
            #"{"op":"upsert","table":"tasks","key_col":"number","data":{"number":\#(most),"note":"e"}}"#,
            as: fixture.ada)
        #expect(missing?.code == .refused)
        #expect(try await next(fixture) == 5)
        await fixture.store.close()
    }

    /// As upstream's: the number of a last row that was removed is given again, one in the middle is not.
    @Test func deletesCount() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        for number in 1...3 { #expect(try await next(fixture) == Int64(number)) }
        try await fixture.ask(#"{"op":"delete","table":"tasks","id":2}"#, as: fixture.ada)
        #expect(try await next(fixture) == 4)
        try await fixture.ask(#"{"op":"delete","table":"tasks","id":4}"#, as: fixture.ada)
        #expect(try await next(fixture) == 4)
        try await fixture.ask(#"{"op":"delete-where","table":"tasks","where":"1"}"#)
        #expect(try await next(fixture) == 1)
        await fixture.store.close()
    }

    @Test func whatWasTakenBackLeavesNoGap() async throws {
        let fixture = try StoreFixture(quota: VisitorQuota(rows: 1))
        try await make(fixture)
        #expect(try await next(fixture) == 1)
        // The row is in the table when its visitor's share turns out to be used up.
        #expect(await fixture.refusal(Self.insert, as: fixture.ada)?.code == .quota)
        #expect(
            await fixture.refusal(
                #"{"op":"insert","table":"tasks","data":{"number":99,"note":"x"}}"#, as: fixture.ada)?.code == .quota)
        #expect(try await next(fixture, as: fixture.bob) == 2)
        await fixture.store.close()
    }

    @Test func importsCount() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        let refused = try await fixture.store.insert(
            [
                ["note": "a"], ["number": .integer(20)], ["note": "b"], ["number": "no number"], ["other": "x"],
                ["note": "c"],
            ],
            into: "tasks")
        #expect(refused.map(\.index) == [3, 4])
        #expect(
            try await fixture.text(#"{"op":"pluck","table":"tasks","column":"number","order":"_id"}"#) == "[1,20,21,22]"
        )
        #expect(try await next(fixture) == 23)
        await fixture.store.close()
    }

    @Test func changesOfAnotherProgramCount() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        #expect(try await next(fixture) == 1)
        let queue = try DatabaseQueue(path: fixture.path)
        // Texts and BLOBs are larger than every number to SQLite; they are none.
        try await queue.write {
            try $0.execute(sql: "INSERT INTO tasks (_owner, number) VALUES ('x', 70), ('x', 'text'), ('x', x'ff')")
        }
        #expect(try await next(fixture) == 71)
        try await queue.write { try $0.execute(sql: "DELETE FROM tasks WHERE number > 1") }
        #expect(try await next(fixture) == 2)
        try queue.close()
        await fixture.store.close()
    }

    @Test func theTableIsNotReadForIt() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        #expect(try await plan(fixture.path).hasPrefix("SEARCH tasks USING COVERING INDEX _auto_tasks_number"))
        // Under other names too, and the column can go.
        try await fixture.ask(
            #"{"op":"rename-column","table":"tasks","old_name":"number","new_name":"place"}"#)
        try await fixture.ask(#"{"op":"rename-table","old_name":"tasks","new_name":"jobs"}"#)
        #expect(try await plan(fixture.path, of: "jobs").hasPrefix("SEARCH jobs USING COVERING INDEX"))
        #expect(try await indexes(fixture.path) == ["_auto_tasks_number"])
        try await fixture.ask(#"{"op":"drop-column","table":"jobs","column":"place"}"#)
        #expect(try await indexes(fixture.path) == [])
        // Another table of the old name, and a column that is added to it.
        try await make(fixture, number: #"{"name":"state","type":"text"}"#)
        #expect(try await indexes(fixture.path) == [])
        try await fixture.ask(
            #"{"op":"add-column","table":"tasks","column":{"name":"number","type":"integer","auto":true}}"#)
        #expect(try await indexes(fixture.path) == ["_auto_tasks_number"])
        #expect(try await next(fixture) == 1)
        await fixture.store.close()
    }

    @Test func aTableIsRenamedInItsLetterCaseOnly() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        #expect(try await next(fixture) == 1)
        for (old, new) in [("tasks", "Tasks"), ("TASKS", "TASKS"), ("tasks", "TASKS"), ("TASKS", "tasks")] {
            try await fixture.ask(#"{"op":"rename-table","old_name":"\#(old)","new_name":"\#(new)"}"#)
            let names = try await fixture.ask(#"{"op":"tables"}"#).array?.map { $0["name"]?.string }
            #expect(names == [new])
        }
        // Rows, schema, index and the next `_id` have come along.
        #expect(try await next(fixture) == 2)
        #expect(try await fixture.text(#"{"op":"pluck","table":"tasks","column":"_id","order":"_id"}"#) == "[1,2]")
        #expect(try await plan(fixture.path).hasPrefix("SEARCH tasks USING COVERING INDEX _auto_tasks_number"))
        // Another table's name stays taken, in any letter case.
        try await fixture.makeNotes()
        let taken = await fixture.refusal(#"{"op":"rename-table","old_name":"tasks","new_name":"Notes"}"#)
        #expect(taken?.code == .conflict)
        await fixture.store.close()
    }

    @Test func aUniqueColumnNeedsNoOtherIndex() async throws {
        let fixture = try StoreFixture()
        try await make(fixture, number: #"{"name":"number","type":"integer","auto":true,"unique":true}"#)
        #expect(try await indexes(fixture.path) == [])
        #expect(try await plan(fixture.path).hasPrefix("SEARCH tasks USING COVERING INDEX _unique_tasks_number"))
        #expect(try await next(fixture) == 1)
        await fixture.store.close()
    }

    @Test func aFileFromElsewhereGetsTheIndex() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        #expect(try await next(fixture) == 1)
        await fixture.store.close()
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.write { try $0.execute(sql: "DROP INDEX \"_auto_tasks_number\"") }
        try queue.close()
        #expect(try await plan(fixture.path).contains("SCAN"), "the plan can tell")
        let again = try DataStore.open(path: fixture.path, configuration: .init(owner: fixture.owner))
        #expect(try await indexes(fixture.path) == ["_auto_tasks_number"])
        await again.close()
    }

    @Test func anIndexThatCannotBeMadeKeepsNobodyFromChangingTables() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        try await fixture.makeNotes()
        await fixture.store.close()
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.write { database in
            // A collation that only another program has.
            try database.execute(sql: "DROP INDEX \"_auto_tasks_number\"; PRAGMA writable_schema = ON")
            try database.execute(
                sql: """
                    UPDATE sqlite_master SET sql = replace(sql, ', "note"', ' COLLATE elsewhere, "note"') WHERE name = 'tasks'
                    """)
            #expect(database.changesCount == 1)
        }
        try queue.close()
        let again = try DataStore.open(path: fixture.path, configuration: .init(owner: fixture.owner))
        let request = try DataRequest(
            json: JSONParser.parse(Array(#"{"op":"set-policy","table":"notes","policy":"owner"}"#.utf8)))
        _ = try await again.perform(request, caller: .owner)
        await again.close()
    }

    @Test func anIndexInAnotherOrderDoesNotServe() async throws {
        let fixture = try StoreFixture()
        try await make(fixture)
        await fixture.store.close()
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.write {
            try $0.execute(
                sql: "DROP INDEX \"_auto_tasks_number\"; CREATE INDEX other ON tasks (number COLLATE NOCASE)")
        }
        try queue.close()
        for _ in 0..<2 {
            let again = try DataStore.open(path: fixture.path, configuration: .init(owner: fixture.owner))
            #expect(try await indexes(fixture.path) == ["_auto_tasks_number"], "once, however often it is opened")
            await again.close()
        }
    }
}
