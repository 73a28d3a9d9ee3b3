import Testing

@testable import GoopCore

/// One form of each moment, however it was written.
@Suite struct TimeTextTests {
    @Test(arguments: [
        ("2026-01-31T10:00:00Z", "2026-01-31 10:00:00"), ("2026-01-31T10:00:00.120Z", "2026-01-31 10:00:00.12"),
        ("2026-01-31T10:00:00.000Z", "2026-01-31 10:00:00"), ("2026-01-31t10:00:00z", "2026-01-31 10:00:00"),
        ("2026-01-31 10:00", "2026-01-31 10:00:00"), ("2026-01-31 10:00:00.500", "2026-01-31 10:00:00.5"),
        ("2026-01-31T23:30:00-02:00", "2026-02-01 01:30:00"), ("2026-01-01T00:30+01:00", "2025-12-31 23:30:00"),
        ("2024-02-29T23:59:59.123456789Z", "2024-02-29 23:59:59.123456789"),
        ("2024-03-01T00:00:00+00:01", "2024-02-29 23:59:00"), ("9999-12-31T23:59:59Z", "9999-12-31 23:59:59"),
        ("0000-01-01T00:00:00Z", "0000-01-01 00:00:00"),
    ])
    func aMomentHasOneForm(written: String, stored: String) {
        #expect(TimeText.normalized(written) == stored)
        #expect(TimeText.normalized(stored) == stored)
        #expect(TimeText.compared(written) == stored)
    }

    /// No moment, or none of these years.
    @Test(arguments: [
        "", "soon", "2026-01-31", "2026-01-31T10:00", "2026-01-31T10:00:00", "2026-02-30T10:00:00Z",
        "2026-13-01T10:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T10:60:00Z", "2016-12-31T23:59:60Z",
        "2026-01-31T10:00:00.Z", "2026-01-31T10:00:00.1234567891Z", "2026-01-31T10:00:00+0200",
        "2026-01-31T10:00:00+24:00", "2026-01-31T10:00:00Z ", "２026-01-31T10:00:00Z", "9999-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00+00:01", "2026/01/31T10:00:00Z", "2026-01-31 10:00:00 and more", "2026-01-31_10:00:00Z",
    ])
    func everyOtherTextStaysAsItIs(text: String) { #expect(TimeText.normalized(text) == text) }

    @Test func theFormsOfOldAreKnown() {
        #expect(TimeText.automaticOfOld("2026-01-31 10:00:00") == "2026-01-31T10:00:00Z")
        for text in ["2026-01-31 10:00:00.5", "2026-01-31", "two thousand and 26", ""] {
            #expect(TimeText.automaticOfOld(text) == nil)
        }
        #expect(TimeText.compared("2026-01-31T10:00") == "2026-01-31 10:00")
        #expect(TimeText.compared("2026-01-31") == "2026-01-31")
        for type in ["DATETIME", "datetime", "Timestamp"] { #expect(TimeText.isTime(declaredType: type)) }
        for type in ["DATE", "TIME", "TEXT", "", "DATETIMES"] { #expect(!TimeText.isTime(declaredType: type)) }
    }

    private static let scope = QueryScope(columns: ["_created_at", "made", "name"], times: ["_created_at", "made"])

    private func condition(_ text: String, _ args: [QueryValue] = []) throws -> CompiledFragment {
        try QueryCompiler.condition(text, args: args, scope: Self.scope)
    }

    /// Only what a column of times is compared with is a time.
    @Test func textsBecomeTimesWhereTimesAreCompared() throws {
        let made = TimeText.sql(of: "\"made\"")
        let letter = QueryValue.text("2026-01-31T10:00:00.000Z")
        let shown = QueryValue.text("2026-01-31 10:00:00")
        #expect(try condition("made > ?", [letter]) == .init(sql: "(\(made) > ?)", bindings: [shown]))
        #expect(try condition("? <= made", [letter]) == .init(sql: "(? <= \(made))", bindings: [shown]))
        #expect(
            try condition("made BETWEEN ? AND '2026-02-01'", [letter])
                == .init(sql: "(\(made) BETWEEN ? AND ?)", bindings: [shown, .text("2026-02-01")]))
        #expect(
            try condition("NOT made IN (?, ?)", [letter, shown])
                == .init(sql: "(NOT \(made) IN (?, ?))", bindings: [shown, shown]))
        #expect(
            try condition("_created_at = ?", [letter]) == .init(sql: "(\"_created_at\" = ?)", bindings: [shown]),
            "SQLite's own times have the form already")
        for (text, args) in [
            ("\"name\" = ?", [letter]), ("\"made\" = ?", [.integer(5)]), ("\"made\" = ?", [.text("5")]),
            ("\"made\" LIKE ?", [letter]), ("\"made\" ISNULL", []), ("length(\"made\") = ?", [.integer(19)]),
        ] as [(String, [QueryValue])] {
            #expect(try condition(text, args) == .init(sql: "(\(text))", bindings: args), "\(text)")
        }
    }

    /// What is refused is named: the same nesting with another column is not too deep.
    @Test func aComparisonOfTimesTooDeepWithinOthersIsToldSo() throws {
        func nested(_ column: String) -> String {
            String(repeating: "name = 'x' AND (", count: 16) + "\(column) > ?" + String(repeating: ")", count: 16)
        }
        let moment = QueryValue.text("2026-01-31 10:00:00")
        #expect(throws: Never.self) { try condition(nested("name"), [moment]) }
        #expect(throws: QueryError.tooDeepForTimes(position: 0)) { try condition(nested("made"), [moment]) }
        #expect(QueryError.tooDeepForTimes(position: 0).description.contains("times"))
        // An earlier term is not to blame.
        let deep = String(repeating: "name OR name AND name = name < name + name * name || (", count: 5)
        #expect(throws: QueryError.tooDeep(position: 6, limit: QueryCompiler.Limit.depth)) {
            try QueryCompiler.order("made, \(deep)name\(String(repeating: ")", count: 5))", scope: Self.scope)
        }
    }

    @Test func ordersGroupsAndExtremesAreOfMoments() throws {
        let made = TimeText.sql(of: "\"made\"")
        #expect(try QueryCompiler.order("made DESC, name", scope: Self.scope).sql == "\(made) DESC, \"name\"")
        #expect(try QueryCompiler.order("_created_at", scope: Self.scope).sql == "\"_created_at\"")
        #expect(try QueryCompiler.columns("made, name", scope: Self.scope).sql == "\"made\", \"name\"")
        #expect(
            try QueryCompiler.columns(["name", "made"], scope: Self.scope, isCompared: true).sql == "\"name\", \(made)")
        var arguments = try QueryArguments([])
        let results = try QueryCompiler.results(
            "MAX(made) AS last, made", arguments: &arguments, scope: Self.scope)
        #expect(results.fragment.sql == "max(\(made)) AS \"last\", \(made) AS \"made\"")
        let order = try QueryCompiler.order("made", arguments: &arguments, scope: Self.scope, of: results)
        #expect(order.sql == "\"made\"", "the result, and not the column")
    }
}
