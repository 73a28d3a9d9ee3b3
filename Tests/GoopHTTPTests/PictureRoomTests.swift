import GoopCore
import PeerIdentity
import Synchronization
import Testing

@testable import GoopHTTP

/// `/api/avatar`: who gets a picture, as what, and who may change the owner's.
@Suite("Pictures", .timeLimit(.minutes(1))) struct PictureRoomTests {
    private final class FakeDesk: PictureDesk {
        let own = Mutex<Avatar?>(nil)
        let fault = Mutex<PictureDeskError?>(nil)
        let peers: [PeerID: Avatar]

        init(_ peers: [PeerID: Avatar] = [:]) { self.peers = peers }

        func ownPicture() async -> Avatar? { own.withLock { $0 } }
        func picture(of peer: PeerID) async -> Avatar? { peers[peer] }

        func set(_ avatar: Avatar) async throws(PictureDeskError) {
            if let fault = fault.withLock({ $0 }) { throw fault }
            own.withLock { $0 = avatar }
        }

        func remove() async throws(PictureDeskError) {
            if let fault = fault.withLock({ $0 }) { throw fault }
            own.withLock { $0 = nil }
        }
    }

    /// All of it is ASCII, so that it passes through texts as it is.
    private static let gif = "GIF89a\u{1}\0\u{1}\0\0\0\0;"
    private let peer = PrivateKey.generate().peerID

    private func token(_ port: Int) async throws -> String {
        let page = try await request("/settings", port: port).body
        let start = try #require(page.firstRange(of: "name=\"goop-token\" content=\"")).upperBound
        return String(page[start...].prefix(64))
    }

    private func post(
        _ path: String, _ body: String, port: Int, token: String?, type: String = "application/octet-stream",
        fields: [String] = [], length: Int? = nil
    ) async throws -> RawAnswer {
        try await request(
            path, method: "POST", port: port,
            fields: ["Content-Type: \(type)", "Content-Length: \(length ?? body.utf8.count)"]
                + (token.map { ["X-Goop-Token: \($0)"] } ?? []) + fields, body: body)
    }

    @Test func aPictureIsWhatItsBytesSayAndNoDocument() async throws {
        let avatar = try Avatar(Array(Self.gif.utf8))
        let desk = FakeDesk([peer: avatar])
        try await withViewer(rooms: ViewerRooms(pictures: desk)) { port in
            let answer = try await request("/api/avatar/peer/\(peer)?v=x", port: port)
            #expect(answer.status == 200 && answer.body == Self.gif)
            #expect(answer["content-type"] == "image/gif" && answer["etag"] == "\"\(avatar.hash)\"")
            #expect(answer["x-content-type-options"] == "nosniff")
            #expect(answer["cross-origin-resource-policy"] == "same-origin")
            #expect(answer["content-security-policy"]?.hasPrefix("default-src 'none'; sandbox;") == true)
            #expect(answer["cache-control"] == "no-store")
            let again = try await request(
                "/api/avatar/peer/\(peer)", port: port, fields: ["If-None-Match: \"\(avatar.hash)\""])
            #expect(again.status == 304 && again.body.isEmpty)
            #expect(try await request("/api/avatar", port: port).status == 404)
            #expect(try await request("/api/avatar/peer/\(PrivateKey.generate().peerID)", port: port).status == 404)
            for path in ["/api/avatar/peer/", "/api/avatar/peer/x", "/api/avatar/peer/\(peer)/x"] {
                #expect(try await request(path, port: port).status == 400, "\(path)")
            }
            #expect(try await request("/api/avatar/other", port: port).status == 404)
        }
    }

    @Test func onlyTheViewersPagesGetOne() async throws {
        let avatar = try Avatar(Array(Self.gif.utf8))
        let desk = FakeDesk([peer: avatar])
        desk.own.withLock { $0 = avatar }
        try await withViewer(rooms: ViewerRooms(pictures: desk)) { port in
            for path in ["/api/avatar", "/api/avatar/peer/\(peer)"] {
                #expect(try await request(path, port: port).status == 200)
                for fields in [["Sec-Fetch-Site: cross-site"], ["Origin: null"], ["Origin: http://evil.example"]] {
                    #expect(try await request(path, port: port, fields: fields).status == 403, "\(fields)")
                }
                let host = "Host: \(peer.base36).localhost:\(port)"
                let answer = try await request(path, port: port, fields: [host])
                #expect(answer.status != 200 && !answer.body.contains("GIF"))
            }
        }
    }

    @Test func theOwnersPictureIsChangedWithTheTokenOnly() async throws {
        let desk = FakeDesk()
        try await withViewer(rooms: ViewerRooms(pictures: desk)) { port in
            let token = try await token(port)
            let upload = "/api/avatar/upload"
            #expect(try await post(upload, Self.gif, port: port, token: nil).status == 403)
            let foreign = ["Sec-Fetch-Site: cross-site"]
            #expect(try await post(upload, Self.gif, port: port, token: token, fields: foreign).status == 403)
            #expect(try await post(upload, Self.gif, port: port, token: token, type: "image/gif").status == 400)
            #expect(desk.own.withLock { $0 } == nil)
            let avatar = try Avatar(Array(Self.gif.utf8))
            let answer = try await post(upload, Self.gif, port: port, token: token)
            #expect(answer.status == 200 && answer.body == #"{"ok":true,"hash":"\#(avatar.hash)"}"#)
            #expect(desk.own.withLock { $0 } == avatar)

            for body in ["<svg xmlns='http://www.w3.org/2000/svg'/>", "<!doctype html>", "", "x"] {
                let refused = try await post(upload, body, port: port, token: token)
                #expect(refused.status == 415 && refused.body.contains("PNG"), "\(body)")
            }
            let large = try await post(upload, "", port: port, token: token, length: Avatar.maximumOwnBytes + 1)
            #expect(large.status == 413)
            #expect(desk.own.withLock { $0 } == avatar)

            let delete = "/api/avatar/delete"
            #expect(try await post(delete, "{}", port: port, token: nil, type: "application/json").status == 403)
            #expect(desk.own.withLock { $0 } == avatar)
            desk.fault.withLock { $0 = PictureDeskError(message: "no disk") }
            let failed = try await post(delete, "{}", port: port, token: token, type: "application/json")
            #expect(failed.status == 500 && failed.body.contains("no disk"))
            desk.fault.withLock { $0 = nil }
            let removed = try await post(delete, "{}", port: port, token: token, type: "application/json")
            #expect(removed.status == 200 && desk.own.withLock { $0 } == nil)
        }
    }

    @Test func withNothingBehindItThereIsNone() async throws {
        try await withViewer { port in
            for path in ["/api/avatar", "/api/avatar/peer/\(peer)"] {
                let answer = try await request(path, port: port)
                #expect(answer.status == 404, "\(path)")
            }
        }
    }

    @Test func thePageLearnsOfPicturesThatCanBe() {
        var entry = PeerEntry.sample(peer)
        #expect(ViewerPeer(entry).picture == nil)
        entry.avatarHash = "0123456789abcdef"
        #expect(ViewerPeer(entry).picture == "0123456789abcdef")
        entry.isMuted = true
        #expect(ViewerPeer(entry).picture == nil)
        entry.isMuted = false
        entry.avatarHash = "\"><script>"
        #expect(ViewerPeer(entry).picture == nil)
    }
}
