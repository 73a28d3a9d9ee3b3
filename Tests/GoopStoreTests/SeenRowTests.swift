import GRDB
import GoopCore
import Testing

@testable import GoopStore

/// Changes that are made only while a row is as it was seen.
@Suite(.timeLimit(.minutes(1))) struct SeenRowTests {
    private func change(
        _ fixture: StoreFixture, _ values: [String: JSONValue], id: Int64 = 1, seen: [String: SeenValue]
    ) async -> DataError? {
        do throws(DataError) {
            try await fixture.store.update(id, of: "notes", to: values, seen: seen)
            return nil
        } catch { return error }
    }

    @Test func anotherValueIsAConflictAndNothingIsStored() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        try await fixture.ask(#"{"op":"insert","table":"notes","data":{"title":"a","score":1}}"#, as: fixture.ada)
        #expect(await change(fixture, ["title": "b"], seen: ["title": .whole("a")]) == nil)
        let error = await change(fixture, ["title": "c", "score": .integer(2)], seen: ["TITLE": .whole("a")])
        #expect(error?.code == .conflict && error?.message == "this row was changed meanwhile")
        #expect(
            error?.detail.contains("column title;") == true && error?.detail.contains("look at the row again") == true)
        let row = try await fixture.ask(#"{"op":"query-one","table":"notes"}"#)
        #expect(row["title"] == "b" && row["score"]?.int64 == 1)
        // What nobody looked at may have changed.
        #expect(await change(fixture, ["title": "d"], seen: ["score": .whole(.integer(1))]) == nil)
        #expect(await change(fixture, ["title": "e"], seen: [:]) == nil)
        // Whose row it is, too, and when it was changed last.
        #expect(
            await change(fixture, ["title": "f"], seen: ["_updated_at": .whole("1999-01-01 00:00:00")])?.code
                == .conflict)
        #expect(await change(fixture, ["title": "f"], seen: ["_owner": .whole(.string(fixture.ada.id))]) == nil)
        // What is gone is not there.
        #expect(await change(fixture, ["title": "g"], id: 2, seen: ["title": .whole("a")])?.code == .notFound)
        try await fixture.ask(#"{"op":"drop-column","table":"notes","column":"body"}"#)
        #expect(await change(fixture, ["title": "g"], seen: ["body": .whole(.null)])?.code == .conflict)
        await fixture.store.close()
    }

    @Test func valuesAreComparedAsTheyWereShown() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        let accents = ("e\u{301}", "\u{e9}")
        let cases: [(stored: JSONValue, same: [SeenValue], other: [SeenValue])] = [
            (.null, [.whole(.null)], [.whole(""), .whole(.integer(0)), .binary(bytes: 0), .beginning("", bytes: 0)]),
            ("", [.whole("")], [.whole(.null)]),
            (.integer(1), [.whole(.integer(1)), .whole(.number("1.0"))], [.whole("1"), .whole(.integer(2))]),
            (.number("1.5"), [.whole(.number("1.50"))], [.whole(.number("1.25"))]),
            (
                .number("9007199254740993"), [.whole(.number("9007199254740993"))],
                [.whole(.number("9007199254740992"))]
            ),
            (.string(accents.0), [.whole(.string(accents.0))], [.whole(.string(accents.1))]),
            (
                "abcdef", [.whole("abcdef"), .beginning("abc", bytes: 6)],
                [.beginning("abd", bytes: 6), .beginning("abc", bytes: 7), .whole("abc"), .binary(bytes: 6)]
            ),
            (["$blob": "AAECAw=="], [.binary(bytes: 4)], [.binary(bytes: 3), .whole(.null)]),
        ]
        for (index, one) in cases.enumerated() {
            let id = Int64(index + 1)
            var insert = DataRequest(op: .insert, table: "notes")
            insert.data = ["body": one.stored]
            _ = try await fixture.store.perform(insert, caller: .owner)
            for seen in one.other {
                #expect(
                    await change(fixture, ["title": "x"], id: id, seen: ["body": seen])?.code == .conflict, "\(seen)")
            }
            for seen in one.same {
                #expect(await change(fixture, ["title": "x"], id: id, seen: ["body": seen]) == nil, "\(seen)")
            }
        }
        await fixture.store.close()
    }

    /// Between the look and the change nobody else writes: of many who have seen the same, one is first.
    @Test func ofManyWhoSawTheSameOneChangesIt() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        try await fixture.ask(#"{"op":"insert","table":"notes","data":{"score":0}}"#)
        let errors: [DataError?] = await withTaskGroup(of: DataError?.self) { group in
            for number in 1...20 {
                group.addTask {
                    await change(
                        fixture, ["score": .integer(number)], seen: ["score": .whole(.integer(0))])
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(errors.count { $0 == nil } == 1 && errors.count { $0?.code == .conflict } == 19)
        await fixture.store.close()
    }
}
