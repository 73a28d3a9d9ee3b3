import GRDBSQLite
import GoopCore

// LIKE and GLOB on a connection that reads for others.
extension ReadConnection {
    private typealias Values = UnsafeMutablePointer<OpaquePointer?>

    /// Whether this SQLite was built so that nothing is like a BLOB, as those of most systems are.
    private static let leavesOutBlobs = sqlite3_compileoption_used("LIKE_DOESNT_MATCH_BLOBS") != 0

    /// Puts `PatternMatch` in the place of SQLite's own LIKE and GLOB, which see no clock. SQLite calls what has these names for
    /// its operators. What is given up: an index does not help with the beginning of a pattern.
    ///
    /// - Parameter context: a `Guard` that lives as long as the connection.
    static func installPatterns(on connection: OpaquePointer, context: UnsafeMutableRawPointer) {
        let flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS
        sqlite3_create_function_v2(
            connection, "like", 2, flags, context,
            { call, _, values in ReadConnection.answer(call, values, .like()) }, nil, nil, nil)
        sqlite3_create_function_v2(
            connection, "like", 3, flags, context,
            { call, _, values in
                guard let escape = values.flatMap({ sqlite3_value_text($0[2]) }) else { return }
                guard let match = PatternMatch.like(escapedBy: escape) else {
                    return sqlite3_result_error(call, "ESCAPE expression must be a single character", -1)
                }
                ReadConnection.answer(call, values, match)
            }, nil, nil, nil)
        sqlite3_create_function_v2(
            connection, "glob", 2, flags, context,
            { call, _, values in ReadConnection.answer(call, values, .glob) }, nil, nil, nil)
    }

    /// Answers one call: 1, 0, NULL if one of both is NULL, and the error of whoever is interrupted if the time is up.
    ///
    /// - Parameter values: pattern and text.
    private static func answer(_ call: OpaquePointer?, _ values: Values?, _ match: PatternMatch) {
        guard let values, let context = sqlite3_user_data(call) else { return }
        if leavesOutBlobs, (0..<2).contains(where: { sqlite3_value_type(values[$0]) == SQLITE_BLOB }) {
            return sqlite3_result_int(call, 0)
        }
        guard let pattern = sqlite3_value_text(values[0]), let text = sqlite3_value_text(values[1]) else { return }
        let gate = Unmanaged<Guard>.fromOpaque(context).takeUnretainedValue()
        switch match.compare(pattern, text, isOver: { gate.isOver }) {
        case .matches: sqlite3_result_int(call, 1)
        case .differs: sqlite3_result_int(call, 0)
        case .stopped: sqlite3_result_error_code(call, SQLITE_INTERRUPT)
        }
    }
}
