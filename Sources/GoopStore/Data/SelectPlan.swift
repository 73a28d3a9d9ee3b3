import GoopCore

/// A read as SQL: what the request asks, and only the rows that the caller may see.
///
/// Everything of the request that is text goes through `QueryCompiler`; what is written here is our own, quoted names of the
/// catalogue, and placeholders.
struct SelectPlan {
    let table: TableInfo
    /// Nil: all rows; else only those of this owner.
    let owner: String?

    /// Rows, or one row: `query`, `query-one`.
    func rows(_ request: DataRequest, only: Int64? = nil) throws(DataError) -> CompiledFragment {
        let scope = table.scope
        let names = request.fields.isEmpty ? request.columns : request.fields
        var sql = CompiledFragment(sql: "SELECT ")
        sql.append(
            try compiled { () throws(QueryError) in
                names.isEmpty
                    ? try QueryCompiler.columns("*", scope: scope) : try QueryCompiler.columns(names, scope: scope)
            })
        sql.sql += " FROM \(table.quoted)"
        try addWhere(request, to: &sql)
        try addOrder(request, to: &sql)
        try addLimit(request, only: only, to: &sql)
        return sql
    }

    /// `exists`: one row with one value.
    func exists(_ request: DataRequest) throws(DataError) -> CompiledFragment {
        var sql = CompiledFragment(sql: "SELECT 1 FROM \(table.quoted)")
        try addWhere(request, to: &sql)
        sql.sql += " LIMIT 1"
        return sql
    }

    /// `count`.
    func count(_ request: DataRequest) throws(DataError) -> CompiledFragment {
        var sql = CompiledFragment(sql: "SELECT COUNT(*) FROM \(table.quoted)")
        try addWhere(request, to: &sql)
        return sql
    }

    /// The `_id` of rows that a bulk form is to change, one more than the most that it may.
    func ids(_ request: DataRequest, most: Int) throws(DataError) -> CompiledFragment {
        guard try SelectPlan.condition(request, table: table) != nil else {
            throw DataError(code: .badRequest, message: "where is required")
        }
        var sql = CompiledFragment(sql: "SELECT \"_id\" FROM \(table.quoted)")
        try addWhere(request, to: &sql)
        sql.sql += " ORDER BY \"_id\" LIMIT \(most + 1)"
        return sql
    }

    /// `pluck` and `distinct`: the values of one column.
    func column(_ request: DataRequest, isDistinct: Bool) throws(DataError) -> CompiledFragment {
        guard let name = request.columnName ?? request.keyColumn ?? request.fields.first, !name.isEmpty else {
            throw DataError(code: .badRequest, message: "column required")
        }
        let column = try compiled { () throws(QueryError) in try QueryCompiler.columns([name], scope: table.scope) }
        var sql = CompiledFragment(sql: "SELECT \(isDistinct ? "DISTINCT " : "")\(column.sql) FROM \(table.quoted)")
        try addWhere(request, to: &sql)
        if isDistinct, request.order == nil {
            sql.sql += " ORDER BY \(column.sql)"
        } else {
            try addOrder(request, to: &sql)
        }
        try addLimit(request, to: &sql)
        return sql
    }

    /// `aggregate`: expressions over groups.
    func aggregate(_ request: DataRequest) throws(DataError) -> CompiledFragment {
        guard let text = request.expr, !text.isEmpty else {
            throw DataError(code: .badRequest, message: "expr required")
        }
        let scope = table.scope
        let groups = try request.groupBy.flatMap { $0.isEmpty ? nil : $0 }.map { (text) throws(DataError) in
            try compiled { () throws(QueryError) in try QueryCompiler.columns(text, scope: scope) }
        }
        let expressions = try compiled { () throws(QueryError) in
            try QueryCompiler.expressions(text, scope: scope)
        }
        var sql = CompiledFragment(sql: "SELECT ")
        // The columns that a result is grouped by are part of it, unless the request names them itself.
        if let groups, !isNamed(groups, in: text) { sql.sql += groups.sql + ", " }
        sql.append(expressions)
        sql.sql += " FROM \(table.quoted)"
        try addWhere(request, to: &sql)
        if let groups { sql.sql += " GROUP BY \(groups.sql)" }
        if let order = request.order, !order.isEmpty {
            let names = scope.columns
            sql.sql += " ORDER BY "
            sql.append(
                try compiled { () throws(QueryError) in
                    try QueryCompiler.order(order, scope: QueryScope(columns: names), aggregates: true)
                })
        }
        try addLimit(request, to: &sql)
        return sql
    }

    private func isNamed(_ groups: CompiledFragment, in text: String) -> Bool {
        let words = text.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "_") }
        return groups.sql.lowercased().split { $0 == "\"" || $0 == "," || $0 == " " }.contains { words.contains($0) }
    }

    private func addWhere(_ request: DataRequest, to sql: inout CompiledFragment) throws(DataError) {
        let condition = try SelectPlan.condition(request, table: table)
        guard let rows = CompiledFragment.rows(of: owner, where: condition) else { return }
        sql.sql += " WHERE "
        sql.append(rows)
    }

    private func addOrder(_ request: DataRequest, to sql: inout CompiledFragment) throws(DataError) {
        guard let order = request.order, !order.isEmpty else { return }
        sql.sql += " ORDER BY "
        sql.append(try compiled { () throws(QueryError) in try QueryCompiler.order(order, scope: table.scope) })
    }

    private func addLimit(
        _ request: DataRequest, only: Int64? = nil, to sql: inout CompiledFragment
    ) throws(DataError) {
        let limit = request.limit ?? 0
        let offset = request.offset ?? 0
        guard limit >= 0, offset >= 0 else {
            throw DataError(code: .badRequest, message: "limit and offset cannot be negative")
        }
        if let only {
            sql.sql += " LIMIT ?"
            sql.bindings.append(.integer(only))
        } else if limit > 0 {
            sql.sql += " LIMIT ?"
            sql.bindings.append(.integer(limit))
        } else if offset > 0 {
            // Upstream ignores an offset without a limit, and gives what was to be skipped.
            sql.sql += " LIMIT -1"
        }
        if offset > 0 {
            sql.sql += " OFFSET ?"
            sql.bindings.append(.integer(offset))
        }
    }

    /// The condition of a request; nil if it has none.
    private static func condition(_ request: DataRequest, table: TableInfo) throws(DataError) -> CompiledFragment? {
        guard let text = request.where, text.contains(where: { !$0.isWhitespace }) else {
            guard request.args.isEmpty else {
                throw DataError(code: .badRequest, message: "args without where")
            }
            return nil
        }
        var args: [QueryValue] = []
        for json in request.args { args.append(try DataValue.value(json, column: "args")) }
        return try compiled { () throws(QueryError) in
            try QueryCompiler.condition(text, args: args, scope: table.scope)
        }
    }
}

extension CompiledFragment {
    /// Puts another one behind it.
    mutating func append(_ other: CompiledFragment) {
        sql += other.sql
        bindings += other.bindings
    }
}

/// Runs the compiler and gives its errors as those of the operation.
func compiled<Value>(_ body: () throws(QueryError) -> Value) throws(DataError) -> Value {
    do throws(QueryError) { return try body() } catch { throw DataError(error) }
}
