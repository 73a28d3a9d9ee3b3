import GRDBSQLite
import GoopCore

/// A read-only connection on which a request can do one thing: read one table.
///
/// Three walls stand behind the query grammar. The file is opened read-only. An authorizer lets nothing through but SELECT,
/// columns of the one table and listed functions. A progress handler ends what runs too long, and so do LIKE and GLOB, which
/// are our own; and rows and bytes are counted as they are read. A private connection, not one of GRDB's: those have an authorizer of their own.
///
/// Not thread-safe: `ReaderPool` gives each to one caller at a time.
final class ReadConnection {
    /// What an answer may cost.
    struct Limits: Sendable {
        var rows: Int
        /// Of the values and column names, about as long as their JSON.
        var bytes: Int
        var time: Duration
        /// Of one value, also of one that is made on the way: what one instruction does takes the longer the longer it is.
        var valueBytes: Int
    }

    /// Functions that a statement may call: those of the grammar, and what SQLite calls LIKE and GLOB.
    private static let functions: Set<String> = [
        "abs", "round", "length", "lower", "upper", "substr", "substring", "instr", "unicode", "trim", "ltrim", "rtrim",
        "coalesce", "ifnull", "nullif", "iif", "typeof", "min", "max", "date", "time", "datetime", "julianday",
        "unixepoch", "strftime", "count", "sum", "avg", "total", "like", "glob",
    ]
    /// Prepared statements that are kept.
    static let maximumStatements = 64
    /// Instructions of SQLite's machine between two looks at the clock. Few, because one alone can go through megabytes; the
    /// looks cost a scan about two percent. Patterns have looks of their own.
    static let instructionsPerCheck: Int32 = 50

    /// What the callbacks see; its address is given to SQLite.
    final class Guard {
        /// The one table that may be read, in lower case.
        var table = ""
        var deadline = ContinuousClock.now
        let ending: StoreEnding

        init(ending: StoreEnding) { self.ending = ending }

        /// Whether what runs is to end now.
        var isOver: Bool { ending.hasBegun || ContinuousClock.now >= deadline }
    }

    private let connection: OpaquePointer
    private let gate: Guard
    /// By table and text: the authorizer is asked when a statement is made, for the table of that moment.
    private var statements: [ExactText: OpaquePointer] = [:]

    /// Opens a file that exists and is in WAL mode.
    init(path: String, ending: StoreEnding = .init()) throws(DataError) {
        gate = Guard(ending: ending)
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let handle else {
            sqlite3_close_v2(handle)
            throw DataError(sqliteCode: code, text: "cannot open for reading", isOwner: true)
        }
        connection = handle
        sqlite3_extended_result_codes(handle, 1)
        sqlite3_busy_timeout(handle, 2000)
        _disableDoubleQuotedStringLiterals(handle)
        for pragma in ["PRAGMA query_only=ON", "PRAGMA trusted_schema=OFF", "PRAGMA cell_size_check=ON"] {
            sqlite3_exec(handle, pragma, nil, nil, nil)
        }
        sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0)
        sqlite3_limit(handle, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1024)
        sqlite3_limit(handle, SQLITE_LIMIT_COMPOUND_SELECT, 1)
        sqlite3_limit(handle, SQLITE_LIMIT_WORKER_THREADS, 0)
        let context = Unmanaged.passUnretained(gate).toOpaque()
        sqlite3_set_authorizer(
            handle,
            { context, action, first, second, _, _ in
                guard let context else { return SQLITE_DENY }
                let gate = Unmanaged<Guard>.fromOpaque(context).takeUnretainedValue()
                switch action {
                case SQLITE_SELECT:
                    return SQLITE_OK
                case SQLITE_READ:
                    return first.map { String(cString: $0).lowercased() } == gate.table ? SQLITE_OK : SQLITE_DENY
                case SQLITE_FUNCTION:
                    return second.map { ReadConnection.functions.contains(String(cString: $0).lowercased()) } == true
                        ? SQLITE_OK : SQLITE_DENY
                default:
                    return SQLITE_DENY
                }
            }, context)
        ReadConnection.installPatterns(on: handle, context: context)
        sqlite3_progress_handler(
            handle, ReadConnection.instructionsPerCheck,
            { context in
                guard let context else { return 1 }
                return Unmanaged<Guard>.fromOpaque(context).takeUnretainedValue().isOver ? 1 : 0
            }, context)
    }

    /// How many statements are kept; for tests.
    var keptStatements: Int { statements.count }

    deinit {
        for statement in statements.values { sqlite3_finalize(statement) }
        sqlite3_close_v2(connection)
    }

    /// Runs a SELECT over one table and gives its rows, each as the values in the order of the columns.
    ///
    /// - Throws: `tooLarge` beyond the rows or bytes, `tooSlow` beyond the time, `unreachable` if the store is closed meanwhile,
    ///   `refused` if the statement is more than
    ///   a SELECT over that table, and what SQLite says.
    func rows(
        _ select: CompiledFragment, table: TableInfo, limits: Limits, isOwner: Bool
    ) throws(DataError) -> ReadRows {
        gate.deadline = ContinuousClock.now + limits.time
        sqlite3_limit(connection, SQLITE_LIMIT_LENGTH, Int32(clamping: limits.valueBytes))
        let statement = try statement(select.sql, table: table.name, isOwner: isOwner)
        defer {
            sqlite3_reset(statement)
            sqlite3_clear_bindings(statement)
        }
        try bind(select.bindings, to: statement, isOwner: isOwner)
        let width = sqlite3_column_count(statement)
        var rows = ReadRows(names: [], rows: [])
        var times: [Bool] = []
        for column in 0..<width {
            rows.names.append(sqlite3_column_name(statement, column).map { String(cString: $0) } ?? "")
            let type = sqlite3_column_decltype(statement, column).map { String(cString: $0) } ?? ""
            times.append(TimeText.isTime(declaredType: type))
        }
        let bytesOfNames = rows.names.reduce(8) { $0 + $1.utf8.count + 4 }
        var bytes = 0
        while true {
            let code = sqlite3_step(statement)
            guard code == SQLITE_ROW else {
                guard code == SQLITE_DONE else { throw failure(code, isOwner: isOwner) }
                return rows
            }
            guard rows.rows.count < limits.rows else {
                throw DataError(
                    code: .tooLarge, message: "too many rows",
                    detail: "an answer holds at most \(limits.rows); ask with limit and offset")
            }
            bytes += bytesOfNames
            var row: [JSONValue] = []
            row.reserveCapacity(Int(width))
            for column in 0..<width {
                // Before the value is copied: it alone can be beyond the limit.
                let type = sqlite3_column_type(statement, column)
                bytes += type == SQLITE_NULL ? 4 : Int(sqlite3_column_bytes(statement, column))
                guard bytes <= limits.bytes else {
                    throw DataError(
                        code: .tooLarge, message: "the answer is too large",
                        detail: "an answer holds at most \(limits.bytes) bytes; ask with limit and offset")
                }
                row.append(ReadConnection.value(statement, column, type: type, isTime: times[Int(column)]))
            }
            rows.rows.append(row)
        }
    }

    private func statement(_ sql: String, table: String, isOwner: Bool) throws(DataError) -> OpaquePointer {
        // SQLite may compile a kept statement anew when the schema changes: it asks the authorizer then.
        gate.table = table.lowercased()
        let key = ExactText(table + "\u{0}" + sql)
        if let statement = statements[key] { return statement }
        var statement: OpaquePointer?
        var hasMore = false
        let code = sql.withCString { text -> Int32 in
            var tail: UnsafePointer<CChar>?
            let code = sqlite3_prepare_v3(connection, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &statement, &tail)
            hasMore = tail.map { $0.pointee != 0 } ?? false
            return code
        }
        guard code == SQLITE_OK, let statement else { throw failure(code, isOwner: isOwner) }
        guard !hasMore, sqlite3_stmt_readonly(statement) != 0 else {
            sqlite3_finalize(statement)
            throw DataError(code: .refused, message: "not allowed")
        }
        if statements.count >= ReadConnection.maximumStatements {
            for statement in statements.values { sqlite3_finalize(statement) }
            statements.removeAll(keepingCapacity: true)
        }
        statements[key] = statement
        return statement
    }

    private func bind(_ values: [QueryValue], to statement: OpaquePointer, isOwner: Bool) throws(DataError) {
        // `SQLITE_TRANSIENT`, a cast in C that Swift does not import: SQLite copies the bytes at once.
        let transient = unsafeBitCast(OpaquePointer(bitPattern: -1), to: sqlite3_destructor_type.self)
        for (index, value) in values.enumerated() {
            let position = Int32(index + 1)
            let code: Int32 =
                switch value {
                case .null: sqlite3_bind_null(statement, position)
                case .integer(let value): sqlite3_bind_int64(statement, position, value)
                case .real(let value): sqlite3_bind_double(statement, position, value)
                case .text(var text):
                    text.withUTF8 { bytes in
                        bytes.withMemoryRebound(to: CChar.self) { bytes in
                            bytes.baseAddress.map {
                                sqlite3_bind_text(statement, position, $0, Int32(clamping: bytes.count), transient)
                            } ?? sqlite3_bind_text(statement, position, "", 0, transient)
                        }
                    }
                case .blob(let bytes):
                    bytes.isEmpty
                        ? sqlite3_bind_zeroblob(statement, position, 0)
                        : sqlite3_bind_blob(statement, position, bytes, Int32(clamping: bytes.count), transient)
                }
            guard code == SQLITE_OK else { throw failure(code, isOwner: isOwner) }
        }
    }

    /// - Parameter type: as SQLite told it before anything was asked of the value: what it tells afterwards is not defined.
    private static func value(_ statement: OpaquePointer, _ column: Int32, type: Int32, isTime: Bool) -> JSONValue {
        switch type {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(statement, column))
        case SQLITE_FLOAT: return DataValue.json(real: sqlite3_column_double(statement, column))
        case SQLITE_TEXT:
            guard let start = sqlite3_column_text(statement, column) else { return .string("") }
            let count = Int(sqlite3_column_bytes(statement, column))
            let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
            return .string(isTime ? TimeText.normalized(text) : text)
        case SQLITE_BLOB:
            let count = Int(sqlite3_column_bytes(statement, column))
            guard count > 0, let start = sqlite3_column_blob(statement, column) else { return DataValue.json(blob: []) }
            return DataValue.json(blob: UnsafeRawBufferPointer(start: start, count: count))
        default: return .null
        }
    }

    private func failure(_ code: Int32, isOwner: Bool) -> DataError {
        if code & 0xff == SQLITE_INTERRUPT, gate.ending.hasBegun { return .closed }
        return DataError(sqliteCode: code, text: String(cString: sqlite3_errmsg(connection)), isOwner: isOwner)
    }
}

/// The rows of an answer.
struct ReadRows: Sendable {
    var names: [String]
    var rows: [[JSONValue]]

    /// A row as an object, its columns in order.
    func object(_ row: [JSONValue]) -> JSONValue {
        .object(JSONObject(members: zip(names, row).map { .init(name: $0, value: $1) }))
    }

    /// Every row as an object.
    var objects: JSONValue { .array(rows.map(object)) }

    /// The first values of the rows.
    var firstValues: JSONValue { .array(rows.compactMap(\.first)) }

    /// What an operation says of the rows.
    func answer(to operation: DataOperation) -> JSONValue {
        switch operation {
        case .queryOne: rows.first.map(object) ?? .null
        case .exists: ["exists": .bool(!rows.isEmpty)]
        case .count: ["count": rows.first?.first ?? .integer(0)]
        case .pluck, .distinct: firstValues
        default: objects
        }
    }
}
