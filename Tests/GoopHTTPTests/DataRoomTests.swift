import GoopCore
import NIOCore
import NIOPosix
import PeerIdentity
import Synchronization
import Testing

@testable import GoopHTTP

/// The routes of the Data room: who may ask, how values are shown, and files that go through piece by piece.
@Suite("Data room", .timeLimit(.minutes(1))) struct DataRoomTests {
    /// A desk with one table of one row, that remembers what it was given.
    private final class FakeDesk: DataDesk {
        let asked = Mutex<[DataRequest]>([])
        let seenLast = Mutex<[String: SeenValue]>([:])
        let imported = Mutex<(text: String, pieces: Int, keeps: Bool)>(("", 0, false))
        /// Of the pieces of exports, those that were made on an event loop.
        let piecesOnLoop = Atomic(0)
        let row: JSONValue

        init(row: JSONValue) { self.row = row }

        func tables() async throws(DataError) -> [TableOverview] {
            [
                TableOverview(
                    name: "notes", hasSchema: true, access: TableAccess(insertPolicy: "open"),
                    columns: [.init(name: "text", type: "text", isRequired: true)], rows: 1, bytes: nil)
            ]
        }

        func visitors(most: Int) async throws(DataError) -> VisitorOverview {
            VisitorOverview(
                limit: .init(rows: 10, bytes: 20), totalLimit: 30, total: .init(rows: 1, bytes: 2),
                visitors: [.init(id: "someone", share: .init(rows: 1, bytes: 2), received: 1, added: 3)], count: 1)
        }

        func perform(_ request: DataRequest) async throws(DataError) -> JSONValue {
            asked.withLock { $0.append(request) }
            if request.table == "gone" { throw DataError(code: .notFound, message: "no such table: gone") }
            return request.op == .query ? .array([row]) : row
        }

        func write(
            _ values: [String: String?], row: Int64?, in table: String, seen: [String: SeenValue]
        ) async throws(DataError) -> Int64 {
            seenLast.withLock { $0 = seen }
            if seen["text"] == .whole("old") {
                throw DataError(code: .conflict, message: "this row was changed meanwhile", detail: "column text")
            }
            guard values.count == 2, values["none"] == .some(nil), values["text"] == "x" else {
                throw DataError(code: .badRequest, message: "other values")
            }
            return row ?? 7
        }

        func export(_ table: String, as form: RowForm, to write: (ByteBuffer) async throws -> Void) async throws {
            for number in 1...3 {
                if MultiThreadedEventLoopGroup.currentEventLoop != nil { piecesOnLoop.add(1, ordering: .relaxed) }
                try await write(ByteBuffer(string: "\(form) \(number)\n"))
            }
        }

        func importRows(
            into table: String, as form: RowForm, keepsSystemColumns: Bool, next: () async throws -> ByteBuffer?
        ) async -> RowImportReport {
            do {
                while let piece = try await next() {
                    imported.withLock { seen in
                        seen.text += String(buffer: piece)
                        seen.pieces += 1
                    }
                }
            } catch {
                return RowImportReport(added: 1, fault: DataError(code: .badRequest, message: "it broke off"))
            }
            imported.withLock { $0.keeps = keepsSystemColumns }
            return RowImportReport(added: 2, refused: 1, lines: [.init(number: 3, reason: "no")])
        }
    }

    private func token(_ port: Int) async throws -> String {
        let page = try await request("/data", port: port).body
        let start = try #require(page.firstRange(of: "name=\"goop-token\" content=\"")).upperBound
        return String(page[start...].prefix(64))
    }

    private func post(
        _ path: String, _ body: String, port: Int, token: String?, type: String = "application/json"
    ) async throws -> RawAnswer {
        try await request(
            path, method: "POST", port: port,
            fields: ["Content-Type: \(type)", "Content-Length: \(body.utf8.count)"]
                + (token.map { ["X-Goop-Token: \($0)"] } ?? []), body: body)
    }

    @Test func longBinaryAndWideValuesAreShownShort() async throws {
        let long = String(repeating: "é", count: 300)
        let desk = FakeDesk(row: [
            "_id": .integer(1), "_owner": "someone", "long": .string(long), "wide": .number("9007199254740993"),
            "blob": ["$blob": "AAECAw=="], "none": .null,
        ])
        try await withViewer(rooms: ViewerRooms(data: desk)) { port in
            let token = try await token(port)
            let rows = try await post(
                "/api/rooms/data/rows", "{\"table\":\"notes\",\"where\":\"x > 1\",\"limit\":9999}", port: port,
                token: token)
            #expect(rows.status == 200)
            let start = String(repeating: "é", count: 200)
            #expect(rows.body.contains("\"long\":{\"cut\":\"\(start)\",\"bytes\":600}"))
            #expect(rows.body.contains("\"wide\":{\"digits\":\"9007199254740993\"}"))
            #expect(rows.body.contains("\"blob\":{\"binary\":4}") && !rows.body.contains("AAEC"))
            let query = try #require(desk.asked.withLock { $0.first })
            #expect(query.where == "x > 1" && query.limit == DataRoom.maximumRows)
            let whole = try await post(
                "/api/rooms/data/value", "{\"table\":\"notes\",\"id\":1,\"column\":\"long\"}", port: port, token: token)
            #expect(whole.status == 200 && desk.asked.withLock { $0.last?.fields } == ["long"])
            let written = try await post(
                "/api/rooms/data/write", "{\"table\":\"notes\",\"values\":{\"text\":\"x\",\"none\":null}}", port: port,
                token: token)
            #expect(written.body == "{\"id\":7}")
            let refused = try await post(
                "/api/rooms/data/write", "{\"table\":\"notes\",\"values\":{\"text\":5}}", port: port, token: token)
            #expect(refused.status == 400)
        }
    }

    @Test func whatAPageHasSeenGoesWithItsChange() async throws {
        let desk = FakeDesk(row: [:])
        try await withViewer(rooms: ViewerRooms(data: desk)) { port in
            let token = try await token(port)
            func write(_ id: String, _ seen: String) async throws -> RawAnswer {
                try await post(
                    "/api/rooms/data/write",
                    "{\"table\":\"notes\",\(id)\"values\":{\"text\":\"x\",\"none\":null},\"seen\":\(seen)}",
                    port: port, token: token)
            }
            let forms =
                "{\"text\":\"t\",\"none\":null,\"count\":1.5,\"long\":{\"cut\":\"ab\",\"bytes\":600},"
                + "\"blob\":{\"binary\":4},\"wide\":{\"digits\":\"9007199254740993\"}}"
            let written = try await write("\"id\":3,", forms)
            #expect(written.status == 200 && written.body == "{\"id\":3}")
            let seen: [String: SeenValue] = [
                "text": .whole("t"), "none": .whole(.null), "count": .whole(.number("1.5")),
                "long": .beginning("ab", bytes: 600), "blob": .binary(bytes: 4),
                "wide": .whole(.number("9007199254740993")),
            ]
            #expect(desk.seenLast.withLock { $0 } == seen)
            let changed = try await write("\"id\":3,", "{\"text\":\"old\"}")
            #expect(changed.status == 409)
            #expect(changed.body.contains("\"error\":\"this row was changed meanwhile\""))
            #expect(changed.body.contains("\"code\":\"conflict\""))
            #expect(try await write("\"id\":3,", "null").status == 200)
            for wrong in ["[]", "\"t\"", "{\"text\":[]}", "{\"text\":{}}", "{\"text\":{\"digits\":\"x\"}}"] {
                #expect(try await write("\"id\":3,", wrong).status == 400, "\(wrong)")
            }
            #expect(try await write("", "{\"text\":\"t\"}").status == 400, "of a new row nothing was seen")
            let columns = (0...DataRequest.maximumColumns).map { "\"c\($0)\":1" }
            #expect(try await write("\"id\":3,", "{\(columns.joined(separator: ","))}").status == 413)
            let most = columns.dropLast().joined(separator: ",")
            #expect(try await write("\"id\":3,", "{\(most)}").status == 200)
        }
    }

    @Test func filesGoThroughInPieces() async throws {
        let desk = FakeDesk(row: [:])
        try await withViewer(rooms: ViewerRooms(data: desk)) { port in
            let export = try await request("/api/rooms/data/export?table=notes&form=csv", port: port)
            #expect(export.status == 200 && export["content-disposition"] == "attachment; filename=\"notes.csv\"")
            #expect(export.body.contains("csv 1\n") && export.body.contains("csv 3\n"))
            #expect(desk.piecesOnLoop.load(ordering: .relaxed) == 0, "it would hold up every connection of the loop")
            #expect(try await request("/api/rooms/data/export?table=gone&form=csv", port: port).status == 404)
            for query in ["", "table=_meta", "table=no%22tes", "table=notes&form=xls"] {
                #expect(try await request("/api/rooms/data/export?\(query)", port: port).status == 400, "\(query)")
            }
            let token = try await token(port)
            let text = String(repeating: "line\n", count: 60_000)
            let path = "/api/rooms/data/import?table=notes&form=csv&system=1"
            let report = try await post(path, text, port: port, token: token, type: "text/csv")
            #expect(report.status == 200, "\(report.body)")
            #expect(report.body.contains("\"lines\":[{\"line\":3,\"reason\":\"no\"}]"))
            let seen = desk.imported.withLock { $0 }
            #expect(seen.text == text && seen.pieces > 1 && seen.keeps)
            #expect(try await post(path, text, port: port, token: nil, type: "text/csv").status == 403)
            #expect(try await post(path, "[]", port: port, token: token).status == 400)
        }
    }

    @Test func theOwnersTablesNeedTheTokenAndTheViewersPage() async throws {
        let backend = FakeBackend()
        backend.answer(.success(["count": .integer(3)]), .success(["status": "deleted"]))
        try await withViewer(backend, rooms: ViewerRooms(data: FakeDesk(row: [:]))) { port in
            #expect(try await post("/api/data/count", "{\"table\":\"notes\"}", port: port, token: nil).status == 403)
            #expect(backend.asked.isEmpty)
            let token = try await token(port)
            let count = try await post("/api/data/count", "{\"table\":\"notes\"}", port: port, token: token)
            #expect(count.status == 200 && count.body == "{\"count\":3}")
            _ = try await post(
                "/api/data/tables/set-policy", "{\"table\":\"notes\",\"access\":{\"read\":\"open\"}}", port: port,
                token: token)
            #expect(backend.asked.last?.access == ["read": "open"])
            for path in ["/api/data/tables", "/api/rooms/data/tables", "/api/rooms/data/visitors"] {
                #expect(try await request(path, port: port).status == 200, "\(path)")
                #expect(try await request(path, port: port, fields: ["Sec-Fetch-Site: cross-site"]).status == 403)
                #expect(try await request(path, port: port, fields: ["Origin: null"]).status == 403)
            }
            let visitors = try await request("/api/rooms/data/visitors", port: port).body
            #expect(visitors.contains("\"rows\":1,\"bytes\":2,\"received\":1,\"added\":3"), "\(visitors)")
            let site = "Host: \(backend.owner.id.base36).localhost:\(port)"
            #expect(try await request("/api/rooms/data/tables", port: port, fields: [site]).status != 200)
        }
    }

    @Test func transfersAreCounted() {
        let places = TransferPlaces()
        var taken = (0..<DataTransfer.maximumTransfers).map { _ in places.take() }
        #expect(taken.allSatisfy { $0 != nil } && places.take() == nil)
        taken.removeLast()
        #expect(places.take() != nil)
    }
}
