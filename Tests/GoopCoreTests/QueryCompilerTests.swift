import GoopTestKit
import Testing

@testable import GoopCore

private let scope = QueryScope(columns: ["a", "b", "c", "Group", "odd name", "say \"hi\"", "_id", "müll"])

/// The error that a body throws, nil if it throws none.
private func error(_ body: () throws(QueryError) -> some Any) -> QueryError? {
    do {
        _ = try body()
        return nil
    } catch {
        return error
    }
}

/// What a condition becomes, without the parentheses around it.
private func compiled(_ text: String, _ args: [QueryValue] = []) throws -> CompiledFragment {
    var fragment = try QueryCompiler.condition(text, args: args, scope: scope)
    #expect(fragment.sql.hasPrefix("(") && fragment.sql.hasSuffix(")"))
    fragment.sql = String(fragment.sql.dropFirst().dropLast())
    return fragment
}

@Suite struct QueryCompilerTests {
    @Test(arguments: [
        // Comparisons, in SQLite's two spellings.
        ("a = 1", #""a" = ?"#, [QueryValue.integer(1)]), ("a==1", #""a" = ?"#, [.integer(1)]),
        ("a <> b", #""a" <> "b""#, []), ("a != b", #""a" <> "b""#, []), ("a<b", #""a" < "b""#, []),
        ("a<=b", #""a" <= "b""#, []), ("a>b", #""a" > "b""#, []), ("a>=b", #""a" >= "b""#, []),
        ("a IS b", #""a" IS "b""#, []), ("a is not b", #""a" IS NOT "b""#, []),
        ("a IS NOT NULL", #""a" IS NOT NULL"#, []), ("a IS TRUE", #""a" IS TRUE"#, []),
        // Truth, with the strength of SQLite.
        ("a OR b AND c", #""a" OR "b" AND "c""#, []), ("(a OR b) AND c", #"("a" OR "b") AND "c""#, []),
        ("NOT a = b", #"NOT "a" = "b""#, []), ("(NOT a) = b", #"(NOT "a") = "b""#, []),
        ("a = NOT b", #""a" = (NOT "b")"#, []), ("not not a", #"NOT NOT "a""#, []),
        ("a = b = c", #""a" = "b" = "c""#, []), ("a = (b = c)", #""a" = ("b" = "c")"#, []),
        ("a < b = c", #""a" < "b" = "c""#, []), ("a < (b = c)", #""a" < ("b" = "c")"#, []),
        // Predicates.
        ("a ISNULL", #""a" ISNULL"#, []), ("a NOTNULL", #""a" NOTNULL"#, []), ("a NOT NULL", #""a" NOTNULL"#, []),
        ("a BETWEEN 1 AND 2 AND c", #""a" BETWEEN ? AND ? AND "c""#, [.integer(1), .integer(2)]),
        ("a NOT BETWEEN b AND c", #""a" NOT BETWEEN "b" AND "c""#, []),
        ("a IN (1, 'x', b)", #""a" IN (?, ?, "b")"#, [.integer(1), .text("x")]),
        ("a NOT IN (1)", #""a" NOT IN (?)"#, [.integer(1)]), ("a IN ()", #""a" IN ()"#, []),
        ("a LIKE 'x%'", #""a" LIKE ?"#, [.text("x%")]), ("a NOT LIKE 'x'", #""a" NOT LIKE ?"#, [.text("x")]),
        ("a GLOB '[a-c]*'", #""a" GLOB ?"#, [.text("[a-c]*")]),
        (#"a LIKE '10\%' ESCAPE '\'"#, #""a" LIKE ? ESCAPE ?"#, [.text(#"10\%"#), .text(#"\"#)]),
        ("a LIKE '%' || LOWER('Ab') || 7", #""a" LIKE ?"#, [.text("%ab7")]), ("a LIKE NULL", #""a" LIKE ?"#, [.null]),
        // Arithmetic.
        ("a + b * c", #""a" + "b" * "c""#, []), ("(a + b) * c", #"("a" + "b") * "c""#, []),
        ("a - (b - c)", #""a" - ("b" - "c")"#, []), ("a - b - c", #""a" - "b" - "c""#, []),
        ("a % b / c", #""a" % "b" / "c""#, []), ("a || b || c", #""a" || "b" || "c""#, []),
        ("-a", #"-"a""#, []), ("- - a", #"-(-"a")"#, []), ("+a", #"+"a""#, []), ("a - -b", #""a" - -"b""#, []),
        ("a = -5", #""a" = ?"#, [.integer(-5)]), ("a = -2.5", #""a" = ?"#, [.real(-2.5)]),
        ("-a || b", #"-"a" || "b""#, []), ("-(a || b)", #"-("a" || "b")"#, []),
        ("-a COLLATE nocase", #"-"a" COLLATE NOCASE"#, []), ("a || b COLLATE RTRIM", #""a" || "b" COLLATE RTRIM"#, []),
        // Values.
        ("9223372036854775807", "?", [.integer(.max)]), ("-9223372036854775808", "?", [.integer(.min)]),
        ("9223372036854775808", "?", [.real(9_223_372_036_854_775_808)]), ("007", "?", [.integer(7)]),
        ("1.5", "?", [.real(1.5)]), (".5", "?", [.real(0.5)]), ("5.", "?", [.real(5)]), ("1e3", "?", [.real(1000)]),
        ("5.e-1", "?", [.real(0.5)]), ("1E+2", "?", [.real(100)]), ("9e999", "?", [.real(.infinity)]),
        ("'it''s'", "?", [.text("it's")]), ("''", "?", [.text("")]), ("''''", "?", [.text("'")]),
        ("x'00fF'", "?", [.blob([0, 255])]), ("X''", "?", [.blob([])]), ("NULL", "NULL", []), ("true", "TRUE", []),
        ("current_timestamp", "CURRENT_TIMESTAMP", []), ("'🦢'", "?", [.text("🦢")]),
        // Names: folded as SQLite does, in the table's spelling.
        ("A", #""a""#, []), (#""a""#, #""a""#, []), ("`a`", #""a""#, []), ("[odd name]", #""odd name""#, []),
        (#""say ""hi""""#, #""say ""hi""""#, []), (#""group""#, #""Group""#, []), ("_ID", #""_id""#, []),
        ("müll", #""müll""#, []),
        // CASE, CAST and calls.
        ("CASE WHEN a THEN 1 ELSE 2 END", #"CASE WHEN "a" THEN ? ELSE ? END"#, [.integer(1), .integer(2)]),
        ("CASE a WHEN b THEN c END", #"CASE "a" WHEN "b" THEN "c" END"#, []),
        ("CAST(a AS text)", #"CAST("a" AS TEXT)"#, []),
        ("Length(a)", #"length("a")"#, []), ("min(a, b)", #"min("a", "b")"#, []),
        ("coalesce(a,b,c)", #"coalesce("a", "b", "c")"#, []),
        ("datetime('now', '-7 days')", "datetime(?, ?)", [.text("now"), .text("-7 days")]),
        (" \t\r\n a\n=\t1 ", #""a" = ?"#, [.integer(1)]),
    ])
    func aConditionBecomesQuotedNamesAndBoundValues(text: String, sql: String, bindings: [QueryValue]) throws {
        #expect(try compiled(text) == CompiledFragment(sql: sql, bindings: bindings))
    }

    @Test func placeholdersTakeTheirArgumentsByOrderAndByNumber() throws {
        let args: [QueryValue] = [.text("x"), .integer(2), .null]
        #expect(try compiled("a=? AND b=? AND c IS ?", args).bindings == args)
        #expect(try compiled("a=?3 OR b=?1 OR c=?2", args).bindings == [.null, .text("x"), .integer(2)])
        #expect(try compiled("a=?2 OR b=? OR c=?1", args).bindings == [.integer(2), .null, .text("x")])
        #expect(try compiled("a LIKE ? || '%'", [.text("x")]).bindings == [.text("x%")])
    }

    @Test(arguments: [
        ("", QueryError.empty), (" \n", .empty),
        ("a = ", .unexpected(position: 4, found: "the end", expected: operand)),
        ("a b", .unexpected(position: 2, found: "b", expected: end)),
        ("a = 1 2", .unexpected(position: 6, found: "a number", expected: end)),
        ("(a", .unexpected(position: 2, found: "the end", expected: "\")\"")),
        ("a)", .unexpected(position: 1, found: "\")\"", expected: end)),
        ("()", .unexpected(position: 1, found: "\")\"", expected: operand)),
        ("(a, b) = 1", .unexpected(position: 2, found: "\",\"", expected: "\")\"")),
        ("a NOT b", .unexpected(position: 6, found: "b", expected: "IN, BETWEEN, LIKE, GLOB or NULL")),
        ("a IN b", .unexpected(position: 5, found: "b", expected: "a list in parentheses")),
        ("a BETWEEN 1", .unexpected(position: 11, found: "the end", expected: "AND")),
        ("a BETWEEN 1 OR 2", .unexpected(position: 12, found: "OR", expected: "AND")),
        ("a IS DISTINCT FROM b", .unexpected(position: 5, found: "DISTINCT", expected: operand)),
        ("CASE END", .unknownColumn(position: 5, name: "END", suggestion: nil)),
        ("CASE WHEN a END", .unexpected(position: 12, found: "END", expected: "THEN")),
        ("t.a = 1", .unexpected(position: 1, found: "\".\"", expected: "a column's name without its table")),
        ("missing = 1", .unknownColumn(position: 0, name: "missing", suggestion: nil)),
        ("a = group", .notSupported(position: 4, word: "group")),
        (#"a = "x""#, .unknownColumn(position: 4, name: "x", suggestion: "a")),
        ("rowid = 1", .unknownColumn(position: 0, name: "rowid", suggestion: nil)),
        ("mu\u{308}ll = 1", .unknownColumn(position: 0, name: "mu\u{308}ll", suggestion: nil)),
        ("exp(1)", .unknownFunction(position: 0, name: "exp")),
        ("count(a)", .aggregateNotAllowed(position: 0, name: "count")),
        ("count(*)", .aggregateNotAllowed(position: 0, name: "count")),
        ("max(a)", .aggregateNotAllowed(position: 0, name: "max")),
        ("length()", .unexpected(position: 7, found: "\")\"", expected: operand)),
        ("length(a, b)", .wrongArgumentCount(position: 0, function: "length", count: 2, allowed: "1 argument")),
        ("substr(a)", .wrongArgumentCount(position: 0, function: "substr", count: 1, allowed: "2 to 3 arguments")),
        ("length(DISTINCT a)", .notSupported(position: 0, word: "DISTINCT")),
        ("a COLLATE turkish", .unknownCollation(position: 10, name: "turkish")),
        ("a COLLATE 1", .unexpected(position: 10, found: "a number", expected: "the name of a collation")),
        ("CAST(a AS BLOB)", .unknownType(position: 10, name: "BLOB")),
        ("a LIKE b", .notConstant(position: 7, of: "the pattern of LIKE")),
        ("a LIKE x'00'", .notConstant(position: 7, of: "the pattern of LIKE")),
        ("a LIKE 'x' ESCAPE 'ab'", .malformedEscape(position: 18)),
        ("a LIKE 'x' ESCAPE b", .malformedEscape(position: 18)),
        ("a GLOB 'x' ESCAPE 'y'", .unexpected(position: 11, found: "ESCAPE", expected: end)),
        ("instr(a, b)", .notConstant(position: 9, of: "argument 2 of instr")),
        ("trim(a, b)", .notConstant(position: 8, of: "argument 2 of trim")),
        ("strftime(a, b)", .notConstant(position: 9, of: "argument 1 of strftime")),
        ("datetime(a, 'LocalTime')", .modifierNotAllowed(position: 12, modifier: "localtime")),
        ("a = ?", .missingArgument(position: 4, number: 1, given: 0)),
        ("a = ?7", .missingArgument(position: 4, number: 7, given: 0)),
        ("?0", .malformedNumber(position: 0)), ("?123456", .malformedNumber(position: 0)),
        ("1x", .malformedNumber(position: 0)), ("1e", .malformedNumber(position: 0)),
        ("0x10", .malformedNumber(position: 0)),
        ("x'0'", .malformedBlob(position: 0)), ("x'zz'", .malformedBlob(position: 0)),
        ("x'00", .unterminated(position: 0)),
        ("a = 'x", .unterminated(position: 4)), (#""a"#, .unterminated(position: 0)),
        ("[a", .unterminated(position: 0)),
        ("a -- b", .comment(position: 2)), ("a/*b*/", .comment(position: 1)), ("a--1", .comment(position: 1)),
        ("a;", .unexpectedCharacter(position: 1, scalar: 0x3B)),
        ("a = :x", .unexpectedCharacter(position: 4, scalar: 0x3A)),
        ("a = @x", .unexpectedCharacter(position: 4, scalar: 0x40)),
        ("a & b", .unexpectedCharacter(position: 2, scalar: 0x26)),
        ("a | b", .unexpectedCharacter(position: 2, scalar: 0x7C)),
        ("~a", .unexpectedCharacter(position: 0, scalar: 0x7E)),
        ("a << 1", .unexpectedCharacter(position: 2, scalar: 0x3C)),
        ("a \u{0}", .unexpectedCharacter(position: 2, scalar: 0)),
        ("a = 'x\u{0}'", .unexpectedCharacter(position: 6, scalar: 0)),
        ("a\u{B}", .unexpectedCharacter(position: 1, scalar: 0xB)),
        ("a -> 'x'", .unexpected(position: 3, found: "\">\"", expected: operand)),
    ])
    func whatIsNotInTheGrammarIsRefusedWithItsPlace(text: String, expected: QueryError) {
        #expect(error { () throws(QueryError) in try QueryCompiler.condition(text, scope: scope) } == expected)
    }

    @Test func everyLimitHasItsError() {
        func refusal(_ text: String, _ args: [QueryValue] = []) -> QueryError? {
            error { () throws(QueryError) in try QueryCompiler.condition(text, args: args, scope: scope) }
        }
        let limit = QueryCompiler.Limit.self
        #expect(refusal(String(repeating: " ", count: 4097)) == .textTooLong(bytes: 4097, limit: limit.textBytes))
        #expect(refusal("a = '" + String(repeating: "x", count: 4090) + "'") == nil)
        let open = String(repeating: "(", count: 33)
        #expect(refusal(open + "a" + String(repeating: ")", count: 33)) == .tooDeep(position: 32, limit: limit.depth))
        #expect(refusal(open.dropFirst() + "a" + String(repeating: ")", count: 32)) == nil)
        #expect(refusal(String(repeating: "NOT ", count: 33) + "a") == .tooDeep(position: 128, limit: limit.depth))
        #expect(refusal(String(repeating: "-", count: 40) + "a") == .comment(position: 0))
        #expect(refusal(String(repeating: "- ", count: 33) + "a") == .tooDeep(position: 64, limit: limit.depth))
        #expect(refusal("a" + String(repeating: "+a", count: 255)) == nil)
        #expect(refusal("a" + String(repeating: "+a", count: 256)) == .tooManyParts(position: 512, limit: limit.parts))
        #expect(refusal("a" + String(repeating: "||a", count: 32)) == nil)
        #expect(refusal("a" + String(repeating: "||a", count: 33)) == .tooManyConcatenations(position: 97, limit: 32))
        #expect(
            refusal("a", Array(repeating: .null, count: 257)) == .tooManyArguments(count: 257, limit: limit.arguments))
        #expect(refusal("a = ?", [.null, .null]) == .unusedArguments(given: 2, used: 1))
        #expect(refusal("a = ?", [.text("x\u{0}y")]) == .argumentHoldsNUL(number: 1))
        #expect(refusal("a LIKE ?", [.text(String(repeating: "%", count: 16))]) == nil)
        #expect(
            refusal("a LIKE ?", [.text(String(repeating: "%", count: 17))])
                == .tooManyWildcards(position: 7, count: 17, limit: limit.wildcards))
        #expect(
            refusal(
                "a LIKE ? || ?", [.text(String(repeating: "x", count: 200)), .text(String(repeating: "x", count: 57))])
                == .patternTooLong(position: 7, bytes: 257, limit: limit.patternBytes))
        // All patterns of a text together, each once more for every || in what it is compared with.
        let long = QueryValue.text(String(repeating: "x", count: 256))
        let four = "a LIKE ? AND instr(a, ?) AND b LIKE ? AND a GLOB ?"
        #expect(refusal(four, Array(repeating: long, count: 4)) == nil)
        #expect(
            refusal(four + " AND a LIKE 'y'", Array(repeating: long, count: 4))
                == .tooMuchSearching(position: four.utf8.count + 12, bytes: 1025, limit: limit.searchBytes))
        #expect(refusal("a || a || a || a GLOB ?", [long]) == nil)
        #expect(
            refusal("a || a || a || a || a GLOB ?", [long])
                == .tooMuchSearching(position: 27, bytes: 1280, limit: limit.searchBytes))
        // Letters to trim are compared one after the other.
        let letters = QueryValue.text(String(repeating: "x", count: 128))
        #expect(refusal("trim(a, ?)", [letters]) == nil)
        #expect(
            refusal("trim(a, ?) = ltrim(a, 'y')", [letters])
                == .tooMuchSearching(position: 22, bytes: 1032, limit: limit.searchBytes))
        // One search in every column.
        let word = QueryValue.text("%" + String(repeating: "x", count: 80) + "%")
        let columns = ["a", "b", "c", "\"Group\"", "[odd name]"]
        #expect(
            refusal(
                columns.map { "\($0) LIKE ?" }.joined(separator: " OR "), Array(repeating: word, count: columns.count))
                == nil)
        #expect(refusal(Array(repeating: "a LIKE '%word%'", count: 40).joined(separator: " OR ")) == nil)
        // Deep enough for SQLite's own parser to give up, though not deeper than our limit.
        let steps = String(repeating: "a OR a AND a = a < a + a * a || (", count: 5)
        #expect(refusal(steps + "a" + String(repeating: ")", count: 5)) == .tooDeep(position: 0, limit: limit.depth))
    }

    @Test(arguments: [
        ("a", #""a""#), ("a DESC", #""a" DESC"#),
        ("a asc, B desc", #""a", "b" DESC"#.replacing("\"a\",", with: "\"a\" ASC,")),
        ("a COLLATE NOCASE DESC NULLS LAST", #""a" COLLATE NOCASE DESC NULLS LAST"#),
        ("a NULLS FIRST", #""a" NULLS FIRST"#),
        ("length(a) + 1", #"length("a") + ?"#), ("a = 'x' DESC", #""a" = ? DESC"#), ("[odd name]", #""odd name""#),
    ])
    func sortTerms(text: String, sql: String) throws {
        #expect(try QueryCompiler.order(text, scope: scope).sql == sql)
    }

    @Test(arguments: [
        ("1", QueryError.constantOrder(position: 0)), ("a, 2 DESC", .constantOrder(position: 3)),
        ("-1", .constantOrder(position: 0)),
        ("'a'", .constantOrder(position: 0)), ("(1) COLLATE NOCASE", .constantOrder(position: 0)),
        ("NULL", .constantOrder(position: 0)),
        ("a DESC ASC", .unexpected(position: 7, found: "ASC", expected: end)),
        ("a NULLS", .unexpected(position: 7, found: "the end", expected: "LAST")),
        ("a,", .unexpected(position: 2, found: "the end", expected: operand)),
        ("a LIMIT 1", .notSupported(position: 2, word: "LIMIT")),
        ("a = ?", .missingArgument(position: 4, number: 1, given: 0)),
        ("count(*)", .aggregateNotAllowed(position: 0, name: "count")),
        (String(repeating: "a,", count: 16) + "a", .tooManyTerms(position: 32, limit: 16)),
        ("random()", .unknownFunction(position: 0, name: "random")),
    ])
    func sortTermsThatAreRefused(text: String, expected: QueryError) {
        #expect(error { () throws(QueryError) in try QueryCompiler.order(text, scope: scope) } == expected)
    }

    @Test func columnsAreNamesOrAllOfThem() throws {
        let scope = QueryScope(columns: ["a", "b c", "d"])
        #expect(try QueryCompiler.columns("A, \"b c\",[d]", scope: scope).sql == #""a", "b c", "d""#)
        #expect(try QueryCompiler.columns("*", scope: scope).sql == #""a", "b c", "d""#)
        #expect(try QueryCompiler.columns(["*"], scope: scope).sql == #""a", "b c", "d""#)
        #expect(try QueryCompiler.columns(["D", "b c", "`a`"], scope: scope).sql == #""d", "b c", "a""#)
        for text in ["a, *", "a AS b", "a + 1", "a.b", "count(*)", "'a'", "1", "a,", "a d", "(a)", "a; DROP TABLE t"] {
            #expect(error { () throws(QueryError) in try QueryCompiler.columns(text, scope: scope) } != nil, "\(text)")
        }
        for name in ["a, d", "*, a", "a AS d", "1", "'a'", "", "a\"", "(a)", "x"] {
            #expect(
                error { () throws(QueryError) in try QueryCompiler.columns(["a", name], scope: scope) }
                    == .unknownColumn(position: 1, name: name, suggestion: scope.suggestion(for: name)))
        }
        #expect(error { () throws(QueryError) in try QueryCompiler.columns([], scope: scope) } == .empty)
    }

    @Test(arguments: [
        ("COUNT(*) AS n", #"count(*) AS "n""#), ("COUNT(*)", #"count(*) AS "COUNT(*)""#),
        ("a, sum( b )", #""a" AS "a", sum("b") AS "sum( b )""#),
        ("COUNT(DISTINCT a) AS x, ROUND(AVG(b), 1) AS [y]", #"count(DISTINCT "a") AS "x", round(avg("b"), ?) AS "y""#),
        (
            "min(a), max(a, b), total(c)",
            #"min("a") AS "min(a)", max("a", "b") AS "max(a, b)", total("c") AS "total(c)""#
        ),
        ("max(min(a), max(b)) AS m", #"max(min("a"), max("b")) AS "m""#),
        ("sum(a = 'x\"y')", #"sum("a" = ?) AS "sum(a = 'x""y')""#),
    ])
    func resultsOverGroups(text: String, sql: String) throws {
        #expect(try QueryCompiler.expressions(text, scope: scope).sql == sql)
    }

    @Test(arguments: [
        ("n DESC", #""n" DESC"#), ("N", #""n""#),
        ("[n] COLLATE nocase NULLS LAST, a", #""n" COLLATE NOCASE NULLS LAST, "a""#),
        ("desc DESC, count(*)", #""desc" DESC, count(*)"#), (#""sum(c)""#, #""sum(c)""#),
        // A name in an expression is a column, as SQLite has it.
        ("b COLLATE RTRIM + 1", #""b" COLLATE RTRIM + ?"#), ("b, -b", #""B", -"b""#),
    ])
    func resultsAreSortedByTheirNames(text: String, sql: String) throws {
        var arguments = try QueryArguments([])
        let results = try QueryCompiler.results(
            "count(*) AS n, 1 AS desc, max(a) AS B, sum(c)", arguments: &arguments, scope: scope)
        #expect(results.names == ["n", "desc", "B", "sum(c)"])
        let order = try QueryCompiler.order(text, arguments: &arguments, scope: scope, of: results)
        #expect(order.sql == sql)
    }

    @Test(arguments: [
        ("n + 1", QueryError.unknownColumn(position: 0, name: "n", suggestion: "a")),
        ("sum(n)", .unknownColumn(position: 4, name: "n", suggestion: "a")),
        ("m", .unknownColumn(position: 0, name: "m", suggestion: "a")), ("1", .constantOrder(position: 0)),
        ("n COLLATE turkish", .unknownCollation(position: 10, name: "turkish")),
        ("n n", .unknownColumn(position: 0, name: "n", suggestion: "a")),
    ])
    func whatIsNoNameOfAResultIsRefused(text: String, expected: QueryError) throws {
        var arguments = try QueryArguments([])
        let results = try QueryCompiler.results("count(*) AS n", arguments: &arguments, scope: scope)
        let found = error { () throws(QueryError) in
            try QueryCompiler.order(text, arguments: &arguments, scope: scope, of: results)
        }
        #expect(found == expected)
    }

    /// The next `?` is the next value, whichever text it is in; a text that is refused uses none.
    @Test func textsShareTheirValues() throws {
        var arguments = try QueryArguments([.integer(1), .text("x"), .integer(3)])
        let results = try QueryCompiler.results("sum(a > ?) AS n", arguments: &arguments, scope: scope)
        #expect(results.fragment.bindings == [.integer(1)])
        #expect(
            error { () throws(QueryError) in
                try QueryCompiler.condition("a = ? AND ,", arguments: &arguments, scope: scope)
            } != nil)
        let condition = try QueryCompiler.condition("b = ?", arguments: &arguments, scope: scope)
        #expect(condition.bindings == [.text("x")])
        #expect(
            error { () throws(QueryError) in try arguments.finish() } == .unusedArguments(given: 3, used: 2))
        let order = try QueryCompiler.order("a = ?1, b = ?", arguments: &arguments, scope: scope)
        #expect(order.bindings == [.integer(1), .integer(3)])
        try arguments.finish()
        let beyond = error { () throws(QueryError) in
            try QueryCompiler.condition("a = ?", arguments: &arguments, scope: scope)
        }
        #expect(beyond == .missingArgument(position: 4, number: 4, given: 3))
    }

    @Test(arguments: [
        ("sum(count(*))", QueryError.aggregateNotAllowed(position: 4, name: "count")),
        ("sum(min(a))", .aggregateNotAllowed(position: 4, name: "min")),
        ("min(max(a))", .aggregateNotAllowed(position: 0, name: "min")),
        ("a, A", .duplicateName(position: 3, name: "a")),
        ("a AS n, b AS N", .duplicateName(position: 8, name: "N")),
        ("a n", .unexpected(position: 2, found: "n", expected: end)),
        ("a AS 'n'", .unexpected(position: 5, found: "a text", expected: "a name")),
        ("a AS \"n; x\"", .unexpected(position: 5, found: "\"n; x\"", expected: "a name of letters, digits and _")),
        ("*", .unexpected(position: 0, found: "\"*\"", expected: operand)),
        ("count(a, b)", .wrongArgumentCount(position: 0, function: "count", count: 2, allowed: "one argument")),
        ("count(*) FILTER (WHERE a)", .notSupported(position: 9, word: "FILTER")),
        ("sum(a) OVER ()", .notSupported(position: 7, word: "OVER")),
        ("group_concat(a)", .unknownFunction(position: 0, name: "group_concat")),
        ("a FROM b", .notSupported(position: 2, word: "FROM")),
    ])
    func resultsThatAreRefused(text: String, expected: QueryError) {
        #expect(error { () throws(QueryError) in try QueryCompiler.expressions(text, scope: scope) } == expected)
    }

    @Test func errorsTellTheirPlaceAndAreFitForATerminal() {
        let error = QueryError.unknownColumn(position: 3, name: "naem", suggestion: "name")
        #expect(error.description == "there is no column naem; did you mean name?, at byte 3")
        #expect(
            QueryError.unexpectedCharacter(position: 2, scalar: 0x26).description
                == "“&” has no meaning here, at byte 2")
        #expect(
            QueryError.unexpectedCharacter(position: 2, scalar: 0x2028).description
                == "the character U+2028 has no meaning here, at byte 2")
        let hostile = QueryError.unknownFunction(position: 0, name: "\u{1B}[2J" + String(repeating: "x", count: 500))
        #expect(hostile.description.utf8.count < 200 && !hostile.description.utf8.contains(0x1B))
    }

    @Test func scopesCompareNamesByByte() {
        let scope = QueryScope(columns: ["é", "ok", "", "with\u{0}nul"])
        #expect(scope.columns == ["é", "ok"])
        #expect(scope.column("OK") == "ok" && scope.column("e\u{301}") == nil && scope.column("É") == nil)
    }
}

private let operand = "a column, a value or an expression"
private let end = "an operator or the end"
