import Foundation
import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity
import Synchronization
import Testing

@testable import GoopHTTP

@Suite("Sites under /p/", .timeLimit(.minutes(1))) struct SiteTests {
    private let peer = PrivateKey.generate().peerID

    private func backend(_ files: [String: FakeBackend.File]) -> FakeBackend {
        let backend = FakeBackend()
        backend.set(.files(files), of: peer)
        return backend
    }

    @Test func aFileIsServedInTheSandbox() async throws {
        try await withViewer(backend(["/": .init("<h1>Hi</h1>")])) { port in
            let answer = try await request("/p/\(peer)/", port: port)
            #expect(answer.status == 200)
            #expect(answer.body == "<h1>Hi</h1>")
            #expect(answer["content-type"] == "text/html; charset=utf-8")
            #expect(answer["content-length"] == "11")
            let own = "http://127.0.0.1:\(port)/p/\(peer)/"
            #expect(
                answer["content-security-policy"]
                    == "sandbox allow-scripts allow-forms; default-src 'none'; script-src \(own); "
                    + "style-src \(own) 'unsafe-inline'; img-src \(own) data: blob:; font-src \(own) data:; "
                    + "media-src \(own) data: blob:; connect-src \(own); form-action \(own); base-uri 'none'; "
                    + "frame-ancestors 'self'")
        }
    }

    @Test func everyAnswerUnderPCarriesTheGuards() async throws {
        let unreachable = PrivateKey.generate().peerID
        let backend = backend(["/": .init("x"), "/a.js": .init("x", mediaType: "text/html")])
        let kinds = SiteError.Kind.allCases.map { ($0, PrivateKey.generate().peerID) }
        for (kind, id) in kinds { backend.set(.failing(SiteError(kind: kind, detail: "<b>")), of: id) }
        try await withViewer(backend) { port in
            let long = "/p/" + String(repeating: "a", count: 9000)
            var targets: [(target: String, fields: [String])] = [
                ("/p", []), ("/p/", []), ("/p/nobody/", []), ("/p/\(peer)", []), ("/p/\(peer)/", []),
                ("/p/\(peer)/a.js", []), ("/p/\(peer)/missing", []), ("/p/\(peer)/%2e%2e/x", []),
                ("/p/\(unreachable)/", []), ("/p/\(peer)/", ["Host: localhost:\(port)"]),
                ("/p/\(peer)/", ["Host: evil.example"]), ("/p/\(peer)/", ["Origin: http://evil.example"]),
                ("/p/\(peer)/", ["Service-Worker: script"]),
                (long, []),
            ]
            for (_, id) in kinds { targets.append(("/p/\(id)/", [])) }
            for method in ["GET", "HEAD", "POST"] {
                for (target, fields) in targets {
                    let answer = try await request(target, method: method, port: port, fields: fields)
                    let what: Comment = "\(method) \(target.prefix(80)) \(fields) \(answer.status)"
                    let policy = try #require(answer["content-security-policy"], what)
                    #expect(policy.hasPrefix("sandbox"), what)
                    #expect(policy.contains("default-src 'none'"), what)
                    #expect(!policy.contains("allow-same-origin") && !policy.contains("allow-top-navigation"), what)
                    #expect(policy.contains("base-uri 'none'") && policy.contains("form-action"), what)
                    #expect(policy.contains("frame-ancestors 'self'"), what)
                    #expect(answer["x-content-type-options"] == "nosniff", what)
                    #expect(answer["referrer-policy"] == "no-referrer", what)
                    #expect(answer["cross-origin-resource-policy"] != nil, what)
                    #expect(answer["permissions-policy"]?.contains("camera=()") == true, what)
                    #expect(answer["cache-control"] == "no-store", what)
                    #expect(answer["x-dns-prefetch-control"] == "off", what)
                    #expect(answer["date"]?.hasSuffix(" GMT") == true, what)
                    #expect(answer.fields.filter { $0.name.lowercased() == "content-security-policy" }.count == 1, what)
                    if method == "HEAD" { #expect(answer.body.isEmpty, what) }
                }
            }
        }
    }

    @Test func aMissingSlashIsAdded() async throws {
        try await withViewer(backend(["/": .init("x")])) { port in
            let answer = try await request("/p/\(peer)?q=1", port: port)
            #expect(answer.status == 308)
            #expect(answer["location"] == "/p/\(peer)/?q=1")
        }
    }

    @Test func anotherFormOfTheIdIsSentToTheUsualOne() async throws {
        try await withViewer(backend(["/": .init("x")])) { port in
            let answer = try await request("/p/\(peer.base36)/a/b?q", port: port)
            #expect(answer.status == 308)
            #expect(answer["location"] == "/p/\(peer)/a/b?q")
        }
    }

    @Test func headAsksButReadsNothing() async throws {
        let backend = backend(["/film.mp4": .init("0123456789", mediaType: "video/mp4")])
        try await withViewer(backend) { port in
            let answer = try await request("/p/\(peer)/film.mp4", method: "HEAD", port: port)
            #expect(answer.status == 200)
            #expect(answer["content-length"] == "10")
            #expect(answer.body.isEmpty)
            #expect(backend.discarded == 1)
        }
    }

    @Test(arguments: [
        ("/a/b.css", "/a/b.css"), ("/a%20b.txt", "/a b.txt"), ("/dir/", "/dir/"), ("/%C3%A9.html", "/é.html"),
        ("/a%252e%252e", "/a%2e%2e"), ("/100%25.txt", "/100%.txt"), ("/...", "/..."), ("/a..b", "/a..b"),
        ("/.well-known", "/.well-known"), ("/x%3Fy", "/x?y"), ("/x%23y", "/x#y"), ("/", "/"),
    ])
    func goodPaths(_ encoded: String, _ decoded: String) throws {
        #expect(try SiteAddress.decode(Substring(encoded)) == decoded)
    }

    @Test(arguments: [
        ("/..", SitePathProblem.dotSegment), ("/../", .dotSegment), ("/a/../b", .dotSegment), ("/.", .dotSegment),
        ("/a/./b", .dotSegment), ("/%2e%2e/x", .dotSegment), ("/%2E./x", .dotSegment), ("/a/%2e", .dotSegment),
        ("/a%2fb", .separator), ("/a%2Fb", .separator), ("/..%2f..%2fetc", .separator), ("/a%5cb", .separator),
        ("/a\\b", .separator), ("/a%00", .controlCharacter), ("/%0d%0aX", .controlCharacter),
        ("/a%0Ab", .controlCharacter), ("/%7f", .controlCharacter), ("/%", .brokenEscape), ("/%4", .brokenEscape),
        ("/%zz", .brokenEscape), ("/%u0041", .brokenEscape), ("/%c0%ae%c0%ae/", .notText), ("/%ff", .notText),
        ("/%ed%a0%80", .notText), ("//", .emptySegment), ("/a//b", .emptySegment), ("//etc/passwd", .emptySegment),
        ("/" + String(repeating: "a", count: 1024), .tooLong),
    ])
    func badPaths(_ encoded: String, _ problem: SitePathProblem) async throws {
        #expect(throws: problem) { try SiteAddress.decode(Substring(encoded)) }
        let backend = backend(["/": .init("x")])
        try await withViewer(backend) { port in
            let answer = try await request("/p/\(peer)\(encoded)", port: port)
            #expect(answer.status == 400)
            #expect(backend.opened.isEmpty, "the path went to the peer")
        }
    }

    @Test(arguments: [
        "/p/..", "/p/%2e%2e/api/peers", "/p//", "/p/12D3KooW/", "/p/" + String(repeating: "1", count: 500) + "/",
        "/p/<script>/", "/P/x/", "/p/%31/",
    ])
    func noPeerNoSite(_ target: String) async throws {
        let backend = FakeBackend()
        try await withViewer(backend) { port in
            let answer = try await request(target, port: port)
            #expect(answer.status == 404)
            #expect(!answer.body.contains("<script>"))
            #expect(backend.opened.isEmpty)
        }
    }

    /// Ids have no checksum, but that no key can have this one is known without a search.
    @Test(arguments: ["/p/12D3KooWrong", "/p/12D3KooWrong/", "/p/12D3KooWrong/a.html?q"])
    func whoCannotBeIsNotSearchedFor(_ target: String) async throws {
        let backend = FakeBackend()
        try await withViewer(backend) { port in
            let person = ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
            for fields in [[], person] {
                let answer = try await request(target, port: port, fields: fields)
                #expect(answer.status == 404 && answer.body.contains("No peer can have"), "\(fields)")
            }
            #expect(backend.opened.isEmpty)
        }
    }

    @Test(arguments: [
        ("/index.html", "image/png", "text/html; charset=utf-8"), ("/x/", "image/png", "text/html; charset=utf-8"),
        ("/a.txt", "text/html", "text/plain; charset=utf-8"), ("/a.png", "text/html", "image/png"),
        ("/a.PNG", "text/html", "image/png"), ("/a.js", "text/html", "text/javascript; charset=utf-8"),
        ("/noext", "text/html", "application/octet-stream"), ("/noext", "image/svg+xml", "application/octet-stream"),
        ("/noext", "text/javascript", "application/octet-stream"), ("/noext", "text/css", "application/octet-stream"),
        ("/noext", "application/xhtml+xml", "application/octet-stream"),
        ("/noext", "IMAGE/PNG; x=y", "image/png"), ("/noext", "text/plain", "text/plain; charset=utf-8"),
        ("/a.weird", "multipart/x-mixed-replace", "application/octet-stream"),
        ("/noext", "image/png\r\nX: y", "application/octet-stream"),
        ("/.html", "text/html", "application/octet-stream"),
        ("/a.html/file", "text/html", "application/octet-stream"), ("/noext", "", "application/octet-stream"),
    ])
    func theExtensionDecidesTheType(_ path: String, _ claim: String, _ sent: String) {
        #expect(SiteMediaType.ofFile(at: path, claim: claim) == sent)
    }

    @Test func aShortBodyEndsTheConnection() async throws {
        try await withViewer(backend(["/": .init("abc", announcedSize: 10)])) { port in
            let answer = try await request("/p/\(peer)/", port: port)
            #expect(answer["content-length"] == "10")
            #expect(answer.body == "abc")
        }
    }

    @Test func aLongBodyIsCut() async throws {
        try await withViewer(backend(["/": .init("abcdef\r\nHTTP/1.1 200 OK", announcedSize: 6)])) { port in
            let answer = try await request("/p/\(peer)/", port: port)
            #expect(answer.body == "abcdef")
        }
    }

    @Test func aStalledBodyEndsTheConnection() async throws {
        let backend = backend(["/": .init("abc", announcedSize: 10, stalls: true)])
        try await withViewer(backend, configure: { $0.siteStallTimeout = .milliseconds(100) }) { port in
            let answer = try await request("/p/\(peer)/", port: port)
            #expect(answer.body == "abc")
            #expect(backend.discarded > 0)
        }
    }

    @Test(arguments: [nil, 4] as [Int?]) func aLargeFileArrivesWhole(run: Int?) async throws {
        var file = FakeBackend.File("", mediaType: "application/octet-stream")
        file.chunks = (0..<512).map { ByteBuffer(repeating: UInt8(ascii: "a") + UInt8($0 % 26), count: 65_536) }
        file.run = run
        try await withViewer(backend(["/big.bin": file])) { port in
            let answer = try await request("/p/\(peer)/big.bin", port: port)
            #expect(answer.body.utf8.count == 512 * 65_536)
        }
    }

    /// The connection ends where the body falls short, and stands still: what came before has left.
    @Test func aStalledRunEndsTheConnection() async throws {
        var file = FakeBackend.File("", announcedSize: 10, stalls: true)
        file.chunks = ["ab", "", "c"].map { ByteBuffer(string: $0) }
        file.run = 3
        let backend = backend(["/": file])
        try await withViewer(backend, configure: { $0.siteStallTimeout = .milliseconds(100) }) { port in
            let answer = try await request("/p/\(peer)/", port: port)
            #expect(answer.body == "abc")
            #expect(backend.discarded > 0)
        }
    }

    /// One write, and so one flush, for what came together; nothing of what is beyond the end.
    @Test func whatCameTogetherIsWrittenTogether() async throws {
        let written = Written()
        var copy = BodyCopy(writer: written, remaining: 9)
        func run(_ texts: String...) -> [ByteBuffer] { texts.map { ByteBuffer(string: $0) } }
        try await copy.write(run("a", "bc", "", "def"))
        #expect(written.writes == [["a", "bc", "def"]] && copy.remaining == 3)
        try await copy.write(run("g"))
        try await copy.write(run(""))
        try await copy.write([])
        #expect(written.writes == [["a", "bc", "def"], ["g"]])
        try await copy.write(run("h", "ij", "k"))
        #expect(written.writes == [["a", "bc", "def"], ["g"], ["h", "i"]] && copy.remaining == 0)
        #expect(copy.start == Array("ab".utf8))
        try await copy.write(run("l"))
        #expect(written.writes.count == 3)
    }

    @Test func keepAliveServesManyFiles() async throws {
        try await withViewer(backend(["/a.txt": .init("one"), "/b.txt": .init("two!")])) { port in
            try await RawConnection.open(port: port) { connection in
                for (name, text) in [("a", "one"), ("b", "two!"), ("a", "one")] {
                    try await connection.send("GET /p/\(peer)/\(name).txt HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n")
                    _ = try await connection.read(until: "\r\n\r\n\(text)")
                }
            }
        }
    }
}

/// Remembers what was written together.
private final class Written: ResponseBodyWriter, Sendable {
    private let parts = Mutex<[[String]]>([])

    var writes: [[String]] { parts.withLock { $0 } }

    func write(_ part: ByteBuffer) async throws { parts.withLock { $0.append([String(buffer: part)]) } }

    func write(contentsOf run: some Sequence<ByteBuffer>) async throws {
        let texts = run.map { String(buffer: $0) }
        parts.withLock { $0.append(texts) }
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

@Suite("Sites that cannot be shown", .timeLimit(.minutes(1))) struct SiteFailureTests {
    private let peer = PrivateKey.generate().peerID

    @Test func thePageNamesWhatWasTried() async throws {
        let backend = FakeBackend()
        backend.set(
            .failing(
                SiteError(
                    kind: .unreachable,
                    attempts: [
                        DialFailure(
                            address: "/ip4/192.168.7.7/tcp/4001", reason: "connection refused",
                            elapsed: .milliseconds(3)),
                        DialFailure(
                            address: "/ip6/<img src=x onerror=alert(1)>", reason: "\"'&</li><script>",
                            elapsed: .seconds(4)),
                    ])), of: peer)
        try await withViewer(backend) { port in
            let answer = try await request("/p/\(peer)/a%22b/?x=%22%3E<", port: port)
            #expect(answer.status == 502)
            #expect(answer.body.contains("/ip4/192.168.7.7/tcp/4001"))
            #expect(answer.body.contains("connection refused · after 3\u{a0}ms"))
            #expect(answer.body.contains("after 4.0\u{a0}s"))
            #expect(!answer.body.contains("<script") && !answer.body.contains("<img"))
            #expect(answer.body.contains("href=\"/p/\(peer)/a%22b/?x=%22%3E&lt;\""))
            let policy = try #require(answer["content-security-policy"])
            let nonce = try #require(answer.body.firstMatch(of: /<style nonce="([0-9a-z]+)">/)).1
            #expect(policy.contains("style-src 'nonce-\(nonce)'"))
        }
    }

    @Test(arguments: [
        (SiteError(kind: .unreachable, detail: SiteError.endedConnection), 502, "ended the connection"),
        (SiteError(kind: .timedOut), 504, "did not answer in time"),
    ])
    func whoMayNotWantToHearFromUsIsNotSaidToBeAway(error: SiteError, status: Int, words: String) async throws {
        let backend = FakeBackend()
        backend.set(.failing(error), of: peer)
        try await withViewer(backend) { port in
            let answer = try await request("/p/\(peer)/", port: port)
            #expect(answer.status == status && answer.body.contains(words))
            #expect(answer.body.contains("not want to hear from you") && !answer.body.contains("No address"))
        }
    }

    @Test func theSecondTimeIsAnsweredFromMemoryUntilNewsArrives() async throws {
        let backend = FakeBackend()
        backend.set(.failing(SiteError(kind: .unreachable)), of: peer)
        try await withViewer(backend, configure: { $0.failureMemory = .seconds(3600) }) { port in
            for _ in 0..<5 { #expect(try await request("/p/\(peer)/x", port: port).status == 502) }
            #expect(backend.opened.count == 1)
            backend.set(.files(["/x": .init("back")]), of: peer)
            // The news travels on its own task: the page that shows it is the sign that it has arrived.
            try await RawConnection.open(port: port) { connection in
                try await connection.send("GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n")
                _ = try await connection.read(until: "snapshot")
                backend.apply(.updated(.sample(peer)))
                _ = try await connection.read(until: "event: peer")
            }
            #expect(try await request("/p/\(peer)/x", port: port).body == "back")
        }
    }

    @Test func aMissingFileIsNotRemembered() async throws {
        let backend = FakeBackend()
        backend.set(.files(["/here": .init("yes")]), of: peer)
        try await withViewer(backend) { port async throws in
            #expect(try await request("/p/\(peer)/missing", port: port).status == 404)
            #expect(try await request("/p/\(peer)/here", port: port).status == 200)
        }
    }

    @Test func aSilentPeerIsGivenUp() async throws {
        let backend = FakeBackend()
        backend.set(.silent, of: peer)
        let configure: (inout ViewerConfiguration) -> Void = {
            $0.siteAnswerTimeout = .milliseconds(100)
            $0.failureMemory = .seconds(3_600)
        }
        try await withViewer(backend, configure: configure) { port async throws in
            #expect(try await request("/p/\(peer)/", port: port).status == 504)
            #expect(try await request("/p/\(peer)/", port: port).status == 504)
            #expect(backend.opened.count == 1)
        }
    }

    @Test func theDefaultsAnswerWithinFiveSeconds() {
        #expect(ViewerConfiguration().siteAnswerTimeout < .seconds(5))
    }

    @Test(arguments: [
        (SiteError.Kind.badRequest, 400), (.notFound, 404), (.forbidden, 403), (.disabled, 403), (.tooLarge, 502),
        (.timedOut, 504), (.unreachable, 502), (.protocolViolation, 502), (.busy, 503),
    ])
    func statusOfEachKind(_ kind: SiteError.Kind, _ status: Int) async throws {
        let backend = FakeBackend()
        backend.set(.failing(SiteError(kind: kind, detail: "<script>alert(1)</script>")), of: peer)
        try await withViewer(backend) { port in
            let answer = try await request("/p/\(peer)/", port: port)
            #expect(answer.status == status)
            #expect(!answer.body.contains("<script"))
            #expect(answer.body.contains("Back to People"))
        }
    }

    @Test func namesOfStrangersAreShownWithTheFingerprint() {
        let tail = String(peer.base58.suffix(8))
        let print = "…\u{2060}\(tail.prefix(4))\u{a0}\(tail.suffix(4))"
        #expect(peer.display(name: "Ana") == "Ana (\(print))")
        #expect(peer.display(name: "") == print)
        #expect(peer.display(name: " \u{202e}\n\u{0}") == print)
        #expect(peer.display(name: "a\u{202e}b\u{7}c 👩‍🚀 é") == "abc 👩‍🚀 é (\(print))")
        #expect(peer.display(name: "A\u{200b}d\u{ad}a\u{2060}") == "Ada (\(print))")
        #expect(peer.display(name: "\u{200d}\u{3164}") == print)
        #expect(peer.display(name: String(repeating: "x", count: 4000)).count < 120)
    }

    @Test func oneSlowFileDoesNotTakeTheSiteAway() {
        let memory = FailureMemory(lifetime: .seconds(60), limit: 2)
        let start = ContinuousClock.now
        let late = SiteError(kind: .timedOut)
        memory.answered(peer, now: start + .seconds(1))
        memory.record(late, of: peer, asked: start, now: start + .seconds(5))
        #expect(memory.failure(of: peer, now: start + .seconds(5)) == nil, "it answered meanwhile")
        memory.record(late, of: peer, asked: start + .seconds(2), now: start + .seconds(7))
        #expect(memory.failure(of: peer, now: start + .seconds(7)) != nil, "it answered before only")
        memory.answered(peer, now: start + .seconds(8))
        #expect(memory.failure(of: peer, now: start + .seconds(8)) == nil, "an answer is news")
        // Whoever answered longest ago is forgotten, not those who answered since.
        for second in 9...10 { memory.answered(PrivateKey.generate().peerID, now: start + .seconds(second)) }
        memory.record(late, of: peer, asked: start, now: start + .seconds(11))
        #expect(memory.failure(of: peer, now: start + .seconds(11)) != nil)
    }

    @Test func failureMemoryIsBounded() {
        let memory = FailureMemory(lifetime: .seconds(60), limit: 3)
        let peers = (0..<5).map { _ in PrivateKey.generate().peerID }
        let start = ContinuousClock.now
        for (index, peer) in peers.enumerated() {
            memory.record(SiteError(kind: .unreachable), of: peer, asked: start, now: start + .seconds(index))
        }
        let kept = peers.map { memory.failure(of: $0, now: start + .seconds(5)) != nil }
        #expect(kept == [false, false, true, true, true])
        #expect(memory.failure(of: peers[4], now: start + .seconds(64)) == nil)
    }
}
