/// Brings what is compared with a column of times into the form of its values, and the values of older files too.
///
/// SQLite compares times as texts: `2026-01-31T10:00:00Z`, which scripts send and upstream stores, would stand behind every
/// `2026-01-31 14:30:00`, because of the letter. What a request says in its condition, order, results and groups means moments;
/// only texts that begin with a date are taken for times, and whatever else the column holds is compared as it is.
struct TimeComparison {
    let scope: QueryScope
    /// Of the request.
    let arguments: [QueryValue]

    /// An expression, with times in one form wherever they are compared in it.
    func within(_ expression: QueryExpression) -> QueryExpression {
        scope.times.isEmpty ? expression : rewritten(expression)
    }

    /// The same for one whose own value puts rows in order, or is the least, the greatest or one of different ones.
    func ordered(_ expression: QueryExpression) -> QueryExpression {
        scope.times.isEmpty ? expression : inOrder(expression)
    }

    private func inOrder(_ expression: QueryExpression) -> QueryExpression {
        switch expression {
        case .column(let name): scope.mixesTimes(name) ? .time(name) : expression
        case .collate(let inner, let collation): .collate(inOrder(inner), collation)
        default: rewritten(expression)
        }
    }

    private func rewritten(_ expression: QueryExpression) -> QueryExpression {
        switch expression {
        case .literal, .constant, .column, .time, .placeholder: return expression
        case .unary(let sign, let inner): return .unary(sign, rewritten(inner))
        case .binary(let binary, let left, let right):
            guard binary.compares else { return .binary(binary, rewritten(left), rewritten(right)) }
            let parts = compared([left, right])
            return .binary(binary, parts[0], parts[1])
        case .nullTest(let inner, let isNull): return .nullTest(rewritten(inner), isNull: isNull)
        case .between(let inner, let low, let high, let isNegated):
            let parts = compared([inner, low, high])
            return .between(parts[0], low: parts[1], high: parts[2], isNegated: isNegated)
        case .inList(let inner, let items, let isNegated):
            let parts = compared([inner] + items)
            return .inList(parts[0], Array(parts.dropFirst()), isNegated: isNegated)
        case .matches(let inner, let match, let pattern, let escape, let isNegated):
            return .matches(rewritten(inner), match, pattern: pattern, escape: escape, isNegated: isNegated)
        case .collate(let inner, let collation): return .collate(rewritten(inner), collation)
        case .cast(let inner, let type): return .cast(rewritten(inner), type)
        case .conditional(let operand, let branches, let otherwise):
            return .conditional(
                operand: operand.map(rewritten),
                branches: branches.map { .init(condition: rewritten($0.condition), result: rewritten($0.result)) },
                otherwise: otherwise.map(rewritten))
        case .call(let function, let parts): return .call(function, parts.map(rewritten))
        case .aggregate(let aggregate, let isDistinct, let argument):
            return .aggregate(aggregate, isDistinct: isDistinct, argument.map(inOrder))
        }
    }

    /// Expressions that are compared with each other. If one is a column of times, and none is a value that is no time: a number
    /// or another text is compared by the rules of the column's type, which an expression has not.
    private func compared(_ parts: [QueryExpression]) -> [QueryExpression] {
        guard parts.contains(where: isColumnOfTimes), !parts.contains(where: isOtherValue) else {
            return parts.map(rewritten)
        }
        return parts.map { part in
            if let text = text(of: part) { return .literal(.text(TimeText.compared(text))) }
            return inOrder(part)
        }
    }

    private func isColumnOfTimes(_ part: QueryExpression) -> Bool {
        if case .column(let name) = part { scope.times.contains(name) } else { false }
    }

    private func isOtherValue(_ part: QueryExpression) -> Bool {
        guard let value = value(of: part) else { return false }
        if case .text(let text) = value { return !TimeText.isDated(text) }
        return value != .null
    }

    private func text(of part: QueryExpression) -> String? {
        if case .text(let text)? = value(of: part) { text } else { nil }
    }

    private func value(of part: QueryExpression) -> QueryValue? {
        switch part {
        case .literal(let value): value
        case .placeholder(let number): number > 0 && number <= arguments.count ? arguments[number - 1] : nil
        default: nil
        }
    }
}

extension QueryExpression.BinaryOperator {
    /// Whether it compares its sides with each other.
    fileprivate var compares: Bool {
        switch self {
        case .equal, .notEqual, .is, .isNot, .less, .lessOrEqual, .greater, .greaterOrEqual: true
        case .or, .and, .add, .subtract, .multiply, .divide, .remainder, .concatenate: false
        }
    }
}
