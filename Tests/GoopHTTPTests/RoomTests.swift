import GoopCore
import PeerIdentity
import Synchronization
import Testing

@testable import GoopHTTP

/// The routes of the rooms: who may ask, and what they answer.
@Suite("Rooms", .timeLimit(.minutes(1))) struct RoomTests {
    private final class FakeBook: PeerBook {
        let decisions = Mutex<[PeerID: [PeerDecision]]>([:])
        let blocked = KnownPeer(id: PrivateKey.generate().peerID, label: "<b>", standing: .blocked)

        /// Blocked by an id that nobody can have.
        let slip = Mutex<PeerID?>(nil)

        func known() async -> [KnownPeer] {
            [
                KnownPeer(id: PrivateKey.generate().peerID, label: "seen"), blocked,
                KnownPeer(id: PrivateKey.generate().peerID, label: "ann1970", petname: "Ann"),
            ] + slip.withLock { $0.map { [KnownPeer(id: $0, standing: .blocked)] } ?? [] }
        }

        func decide(_ decision: PeerDecision, about peer: PeerID) async throws(PeerBookError) -> KnownPeer {
            if decision == .petname("bad") { throw PeerBookError(message: "no such name") }
            decisions.withLock { $0[peer, default: []].append(decision) }
            return KnownPeer(id: peer, isFavorite: decision == .favorite(true))
        }

        func latencies() async -> [PeerID: Double] { [blocked.id: 1.25] }
    }

    private let book = FakeBook()
    private let peer = PrivateKey.generate().peerID

    private func token(_ port: Int) async throws -> String {
        let page = try await request("/settings", port: port).body
        let start = try #require(page.firstRange(of: "name=\"goop-token\" content=\"")).upperBound
        return String(page[start...].prefix(64))
    }

    private func decide(
        _ body: String, port: Int, token: String?, fields: [String] = []
    ) async throws -> RawAnswer {
        try await request(
            "/api/rooms/peers/decide", method: "POST", port: port,
            fields: ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"]
                + (token.map { ["X-Goop-Token: \($0)"] } ?? []) + fields, body: body)
    }

    @Test func decisionsReachTheBookWithTheTokenOnly() async throws {
        try await withViewer(rooms: ViewerRooms(book: book)) { port in
            let token = try await token(port)
            let favorite = "{\"id\":\"\(peer)\",\"favorite\":true}"
            #expect(try await decide(favorite, port: port, token: nil).status == 403)
            #expect(
                try await decide(favorite, port: port, token: token, fields: ["Sec-Fetch-Site: cross-site"]).status
                    == 403)
            #expect(book.decisions.withLock { $0.isEmpty })
            let answer = try await decide(favorite, port: port, token: token)
            #expect(answer.status == 200 && answer.body.contains("\"favorite\":true"))
            _ = try await decide("{\"id\":\"\(peer)\",\"standing\":\"blocked\"}", port: port, token: token)
            _ = try await decide("{\"id\":\"\(peer)\",\"petname\":\"Ann\"}", port: port, token: token)
            #expect(
                book.decisions.withLock { $0[peer] } == [.favorite(true), .standing(.blocked), .petname("Ann")])
            for bad in ["[]", "{", "{\"id\":\"x\",\"favorite\":true}", "{\"id\":\"\(peer)\",\"standing\":\"friend\"}"] {
                #expect(try await decide(bad, port: port, token: token).status == 400, "\(bad)")
            }
            let refused = try await decide("{\"id\":\"\(peer)\",\"petname\":\"bad\"}", port: port, token: token)
            #expect(refused.status == 400 && refused.body.contains("no such name"))
        }
    }

    /// A slip of the pen blocks nobody, and says so; whom one has blocked is let go.
    @Test func nobodyIsDecidedAboutByASlip() async throws {
        try await withViewer(rooms: ViewerRooms(book: book)) { port in
            let token = try await token(port)
            let block = #"{"id":"12D3KooWrong","standing":"blocked"}"#
            let answer = try await decide(block, port: port, token: token)
            #expect(answer.status == 400 && answer.body.contains("nobody can have this id"))
            #expect(book.decisions.withLock { $0.isEmpty })
            let slip = try PeerID(text: "12D3KooWronh")
            book.slip.withLock { $0 = slip }
            _ = try await decide(#"{"id":"12D3KooWronh","standing":"ordinary"}"#, port: port, token: token)
            #expect(book.decisions.withLock { $0 } == [slip: [.standing(.ordinary)]])
        }
    }

    @Test func onlyTheViewersPagesReadThem() async throws {
        try await withViewer(rooms: ViewerRooms(book: book)) { port in
            let list = try await request("/api/rooms/peers", port: port)
            #expect(list.status == 200 && list.body.contains(book.blocked.id.base58) && !list.body.contains("seen"))
            #expect(list.body.contains(#""petname":"Ann""#))
            let latency = try await request("/api/rooms/peers/latency", port: port)
            #expect(latency.body.contains("1.25"))
            for fields in [["Sec-Fetch-Site: cross-site"], ["Origin: null"], ["Origin: http://evil.example"]] {
                #expect(try await request("/api/rooms/peers", port: port, fields: fields).status == 403)
            }
            let host = "Host: \(peer.base36).localhost:\(port)"
            #expect(try await request("/api/rooms/peers", port: port, fields: [host]).status != 200)
        }
    }

    @Test func aRoomWithNothingBehindItSaysSo() async throws {
        try await withViewer { port in
            for path in [
                "peers", "peers/latency", "settings", "network", "network/log", "site/audience", "site/visitors",
                "site/events", "restart",
            ] {
                #expect(try await request("/api/rooms/\(path)", port: port).status == 404, "\(path)")
            }
            for path in ["/settings", "/network", "/help"] {
                let page = try await request(path, port: port)
                #expect(page.status == 200 && page["cache-control"] == "no-store", "\(path)")
                #expect(page.body.contains("aria-current=\"page\""))
                #expect(!page.body.contains("{{"), "\(path)")
            }
        }
    }
}
