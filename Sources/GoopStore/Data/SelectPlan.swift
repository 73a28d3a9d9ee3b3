import GoopCore

/// A read as SQL: what the request asks, and only the rows that the caller may see.
///
/// Everything of the request that is text goes through `QueryCompiler`; what is written here is our own, quoted names of the
/// catalogue, and placeholders. The texts share the values of the request, in the order in which they stand in the statement:
/// `expr`, `where`, `order`.
struct SelectPlan {
    let table: TableInfo
    /// Nil: all rows; else only those of this owner.
    let owner: String?
    /// The columns, which every text of a request asks for.
    private let scope: QueryScope

    init(table: TableInfo, owner: String?) {
        self.table = table
        self.owner = owner
        scope = table.scope
    }

    /// What the operation of a request reads.
    func select(_ request: DataRequest) throws(DataError) -> CompiledFragment {
        switch request.op {
        case .queryOne: return try rows(request, only: 1)
        case .exists: return try exists(request)
        case .count: return try count(request)
        case .pluck: return try column(request, isDistinct: false)
        case .distinct: return try column(request, isDistinct: true)
        case .aggregate: return try aggregate(request)
        default: return try rows(request)
        }
    }

    /// Rows, or one row: `query`, `query-one`.
    func rows(_ request: DataRequest, only: Int64? = nil) throws(DataError) -> CompiledFragment {
        let names = request.fields.isEmpty ? request.columns : request.fields
        var sql = CompiledFragment(sql: "SELECT ")
        sql.append(
            try compiled { () throws(QueryError) in
                names.isEmpty
                    ? try QueryCompiler.columns("*", scope: scope) : try QueryCompiler.columns(names, scope: scope)
            })
        sql.sql += " FROM \(table.quoted)"
        var arguments = try SelectPlan.arguments(request)
        try addWhere(request, &arguments, to: &sql)
        try addOrder(request, &arguments, to: &sql)
        try addLimit(request, only: only, to: &sql)
        try finish(arguments)
        return sql
    }

    /// `exists`: one row with one value.
    func exists(_ request: DataRequest) throws(DataError) -> CompiledFragment {
        var sql = CompiledFragment(sql: "SELECT 1 FROM \(table.quoted)")
        try addOnlyWhere(request, to: &sql)
        sql.sql += " LIMIT 1"
        return sql
    }

    /// `count`.
    func count(_ request: DataRequest) throws(DataError) -> CompiledFragment {
        var sql = CompiledFragment(sql: "SELECT COUNT(*) FROM \(table.quoted)")
        try addOnlyWhere(request, to: &sql)
        return sql
    }

    /// The `_id` of rows that a bulk form is to change, one more than the most that it may.
    func ids(_ request: DataRequest, most: Int) throws(DataError) -> CompiledFragment {
        guard SelectPlan.condition(of: request) != nil else {
            throw DataError(code: .badRequest, message: "where is required")
        }
        var sql = CompiledFragment(sql: "SELECT \"_id\" FROM \(table.quoted)")
        try addOnlyWhere(request, to: &sql)
        sql.sql += " ORDER BY \"_id\" LIMIT \(most + 1)"
        return sql
    }

    /// `pluck` and `distinct`: the values of one column.
    func column(_ request: DataRequest, isDistinct: Bool) throws(DataError) -> CompiledFragment {
        guard let name = request.columnName ?? request.keyColumn ?? request.fields.first, !name.isEmpty else {
            throw DataError(code: .badRequest, message: "column required")
        }
        let column = try compiled { () throws(QueryError) in
            try QueryCompiler.columns([name], scope: scope, isCompared: isDistinct)
        }
        var sql = CompiledFragment(sql: "SELECT \(isDistinct ? "DISTINCT " : "")\(column.sql) FROM \(table.quoted)")
        var arguments = try SelectPlan.arguments(request)
        try addWhere(request, &arguments, to: &sql)
        if isDistinct, request.order == nil {
            sql.sql += " ORDER BY \(column.sql)"
        } else {
            try addOrder(request, &arguments, to: &sql)
        }
        try addLimit(request, to: &sql)
        try finish(arguments)
        return sql
    }

    /// `aggregate`: expressions over groups.
    func aggregate(_ request: DataRequest) throws(DataError) -> CompiledFragment {
        guard let text = request.expr, !text.isEmpty else {
            throw DataError(code: .badRequest, message: "expr required")
        }
        let groups = try request.groupBy.flatMap { $0.isEmpty ? nil : $0 }.map { (text) throws(DataError) in
            try compiled { () throws(QueryError) -> (names: [String], compared: CompiledFragment) in
                let names = try QueryCompiler.columnNames(text, scope: scope)
                return (names, try QueryCompiler.columns(text, scope: scope, isCompared: true))
            }
        }
        var arguments = try SelectPlan.arguments(request)
        let results = try compiled { () throws(QueryError) in
            try QueryCompiler.results(text, arguments: &arguments, scope: scope)
        }
        var sql = CompiledFragment(sql: "SELECT ")
        for name in groups?.names ?? [] where !SelectPlan.shows(results, name) {
            sql.sql += DataName.quoted(name) + ", "
        }
        sql.append(results.fragment)
        sql.sql += " FROM \(table.quoted)"
        try addWhere(request, &arguments, to: &sql)
        if let groups { sql.sql += " GROUP BY \(groups.compared.sql)" }
        try addOrder(request, &arguments, of: results, to: &sql)
        try addLimit(request, to: &sql)
        try finish(arguments)
        return sql
    }

    /// Whether a column that is grouped by is one of the results already, or one is called so. To be mentioned is not enough:
    /// `MAX(year)` does not say which year a row is of.
    private static func shows(_ results: CompiledResults, _ column: String) -> Bool {
        results.columns.contains(column)
            || results.names.contains { QueryScope.folded($0) == QueryScope.folded(column) }
    }

    /// Of a statement that has no other text of the request.
    private func addOnlyWhere(_ request: DataRequest, to sql: inout CompiledFragment) throws(DataError) {
        var arguments = try SelectPlan.arguments(request)
        try addWhere(request, &arguments, to: &sql)
        try finish(arguments)
    }

    private func addWhere(
        _ request: DataRequest, _ arguments: inout QueryArguments, to sql: inout CompiledFragment
    ) throws(DataError) {
        var condition: CompiledFragment?
        if let text = SelectPlan.condition(of: request) {
            condition = try compiled { () throws(QueryError) in
                try QueryCompiler.condition(text, arguments: &arguments, scope: scope)
            }
        }
        guard let rows = CompiledFragment.rows(of: owner, where: condition) else { return }
        sql.sql += " WHERE "
        sql.append(rows)
    }

    /// - Parameter results: of groups of rows.
    private func addOrder(
        _ request: DataRequest, _ arguments: inout QueryArguments, of results: CompiledResults? = nil,
        to sql: inout CompiledFragment
    ) throws(DataError) {
        guard let order = request.order, !order.isEmpty else { return }
        sql.sql += " ORDER BY "
        sql.append(
            try compiled { () throws(QueryError) in
                try QueryCompiler.order(order, arguments: &arguments, scope: scope, of: results)
            })
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
    private static func condition(of request: DataRequest) -> String? {
        request.where.flatMap { $0.contains { !$0.isWhitespace } ? $0 : nil }
    }

    private static func arguments(_ request: DataRequest) throws(DataError) -> QueryArguments {
        var values: [QueryValue] = []
        for json in request.args { values.append(try DataValue.value(json, column: "args")) }
        return try compiled { () throws(QueryError) in try QueryArguments(values) }
    }

    private func finish(_ arguments: QueryArguments) throws(DataError) {
        try compiled { () throws(QueryError) in try arguments.finish() }
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
