import Foundation
import GRDB
import GoopCore
import GoopTestKit
import Testing

@testable import GoopStore

/// LIKE and GLOB as SQLite has them, but for the clock.
@Suite(.timeLimit(.minutes(1))) struct PatternMatchTests {
    private enum Form: String, CaseIterable {
        case like = "SELECT ?1 LIKE ?2"
        case escaped = "SELECT ?1 LIKE ?2 ESCAPE ?3"
        case glob = "SELECT ?1 GLOB ?2"
    }

    /// What both patterns and texts are made of: signs with a meaning, letters in both cases, and what is no UTF-8.
    private static let pieces: [[UInt8]] =
        ["%", "_", "*", "?", "[", "]", "^", "-", "a", "b", "A", "B", "\\", "\u{e9}", "\u{c9}", "z", "1", "\u{1d11e}"]
        .map {
            Array($0.utf8)
        } + [
            [0xC3], [0x80], [0xFF], [0xED, 0xA0, 0x80], [0xF9, 0x80, 0x80, 0x80, 0x80], [0xC0, 0x80],
            [0xEF, 0xBF, 0xBE],
        ]

    private static func outcome(
        _ form: Form, _ text: [UInt8], _ pattern: [UInt8], _ escape: [UInt8], isOver: () -> Bool = { false }
    ) -> PatternMatch.Outcome? {
        (text + [0]).withUnsafeBufferPointer { text in
            (pattern + [0]).withUnsafeBufferPointer { pattern in
                (escape + [0]).withUnsafeBufferPointer { escape in
                    guard let text = text.baseAddress, let pattern = pattern.baseAddress,
                        let escape = escape.baseAddress
                    else { return nil }
                    let match: PatternMatch? =
                        switch form {
                        case .like: .like()
                        case .escaped: .like(escapedBy: escape)
                        case .glob: .glob
                        }
                    return match?.compare(pattern, text, isOver: isOver)
                }
            }
        }
    }

    /// A text of these bytes, whatever they are.
    private static func value(_ bytes: [UInt8]) -> String { "CAST(x'\(bytes.map { hex($0) }.joined())' AS TEXT)" }

    private static func hex(_ byte: UInt8) -> String {
        String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }

    @Test(arguments: UInt64(1)...4) func theyMeanWhatSQLiteMeans(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func bytes(_ most: Int, isOdd: Bool) -> [UInt8] {
            let pieces = Self.pieces.dropLast(isOdd ? 0 : 7)
            return (0..<Int.random(in: 0...most, using: &random)).flatMap { _ in
                pieces.randomElement(using: &random) ?? []
            }
        }
        try DatabaseQueue().read { database in
            var matched = 0
            for round in 0..<500 {
                let isOdd = round.isMultiple(of: 3)
                let (text, pattern) = (bytes(10, isOdd: isOdd), bytes(7, isOdd: isOdd))
                let escape = Array((["\\", "%", "_", "a", "\u{e9}"].randomElement(using: &random) ?? "\\").utf8)
                for form in Form.allCases {
                    let sql = form.rawValue.replacing("?1", with: Self.value(text))
                        .replacing("?2", with: Self.value(pattern)).replacing("?3", with: Self.value(escape))
                    let expected = try Int.fetchOne(database, sql: sql)
                    let found = Self.outcome(form, text, pattern, escape)
                    #expect(found == (expected == 1 ? .matches : .differs), "\(sql), seed \(seed)")
                    if expected == 1 { matched += 1 }
                }
            }
            #expect(matched > 10)
        }
    }

    @Test func wildcardsAddUpAndDoNotMultiply() {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 20_000)
        let pattern = Array(String(repeating: "%a", count: 100).utf8) + [UInt8(ascii: "b")]
        var looks = 0
        let outcome = Self.outcome(.like, text, pattern, []) {
            looks += 1
            return false
        }
        #expect(outcome == .differs)
        #expect(looks <= 200 * text.count / PatternMatch.stepsPerCheck)
    }

    @Test func theClockIsLookedAtAllAlong() {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 100_000)
        let run = String(repeating: "a", count: 253)
        for (form, pattern) in [
            (Form.like, "%\(run)b%"), (.glob, "*\(run)b"), (.glob, "*[\(String(repeating: "b", count: 250))a]b"),
            (.like, "%\(String(repeating: "_", count: 200))b"),
        ] {
            var looks = 0
            let outcome = Self.outcome(form, text, Array(pattern.utf8), []) {
                looks += 1
                return looks == 3
            }
            #expect(outcome == .stopped, "\(pattern)")
        }
    }

    /// What SQLite's own would take as long for as it takes.
    @Test func aReadEndsWithinOneComparison() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        let title = String(repeating: "a", count: 1 << 19)
        try await fixture.ask(#"{"op":"insert","table":"notes","data":{"title":"\#(title)"}}"#)
        let table = try await fixture.store.catalogue().table("notes")
        let connection = try ReadConnection(path: fixture.path)
        var limits = DataStore.visitorLimits
        limits.time = .milliseconds(1)
        for condition in ["title LIKE ?", "title LIKE ? ESCAPE '!'", "title GLOB ?"] {
            let run = String(repeating: "a", count: 253) + "b"
            let compiled = try QueryCompiler.condition(
                condition, args: [.text((condition.contains("GLOB") ? "*" : "%") + run)], scope: table.scope)
            let select = CompiledFragment(
                sql: "SELECT \"_id\" FROM \(table.quoted) WHERE \(compiled.sql)", bindings: compiled.bindings)
            let error = #expect(throws: DataError.self) {
                try connection.rows(select, table: table, limits: limits, isOwner: false)
            }
            #expect(error?.code == .tooSlow, "\(condition): \(String(describing: error))")
        }
        await fixture.store.close()
    }

    @Test func aConnectionFindsWhatItFound() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        for title in ["Hello", "100%", "[x]", "under_score"] {
            try await fixture.ask(#"{"op":"insert","table":"notes","data":{"title":"\#(title)"}}"#)
        }
        try await fixture.ask(#"{"op":"insert","table":"notes","data":{"score":12}}"#)
        for (condition, found) in [
            ("title LIKE 'hELLO'", "[1]"), ("title GLOB 'hELLO'", "[]"), ("title LIKE '!%%' ESCAPE '!'", "[]"),
            ("title LIKE '%!%%' ESCAPE '!'", "[2]"), ("title GLOB '[[]*'", "[3]"),
            ("title LIKE '%\\_%' ESCAPE '\\'", "[4]"),
            ("title NOT LIKE '%l%'", "[2,3,4]"), ("(title LIKE '%') ISNULL", "[5]"), ("score LIKE '1_'", "[5]"),
        ] {
            let request = JSONValue.object([
                "op": "pluck", "table": "notes", "column": "_id", "order": "_id", "where": .string(condition),
            ])
            let answer = try await fixture.store.perform(DataRequest(json: request), caller: fixture.ada)
            #expect(String(decoding: JSONWriter.compact(answer), as: UTF8.self) == found, "\(condition)")
        }
        await fixture.store.close()
    }
}
