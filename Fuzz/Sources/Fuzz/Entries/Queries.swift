import CSQLite
import GoopCore

/// A text of the query grammar: the first byte says which part of a query it is, the second how many arguments there are.
///
/// The law: what the compiler accepts, SQLite prepares without an error, and its authorizer sees nothing but columns of the one
/// table and functions that the grammar lists.
func fuzzQuery(_ bytes: [UInt8]) {
    guard bytes.count > 2 else { return }
    let text = String(decoding: bytes.dropFirst(2), as: UTF8.self)
    let columns = ["a", "b", "c", "_id", "Group", "odd name", "say \"hi\"", "x\"\u{301}"]
    let scope = QueryScope(columns: columns)
    let arguments: [QueryValue] = (0..<Int(bytes[1] % 5)).map {
        [.text("x%"), .integer(7), .null, .real(0.5), .blob([1])][$0]
    }
    switch bytes[0] % 4 {
    case 0:
        guard let part = try? QueryCompiler.condition(text, args: arguments, scope: scope) else { return }
        require(part.sql.hasPrefix("(") && part.sql.hasSuffix(")"), "a condition holds together")
        judge("SELECT * FROM \"t\" WHERE \(part.sql) AND \"_id\" = ?", part.bindings.count + 1)
    case 1:
        guard let part = try? QueryCompiler.order(text, scope: scope) else { return }
        judge("SELECT * FROM \"t\" ORDER BY \(part.sql)", part.bindings.count)
    case 2:
        guard let part = try? QueryCompiler.columns(text, scope: scope) else { return }
        judge("SELECT \(part.sql) FROM \"t\" GROUP BY \(part.sql)", part.bindings.count)
    default:
        guard var shared = try? QueryArguments(arguments),
            let results = try? QueryCompiler.results(text, arguments: &shared, scope: scope)
        else { return }
        let select = "SELECT \(results.fragment.sql) FROM \"t\" GROUP BY \"a\""
        judge(select, results.fragment.bindings.count)
        guard let name = results.names.first(where: QueryCompiler.isName) else { return }
        let order = try? QueryCompiler.order("\(name) DESC", arguments: &shared, scope: scope, of: results)
        require(order?.bindings.isEmpty == true, "\(name) is the name of a result")
        judge("\(select) ORDER BY \(order?.sql ?? "")", results.fragment.bindings.count)
    }
}

/// Functions that SQLite calls for what the grammar allows.
private let functions: Set<String> = [
    "abs", "round", "length", "lower", "upper", "substr", "substring", "instr", "unicode", "trim", "ltrim", "rtrim",
    "coalesce", "ifnull", "nullif", "iif", "typeof", "min", "max", "date", "time", "datetime", "julianday", "unixepoch",
    "strftime", "count", "sum", "avg", "total", "like", "glob", "current_timestamp", "current_date", "current_time",
]

nonisolated(unsafe) private let database: OpaquePointer? = {
    var database: OpaquePointer?
    sqlite3_open(":memory:", &database)
    let schema = #"""
        CREATE TABLE t (_id INTEGER PRIMARY KEY, a INTEGER, b TEXT, c REAL, "Group" TEXT, "odd name" NUMERIC, "say ""hi""", "x""\#u{301}");
        CREATE TABLE secrets (key TEXT); INSERT INTO t (a, b, c) VALUES (1, 'x', 0.5);
        """#
    require(sqlite3_exec(database, schema, nil, nil, nil) == SQLITE_OK, "the table can be made")
    sqlite3_set_authorizer(
        database,
        { _, action, first, second, _, _ in
            let table = first.map { String(cString: $0) } ?? ""
            let name = second.map { String(cString: $0) } ?? ""
            switch action {
            case SQLITE_SELECT: return SQLITE_OK
            case SQLITE_READ where table == "t": return SQLITE_OK
            case SQLITE_FUNCTION where functions.contains(name.lowercased()): return SQLITE_OK
            default: return SQLITE_DENY
            }
        }, nil)
    return database
}()

private func judge(_ sql: String, _ bindings: Int) {
    var statement: OpaquePointer?
    let code = sqlite3_prepare_v2(database, sql, -1, &statement, nil)
    require(code == SQLITE_OK, "\(sql): \(sqlite3_errmsg(database).map { String(cString: $0) } ?? "")")
    require(sqlite3_stmt_readonly(statement) != 0, "\(sql) only reads")
    require(Int(sqlite3_bind_parameter_count(statement)) == bindings, "\(sql) has its values")
    sqlite3_finalize(statement)
}
