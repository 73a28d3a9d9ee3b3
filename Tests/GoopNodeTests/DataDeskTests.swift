import GoopCore
import GoopHTTP
import Logging
import NIOCore
import PeerIdentity
import Testing

@testable import GoopNode

/// The Data room's ways in and out of a real database.
@Suite struct DataDeskTests {
    private let temporary = TemporaryFolder()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func withDesk(_ body: (NodeDataDesk) async throws -> Void) async throws {
        let peer = try PreparedPeer.open(
            PeerFolder(temporary.path + "/ada"), options: .init(createsMissing: true, label: "Ada"))
        let tables = SiteTables(peer, owner: peer.identity.peerID, logger: logger)
        let desk = NodeDataDesk(tables: tables)
        var create = DataRequest(op: .createTable)
        create.name = "notes"
        create.columnDefs = [
            ["name": "text", "type": "text", "required": true], ["name": "stars", "type": "integer"],
            ["name": "raw", "type": "blob"],
            ["name": "size", "type": "enum", "values": .array(["1", "2.5", "large"])],
        ]
        _ = try await desk.perform(create)
        try await body(desk)
        await tables.close()
        peer.release()
    }

    private func rows(_ desk: NodeDataDesk) async throws -> JSONValue {
        try await desk.perform(DataRequest(op: .query, table: "notes"))
    }

    @Test(arguments: RowForm.allCases) func whatGoesOutComesInAgain(form: RowForm) async throws {
        try await withDesk { desk in
            let texts = [
                "=1+1", "'=1+1", "''", "'", "-5", "", "a \"b\", c\r\nd", "{\"$blob\":\"x\"}", "@x", "\tx", "ü\u{202E}",
            ]
            for text in texts { _ = try await desk.write(["text": text, "stars": "3"], row: nil, in: "notes") }
            var insert = DataRequest(op: .insert, table: "notes")
            insert.data = [
                "text": "blob", "raw": ["$blob": "AAH/"], "stars": .number("9007199254740993"), "size": "1",
            ]
            _ = try await desk.perform(insert)
            let before = try await rows(desk)
            var file = ByteBuffer()
            try await desk.export("notes", as: form) { file.writeImmutableBuffer($0) }
            var clear = DataRequest(op: .deleteWhere, table: "notes")
            clear.where = "_id > 0"
            _ = try await desk.perform(clear)
            // In the smallest pieces: no piece ends where a row does.
            let report = await desk.importRows(into: "notes", as: form, keepsSystemColumns: true) {
                file.readSlice(length: min(7, file.readableBytes)).flatMap { $0.readableBytes > 0 ? $0 : nil }
            }
            #expect(report == RowImportReport(added: texts.count + 1))
            #expect(try await rows(desk) == before)
        }
    }

    @Test func linesWithFaultsAreToldAndABrokenFileKeepsWhatCame() async throws {
        try await withDesk { desk in
            var pieces = ["text,stars\nfine,1\n", ",2\nfew\n"].map { ByteBuffer(string: $0) }
            let report = await desk.importRows(into: "notes", as: .csv, keepsSystemColumns: false) {
                guard !pieces.isEmpty else { throw CancellationError() }
                return pieces.removeFirst()
            }
            #expect(report.fault?.message == "the file did not arrive whole")
            #expect(report.lines.map(\.number) == [4])
            #expect(report.lines.map(\.reason) == ["it has 1 field, the first line 2"])
            let bad = await desk.importRows(into: "notes", as: .csv, keepsSystemColumns: false) {
                defer { pieces = [] }
                return pieces.isEmpty ? nil : pieces[0]
            }
            #expect(bad.fault?.message == "the first line has no names of columns")
            pieces = [ByteBuffer(string: "text,star\n")]
            let other = await desk.importRows(into: "notes", as: .csv, keepsSystemColumns: false) {
                pieces.popLast()
            }
            #expect(other.fault?.detail == "did you mean stars?")
        }
    }

    @Test func anIdThatIsNoNumberIsTheFaultOfItsLine() async throws {
        try await withDesk { desk in
            var pieces = [ByteBuffer(string: "_id,text\n5,a\nabc,b\n1.5,c\n7,d\n")]
            let report = await desk.importRows(into: "notes", as: .csv, keepsSystemColumns: true) { pieces.popLast() }
            #expect(report.added == 2 && report.fault == nil)
            #expect(report.lines.map(\.number) == [3, 4])
            #expect(report.lines.first?.reason.contains("_id takes a whole number") == true)
            let ids = try await rows(desk).array?.map { $0.object?["_id"]?.int64 }
            #expect(ids == [5, 7])
        }
    }

    @Test func aRowThatWasChangedMeanwhileIsNotReplaced() async throws {
        try await withDesk { desk in
            let id = try await desk.write(["text": "a", "stars": "1"], row: nil, in: "notes")
            let shown: [String: SeenValue] = ["text": .whole("a"), "stars": .whole(.integer(1))]
            #expect(try await desk.write(["text": "b"], row: id, in: "notes", seen: shown) == id)
            let refused = await #expect(throws: DataError.self) {
                try await desk.write(["text": "c"], row: id, in: "notes", seen: shown)
            }
            #expect(refused?.code == .conflict && refused?.message == "this row was changed meanwhile")
            #expect(refused?.detail.contains("column text;") == true)
            #expect(try await rows(desk).array?.first?.object?["text"] == "b")
        }
    }

    @Test func typedTextsBecomeValuesOfTheirColumns() async throws {
        try await withDesk { desk in
            let id = try await desk.write(["TEXT": "1", "stars": "12"], row: nil, in: "notes")
            #expect(try await desk.write(["stars": nil], row: id, in: "notes") == id)
            let row = try await rows(desk).array?.first?.object
            #expect(row?["text"] == "1" && row?["stars"] == .null)
            // A choice of digits is a text, as the others are.
            for choice in ["1", "2.5", "large"] { _ = try await desk.write(["size": choice], row: id, in: "notes") }
            #expect(try await rows(desk).array?.first?.object?["size"] == "large")
            await #expect(throws: DataError.self) { try await desk.write(["size": "2"], row: id, in: "notes") }
            await #expect(throws: DataError.self) { try await desk.write(["_owner": "x"], row: id, in: "notes") }
            await #expect(throws: DataError.self) { try await desk.write(["stars": "many"], row: id, in: "notes") }
            await #expect(throws: DataError.self) { try await desk.write(["text": "x"], row: 99, in: "notes") }
        }
    }
}
