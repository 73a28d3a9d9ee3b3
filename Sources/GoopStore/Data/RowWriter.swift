import Foundation
import GRDB
import GoopCore
import PeerIdentity

/// The writes to rows: `insert`, `update`, `delete`, their bulk forms and `upsert`, for one caller under the table's policies.
///
/// Source: peer wire reference, sections 4, 5 and 7.
struct RowWriter {
    let transaction: WriteTransaction
    let table: TableInfo
    let caller: DataCaller
    let role: CallerRole

    private var database: Database { transaction.database }
    private var isVisitor: Bool { caller != .owner }
    private let callerID: String

    init(transaction: WriteTransaction, table: TableInfo, caller: DataCaller, role: CallerRole) {
        self.transaction = transaction
        self.table = table
        self.caller = caller
        self.role = role
        callerID = caller.peer?.base58 ?? transaction.ownerID
    }

    private func decision(_ action: RowAction) -> AccessDecision {
        table.access.decision(action, caller: caller, role: role, roles: table.schema?.roles)
    }

    /// The rows that a policy lets the caller touch.
    /// - Throws: `refused`.
    private func scope(_ action: RowAction) throws(DataError) -> RowScope {
        switch decision(action) {
        case .allowed(let scope): return scope
        case .refused(let text):
            throw DataError(
                code: .refused, message: text, detail: table.access.explanation(of: action, role: role))
        }
    }

    // MARK: One row

    /// `insert`: `{status:"inserted", id}`.
    func insert(_ data: [String: JSONValue]) throws -> JSONValue {
        _ = try scope(.insert)
        let id = try insertRow(data)
        return ["id": .integer(id), "status": "inserted"]
    }

    /// `update` of one row.
    func update(_ id: Int64, _ data: [String: JSONValue]) throws -> JSONValue {
        let scope = try scope(.update)
        try require(id)
        let values = try valuesForUpdate(data)
        guard try updateRow(id, values, scope: scope) else { throw missing(.update, scope) }
        return ["status": "updated"]
    }

    /// `delete` of one row.
    func delete(_ id: Int64) throws -> JSONValue {
        let scope = try scope(.delete)
        try require(id)
        guard try deleteRow(id, scope: scope) else { throw missing(.delete, scope) }
        return ["status": "deleted"]
    }

    private func require(_ id: Int64) throws(DataError) {
        guard id > 0 else { throw DataError(code: .badRequest, message: "valid row id required") }
    }

    /// Whether the row is another's or does not exist is the same answer: neither can be found out by trying.
    private func missing(_ action: RowAction, _ scope: RowScope) -> DataError {
        guard scope == .ownRows else {
            return DataError(code: .notFound, message: DataError.rowNotFound)
        }
        let text =
            table.access[action] == .owner
            ? "\(action.rawValue) not allowed: owner only" : DataError.rowNotFound
        return DataError(
            code: .refused, message: text, detail: "there is no such row that you have made yourself")
    }

    // MARK: Many rows

    /// `update-where`, with the rows that the condition holds for: `{affected}`.
    func updateRows(_ ids: [Int64], _ data: [String: JSONValue]) throws -> JSONValue {
        let scope = try bulkScope(.update)
        let values = try valuesForUpdate(data)
        for id in ids {
            try checkTime()
            _ = try updateRow(id, values, scope: scope)
        }
        return ["affected": .integer(ids.count)]
    }

    /// `delete-where`, with the rows that the condition holds for: `{affected}`.
    func deleteRows(_ ids: [Int64]) throws -> JSONValue {
        let scope = try bulkScope(.delete)
        for id in ids {
            try checkTime()
            _ = try deleteRow(id, scope: scope)
        }
        return ["affected": .integer(ids.count)]
    }

    /// `upsert`: changes the first row with that value in the key column that the caller may change, or makes a new one.
    func upsert(_ keyColumn: String?, _ data: [String: JSONValue]) throws -> JSONValue {
        guard let keyColumn, !keyColumn.isEmpty else {
            throw DataError(code: .badRequest, message: "key_col is required")
        }
        guard let column = table.column(keyColumn), !DataName.isSystemColumn(column.name) else {
            throw DataError(code: .badRequest, message: "invalid column name: \(keyColumn.prefix(64))")
        }
        guard let key = data.first(where: { table.column($0.key) == column })?.value, !key.isNull else {
            throw DataError(code: .badRequest, message: "data has no value for \(column.name)")
        }
        _ = try scope(.insert)
        let scope = try bulkScope(.update)
        let value = try stored(key, in: column)
        if let id = try first(where: column, is: value, scope: scope) {
            _ = try updateRow(id, try valuesForUpdate(data), scope: scope)
            return ["id": .integer(id), "status": "ok"]
        }
        // The new row would get another number, and the same request one more row each time.
        guard !isVisitor || table.schema?.numberedColumns.contains(column.name.lowercased()) != true else {
            throw DataError(
                code: .refused, message: "column \(column.name) is numbered by the table",
                detail: "no row that may be changed has that number; insert a row without one")
        }
        return ["id": .integer(try insertRow(data)), "status": "ok"]
    }

    /// The rows that a condition may be tried on: those the caller may change and also read, else the number of affected
    /// rows would tell what is in rows that are not shown.
    private func bulkScope(_ action: RowAction) throws(DataError) -> RowScope {
        let scopes = [try scope(action), try scope(.read)]
        return scopes.contains(.ownRows) ? .ownRows : .allRows
    }

    /// How the first row with a value in a column is looked for: with the value, and the owner if only that one's rows count.
    static func search(_ table: TableInfo, for column: String, scope: RowScope) -> String {
        "SELECT \"_id\" FROM \(table.quoted) WHERE \(DataName.quoted(column)) = ?"
            + (scope == .ownRows ? " AND \"_owner\" IS ?" : "") + " ORDER BY \"_id\" LIMIT 1"
    }

    private func first(where column: TableInfo.Column, is value: QueryValue, scope: RowScope) throws -> Int64? {
        if let id = try first(where: column.name, is: value, scope: scope) { return id }
        // Older rows, and those of upstream, may have the same moment in another form.
        guard case .text(let text) = value, TimeText.isTime(declaredType: column.type),
            let older = TimeText.automaticOfOld(text)
        else { return nil }
        return try first(where: column.name, is: .text(older), scope: scope)
    }

    private func first(where column: String, is value: QueryValue, scope: RowScope) throws -> Int64? {
        let sql = RowWriter.search(table, for: column, scope: scope)
        let values = scope == .ownRows ? [value, .text(callerID)] : [value]
        let deadline = ScanDeadline(isVisitor ? .seconds(1) : .seconds(30), ending: transaction.ending)
        do {
            return try deadline.watch(database) { try database.cachedFirst(sql, values) { $0.integer(at: 0) } ?? nil }
        } catch let error as DatabaseError
            where error.resultCode == .SQLITE_INTERRUPT && transaction.ending.hasBegun
        {
            throw DataError.closed
        }
    }

    private func checkTime() throws(DataError) {
        guard ContinuousClock.now < transaction.deadline else {
            throw DataError(
                code: .tooSlow, message: "the change took too long", detail: "nothing was changed; change fewer rows")
        }
    }

    // MARK: Steps

    /// Up to so many columns of its own every choice of them is a statement that is kept.
    private static let freelyChosenColumns = 6

    /// Writes values into columns. Each choice of columns is another statement, GRDB keeps statements without a bound, and
    /// visitors choose: of 16 columns there are 65,536 choices. So those of wide tables are kept for whole rows only.
    private func write(_ sql: String, columns: Int, _ values: [QueryValue]) throws {
        let own = table.columns.count - DataName.systemColumns.count
        if own <= RowWriter.freelyChosenColumns || columns >= own {
            try database.cached(sql, values)
        } else {
            try database.once(sql, values)
        }
    }

    private func insertRow(_ data: [String: JSONValue]) throws -> Int64 {
        var data = settable(data)
        if let schema = table.schema {
            data = try schema.valuesForInsert(data) { column throws(DataError) in try automatic(column) }
        }
        var given = try columns(data)
        // The owner of a site may say whose a row is, as an import does.
        func defaulted(_ name: String, _ text: String) {
            if !given.contains(where: { $0.name == name }) { given.insert((name, .text(text)), at: 0) }
        }
        let width = given.count
        defaulted("_owner_email", isVisitor ? email : transaction.ownerEmail)
        defaulted("_owner", callerID)
        let names = given.map { DataName.quoted($0.name) }.joined(separator: ", ")
        let marks = Array(repeating: "?", count: given.count).joined(separator: ", ")
        try write(
            "INSERT INTO \(table.quoted) (\(names)) VALUES (\(marks))", columns: width, given.map(\.value))
        let id = database.lastInsertedRowID
        // As it stands in the file: columns have defaults, and turn numbers into texts and back.
        let made = try state(of: id, scope: .allRows) ?? (owner: callerID, values: 0, bytes: 0)
        if isVisitor { try transaction.checkRow(made.values) }
        try transaction.charge(made.owner, rows: 1, bytes: made.bytes, isVisitor: isVisitor)
        try note(.insert, id, owner: made.owner)
        return id
    }

    private var email: String {
        if case .remote(_, let email, _) = caller { String(email.prefix(320)) } else { "" }
    }

    private func updateRow(_ id: Int64, _ values: [(name: String, value: QueryValue)], scope: RowScope) throws -> Bool {
        guard let before = try state(of: id, scope: scope) else { return false }
        var assignments = values.map { "\(DataName.quoted($0.name)) = ?" }
        if !values.contains(where: { $0.name == "_updated_at" }) {
            assignments.append("\"_updated_at\" = CURRENT_TIMESTAMP")
        }
        try write(
            "UPDATE \(table.quoted) SET \(assignments.joined(separator: ", ")) WHERE \"_id\" = ?",
            columns: values.count, values.map(\.value) + [.integer(id)])
        transaction.rowChanged(id, of: table.name)
        // The row may have got another id or owner from the site's owner.
        let newID = values.first { $0.name == "_id" }.flatMap { QueryValue.integer(of: $0.value) } ?? id
        if newID != id {
            transaction.rowChanged(newID, of: table.name)
            try note(.delete, id, owner: before.owner)
        }
        guard let after = try state(of: newID, scope: .allRows) else { return true }
        if before.owner == after.owner {
            if isVisitor, after.values > before.values { try transaction.checkRow(after.values) }
            let bytes = after.bytes - before.bytes
            if isVisitor, after.owner != callerID {
                try transaction.chargeGrowth(ofRowOf: after.owner, by: callerID, bytes: bytes)
            } else {
                try transaction.charge(after.owner, rows: 0, bytes: bytes, isVisitor: isVisitor)
            }
        } else {
            try transaction.charge(before.owner, rows: -1, bytes: -before.bytes, isVisitor: false)
            try transaction.charge(after.owner, rows: 1, bytes: after.bytes, isVisitor: false)
            // Whoever sees own rows only must hear that this one is none any more; for all others it is still there.
            if newID == id { try note(.delete, id, owner: before.owner, isForOwnerOnly: true) }
        }
        try note(.update, newID, owner: after.owner)
        return true
    }

    private func deleteRow(_ id: Int64, scope: RowScope) throws -> Bool {
        guard let before = try state(of: id, scope: scope) else { return false }
        try database.cached("DELETE FROM \(table.quoted) WHERE \"_id\" = ?", [.integer(id)])
        transaction.rowChanged(id, of: table.name)
        try transaction.charge(before.owner, rows: -1, bytes: -before.bytes, isVisitor: false)
        try note(.delete, id, owner: before.owner)
        return true
    }

    /// Whose a row is, how large its values are, and the same with the e-mail, which counts too; nil if it does not exist or is
    /// not in the caller's reach.
    private func state(of id: Int64, scope: RowScope) throws -> (owner: String, values: Int64, bytes: Int64)? {
        var sql = table.rowUsageQuery
        var arguments: [QueryValue] = [.integer(id)]
        if scope == .ownRows {
            sql += " AND \"_owner\" = ?"
            arguments.append(.text(callerID))
        }
        return try database.cachedFirst(sql, arguments) { row in
            let values = row.integer(at: 1) ?? 0
            return (row.text(at: 0) ?? "", values, values + (row.integer(at: 2) ?? 0))
        }
    }

    private func note(
        _ kind: DataChange.Kind, _ id: Int64, owner: String, isForOwnerOnly: Bool = false
    ) throws {
        // Of changes that are lost already the row is not read either.
        guard transaction.isWatched(table.name), transaction.effects.changes[table.name]?.areLost != true else {
            return
        }
        var row: JSONValue?
        if kind != .delete {
            let names = table.columns.map { DataName.quoted($0.name) }.joined(separator: ", ")
            row = try database.cachedFirst(
                "SELECT \(names) FROM \(table.quoted) WHERE \"_id\" = ?", [.integer(id)]
            ) { $0.json(of: table) }
        }
        transaction.effects.changes[table.name, default: TableChanges()].add(
            RowChange(
                DataChange(table: table.name, kind: kind, id: id, row: row), owner: owner,
                isForOwnerOnly: isForOwnerOnly))
    }

    // MARK: Values

    /// What a caller may set: nobody remote sets a system column, or a number that is given here. One row with the largest
    /// number there is would leave the table without a next one. A page that sends back a row as it read it does no harm.
    private func settable(_ data: [String: JSONValue]) -> [String: JSONValue] {
        guard isVisitor else { return data }
        let numbered = table.schema?.numberedColumns ?? []
        return data.filter { !DataName.isSystemColumn($0.key) && !numbered.contains($0.key.lowercased()) }
    }

    private func valuesForUpdate(_ data: [String: JSONValue]) throws(DataError) -> [(name: String, value: QueryValue)] {
        let data = settable(data)
        try table.schema?.checkUpdate(data)
        let values = try columns(data)
        guard !values.isEmpty else {
            throw DataError(
                code: .badRequest, message: "no columns to update",
                detail: "system columns and automatic numbers cannot be set")
        }
        return values
    }

    /// The values by the table's own spelling of the columns, in the table's order so that equal requests are one statement.
    private func columns(_ data: [String: JSONValue]) throws(DataError) -> [(name: String, value: QueryValue)] {
        var found: [(position: Int, name: String, value: QueryValue)] = []
        for (name, json) in data {
            guard DataName.isValid(name) else {
                throw DataError(code: .badRequest, message: "invalid column name: \(name.prefix(64))")
            }
            guard let column = table.column(name) else {
                throw DataError(code: .badRequest, message: "table \(table.name) has no column named \(name)")
            }
            guard !found.contains(where: { $0.position == column.position }) else {
                throw DataError(code: .badRequest, message: "column \(column.name) is given twice")
            }
            found.append((column.position, column.name, try stored(json, in: column)))
        }
        return found.sorted { $0.position < $1.position }.map { ($0.name, $0.value) }
    }

    /// A value as the column gets it: a moment in the one form that all of its moments have, whoever writes it and however.
    private func stored(_ json: JSONValue, in column: TableInfo.Column) throws(DataError) -> QueryValue {
        let value = try DataValue.value(json, column: column.name)
        guard case .text(let text) = value, TimeText.isTime(declaredType: column.type) else { return value }
        return .text(TimeText.normalized(text))
    }

    private func automatic(_ column: OrmColumn) throws(DataError) -> JSONValue? {
        switch column.type {
        case .guid: return .string(UUID().uuidString.lowercased())
        case .datetime: return .string(now("%Y-%m-%d %H:%M:%S"))
        case .date: return .string(now("%Y-%m-%d"))
        case .time: return .string(now("%H:%M:%S"))
        case .integer:
            do {
                let sql = AutomaticIndex.largest(of: column.name, in: table)
                let largest = try database.cachedFirst(sql, []) { $0.integer(at: 0) ?? 0 } ?? 0
                guard largest < Int64.max else {
                    throw DataError(code: .conflict, message: "column \(column.name) has no next number")
                }
                return .integer(largest + 1)
            } catch {
                throw DataError(writing: error, isOwner: !isVisitor)
            }
        default: return nil
        }
    }

    private func now(_ format: String) -> String {
        // SQLite's clock, so that all times in the file come from one.
        (try? String.fetchOne(database, sql: "SELECT strftime(?, 'now')", arguments: [format])) ?? ""
    }
}

extension QueryValue {
    /// The integer that SQLite makes of a value in a column of integers; nil if it makes none, or of a text of another form.
    static func integer(of value: QueryValue) -> Int64? {
        switch value {
        case .integer(let number): number
        case .text(let text): Int64(text)
        case .real(let number): Int64(exactly: number)
        case .null, .blob: nil
        }
    }
}

extension Row {
    /// The row as JSON, as a reader would give it.
    func json(of table: TableInfo) -> JSONValue {
        .object(
            JSONObject(
                members: map { name, value in
                    let json: JSONValue
                    switch value.storage {
                    case .null: json = .null
                    case .int64(let number): json = .integer(number)
                    case .double(let real): json = DataValue.json(real: real)
                    case .string(let text):
                        let isTime = TimeText.isTime(declaredType: table.column(name)?.type ?? "")
                        json = .string(isTime ? TimeText.normalized(text) : text)
                    case .blob(let data): json = DataValue.json(blob: data)
                    }
                    return JSONObject.Member(name: name, value: json)
                }))
    }
}
