/// Turns what a stranger wrote into SQL that can do no more than the query grammar says.
///
/// The text is never passed on. It is read into an expression, whose columns exist, whose functions are on a list, and whose
/// size is bounded; the SQL is then written from the expression: names quoted, values bound. The grammar is in
/// `docs/query-grammar.md`.
///
/// What the statement around it has to see to: that it reads one table, that the condition is tried on rows that the policy
/// shows and on no others (`CompiledFragment.rows(of:where:)`), that double quotes never mean texts, that a text cannot grow
/// beyond a limit (`SQLITE_LIMIT_LENGTH`), and that a handler ends statements that run too long.
public enum QueryCompiler {
    /// What is read at most; beyond it the query is refused.
    public enum Limit {
        /// Bytes of UTF-8 in one text.
        public static let textBytes = 4096
        /// Nested parentheses, lists, calls, CASE and prefixes.
        public static let depth = 32
        /// Columns, values, operators and calls in one text.
        public static let parts = 512
        /// Arguments for placeholders.
        public static let arguments = 256
        /// `||` in one text: each copies its operands.
        public static let concatenations = 32
        /// Bytes of a pattern, of a text to look for, of letters to trim, of a format of time. They are compared at every place
        /// of a value, and but for LIKE and GLOB nothing looks at the clock within one comparison.
        public static let patternBytes = 256
        /// Bytes of the patterns of LIKE and GLOB, of the texts to look for and of the letters to trim in one text, all
        /// together; letters to trim count eight times, and each once more for every `||` in what it is compared with. It
        /// bounds how long SQLite needs for one row, between two looks at the clock: four patterns of the longest, or a word in a
        /// dozen columns.
        public static let searchBytes = 1024
        /// `%` of LIKE, `*` of GLOB in one pattern.
        public static let wildcards = 16
        /// Sort terms.
        public static let orderTerms = 16
        /// Results of `expressions`.
        public static let expressions = 32
        /// Names of `columns`.
        public static let columns = 512
        /// Entries of SQLite's parser stack, which has 100, for one fragment.
        static let parserStack = 80
        /// Expressions that wait for their last part: one for each nesting, and one for each operator between, which takes
        /// three entries of that stack.
        static let pendingExpressions = 1 + depth + parserStack / 3
    }

    /// Compiles a condition (`where`), for example `age >= ? AND name LIKE 'A%'`.
    ///
    /// - Returns: the condition in parentheses.
    /// - Throws: also if there are more arguments than the text uses.
    public static func condition(
        _ text: String, args: [QueryValue] = [], scope: QueryScope
    ) throws(QueryError) -> CompiledFragment {
        var arguments = try QueryArguments(args)
        let compiled = try condition(text, arguments: &arguments, scope: scope)
        try arguments.finish()
        return compiled
    }

    /// Compiles a condition of a request with further texts.
    ///
    /// - Parameter arguments: of all of them; they know afterwards which ones are used.
    public static func condition(
        _ text: String, arguments: inout QueryArguments, scope: QueryScope
    ) throws(QueryError) -> CompiledFragment {
        var parser = try QueryParser(text, arguments: arguments, scope: scope, aggregatesAllowed: false)
        let expression = try parser.expression()
        try parser.finish()
        arguments = parser.arguments
        let times = TimeComparison(scope: scope, arguments: arguments.values)
        var writer = SQLWriter(values: .bound(arguments: arguments.values))
        writer.append("(")
        try append(times.within(expression), to: &writer, at: 0)
        writer.append(")")
        return CompiledFragment(sql: writer.sql, bindings: writer.bindings)
    }

    /// Compiles sort terms, for example `score DESC NULLS LAST, name COLLATE NOCASE`.
    ///
    /// - Returns: what stands behind ORDER BY.
    public static func order(_ text: String, scope: QueryScope) throws(QueryError) -> CompiledFragment {
        var arguments = try QueryArguments([])
        return try order(text, arguments: &arguments, scope: scope)
    }

    /// Compiles sort terms of a request with further texts.
    ///
    /// - Parameters:
    ///   - arguments: of all of them; they know afterwards which ones are used.
    ///   - results: if rows are grouped: then `COUNT(*) DESC` has a meaning, and so has the name of a result, by itself.
    public static func order(
        _ text: String, arguments: inout QueryArguments, scope: QueryScope, of results: CompiledResults? = nil
    ) throws(QueryError) -> CompiledFragment {
        var parser = try QueryParser(text, arguments: arguments, scope: scope, aggregatesAllowed: results != nil)
        var writer = SQLWriter(values: .bound(arguments: arguments.values))
        let times = TimeComparison(scope: scope, arguments: arguments.values)
        var count = 0
        repeat {
            let position = parser.current.position
            count += 1
            guard count <= Limit.orderTerms else { throw .tooManyTerms(position: position, limit: Limit.orderTerms) }
            let result = try parser.result(among: results?.names ?? [])
            // A result's name means the result by itself only, and no column.
            let expression = if let result { result } else { times.ordered(try parser.expression()) }
            guard !expression.isSameForEveryRow else { throw .constantOrder(position: position) }
            if count > 1 { writer.append(", ") }
            try append(expression, to: &writer, at: position)
            if parser.accept(word: "DESC") {
                writer.append(" DESC")
            } else if parser.accept(word: "ASC") {
                writer.append(" ASC")
            }
            if parser.accept(word: "NULLS") {
                if parser.accept(word: "FIRST") {
                    writer.append(" NULLS FIRST")
                } else {
                    try parser.expect(word: "LAST")
                    writer.append(" NULLS LAST")
                }
            }
        } while parser.accept(.comma)
        try parser.finish()
        arguments = parser.arguments
        return CompiledFragment(sql: writer.sql, bindings: writer.bindings)
    }

    /// Compiles names with commas between them, or `*` for all columns.
    ///
    /// - Parameter isCompared: values that are the same moment are to be one, however they are stored: for GROUP BY.
    public static func columns(
        _ text: String, scope: QueryScope, isCompared: Bool = false
    ) throws(QueryError) -> CompiledFragment {
        fragment(of: try columnNames(text, scope: scope), scope: scope, isCompared: isCompared)
    }

    /// Reads names with commas between them, or `*` for all columns.
    ///
    /// - Returns: the columns in the table's spelling.
    public static func columnNames(_ text: String, scope: QueryScope) throws(QueryError) -> [String] {
        var parser = try QueryParser(text, arguments: QueryArguments([]), scope: scope, aggregatesAllowed: false)
        var names: [String] = []
        if parser.accept(.star) {
            names = scope.columns
        } else {
            repeat {
                let token = parser.current
                switch token.kind {
                case .word(let name), .quotedName(let name): names.append(try parser.column(name, at: token))
                default: throw parser.unexpected("the name of a column")
                }
                parser.advance()
                guard names.count <= Limit.columns else {
                    throw .tooManyTerms(position: token.position, limit: Limit.columns)
                }
            } while parser.accept(.comma)
        }
        try parser.finish()
        return names
    }

    /// Compiles names of columns, each one a bare name or a quoted one.
    ///
    /// The position of an error is the number of the name, from 0.
    /// - Parameter isCompared: as above, for DISTINCT.
    public static func columns(
        _ names: [String], scope: QueryScope, isCompared: Bool = false
    ) throws(QueryError) -> CompiledFragment {
        guard !names.isEmpty else { throw .empty }
        guard names.count <= Limit.columns else {
            throw .tooManyTerms(position: Limit.columns, limit: Limit.columns)
        }
        if names == ["*"] { return fragment(of: scope.columns, scope: scope, isCompared: isCompared) }
        var found: [String] = []
        for (index, name) in names.enumerated() {
            if let column = scope.column(name) {
                found.append(column)
            } else if let tokens = try? QueryLexer.tokens(of: String(name.prefix(512))), tokens.count == 2,
                case .quotedName(let inner) = tokens[0].kind, let column = scope.column(inner)
            {
                found.append(column)
            } else {
                throw .unknownColumn(position: index, name: name, suggestion: scope.suggestion(for: name))
            }
        }
        return fragment(of: found, scope: scope, isCompared: isCompared)
    }

    private static func fragment(of columns: [String], scope: QueryScope, isCompared: Bool) -> CompiledFragment {
        let parts = columns.map { name in
            let quoted = SQLWriter.quoted(name)
            return isCompared && scope.mixesTimes(name) ? TimeText.sql(of: quoted) : quoted
        }
        return CompiledFragment(sql: parts.joined(separator: ", "))
    }

    /// Compiles results over groups of rows, for example `COUNT(*) AS n, ROUND(AVG(score), 1) AS average`.
    ///
    /// A result without a name gets its own text as its name, as SQLite does it; no two results may be called the same.
    public static func expressions(
        _ text: String, args: [QueryValue] = [], scope: QueryScope
    ) throws(QueryError) -> CompiledFragment {
        var arguments = try QueryArguments(args)
        let compiled = try results(text, arguments: &arguments, scope: scope)
        try arguments.finish()
        return compiled.fragment
    }

    /// Compiles results of a request with further texts.
    ///
    /// - Parameter arguments: of all of them; they know afterwards which ones are used.
    public static func results(
        _ text: String, arguments: inout QueryArguments, scope: QueryScope
    ) throws(QueryError) -> CompiledResults {
        var parser = try QueryParser(text, arguments: arguments, scope: scope, aggregatesAllowed: true)
        let bytes = Array(text.utf8)
        var writer = SQLWriter(values: .bound(arguments: arguments.values))
        let times = TimeComparison(scope: scope, arguments: arguments.values)
        var names: [String] = []
        var columns: Set<String> = []
        var taken: Set<[UInt8]> = []
        var count = 0
        repeat {
            let position = parser.current.position
            count += 1
            guard count <= Limit.expressions else { throw .tooManyTerms(position: position, limit: Limit.expressions) }
            let expression = try parser.expression()
            var name = String(decoding: bytes[position..<max(position, parser.endOfPrevious)], as: UTF8.self)
            if case .column(let column) = expression {
                name = column
                columns.insert(column)
            }
            if parser.accept(word: "AS") {
                switch parser.current.kind {
                case .word(let alias), .quotedName(let alias):
                    guard isName(alias) else { throw parser.unexpected("a name of letters, digits and _") }
                    name = alias
                default: throw parser.unexpected("a name")
                }
                parser.advance()
            }
            guard taken.insert(QueryScope.folded(name)).inserted else {
                throw .duplicateName(position: position, name: name)
            }
            names.append(name)
            if count > 1 { writer.append(", ") }
            try append(times.ordered(expression), to: &writer, at: position)
            writer.append(" AS ")
            writer.appendName(name)
        } while parser.accept(.comma)
        try parser.finish()
        arguments = parser.arguments
        return CompiledResults(
            fragment: .init(sql: writer.sql, bindings: writer.bindings), names: names, columns: columns)
    }

    /// The names that tables, columns and results may have: a letter or `_`, then letters, digits and `_`, at most 64.
    public static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, name.utf8.count <= 64, first < 0x30 || first > 0x39 else { return false }
        return name.utf8.allSatisfy {
            ($0 >= 0x30 && $0 <= 0x39) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7A) || $0 == UInt8(ascii: "_")
        }
    }

    private static func append(
        _ expression: QueryExpression, to writer: inout SQLWriter, at position: Int
    ) throws(QueryError) {
        let times = writer.times
        guard writer.append(expression) > Limit.parserStack else { return }
        throw writer.times > times
            ? QueryError.tooDeepForTimes(position: position)
            : QueryError.tooDeep(position: position, limit: Limit.depth)
    }
}

extension QueryExpression {
    /// True for a value by itself: SQLite would take a number here for the position of a result.
    fileprivate var isSameForEveryRow: Bool {
        switch self {
        case .literal, .constant, .placeholder: true
        case .collate(let inner, _), .unary(_, let inner): inner.isSameForEveryRow
        default: false
        }
    }
}
