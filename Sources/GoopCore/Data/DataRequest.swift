/// One operation on a peer's database with its arguments, as it stands on the wire.
///
/// Which members an operation uses is the operation's matter; here only their form and their sizes are checked.
/// Source: peer wire reference, section 7.
public struct DataRequest: Sendable, Hashable {
    /// The longest `where`, `order`, `expr` or `group_by`, in bytes.
    public static let maximumTextBytes = 4096
    /// The most `args`.
    public static let maximumArguments = 256
    /// The most members of `data`, names in `columns` and `fields`, and definitions in `column_defs`.
    public static let maximumColumns = 256
    /// The longest name of a table, column or function, in bytes.
    public static let maximumNameBytes = 128

    /// What to do.
    public var op: DataOperation
    /// The table.
    public var table: String?
    /// The table, for operations on tables; also taken where `table` is missing.
    public var name: String?
    /// Values by column.
    public var data: [String: JSONValue]?
    /// `_id` of a row.
    public var id: Int64?
    /// A condition of the query grammar.
    public var `where`: String?
    /// A value for each placeholder.
    public var args: [JSONValue] = []
    /// Names of columns to give.
    public var columns: [String] = []
    /// Definitions of the columns of a new table.
    public var columnDefs: [JSONValue] = []
    /// A name, or the definition of one column.
    public var column: JSONValue?
    /// At most so many rows.
    public var limit: Int64?
    /// After so many rows.
    public var offset: Int64?
    /// Names before and after renaming.
    public var oldName: String?
    /// The name after renaming.
    public var newName: String?
    /// The function to call.
    public var function: String?
    /// Its parameters.
    public var params: JSONValue?
    /// An order of the query grammar.
    public var order: String?
    /// Names of columns to give; `columns` under another name.
    public var fields: [String] = []
    /// Expressions of an aggregate.
    public var expr: String?
    /// Columns to group by.
    public var groupBy: String?
    /// The column that names the row of an upsert.
    public var keyColumn: String?
    /// The policy to set.
    public var policy: String?
    /// Access words of a new table: `read`, `insert`, `update`, `delete`.
    public var access: JSONValue?

    /// Makes a request without arguments.
    public init(op: DataOperation, table: String? = nil) {
        self.op = op
        self.table = table
    }

    /// The name of `column`, whichever form it has.
    public var columnName: String? { column?.string ?? column?.object?["name"]?.string }

    /// Reads a request of the wire.
    /// - Throws: `DataError`: `unknownOperation`, `badRequest` for a wrong form, `tooLarge` past a limit.
    public init(json: JSONValue) throws(DataError) {
        guard let object = json.object else {
            throw DataError(code: .badRequest, message: "bad request", detail: "an object is needed")
        }
        let name = object["op"]?.string ?? ""
        guard let op = DataOperation(rawValue: name) else {
            throw DataError(code: .unknownOperation, message: "unknown op: \(name.prefix(100))")
        }
        self.op = op
        let reader = MemberReader(object: object)
        table = try reader.name("table")
        self.name = try reader.name("name")
        data = try reader.values("data")
        id = try reader.integer("id")
        `where` = try reader.text("where")
        args = try reader.list("args", most: Self.maximumArguments)
        columns = try reader.names("columns")
        columnDefs = try reader.list("column_defs", most: Self.maximumColumns)
        column = try reader.column()
        limit = try reader.integer("limit")
        offset = try reader.integer("offset")
        oldName = try reader.name("old_name")
        newName = try reader.name("new_name")
        function = try reader.name("function")
        params = reader.any("params")
        order = try reader.text("order")
        fields = try reader.names("fields")
        expr = try reader.text("expr")
        groupBy = try reader.text("group_by")
        keyColumn = try reader.name("key_col")
        policy = try reader.name("policy")
        access = reader.any("access")
    }

    /// The request as it stands on the wire; members without a value are left out.
    public var json: JSONValue {
        var object: JSONObject = ["op": .string(op.rawValue)]
        func put(_ name: String, _ text: String?) { if let text { object[name] = .string(text) } }
        func put(_ name: String, _ number: Int64?) { if let number { object[name] = .integer(number) } }
        func put(_ name: String, _ list: [JSONValue]) { if !list.isEmpty { object[name] = .array(list) } }
        put("table", table)
        put("name", name)
        if let data {
            var values = JSONObject()
            for (name, value) in data.sorted(by: { $0.key < $1.key }) { values[name] = value }
            object["data"] = .object(values)
        }
        put("id", id)
        put("where", `where`)
        put("args", args)
        put("columns", columns.map { .string($0) })
        put("column_defs", columnDefs)
        object["column"] = column
        put("limit", limit)
        put("offset", offset)
        put("old_name", oldName)
        put("new_name", newName)
        put("function", function)
        object["params"] = params
        put("order", order)
        put("fields", fields.map { .string($0) })
        put("expr", expr)
        put("group_by", groupBy)
        put("key_col", keyColumn)
        put("policy", policy)
        object["access"] = access
        return .object(object)
    }
}

/// Reads members of known forms; a missing member and `null` are the same.
private struct MemberReader {
    let object: JSONObject

    func any(_ name: String) -> JSONValue? { object[name].flatMap { $0.isNull ? nil : $0 } }

    func name(_ name: String) throws(DataError) -> String? {
        try string(name, most: DataRequest.maximumNameBytes, list: false)
    }

    /// A text; a list of texts is joined with commas, as scripts write columns either way.
    func text(_ name: String) throws(DataError) -> String? {
        try string(name, most: DataRequest.maximumTextBytes, list: true)
    }

    private func string(_ name: String, most: Int, list: Bool) throws(DataError) -> String? {
        guard let value = any(name) else { return nil }
        guard let text = value.string ?? (list ? joined(value) : nil) else { throw wrong(name, "a text", value) }
        guard text.utf8.count <= most else { throw tooLarge(name, "\(most) bytes") }
        return text
    }

    private func joined(_ value: JSONValue) -> String? {
        guard let parts = value.array else { return nil }
        let texts = parts.compactMap(\.string)
        return texts.count == parts.count ? texts.joined(separator: ", ") : nil
    }

    func integer(_ name: String) throws(DataError) -> Int64? {
        guard let value = any(name) else { return nil }
        // Scripts send numbers as text where a form gave them.
        guard let number = value.int64 ?? value.string.flatMap({ Int64($0) }) else {
            throw wrong(name, "a whole number", value)
        }
        return number
    }

    func values(_ name: String) throws(DataError) -> [String: JSONValue]? {
        guard let value = any(name) else { return nil }
        guard let members = value.object?.members else { throw wrong(name, "an object", value) }
        guard members.count <= DataRequest.maximumColumns else {
            throw tooLarge(name, "\(DataRequest.maximumColumns) members")
        }
        return Dictionary(members.map { ($0.name, $0.value) }) { _, last in last }
    }

    func list(_ name: String, most: Int) throws(DataError) -> [JSONValue] {
        guard let value = any(name) else { return [] }
        guard let list = value.array else { throw wrong(name, "a list", value) }
        guard list.count <= most else { throw tooLarge(name, "\(most) elements") }
        return list
    }

    /// A list of names, or one text with commas between them.
    func names(_ name: String) throws(DataError) -> [String] {
        guard let value = any(name) else { return [] }
        let names: [String]
        if let text = value.string {
            names = text.split(separator: ",").map {
                String($0.drop { $0 == " " }.trimmingSuffix(while: { $0 == " " }))
            }
        } else if let list = value.array, list.allSatisfy({ $0.string != nil }) {
            names = list.compactMap(\.string)
        } else {
            throw wrong(name, "a list of names", value)
        }
        guard names.count <= DataRequest.maximumColumns,
            names.allSatisfy({ $0.utf8.count <= DataRequest.maximumTextBytes })
        else { throw tooLarge(name, "\(DataRequest.maximumColumns) names") }
        return names
    }

    func column() throws(DataError) -> JSONValue? {
        guard let value = any("column") else { return try name("column_name").map { .string($0) } }
        guard value.string != nil || value.object != nil else { throw wrong("column", "a name or an object", value) }
        return value
    }

    private func wrong(_ name: String, _ needed: String, _ value: JSONValue) -> DataError {
        DataError(code: .badRequest, message: "bad request", detail: "\(name) must be \(needed), not \(value.kindName)")
    }

    private func tooLarge(_ name: String, _ limit: String) -> DataError {
        DataError(code: .tooLarge, message: "request too large", detail: "\(name) holds at most \(limit)")
    }
}

extension Substring {
    fileprivate func trimmingSuffix(while isDropped: (Character) -> Bool) -> Substring {
        var rest = self
        while let last = rest.last, isDropped(last) { rest.removeLast() }
        return rest
    }
}
