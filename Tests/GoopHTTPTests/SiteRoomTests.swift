import GoopCore
import NIOCore
import PeerIdentity
import Synchronization
import Testing

@testable import GoopHTTP

/// The routes of the room "My site": who may change the folder, and what arrives there.
@Suite("My site", .timeLimit(.minutes(1))) struct SiteRoomTests {
    private final class FakeDesk: SiteDesk {
        struct Call: Equatable {
            var name: String
            var arguments: [String]
        }

        struct State {
            var calls: [Call] = []
            var files: [String: String] = [:]
            var fault: SiteEditError?
            /// Of the upload, after so many bytes.
            var faultAfter = 0
        }

        let state = Mutex(State())

        var calls: [Call] { state.withLock { $0.calls } }

        func fail(_ fault: SiteEditError?, after count: Int = 0) {
            state.withLock { state in
                state.fault = fault
                state.faultAfter = count
            }
        }

        private func note(_ name: String, _ arguments: String...) throws(SiteEditError) {
            let fault = state.withLock { state in
                state.calls.append(Call(name: name, arguments: arguments))
                return state.faultAfter == 0 ? state.fault : nil
            }
            if let fault { throw fault }
        }

        func sheet() async throws(SiteEditError) -> SiteSheet {
            try note("sheet")
            var listing = SiteListing()
            listing.entries = [SiteEntry(path: "<b>.txt", kind: .file, size: 3, changedMilliseconds: 7, stamp: "s")]
            return SiteSheet(
                folder: "/f", listing: listing,
                deleted: [DeletedItem(ticket: "1-a", path: "p", kind: .folder, deletedMilliseconds: 1, bytes: 4)],
                trashLimits: .init(bytes: 5, items: 6), freeBytes: nil, maximumFileBytes: 9,
                starters: [.init(name: "plain", summary: "one page")])
        }

        func makeFolder(_ path: String) async throws(SiteEditError) { try note("folder", path) }

        func move(_ path: String, to newPath: String, replaces: Bool) async throws(SiteEditError) {
            try note("move", path, newPath, "\(replaces)")
        }

        func delete(_ path: String) async throws(SiteEditError) -> DeletedItem {
            try note("delete", path)
            return DeletedItem(ticket: "1-a", path: path, kind: .file, deletedMilliseconds: 1, bytes: 4)
        }

        func pushedOut(byDeleting path: String) async throws(SiteEditError) -> [DeletedItem] {
            try note("pushed out", path)
            return [DeletedItem(ticket: "1-b", path: "old", kind: .link, deletedMilliseconds: 2, bytes: 3)]
        }

        func restore(_ ticket: String, replaces: Bool) async throws(SiteEditError) -> String {
            try note("restore", ticket, "\(replaces)")
            return "p"
        }

        func emptyTrash() async { try? note("empty") }

        func text(at path: String) async throws(SiteEditError) -> SiteText {
            try note("text", path)
            return SiteText(path: path, text: "t", stamp: "s")
        }

        func upload(
            _ path: String, size: Int, condition: UploadCondition
        ) async throws(SiteEditError) -> any SiteUpload {
            try note("upload", path, "\(size)", "\(condition)")
            return FakeUpload(desk: self, path: path)
        }

        func starterFiles(_ name: String) async throws(SiteEditError) -> [StarterFile] {
            try note("starter", name)
            return [StarterFile(path: "index.html", effect: .replaces)]
        }

        func applyStarter(_ name: String, replacing: Set<String>) async throws(SiteEditError) -> [KeptTable] {
            try note("apply", name, replacing.sorted().joined(separator: " "))
            return [KeptTable(name: "votes", columns: ["choice"])]
        }
    }

    private final class FakeUpload: SiteUpload {
        let desk: FakeDesk
        let path: String
        let text = Mutex("")

        init(desk: FakeDesk, path: String) {
            self.desk = desk
            self.path = path
        }

        func append(_ bytes: ByteBuffer) async throws(SiteEditError) {
            let count = text.withLock { text in
                text += String(buffer: bytes)
                return text.utf8.count
            }
            let fault = desk.state.withLock { $0.faultAfter > 0 && count >= $0.faultAfter ? $0.fault : nil }
            if let fault { throw fault }
        }

        func finish() async throws(SiteEditError) -> SiteEntry {
            let text = text.withLock { $0 }
            desk.state.withLock { $0.files[path] = text }
            return SiteEntry(path: path, kind: .file, size: text.utf8.count, changedMilliseconds: 5, stamp: "n")
        }
    }

    private let desk = FakeDesk()

    private func token(_ port: Int) async throws -> String {
        let page = try await request("/site", port: port).body
        let start = try #require(page.firstRange(of: "name=\"goop-token\" content=\"")).upperBound
        return String(page[start...].prefix(64))
    }

    private func post(
        _ path: String, _ body: String, port: Int, token: String?, type: String = "application/json",
        fields: [String] = [], length: String? = nil
    ) async throws -> RawAnswer {
        try await request(
            "/api/rooms/site/\(path)", method: "POST", port: port,
            fields: ["Content-Type: \(type)", "Content-Length: \(length ?? "\(body.utf8.count)")"]
                + (token.map { ["X-Goop-Token: \($0)"] } ?? []) + fields, body: body)
    }

    private func upload(
        _ query: String, _ body: String, port: Int, token: String?, type: String = "application/octet-stream",
        fields: [String] = [], length: String? = nil
    ) async throws -> RawAnswer {
        try await post(
            "upload?\(query)", body, port: port, token: token, type: type, fields: fields, length: length)
    }

    @Test func theSheetAndTheTextAreForTheViewersPagesOnly() async throws {
        try await withViewer(rooms: ViewerRooms(site: desk)) { port in
            let sheet = try await request("/api/rooms/site", port: port)
            #expect(sheet.status == 200 && sheet["content-type"] == "application/json")
            for part in [
                "\"\\u003cb\\u003e.txt\"", "\"ticket\":\"1-a\",\"path\":\"p\",\"kind\":\"folder\"", "\"free\":null",
                "\"limit\":9", "\"name\":\"plain\"",
            ] {
                #expect(sheet.body.contains(part), "\(part)")
            }
            #expect(
                try await request("/api/rooms/site/text?path=a%2Fb+c.txt", port: port).body.contains("\"text\":\"t\""))
            #expect(desk.calls.last == .init(name: "text", arguments: ["a/b c.txt"]))
            #expect(try await request("/api/rooms/site/text", port: port).status == 400)
            let before = desk.calls.count
            for fields in [["Sec-Fetch-Site: cross-site"], ["Origin: null"], ["Origin: http://evil.example"]] {
                #expect(try await request("/api/rooms/site", port: port, fields: fields).status == 403)
                #expect(try await request("/api/rooms/site/text?path=a", port: port, fields: fields).status == 403)
            }
            let host = "Host: \(PrivateKey.generate().peerID.base36).localhost:\(port)"
            #expect(try await request("/api/rooms/site", port: port, fields: [host]).status != 200)
            #expect(desk.calls.count == before)
        }
    }

    @Test(arguments: [
        "site/folder", "site/move", "site/delete", "site/delete/check", "site/restore", "site/empty-trash",
        "site/starter/check", "site/starter/apply",
    ])
    func aChangeNeedsTheTokenAndTheOwnPage(_ name: String) async throws {
        try await withViewer(rooms: ViewerRooms(site: desk)) { port in
            let token = try await token(port)
            let name = String(name.dropFirst("site/".count))
            let body = "{\"path\":\"a\",\"to\":\"b\",\"ticket\":\"1-a\",\"starter\":\"plain\"}"
            #expect(try await post(name, body, port: port, token: nil).status == 403)
            #expect(try await post(name, body, port: port, token: String(repeating: "0", count: 64)).status == 403)
            #expect(
                try await post(name, body, port: port, token: token, fields: ["Origin: http://evil.example"]).status
                    == 403)
            #expect(
                try await post(name, body, port: port, token: token, fields: ["Sec-Fetch-Site: same-site"]).status
                    == 403)
            #expect(try await post(name, body, port: port, token: token, type: "text/plain").status == 400)
            #expect(try await post(name, "[]", port: port, token: token).status == 400)
            #expect(desk.calls == [])
            #expect(try await post(name, body, port: port, token: token).status == 200)
            #expect(desk.calls.count == 1)
        }
    }

    /// A page of an earlier run cannot mend that by asking again, and knows it from the answer.
    @Test func onlyTheRefusalOfATokenSaysThatThePageIsOld() async throws {
        try await withViewer(rooms: ViewerRooms(site: desk)) { port in
            let token = try await token(port)
            for old in [nil, String(repeating: "0", count: 64)] {
                let refused = try await post("delete", "{\"path\":\"a\"}", port: port, token: old)
                #expect(refused.status == 403 && refused.body.contains("\"kind\":\"outdated\""), "\(refused.body)")
                let upload = try await upload("path=a", "x", port: port, token: old)
                #expect(upload.status == 403 && upload.body.contains("\"kind\":\"outdated\""), "\(upload.body)")
            }
            let foreign = try await post(
                "delete", "{\"path\":\"a\"}", port: port, token: token, fields: ["Origin: http://evil.example"])
            #expect(foreign.status == 403 && !foreign.body.contains("kind"), "\(foreign.body)")
            #expect(desk.calls == [])
        }
    }

    @Test func whatIsAskedReachesTheDesk() async throws {
        try await withViewer(rooms: ViewerRooms(site: desk)) { port in
            let token = try await token(port)
            _ = try await post("move", "{\"path\":\"a\",\"to\":\"b\",\"replace\":true}", port: port, token: token)
            let applied = try await post(
                "starter/apply", "{\"starter\":\"poll\",\"replace\":[\"x\",\"index.html\",7]}", port: port, token: token
            )
            #expect(applied.body.contains("\"votes\"") && applied.body.contains("\"choice\""))
            #expect(
                desk.calls == [
                    .init(name: "move", arguments: ["a", "b", "true"]),
                    .init(name: "apply", arguments: ["poll", "index.html x"]),
                ])
            let gone = try await post("delete/check", "{\"path\":\"a\"}", port: port, token: token)
            #expect(
                gone.status == 200
                    && gone.body
                        == #"{"gone":[{"ticket":"1-b","path":"old","kind":"link","deleted":2,"bytes":3}]}"#,
                "\(gone.body)")
            for body in ["{\"ticket\":\"1-a\"}", "{\"ticket\":\"1-a\",\"replace\":true}"] {
                #expect(try await post("restore", body, port: port, token: token).status == 200)
            }
            #expect(
                desk.calls.suffix(2) == [
                    .init(name: "restore", arguments: ["1-a", "false"]),
                    .init(name: "restore", arguments: ["1-a", "true"]),
                ])
            #expect(try await post("folder", "{}", port: port, token: token).status == 400)
            desk.fail(SiteEditError(.exists, "<b>"))
            let refused = try await post("move", "{\"path\":\"a\",\"to\":\"b\"}", port: port, token: token)
            #expect(refused.status == 409 && refused.body.contains("\"kind\":\"exists\""))
        }
    }

    @Test func anUploadArrivesAsItIs() async throws {
        try await withViewer(rooms: ViewerRooms(site: desk)) { port in
            let token = try await token(port)
            let big = String(repeating: "0123456789abcdef", count: 40_000)
            let answer = try await upload("path=a%2Fb.bin", big, port: port, token: token)
            #expect(answer.status == 200 && answer.body.contains("\"size\":640000"))
            #expect(desk.state.withLock { $0.files["a/b.bin"] } == big)
            _ = try await upload("path=empty&replace=1", "", port: port, token: token)
            _ = try await upload("path=edited&stamp=x-y", "z", port: port, token: token)
            #expect(
                desk.calls.map { $0.arguments.last } == [
                    "\(UploadCondition.free)", "\(UploadCondition.replacing)",
                    "\(UploadCondition.unchanged(stamp: "x-y"))",
                ])
        }
    }

    @Test func anUploadIsGuardedAsEveryChange() async throws {
        try await withViewer(rooms: ViewerRooms(site: desk)) { port in
            let token = try await token(port)
            #expect(try await upload("path=a", "x", port: port, token: nil).status == 403)
            #expect(
                try await upload("path=a", "x", port: port, token: token, fields: ["Origin: http://evil.example"])
                    .status
                    == 403)
            #expect(
                try await upload("path=a", "x", port: port, token: token, fields: ["Sec-Fetch-Site: cross-site"]).status
                    == 403)
            for type in ["text/plain", "multipart/form-data", "application/x-www-form-urlencoded", "application/json"] {
                #expect(try await upload("path=a", "x", port: port, token: token, type: type).status == 400, "\(type)")
            }
            #expect(try await upload("", "x", port: port, token: token).status == 400)
            #expect(try await upload("path=%ff", "x", port: port, token: token).status == 400)
            #expect(
                try await upload("path=a", "x", port: port, token: token, length: "\(SiteEditor.maximumFileBytes + 1)")
                    .status == 413)
            // Of unknown length.
            let chunked = try await request(
                "/api/rooms/site/upload?path=a", method: "POST", port: port,
                fields: [
                    "Content-Type: application/octet-stream", "X-Goop-Token: \(token)", "Transfer-Encoding: chunked",
                ], body: "1\r\nx\r\n0\r\n\r\n")
            #expect(chunked.status == 413)
            let host = "Host: \(PrivateKey.generate().peerID.base36).localhost:\(port)"
            #expect(try await upload("path=a", "x", port: port, token: token, fields: [host]).status != 200)
            #expect(desk.calls == [] && desk.state.withLock { $0.files.isEmpty })
        }
    }

    /// A browser that is still sending sees the answer only when all of it was taken.
    @Test func aFullDiskIsToldWhenTheWholeBodyWasRead() async throws {
        try await withViewer(rooms: ViewerRooms(site: desk)) { port in
            let token = try await token(port)
            let big = String(repeating: "x", count: 1 << 20)
            desk.fail(SiteEditError(.full, "a"), after: 300_000)
            let late = try await upload("path=a", big, port: port, token: token)
            #expect(late.status == 507 && late.body.contains("the disk is full"))
            desk.fail(SiteEditError(.full, "a"))
            let early = try await upload("path=a", big, port: port, token: token)
            #expect(early.status == 507 && early.body.contains("\"kind\":\"full\""))
            #expect(desk.state.withLock { $0.files.isEmpty })
        }
    }

    @Test func codesAreImagesOfTheViewer() async throws {
        try await withViewer { port in
            let code = try await request("/api/rooms/qr.svg?text=http%3A%2F%2F127.0.0.1%3A8080%2F", port: port)
            #expect(code.status == 200 && code["content-type"] == "image/svg+xml" && code.body.hasPrefix("<svg"))
            #expect(code["content-security-policy"]?.contains("default-src 'none'") == true)
            let long = String(repeating: "x", count: QRCode.maximumBytes + 1)
            #expect(try await request("/api/rooms/qr.svg?text=\(long)", port: port).status == 400)
            #expect(
                try await request("/api/rooms/qr.svg?text=x", port: port, fields: ["Sec-Fetch-Site: cross-site"]).status
                    == 403)
        }
    }

    @Test func aClosedRoomSaysSo() async throws {
        try await withViewer { port in
            let token = try await token(port)
            #expect(try await request("/api/rooms/site", port: port).status == 404)
            #expect(try await post("delete", "{\"path\":\"a\"}", port: port, token: token).status == 404)
            #expect(try await upload("path=a", "x", port: port, token: token).status == 404)
        }
    }
}
