import GoopTestKit

@testable import GoopCore

/// Random expressions over the table of the differential tests, each repeatable by its seed.
struct RandomQuery {
    /// Columns with every affinity of SQLite and two collations.
    static let columns = ["a", "b", "c", "d", "e", "odd name"]
    static let schema = """
        CREATE TABLE t (a INTEGER, b TEXT, c REAL, d, e TEXT COLLATE NOCASE, "odd name" NUMERIC)
        """

    var generator: SeededGenerator
    var arguments: [QueryValue] = []

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func value() -> QueryValue {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0: .null
        case 1...3: .integer([0, 1, 2, -1, 7, 10, 255, .max, .min].randomElement(using: &generator) ?? 0)
        case 4...5: .real([0.5, 1.0, -2.5, 1e3, 0.125, 3.75].randomElement(using: &generator) ?? 0)
        case 6...8: .text(text())
        default: .blob(generator.bytes(Int.random(in: 0..<3, using: &generator)))
        }
    }

    mutating func text() -> String {
        ["", "a", "A", "abc", "aBC", "10", "1.5", "0x1", " x ", "it's", "%", "a%b", "ü", "🦢", "2024-02-29 10:00:00"]
            .randomElement(using: &generator) ?? ""
    }

    mutating func pattern() -> String {
        (0..<Int.random(in: 0..<5, using: &generator)).map { _ in
            ["%", "_", "a", "A", "b", "*", "?", "[a-c]", "[^x]", "1", "ü"].randomElement(using: &generator) ?? "a"
        }.joined()
    }

    private mutating func literal(_ value: QueryValue) -> QueryExpression {
        switch value {
        case .null: return .constant(.null)
        // A literal with a sign is what the parser makes of the sign and the number.
        default: return .literal(value)
        }
    }

    private mutating func constantText(_ text: String) -> QueryExpression {
        switch Int.random(in: 0..<4, using: &generator) {
        case 0 where arguments.count < 200:
            arguments.append(.text(text))
            return .placeholder(arguments.count)
        case 1: return .binary(.concatenate, .literal(.text("a")), .literal(.text(text)))
        case 2: return .call(Bool.random(using: &generator) ? .lower : .upper, [.literal(.text(text))])
        default: return .literal(.text(text))
        }
    }

    mutating func expression(depth: Int) -> QueryExpression {
        guard depth > 0 else { return leaf() }
        func inner() -> Int { Int.random(in: 0..<depth, using: &generator) }
        switch Int.random(in: 0..<24, using: &generator) {
        case 0...1: return leaf()
        case 2: return .unary(.not, expression(depth: inner()))
        case 3:
            let operand = expression(depth: inner())
            // The parser reads a sign and a number as one.
            if case .literal(.integer) = operand { return operand }
            if case .literal(.real) = operand { return operand }
            return .unary(Bool.random(using: &generator) ? .minus : .plus, operand)
        case 4...13:
            let binary = QueryExpression.BinaryOperator.allCases.randomElement(using: &generator) ?? .and
            return .binary(binary, expression(depth: inner()), expression(depth: inner()))
        case 14: return .nullTest(expression(depth: inner()), isNull: Bool.random(using: &generator))
        case 15:
            return .between(
                expression(depth: inner()), low: expression(depth: inner()), high: expression(depth: inner()),
                isNegated: Bool.random(using: &generator))
        case 16:
            let items = (0..<Int.random(in: 0..<4, using: &generator)).map { _ in expression(depth: inner()) }
            return .inList(expression(depth: inner()), items, isNegated: Bool.random(using: &generator))
        case 17...18:
            let match: QueryExpression.MatchOperator = Bool.random(using: &generator) ? .like : .glob
            let escape: QueryExpression? =
                match == .like && Int.random(in: 0..<3, using: &generator) == 0 ? .literal(.text("b")) : nil
            return .matches(
                expression(depth: inner()), match, pattern: constantText(pattern()), escape: escape,
                isNegated: Bool.random(using: &generator))
        case 19:
            return .collate(
                expression(depth: inner()),
                QueryExpression.Collation.allCases.randomElement(using: &generator) ?? .binary)
        case 20:
            return .cast(
                expression(depth: inner()),
                QueryExpression.CastType.allCases.randomElement(using: &generator) ?? .text)
        case 21:
            let branches = (0..<Int.random(in: 1..<3, using: &generator)).map { _ in
                QueryExpression.Branch(condition: expression(depth: inner()), result: expression(depth: inner()))
            }
            return .conditional(
                operand: Bool.random(using: &generator) ? expression(depth: inner()) : nil, branches: branches,
                otherwise: Bool.random(using: &generator) ? expression(depth: inner()) : nil)
        default: return call(depth: inner())
        }
    }

    private mutating func leaf() -> QueryExpression {
        switch Int.random(in: 0..<8, using: &generator) {
        case 0...3: return .column(Self.columns.randomElement(using: &generator) ?? "a")
        case 4: return .constant([.null, .true, .false].randomElement(using: &generator) ?? .null)
        case 5 where arguments.count < 200:
            arguments.append(value())
            return .placeholder(arguments.count)
        default: return literal(value())
        }
    }

    private mutating func call(depth: Int) -> QueryExpression {
        let function = QueryFunction.allCases.randomElement(using: &generator) ?? .abs
        let counts = function.argumentCounts
        let count = Int.random(in: counts.lowerBound...min(counts.upperBound, counts.lowerBound + 2), using: &generator)
        return .call(
            function,
            (0..<count).map { index in
                if function == .strftime, index == 0 { return .literal(.text("%Y-%m %j %w")) }
                if function.modifiers.contains(index) {
                    return .literal(
                        .text(
                            ["+1 day", "start of month", "unixepoch", "-3 hours"].randomElement(using: &generator) ?? ""
                        ))
                }
                if function.constantArguments.contains(index) { return constantText(text()) }
                return expression(depth: depth)
            })
    }
}
