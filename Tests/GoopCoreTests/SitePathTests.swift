import GoopCore
import Testing

/// The kind of the error that a body throws, nil if it throws none.
private func kind(_ body: () throws(SiteError) -> some Any) -> SiteError.Kind? {
    do {
        _ = try body()
        return nil
    } catch {
        return error.kind
    }
}

@Suite struct SitePathTests {
    @Test(arguments: [
        ("", "/index.html"), ("/", "/index.html"), ("//", "/index.html"), ("/./", "/index.html"),
        ("index.html", "/index.html"), ("/css/app.css", "/css/app.css"), ("css//app.css", "/css/app.css"),
        ("/a/../b.html", "/b.html"), ("/a/./b", "/a/b"), ("/docs/", "/docs/"), ("/docs/x/..", "/docs/"),
        ("/über uns.html", "/über uns.html"), ("/a%2Fb", "/a%2Fb"), ("/luau/x", "/luau/x"), ("/x/lua/y", "/x/lua/y"),
        ("/src/app.js", "/src/app.js"), ("/a..b", "/a..b"), ("/file?x=1", "/file?x=1"),
    ])
    func accepted(text: String, path: String) throws {
        #expect(try SitePath(text).description == path)
    }

    @Test(arguments: [
        "..", "/..", "../", "/../etc/passwd", "../site/lua/x", "../site/index.html", "a/../../b", "/./../x",
        "/.git/config", "/.env", "/a/.hidden/b", "/...", "/lua", "/lua/", "/lua/x.lua", "/LUA/x", "/Lua", "//lua//x",
        "/a/../lua/x", "/./lua", "lua",
    ])
    func forbidden(text: String) {
        #expect(kind { () throws(SiteError) in try SitePath(text) } == .forbidden)
    }

    @Test(arguments: [
        "/a\0b", "/a\nb", "/a\rb", "\\..\\x", "/a\\b", "/\u{7F}", "/\t", String(repeating: "a", count: 2049),
    ])
    func bad(text: String) {
        #expect(kind { () throws(SiteError) in try SitePath(text) } == .badRequest)
    }

    @Test func namesNoFileCanHaveAreNotFound() {
        let name = String(repeating: "a", count: 256)
        #expect(kind { () throws(SiteError) in try SitePath("/" + name) } == .notFound)
    }

    /// To Swift a slash or dot and a combining accent behind it are one character; to the system they are not.
    @Test func anAccentBehindASlashOrADotHidesNeither() throws {
        #expect(try SitePath("/a/\u{301}b").components == ["a", "\u{301}b"])
        for text in ["/lua/\u{301}x", "/.\u{301}x", "/a/.\u{301}", "..", "../\u{301}x", "/a/../../\u{301}x"] {
            #expect(kind { () throws(SiteError) in try SitePath(text) } == .forbidden, "\(text)")
        }
        #expect(SitePath.refusal(ofResolved: [".\u{301}x"])?.kind == .forbidden)
        #expect(try SitePath("/\u{301}/").namesFolder)
    }

    @Test func whatALinkLeadsToIsJudgedByTheSameRules() {
        #expect(SitePath.refusal(ofResolved: ["a", "b.html"]) == nil)
        #expect(SitePath.refusal(ofResolved: [".git", "config"])?.kind == .forbidden)
        #expect(SitePath.refusal(ofResolved: ["LuA", "x"])?.kind == .forbidden)
        #expect(SitePath.refusal(ofResolved: ["s", "x"], hidden: [["s", "x"]])?.kind == .forbidden)
        #expect(SitePath.refusal(ofResolved: ["s", "y"], hidden: [["s", "x"]]) == nil)
    }
}

@Suite struct SiteProtocolTests {
    @Test func aHeadWhoseMediaTypeBeginsWithAnAccentReadsBack() throws {
        let head = try head("OK \n\u{301}a 5")
        #expect(head == SiteHead(mediaType: "\u{301}a", size: 5))
        #expect(try SiteProtocol.head(inLine: SiteProtocol.headLine(head).dropLast()) == head)
        #expect(throws: SiteError.self) { try SiteProtocol.head(inLine: Array("OK\u{301} a 5".utf8)) }
    }

    private func head(_ line: String, limit: Int = SiteProtocol.maximumFileBytes) throws(SiteError) -> SiteHead {
        try SiteProtocol.head(inLine: Array(line.utf8), limit: limit)
    }

    @Test func requests() throws {
        #expect(try SiteProtocol.requestLine(path: SitePath("")) == Array("GET /index.html\n".utf8))
        #expect(try SiteProtocol.path(inRequest: Array("GET /a b.html\r\n".utf8)) == "/a b.html")
        #expect(try SiteProtocol.path(inRequest: Array("  GET   x  ".utf8)) == "x")
        #expect(try SiteProtocol.path(inRequest: Array("GET ".utf8)) == "")
        for line in ["", "get /", "POST /", "GETX", "ENC:abc"] {
            #expect(kind { () throws(SiteError) in try SiteProtocol.path(inRequest: Array(line.utf8)) } == .badRequest)
        }
        #expect(
            kind { () throws(SiteError) in try SiteProtocol.path(inRequest: [0x47, 0x45, 0x54, 0x20, 0xFF]) }
                == .badRequest)
    }

    @Test func theSizeIsWhatFollowsTheLastSpace() throws {
        #expect(
            try head("OK text/css; charset=utf-8 1234\n")
                == SiteHead(mediaType: "text/css; charset=utf-8", size: 1234))
        #expect(try head("OK text/plain 0\r\n") == SiteHead(mediaType: "text/plain", size: 0))
        let line = SiteProtocol.headLine(SiteHead(mediaType: "a/b; c=d", size: 9))
        #expect(try SiteProtocol.head(inLine: line) == SiteHead(mediaType: "a/b; c=d", size: 9))
    }

    @Test(arguments: [
        "", "OK", "OK 5", "OK text/html", "OK text/html -1", "OK text/html +5", "OK text/html 5x", "OK text/html 0x5",
        "HTTP/1.1 200 OK", "EOK text/html 5", "ok text/html 5", "OK text/html ٥", "ERR", "ERR something new",
    ])
    func badHeads(line: String) {
        #expect(kind { () throws(SiteError) in try head(line) } == .protocolViolation)
    }

    @Test func largeFilesAreRefusedBeforeTheyCome() {
        #expect(kind { () throws(SiteError) in try head("OK a/b 11", limit: 10) } == .tooLarge)
        #expect(kind { () throws(SiteError) in try head("OK a/b 99999999999999999999999") } == .tooLarge)
    }

    @Test(arguments: SiteError.Kind.allCases)
    func refusalsTravelBothWays(sent: SiteError.Kind) {
        let line = SiteProtocol.errorLine(SiteError(kind: sent, detail: "inside only"))
        // Upstream's words do not tell a site that is refused from a file that is.
        let heard: SiteError.Kind = sent == .notInvited ? .forbidden : sent == .blocked ? .unreachable : sent
        #expect(kind { () throws(SiteError) in try SiteProtocol.head(inLine: line) } == heard)
        #expect(!String(decoding: line, as: UTF8.self).contains("inside"))
    }

    @Test func upstreamsWords() {
        #expect(SiteProtocol.errorLine(SiteError(kind: .badRequest)) == Array("ERR bad request\n".utf8))
        #expect(SiteProtocol.errorLine(SiteError(kind: .disabled)) == Array("ERR site disabled\n".utf8))
        #expect(SiteProtocol.errorLine(SiteError(kind: .forbidden)) == Array("ERR forbidden\n".utf8))
        #expect(SiteProtocol.errorLine(SiteError(kind: .notFound)) == Array("ERR not found\n".utf8))
    }

    @Test func labels() {
        #expect(SiteProtocol.labelLine("Ada\nB") == Array("Ada B\n".utf8))
        #expect(SiteProtocol.label(inLine: Array(" Ada \r\n".utf8)) == "Ada")
        #expect(SiteProtocol.label(inLine: [0xFF]) == "\u{FFFD}")
        #expect(SiteProtocol.label(inLine: Array(String(repeating: "é", count: 4096).utf8)).utf8.count == 4096)
    }

    @Test(arguments: [
        ("index.html", "text/html; charset=utf-8"), ("A.PNG", "image/png"), ("x.tar.gz", "application/gzip"),
        ("README", "application/octet-stream"), (".html", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("app.mjs", "text/javascript; charset=utf-8"), ("m.wasm", "application/wasm"),
    ])
    func mediaTypes(name: String, type: String) {
        #expect(MediaType.ofFile(named: name) == type)
    }
}
