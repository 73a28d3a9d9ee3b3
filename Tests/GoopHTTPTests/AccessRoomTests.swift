import GoopCore
import HTTPTypes
import Logging
import PeerIdentity
import Synchronization
import Testing

@testable import GoopHTTP

/// Who may see the site, who does, and the next run: routes of the viewer's own pages.
@Suite("Access", .timeLimit(.minutes(1))) struct AccessRoomTests {
    private final class FakeAccess: SiteAccess {
        let decisions = Mutex<[AudienceDecision]>([])
        let guest = PrivateKey.generate().peerID
        let isStored = Mutex(true)
        private let listeners = Mutex<[AsyncStream<Void>.Continuation]>([])

        func audience() async -> AudienceSheet { AudienceSheet(name: .named, guests: [guest]) }

        func decide(_ decision: AudienceDecision) async throws(AudienceError) -> AudienceSheet {
            decisions.withLock { $0.append(decision) }
            for listener in listeners.withLock({ $0 }) { listener.yield() }
            guard isStored.withLock({ $0 }) else { throw AudienceError(message: "the disk is full", isStored: false) }
            if case .revoke(let peers) = decision, !peers.contains(guest) {
                throw AudienceError(message: "nobody of that id is named")
            }
            return await audience()
        }

        func visitors() async -> [Visitor] {
            var table = VisitorTable()
            _ = table.began(.file, by: guest, now: 5)
            table.asked("/<b>.html", by: guest)
            return table.all(now: 6)
        }

        func known(_ peer: PeerID) async -> KnownPeer? { KnownPeer(id: peer, label: "<i>", petname: "Ann") }

        func changes() async -> AsyncStream<Void> {
            let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
            listeners.withLock { $0.append(continuation) }
            return stream
        }
    }

    private final class FakeRestarter: Restarter {
        let run = "run1"
        let isBroken = Mutex(false)
        let (restarts, begun) = AsyncStream.makeStream(of: Void.self)

        func check() async throws(ConfigurationError) {
            if isBroken.withLock({ $0 }) {
                throw ConfigurationError(problems: [.init(key: "p2p.x", cause: "is wrong", nextStep: "mend it")])
            }
        }

        func restart() { begun.yield() }
    }

    private let access = FakeAccess()
    private let restarter = FakeRestarter()
    private let peer = PrivateKey.generate().peerID

    private func token(_ port: Int) async throws -> String {
        let page = try await request("/settings", port: port).body
        let start = try #require(page.firstRange(of: "name=\"goop-token\" content=\"")).upperBound
        return String(page[start...].prefix(64))
    }

    private func post(_ path: String, _ body: String, port: Int, token: String?) async throws -> RawAnswer {
        try await request(
            "/api/rooms/" + path, method: "POST", port: port,
            fields: ["Content-Type: application/json", "Content-Length: \(body.utf8.count)"]
                + (token.map { ["X-Goop-Token: \($0)"] } ?? []), body: body)
    }

    @Test func decisionsOfTheOwnersPagesReachTheDoorAndNoOthers() async throws {
        try await withViewer(rooms: ViewerRooms(access: access)) { port in
            let token = try await token(port)
            #expect(try await post("site/audience", #"{"audience":"everyone"}"#, port: port, token: nil).status == 403)
            #expect(access.decisions.withLock { $0.isEmpty })
            for body in [
                #"{"audience":"everyone"}"#, #"{"audience":"named"}"#, "{\"only\":[\"\(peer)\",\"\(peer)\"]}",
                "{\"allow\":[\"\(peer)\"]}", "{\"revoke\":[\"\(access.guest)\"]}",
            ] {
                let answer = try await post("site/audience", body, port: port, token: token)
                #expect(answer.status == 200 && answer.body.contains("\"audience\":\"named\""), "\(body)")
                #expect(answer.body.contains(access.guest.base58) && answer.body.contains("\"petname\":\"Ann\""))
            }
            #expect(
                access.decisions.withLock { $0 } == [
                    .everyone, .named, .only([peer, peer]), .allow([peer]), .revoke([access.guest]),
                ])
            for bad in ["{}", "[]", #"{"only":["Bob"]}"#, #"{"only":[7]}"#, "{\"revoke\":[\"\(peer)\"]}"] {
                #expect(try await post("site/audience", bad, port: port, token: token).status == 400, "\(bad)")
            }
            access.isStored.withLock { $0 = false }
            let answer = try await post("site/audience", #"{"audience":"named"}"#, port: port, token: token)
            #expect(answer.status == 500 && answer.body.contains("the disk is full"))
        }
    }

    /// Nobody is named by a slip of the pen; who was, is taken off the list.
    @Test func anIdThatNobodyCanHaveIsNotNamed() async throws {
        try await withViewer(rooms: ViewerRooms(access: access)) { port in
            let token = try await token(port)
            for slip in [#"{"only":["12D3KooWrong"]}"#, "{\"allow\":[\"\(peer)\",\"12D3KooWrong\"]}"] {
                let answer = try await post("site/audience", slip, port: port, token: token)
                #expect(answer.status == 400 && answer.body.contains("nobody can have that id"), "\(slip)")
            }
            #expect(access.decisions.withLock { $0.isEmpty })
            _ = try await post("site/audience", #"{"revoke":["12D3KooWrong"]}"#, port: port, token: token)
            let named = try PeerID(text: "12D3KooWrong")
            #expect(access.decisions.withLock { $0 } == [.revoke([named])])
        }
    }

    @Test func onlyTheViewersPagesSeeWhoVisits() async throws {
        try await withViewer(rooms: ViewerRooms(access: access)) { port in
            let list = try await request("/api/rooms/site/visitors", port: port)
            #expect(
                list.status == 200 && list.body.contains(access.guest.base58) && list.body.contains("\"here\":true"))
            for path in ["site/audience", "site/visitors", "site/events", "restart"] {
                for fields in [["Sec-Fetch-Site: cross-site"], ["Origin: null"], ["Origin: http://evil.example"]] {
                    #expect(
                        try await request("/api/rooms/" + path, port: port, fields: fields).status == 403, "\(path)")
                }
                let host = "Host: \(peer.base36).localhost:\(port)"
                #expect(try await request("/api/rooms/" + path, port: port, fields: [host]).status != 200, "\(path)")
            }
        }
    }

    @Test func theNextRunIsAskedForWithTheTokenOnly() async throws {
        try await withViewer(rooms: ViewerRooms(restarter: restarter)) { port in
            let token = try await token(port)
            #expect(try await request("/api/rooms/restart", port: port).body == #"{"run":"run1"}"#)
            #expect(try await post("restart", "{}", port: port, token: nil).status == 403)
            restarter.isBroken.withLock { $0 = true }
            let answer = try await post("restart", "{}", port: port, token: token)
            #expect(answer.status == 400 && answer.body.contains("p2p.x") && answer.body.contains("mend it"))
            #expect(answer.body.contains(#""code":"bad_request""#))
            restarter.isBroken.withLock { $0 = false }
            #expect(try await post("restart", "{}", port: port, token: token).body == #"{"run":"run1"}"#)
        }
        restarter.begun.finish()
        var count = 0
        for await _ in restarter.restarts { count += 1 }
        #expect(count == 1)
    }

    @Test(arguments: 0..<20) func theAnswerToARestartIsOutBeforeTheRunEnds(_: Int) async throws {
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let server = ViewerServer(
            configuration: ViewerConfiguration(address: .port(0)) { listening.yield($0.port) }, backend: FakeBackend(),
            rooms: ViewerRooms(restarter: restarter), logger: Logger(label: "test"))
        let running = Task {
            defer { listening.finish() }
            try await server.run()
        }
        let ending = Task { [restarter] in
            for await _ in restarter.restarts {
                running.cancel()
                return
            }
        }
        var iterator = ports.makeAsyncIterator()
        let port = try #require(await iterator.next())
        let answer = try await post("restart", "{}", port: port, token: try await token(port))
        #expect(answer.status == 200 && answer.body == #"{"run":"run1"}"#)
        await ending.value
        try await running.value
    }

    @Test func aVisitorWhoIsNotNamedIsToldWhatToDo() {
        let notice = NoticePage(SiteError(kind: .notInvited), peer: peer, who: "<Ann>", address: "/p/\(peer)/")
        let text = notice.document(style: "", nonce: "n", theme: .auto).markup
        #expect(notice.status == .forbidden && text.contains("certain people only") && text.contains("&lt;Ann"))
        #expect(text.contains("Try again") && !text.contains("<Ann>"))
        #expect(text.contains("<main data-code=\"403\">") && !text.contains("Code 403"))
        #expect(DataError(SiteError(kind: .notInvited)).code == .refused)
    }

    /// What the system keeps from the owner's program is no rule of the site, and the way there is not the way out.
    @Test func anOwnFileThatCannotBeReadIsCalledThat() {
        var error = SiteError(kind: .forbidden)
        let front = "/p/\(peer)/"
        func ways(_ address: String) -> [String] {
            NoticePage(error, peer: peer, who: nil, address: address).actions.map(\.address)
        }
        #expect(ways(front + "a.html") == [front, "/"])
        #expect(ways(front) == [front, "/"] && ways(front + "?q") == [front + "?q", "/"])
        let texts = NoticePage(error, peer: peer, who: nil, address: front).actions.map(\.text)
        #expect(texts == ["Try again", "Back to People"])
        error.isUnreadable = true
        let notice = NoticePage(error, peer: peer, who: nil, address: front)
        #expect(notice.status == .internalServerError && notice.explanation.contains("chmod -R u+rX"))
        #expect(ways(front) == [front, "/site", "/"])
    }

    @Test func aRefusalIsNotRemembered() {
        let memory = FailureMemory(lifetime: .seconds(9))
        memory.record(SiteError(kind: .notInvited), of: peer, asked: .now, now: .now)
        #expect(memory.failure(of: peer, now: .now) == nil, "whoever is named a moment later is let in")
    }
}
