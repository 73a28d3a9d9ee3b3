/// Reads expressions by recursive descent, with names and arguments checked as they come.
///
/// Every way down is counted: parentheses, lists, calls, CASE and prefixes. Operators of the same strength are a loop, not
/// a recursion; their number is bounded by the number of parts.
struct QueryParser {
    let scope: QueryScope
    /// The values, and how far texts have used them, this one included.
    private(set) var arguments: QueryArguments

    private let tokens: [QueryToken]
    private var index = 0
    private var depth = 0
    /// Calls of `expression` under way.
    private var pending = 0
    private var parts = 0
    private var concatenations = 0
    /// Bytes of patterns so far, as `Limit.searchBytes` counts them.
    private var searchBytes = 0
    private var aggregatesAllowed: Bool

    /// Checks the length of the text and cuts it into tokens.
    init(
        _ text: String, arguments: QueryArguments, scope: QueryScope, aggregatesAllowed: Bool
    ) throws(QueryError) {
        let size = text.utf8.count
        guard size <= QueryCompiler.Limit.textBytes else {
            throw .textTooLong(bytes: size, limit: QueryCompiler.Limit.textBytes)
        }
        self.scope = scope
        self.arguments = arguments
        self.aggregatesAllowed = aggregatesAllowed
        tokens = try QueryLexer.tokens(of: text)
        if tokens.count == 1 { throw .empty }
    }

    // MARK: - Tokens

    /// The token that comes next; the last one, `.end`, stays.
    var current: QueryToken { tokens[min(index, tokens.count - 1)] }

    /// Where the token before `current` ends.
    var endOfPrevious: Int { index > 0 ? tokens[min(index, tokens.count) - 1].range.upperBound : 0 }

    mutating func advance() { index = min(index + 1, tokens.count - 1) }

    mutating func accept(_ sign: QueryToken.Sign) -> Bool {
        guard current.isSign(sign) else { return false }
        advance()
        return true
    }

    mutating func accept(word: String) -> Bool {
        guard current.isWord(word) else { return false }
        advance()
        return true
    }

    mutating func expect(_ sign: QueryToken.Sign) throws(QueryError) {
        guard accept(sign) else { throw unexpected("\"\(sign.rawValue)\"") }
    }

    mutating func expect(word: String) throws(QueryError) {
        guard accept(word: word) else { throw unexpected(word) }
    }

    /// Checks that nothing is left of the text.
    func finish() throws(QueryError) {
        guard current.kind == .end else { throw unexpected("an operator or the end") }
    }

    func unexpected(_ expected: String) -> QueryError {
        if case .word(let word) = current.kind, QueryParser.isOutside(word) {
            return .notSupported(position: current.position, word: word)
        }
        return .unexpected(position: current.position, found: describe(current), expected: expected)
    }

    private func describe(_ token: QueryToken) -> String {
        switch token.kind {
        case .end: "the end"
        case .word(let word): word
        case .quotedName(let name): SQLWriter.quoted(name)
        case .text: "a text"
        case .blob: "a blob"
        case .integer, .hugeInteger, .real: "a number"
        case .placeholder: "a placeholder"
        case .sign(let sign): "\"\(sign.rawValue)\""
        }
    }

    // MARK: - Operators

    /// Reads an expression whose operators hold together at least as strongly as `minimum`.
    mutating func expression(
        atLeast minimum: QueryExpression.Precedence = .or
    ) throws(QueryError) -> QueryExpression {
        pending += 1
        defer { pending -= 1 }
        // Each waits for at least an entry of SQLite's parser stack: more than this is refused in the end.
        guard pending <= QueryCompiler.Limit.pendingExpressions else {
            throw .tooDeep(position: current.position, limit: QueryCompiler.Limit.depth)
        }
        var left = try prefix()
        while true {
            if let binary = binaryOperator, binary.precedence >= minimum {
                try count()
                if binary == .concatenate { try countConcatenation() }
                advance()
                if binary == .is, accept(word: "NOT") {
                    left = .binary(.isNot, left, try expression(atLeast: .comparison))
                } else {
                    left = .binary(binary, left, try expression(atLeast: binary.precedence.stronger))
                }
            } else if minimum <= .equality, let next = try predicate(of: left) {
                left = next
            } else if minimum <= .collation, current.isWord("COLLATE") {
                try count()
                advance()
                left = .collate(left, try collation())
            } else {
                return left
            }
        }
    }

    private var binaryOperator: QueryExpression.BinaryOperator? {
        switch current.kind {
        case .sign(.equal): .equal
        case .sign(.notEqual): .notEqual
        case .sign(.less): .less
        case .sign(.lessOrEqual): .lessOrEqual
        case .sign(.greater): .greater
        case .sign(.greaterOrEqual): .greaterOrEqual
        case .sign(.plus): .add
        case .sign(.minus): .subtract
        case .sign(.star): .multiply
        case .sign(.slash): .divide
        case .sign(.percent): .remainder
        case .sign(.concatenation): .concatenate
        case .word where current.isWord("OR"): .or
        case .word where current.isWord("AND"): .and
        case .word where current.isWord("IS"): .is
        default: nil
        }
    }

    /// Reads what stands behind an expression and makes a claim about it: ISNULL, BETWEEN, IN, LIKE and their negations.
    private mutating func predicate(of left: QueryExpression) throws(QueryError) -> QueryExpression? {
        guard case .word = current.kind else { return nil }
        let start = current
        let isNegated = accept(word: "NOT")
        if !isNegated {
            if accept(word: "ISNULL") { return try counted(.nullTest(left, isNull: true), at: start) }
            if accept(word: "NOTNULL") { return try counted(.nullTest(left, isNull: false), at: start) }
        } else if accept(word: "NULL") {
            return try counted(.nullTest(left, isNull: false), at: start)
        }
        if accept(word: "BETWEEN") {
            try count()
            let low = try expression(atLeast: .not)
            try expect(word: "AND")
            return .between(left, low: low, high: try expression(atLeast: .comparison), isNegated: isNegated)
        }
        if accept(word: "IN") {
            try count()
            guard current.isSign(.leftParenthesis) else { throw unexpected("a list in parentheses") }
            return .inList(left, try list(allowEmpty: true), isNegated: isNegated)
        }
        for match in QueryExpression.MatchOperator.allCases where accept(word: match.rawValue) {
            try count()
            return try matches(left, match, isNegated: isNegated)
        }
        if isNegated { throw unexpected("IN, BETWEEN, LIKE, GLOB or NULL") }
        return nil
    }

    private mutating func matches(
        _ left: QueryExpression, _ match: QueryExpression.MatchOperator, isNegated: Bool
    ) throws(QueryError) -> QueryExpression {
        let position = current.position
        let pattern = try expression(atLeast: .comparison)
        guard let constant = ConstantText(pattern, arguments: arguments.values) else {
            throw .notConstant(position: position, of: "the pattern of \(match.rawValue)")
        }
        try check(constant, at: position)
        if case .text(let text) = constant {
            let wildcard = UInt8(ascii: match == .like ? "%" : "*")
            let count = text.utf8.count { $0 == wildcard }
            guard count <= QueryCompiler.Limit.wildcards else {
                throw .tooManyWildcards(position: position, count: count, limit: QueryCompiler.Limit.wildcards)
            }
        }
        try countSearch(for: constant, in: left, at: position)
        guard match == .like, accept(word: "ESCAPE") else {
            return .matches(left, match, pattern: pattern, escape: nil, isNegated: isNegated)
        }
        let escapePosition = current.position
        let escape = try expression(atLeast: .sum)
        guard case .text(let text) = ConstantText(escape, arguments: arguments.values), text.unicodeScalars.count == 1
        else {
            throw .malformedEscape(position: escapePosition)
        }
        return .matches(left, match, pattern: pattern, escape: escape, isNegated: isNegated)
    }

    private func check(_ constant: ConstantText, at position: Int) throws(QueryError) {
        guard case .text(let text) = constant else { return }
        let size = text.utf8.count
        guard size <= QueryCompiler.Limit.patternBytes else {
            throw .patternTooLong(position: position, bytes: size, limit: QueryCompiler.Limit.patternBytes)
        }
    }

    private mutating func collation() throws(QueryError) -> QueryExpression.Collation {
        let token = current
        let name: String
        switch token.kind {
        case .word(let word), .quotedName(let word): name = word
        default: throw unexpected("the name of a collation")
        }
        let folded = QueryScope.folded(name)
        for collation in QueryExpression.Collation.allCases where QueryScope.folded(collation.rawValue) == folded {
            advance()
            return collation
        }
        throw .unknownCollation(position: token.position, name: name)
    }

    // MARK: - Operands

    private mutating func prefix() throws(QueryError) -> QueryExpression {
        let token = current
        if accept(word: "NOT") {
            if current.isWord("EXISTS") { throw unexpected("an expression") }
            return .unary(
                .not, try nested(at: token) { parser throws(QueryError) in try parser.expression(atLeast: .not) })
        }
        if accept(.plus) {
            return .unary(.plus, try nested(at: token) { parser throws(QueryError) in try parser.prefix() })
        }
        if accept(.minus) {
            // The smallest integer has no positive twin, so it is read together with its sign.
            if case .hugeInteger(_, isMinimum: true) = current.kind {
                advance()
                return try counted(.literal(.integer(.min)), at: token)
            }
            let inner = try nested(at: token) { parser throws(QueryError) in try parser.prefix() }
            switch inner {
            case .literal(.integer(let value)) where value > 0: return .literal(.integer(-value))
            case .literal(.real(let value)) where value > 0: return .literal(.real(-value))
            default: return .unary(.minus, inner)
            }
        }
        return try operand()
    }

    private mutating func operand() throws(QueryError) -> QueryExpression {
        let token = current
        try count()
        switch token.kind {
        case .text(let text): return leaf(.literal(.text(text)))
        case .integer(let value): return leaf(.literal(.integer(value)))
        case .hugeInteger(let value, _), .real(let value): return leaf(.literal(.real(value)))
        case .blob(let bytes): return leaf(.literal(.blob(bytes)))
        case .placeholder(let number): return leaf(.placeholder(try placeholder(number, at: token)))
        case .quotedName(let name): return leaf(.column(try column(name, at: token)))
        case .sign(.leftParenthesis):
            advance()
            let inner = try nested(at: token) { parser throws(QueryError) in try parser.expression() }
            try expect(.rightParenthesis)
            return inner
        case .word(let word): return try worded(word, at: token)
        case .sign, .end: throw unexpected("a column, a value or an expression")
        }
    }

    private mutating func leaf(_ expression: QueryExpression) -> QueryExpression {
        advance()
        return expression
    }

    /// Reads what begins with a word: a constant, CASE, CAST, a call, or a column.
    private mutating func worded(_ word: String, at token: QueryToken) throws(QueryError) -> QueryExpression {
        for constant in QueryExpression.Constant.allCases where token.isWord(constant.rawValue) {
            return leaf(.constant(constant))
        }
        if token.isWord("CASE") {
            advance()
            return try nested(at: token) { parser throws(QueryError) in try parser.conditional() }
        }
        if QueryParser.isReserved(word) { throw unexpected("a column, a value or an expression") }
        advance()
        if current.isSign(.leftParenthesis) {
            if token.isWord("CAST") {
                return try nested(at: token) { parser throws(QueryError) in try parser.cast() }
            }
            return try call(word, at: token)
        }
        return .column(try column(word, at: token))
    }

    mutating func column(_ name: String, at token: QueryToken) throws(QueryError) -> String {
        guard let column = scope.column(name) else {
            if current.position == token.position || !current.isSign(.dot) {
                throw .unknownColumn(position: token.position, name: name, suggestion: scope.suggestion(for: name))
            }
            throw unexpected("a column's name without its table")
        }
        return column
    }

    /// Reads the name of a result, if that and COLLATE are the whole sort term: as a part of an expression SQLite takes a name
    /// for a column.
    mutating func result(among names: [String]) throws(QueryError) -> QueryExpression? {
        let written: String
        switch current.kind {
        case .word(let name), .quotedName(let name): written = name
        default: return nil
        }
        let folded = QueryScope.folded(written)
        guard let name = names.first(where: { QueryScope.folded($0) == folded }) else { return nil }
        var reader = self
        try reader.count()
        reader.advance()
        var expression = QueryExpression.column(name)
        while reader.accept(word: "COLLATE") {
            try reader.count()
            expression = .collate(expression, try reader.collation())
        }
        let next = reader.current
        guard next.kind == .end || next.isSign(.comma) || ["ASC", "DESC", "NULLS"].contains(where: next.isWord) else {
            return nil
        }
        self = reader
        return expression
    }

    private mutating func placeholder(_ number: Int?, at token: QueryToken) throws(QueryError) -> Int {
        let number = number ?? arguments.used + 1
        guard number <= arguments.values.count else {
            throw .missingArgument(position: token.position, number: number, given: arguments.values.count)
        }
        arguments.used = max(arguments.used, number)
        return number
    }

    private mutating func conditional() throws(QueryError) -> QueryExpression {
        var operand: QueryExpression?
        if !current.isWord("WHEN") { operand = try expression() }
        var branches: [QueryExpression.Branch] = []
        try expect(word: "WHEN")
        repeat {
            let condition = try expression()
            try expect(word: "THEN")
            branches.append(QueryExpression.Branch(condition: condition, result: try expression()))
        } while accept(word: "WHEN")
        let otherwise: QueryExpression? = accept(word: "ELSE") ? try expression() : nil
        try expect(word: "END")
        return .conditional(operand: operand, branches: branches, otherwise: otherwise)
    }

    private mutating func cast() throws(QueryError) -> QueryExpression {
        try expect(.leftParenthesis)
        let inner = try expression()
        try expect(word: "AS")
        let token = current
        guard case .word(let name) = token.kind else { throw unexpected("TEXT, INTEGER or REAL") }
        for type in QueryExpression.CastType.allCases where token.isWord(type.rawValue) {
            advance()
            try expect(.rightParenthesis)
            return .cast(inner, type)
        }
        throw .unknownType(position: token.position, name: name)
    }

    // MARK: - Calls

    private mutating func call(_ name: String, at token: QueryToken) throws(QueryError) -> QueryExpression {
        let lowercased = String(decoding: QueryScope.folded(name), as: UTF8.self)
        let function = QueryFunction(rawValue: lowercased)
        let aggregate = QueryAggregate(rawValue: lowercased)
        guard function != nil || aggregate != nil else { throw .unknownFunction(position: token.position, name: name) }
        advance()
        if aggregate == .count, accept(.star) {
            try checkAggregate(.count, at: token)
            try expect(.rightParenthesis)
            return .aggregate(.count, isDistinct: false, nil)
        }
        index -= 1
        let wasAllowed = aggregatesAllowed
        // COUNT and the like count rows: inside of them there are no groups any more.
        if function == nil { aggregatesAllowed = false }
        let isDistinct = tokens[min(index + 1, tokens.count - 1)].isWord("DISTINCT")
        var positions: [Int] = []
        let arguments = try list(allowEmpty: false, skipping: isDistinct ? "DISTINCT" : nil, positions: &positions)
        aggregatesAllowed = wasAllowed
        if let aggregate, function == nil || arguments.count == 1 {
            guard arguments.count == 1 else {
                throw .wrongArgumentCount(
                    position: token.position, function: aggregate.rawValue, count: arguments.count,
                    allowed: "one argument")
            }
            try checkAggregate(aggregate, at: token)
            if arguments[0].holdsAggregate {
                throw .aggregateNotAllowed(position: token.position, name: aggregate.rawValue)
            }
            return .aggregate(aggregate, isDistinct: isDistinct, arguments[0])
        }
        guard let function else { throw .unknownFunction(position: token.position, name: name) }
        guard !isDistinct else { throw .notSupported(position: token.position, word: "DISTINCT") }
        try check(function, arguments, at: token, positions: positions)
        return .call(function, arguments)
    }

    private func checkAggregate(_ aggregate: QueryAggregate, at token: QueryToken) throws(QueryError) {
        guard aggregatesAllowed else {
            throw .aggregateNotAllowed(position: token.position, name: aggregate.rawValue)
        }
    }

    private mutating func check(
        _ function: QueryFunction, _ given: [QueryExpression], at token: QueryToken, positions: [Int]
    ) throws(QueryError) {
        let allowed = function.argumentCounts
        guard allowed.contains(given.count) else {
            let words =
                allowed.lowerBound == allowed.upperBound
                ? "\(allowed.lowerBound)" : "\(allowed.lowerBound) to \(allowed.upperBound)"
            throw .wrongArgumentCount(
                position: token.position, function: function.rawValue, count: given.count,
                allowed: words + (allowed == 1...1 ? " argument" : " arguments"))
        }
        for (index, argument) in given.enumerated() {
            guard function.constantArguments.contains(index) || function.modifiers.contains(index) else { continue }
            guard let constant = ConstantText(argument, arguments: arguments.values) else {
                throw .notConstant(position: positions[index], of: "argument \(index + 1) of \(function.rawValue)")
            }
            try check(constant, at: positions[index])
            let weight = function.searchWeight
            if weight > 0 { try countSearch(for: constant, in: given[0], weight: weight, at: positions[index]) }
            guard function.modifiers.contains(index), case .text(let text) = constant else { continue }
            let folded = QueryScope.folded(text)
            for modifier in ["localtime", "utc"] where folded.containsRun(Array(modifier.utf8)) {
                throw .modifierNotAllowed(position: positions[index], modifier: modifier)
            }
        }
    }

    private mutating func list(allowEmpty: Bool) throws(QueryError) -> [QueryExpression] {
        var positions: [Int] = []
        return try list(allowEmpty: allowEmpty, skipping: nil, positions: &positions)
    }

    /// Reads expressions in parentheses, with commas between them.
    private mutating func list(
        allowEmpty: Bool, skipping word: String?, positions: inout [Int]
    ) throws(QueryError) -> [QueryExpression] {
        let token = current
        try expect(.leftParenthesis)
        if let word { _ = accept(word: word) }
        if current.isSign(.rightParenthesis), allowEmpty {
            advance()
            return []
        }
        var starts: [Int] = []
        let items = try nested(at: token) { parser throws(QueryError) in
            var items: [QueryExpression] = []
            repeat {
                starts.append(parser.current.position)
                items.append(try parser.expression())
            } while parser.accept(.comma)
            return items
        }
        positions = starts
        try expect(.rightParenthesis)
        return items
    }

    // MARK: - Limits

    /// Reads one level further down.
    private mutating func nested<Result>(
        at token: QueryToken, _ body: (inout QueryParser) throws(QueryError) -> Result
    ) throws(QueryError) -> Result {
        guard depth < QueryCompiler.Limit.depth else {
            throw .tooDeep(position: token.position, limit: QueryCompiler.Limit.depth)
        }
        depth += 1
        defer { depth -= 1 }
        return try body(&self)
    }

    private mutating func count() throws(QueryError) {
        parts += 1
        guard parts <= QueryCompiler.Limit.parts else {
            throw .tooManyParts(position: current.position, limit: QueryCompiler.Limit.parts)
        }
    }

    private mutating func counted(
        _ expression: QueryExpression, at token: QueryToken
    ) throws(QueryError) -> QueryExpression {
        try count()
        return expression
    }

    private mutating func countConcatenation() throws(QueryError) {
        concatenations += 1
        guard concatenations <= QueryCompiler.Limit.concatenations else {
            throw .tooManyConcatenations(position: current.position, limit: QueryCompiler.Limit.concatenations)
        }
    }

    private mutating func countSearch(
        for pattern: ConstantText, in searched: QueryExpression, weight: Int = 1, at position: Int
    ) throws(QueryError) {
        guard case .text(let text) = pattern else { return }
        // What is joined is longer than any value that a row holds.
        searchBytes += text.utf8.count * weight * (1 + searched.concatenations)
        guard searchBytes <= QueryCompiler.Limit.searchBytes else {
            throw .tooMuchSearching(
                position: position, bytes: searchBytes, limit: QueryCompiler.Limit.searchBytes)
        }
    }

    // MARK: - Words

    /// Words with a part in the grammar, so that a column of that name needs quotes.
    private static let reserved: Set<String> = [
        "and", "as", "between", "case", "collate", "distinct", "else", "escape", "in", "is", "isnull", "not", "notnull",
        "null", "or", "then", "when",
    ]

    /// Words of SQL that are left out on purpose.
    private static let outside: Set<String> = [
        "all", "alter", "attach", "create", "delete", "detach", "drop", "except", "exists", "filter", "from", "group",
        "having", "index", "insert", "intersect", "into", "join", "limit", "match", "offset", "on", "order", "over",
        "pragma", "raise", "recursive", "regexp", "reindex", "release", "rollback", "savepoint", "select", "set",
        "table",
        "union", "update", "using", "vacuum", "values", "where", "window", "with",
    ]

    /// Of those, the words that SQLite takes for a column when they stand where an operand is.
    private static let columnsElsewhere: Set<String> = [
        "attach", "detach", "filter", "match", "offset", "over", "pragma", "raise", "recursive", "regexp", "reindex",
        "release", "rollback", "savepoint", "vacuum", "window", "with",
    ]

    private static func isReserved(_ word: String) -> Bool {
        let folded = String(decoding: QueryScope.folded(word), as: UTF8.self)
        return reserved.contains(folded) || (outside.contains(folded) && !columnsElsewhere.contains(folded))
    }

    private static func isOutside(_ word: String) -> Bool {
        outside.contains(String(decoding: QueryScope.folded(word), as: UTF8.self))
    }
}

extension QueryExpression {
    /// True if COUNT or the like is in it.
    var holdsAggregate: Bool {
        switch self {
        case .aggregate: true
        case .literal, .constant, .column, .time, .placeholder: false
        case .unary(_, let inner), .nullTest(let inner, _), .collate(let inner, _), .cast(let inner, _):
            inner.holdsAggregate
        case .binary(_, let left, let right): left.holdsAggregate || right.holdsAggregate
        case .between(let inner, let low, let high, _):
            inner.holdsAggregate || low.holdsAggregate || high.holdsAggregate
        case .inList(let inner, let items, _): inner.holdsAggregate || items.contains(where: \.holdsAggregate)
        case .matches(let inner, _, let pattern, _, _): inner.holdsAggregate || pattern.holdsAggregate
        case .conditional(let operand, let branches, let otherwise):
            (operand?.holdsAggregate ?? false) || (otherwise?.holdsAggregate ?? false)
                || branches.contains { $0.condition.holdsAggregate || $0.result.holdsAggregate }
        case .call(_, let arguments): arguments.contains(where: \.holdsAggregate)
        }
    }
}

extension [UInt8] {
    /// True if the bytes stand in it, one behind the other.
    func containsRun(_ other: [UInt8]) -> Bool {
        guard !other.isEmpty, count >= other.count else { return other.isEmpty }
        return (0...(count - other.count)).contains { self[$0..<$0 + other.count].elementsEqual(other) }
    }
}
