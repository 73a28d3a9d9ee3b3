import Foundation
import GRDB
import GoopTestKit
import Testing

@testable import GoopCore

/// The same text given to SQLite as it is, and through the compiler: both must answer the same.
@Suite struct QueryDifferentialTests {
    @Test(arguments: UInt64(1)...8)
    func randomExpressionsMeanWhatSQLiteMeans(seed: UInt64) throws {
        let world = try QueryWorld(seed: seed)
        for round in 0..<400 {
            var random = RandomQuery(seed: seed << 32 | UInt64(round))
            let expression = random.expression(depth: Int.random(in: 1...5, using: &random.generator))
            let text = expression.description
            guard text.utf8.count <= QueryCompiler.Limit.textBytes else { continue }
            let arguments = world.used(random.arguments, by: text)
            do {
                let again = try world.parse(text, arguments)
                #expect(again == expression, "\(text) reads back as \(again)")
                try world.compare(text, arguments)
            } catch let error as QueryError {
                // The random tree may pass a limit, nothing else.
                switch error {
                case .tooDeep, .tooDeepForTimes, .tooManyParts, .tooManyConcatenations, .tooMuchSearching: continue
                default: Issue.record("\(text): \(error)")
                }
            }
        }
    }

    /// Tokens taken out, doubled and swapped: mostly nonsense, but what is accepted has to mean what it means to SQLite,
    /// also where the parentheses that showed the meaning are gone.
    @Test(arguments: UInt64(101)...108)
    func disturbedTextsMeanWhatSQLiteMeansOrAreRefused(seed: UInt64) throws {
        let world = try QueryWorld(seed: seed)
        var accepted = 0
        for round in 0..<1200 {
            var random = RandomQuery(seed: seed << 32 | UInt64(round))
            let source = random.expression(depth: 3).description
            guard
                var tokens = try? QueryLexer.tokens(of: source).dropLast().map({ token in
                    String(decoding: Array(source.utf8)[token.range], as: UTF8.self)
                })
            else { continue }
            if round.isMultiple(of: 2) {
                tokens.removeAll { ($0 == "(" || $0 == ")") && Bool.random(using: &random.generator) }
            }
            for _ in 0..<Int.random(in: 0...2, using: &random.generator) where tokens.count > 1 {
                let first = Int.random(in: 0..<tokens.count, using: &random.generator)
                let second = Int.random(in: 0..<tokens.count, using: &random.generator)
                switch Int.random(in: 0..<3, using: &random.generator) {
                case 0: tokens.remove(at: first)
                case 1: tokens.insert(tokens[second], at: first)
                default: tokens.swapAt(first, second)
                }
            }
            let text = tokens.joined(separator: " ")
            let arguments = world.used(random.arguments, by: text)
            guard (try? world.parse(text, arguments)) != nil else { continue }
            accepted += 1
            try world.compare(text, arguments)
        }
        #expect(accepted > 100)
    }

    @Test(arguments: UInt64(201)...204)
    func resultsOverGroupsMeanWhatSQLiteMeans(seed: UInt64) throws {
        let world = try QueryWorld(seed: seed)
        for round in 0..<200 {
            var random = RandomQuery(seed: seed << 32 | UInt64(round))
            let aggregate = QueryAggregate.allCases.randomElement(using: &random.generator) ?? .count
            let expression = QueryExpression.aggregate(
                aggregate, isDistinct: Bool.random(using: &random.generator), random.expression(depth: 2))
            let text = "\(expression)"
            let arguments = world.used(random.arguments, by: text)
            var shared = try QueryArguments(arguments)
            // The name of a result, and that of a column that is a result's name, too.
            let name = ["r", "a"].randomElement(using: &random.generator) ?? "r"
            let results = "\(text) AS \(name)"
            let compiled = try QueryCompiler.results(results, arguments: &shared, scope: world.scope)
            let terms = "\(name) COLLATE NOCASE DESC, length(d), d"
            let order = try QueryCompiler.order(terms, arguments: &shared, scope: world.scope, of: compiled)
            try shared.finish()
            let group = try QueryCompiler.columns("d", scope: world.scope).sql
            world.expectSame(
                world.rows("SELECT \(results) FROM t GROUP BY d ORDER BY \(terms)", arguments),
                world.rows(
                    "SELECT \(compiled.fragment.sql) FROM t GROUP BY \(group) ORDER BY \(order.sql)",
                    compiled.fragment.bindings + order.bindings), results)
        }
    }

    @Test(arguments: UInt64(301)...304)
    func sortTermsMeanWhatSQLiteMeans(seed: UInt64) throws {
        let world = try QueryWorld(seed: seed)
        for round in 0..<200 {
            var random = RandomQuery(seed: seed << 32 | UInt64(round))
            let expression = random.expression(depth: 2)
            let suffix =
                ["", " DESC", " ASC NULLS LAST", " DESC NULLS FIRST"].randomElement(using: &random.generator) ?? ""
            let text = expression.description + suffix
            guard random.arguments.isEmpty, let compiled = try? QueryCompiler.order(text, scope: world.scope) else {
                continue
            }
            let plain = world.rows("SELECT rowid FROM t ORDER BY \(text), rowid", [])
            // SQLite takes what it can work out to a whole number (`0 AND a`) for the position of a result. Bound, it is none.
            if case .failure(let error) = plain, error.message?.contains("term out of range") == true { continue }
            world.expectSame(
                plain,
                world.rows("SELECT rowid FROM t ORDER BY \(compiled.sql), rowid", compiled.bindings), text)
        }
    }
}

/// A table of random rows.
struct QueryWorld {
    let queue: DatabaseQueue
    let scope = QueryScope(columns: RandomQuery.columns)

    init(seed: UInt64) throws {
        queue = try DatabaseQueue()
        var random = RandomQuery(seed: seed)
        try queue.write { database in
            try database.execute(sql: RandomQuery.schema)
            for _ in 0..<12 {
                try database.execute(
                    sql: "INSERT INTO t VALUES (?,?,?,?,?,?)",
                    arguments: StatementArguments(RandomQuery.columns.map { _ in random.value().forSQLite }))
            }
        }
    }

    func parse(_ text: String, _ arguments: [QueryValue]) throws(QueryError) -> QueryExpression {
        var parser = try QueryParser(
            text, arguments: QueryArguments(arguments), scope: scope, aggregatesAllowed: false)
        let expression = try parser.expression()
        try parser.finish()
        try parser.arguments.finish()
        return expression
    }

    /// The arguments up to the highest that the text names.
    func used(_ arguments: [QueryValue], by text: String) -> [QueryValue] {
        let tokens = (try? QueryLexer.tokens(of: text)) ?? []
        let highest = tokens.compactMap { token -> Int? in
            if case .placeholder(let number?) = token.kind { number } else { nil }
        }.max()
        return Array(arguments.prefix(highest ?? 0))
    }

    func compare(_ text: String, _ arguments: [QueryValue]) throws {
        let compiled = try QueryCompiler.condition(text, args: arguments, scope: scope)
        expectSame(
            rows("SELECT \(text) FROM t ORDER BY rowid", arguments),
            rows("SELECT \(compiled.sql) FROM t ORDER BY rowid", compiled.bindings), text)
        expectSame(
            rows("SELECT rowid FROM t WHERE (\(text))", arguments),
            rows("SELECT rowid FROM t WHERE \(compiled.sql)", compiled.bindings), text)
    }

    func expectSame(
        _ plain: Result<[[DatabaseValue]], DatabaseError>, _ ours: Result<[[DatabaseValue]], DatabaseError>,
        _ text: String
    ) {
        switch (plain, ours) {
        case (.success(let plain), .success(let ours)): #expect(plain == ours, "\(text)")
        // A sum that is too large, for example: both find it.
        case (.failure(let plain), .failure(let ours)): #expect(plain.message == ours.message, "\(text)")
        case (.failure(let error), .success): Issue.record("only SQLite refuses \(text): \(error.message ?? "")")
        case (.success, .failure(let error)): Issue.record("only ours fails, \(text): \(error.message ?? "")")
        }
    }

    func rows(_ sql: String, _ arguments: [QueryValue]) -> Result<[[DatabaseValue]], DatabaseError> {
        do {
            return .success(
                try queue.read { database in
                    try Row.fetchAll(database, sql: sql, arguments: StatementArguments(arguments.map(\.forSQLite)))
                        .map { Array($0.databaseValues) }
                })
        } catch let error as DatabaseError {
            return .failure(error)
        } catch {
            return .failure(DatabaseError(message: "\(error)"))
        }
    }
}

extension QueryValue {
    var forSQLite: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let value): value.databaseValue
        case .real(let value): value.databaseValue
        case .text(let value): value.databaseValue
        case .blob(let value): Data(value).databaseValue
        }
    }
}
