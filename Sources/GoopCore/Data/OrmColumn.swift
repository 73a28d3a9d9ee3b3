/// The type of a column of an ORM schema; the raw value is its word in the schema.
public enum OrmColumnType: String, Sendable, Hashable, CaseIterable {
    case text, integer, real, blob, guid, datetime, date, time
    case choice = "enum"

    /// The type in the table.
    public var sqlType: String {
        switch self {
        case .text, .guid, .choice: "TEXT"
        case .integer: "INTEGER"
        case .real: "REAL"
        case .blob: "BLOB"
        case .datetime: "DATETIME"
        case .date: "DATE"
        case .time: "TIME"
        }
    }
}

/// One column of an ORM schema.
///
/// Source: peer wire reference, section 6.
public struct OrmColumn: Sendable, Hashable {
    /// The column's name.
    public var name: String
    /// What it holds.
    public var type: OrmColumnType
    /// Stored as NOT NULL; `_id` stays the key of the table.
    public var isKey: Bool
    /// A new row needs a value.
    public var isRequired: Bool
    /// No two rows have the same value. Ours; upstream does not look at it.
    public var isUnique: Bool
    /// Filled on insert when the value is absent, null or empty.
    public var isAutomatic: Bool
    /// A new row gets the largest number plus one; visitors cannot set it.
    public var isNumbered: Bool { isAutomatic && type == .integer }
    /// The value of a new row that is given none.
    public var defaultValue: JSONValue?
    /// The keys of an enum.
    public var choices: [String]

    /// Reads a column.
    init(json: JSONValue) throws(DataError) {
        guard let object = json.object, let name = object["name"]?.string else {
            throw OrmSchema.invalid("a column needs a name")
        }
        guard DataName.isUserColumn(name) else { throw OrmSchema.invalid("invalid column name: \(name.prefix(64))") }
        let word = object["type"]?.string ?? "text"
        guard let type = OrmColumnType(rawValue: word.lowercased()) else {
            throw OrmSchema.invalid("column \(name) has the unknown type \(word.prefix(32))")
        }
        self.name = name
        self.type = type
        isKey = object["key"]?.bool ?? false
        isRequired = object["required"]?.bool ?? false
        isUnique = object["unique"]?.bool ?? false
        isAutomatic = object["auto"]?.bool ?? false
        defaultValue = object["default"].flatMap { $0.isNull ? nil : $0 }
        let values = object["values"]?.array ?? []
        guard values.count <= OrmSchema.maximumChoices else {
            throw OrmSchema.invalid("column \(name) has more than \(OrmSchema.maximumChoices) values")
        }
        choices = values.compactMap { $0.string ?? $0.object?["key"]?.string }
        guard type != .choice || !choices.isEmpty else { throw OrmSchema.invalid("enum column \(name) has no values") }
    }

    /// Whether a value that is not null fits.
    func check(_ value: JSONValue) throws(DataError) {
        switch type {
        case .integer, .real:
            guard case .number = value else { throw wrong("a number", value) }
        case .blob:
            guard value.string != nil || value.object?["$blob"]?.string != nil else { throw wrong("a text", value) }
        case .text, .guid, .datetime, .date, .time:
            guard value.string != nil else { throw wrong("a text", value) }
        case .choice:
            guard let text = value.string, choices.contains(text) else {
                throw DataError(
                    code: .badRequest, message: "invalid value for column \(name)",
                    detail: "one of \(choices.prefix(20).joined(separator: ", ")) is needed")
            }
        }
    }

    private func wrong(_ needed: String, _ value: JSONValue) -> DataError {
        DataError(
            code: .badRequest, message: "invalid value for column \(name)",
            detail: "\(type.rawValue) needs \(needed), not \(value.kindName)")
    }
}
