import GRDB
import GoopCore

/// The owner's changes to tables: make, change, rename, drop, and set the policy.
///
/// Source: peer wire reference, sections 4, 6 and 7.
struct SchemaWriter {
    let transaction: WriteTransaction

    private var database: Database { transaction.database }

    private static let systemColumns = """
        "_id" INTEGER PRIMARY KEY AUTOINCREMENT, "_owner" TEXT NOT NULL, "_owner_email" TEXT DEFAULT '', \
        "_created_at" DATETIME DEFAULT CURRENT_TIMESTAMP, "_updated_at" DATETIME DEFAULT CURRENT_TIMESTAMP
        """

    /// `create-table`: an ORM table if a column or the request says something that only those have, else a classic one.
    func create(_ request: DataRequest) throws -> JSONValue {
        let name = request.name ?? request.table ?? ""
        guard DataName.isUserTable(name) else { throw SchemaWriter.badTable(name) }
        var definitions = request.columnDefs
        if definitions.isEmpty, let column = request.column { definitions = [column] }
        guard definitions.count <= OrmSchema.maximumColumns else {
            throw DataError(
                code: .tooLarge, message: "too many columns", detail: "at most \(OrmSchema.maximumColumns)")
        }
        try requireFree(name)
        let isORM =
            request.access != nil
            || definitions.contains { column in
                let object = column.object
                return ["key", "required", "auto", "values"].contains { object?[$0] != nil }
            }
        if isORM {
            var document: JSONObject = [
                "name": .string(name), "columns": .array(definitions),
            ]
            if !definitions.contains(where: { $0.object?["key"]?.bool == true }) { document["system_key"] = true }
            document["access"] = request.access
            try make(OrmSchema(json: .object(document)), policy: request.policy ?? "owner")
        } else {
            let columns = try definitions.map(SchemaWriter.classicColumn)
            try makeTable(name, columns: columns, policy: try SchemaWriter.policy(request.policy ?? "owner"))
            for definition in definitions where definition.object?["unique"]?.bool == true {
                try UniqueColumns.add(definition.object?["name"]?.string ?? "", of: name, in: database)
            }
        }
        try transaction.tablesChanged()
        return ["mode": .string(isORM ? "orm" : "classic"), "status": "created", "table": .string(name)]
    }

    /// Makes the table of a whole schema, as an import or a starter site has it.
    func create(_ schema: OrmSchema, policy: String) throws {
        try requireFree(schema.name)
        try make(schema, policy: policy)
        try transaction.tablesChanged()
    }

    private func make(_ schema: OrmSchema, policy: String) throws {
        let columns = try schema.columns.map { column throws(DataError) -> String in
            var text = "\(DataName.quoted(column.name)) \(column.type.sqlType)"
            if column.isKey || column.isRequired { text += " NOT NULL" }
            if let value = column.defaultValue {
                text += " DEFAULT \(SchemaWriter.literal(try DataValue.value(value, column: column.name)))"
            }
            return text
        }
        try makeTable(schema.name, columns: columns, policy: try SchemaWriter.policy(policy))
        try database.execute(
            sql: "INSERT OR REPLACE INTO \"_orm_schemas\" (table_name, schema_json) VALUES (?, ?)",
            arguments: [schema.name, String(decoding: JSONWriter.compact(schema.json), as: UTF8.self)])
        for column in schema.columns where column.isUnique {
            try UniqueColumns.add(column.name, of: schema.name, in: database)
        }
    }

    private func makeTable(_ name: String, columns: [String], policy: String) throws {
        let columns = [SchemaWriter.systemColumns] + columns
        let sql = "CREATE TABLE \(DataName.quoted(name)) (\(columns.joined(separator: ", ")))"
        try database.execute(sql: sql)
        try database.execute(
            sql: "INSERT INTO \"_tables\" (name, schema, insert_policy) VALUES (?, ?, ?)",
            arguments: [name, sql, policy])
    }

    /// `add-column`.
    func addColumn(_ request: DataRequest) throws -> JSONValue {
        let table = try transaction.catalogue.table(request.table ?? request.name)
        guard let definition = request.column else {
            throw DataError(code: .badRequest, message: "column required")
        }
        var schema = table.schema
        let text: String
        if var document = schema?.document {
            var json = definition.string.map { JSONValue.object(["name": .string($0), "type": "text"]) } ?? definition
            // A page that adds columns need not know which kind of table it is: '' is the empty text in both.
            if var object = json.object, let content = object["default"]?.string.flatMap(SchemaWriter.quotedText) {
                object["default"] = .string(content)
                json = .object(object)
            }
            document["columns"] = .array((document["columns"]?.array ?? []) + [json])
            let changed = try OrmSchema(json: .object(document))
            guard let column = changed.columns.last else { throw SchemaWriter.badColumn("") }
            text = "\(DataName.quoted(column.name)) \(column.type.sqlType)"
            schema = changed
        } else {
            text = try SchemaWriter.classicColumn(definition)
        }
        func add() throws {
            try database.execute(sql: "ALTER TABLE \(table.quoted) ADD COLUMN \(text)")
            if definition.object?["unique"]?.bool == true {
                try UniqueColumns.add(definition.object?["name"]?.string ?? "", of: table.name, in: database)
            }
            try store(schema, of: table.name)
        }
        // Only with a default do the rows that are there get a value.
        if (definition.object?["default"] ?? .null).isNull { try add() } else { try weighingAnew(table, add) }
        return ["status": "added"]
    }

    /// Changes columns, and with them what the rows count in the accounts of their owners.
    private func weighingAnew(_ table: TableInfo, _ change: () throws -> Void) throws {
        let before = try VisitorUsage.count(table, in: database)
        try change()
        let after = try VisitorUsage.count(try transaction.catalogue.table(table.name), in: database)
        for (peer, usage) in after {
            try transaction.charge(peer, rows: 0, bytes: usage.bytes - (before[peer]?.bytes ?? 0), isVisitor: false)
        }
    }

    /// `drop-column`.
    func dropColumn(_ request: DataRequest) throws -> JSONValue {
        let table = try transaction.catalogue.table(request.table)
        let name = request.columnName ?? request.name ?? ""
        guard let column = table.column(name), !DataName.isSystemColumn(column.name) else {
            throw SchemaWriter.badColumn(name)
        }
        var schema = table.schema
        if var document = schema?.document {
            let left = (document["columns"]?.array ?? []).filter {
                $0.object?["name"]?.string?.lowercased() != column.name.lowercased()
            }
            document["columns"] = .array(left)
            if !left.contains(where: { $0.object?["key"]?.bool == true }) { document["system_key"] = true }
            schema = try OrmSchema(json: .object(document))
        }
        try weighingAnew(table) {
            try UniqueColumns.remove(column.name, of: table.name, in: database)
            try AutomaticIndex.remove(column.name, of: table.name, in: database)
            try database.execute(sql: "ALTER TABLE \(table.quoted) DROP COLUMN \(DataName.quoted(column.name))")
            try store(schema, of: table.name)
        }
        return ["status": "dropped"]
    }

    /// `rename-column`.
    func renameColumn(_ request: DataRequest) throws -> JSONValue {
        let table = try transaction.catalogue.table(request.table)
        let old = request.oldName ?? ""
        guard let column = table.column(old), !DataName.isSystemColumn(column.name) else {
            throw SchemaWriter.badColumn(old)
        }
        let name = request.newName ?? ""
        guard DataName.isUserColumn(name) else { throw SchemaWriter.badColumn(name) }
        if let taken = table.column(name), taken != column {
            throw DataError(code: .conflict, message: "column \(taken.name) already exists")
        }
        try database.execute(
            sql: "ALTER TABLE \(table.quoted) RENAME COLUMN \(DataName.quoted(column.name)) TO \(DataName.quoted(name))"
        )
        var schema = table.schema
        if var document = schema?.document {
            document["columns"] = .array(
                (document["columns"]?.array ?? []).map { json in
                    guard var described = json.object, described["name"]?.string?.lowercased() == old.lowercased()
                    else { return json }
                    described["name"] = .string(name)
                    return .object(described)
                })
            schema = try OrmSchema(json: .object(document))
        }
        try store(schema, of: table.name)
        return ["new_name": .string(name), "status": "renamed"]
    }

    /// `rename-table`.
    func rename(_ request: DataRequest) throws -> JSONValue {
        let table = try transaction.catalogue.table(request.oldName ?? request.table)
        let name = request.newName ?? ""
        guard DataName.isUserTable(name) else { throw SchemaWriter.badTable(name) }
        guard name != table.name else { return ["new_name": .string(name), "status": "renamed"] }
        var present = table.quoted
        if name.lowercased() == table.name.lowercased() {
            // To SQLite the new name is taken, by the table itself: it gets there by way of a third one.
            let between = DataName.quoted(try IndexName.free("_renaming_\(name)", in: database))
            try database.execute(sql: "ALTER TABLE \(present) RENAME TO \(between)")
            present = between
        } else {
            try requireFree(name)
        }
        try database.execute(sql: "ALTER TABLE \(present) RENAME TO \(DataName.quoted(name))")
        try database.execute(
            sql: "UPDATE \"_tables\" SET name = ? WHERE name = ?", arguments: [name, table.name])
        try database.execute(
            sql: "UPDATE \"_orm_schemas\" SET table_name = ? WHERE table_name = ?", arguments: [name, table.name])
        var schema = table.schema
        if var document = schema?.document {
            document["name"] = .string(name)
            schema = try OrmSchema(json: .object(document))
        }
        try store(schema, of: name)
        return ["new_name": .string(name), "status": "renamed"]
    }

    /// `delete-table`.
    func drop(_ request: DataRequest) throws -> JSONValue {
        let table = try transaction.catalogue.table(request.table ?? request.name)
        for (peer, usage) in try VisitorUsage.count(table, in: database) {
            try transaction.charge(peer, VisitorUsage(rows: -usage.rows, bytes: -usage.bytes), isVisitor: false)
        }
        try database.execute(sql: "DROP TABLE \(table.quoted)")
        try database.execute(sql: "DELETE FROM \"_tables\" WHERE name = ?", arguments: [table.name])
        try database.execute(sql: "DELETE FROM \"_orm_schemas\" WHERE table_name = ?", arguments: [table.name])
        try transaction.tablesChanged()
        return ["status": "deleted", "table": .string(table.name)]
    }

    /// `set-policy`: the one word of a table, which stands for four (`TableAccess.init(insertPolicy:)`), or the four words of
    /// `access` for an ORM table.
    func setPolicy(_ request: DataRequest) throws -> JSONValue {
        let table = try transaction.catalogue.table(request.table ?? request.name)
        if let word = request.policy {
            let policy = try SchemaWriter.policy(word)
            try database.execute(
                sql: "UPDATE \"_tables\" SET insert_policy = ? WHERE name = ?", arguments: [policy, table.name])
        }
        var schema = table.schema
        if let access = request.access {
            guard var document = schema?.document else {
                throw DataError(
                    code: .badRequest, message: "not an ORM table", detail: "a classic table has one policy word only")
            }
            document["access"] = access
            schema = try OrmSchema(json: .object(document))
        } else if let word = request.policy {
            // Where a schema says it in four words they are what is in force.
            if var document = schema?.document, schema?.access != nil {
                document["access"] = TableAccess(insertPolicy: word).json
                schema = try OrmSchema(json: .object(document))
            }
        } else {
            throw DataError(code: .badRequest, message: "policy required")
        }
        try store(schema, of: table.name)
        let policy = try transaction.catalogue.table(table.name).policyInForce
        return ["policy": .string(policy), "status": "updated", "table": .string(table.name)]
    }

    private func store(_ schema: OrmSchema?, of name: String) throws {
        if let schema {
            try database.execute(
                sql: "UPDATE \"_orm_schemas\" SET schema_json = ? WHERE table_name = ?",
                arguments: [String(decoding: JSONWriter.compact(schema.json), as: UTF8.self), name])
        }
        try database.execute(
            sql: """
                UPDATE "_tables" SET schema = coalesce(
                    (SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1), schema) WHERE name = ?1
                """, arguments: [name])
        try transaction.tablesChanged()
    }

    private func requireFree(_ name: String) throws {
        let isTaken = try Bool.fetchOne(
            database,
            sql: """
                SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?1))
                    OR EXISTS (SELECT 1 FROM "_tables" WHERE lower(name) = lower(?1))
                """, arguments: [name])
        guard isTaken == false else {
            throw DataError(code: .conflict, message: "table \(name) already exists")
        }
    }

    // MARK: Text

    private static func badTable(_ name: String) -> DataError {
        DataError(
            code: .badRequest, message: "invalid table name: \(name.prefix(64))",
            detail: "letters, digits and _, beginning with a letter, at most 64")
    }

    private static func badColumn(_ name: String) -> DataError {
        DataError(
            code: .badRequest, message: "invalid column name: \(name.prefix(64))",
            detail: "letters, digits and _, beginning with a letter, at most 64; system columns stay")
    }

    static func policy(_ word: String) throws(DataError) -> String {
        let word = word == "public" ? "open" : word
        guard AccessPolicy(rawValue: word) != nil else {
            throw DataError(
                code: .badRequest, message: "unknown policy: \(word.prefix(32))",
                detail: "one of local, owner, group, open")
        }
        return word
    }

    /// A column of a classic table, `{"name","type","not_null","default"}` or only a name, as SQL.
    static func classicColumn(_ json: JSONValue) throws(DataError) -> String {
        let name = json.string ?? json.object?["name"]?.string ?? ""
        guard DataName.isUserColumn(name) else { throw badColumn(name) }
        let type = (json.object?["type"]?.string ?? "TEXT").uppercased()
        let isType =
            (1...32).contains(type.utf8.count)
            && type.utf8.allSatisfy {
                (0x41...0x5A).contains($0) || (0x30...0x39).contains($0) || [0x20, 0x28, 0x29, 0x2C].contains($0)
            }
        // Words only, with an optional size: nothing that could end the definition.
        let words = type.prefix { $0 != "(" }
        let size = type.dropFirst(words.count)
        let isSize =
            size.isEmpty
            || (size.hasSuffix(")") && size.dropFirst().dropLast().allSatisfy { $0.isNumber || $0 == "," || $0 == " " })
        let isWord =
            words.allSatisfy { $0.isLetter || $0 == " " }
            && ![
                "PRIMARY", "REFERENCES", "UNIQUE", "CHECK", "DEFAULT", "GENERATED", "AS", "COLLATE", "CONSTRAINT",
                "NOT",
            ].contains { words.split(separator: " ").contains(Substring($0)) }
        guard isType, isSize, isWord, !words.allSatisfy({ $0 == " " }) else {
            throw DataError(code: .badRequest, message: "invalid column type: \(type.prefix(32))")
        }
        var text = "\(DataName.quoted(name)) \(type)"
        if json.object?["not_null"]?.bool == true { text += " NOT NULL" }
        if let value = json.object?["default"], !value.isNull, value != .string("") {
            text += " DEFAULT \(try defaultText(value, column: name))"
        }
        return text
    }

    /// A default: a JSON value, or as upstream's callers write it, a piece of SQL that is a literal.
    private static func defaultText(_ json: JSONValue, column: String) throws(DataError) -> String {
        guard let text = json.string else { return literal(try DataValue.value(json, column: column)) }
        let word = text.uppercased()
        if ["NULL", "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"].contains(word) { return word }
        if Int64(text) != nil { return text }
        if let real = Double(text), real.isFinite { return "\(real)" }
        return literal(.text(quotedText(text) ?? text))
    }

    /// What is in a text literal of SQL, `'it''s'` for example; nil for every other text, `'a' || 'b'` among them.
    static func quotedText(_ text: String) -> String? {
        let bytes = text.utf8
        let quote = UInt8(ascii: "'")
        guard bytes.count >= 2, bytes.first == quote, bytes.last == quote else { return nil }
        var content: [UInt8] = []
        var isOpen = false
        for byte in bytes.dropFirst().dropLast() {
            if isOpen {
                guard byte == quote else { return nil }
                isOpen = false
            } else {
                isOpen = byte == quote
            }
            if !isOpen { content.append(byte) }
        }
        return isOpen ? nil : String(decoding: content, as: UTF8.self)
    }

    static func literal(_ value: QueryValue) -> String {
        switch value {
        case .null: "NULL"
        case .integer(let number): String(number)
        case .real(let number): "\(number)"
        case .text(let text): "'" + text.escaping("'", as: "''").escaping("\0", as: "") + "'"
        case .blob(let bytes):
            "x'" + bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() + "'"
        }
    }
}
