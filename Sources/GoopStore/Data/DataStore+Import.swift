import GRDB
public import GoopCore

extension DataStore {
    /// The most rows of one import step.
    public static let maximumImportRows = 1000

    /// Adds rows of the owner in one transaction. A row that the table refuses is left out; the others are kept, in their
    /// order.
    ///
    /// - Parameter rows: objects with values by column.
    /// - Returns: which rows were refused, and why.
    /// - Throws: `DataError` if none was added: no such table, too many rows, a full disk.
    public func insert(_ rows: [JSONValue], into table: String) async throws(DataError) -> [RefusedRow] {
        guard rows.count <= DataStore.maximumImportRows else {
            throw DataError(
                code: .tooLarge, message: "too many rows at once", detail: "at most \(DataStore.maximumImportRows)")
        }
        var cost = 0
        var values: [[String: JSONValue]?] = []
        for row in rows {
            var request = DataRequest(op: .insert, table: table)
            let data = row.object.map { object in
                Dictionary(object.members.map { ($0.name, $0.value) }) { _, last in last }
            }
            request.data = data
            cost += request.cost
            values.append(data)
        }
        let answer = try await writer.write(of: .owner, cost: cost, isHeavy: true) { [values] transaction in
            let rows = RowWriter(
                transaction: transaction, table: try transaction.catalogue.table(table), caller: .owner,
                role: .noGroups)
            var refused: [JSONValue] = []
            for (index, data) in values.enumerated() {
                guard let data else {
                    refused.append(RefusedRow(index: index, reason: "it is no object").json)
                    continue
                }
                let before = transaction.effects
                try transaction.database.cached("SAVEPOINT one_row")
                do {
                    _ = try rows.insert(data)
                } catch {
                    let reason = DataError(writing: error, isOwner: true)
                    // What is wrong with the file or the disk is wrong with every row.
                    let isOfTheRow = [.badRequest, .conflict, .notFound, .tooLarge, .quota].contains(reason.code)
                    guard transaction.database.isInsideTransaction, isOfTheRow else { throw error }
                    transaction.effects = before
                    try transaction.database.cached("ROLLBACK TO one_row")
                    refused.append(RefusedRow(index: index, reason: reason.description).json)
                }
                try transaction.database.cached("RELEASE one_row")
            }
            return .array(refused)
        }
        return (answer.array ?? []).compactMap(RefusedRow.init(json:))
    }
}
