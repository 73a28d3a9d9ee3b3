import GRDB
public import GoopCore

extension DataStore {
    /// How long rows are counted and measured, all tables together. What is left then is not known.
    static let overviewPatience = Duration.seconds(2)

    /// Every table with its columns, its policies, and how much is in it.
    public func overview() async throws(DataError) -> [TableOverview] {
        let tables = try await catalogue().sorted
        return try await owned { [ending] database in
            let deadline = ScanDeadline(DataStore.overviewPatience, ending: ending)
            return try tables.map { table in
                var overview = try table.overview(database)
                overview.rows = try DataStore.measured(deadline, database, "SELECT COUNT(*) FROM \(table.quoted)")
                overview.bytes = try DataStore.measured(
                    deadline, database, "SELECT coalesce(SUM(\(table.sizeExpression)), 0) FROM \(table.quoted)")
                return overview
            }
        }
    }

    /// What visitors have filled, their own rows and those of others: whose bytes are the most comes first.
    ///
    /// - Parameter most: of how many visitors to tell.
    public func visitors(most: Int) async throws(DataError) -> VisitorOverview {
        let quota = quota
        let owner = ownerID
        let day = configuration.day()
        return try await owned { database in
            let all = try Row.fetchOne(
                database,
                sql: """
                    SELECT COUNT(*), coalesce(sum(row_count), 0), coalesce(sum(byte_count), 0) FROM "_goop2_usage"
                    WHERE (row_count > 0 OR byte_count > 0) AND peer_id <> ?
                    """, arguments: [owner])
            let rows = try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM (
                        SELECT filled.peer_id AS id, row_count, byte_count AS bytes, coalesce(received, 0),
                            CASE WHEN day = ? THEN added ELSE 0 END AS today
                        FROM "_goop2_usage" AS filled LEFT JOIN "_goop2_growth" AS growth
                            ON growth.peer_id = filled.peer_id
                        WHERE (row_count > 0 OR byte_count > 0) AND filled.peer_id <> ?
                        UNION ALL
                        SELECT growth.peer_id, 0, 0, received, added
                        FROM "_goop2_growth" AS growth LEFT JOIN "_goop2_usage" AS filled
                            ON filled.peer_id = growth.peer_id AND (row_count > 0 OR byte_count > 0)
                        WHERE added > 0 AND day = ? AND growth.peer_id <> ? AND filled.peer_id IS NULL
                    ) ORDER BY bytes + today DESC, id LIMIT ?
                    """, arguments: [day, owner, day, owner, most])
            let added = try RowGrowth.of(owner, in: database).received
            return VisitorOverview(
                limit: .init(rows: quota.rows, bytes: quota.bytes), totalLimit: quota.totalBytes,
                total: .init(
                    rows: all?.integer(at: 1) ?? 0,
                    bytes: (all?.integer(at: 2) ?? 0) &+ added),
                visitors: rows.compactMap { row -> VisitorOverview.Visitor? in
                    guard let id = row.text(at: 0) else { return nil }
                    return VisitorOverview.Visitor(
                        id: id, share: .init(rows: row.integer(at: 1) ?? 0, bytes: row.integer(at: 2) ?? 0),
                        received: row.integer(at: 3) ?? 0, added: row.integer(at: 4) ?? 0)
                },
                count: Int(all?.integer(at: 0) ?? 0))
        }
    }

    /// A number, or nil if the time is over.
    private static func measured(_ deadline: ScanDeadline, _ database: Database, _ sql: String) throws -> Int64? {
        do {
            return try deadline.watch(database) { try Int64.fetchOne(database, sql: sql) }
        } catch let error as DatabaseError where error.resultCode == .SQLITE_INTERRUPT {
            return nil
        }
    }

    private func owned<Value: Sendable>(
        _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(DataError) -> Value {
        do { return try await database.pool.read(body) } catch { throw DataError(writing: error, isOwner: true) }
    }
}

extension TableInfo {
    /// Everything but how much is in it.
    fileprivate func overview(_ database: Database) throws -> TableOverview {
        let unique = try UniqueColumns.of(name, in: database)
        let columns = columns.map { column -> TableOverview.Column in
            let isUnique = unique.contains(column.name.lowercased())
            guard let described = schema?.column(column.name) else {
                return TableOverview.Column(
                    name: column.name, type: column.type.lowercased(), isRequired: column.isNotNull,
                    isUnique: isUnique, defaultValue: column.defaultText.map { .string($0) })
            }
            return TableOverview.Column(
                name: column.name, type: described.type.rawValue, isRequired: described.isRequired || described.isKey,
                isUnique: isUnique, isAutomatic: described.isAutomatic, defaultValue: described.defaultValue,
                choices: described.choices)
        }
        return TableOverview(name: name, hasSchema: schema != nil, access: access, columns: columns)
    }
}
