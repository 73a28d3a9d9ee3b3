import GoopCore
import GoopTestKit
import Testing

@testable import GoopHTTP

/// What becomes of the tables of one stream whose watches end, without a stream.
@Suite struct WatchedTablesTests {
    private static let gone = DataError(code: .unreachable, message: "gone", detail: "")
    private static let dropped = DataError(code: .conflict, message: "the table changed", detail: "")
    private static let refused = DataError(code: .refused, message: "not allowed", detail: "")
    private static let missing = DataError(code: .notFound, message: "no such table", detail: "")
    private let start = ContinuousClock.now

    private func tables(_ names: String...) -> WatchedTables {
        WatchedTables(names, pauses: .seconds(1) ... .seconds(60))
    }

    private func lost(_ table: String, _ reason: DataError) -> WatchedTables.Loss {
        WatchedTables.Loss(table: table, reason: reason)
    }

    @Test func aTableThatIsLostAgainAndAgainWaitsLongerEachTime() {
        var tables = tables("a", "b")
        #expect(tables.opened("b", now: start) == true)
        var pauses: [Duration] = []
        for _ in 0..<9 {
            #expect(tables.opened("a", now: start) == true)
            if case .again(let pause) = tables.ended("a", because: Self.gone, now: start + .seconds(29)) {
                pauses.append(pause)
            }
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60].map { .seconds($0) })
        // One that could not be opened is no success, either.
        #expect(tables.ended("a", because: Self.gone, now: start) == .again(after: .seconds(60)))
        #expect(tables.opened("a", now: start) == true)
        #expect(tables.ended("a", because: Self.gone, now: start + .seconds(30)) == .again(after: .seconds(1)))
    }

    @Test func aTableThatIsRefusedIsLostAlone() {
        var tables = tables("a", "b", "c")
        #expect(tables.opened("b", now: start) == true)
        #expect(tables.ended("a", because: Self.refused, now: start) == .lost([lost("a", Self.refused)]))
        #expect(tables.opened("a", now: start) == false)
        // What ends an open watch may pass: the table was dropped, and is made anew.
        #expect(tables.ended("b", because: Self.dropped, now: start) == .again(after: .seconds(1)), "c is yet to come")
        #expect(tables.opened("c", now: start) == true)
        #expect(tables.ended("b", because: Self.missing, now: start) == .lost([lost("b", Self.missing)]))
    }

    @Test func onceNoneIsLiveAllAreLost() {
        var one = tables("a")
        #expect(one.opened("a", now: start) == true)
        #expect(one.ended("a", because: Self.gone, now: start) == .lost([lost("a", Self.gone)]))
        var tables = tables("a", "b", "c", "d")
        for name in ["a", "b", "d"] { #expect(tables.opened(name, now: start) == true) }
        #expect(tables.ended("a", because: Self.dropped, now: start) == .again(after: .seconds(1)))
        #expect(tables.ended("b", because: Self.gone, now: start) == .again(after: .seconds(1)))
        #expect(tables.ended("c", because: Self.missing, now: start) == .lost([lost("c", Self.missing)]))
        #expect(
            tables.ended("d", because: Self.refused, now: start)
                == .lost([lost("a", Self.dropped), lost("b", Self.gone), lost("d", Self.refused)]))
        #expect(tables.opened("a", now: start) == false, "its watch was on its way")
        #expect(tables.ended("a", because: Self.gone, now: start) == .lost([]))
    }

    /// Whatever ends in whatever order: each table is told lost once at most, none waits in a stream of which nothing is live,
    /// and no pause is out of its bounds.
    @Test(arguments: 0..<50 as Range<UInt64>) func noTableWaitsForNothing(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let names = (0..<Int.random(in: 1...5, using: &random)).map { "t\($0)" }
        var tables = WatchedTables(names, pauses: .seconds(1) ... .seconds(60))
        var (live, waiting, lost) = (Set(names), Set<String>(), Set<String>())
        var open = Set<String>()
        var now = start
        for step in 0..<200 where lost.count < names.count {
            now += .seconds(Int.random(in: 0...40, using: &random))
            guard let name = live.union(waiting).sorted().randomElement(using: &random) else { break }
            if !open.contains(name), Bool.random(using: &random) {
                #expect(tables.opened(name, now: now) == true, "seed \(seed), step \(step)")
                open.insert(name)
                live.insert(name)
                waiting.remove(name)
                continue
            }
            let reason = [Self.gone, Self.dropped, Self.refused].randomElement(using: &random) ?? Self.gone
            let isFinal = reason == Self.refused && !open.contains(name)
            open.remove(name)
            live.remove(name)
            waiting.remove(name)
            switch tables.ended(name, because: reason, now: now) {
            case .again(let pause):
                #expect(!live.isEmpty && !isFinal, "seed \(seed), step \(step)")
                #expect(pause >= .seconds(1) && pause <= .seconds(60), "seed \(seed), step \(step)")
                waiting.insert(name)
            case .lost(let losses):
                let told = Set(losses.map(\.table))
                #expect(told.count == losses.count && told.isDisjoint(with: lost), "seed \(seed), step \(step)")
                #expect(told == (live.isEmpty ? waiting.union([name]) : [name]), "seed \(seed), step \(step)")
                #expect(isFinal || live.isEmpty, "seed \(seed), step \(step)")
                lost.formUnion(told)
                waiting.subtract(told)
            }
        }
    }
}
