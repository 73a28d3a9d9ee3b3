import GRDB
import GoopCore

/// What is known about one user table.
struct TableInfo: Sendable, Hashable {
    /// A column of the table in the file.
    struct Column: Sendable, Hashable {
        let position: Int
        let name: String
        let type: String
        let isNotNull: Bool
        let defaultText: String?
        let keyPosition: Int

        /// Upstream's form.
        var json: JSONValue {
            [
                "cid": .integer(position), "name": .string(name), "type": .string(type), "not_null": .bool(isNotNull),
                "default": defaultText.map { .string($0) } ?? .null, "pk": .integer(keyPosition),
            ]
        }
    }

    let name: String
    let insertPolicy: String
    let createdAt: String
    let columns: [Column]
    let schema: OrmSchema?
    let access: TableAccess
    /// The name in quotes.
    let quoted: String
    /// How many bytes the values of a row take, as SQL.
    let sizeExpression: String
    /// Of the row with an `_id`: its owner, how many bytes its values take, and its e-mail. Made once, for every change of a row
    /// asks it.
    let rowUsageQuery: String
    private let columnsByName: [[UInt8]: Column]

    init(name: String, insertPolicy: String, createdAt: String, columns: [Column], schema: OrmSchema?) {
        self.name = name
        self.insertPolicy = insertPolicy
        self.createdAt = createdAt
        self.columns = columns
        self.schema = schema
        access = schema?.access ?? TableAccess(insertPolicy: insertPolicy)
        quoted = DataName.quoted(name)
        sizeExpression = TableInfo.size(of: columns)
        rowUsageQuery =
            "SELECT \"_owner\", \(sizeExpression), \(VisitorUsage.emailSize) FROM \(quoted) WHERE \"_id\" = ?"
        columnsByName = Dictionary(columns.map { (QueryScope.folded($0.name), $0) }) { first, _ in first }
    }

    /// The word for who makes rows.
    var policyInForce: String { (access.insert ?? .owner).rawValue }

    func column(_ name: String) -> Column? { columnsByName[QueryScope.folded(name)] }

    var scope: QueryScope {
        QueryScope(
            columns: columns.map(\.name),
            times: Set(columns.filter { TimeText.isTime(declaredType: $0.type) }.map(\.name)))
    }

    private static func size(of columns: [Column]) -> String {
        let parts = columns.filter { !DataName.isSystemColumn($0.name) }.map { column in
            let name = DataName.quoted(column.name)
            return "CASE typeof(\(name)) WHEN 'null' THEN 0 WHEN 'text' THEN length(CAST(\(name) AS BLOB)) "
                + "WHEN 'blob' THEN length(\(name)) ELSE 8 END"
        }
        return parts.isEmpty ? "0" : parts.joined(separator: " + ")
    }
}

/// The user tables of a file at one moment, and the template that they came with.
struct Catalogue: Sendable {
    let tables: [String: TableInfo]
    /// As `TemplateSettings` gives it.
    let template: JSONValue
    /// Their names in lower case: SQLite does not tell the cases apart, and sites of old count on that.
    private let names: [String: String]

    init(tables: [String: TableInfo], template: JSONValue) {
        self.tables = tables
        self.template = template
        names = Dictionary(tables.keys.map { ($0.lowercased(), $0) }) { first, _ in first }
    }

    /// In the order of their names.
    var sorted: [TableInfo] { tables.values.sorted { $0.name < $1.name } }

    /// A table that the request names.
    /// - Throws: `badRequest` without a name or with an impossible one, `notFound` for every other name, be there such a
    ///   table of the system or not.
    func table(_ name: String?) throws(DataError) -> TableInfo {
        guard let name, !name.isEmpty else { throw DataError(code: .badRequest, message: "table name required") }
        guard DataName.isValid(name) else {
            throw DataError(code: .badRequest, message: "invalid table name: \(name.prefix(64))")
        }
        guard let table = tables[name] ?? names[name.lowercased()].flatMap({ tables[$0] }) else {
            throw DataError(code: .notFound, message: "no such table: \(name)")
        }
        return table
    }

    /// Reads the registered tables that have the system columns; anything else in the file is none of a request's business.
    static func load(_ database: Database) throws -> Catalogue {
        let present = try Set(
            String.fetchAll(
                database, sql: "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
        )
        var schemas: [String: OrmSchema] = [:]
        var unreadable: Set<String> = []
        for row in try Row.fetchAll(database, sql: "SELECT table_name, schema_json FROM \"_orm_schemas\"") {
            guard let name = row.text("table_name") else { continue }
            unreadable.insert(name)
            guard let text = row.text("schema_json"),
                let json = try? JSONParser.parse(Array(text.utf8)), let schema = try? OrmSchema(json: json)
            else { continue }
            schemas[name] = schema
            unreadable.remove(name)
        }
        var tables: [String: TableInfo] = [:]
        let list = try Row.fetchAll(database, sql: "SELECT name, insert_policy, created_at FROM \"_tables\"")
        for row in list {
            guard let name = row.text("name"), DataName.isUserTable(name), present.contains(name) else { continue }
            let columns = try Row.fetchAll(
                database, sql: "SELECT * FROM pragma_table_xinfo(?) WHERE hidden <> 1", arguments: [name]
            ).map { row in
                TableInfo.Column(
                    position: Int(row.integer("cid") ?? 0), name: row.text("name") ?? "", type: row.text("type") ?? "",
                    isNotNull: row.integer("notnull") == 1, defaultText: row.text("dflt_value"),
                    keyPosition: Int(row.integer("pk") ?? 0))
            }
            let names = Set(columns.map { $0.name.lowercased() })
            guard DataName.systemColumns.allSatisfy(names.contains) else { continue }
            let created = row.text("created_at") ?? ""
            // Access words that cannot be understood must not become the open ones of a classic table.
            let word = row.text("insert_policy") ?? "owner"
            let policy = unreadable.contains(name) ? "owner" : word
            tables[name] = TableInfo(
                name: name, insertPolicy: policy, createdAt: TimeText.normalized(created),
                columns: columns, schema: schemas[name])
        }
        return Catalogue(tables: tables, template: try TemplateSettings.load(database))
    }
}
