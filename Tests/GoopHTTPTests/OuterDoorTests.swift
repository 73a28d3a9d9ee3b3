import Foundation
import GoopCore
import HTTPTypes
import Logging
import Multiformats
import NIOCore
import PeerIdentity
import Synchronization
import Testing

@testable import GoopHTTP

private let password = Secret("four words to keep")

/// As cheap as is accepted.
private func hash(of password: Secret) throws -> PasswordHash {
    let cost = PasswordHash.Cost(logarithm: 12, blockSize: 8, passes: 1)
    return try #require(PasswordHash(of: password, salt: [UInt8](repeating: 7, count: 16), cost: cost))
}

/// A viewer whose outer door listens on loopback behind a proxy, which these tests are.
private func withOuterDoor(
    _ backend: FakeBackend = FakeBackend(), rooms: ViewerRooms = ViewerRooms(),
    proxies: String = "127.0.0.1, 10.0.0.0/8",
    configure: (inout OuterDoorConfiguration) -> Void = { _ in },
    viewer: (inout ViewerConfiguration) -> Void = { _ in },
    _ body: @Sendable (_ inner: Int, _ outer: Int) async throws -> Void
) async throws {
    let hash = try hash(of: password)
    var outer = OuterDoorConfiguration(
        access: OuterAccess(
            address: OuterAddress(ip: IPAddress("127.0.0.1"), port: 0), password: password,
            proxies: proxies.split(separator: ",").compactMap { IPPrefix($0.filter { $0 != " " }) },
            names: ["me.example", "other.example:8443"].compactMap { ViewerName($0) }),
        password: hash)
    configure(&outer)
    try await withViewerEndpoint(
        backend, rooms: rooms,
        configure: {
            $0.outer = outer
            viewer(&$0)
        }
    ) { endpoint in
        try await body(endpoint.port, try #require(endpoint.outerPort))
    }
}

private let encrypted = ["Host: me.example", "X-Forwarded-Proto: https"]

private func signIn(
    _ port: Int, _ tried: String = "four+words+to+keep", next: String = "", fields: [String] = [],
    origin: String = "https://me.example"
) async throws -> RawAnswer {
    let body = "password=\(tried)&next=\(next)"
    return try await request(
        "/api/login", method: "POST", port: port,
        fields: encrypted + fields + [
            "Origin: \(origin)", "Content-Type: application/x-www-form-urlencoded",
            "Content-Length: \(body.utf8.count)",
        ], body: body)
}

private func cookie(_ port: Int) async throws -> String {
    let answer = try await signIn(port)
    #expect(answer.status == 303)
    let field = try #require(answer["set-cookie"])
    #expect(field.contains("; Path=/; Secure; HttpOnly; SameSite=Strict") && !field.contains("Domain"))
    return "Cookie: " + field.prefix { $0 != ";" }
}

private func token(_ page: String) throws -> String {
    let mark = try #require(page.range(of: "goop-token\" content=\""))
    return String(page[mark.upperBound...].prefix { $0 != "\"" })
}

@Suite("Outer door", .timeLimit(.minutes(1))) struct OuterDoorTests {
    /// Not once for each: four names would else have four times what one may.
    @Test func everyNameOfEveryDoorCountsToTheSameLimits() async throws {
        let backend = FakeBackend()
        try await withOuterDoor(backend, viewer: { $0.maximumEventStreams = 4 }) { inner, outer in
            let cookie = try await cookie(outer)
            let path = "/api/p/\(backend.owner.id)/watch"
            let here = ["Host: 127.0.0.1:\(inner)"]
            let there = encrypted + [cookie]
            let elsewhere = ["Host: other.example:8443", "X-Forwarded-Proto: https", cookie]
            @Sendable func ask(_ connection: RawConnection, _ fields: [String]) async throws {
                try await connection.send("GET \(path) HTTP/1.1\r\n\(fields.joined(separator: "\r\n"))\r\n\r\n")
            }
            // Two pages may watch one site: one does on loopback, one at a name of the outer door.
            try await RawConnection.open(port: inner) { first in
                try await ask(first, here)
                _ = try await first.read(until: "event: ready\n")
                try await RawConnection.open(port: outer) { second in
                    try await ask(second, there)
                    _ = try await second.read(until: "event: ready\n")
                    for (port, fields) in [(inner, here), (outer, there), (outer, elsewhere)] {
                        try await RawConnection.open(port: port) { third in
                            try await ask(third, fields)
                            let answer = try await third.read(until: "\r\n\r\n")
                            #expect(answer.hasPrefix("HTTP/1.1 503"), "\(fields): \(answer)")
                        }
                    }
                }
            }
        }
    }

    @Test func onlyTheLoginPageTheSDKAndHealthNeedNoSession() async throws {
        let backend = FakeBackend()
        try await withOuterDoor(backend) { _, port in
            let id = "\(backend.owner.id)"
            let rooms = RoomPage.all.map(\.path)
            for path in rooms + [
                "/nothing", "/peers", "/self", "/api/self", "/api/peers", "/api/events",
                "/api/mq/events", "/readyz", "/assets/viewer.js", "/assets/session.js", "/p/\(id)/",
                "/api/rooms/settings", "/api/rooms/peers", "/api/rooms/peers/latency", "/api/rooms/network",
                "/api/rooms/network/log", "/api/rooms/site", "/api/rooms/site/text?path=index.html",
                "/api/rooms/site/audience", "/api/rooms/site/visitors", "/api/rooms/site/events",
                "/api/rooms/qr.svg?text=a",
                "/api/rooms/data/tables", "/api/rooms/data/visitors", "/api/rooms/data/export?table=t",
                "/api/rooms/restart", "/api/data/describe?table=t", "/api/shell/site?peer=\(id)",
                "/api/p/\(id)/watch", "/api/p/\(id)/data/subscribe?table=t", "/sdk", "/sdk/../api/self",
                "/sdk/%2e%2e/api/self", "//sdk/../api/self",
            ] {
                for extra in [
                    [], ["Cookie: __Host-goop="], ["Cookie: __Host-goop=" + String(repeating: "0", count: 64)],
                ] {
                    let answer = try await request(path, port: port, fields: encrypted + extra)
                    #expect(answer.status == 401 || path.contains("sdk/") && answer.status >= 400, "\(path)")
                    #expect(!answer.body.contains("Owner") && !answer.body.contains(id), "\(path)")
                }
                if path.contains("sdk/") { continue }
                let answer = try await request(
                    path, port: port, fields: encrypted + ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"])
                #expect(answer.status == 303 && answer["location"]?.hasPrefix("/login") == true, "\(path)")
            }
            for path in [
                "/api/rooms/settings/save", "/api/shell/capability", "/api/logout", "/api/p/\(id)/data/insert",
                "/api/rooms/restart", "/api/rooms/site/audience", "/api/rooms/\(SiteRoom.upload)?path=index.html",
                "/api/rooms/data/import?table=t", "/api/rooms/data/write", "/api/data/insert",
                "/api/rooms/peers/decide",
            ] {
                let answer = try await request(
                    path, method: "POST", port: port,
                    fields: encrypted + [
                        "Origin: https://me.example", "Content-Type: application/json", "Content-Length: 2",
                    ],
                    body: "{}")
                #expect(answer.status == 401, "\(path)")
            }
            for path in ["/login", "/healthz", "/sdk/goop-data.js"] {
                let answer = try await request(path, port: port, fields: encrypted)
                #expect(
                    answer.status == 200 && !answer.body.contains("o@example.org") && !answer.body.contains(id),
                    "\(path)")
            }
            #expect(backend.opened.isEmpty)
        }
    }

    @Test func thePasswordBeginsASessionAndSigningOutEndsIt() async throws {
        try await withOuterDoor { inner, port in
            let cookie = try await cookie(port)
            let page = try await request("/", port: port, fields: encrypted + [cookie])
            #expect(page.status == 200 && page.body.contains("id=\"sign-out\"") && page.body.contains("session.js"))
            #expect(!(try await request("/", port: inner)).body.contains("sign-out"))
            #expect(try await request("/api/self", port: port, fields: encrypted + [cookie]).body.contains("Owner"))
            // The cookie counts for nothing under another name or on loopback, and is needed on each connection.
            let withoutCookie = try await request("/api/self", port: port, fields: encrypted).status
            #expect(withoutCookie == 401)
            // Twice the name: which of them would be the right one?
            #expect(
                try await request("/api/self", port: port, fields: encrypted + [cookie + "; __Host-goop=x"]).status
                    == 401)

            let out = encrypted + [cookie, "Content-Type: application/json", "Content-Length: 2"]
            #expect(
                try await request("/api/logout", method: "POST", port: port, fields: out, body: "{}").status == 403)
            let innerToken = try token(try await request("/", port: inner).body)
            #expect(
                try await request(
                    "/api/logout", method: "POST", port: port, fields: out + ["X-Goop-Token: \(innerToken)"], body: "{}"
                ).status == 403)
            let answer = try await request(
                "/api/logout", method: "POST", port: port, fields: out + ["X-Goop-Token: \(try token(page.body))"],
                body: "{}")
            #expect(answer.status == 200 && answer["set-cookie"]?.contains("Max-Age=0") == true)
            let after = try await request("/api/self", port: port, fields: encrypted + [cookie]).status
            #expect(after == 401)
        }
    }

    @Test func signingOutEndsTheStreamsAndTheSecretPaths() async throws {
        let backend = FakeBackend()
        backend.set(.files(["/index.html": .init("<p>mine")]), of: backend.owner.id)
        try await withOuterDoor(backend) { _, port in
            let cookie = try await cookie(port)
            let token = try token(try await request("/", port: port, fields: encrypted + [cookie]).body)
            let post = encrypted + [cookie, "X-Goop-Token: \(token)", "Content-Type: application/json"]
            let wish = "{\"peer\":\"\(backend.owner.id)\"}"
            let given = try await request(
                "/api/shell/capability", method: "POST", port: port,
                fields: post + ["Content-Length: \(wish.utf8.count)"], body: wish)
            let prefix = try #require(given.body.split(separator: "\"").first { $0.contains("/c") })
                .replacing("\\/", with: "/")
            let site = "\(prefix)/p/\(backend.owner.id)/index.html"
            // A sandboxed page sends no cookie.
            let file = try await request(site, port: port, fields: encrypted)
            #expect(file.status == 200)
            #expect(file["content-security-policy"]?.contains("https://me.example/c/") == true)
            #expect(file["content-security-policy"]?.contains("allow-same-origin") == false)
            try await RawConnection.open(port: port) { stream in
                try await stream.send(
                    "GET /api/events HTTP/1.1\r\n" + (encrypted + [cookie]).joined(separator: "\r\n") + "\r\n\r\n")
                _ = try await stream.read(until: "snapshot")
                let out = try await request(
                    "/api/logout", method: "POST", port: port, fields: post + ["Content-Length: 2"], body: "{}")
                #expect(out.status == 200)
                // Ends, or this test's time limit does.
                _ = await stream.readToEnd()
            }
            let ended = try await request(site, port: port, fields: encrypted).status
            #expect(ended == 403)
        }
    }

    @Test func aNewPasswordSignsEverybodyElseOut() async throws {
        let lock = OuterLock(try hash(of: password))
        let desk = PasswordDesk(lock: lock, next: try hash(of: Secret("four other words")))
        try await withOuterDoor(
            rooms: ViewerRooms(settings: desk, access: QuietAccess()), configure: { $0.lock = lock }
        ) {
            _, port in
            let mine = try await cookie(port)
            let another = try await cookie(port)
            let token = try token(try await request("/", port: port, fields: encrypted + [mine]).body)
            try await RawConnection.open(port: port) { stream in
                try await stream.send(
                    "GET \(AccessEvents.path) HTTP/1.1\r\n" + (encrypted + [another]).joined(separator: "\r\n")
                        + "\r\n\r\n")
                _ = try await stream.read(until: "event: site")
                let body = #"{"changes":{"viewer.password":"four other words"}}"#
                let saved = try await request(
                    "/api/rooms/settings/save", method: "POST", port: port,
                    fields: encrypted + [
                        mine, "X-Goop-Token: \(token)", "Content-Type: application/json",
                        "Content-Length: \(body.utf8.count)",
                    ], body: body)
                #expect(saved.status == 200)
                // Ends, or this test's time limit does.
                _ = await stream.readToEnd()
            }
            #expect(try await request("/api/self", port: port, fields: encrypted + [another]).status == 401)
            #expect(try await request("/api/self", port: port, fields: encrypted + [mine]).status == 200)
            #expect(try await signIn(port).status == 403)
            #expect(try await signIn(port, "four+other+words").status == 303)
        }
    }

    @Test func shuttingTheDoorEndsAllButTheAnswerToWhoeverShutsIt() async throws {
        let lock = OuterLock(try hash(of: password))
        try await withOuterDoor(
            rooms: ViewerRooms(settings: ShuttingDesk(lock: lock), access: QuietAccess()), configure: { $0.lock = lock }
        ) { inner, port in
            let mine = try await cookie(port)
            let another = try await cookie(port)
            let token = try token(try await request("/", port: port, fields: encrypted + [mine]).body)
            let body = #"{"changes":{"viewer.password":null}}"#
            let save =
                encrypted + [
                    mine, "X-Goop-Token: \(token)", "Content-Type: application/json",
                    "Content-Length: \(body.utf8.count)",
                ]
            try await RawConnection.open(port: port) { stream in
                try await stream.send(
                    "GET \(AccessEvents.path) HTTP/1.1\r\n" + (encrypted + [another]).joined(separator: "\r\n")
                        + "\r\n\r\n")
                _ = try await stream.read(until: "event: site")
                try await RawConnection.open(port: port) { idle in
                    try await idle.send(
                        "GET /healthz HTTP/1.1\r\n" + encrypted.joined(separator: "\r\n") + "\r\n\r\n")
                    _ = try await idle.read(until: "ok")
                    // Without "Connection: close": that is for the door to decide.
                    let saved = try await RawConnection.open(port: port) { connection in
                        let lines = ["POST /api/rooms/settings/save HTTP/1.1"] + save
                        try await connection.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
                        return RawAnswer(await connection.readToEnd())
                    }
                    #expect(saved.status == 200 && saved.body.contains(#""door":"shut""#))
                    // Both end, or this test's time limit does.
                    _ = await stream.readToEnd()
                    _ = await idle.readToEnd()
                }
            }
            // The system may still take a connection that nobody serves, until the socket is closed.
            while let answer = try? await request("/login", port: port, fields: encrypted) {
                #expect(answer.status != 200)
            }
            #expect(try await request("/api/self", port: inner).status == 200)
        }
    }

    @Test func whoeverIsConnectedWhenTheDoorShutsIsToldAndNotLetIn() async throws {
        let lock = OuterLock(try hash(of: password))
        let sessions = SessionTable()
        let desk = LoginDesk(lock: lock, sessions: sessions)
        guard case .right(let secret) = await desk.compare(password, from: nil, now: .now) else {
            Issue.record("the right password")
            return
        }
        let connection = SessionTable.Connection(id: ObjectIdentifier(desk)) {}
        #expect(sessions.enter(secret, on: connection, now: .now) != nil)
        let count = Counter()
        lock.onShut { sessions.closeAll() }
        lock.onShut { count.add() }
        lock.shut()
        lock.shut()
        #expect(count.value == 1 && lock.isShut)
        lock.onShut { count.add() }
        #expect(count.value == 2, "at once")
        #expect(sessions.enter(secret, on: connection, now: .now) == nil)
        // A password that was being compared at that moment opens nothing.
        #expect(await desk.compare(password, from: nil, now: .now) == .wrong)
        #expect(Refusal.doorShut.status.code == 503)
    }

    @Test func anotherWebsiteCanNeitherSignInNorBeLedTo() async throws {
        try await withOuterDoor { _, port in
            for origin in ["https://evil.example", "null", "http://me.example", "https://me.example:444"] {
                let answer = try await signIn(port, origin: origin)
                #expect(answer.status == 403 && answer["set-cookie"] == nil, "\(origin)")
            }
            let crossSite = try await signIn(port, fields: ["Sec-Fetch-Site: cross-site"])
            #expect(crossSite.status == 403)
            for next in [
                "//evil.example/", "https://evil.example/", "/\\evil.example", "%2F%2Fevil.example", "/api/peers",
            ] {
                let answer = try await signIn(port, next: next)
                #expect(answer["location"] == "/", "\(next)")
            }
            let deep = try await signIn(port, next: "/p/abc/x%3Fa%3Db")
            #expect(deep["location"] == "/p/abc/x?a=b")
        }
    }

    @Test func theLoginPageRunsNothingAndIsNotFramed() async throws {
        try await withOuterDoor { _, port in
            let page = try await request("/login?next=%2F%22%3E%3Cscript%3E", port: port, fields: encrypted)
            #expect(!page.body.contains("<script"))
            let policy = try #require(page["content-security-policy"])
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(!policy.contains("script-src") && page["cache-control"] == "no-store")
            // With "no-referrer" a browser would send "Origin: null" with the form, which is refused.
            #expect(page["referrer-policy"] == "same-origin")
        }
    }

    @Test func wrongPasswordsAreCounted() async throws {
        try await withOuterDoor { _, port in
            let from = ["X-Forwarded-For: 203.0.113.7"]
            for _ in 0..<5 {
                let wrong = try await signIn(port, "wrong", fields: from).status
                #expect(wrong == 403)
            }
            let late = try await signIn(port, fields: from)
            #expect(late.status == 429 && late["set-cookie"] == nil)
            #expect(Int(late["retry-after"] ?? "").map { (1...61).contains($0) } == true)
            let elsewhere = try await signIn(port, fields: ["X-Forwarded-For: 203.0.113.8"]).status
            #expect(elsewhere == 303)
            // What the browser itself wrote stands in front of what the proxy adds, and counts for nothing.
            let forged = try await signIn(port, fields: ["X-Forwarded-For: 198.51.100.1, 203.0.113.7, 10.0.0.3"]).status
            #expect(forged == 429)
        }
    }

    @Test func onlyTheProxyIsAnsweredAndOnlyByHTTPS() async throws {
        try await withOuterDoor { _, port in
            for path in ["/healthz", "/login", "/", "/sdk/goop-data.js"] {
                let bare = try await request(path, port: port, fields: ["Host: me.example"]).status
                #expect(bare == 403, "\(path)")
                for proto in ["http", "https, http", "HTTPSS"] {
                    let fields = ["Host: me.example", "X-Forwarded-Proto: \(proto)"]
                    let notEncrypted = try await request(path, port: port, fields: fields).status
                    #expect(notEncrypted == 403, "\(path) \(proto)")
                }
                let twice = encrypted + ["X-Forwarded-Proto: https"]
                let doubled = try await request(path, port: port, fields: twice).status
                #expect(doubled == 403, "\(path)")
            }
            let right = try await request("/healthz", port: port, fields: encrypted).status
            #expect(right == 200)
        }
        try await withOuterDoor(proxies: "127.0.0.9") { _, port in
            for path in ["/healthz", "/login", "/"] {
                let forged = encrypted + ["X-Forwarded-For: 127.0.0.9"]
                let answer = try await request(path, port: port, fields: forged)
                #expect(answer.status == 403, "\(path)")
            }
        }
    }

    @Test func onlyTheNamesOfTheSettingsAreAnswered() async throws {
        try await withOuterDoor { inner, port in
            for host in [
                "evil.example", "127.0.0.1:\(port)", "127.0.0.1:\(inner)", "localhost:\(port)", "me.example:8080",
                "me.example.evil.example", "other.example", "x.localhost",
            ] {
                let fields = ["Host: \(host)", "X-Forwarded-Proto: https"]
                let answer = try await request("/login", port: port, fields: fields)
                #expect(answer.status == 421, "\(host)")
            }
            for host in ["ME.example", "other.example:8443"] {
                let fields = ["Host: \(host)", "X-Forwarded-Proto: https"]
                let named = try await request("/login", port: port, fields: fields).status
                #expect(named == 200, "\(host)")
            }
            // And of the outer names none is answered on loopback.
            let onLoopback = try await request("/", port: inner, fields: ["Host: me.example"]).status
            #expect(onLoopback == 421)
        }
    }

    @Test func theInnerDoorRefusesWhatAProxyPassesOn() async throws {
        try await withViewer { port in
            for field in [
                "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https", "X-Forwarded-Host: a", "Forwarded: for=a",
            ] {
                for path in ["/", "/api/peers", "/p/abc/"] {
                    let answer = try await request(path, port: port, fields: [field])
                    #expect(answer.status == 403, "\(field) \(path)")
                }
            }
        }
    }

    /// The rest of a body is dropped as slowly as it comes: nobody who has not signed in holds a connection by that.
    @Test func aBodyThatIsTooLargeIsReadToItsEndBehindASessionOnly() async throws {
        try await withOuterDoor { _, port in
            let own = encrypted + ["Origin: https://me.example", "Content-Length: 70000"]
            let form = own + ["Content-Type: application/x-www-form-urlencoded"]
            let refused = try await RawConnection.open(port: port) { connection in
                try await connection.send(
                    "POST /api/login HTTP/1.1\r\n\(form.joined(separator: "\r\n"))\r\n\r\n"
                        + String(repeating: "a", count: 5000))
                return await connection.readToEnd()
            }
            #expect(refused.hasPrefix("HTTP/1.1 413") && refused.lowercased().contains("connection: close"))
            let cookie = try await cookie(port)
            let signedIn = encrypted + [cookie]
            let token = try token(try await request("/", port: port, fields: signedIn).body)
            let json = own + [cookie, "Content-Type: application/json", "X-Goop-Token: \(token)"]
            try await RawConnection.open(port: port) { connection in
                try await connection.send(
                    "POST /api/shell/consent HTTP/1.1\r\n\(json.joined(separator: "\r\n"))\r\n\r\n")
                let refused = try await connection.read(until: "\"code\":\"too_large\"")
                #expect(refused.hasPrefix("HTTP/1.1 413") && !refused.lowercased().contains("connection: close"))
                try await connection.send(String(repeating: "a", count: 70_000))
                try await connection.send(
                    "GET /healthz HTTP/1.1\r\n\(signedIn.joined(separator: "\r\n"))\r\n\r\n")
                _ = try await connection.read(until: "ok\n")
            }
        }
    }

    @Test func aSiteIsShownUnderASecretPathOnly() async throws {
        let backend = FakeBackend()
        try await withOuterDoor(backend) { _, port in
            let cookie = try await cookie(port)
            let page = try await request(
                "/p/\(backend.owner.id)/", port: port,
                fields: encrypted + [
                    cookie, "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-Site: none",
                ])
            #expect(page.status == 200 && page.body.contains("data-probe=\"\""))
            let policy = try #require(page["content-security-policy"])
            #expect(policy.contains("frame-src https://me.example/c/;") && !policy.contains("localhost"))
            // Only who encrypts may promise that it stays so.
            #expect(page["strict-transport-security"] == nil)
        }
    }

    @Test func noStrangerTakesTheOwnersConnections() async throws {
        let whole = "GET /healthz HTTP/1.1\r\n" + encrypted.joined(separator: "\r\n") + "\r\n\r\n"
        try await withOuterDoor(configure: { $0.maximumConnections = 2 }) { inner, port in
            try await RawConnection.open(port: port) { first in
                // Who has an answer has been counted.
                try await first.send(whole)
                _ = try await first.read(until: "ok\n")
                try await RawConnection.open(port: port) { second in
                    try await second.send(whole)
                    _ = try await second.read(until: "ok\n")
                    let full = try await request("/healthz", port: port, fields: encrypted).status
                    #expect(full == 503)
                    let own = try await request("/healthz", port: inner).status
                    #expect(own == 200)
                }
            }
        }
    }
}

/// Changes the password, whatever is saved.
private struct PasswordDesk: SettingsDesk {
    let lock: OuterLock
    let next: PasswordHash

    func settings() async throws(ConfigurationError) -> SettingsSheet {
        SettingsSheet(settings: [], waitingForRestart: [], file: "", notes: [])
    }

    func apply(_ changes: [String: JSONValue], isOnlyCheck: Bool) async throws(ConfigurationError) -> SettingsSheet {
        lock.change(to: next)
        return try await settings()
    }
}

/// Whatever is saved shuts the door.
private struct ShuttingDesk: SettingsDesk {
    let lock: OuterLock

    func settings() async throws(ConfigurationError) -> SettingsSheet {
        SettingsSheet(
            settings: [], waitingForRestart: [], file: "", notes: [], outerDoor: lock.isShut ? .shut : .open)
    }

    func apply(_ changes: [String: JSONValue], isOnlyCheck: Bool) async throws(ConfigurationError) -> SettingsSheet {
        lock.shut()
        return try await settings()
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
}

/// Nobody visits, and nothing changes.
private struct QuietAccess: SiteAccess {
    func audience() async -> AudienceSheet { AudienceSheet(name: .everyone, guests: []) }
    func decide(_ decision: AudienceDecision) async throws(AudienceError) -> AudienceSheet { await audience() }
    func visitors() async -> [Visitor] { [] }
    func known(_ peer: PeerID) async -> KnownPeer? { nil }
    func changes() async -> AsyncStream<Void> { AsyncStream.makeStream(of: Void.self).stream }
}
