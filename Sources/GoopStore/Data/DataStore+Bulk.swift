import GoopCore

/// `update-where` and `delete-where`.
///
/// A reader looks for the rows, because a condition can be slow, and all writers would wait for it; the writer gets their
/// `_id`. If one of them changed in between, they are looked for again: what is written is what a condition holds for.
extension DataStore {
    /// The most rows that are changed at once.
    static let maximumBulkRows = 100_000
    /// Up to so many rows a change shares its commit with those of others.
    private static let lightRows = 16
    /// How often rows are looked for, before the answer is `conflict`.
    static let bulkAttempts = 8

    func writeMany(_ request: DataRequest, caller: DataCaller) async throws(DataError) -> JSONValue {
        for _ in 0..<DataStore.bulkAttempts {
            let table = try await catalogue().table(request.table ?? request.name)
            guard let (ids, mark) = try await rows(of: table, request, caller: caller) else { continue }
            await configuration.pause(.rowsFound)
            let answer = try await writer.write(
                of: caller, cost: request.cost + 8 * ids.count, isHeavy: ids.count > DataStore.lightRows
            ) { transaction in
                let current = try transaction.catalogue.table(table.name)
                guard current == table, transaction.areUnchanged(ids, of: table.name, since: mark) else { return .null }
                let rows = RowWriter(
                    transaction: transaction, table: table, caller: caller, role: DataStore.role(of: caller))
                return request.op == .updateWhere
                    ? try rows.updateRows(ids, request.data ?? [:]) : try rows.deleteRows(ids)
            }
            if !answer.isNull { return answer }
        }
        throw DataError(code: .conflict, message: "the rows change too fast", detail: "try again")
    }

    /// Those that the caller may both read and change: of others the number of affected rows would tell what is in them. Nil if
    /// the table or its policy changed meanwhile.
    private func rows(
        of table: TableInfo, _ request: DataRequest, caller: DataCaller
    ) async throws(DataError) -> (ids: [Int64], at: RecentChanges.Mark)? {
        let changed = try owner(for: request.op == .updateWhere ? .update : .delete, of: table, caller: caller)
        let read = try owner(for: .read, of: table, caller: caller)
        let most = configuration.maximumBulkRows
        let plan = SelectPlan(table: table, owner: changed ?? read)
        let select = try plan.ids(request, most: most)
        let isOwner = caller == .owner
        var limits = isOwner ? DataStore.ownerLimits : DataStore.visitorLimits
        limits.rows = most + 1
        let answer = try await readIfStill(table, for: caller) {
            [limits, recent] (connection) throws(DataError) -> (found: ReadRows, mark: RecentChanges.Mark) in
            let mark = recent.mark
            return (try connection.rows(select, table: table, limits: limits, isOwner: isOwner), mark)
        }
        guard let (found, mark) = answer else { return nil }
        guard found.rows.count <= most else {
            throw DataError(
                code: .tooLarge, message: "too many rows",
                detail: "at most \(most) are changed at once")
        }
        return (found.rows.compactMap { $0.first?.int64 }, mark)
    }
}
