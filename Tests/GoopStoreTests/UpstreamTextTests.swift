import GoopCore
import Testing

@testable import GoopStore

/// Pages that were written for upstream compare its texts, so ours are the same to the letter.
///
/// Source: P2P wire reference, section 4.5.
@Suite(.timeLimit(.minutes(1))) struct UpstreamTextTests {
    private static let ofVisitors: [(request: String, text: String)] = [
        (#"{"op":"nonsense"}"#, "unknown op: nonsense"),
        (#"{"op":"query"}"#, "table name required"),
        (#"{"op":"insert","data":{}}"#, "table name required"),
        (#"{"op":"query","table":"a b"}"#, "invalid table name: a b"),
        (#"{"op":"update","table":"notes","data":{"title":"x"}}"#, "valid row id required"),
        (#"{"op":"update","table":"notes","id":0,"data":{"title":"x"}}"#, "valid row id required"),
        (#"{"op":"delete","table":"notes"}"#, "valid row id required"),
        (#"{"op":"delete","table":"notes","id":-1}"#, "valid row id required"),
        (#"{"op":"insert","table":"notes","data":{"a b":1}}"#, "invalid column name: a b"),
        (#"{"op":"update","table":"notes","id":1,"data":{"a b":1}}"#, "invalid column name: a b"),
        (#"{"op":"update","table":"wiki","id":77,"data":{"title":"x"}}"#, "row not found or not owned by caller"),
        (#"{"op":"delete","table":"wiki","id":77}"#, "row not found or not owned by caller"),
        (#"{"op":"update","table":"notes","id":77,"data":{"title":"x"}}"#, "update not allowed: owner only"),
        (#"{"op":"delete","table":"notes","id":77}"#, "delete not allowed: owner only"),
        (
            #"{"op":"insert","table":"news","data":{"title":"x"}}"#,
            "insert not allowed: this table only accepts data from the site owner"
        ),
        (#"{"op":"query","table":"closed"}"#, "query not allowed: table is local-only"),
        (#"{"op":"insert","table":"closed","data":{"title":"x"}}"#, "insert not allowed: table is local-only"),
        (#"{"op":"update","table":"closed","id":1,"data":{"title":"x"}}"#, "update not allowed: table is local-only"),
        (#"{"op":"delete","table":"closed","id":1}"#, "delete not allowed: table is local-only"),
        (#"{"op":"query","table":"club"}"#, "read not allowed: no group system"),
        (#"{"op":"insert","table":"club","data":{"title":"x"}}"#, "insert not allowed: no group system"),
        (#"{"op":"create-table","name":"x"}"#, "schema operations not allowed for remote peers"),
        (#"{"op":"delete-table","table":"notes"}"#, "schema operations not allowed for remote peers"),
        (#"{"op":"lua-call","function":"f"}"#, "lua scripting not enabled"),
    ]

    private static let ofTheOwner: [(request: String, text: String)] = [
        (#"{"op":"create-table","name":"a b","column_defs":[]}"#, "invalid table name: a b"),
        (
            #"{"op":"create-table","name":"x","column_defs":[{"name":"a b","type":"TEXT"}]}"#,
            "invalid column name: a b"
        ),
        (#"{"op":"delete","table":"notes"}"#, "valid row id required"),
    ]

    @Test func theTextsAreUpstreams() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        try await fixture.makeORM("wiki", read: "open", insert: "open", update: "open", delete: "open")
        try await fixture.makeORM("news", read: "open", insert: "owner", update: "owner", delete: "owner")
        try await fixture.makeORM("closed", read: "local", insert: "local", update: "local", delete: "local")
        try await fixture.makeORM("club", read: "group", insert: "group", update: "group", delete: "group")
        for (request, text) in Self.ofVisitors {
            #expect(await fixture.refusal(request, as: fixture.ada)?.message == text, "\(request)")
        }
        for (request, text) in Self.ofTheOwner {
            #expect(await fixture.refusal(request)?.message == text, "\(request)")
        }
        await fixture.store.close()
        let insert = #"{"op":"insert","table":"notes","data":{"title":"x"}}"#
        #expect(await fixture.refusal(insert, as: fixture.ada)?.message == "database not available")
    }

    /// Nothing of ours is put to it: that has members of its own.
    @Test func onTheWireTheTextStandsAlone() throws {
        for (line, text) in [("ENC:AAAA", "decrypt error"), (#"{"op":"x"}"#, "unknown op: x")] {
            let error = #expect(throws: DataError.self) { try DataProtocol.request(inLine: Array(line.utf8)) }
            let reply = error.map { DataReply.failure($0).json }
            #expect(reply?["ok"]?.bool == false && reply?["error"]?.string == text, "\(line)")
        }
        let garbled = #expect(throws: DataError.self) { try DataProtocol.request(inLine: Array("{".utf8)) }
        #expect(garbled?.message.hasPrefix("invalid json: ") == true)
    }
}
