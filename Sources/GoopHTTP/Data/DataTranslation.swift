import GoopCore

/// Turns a data request of the browser into a request to the database: the suffix of the address names the operation,
/// the body holds its members.
///
/// Upstream's SDK and its own proxy disagree about `column`; both spellings and `column_name` are taken here.
/// Source: viewer wire reference, section 3.
enum DataTranslation {
    /// How an address is asked.
    enum Method: Sendable, Equatable {
        /// GET, or POST with any body.
        case get
        /// POST with JSON.
        case post
    }

    private static let operations: [String: (operation: String, method: Method)] = [
        "tables": ("tables", .get),
        "orm-schema": ("orm-schema", .get),
        "lua/list": ("lua-list", .get),
        "template": ("template", .get),
        "query": ("query", .post),
        "find": ("query", .post),
        "find-one": ("query-one", .post),
        "get-by": ("query-one", .post),
        "exists": ("exists", .post),
        "count": ("count", .post),
        "distinct": ("distinct", .post),
        "pluck": ("pluck", .post),
        "aggregate": ("aggregate", .post),
        "insert": ("insert", .post),
        "update": ("update", .post),
        "delete": ("delete", .post),
        "update-where": ("update-where", .post),
        "delete-where": ("delete-where", .post),
        "upsert": ("upsert", .post),
        "role": ("role", .post),
        "tables/create": ("create-table", .post),
        "tables/describe": ("describe", .post),
        "tables/delete": ("delete-table", .post),
        "tables/add-column": ("add-column", .post),
        "tables/drop-column": ("drop-column", .post),
        "tables/rename": ("rename-table", .post),
        "tables/rename-column": ("rename-column", .post),
        "tables/set-policy": ("set-policy", .post),
        "tables/export-schema": ("export-schema", .post),
        "lua/call": ("lua-call", .post),
    ]

    /// Operations that destroy: the owner does them in the viewer, never a page of the site, in which a stranger's text
    /// might have become a script.
    static let viewerOnly: Set<String> = [
        "tables/delete", "tables/drop-column", "tables/rename", "tables/rename-column", "tables/set-policy",
    ]

    /// How the address is asked; nil when there is no such operation.
    static func method(of suffix: String) -> Method? { operations[suffix]?.method }

    /// Members that are passed on as they are.
    private static let passed = [
        "table", "name", "data", "id", "where", "args", "limit", "offset", "order", "fields", "expr", "group_by",
        "key_col", "function", "params", "old_name", "new_name", "policy",
    ]

    /// The request in the form of the wire between peers.
    /// - Throws: `DataError` with the code `unknownOperation` or `badRequest`.
    static func request(suffix: String, body: JSONObject) throws(DataError) -> JSONValue {
        guard let operation = operations[suffix]?.operation else {
            throw DataError(code: .unknownOperation, message: "unknown operation", detail: suffix)
        }
        var request: JSONObject = ["op": .string(operation)]
        for name in passed {
            if let value = body[name], !value.isNull { request[name] = value }
        }
        switch suffix {
        case "find", "find-one":
            // Upstream names the columns `fields` here and `columns` in `query`.
            if request["fields"] == nil { request["columns"] = body["columns"] }
        case "query":
            request["columns"] = body["columns"]
        case "get-by":
            guard let column = column(in: body), isName(column) else {
                throw DataError(
                    code: .badRequest, message: "column is missing", detail: "get-by needs column and value")
            }
            request["where"] = .string("\"\(column)\" = ?")
            request["args"] = .array([body["value"] ?? .null])
        case "pluck", "distinct":
            guard let column = column(in: body) else {
                throw DataError(code: .badRequest, message: "column is missing", detail: "\(suffix) needs column")
            }
            request["column"] = .string(column)
        case "tables/create":
            request["column_defs"] = body["columns"] ?? body["column_defs"]
            if request["name"] == nil { request["name"] = request["table"] }
            request["access"] = body["access"]
        case "tables/set-policy":
            request["access"] = body["access"]
        case "tables/add-column":
            request["column"] = body["column"]
        case "tables/drop-column":
            if let column = column(in: body) { request["column"] = .string(column) }
        default:
            break
        }
        return .object(request)
    }

    /// The name of the column, however it is written.
    private static func column(in body: JSONObject) -> String? {
        body["column_name"]?.string ?? body["column"]?.string ?? body["column"]?.object?["name"]?.string
    }

    /// True for a name that may stand between quotes in a condition.
    private static func isName(_ text: String) -> Bool {
        let bytes = text.utf8
        return (1...64).contains(bytes.count)
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
