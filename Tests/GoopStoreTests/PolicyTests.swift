import GoopCore
import Testing

@testable import GoopStore

/// What the words of the owner mean to a visitor, and from when on.
@Suite(.timeLimit(.minutes(1))) struct PolicyTests {
    private static let uses = [
        #"{"op":"query","table":"diary"}"#, #"{"op":"count","table":"diary"}"#, #"{"op":"describe","table":"diary"}"#,
        #"{"op":"insert","table":"diary","data":{"title":"x"}}"#,
        #"{"op":"update","table":"diary","id":1,"data":{"title":"x"}}"#, #"{"op":"delete","table":"diary","id":1}"#,
        #"{"op":"update-where","table":"diary","where":"1","data":{"title":"x"}}"#,
    ]

    private func expectClosed(_ fixture: StoreFixture) async throws {
        for use in Self.uses { #expect(await fixture.refusal(use, as: fixture.ada)?.code == .refused, "\(use)") }
        #expect(try await fixture.text(#"{"op":"tables"}"#, as: fixture.ada) == "[]")
        #expect(try await fixture.text(#"{"op":"tables"}"#).contains(#""insert_policy":"local""#))
        try await fixture.ask(#"{"op":"insert","table":"diary","data":{"title":"dear diary"}}"#)
    }

    @Test func aLocalTableIsTheOwnersAlone() async throws {
        let fixture = try StoreFixture()
        try await fixture.ask(
            #"{"op":"create-table","name":"diary","policy":"local","column_defs":[{"name":"title","type":"TEXT"}]}"#)
        try await expectClosed(fixture)
        await #expect(throws: DataError.self) { _ = try await fixture.store.changes(of: "diary", caller: fixture.ada) }
        await fixture.store.close()
    }

    @Test func theWordIsInForceWhereASchemaHasFour() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeORM("diary", read: "open", insert: "open", update: "open", delete: "open")
        let answer = try await fixture.text(#"{"op":"set-policy","table":"diary","policy":"local"}"#)
        #expect(answer.contains(#""policy":"local""#))
        try await expectClosed(fixture)
        try await fixture.ask(#"{"op":"set-policy","table":"diary","policy":"public"}"#)
        try await fixture.ask(#"{"op":"insert","table":"diary","data":{"title":"hers"}}"#, as: fixture.ada)
        #expect(await fixture.refusal(Self.uses[4], as: fixture.ada)?.code == .refused, "only rows of her own")
        #expect(try await fixture.text(#"{"op":"count","table":"diary"}"#, as: fixture.bob) == #"{"count":2}"#)
        #expect(try await fixture.text(#"{"op":"tables"}"#, as: fixture.bob).contains(#""insert_policy":"open""#))
        await fixture.store.close()
    }
}
