import GoopCore
import PeerIdentity
import Testing

@testable import GoopHTTP

/// The page around a site, what it asks of the viewer, and the secret path for browsers without origins for sites.
@Suite("The shell", .timeLimit(.minutes(1))) struct ShellTests {
    private let peer = PrivateKey.generate().peerID
    private let backend = FakeBackend()
    private static let typed = ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
    private static let frame = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"]

    init() {
        backend.set(.files(["/": .init("page"), "/sub/x.html": .init("sub")]), of: peer)
        backend.apply(.updated(.sample(peer, label: "<b>{{token}}")))
    }

    private func host(_ port: Int) -> String { "Host: \(peer.base36).localhost:\(port)" }

    private func token(_ port: Int) async throws -> String {
        let page = try await request("/p/\(peer)/", port: port, fields: Self.typed).body
        let mark = "name=\"goop-token\" content=\""
        let start = try #require(page.firstRange(of: mark)).upperBound
        return String(page[start...].prefix(64))
    }

    private func post(
        _ path: String, _ body: String, port: Int, token: String?, fields: [String] = [],
        type: String = "application/json"
    ) async throws -> RawAnswer {
        try await request(
            path, method: "POST", port: port,
            fields: [
                "Content-Type: \(type)", "Content-Length: \(body.utf8.count)",
            ] + (token.map { ["X-Goop-Token: \($0)"] } ?? []) + fields, body: body)
    }

    @Test func aTabGetsTheShellAndAProgramTheFile() async throws {
        try await withViewer(backend) { port in
            let shell = try await request("/p/\(peer)/sub/x.html?a=1", port: port, fields: Self.typed)
            #expect(shell.status == 200)
            #expect(shell.body.contains("data-site=\"http://\(peer.base36).localhost:\(port)\""))
            #expect(shell.body.contains("&lt;b&gt;{{token}}"), "a name became markup, or was taken for a mark")
            #expect(shell["cache-control"] == "no-store")
            let policy = try #require(shell["content-security-policy"])
            let local = "localhost:\(port)"
            let places = "http://\(peer.base36).\(local) http://goop2scrub.\(local) http://127.0.0.1:\(port)/c/"
            #expect(policy.contains("frame-src \(places);"))
            #expect(policy.contains("frame-ancestors 'none'"))
            #expect(backend.opened.isEmpty, "the shell itself needs nothing of the peer")
            let file = try await request("/p/\(peer)/sub/x.html", port: port)
            #expect(file.body == "sub")
            #expect(file["content-security-policy"]?.hasPrefix("sandbox allow-scripts allow-forms;") == true)
        }
    }

    @Test func thePetnameIsTheFirstWordOfTheShellForWhoeverIsInNoListToo() async throws {
        let away = PrivateKey.generate().peerID
        backend.call(away, "Mum")
        var listed = PeerEntry.sample(peer, label: "Self-chosen")
        listed.petname = "Neighbour"
        backend.apply(.updated(listed))
        try await withViewer(backend) { port in
            for (peer, name) in [(away, "Mum"), (peer, "Neighbour")] {
                let pushed = try await request(
                    "/p/\(peer)/", port: port,
                    fields: ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"])
                #expect(pushed.body.contains("the site of \(peer.display(name: name))."))
                let shell = try await request("/p/\(peer)/", port: port, fields: Self.typed).body
                #expect(shell.contains("<title>\(peer.display(name: name)) · Goop²</title>"))
                #expect(shell.contains("<bdi id=\"name\">\(peer.display(name: name))</bdi>"))
                #expect(!shell.contains("Self-chosen"))
            }
        }
    }

    /// What a page of a site's own origin holds, a worker of the site can read.
    @Test func aNoticeInTheFrameTellsTheSiteNothingOfItsVisitor() async throws {
        backend.call(peer, "Secret nickname")
        backend.prefer { $0.theme = .dark }
        try await withViewer(backend, configure: { $0.failureMemory = .zero }) { port in
            for kind in SiteError.Kind.allCases {
                backend.set(.failing(SiteError(kind: kind)), of: peer)
                for fields in [Self.frame + ["Sec-Fetch-Site: same-origin"], ["Sec-Fetch-Site: same-origin"]] {
                    let inFrame = try await request("/p/\(peer)/x", port: port, fields: [host(port)] + fields)
                    #expect(inFrame.status >= 400 && !inFrame.body.contains("nickname"), "\(kind)")
                    #expect(!inFrame.body.contains("forced-colors"), "the theme, \(kind)")
                }
                let outside = try await request("/p/\(peer)/x", port: port)
                #expect(kind == .busy || outside.body.contains("Secret nickname"), "\(kind)")
            }
        }
    }

    @Test func onItsOriginASiteIsForTheShellsFrameOnly() async throws {
        try await withViewer(backend) { port in
            let table: [(fields: [String], status: Int)] = [
                (Self.frame + ["Sec-Fetch-Site: cross-site", "Referer: http://127.0.0.1:\(port)/"], 200),
                (Self.frame + ["Sec-Fetch-Site: same-origin"], 200),
                (Self.frame + ["Sec-Fetch-Site: cross-site"], 403),
                (Self.frame + ["Sec-Fetch-Site: cross-site", "Referer: http://evil.example/"], 403),
                (Self.frame + ["Sec-Fetch-Site: cross-site", "Referer: http://127.0.0.1:\(port)/p/x/"], 403),
                (["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: object", "Sec-Fetch-Site: same-origin"], 403),
                (["Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image", "Sec-Fetch-Site: cross-site"], 403),
                (["Sec-Fetch-Mode: same-origin", "Sec-Fetch-Dest: sharedworker", "Sec-Fetch-Site: same-origin"], 403),
                (["Service-Worker: script", "Sec-Fetch-Site: same-origin"], 403),
                (["Sec-Fetch-Mode: same-origin", "Sec-Fetch-Dest: worker", "Sec-Fetch-Site: same-origin"], 200),
            ]
            for (fields, status) in table {
                let answer = try await request("/p/\(peer)/", port: port, fields: [host(port)] + fields)
                #expect(answer.status == status, "\(fields)")
            }
            let tab = try await request("/p/\(peer)/?q=1", port: port, fields: [host(port)] + Self.typed)
            #expect(tab.status == 307)
            #expect(tab["location"] == "http://127.0.0.1:\(port)/p/\(peer)/?q=1")
        }
    }

    @Test func theShellFollowsTheFrame() async throws {
        try await withViewer(backend) { port in
            let before = try await request("/api/shell/site?peer=\(peer)", port: port)
            #expect(before.body.contains("\"path\":null"))
            for path in ["/", "/sub/x.html?a=%2F", "/missing"] {
                _ = try await request(
                    "/p/\(peer)\(path)", port: port, fields: [host(port), "Sec-Fetch-Site: same-origin"] + Self.frame)
                let after = try await request("/api/shell/site?peer=\(peer)", port: port)
                #expect(after.body.contains("\"path\":\"\(path)\""), "\(after.body)")
            }
            // A picture is no step.
            _ = try await request(
                "/p/\(peer)/", port: port, fields: [host(port), "Sec-Fetch-Site: same-origin", "Sec-Fetch-Dest: image"])
            #expect(try await request("/api/shell/site?peer=\(peer)", port: port).body.contains("/missing"))
        }
    }

    @Test func theShellHearsWhereALinkLeadsOut() async throws {
        let other = PrivateKey.generate().peerID
        backend.call(other, "Mum")
        try await withViewer(backend) { port in
            let step = [host(port), "Sec-Fetch-Site: same-origin"] + Self.frame
            func facts() async throws -> String {
                try await request("/api/shell/site?peer=\(peer)", port: port).body
            }
            _ = try await request("/p/\(peer)/sub/x.html", port: port, fields: step)
            for (path, target) in [
                ("/p/\(other)/a?b=c", "/p/\(other)/a?b=c"),
                ("/out?to=https%3A%2F%2Fout.example%2Fa%3Fb%23c", "https://out.example/a?b#c"),
                // What people pass on is the address of the usual viewer, whatever this one's is.
                ("/out?to=http%3A%2F%2F127.0.0.1%3A8080%2Fp%2F\(other)%2Fa%3Fb%3Dc%23d", "/p/\(other)/a?b=c#d"),
                ("/out?to=http%3A%2F%2Flocalhost%3A8080%2Fp%2F\(other)", "/p/\(other)/"),
                ("/out?to=http%3A%2F%2F127.0.0.1%3A\(port)%2Fp%2F\(other)%2F", "/p/\(other)/"),
                ("/out?to=http%3A%2F%2F127.0.0.1%3A\(port)%2Fsettings", "http://127.0.0.1:\(port)/settings"),
                ("/out?to=http%3A%2F%2F127.0.0.1%3A\(port)%2Fp%2Fnobody%2F", "http://127.0.0.1:\(port)/p/nobody/"),
                ("/out?to=http%3A%2F%2F127.0.0.2%3A8080%2Fp%2F\(other)%2F", "http://127.0.0.2:8080/p/\(other)/"),
            ] {
                #expect(try await request(path, port: port, fields: step).status == 403)
                let told = try await facts().replacing("\\/", with: "/")
                #expect(
                    told.contains("\"leads_to\":\"\(target)\"") && told.contains("\"path\":\"/sub/x.html\""), "\(told)")
                let whom = target.hasPrefix("/p/") ? "\"\(other.display(name: "Mum"))\"" : "null"
                #expect(told.contains("\"leads_to_whom\":\(whom)"), "\(told)")
            }
            // A part of a page asks for nothing, and what is no web address leads nowhere.
            _ = try await request("/p/\(peer)/sub/x.html", port: port, fields: step)
            let long = String(repeating: "x", count: 4097)
            for path in [
                "/out?to=javascript%3Aalert(1)", "/out?to=https%3A%2F%2Fa%20b", "/out?to=/p/", "/out",
                "/out?to=https%3A%2F%2F" + long,
            ] {
                #expect(try await request(path, port: port, fields: step).status == 404)
            }
            _ = try await request(
                "/p/\(other)/a", port: port,
                fields: [host(port), "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"])
            #expect(try await facts().contains("\"leads_to\":null"))
        }
    }

    @Test func aLinkToASiteItselfAsPeoplePassItOnLeadsToItsPage() async throws {
        try await withViewer(backend) { port in
            let token = try await token(port)
            let answer = try await post("/api/shell/capability", "{\"peer\":\"\(peer)\"}", port: port, token: token)
            let prefix = String(try #require(answer.body.split(separator: "\"").last { $0.hasPrefix("/c/") }))
            for viewer in ["127.0.0.1%3A8080", "127.0.0.1%3A\(port)", "localhost%3A\(port)"] {
                let way = "/out?to=http%3A%2F%2F\(viewer)%2Fp%2F\(peer)%2Fsub%2Fx.html%3Fa%23b"
                let fields = [host(port), "Sec-Fetch-Site: same-origin"] + Self.frame
                let moved = try await request(way, port: port, fields: fields)
                #expect(moved.status == 307 && moved["location"] == "/p/\(peer)/sub/x.html?a#b", "\(viewer)")
                let sealed = try await request(
                    prefix + way, port: port, fields: ["Sec-Fetch-Site: cross-site"] + Self.frame)
                #expect(sealed.status == 307 && sealed["location"] == prefix + "/p/\(peer)/sub/x.html?a#b", "\(viewer)")
            }
            #expect(try await request("/api/shell/site?peer=\(peer)", port: port).body.contains("\"leads_to\":null"))
        }
    }

    @Test func theEMailIsToldOnlyAfterConsent() async throws {
        try await withViewer(backend) { port in
            let fields = [host(port), "Sec-Fetch-Site: same-origin"]
            let token = try await token(port)
            #expect(try await !request("/api/self", port: port, fields: fields).body.contains("o@example.org"))
            let body = "{\"peer\":\"\(peer)\",\"email\":true}"
            #expect(try await post("/api/shell/consent", body, port: port, token: token).status == 200)
            #expect(try await request("/api/self", port: port, fields: fields).body.contains("o@example.org"))
            #expect(try await !request("/api/peers", port: port, fields: fields).body.contains("@example.org"))
            #expect(
                try await post("/api/shell/forget", "{\"peer\":\"\(peer)\"}", port: port, token: token).status == 200)
            #expect(try await !request("/api/self", port: port, fields: fields).body.contains("o@example.org"))
        }
    }

    @Test func onlyAKeptSiteHasAServiceWorkerAndOnlyInItsOwnFolder() async throws {
        try await withViewer(backend) { port in
            let engine =
                "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0"
            let worker = [
                "Service-Worker: script", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: same-origin",
                "Sec-Fetch-Dest: serviceworker",
            ]
            func status(_ path: String, _ fields: [String]) async throws -> Int {
                try await request(path, port: port, fields: [host(port)] + fields).status
            }
            let path = "/p/\(peer)/sub/x.html"
            #expect(try await status(path, worker + [engine]) == 403)
            let token = try await token(port)
            let body = "{\"peer\":\"\(peer)\"}"
            #expect(try await post("/api/shell/keep", body, port: port, token: nil).status == 403)
            #expect(try await post("/api/shell/keep", body, port: port, token: token).body == "{\"kept\":true}")
            #expect(try await request("/api/shell/site?peer=\(peer)", port: port).body.contains("\"kept\":true"))
            #expect(try await status(path, worker + [engine]) == 200)
            // Nobody would hold the pages of such a worker to the policy of the frame.
            #expect(try await status(path, worker) == 403)
            #expect(try await status("/sdk/goop-data.js", worker + [engine]) == 403)
            let shared = ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Dest: sharedworker", engine]
            #expect(try await status(path, shared) == 403)
            let foreign = [
                "Service-Worker: script", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: serviceworker", engine,
            ]
            #expect(try await status(path, foreign) == 403)
            #expect(try await post("/api/shell/forget", body, port: port, token: token).status == 200)
            #expect(try await status(path, worker + [engine]) == 403)
        }
    }

    @Test func onlyThePagesOfTheViewerHaveASiteForgotten() async throws {
        try await withViewer(backend) { port in
            let table: [(fields: [String], clears: Bool)] = [
                (
                    ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Referer: http://127.0.0.1:\(port)/"],
                    false
                ),
                (Self.frame + ["Sec-Fetch-Site: cross-site", "Referer: http://127.0.0.1:\(port)/"], true),
                (["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"], false),
                (["Sec-Fetch-Site: cross-site", "Referer: http://evil.example/"], false),
                (["Sec-Fetch-Site: same-origin"], false),
            ]
            for (fields, clears) in table {
                let answer = try await request("/forget", port: port, fields: [host(port)] + fields)
                #expect((answer["clear-site-data"] != nil) == clears, "\(fields)")
            }
            // Nothing else opens to them.
            let file = try await request(
                "/p/\(peer)/", port: port, fields: [host(port)] + table[0].fields)
            #expect(file.status == 403)
        }
    }

    /// A visit may end in a tab that does not know that another one keeps the site.
    @Test func aKeptSiteIsClearedOnlyAfterItIsForgotten() async throws {
        try await withViewer(backend) { port in
            let token = try await token(port)
            let body = "{\"peer\":\"\(peer)\"}"
            let fields =
                [host(port), "Sec-Fetch-Site: cross-site", "Referer: http://127.0.0.1:\(port)/"] + Self.frame
            for (route, clears) in [("keep", false), ("forget", true)] {
                #expect(try await post("/api/shell/\(route)", body, port: port, token: token).status == 200)
                let answer = try await request("/forget", port: port, fields: fields)
                #expect(answer.status == 200 && (answer["clear-site-data"] != nil) == clears, "\(route)")
            }
        }
    }

    @Test func theControlGuardHoldsWithoutEachOfItsProofs() async throws {
        try await withViewer(backend) { port in
            let token = try await token(port)
            let body = "{\"peer\":\"\(peer)\",\"email\":true}"
            let path = "/api/shell/consent"
            let own = "Origin: http://127.0.0.1:\(port)"
            let refused: [(token: String?, fields: [String], type: String, status: Int)] = [
                (nil, [own, "Sec-Fetch-Site: same-origin"], "application/json", 403),
                (String(token.reversed()), [own], "application/json", 403),
                (token, ["Origin: http://evil.example"], "application/json", 403),
                (token, ["Origin: null"], "application/json", 403),
                (token, ["Origin: http://\(peer.base36).localhost:\(port)"], "application/json", 403),
                (token, ["Sec-Fetch-Site: cross-site"], "application/json", 403),
                (token, ["Sec-Fetch-Site: same-site"], "application/json", 403),
                (token, ["Sec-Fetch-Site: none"], "application/json", 403),
                (token, ["Referer: http://127.0.0.1:\(port)/p/\(peer)/"], "application/json", 403),
                (token, [own], "text/plain", 400), (token, [own], "application/x-www-form-urlencoded", 400),
                (token, [host(port), own], "application/json", 403),
                (token, ["Host: evil.example"], "application/json", 421),
            ]
            for one in refused {
                let answer = try await post(
                    path, body, port: port, token: one.token, fields: one.fields, type: one.type)
                #expect(answer.status == one.status, "\(one)")
                #expect(answer["access-control-allow-origin"] == nil)
            }
            #expect(await !backend.hasConsent(.email, for: peer))
            let large = try await request(
                path, method: "POST", port: port,
                fields: ["Content-Type: application/json", "X-Goop-Token: \(token)", "Content-Length: 70000"])
            #expect(large.status == 413)
            let onSite = try await request(
                path, method: "POST", port: port,
                fields: [
                    "Content-Type: application/json", "X-Goop-Token: \(token)", "Content-Length: \(body.utf8.count)",
                    host(port), "Origin: http://\(peer.base36).localhost:\(port)", "Sec-Fetch-Site: same-origin",
                ], body: body)
            #expect(onSite.status == 404 || onSite.status == 403)
            #expect(await !backend.hasConsent(.email, for: peer))
            let accepted = try await post(
                path, body, port: port, token: token, fields: [own, "Sec-Fetch-Site: same-origin"])
            #expect(accepted.status == 200)
        }
    }

    @Test func aSecretPathOpensOneSiteAndNothingElse() async throws {
        try await withViewer(backend) { port in
            let token = try await token(port)
            let answer = try await post("/api/shell/capability", "{\"peer\":\"\(peer)\"}", port: port, token: token)
            let prefix = String(try #require(answer.body.split(separator: "\"").last { $0.hasPrefix("/c/") }))
            let opaque = [
                "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty",
            ]
            let file = try await request("\(prefix)/p/\(peer)/", port: port, fields: opaque)
            #expect(file.body == "page")
            // The frame gets the script for links out here too.
            let shown = try await request(
                "\(prefix)/p/\(peer)/", port: port, fields: ["Sec-Fetch-Site: cross-site"] + Self.frame)
            #expect(shown.body == "page" + FramePage.line)
            #expect(file["access-control-allow-origin"] == "null")
            #expect(file["access-control-allow-credentials"] == nil)
            #expect(file["cross-origin-resource-policy"] == "cross-origin")
            let policy = try #require(file["content-security-policy"])
            #expect(policy.hasPrefix("sandbox allow-scripts allow-forms allow-downloads;"))
            #expect(!policy.contains("allow-same-origin"))
            #expect(try await request("\(prefix)/api/self", port: port, fields: opaque).status == 200)
            #expect(try await request("\(prefix)/sdk/goop-data.js", port: port, fields: opaque).status == 200)
            // By the usual address too: a sealed page says neither its origin nor its address.
            let script = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"]
            let sdk = try await request("/sdk/goop-data.js", port: port, fields: script)
            #expect(sdk.status == 200 && sdk["cross-origin-resource-policy"] == "cross-origin")
            let referred = script + ["Referer: http://evil.example/"]
            #expect(try await request("/sdk/goop-data.js", port: port, fields: referred).status == 403)
            let other = PrivateKey.generate().peerID
            for path in [
                "/p/\(other)/", "/", "/api/events", "/assets/viewer.js", "/api/shell/site?peer=\(peer)", "/c/x/",
            ] {
                #expect(try await request(prefix + path, port: port, fields: opaque).status == 404, "\(path)")
            }
            #expect(
                try await request("\(prefix)/p/\(peer)/", port: port, fields: ["Origin: http://evil.example"]).status
                    == 403)
            #expect(try await request("/c/guess/p/\(peer)/", port: port, fields: opaque).status == 403)
            let asked = try await request(
                "\(prefix)/api/p/\(peer)/data/find", method: "OPTIONS", port: port, fields: opaque)
            #expect(asked.status == 204)
            #expect(asked["access-control-allow-origin"] == "null")
            let link = try await request("\(prefix)/p/\(peer)", port: port, fields: opaque)
            #expect(link["location"] == "\(prefix)/p/\(peer)/")
            // Another tab may show the site, and goes on with it.
            _ = try await post("/api/shell/forget", "{\"peer\":\"\(peer)\"}", port: port, token: token)
            #expect(try await request("\(prefix)/p/\(peer)/", port: port, fields: opaque).status == 200)
            _ = try await post("/api/shell/leave", "{\"peer\":\"\(peer)\"}", port: port, token: token)
            #expect(try await request("\(prefix)/p/\(peer)/", port: port, fields: opaque).status == 403)
        }
    }

    @Test func aSecretPathEndsWithTheVisit() async throws {
        try await withViewer(backend) { port in
            let token = try await token(port)
            let body = "{\"peer\":\"\(peer)\"}"
            let opaque = ["Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"]
            let answer = try await post("/api/shell/capability", body, port: port, token: token)
            let prefix = String(try #require(answer.body.split(separator: "\"").last { $0.hasPrefix("/c/") }))
            #expect(try await request("\(prefix)/api/peers", port: port, fields: opaque).status == 200)
            #expect(try await post("/api/shell/leave", body, port: port, token: token).status == 200)
            #expect(try await request("\(prefix)/api/peers", port: port, fields: opaque).status == 403)
            let next = try await post("/api/shell/capability", body, port: port, token: token)
            #expect(next.body.contains("/c/") && next.body != answer.body)
        }
    }

    /// The bar around a sealed site needs connections to the same address, of which some browsers open six.
    @Test func aSealedSiteHasTwoStreamsAtATime() async throws {
        try await withViewer(backend) { port in
            let token = try await token(port)
            let body = "{\"peer\":\"\(peer)\"}"
            let answer = try await post("/api/shell/capability", body, port: port, token: token)
            let prefix = String(try #require(answer.body.split(separator: "\"").last { $0.hasPrefix("/c/") }))
            let path = "/api/p/\(peer)/data/subscribe?table=a"
            let ready = "event: ready\n"
            let opaque = [
                "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty",
            ]
            let sealed =
                "GET \(prefix)\(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n"
                + opaque.joined(separator: "\r\n") + "\r\n\r\n"
            try await RawConnection.open(port: port) { first in
                try await first.send(sealed)
                _ = try await first.read(until: ready)
                try await RawConnection.open(port: port) { second in
                    try await second.send(sealed)
                    _ = try await second.read(until: ready)
                    for path in [path, "/api/p/\(peer)/watch"] {
                        let third = try await request(prefix + path, port: port, fields: opaque)
                        #expect(third.status == 503 && third.body.contains("too many open streams"), "\(path)")
                    }
                    let question = try await request("\(prefix)/api/peers", port: port, fields: opaque)
                    #expect(question.status == 200, "no stream")
                    try await RawConnection.open(port: port) { own in
                        try await own.send("GET \(path) HTTP/1.1\r\n\(host(port))\r\n\r\n")
                        _ = try await own.read(until: ready)
                    }
                }
            }
        }
    }

    /// A browser that is still sending when the connection is closed tells the page of a fault of the network, and not of the answer.
    @Test func aBodyThatIsTooLargeIsReadBehindItsRefusal() async throws {
        try await withViewer(backend) { port in
            try await RawConnection.open(port: port) { connection in
                try await connection.send(
                    "POST /api/p/\(peer)/data/insert HTTP/1.1\r\n\(host(port))\r\nContent-Type: application/json\r\n"
                        + "Content-Length: 3000000\r\n\r\n")
                let refused = try await connection.read(until: "\"code\":\"too_large\"")
                #expect(refused.hasPrefix("HTTP/1.1 413"))
                #expect(!refused.lowercased().contains("connection: close"))
                for _ in 0..<3 { try await connection.send(String(repeating: "a", count: 1_000_000)) }
                try await connection.send("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n")
                _ = try await connection.read(until: "ok\n")
            }
            #expect(backend.asked.isEmpty)
        }
    }

    @Test func theProbeAnswersTheViewersPageOnly() async throws {
        try await withViewer(backend) { port in
            let probe = try await request(
                "/probe", port: port, fields: ["Host: abcdefgh1.localhost:\(port)", "Origin: http://127.0.0.1:\(port)"])
            #expect(probe.status == 204)
            #expect(probe["access-control-allow-origin"] == "http://127.0.0.1:\(port)")
            for fields in [[], ["Origin: http://evil.example"], ["Sec-Fetch-Site: cross-site"]] {
                let other = try await request(
                    "/probe", port: port, fields: ["Host: abcdefgh1.localhost:\(port)"] + fields)
                #expect(other.status == 403)
                #expect(other["cross-origin-resource-policy"] == "same-origin")
            }
            for (path, name) in [
                ("/", "abcdefgh1"), ("/probe", "abc"), ("/probe", "abcdefgh.x"), ("/api/peers", "abcdefgh1"),
            ] {
                let answer = try await request(path, port: port, fields: ["Host: \(name).localhost:\(port)"])
                #expect(answer.status == 421, "\(name) \(path)")
            }
        }
    }

    @Test func forgettingIsForTheShellOnly() async throws {
        try await withViewer(backend) { port in
            let fields = [host(port), "Sec-Fetch-Site: cross-site"] + Self.frame
            let forgotten = try await request(
                "/forget", port: port, fields: fields + ["Referer: http://127.0.0.1:\(port)/"])
            #expect(forgotten.status == 200)
            #expect(forgotten["clear-site-data"] == "\"cookies\", \"storage\"")
            #expect(forgotten.body.ranges(of: "<iframe").count == 1, "what tells this page from one about an error")
            #expect(try await request("/forget", port: port, fields: fields)["clear-site-data"] == nil)
            let own = try await request(
                "/forget", port: port, fields: [host(port), "Sec-Fetch-Site: same-origin"] + Self.frame)
            #expect(own["clear-site-data"] == nil)
        }
    }

    @Test func tablesAreBounded() {
        let peers = (0..<3).map { _ in PrivateKey.generate().peerID }
        let capabilities = CapabilityTable(limit: 2)
        let tokens = peers.map { capabilities.token(of: $0) }
        #expect(Set(tokens).count == 3)
        #expect(tokens.map { capabilities.peer(of: $0) } == [nil, peers[1], peers[2]])
        #expect(capabilities.token(of: peers[1]) == tokens[1])
        let frames = FrameWatch(limit: 2, unixMilliseconds: 0)
        for peer in peers { frames.moved(peer, to: "/") }
        #expect(peers.map { frames.last(of: $0) != nil } == [false, true, true])
    }

    /// A shell that stays open over a restart of the viewer takes only a step with a higher number for a new one.
    @Test(arguments: [1_796_000_000_000, 4_000_000_000_000] as [Int64])
    func theStepsOfALaterRunHaveHigherNumbers(start: Int64) throws {
        let earlier = FrameWatch(unixMilliseconds: start)
        for _ in 0..<1000 { earlier.moved(peer, to: "/") }
        let later = FrameWatch(unixMilliseconds: start + 1)
        later.moved(peer, to: "/")
        let numbers = try [earlier, later].map { try #require($0.last(of: peer)).sequence }
        #expect(numbers[0] < numbers[1])
    }

    @Test(arguments: [Int64.min, 0, Int64.max]) func theNumberOfAStepFitsIntoABrowsers(start: Int64) throws {
        let frames = FrameWatch(unixMilliseconds: start)
        frames.moved(peer, to: "/")
        let number = try #require(frames.last(of: peer)).sequence
        #expect(number > 0 && number < 1 << 53)
    }
}
