/// Writes expressions as SQL: with bound values for SQLite, or as text that reads back as the same expression.
struct SQLWriter {
    enum Values {
        /// Literals and arguments become `?` and bindings.
        case bound(arguments: [QueryValue])
        /// Literals are written out, placeholders by number.
        case written
    }

    let values: Values
    private(set) var sql = ""
    private(set) var bindings: [QueryValue] = []
    /// Columns that were brought into the one form of times.
    private(set) var times = 0

    /// Of `TimeText.sql`: its deepest part are four calls within a CASE, behind a `||`, within another CASE.
    private static let weightOfTime = 34

    init(values: Values) { self.values = values }

    mutating func append(_ text: String) { sql += text }

    /// Writes a name in double quotes.
    mutating func appendName(_ name: String) { sql += SQLWriter.quoted(name) }

    static func quoted(_ name: String) -> String { DataName.quoted(name) }

    /// Writes an expression, in parentheses if it holds together less than what is around it.
    ///
    /// - Returns: how many entries of SQLite's parser stack it takes at most. The stack has 100; a statement around a
    ///   condition needs a dozen.
    @discardableResult
    mutating func append(
        _ expression: QueryExpression, atLeast minimum: QueryExpression.Precedence = .or
    ) -> Int {
        guard expression.precedence < minimum else { return write(expression) }
        append("(")
        let weight = write(expression)
        append(")")
        return max(3, weight + 1)
    }

    private mutating func write(_ expression: QueryExpression) -> Int {
        switch expression {
        case .literal(let value):
            append(value)
            return 2
        case .constant(let constant):
            append(constant.rawValue)
            return 1
        case .column(let name):
            appendName(name)
            return 1
        case .time(let name):
            switch values {
            case .bound: append(TimeText.sql(of: SQLWriter.quoted(name)))
            case .written: appendName(name)
            }
            times += 1
            return SQLWriter.weightOfTime
        case .placeholder(let number):
            switch values {
            case .bound(let arguments): append(number > 0 && number <= arguments.count ? arguments[number - 1] : .null)
            case .written: append("?\(number)")
            }
            return 1
        case .unary(.not, let inner):
            append("NOT ")
            return 1 + append(inner, atLeast: .not)
        case .unary(let sign, let inner):
            append(sign.rawValue)
            return 1 + append(inner, atLeast: .atom)
        case .binary(let binary, let left, let right):
            let first = append(left, atLeast: binary.precedence)
            append(" \(binary.rawValue) ")
            return max(first, 3 + append(right, atLeast: binary.precedence.stronger))
        case .nullTest(let inner, let isNull):
            let weight = append(inner, atLeast: .equality)
            append(isNull ? " ISNULL" : " NOTNULL")
            return max(3, weight)
        case .between(let inner, let low, let high, let isNegated):
            let first = append(inner, atLeast: .equality)
            append(isNegated ? " NOT BETWEEN " : " BETWEEN ")
            let second = 3 + append(low, atLeast: .comparison)
            append(" AND ")
            return max(first, second, 5 + append(high, atLeast: .comparison))
        case .inList(let inner, let items, let isNegated):
            let first = append(inner, atLeast: .equality)
            append(isNegated ? " NOT IN (" : " IN (")
            let weight = appendList(items)
            append(")")
            return max(first, 4 + weight)
        case .matches(let inner, let match, let pattern, let escape, let isNegated):
            return write(inner, match, pattern, escape, isNegated: isNegated)
        case .collate(let inner, let collation):
            let weight = append(inner, atLeast: .collation)
            append(" COLLATE \(collation.rawValue)")
            return max(3, weight)
        case .cast(let inner, let type):
            append("CAST(")
            let weight = append(inner)
            append(" AS \(type.rawValue))")
            return 5 + weight
        case .conditional(let operand, let branches, let otherwise):
            return write(operand, branches, otherwise)
        case .call(let function, let arguments):
            append("\(function.rawValue)(")
            let weight = appendList(arguments)
            append(")")
            return 4 + weight
        case .aggregate(let aggregate, let isDistinct, let argument):
            append("\(aggregate.rawValue)(\(isDistinct ? "DISTINCT " : "")")
            let weight = argument.map { append($0) } ?? 1
            if argument == nil { append("*") }
            append(")")
            return 4 + weight
        }
    }

    private mutating func write(
        _ inner: QueryExpression, _ match: QueryExpression.MatchOperator, _ pattern: QueryExpression,
        _ escape: QueryExpression?, isNegated: Bool
    ) -> Int {
        let first = append(inner, atLeast: .equality)
        append(isNegated ? " NOT \(match.rawValue) " : " \(match.rawValue) ")
        var weight = max(first, 4)
        switch values {
        case .bound(let arguments):
            // What was checked is what is bound: the joined text, not the parts.
            append(ConstantText(pattern, arguments: arguments)?.value ?? .null)
        case .written:
            weight = max(weight, 3 + append(pattern, atLeast: .comparison))
        }
        if let escape {
            append(" ESCAPE ")
            weight = max(weight, 5 + append(escape, atLeast: .sum))
        }
        return weight
    }

    private mutating func write(
        _ operand: QueryExpression?, _ branches: [QueryExpression.Branch], _ otherwise: QueryExpression?
    ) -> Int {
        append("CASE")
        var weight = 4
        if let operand {
            append(" ")
            weight = max(weight, 1 + append(operand))
        }
        for branch in branches {
            append(" WHEN ")
            weight = max(weight, 4 + append(branch.condition))
            append(" THEN ")
            weight = max(weight, 6 + append(branch.result))
        }
        if let otherwise {
            append(" ELSE ")
            weight = max(weight, 4 + append(otherwise))
        }
        append(" END")
        return weight
    }

    /// Writes expressions with commas between them.
    private mutating func appendList(_ expressions: [QueryExpression]) -> Int {
        var weight = 1
        for (index, expression) in expressions.enumerated() {
            if index > 0 { append(", ") }
            weight = max(weight, (index > 0 ? 2 : 0) + append(expression))
        }
        return weight
    }

    private mutating func append(_ value: QueryValue) {
        switch values {
        case .bound:
            append("?")
            bindings.append(value)
        case .written: append(SQLWriter.literal(value))
        }
    }

    private static func literal(_ value: QueryValue) -> String {
        switch value {
        case .null: return "NULL"
        case .integer(let number): return String(number)
        case .real(let number):
            guard number.isFinite else { return number.isNaN ? "NULL" : number < 0 ? "-9e999" : "9e999" }
            return number.description
        case .text(let text):
            var result = "'"
            for scalar in text.unicodeScalars {
                if scalar == "'" { result.unicodeScalars.append(scalar) }
                result.unicodeScalars.append(scalar)
            }
            return result + "'"
        case .blob(let bytes):
            let digits = Array("0123456789ABCDEF")
            return "x'" + String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }) + "'"
        }
    }
}

extension QueryExpression: CustomStringConvertible {
    /// Text of the query grammar that means this expression.
    var description: String {
        var writer = SQLWriter(values: .written)
        writer.append(self)
        return writer.sql
    }
}
