import GoopCore
import Testing

/// A text that a stranger sends to get at more than the rows it may see, and what must become of it.
struct QueryAttack: Sendable, CustomTestStringConvertible {
    enum Place: Sendable {
        case condition, order, columns, expressions
        /// The order of `COUNT(*) AS n, MAX(_id) AS _id`.
        case resultOrder
    }

    enum Outcome: Sendable, Equatable {
        /// Refused by the compiler with this error.
        case refused(QueryError)
        /// Runs as a query like any other, and gives these of the sender's own rows.
        case harmless([Int64])
    }

    let name: String
    let place: Place
    let text: String
    let arguments: [QueryValue]
    let outcome: Outcome

    init(_ name: String, _ place: Place, _ text: String, _ arguments: [QueryValue] = [], _ outcome: Outcome) {
        self.name = name
        self.place = place
        self.text = text
        self.arguments = arguments
        self.outcome = outcome
    }

    var testDescription: String { name }
}

private let operand = "a column, a value or an expression"
private let end = "an operator or the end"

extension QueryAttack {
    /// The table is `notes`; the rows 1, 2 and 3 are the sender's, 4 and 5 somebody else's. `secrets` is another table.
    static let all: [QueryAttack] = breakouts + otherTables + functions + names + exhaustion + orders + results

    /// Ways out of the condition into the statement around it.
    private static let breakouts: [QueryAttack] = [
        .init(
            "stacked statement", .condition, "1; DROP TABLE notes", [],
            .refused(.unexpectedCharacter(position: 1, scalar: 0x3B))),
        .init(
            "stacked statement behind a quote", .condition, "text = 'x'; DELETE FROM notes --'", [],
            .refused(.unexpectedCharacter(position: 10, scalar: 0x3B))),
        .init("owner filter commented away", .condition, "1=1 --", [], .refused(.comment(position: 4))),
        .init("owner filter in a block comment", .condition, "1=1 /*", [], .refused(.comment(position: 4))),
        .init("comment between words", .condition, "1/**/OR/**/1", [], .refused(.comment(position: 1))),
        .init("minus minus without space", .condition, "score--1", [], .refused(.comment(position: 5))),
        .init("hash comment", .condition, "1=1 # rest", [], .refused(.unexpectedCharacter(position: 4, scalar: 0x23))),
        .init(
            "fails on rows of others that begin with a letter", .condition,
            "CASE WHEN text LIKE 'c%' THEN abs(-9223372036854775808 + 0 * _id) ELSE 1 END", [], .harmless([1, 2, 3])),
        .init("always true", .condition, "1 OR 1", [], .harmless([1, 2, 3])),
        .init("OR binds weaker than the owner filter", .condition, "text = 'x' OR 1=1", [], .harmless([1, 2, 3])),
        .init("classic quote breakout", .condition, "text = '' OR '1'='1'", [], .harmless([1, 2, 3])),
        .init(
            "closes the parenthesis around it", .condition, "1) OR (1", [],
            .refused(.unexpected(position: 1, found: "\")\"", expected: end))),
        .init(
            "closes twice", .condition, "1)) OR ((1=1", [],
            .refused(.unexpected(position: 1, found: "\")\"", expected: end))),
        .init(
            "leaves a parenthesis open", .condition, "(1", [],
            .refused(.unexpected(position: 2, found: "the end", expected: "\")\""))),
        .init("leaves a text open", .condition, "text = 'x", [], .refused(.unterminated(position: 7))),
        .init("leaves a name open", .condition, "\"text", [], .refused(.unterminated(position: 0))),
        .init("leaves a bracket open", .condition, "[text", [], .refused(.unterminated(position: 0))),
        .init(
            "NUL ends the statement", .condition, "1\u{0} OR 1", [],
            .refused(.unexpectedCharacter(position: 1, scalar: 0))),
        .init(
            "NUL in a text", .condition, "text = 'a\u{0}b'", [], .refused(.unexpectedCharacter(position: 9, scalar: 0))),
        .init(
            "NUL in an argument", .condition, "text = ?", [.text("a\u{0}' OR 1")],
            .refused(.argumentHoldsNUL(number: 1))),
        .init("quote in an argument", .condition, "text = ?", [.text("' OR 1=1 --")], .harmless([])),
        .init(
            "SQL as an argument", .condition, "text = ? OR 1", [.text("(SELECT key FROM secrets)")],
            .harmless([1, 2, 3])),
        .init("backslash escapes nothing", .condition, #"text = '\' OR 1=1 --'"#, [], .refused(.comment(position: 18))),
        .init("doubled quote stays inside", .condition, "text = ''' OR 1=1 --'", [], .harmless([])),
        .init(
            "limit of its own", .condition, "1 LIMIT 1000000", [], .refused(.notSupported(position: 2, word: "LIMIT"))),
        .init(
            "group of its own", .condition, "1 GROUP BY text", [], .refused(.notSupported(position: 2, word: "GROUP"))),
        .init("order of its own", .condition, "1 ORDER BY 1", [], .refused(.notSupported(position: 2, word: "ORDER"))),
        .init(
            "returning", .condition, "1 RETURNING *", [],
            .refused(.unexpected(position: 2, found: "RETURNING", expected: end))),
        .init("owner set by comparison", .condition, "_owner = 'other'", [], .harmless([])),
        .init("owner by IN", .condition, "_owner IN ('me', 'other')", [], .harmless([1, 2, 3])),
        .init("owner filter made unknown", .condition, "NULL", [], .harmless([])),
        .init("owner filter made an operand", .condition, "1 OR _owner = 'me' AND 0 OR 1", [], .harmless([1, 2, 3])),
        .init(
            "fullwidth quote", .condition, "text = ＇x＇", [],
            .refused(.unknownColumn(position: 7, name: "＇x＇", suggestion: nil))),
        .init("no-break space", .condition, "1\u{A0}OR 1", [], .refused(.malformedNumber(position: 0))),
        .init("vertical tab", .condition, "1\u{B}OR 1", [], .refused(.unexpectedCharacter(position: 1, scalar: 0xB))),
    ]

    /// Other tables, other databases, other statements.
    private static let otherTables: [QueryAttack] = [
        .init("sub-select", .condition, "_id IN (SELECT 1)", [], .refused(.notSupported(position: 8, word: "SELECT"))),
        .init(
            "scalar sub-select", .condition, "(SELECT key FROM secrets) = 'k'", [],
            .refused(.notSupported(position: 1, word: "SELECT"))),
        .init(
            "exists", .condition, "EXISTS (SELECT 1 FROM secrets)", [],
            .refused(.notSupported(position: 0, word: "EXISTS"))),
        .init(
            "not exists", .condition, "NOT EXISTS (SELECT 1)", [], .refused(.notSupported(position: 4, word: "EXISTS"))),
        .init(
            "union", .condition, "0 UNION SELECT key FROM secrets", [],
            .refused(.notSupported(position: 2, word: "UNION"))),
        .init(
            "union in odd letters", .condition, "0 uNiOn aLl SeLeCt 1", [],
            .refused(.notSupported(position: 2, word: "uNiOn"))),
        .init(
            "common table", .condition, "_id IN (WITH x AS (SELECT 1) SELECT 1)", [],
            .refused(.unknownColumn(position: 8, name: "WITH", suggestion: nil))),
        .init(
            "table as a list", .condition, "_id IN secrets", [],
            .refused(.unexpected(position: 7, found: "secrets", expected: "a list in parentheses"))),
        .init(
            "table function as a list", .condition, "_id IN pragma_table_info('notes')", [],
            .refused(.unexpected(position: 7, found: "pragma_table_info", expected: "a list in parentheses"))),
        .init(
            "column of another table", .condition, "secrets.key = 'k'", [],
            .refused(.unexpected(position: 7, found: "\".\"", expected: "a column's name without its table"))),
        .init(
            "column of the schema", .condition, "sqlite_master.sql LIKE '%'", [],
            .refused(.unexpected(position: 13, found: "\".\"", expected: "a column's name without its table"))),
        .init(
            "column through its own table", .condition, "notes._owner = 'other'", [],
            .refused(.unexpected(position: 5, found: "\".\"", expected: "a column's name without its table"))),
        .init(
            "row value", .condition, "(_id, text) IN ((4, 'x'))", [],
            .refused(.unexpected(position: 4, found: "\",\"", expected: "\")\""))),
        .init("values", .condition, "_id IN (VALUES (4))", [], .refused(.notSupported(position: 8, word: "VALUES"))),
        .init("attach", .condition, "1 ATTACH 'x' AS y", [], .refused(.notSupported(position: 2, word: "ATTACH"))),
        .init(
            "pragma", .condition, "PRAGMA table_info(notes)", [],
            .refused(.unknownColumn(position: 0, name: "PRAGMA", suggestion: nil))),
        .init("raise", .condition, "RAISE(ABORT, 'x')", [], .refused(.unknownFunction(position: 0, name: "RAISE"))),
        .init("match", .condition, "text MATCH 'x'", [], .refused(.notSupported(position: 5, word: "MATCH"))),
        .init("regexp", .condition, "text REGEXP '(a+)+$'", [], .refused(.notSupported(position: 5, word: "REGEXP"))),
    ]

    /// Functions that load, leak, grow or grind.
    private static let functions: [QueryAttack] = [
        .init(
            "load_extension", .condition, "load_extension('/tmp/x.so')", [],
            .refused(.unknownFunction(position: 0, name: "load_extension"))),
        .init(
            "quoted function", .condition, "\"load_extension\"('/tmp/x.so')", [],
            .refused(.unknownColumn(position: 0, name: "load_extension", suggestion: nil))),
        .init(
            "readfile", .condition, "readfile('/etc/passwd') NOTNULL", [],
            .refused(.unknownFunction(position: 0, name: "readfile"))),
        .init(
            "writefile", .condition, "writefile('/tmp/x', 'y')", [],
            .refused(.unknownFunction(position: 0, name: "writefile"))),
        .init("edit", .condition, "edit('x')", [], .refused(.unknownFunction(position: 0, name: "edit"))),
        .init(
            "fts3_tokenizer", .condition, "fts3_tokenizer('x')", [],
            .refused(.unknownFunction(position: 0, name: "fts3_tokenizer"))),
        .init(
            "zeroblob", .condition, "length(zeroblob(1000000000))", [],
            .refused(.unknownFunction(position: 7, name: "zeroblob"))),
        .init(
            "randomblob", .condition, "randomblob(1000000000)", [],
            .refused(.unknownFunction(position: 0, name: "randomblob"))),
        .init(
            "printf bomb", .condition, "printf('%1000000000d', 1)", [],
            .refused(.unknownFunction(position: 0, name: "printf"))),
        .init(
            "format bomb", .condition, "format('%.999999999f', 1)", [],
            .refused(.unknownFunction(position: 0, name: "format"))),
        .init(
            "replace bomb", .condition, "replace(text, '', text)", [],
            .refused(.unknownFunction(position: 0, name: "replace"))),
        .init(
            "hex of hex", .condition, "hex(hex(hex(text)))", [], .refused(.unknownFunction(position: 0, name: "hex"))),
        .init("quote", .condition, "quote(text)", [], .refused(.unknownFunction(position: 0, name: "quote"))),
        .init("char", .condition, "char(39, 32, 79, 82)", [], .refused(.unknownFunction(position: 0, name: "char"))),
        .init(
            "JSON functions", .condition, "json_extract(text, '$')", [],
            .refused(.unknownFunction(position: 0, name: "json_extract"))),
        .init(
            "JSON arrow", .condition, "text ->> '$.x'", [],
            .refused(.unexpectedCharacter(position: 6, scalar: 0x3E))),
        .init(
            "version of the library", .condition, "sqlite_version() = '3'", [],
            .refused(.unknownFunction(position: 0, name: "sqlite_version"))),
        .init(
            "row of the last insert", .condition, "last_insert_rowid() > 0", [],
            .refused(.unknownFunction(position: 0, name: "last_insert_rowid"))),
        .init(
            "different on each call", .condition, "random() % 2", [],
            .refused(.unknownFunction(position: 0, name: "random"))),
        .init(
            "time zone of the owner", .condition, "datetime('now', 'localtime') > ?", [.text("2")],
            .refused(.modifierNotAllowed(position: 16, modifier: "localtime"))),
        .init(
            "time zone by argument", .condition, "datetime('now', ?)", [.text(" LOCALTIME")],
            .refused(.modifierNotAllowed(position: 16, modifier: "localtime"))),
        .init(
            "time zone by joining", .condition, "datetime('now', 'local' || 'time')", [],
            .refused(.modifierNotAllowed(position: 16, modifier: "localtime"))),
        .init(
            "time zone by column", .condition, "datetime('now', text)", [],
            .refused(.notConstant(position: 16, of: "argument 2 of datetime"))),
        .init(
            "aggregate in a condition", .condition, "count(*) > 1", [],
            .refused(.aggregateNotAllowed(position: 0, name: "count"))),
        .init(
            "window", .condition, "row_number() OVER ()", [],
            .refused(.unknownFunction(position: 0, name: "row_number"))),
        .init(
            "foreign collation", .condition, "text COLLATE icu_load", [],
            .refused(.unknownCollation(position: 13, name: "icu_load"))),
        .init(
            "type with an expression", .condition, "CAST(text AS TEXT(1))", [],
            .refused(.unexpected(position: 17, found: "\"(\"", expected: "\")\""))),
    ]

    /// Names that are not what they seem.
    private static let names: [QueryAttack] = [
        .init(
            "unknown name in double quotes is no text", .condition, "\"x\" = \"x\"", [],
            .refused(.unknownColumn(position: 0, name: "x", suggestion: nil))),
        .init(
            "rowid", .condition, "rowid = 4", [], .refused(.unknownColumn(position: 0, name: "rowid", suggestion: nil))),
        .init("oid", .condition, "oid = 4", [], .refused(.unknownColumn(position: 0, name: "oid", suggestion: "_id"))),
        .init(
            "hidden column", .condition, "notes = 'x'", [],
            .refused(.unknownColumn(position: 0, name: "notes", suggestion: nil))),
        .init(
            "quote inside a name", .condition, "\"text\"\" OR 1 --\"", [],
            .refused(.unknownColumn(position: 0, name: "text\" OR 1 --", suggestion: nil))),
        .init(
            "variable by name", .condition, "text = $owner", [],
            .refused(.unexpectedCharacter(position: 7, scalar: 0x24))),
        .init(
            "variable of the statement around", .condition, "text = ?2", [.text("x")],
            .refused(.missingArgument(position: 7, number: 2, given: 1))),
        .init(
            "variable without an argument", .condition, "text = ?", [],
            .refused(.missingArgument(position: 7, number: 1, given: 0))),
        .init(
            "one argument too many", .condition, "text = ?", [.text("x"), .text("me")],
            .refused(.unusedArguments(given: 2, used: 1))),
        .init(
            "variable with a huge number", .condition, "text = ?99999999999999999999", [],
            .refused(.malformedNumber(position: 7))),
        .init("hexadecimal number", .condition, "_id = 0x4", [], .refused(.malformedNumber(position: 6))),
    ]

    /// Texts that should cost more than they are worth.
    private static let exhaustion: [QueryAttack] = [
        .init(
            "deep parentheses", .condition, String(repeating: "(", count: 2000), [],
            .refused(.tooDeep(position: 32, limit: 32))),
        .init(
            "deep NOT", .condition, String(repeating: "NOT ", count: 1000) + "1", [],
            .refused(.tooDeep(position: 128, limit: 32))),
        .init(
            "deep CASE", .condition, String(repeating: "CASE WHEN ", count: 400), [],
            .refused(.tooDeep(position: 320, limit: 32))),
        .init(
            "deep calls", .condition, String(repeating: "abs(", count: 1000), [],
            .refused(.tooDeep(position: 131, limit: 32))),
        .init(
            "too deep for SQLite's parser", .condition,
            String(repeating: "0 OR 1 AND 1 = 1 < 1 + 1 * 1 || (", count: 20) + "1" + String(repeating: ")", count: 20),
            [], .refused(.tooDeep(position: 246, limit: 32))),
        .init(
            "long chain", .condition, "0" + String(repeating: "+1", count: 2000), [],
            .refused(.tooManyParts(position: 512, limit: 512))),
        .init(
            "long list", .condition, "_id IN (0" + String(repeating: ",1", count: 2000) + ")", [],
            .refused(.tooManyParts(position: 1028, limit: 512))),
        .init(
            "long text", .condition, String(repeating: " ", count: 5000) + "1", [],
            .refused(.textTooLong(bytes: 5001, limit: 4096))),
        .init(
            "many arguments", .condition, "1", Array(repeating: .null, count: 100_000),
            .refused(.tooManyArguments(count: 100_000, limit: 256))),
        .init(
            "doubling by ||", .condition, "length(text" + String(repeating: "||text", count: 500) + ")", [],
            .refused(.tooManyConcatenations(position: 203, limit: 32))),
        .init(
            "pattern that tries every way", .condition, "text LIKE '" + String(repeating: "%a", count: 30) + "b'", [],
            .refused(.tooManyWildcards(position: 10, count: 30, limit: 16))),
        .init(
            "the same in GLOB", .condition, "text GLOB ?", [.text(String(repeating: "*a", count: 30))],
            .refused(.tooManyWildcards(position: 10, count: 30, limit: 16))),
        .init(
            "pattern out of a row", .condition, "text LIKE text", [],
            .refused(.notConstant(position: 10, of: "the pattern of LIKE"))),
        .init(
            "long pattern", .condition, "text LIKE ?", [.text(String(repeating: "_", count: 50_000))],
            .refused(.patternTooLong(position: 10, bytes: 50_000, limit: 256))),
        .init(
            "needle out of a row", .condition, "instr(text, text)", [],
            .refused(.notConstant(position: 12, of: "argument 2 of instr"))),
        .init(
            "trims by a long list of letters", .condition, "trim(text, ?)",
            [.text(String(repeating: "x", count: 10_000))],
            .refused(.patternTooLong(position: 11, bytes: 10_000, limit: 256))),
        .init("number without end", .condition, "score = 1" + String(repeating: "0", count: 3000), [], .harmless([])),
        .init("division by nothing", .condition, "1 / 0", [], .harmless([])),
    ]

    private static let orders: [QueryAttack] = [
        .init("order: position of a column", .order, "1", [], .refused(.constantOrder(position: 0))),
        .init(
            "order: stacked statement", .order, "text; DROP TABLE notes", [],
            .refused(.unexpectedCharacter(position: 4, scalar: 0x3B))),
        .init(
            "order: sub-select as an oracle", .order, "(SELECT key FROM secrets)", [],
            .refused(.notSupported(position: 1, word: "SELECT"))),
        .init(
            "order: CASE over another table", .order, "CASE WHEN (SELECT 1) THEN text END", [],
            .refused(.notSupported(position: 11, word: "SELECT"))),
        .init("order: limit", .order, "text LIMIT 1000", [], .refused(.notSupported(position: 5, word: "LIMIT"))),
        .init("order: random", .order, "random()", [], .refused(.unknownFunction(position: 0, name: "random"))),
        .init("order: comment", .order, "text --", [], .refused(.comment(position: 5))),
        .init(
            "order: many terms", .order, String(repeating: "text,", count: 100) + "text", [],
            .refused(.tooManyTerms(position: 80, limit: 16))),
        .init(
            "order: an expression is no way out", .order, "_owner = 'me', length(text) DESC, _id", [],
            .harmless([1, 2, 3])),
        .init("results: order by position", .resultOrder, "2", [], .refused(.constantOrder(position: 0))),
        .init(
            "results: stacked behind a name", .resultOrder, "n; DROP TABLE notes", [],
            .refused(.unexpectedCharacter(position: 1, scalar: 0x3B))),
        .init(
            "results: name that breaks out", .resultOrder, "\"n\"\" DESC --\"", [],
            .refused(.unknownColumn(position: 0, name: "n\" DESC --", suggestion: nil))),
        .init(
            "results: sub-select behind a name", .resultOrder, "n, (SELECT key FROM secrets)", [],
            .refused(.notSupported(position: 4, word: "SELECT"))),
        .init(
            "results: a name over the rows", .resultOrder, "SUM(n)", [],
            .refused(.unknownColumn(position: 4, name: "n", suggestion: nil))),
        .init("results: order by a name", .resultOrder, "n COLLATE BINARY DESC, _id", [], .harmless([3])),
    ]

    private static let results: [QueryAttack] = [
        .init(
            "columns: another table", .columns, "text FROM secrets", [],
            .refused(.notSupported(position: 5, word: "FROM"))),
        .init(
            "columns: sub-select", .columns, "(SELECT key FROM secrets)", [],
            .refused(.unexpected(position: 0, found: "\"(\"", expected: "the name of a column"))),
        .init(
            "columns: function", .columns, "load_extension('x')", [],
            .refused(.unknownColumn(position: 0, name: "load_extension", suggestion: nil))),
        .init("columns: comment", .columns, "text -- ", [], .refused(.comment(position: 5))),
        .init("columns: all of them", .columns, "*", [], .harmless([1, 2, 3])),
        .init(
            "expr: another table", .expressions, "COUNT(*) FROM secrets", [],
            .refused(.notSupported(position: 9, word: "FROM"))),
        .init(
            "expr: sub-select in a sum", .expressions, "SUM((SELECT 1))", [],
            .refused(.notSupported(position: 5, word: "SELECT"))),
        .init(
            "expr: name that breaks out", .expressions, "COUNT(*) AS \"n\"\" FROM secrets --\"", [],
            .refused(
                .unexpected(
                    position: 12, found: "\"n\"\" FROM secrets --\"", expected: "a name of letters, digits and _"))),
        .init(
            "expr: whole table in one text", .expressions, "group_concat(text)", [],
            .refused(.unknownFunction(position: 0, name: "group_concat"))),
        .init(
            "expr: JSON of the whole table", .expressions, "json_group_array(text)", [],
            .refused(.unknownFunction(position: 0, name: "json_group_array"))),
        .init(
            "expr: filter", .expressions, "COUNT(*) FILTER (WHERE 1)", [],
            .refused(.notSupported(position: 9, word: "FILTER"))),
        .init(
            "expr: window", .expressions, "SUM(score) OVER ()", [], .refused(.notSupported(position: 11, word: "OVER"))),
        .init("expr: counts only what the sender may see", .expressions, "COUNT(*) AS _id", [], .harmless([3])),
        .init("expr: largest id the sender may see", .expressions, "MAX(_id) AS _id", [], .harmless([3])),
    ]
}
