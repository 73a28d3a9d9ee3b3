import GoopCore
import Testing

@testable import GoopStore

/// What the Data room asks of a store: how much is where, unique columns, and columns under another name.
@Suite struct OverviewTests {
    @Test func tablesAreToldWithTheirRowsAndColumns() async throws {
        let fixture = try StoreFixture()
        try await fixture.ask(
            """
            {"op":"create-table","name":"notes","column_defs":[
             {"name":"text","type":"text","required":true,"unique":true},
             {"name":"mood","type":"enum","values":[{"key":"glad"},{"key":"sad"}],"default":"glad"}],
             "access":{"read":"open","insert":"open","update":"owner","delete":"local"}}
            """)
        try await fixture.makeORM("empty", read: "local", insert: "local", update: "local", delete: "local")
        for text in ["ä", "b"] {
            try await fixture.ask(
                "{\"op\":\"insert\",\"table\":\"notes\",\"data\":{\"text\":\"\(text)\"}}", as: fixture.ada)
        }
        let tables = try await fixture.store.overview()
        #expect(tables.map(\.name) == ["empty", "notes"] && tables[0].rows == 0 && tables[0].bytes == 0)
        // Two and one bytes, and twice "glad".
        #expect(tables[1].rows == 2 && tables[1].bytes == 11 && tables[1].hasSchema)
        #expect(tables[1].access.delete == .local && tables[1].columns.prefix(5).map(\.name) == DataName.systemColumns)
        let own = tables[1].columns.suffix(2)
        #expect(own.first == .init(name: "text", type: "text", isRequired: true, isUnique: true))
        #expect(own.last == .init(name: "mood", type: "enum", defaultValue: "glad", choices: ["glad", "sad"]))
    }

    @Test func visitorsAreToldInTheOrderOfWhatTheyFill() async throws {
        let fixture = try StoreFixture(quota: VisitorQuota(rows: 5, bytes: 1000, totalBytes: 5000))
        try await fixture.makeNotes()
        for (caller, text) in [(fixture.ada, "a"), (fixture.bob, "longer"), (fixture.bob, "b"), (.owner, "mine")] {
            try await fixture.ask(
                "{\"op\":\"insert\",\"table\":\"notes\",\"data\":{\"title\":\"\(text)\"}}", as: caller)
        }
        // A row counts 192 bytes beside its values, and the 15 of ada's e-mail.
        let all = try await fixture.store.visitors(most: 10)
        #expect(all.visitors.map(\.id) == [fixture.bob.id, fixture.ada.id] && all.count == 2)
        #expect(all.visitors.map(\.share) == [.init(rows: 2, bytes: 391), .init(rows: 1, bytes: 208)])
        #expect(all.total == .init(rows: 3, bytes: 599) && all.limit == .init(rows: 5, bytes: 1000))
        #expect(all.totalLimit == 5000)
        let one = try await fixture.store.visitors(most: 1)
        #expect(one.visitors.map(\.id) == [fixture.bob.id] && one.count == 2)
    }

    @Test(arguments: [true, false]) func aUniqueColumnTakesAValueOnce(isORM: Bool) async throws {
        let fixture = try StoreFixture()
        let access = isORM ? ",\"access\":{\"insert\":\"open\"}" : ",\"policy\":\"open\""
        try await fixture.ask(
            """
            {"op":"create-table","name":"notes"\(access),"column_defs":[
             {"name":"code","type":"text","unique":true},{"name":"note","type":"text"}]}
            """)
        let insert = "{\"op\":\"insert\",\"table\":\"notes\",\"data\":{\"code\":\"a\"}}"
        try await fixture.ask(insert, as: fixture.ada)
        #expect(await fixture.refusal(insert, as: fixture.bob)?.code == .conflict)
        // No value is no value twice.
        for _ in 0..<2 { try await fixture.ask("{\"op\":\"insert\",\"table\":\"notes\",\"data\":{\"note\":\"n\"}}") }
        // It stays so under other names, and a table of the old name can be made and be unique too.
        try await fixture.ask(
            "{\"op\":\"rename-column\",\"table\":\"notes\",\"old_name\":\"code\",\"new_name\":\"word\"}")
        try await fixture.ask("{\"op\":\"rename-table\",\"old_name\":\"notes\",\"new_name\":\"other\"}")
        let again = "{\"op\":\"insert\",\"table\":\"other\",\"data\":{\"word\":\"a\"}}"
        #expect(await fixture.refusal(again)?.code == .conflict)
        try await fixture.ask(
            "{\"op\":\"create-table\",\"name\":\"notes\"\(access),\"column_defs\":[{\"name\":\"code\",\"type\":\"text\",\"unique\":true}]}"
        )
        #expect(
            try await fixture.store.overview().map { $0.columns.filter(\.isUnique).map(\.name) } == [
                ["code"], ["word"],
            ])
        // Without the column there is nothing that could be equal.
        try await fixture.ask("{\"op\":\"drop-column\",\"table\":\"other\",\"column\":\"word\"}")
        try await fixture.ask("{\"op\":\"insert\",\"table\":\"other\",\"data\":{\"note\":\"n\"}}")
        // Equal values that are there already stand against it, and nothing has changed then.
        let add =
            "{\"op\":\"add-column\",\"table\":\"other\",\"column\":{\"name\":\"kind\",\"type\":\"text\",\"unique\":true}}"
        try await fixture.ask(add)
        #expect(try await fixture.store.integrityProblems() == [])
    }

    @Test func aColumnGetsAnotherName() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeORM("notes", read: "open", insert: "open", update: "open", delete: "open")
        try await fixture.ask("{\"op\":\"insert\",\"table\":\"notes\",\"data\":{\"title\":\"t\",\"score\":1}}")
        let rename = { (old: String, new: String) in
            "{\"op\":\"rename-column\",\"table\":\"notes\",\"old_name\":\"\(old)\",\"new_name\":\"\(new)\"}"
        }
        #expect(await fixture.refusal(rename("title", "name"), as: fixture.ada)?.code == .refused)
        for (old, new) in [("title", "score"), ("title", "_id"), ("_owner", "x"), ("none", "x"), ("title", "a b")] {
            #expect(await fixture.refusal(rename(old, new)) != nil, "\(old) \(new)")
        }
        try await fixture.ask(rename("TITLE", "name"))
        #expect(
            try await fixture.text("{\"op\":\"query\",\"table\":\"notes\",\"columns\":[\"name\",\"score\"]}")
                == "[{\"name\":\"t\",\"score\":1}]")
        // The schema knows it under the new name: it is still required.
        let refused = await fixture.refusal("{\"op\":\"insert\",\"table\":\"notes\",\"data\":{\"score\":1}}")
        #expect(refused?.message == "column name is required")
    }
}
