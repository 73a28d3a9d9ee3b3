import GRDB
public import GoopCore

extension DataStore {
    /// Changes a row as its site's owner, if it is still as the owner has seen it.
    ///
    /// Both happen in one transaction: nobody changes the row between the look at it and the change.
    /// - Parameters:
    ///   - values: the new values, by column.
    ///   - seen: values by column, as a reader gave them; empty: whatever is there is replaced.
    /// - Throws: `conflict` if one of those is another now; `notFound` if the row or table is gone; and whatever an `update`
    ///   throws.
    public func update(
        _ id: Int64, of table: String, to values: [String: JSONValue], seen: [String: SeenValue]
    ) async throws(DataError) {
        var request = DataRequest(op: .update, table: table)
        request.data = values
        let cost = request.cost + seen.reduce(0) { $0 + $1.key.utf8.count + $1.value.cost }
        _ = try await writer.write(of: .owner, cost: cost, isHeavy: false) { transaction in
            let rows = RowWriter(
                transaction: transaction, table: try transaction.catalogue.table(table), caller: .owner,
                role: .noGroups)
            try rows.requireStill(id, seen)
            return try rows.update(id, values)
        }
    }
}

extension RowWriter {
    /// Columns that are named when a row was changed.
    private static let namedColumns = 5

    /// - Throws: `conflict` if a value of the row is not the one that was seen. A row that is gone is the next step's matter.
    fileprivate func requireStill(_ id: Int64, _ seen: [String: SeenValue]) throws {
        guard !seen.isEmpty else { return }
        var columns: [(name: String, seen: SeenValue)] = []
        for (name, value) in seen.sorted(by: { $0.key < $1.key }) {
            guard let column = table.column(name) else {
                throw RowWriter.changed("the table has no column \(name.prefix(64)) any more")
            }
            columns.append((column.name, value))
        }
        let names = columns.map { DataName.quoted($0.name) }.joined(separator: ", ")
        guard
            let row = try Row.fetchOne(
                transaction.database, sql: "SELECT \(names) FROM \(table.quoted) WHERE \"_id\" = ?", arguments: [id])
        else { return }
        let values = (row.json(of: table).object?.members ?? []).map(\.value)
        let others = zip(columns, values).filter { !$0.seen.isStill($1) }.map { "column \($0.0.name)" }
        guard others.isEmpty else {
            let named = others.prefix(RowWriter.namedColumns).joined(separator: ", ")
            throw RowWriter.changed("another value is in \(named)\(others.count > RowWriter.namedColumns ? ", …" : "")")
        }
    }

    private static func changed(_ what: String) -> DataError {
        DataError(
            code: .conflict, message: "this row was changed meanwhile",
            detail: "\(what); nothing was stored: look at the row again, then save it anew")
    }
}
