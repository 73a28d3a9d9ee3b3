import Testing

@testable import GoopCore

@Suite struct OrmSchemaTests {
    static let text = """
        {"name":"notes","system_key":true,"context":false,"later":7,
         "columns":[{"name":"text","type":"text","required":true},
                    {"name":"state","type":"enum","values":[{"key":"new","label":"New"},{"key":"old"}],"default":"new"},
                    {"name":"stamp","type":"datetime","auto":true},{"name":"score","type":"integer"}],
         "access":{"read":"open","insert":"group","update":"group","delete":"owner"},
         "roles":{"coauthor":{"read":true,"insert":true,"update":true},"viewer":{"read":true}}}
        """

    private func schema() throws -> OrmSchema { try OrmSchema(json: JSONParser.parse(Array(Self.text.utf8))) }

    @Test func aSchemaIsReadAndKeptAsItWas() throws {
        let schema = try schema()
        #expect(schema.columns.map(\.type.sqlType) == ["TEXT", "TEXT", "DATETIME", "INTEGER"])
        #expect(schema.access == TableAccess(read: .open, insert: .group, update: .group, delete: .owner))
        #expect(schema.roles?["coauthor"]?.actions == [.read, .insert, .update])
        #expect(schema.json == (try JSONParser.parse(Array(Self.text.utf8))))
    }

    @Test(arguments: [
        #"{"columns":[{"name":"a","type":"text","key":true}]}"#,
        #"{"name":"_x","columns":[{"name":"a","type":"text","key":true}]}"#,
        #"{"name":"x","columns":[]}"#, #"{"name":"x","system_key":true,"columns":[{"name":"","type":"text"}]}"#,
        #"{"name":"x","system_key":true,"columns":[{"name":"_id","type":"text"}]}"#,
        #"{"name":"x","system_key":true,"columns":[{"name":"a","type":"money"}]}"#,
        #"{"name":"x","system_key":true,"columns":[{"name":"a","type":"enum"}]}"#,
        #"{"name":"x","system_key":true,"columns":[{"name":"a","type":"text"},{"name":"A","type":"text"}]}"#,
        #"{"name":"x","columns":[{"name":"a","type":"text"}]}"#,
        #"{"name":"x","system_key":true,"columns":[{"name":"a","type":"text"}],"access":{"read":"world"}}"#,
    ]) func invalidSchemas(text: String) throws {
        let json = try JSONParser.parse(Array(text.utf8))
        let error = #expect(throws: DataError.self) { _ = try OrmSchema(json: json) }
        #expect(error?.code == .badRequest)
    }

    @Test func aNewRowIsFilledAndChecked() throws {
        let schema = try schema()
        let values = try schema.valuesForInsert(["text": "hi", "score": .null]) { _ in "2026-01-02T03:04:05Z" }
        #expect(values == ["text": "hi", "state": "new", "stamp": "2026-01-02T03:04:05Z"])
        for data: [String: JSONValue] in [
            [:], ["text": .null], ["text": .integer(5)], ["text": "x", "state": "other"], ["text": "x", "score": "5"],
        ] {
            #expect(throws: DataError.self, "\(data)") { _ = try schema.valuesForInsert(data) { _ in "x" } }
        }
    }

    @Test func changesAreCheckedToo() throws {
        let schema = try schema()
        try schema.checkUpdate(["text": "x", "state": "old", "score": .number("1.5"), "unknown": "x"])
        for data: [String: JSONValue] in [["text": .null], ["state": "none"], ["SCORE": "x"], ["text": .bool(true)]] {
            #expect(throws: DataError.self, "\(data)") { try schema.checkUpdate(data) }
        }
    }
}
