/// An expression of the query grammar, with all names resolved.
///
/// Parentheses are not kept: the shape of the tree is what they meant. `docs/query-grammar.md` has the grammar.
indirect enum QueryExpression: Sendable, Hashable {
    case literal(QueryValue)
    case constant(Constant)
    /// A column in the spelling of the table.
    case column(String)
    /// A column of times, its values in one form (`TimeText`). Not of the grammar: the compiler puts it where times are compared.
    case time(String)
    /// The argument of that number, counted from 1.
    case placeholder(Int)
    case unary(UnaryOperator, QueryExpression)
    case binary(BinaryOperator, QueryExpression, QueryExpression)
    case nullTest(QueryExpression, isNull: Bool)
    case between(QueryExpression, low: QueryExpression, high: QueryExpression, isNegated: Bool)
    case inList(QueryExpression, [QueryExpression], isNegated: Bool)
    case matches(QueryExpression, MatchOperator, pattern: QueryExpression, escape: QueryExpression?, isNegated: Bool)
    case collate(QueryExpression, Collation)
    case cast(QueryExpression, CastType)
    case conditional(operand: QueryExpression?, branches: [Branch], otherwise: QueryExpression?)
    case call(QueryFunction, [QueryExpression])
    /// Over the rows of a group; without an argument it is `COUNT(*)`.
    case aggregate(QueryAggregate, isDistinct: Bool, QueryExpression?)

    /// Words that SQLite knows as values: not bound, because `IS TRUE` means more than a comparison with 1.
    enum Constant: String, Sendable, Hashable, CaseIterable {
        case null = "NULL"
        case `true` = "TRUE"
        case `false` = "FALSE"
        case currentTimestamp = "CURRENT_TIMESTAMP"
        case currentDate = "CURRENT_DATE"
        case currentTime = "CURRENT_TIME"
    }

    enum UnaryOperator: String, Sendable, Hashable {
        case not = "NOT"
        case minus = "-"
        case plus = "+"
    }

    enum BinaryOperator: String, Sendable, Hashable, CaseIterable {
        case or = "OR"
        case and = "AND"
        case equal = "="
        case notEqual = "<>"
        case `is` = "IS"
        case isNot = "IS NOT"
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case add = "+"
        case subtract = "-"
        case multiply = "*"
        case divide = "/"
        case remainder = "%"
        case concatenate = "||"
    }

    enum MatchOperator: String, Sendable, Hashable, CaseIterable {
        case like = "LIKE"
        case glob = "GLOB"
    }

    enum Collation: String, Sendable, Hashable, CaseIterable {
        case binary = "BINARY"
        case noCase = "NOCASE"
        case trailingSpace = "RTRIM"
    }

    enum CastType: String, Sendable, Hashable, CaseIterable {
        case text = "TEXT"
        case integer = "INTEGER"
        case real = "REAL"
    }

    struct Branch: Sendable, Hashable {
        var condition: QueryExpression
        var result: QueryExpression
    }

    /// How strongly an expression holds together, weakest first: SQLite's order.
    enum Precedence: Int, Sendable, Comparable {
        case or, and, not, equality, comparison, escape, sum, product, concatenation, collation, prefix, atom

        static func < (left: Precedence, right: Precedence) -> Bool { left.rawValue < right.rawValue }

        /// The next stronger one: what the right side of a left-associative operator may be.
        var stronger: Precedence { Precedence(rawValue: rawValue + 1) ?? .atom }
    }

    var precedence: Precedence {
        switch self {
        case .literal(.integer(let value)): value < 0 ? .prefix : .atom
        case .literal(.real(let value)): value < 0 ? .prefix : .atom
        case .literal, .constant, .column, .time, .placeholder, .cast, .conditional, .call, .aggregate: .atom
        case .unary(.not, _): .not
        case .unary: .prefix
        case .binary(let binary, _, _): binary.precedence
        case .nullTest, .between, .inList, .matches: .equality
        case .collate: .collation
        }
    }
}

extension QueryExpression.BinaryOperator {
    var precedence: QueryExpression.Precedence {
        switch self {
        case .or: .or
        case .and: .and
        case .equal, .notEqual, .is, .isNot: .equality
        case .less, .lessOrEqual, .greater, .greaterOrEqual: .comparison
        case .add, .subtract: .sum
        case .multiply, .divide, .remainder: .product
        case .concatenate: .concatenation
        }
    }
}

extension QueryExpression {
    /// How many `||` are in it.
    var concatenations: Int {
        switch self {
        case .literal, .constant, .column, .time, .placeholder: 0
        case .unary(_, let inner), .nullTest(let inner, _), .collate(let inner, _), .cast(let inner, _):
            inner.concatenations
        case .binary(let binary, let left, let right):
            left.concatenations + right.concatenations + (binary == .concatenate ? 1 : 0)
        case .between(let inner, let low, let high, _):
            inner.concatenations + low.concatenations + high.concatenations
        case .inList(let inner, let items, _): items.reduce(inner.concatenations) { $0 + $1.concatenations }
        case .matches(let inner, _, _, _, _): inner.concatenations
        case .conditional(let operand, let branches, let otherwise):
            branches.reduce((operand?.concatenations ?? 0) + (otherwise?.concatenations ?? 0)) {
                $0 + $1.condition.concatenations + $1.result.concatenations
            }
        case .call(_, let arguments): arguments.reduce(0) { $0 + $1.concatenations }
        case .aggregate(_, _, let argument): argument?.concatenations ?? 0
        }
    }
}
