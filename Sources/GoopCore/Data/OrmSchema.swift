/// The description of an ORM table: its columns, who may do what, and what roles may.
///
/// Source: peer wire reference, section 6.
public struct OrmSchema: Sendable, Hashable {
    /// The most columns.
    public static let maximumColumns = 128
    /// The most values of an enum.
    public static let maximumChoices = 256

    /// Of the table.
    public var name: String
    /// The user's columns, in order.
    public var columns: [OrmColumn]
    /// No column needs to be a key.
    public var hasSystemKey: Bool
    /// What the schema says about access, if it does.
    public var access: TableAccess?
    /// By role name.
    public var roles: [String: RolePermissions]?
    /// The schema as it was written, members that are not known here included.
    public var document: JSONObject

    /// Reads a schema.
    /// - Throws: `DataError` with the code `badRequest` and what is wrong.
    public init(json: JSONValue) throws(DataError) {
        guard let object = json.object else { throw OrmSchema.invalid("an object is needed") }
        guard let name = object["name"]?.string, DataName.isUserTable(name) else {
            throw OrmSchema.invalid("invalid table name: \(object["name"]?.string?.prefix(64) ?? "")")
        }
        let list = object["columns"]?.array ?? []
        guard (1...OrmSchema.maximumColumns).contains(list.count) else {
            throw OrmSchema.invalid("1 to \(OrmSchema.maximumColumns) columns are needed, not \(list.count)")
        }
        var columns: [OrmColumn] = []
        for json in list {
            let column = try OrmColumn(json: json)
            guard !columns.contains(where: { $0.name.lowercased() == column.name.lowercased() }) else {
                throw OrmSchema.invalid("the column \(column.name) is there twice")
            }
            columns.append(column)
        }
        self.name = name
        self.columns = columns
        hasSystemKey = object["system_key"]?.bool ?? false
        guard hasSystemKey || columns.contains(where: \.isKey) else {
            throw OrmSchema.invalid("a column must be a key, or system_key be true")
        }
        access = try OrmSchema.access(object["access"])
        roles = OrmSchema.roles(object["roles"])
        document = object
    }

    /// The schema as JSON.
    public var json: JSONValue { .object(document) }

    /// The column of a name, which SQLite would find in any letter case.
    public func column(_ name: String) -> OrmColumn? { columns.first { $0.name.lowercased() == name.lowercased() } }

    /// The columns that a table numbers itself, in lower case.
    public var numberedColumns: Set<String> { Set(columns.filter(\.isNumbered).map { $0.name.lowercased() }) }

    static func invalid(_ detail: String) -> DataError {
        DataError(code: .badRequest, message: "invalid schema", detail: detail)
    }

    private static func access(_ json: JSONValue?) throws(DataError) -> TableAccess? {
        guard let json, !json.isNull else { return nil }
        guard let object = json.object else { throw invalid("access must be an object") }
        func policy(_ name: String) throws(DataError) -> AccessPolicy? {
            guard let word = object[name]?.string, !word.isEmpty else { return nil }
            guard let policy = AccessPolicy(rawValue: word) else {
                throw invalid("access \(name) must be local, owner, group or open, not \(word.prefix(32))")
            }
            return policy
        }
        return TableAccess(
            read: try policy("read"), insert: try policy("insert"), update: try policy("update"),
            delete: try policy("delete"))
    }

    private static func roles(_ json: JSONValue?) -> [String: RolePermissions]? {
        guard let members = json?.object?.members else { return nil }
        var roles: [String: RolePermissions] = [:]
        for member in members.prefix(64) {
            let allowed = RowAction.allCases.filter { member.value.object?[$0.rawValue]?.bool == true }
            roles[member.name] = RolePermissions(Set(allowed))
        }
        return roles
    }
}

extension OrmSchema {
    /// The values of a new row: automatic ones and defaults filled in, everything checked.
    ///
    /// Columns that the schema does not know are left for the table to refuse.
    /// - Parameter automatic: gives the value of an automatic column, nil if it has none for its type.
    /// - Throws: `DataError` with the code `badRequest`, or what `automatic` throws.
    public func valuesForInsert(
        _ data: [String: JSONValue], automatic: (OrmColumn) throws(DataError) -> JSONValue?
    ) throws(DataError) -> [String: JSONValue] {
        var values = data
        for column in columns {
            let name = data.keys.first { $0.lowercased() == column.name.lowercased() } ?? column.name
            let given = data[name] ?? .null
            if column.isAutomatic, given.isNull || given == .string(""), let value = try automatic(column) {
                values[name] = value
                continue
            }
            guard !given.isNull else {
                if let value = column.defaultValue {
                    values[name] = value
                } else if column.isRequired || column.isKey {
                    throw DataError(
                        code: .badRequest, message: "column \(column.name) is required",
                        detail: "the table \(self.name) needs a value for it")
                } else {
                    values[name] = nil
                }
                continue
            }
            try column.check(given)
        }
        return values
    }

    /// Checks the values that a change gives to existing rows.
    /// - Throws: `DataError` with the code `badRequest`.
    public func checkUpdate(_ data: [String: JSONValue]) throws(DataError) {
        for (name, value) in data.sorted(by: { $0.key < $1.key }) {
            guard let column = column(name) else { continue }
            if value.isNull {
                guard !column.isRequired, !column.isKey else {
                    throw DataError(
                        code: .badRequest, message: "column \(column.name) is required", detail: "it cannot become null"
                    )
                }
            } else {
                try column.check(value)
            }
        }
    }
}
