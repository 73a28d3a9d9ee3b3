import Foundation
import GoopCore
import HummingbirdCore
import NIOCore
import PeerIdentity
import Testing

@testable import GoopHTTP

@Suite("Pages and data", .timeLimit(.minutes(1))) struct PageTests {
    @Test(arguments: [
        "/", "/peers", "/self", "/assets/viewer.css", "/assets/viewer.js", "/assets/identicon.js", "/assets/icon.svg",
        "/api/self", "/api/peers", "/healthz", "/readyz", "/nothing", "/assets/", "/assets/../viewer.js",
    ])
    func everyAnswerOfTheViewerCarriesTheGuards(_ path: String) async throws {
        try await withViewer { port in
            let answer = try await request(path, port: port)
            let policy = try #require(answer["content-security-policy"])
            #expect(policy.hasPrefix("default-src 'none'"))
            #expect(!policy.contains("unsafe"))
            #expect(policy.contains("frame-ancestors 'none'"))
            #expect(policy.contains("base-uri 'none'") && policy.contains("form-action 'none'"))
            // Where there is script at all, no text becomes markup, and none but one address a worker.
            #expect(
                !policy.contains("script-src")
                    || policy.contains("require-trusted-types-for 'script'; trusted-types goop-streams"))
            #expect(answer["x-content-type-options"] == "nosniff")
            #expect(answer["x-frame-options"] == "DENY")
            #expect(answer["cross-origin-opener-policy"] == "same-origin")
            #expect(answer["cross-origin-resource-policy"] == "same-origin")
            #expect(answer["referrer-policy"] == "no-referrer")
            #expect(answer["permissions-policy"]?.contains("geolocation=()") == true)
            #expect(answer["access-control-allow-origin"] == nil)
            #expect(answer["cache-control"] != nil)
        }
    }

    @Test(arguments: RoomPage.all.map(\.path))
    func aRoomLoadsOnlyItsOwnFiles(path: String) throws {
        let token = ControlToken()
        let assets = WebAssets(token: token, isInner: true)
        let page = try #require(assets.rooms[path]).markup
        #expect(page.contains("content=\"\(token.text)\""))
        #expect(page.matches(of: /<main id="content"/).count == 1 && page.matches(of: /aria-current="page"/).count == 1)
        #expect(!page.contains("style=") && !page.contains("onclick") && !page.contains("{{"))
        #expect(page.matches(of: /<script[^>]*>[^<]/).isEmpty, "inline script")
        for link in page.matches(of: /(?:src|href)="(\/assets\/[^"]*)"/) {
            #expect(assets.byPath[String(link.1)] != nil, "\(link.1)")
        }
    }

    /// A path is a person's text: in quotes for a shell, and escaped for a page. Whoever is elsewhere can start nothing here.
    @Test func theRoomsOnThisComputerKnowHowToStartItAgain() throws {
        let command = "goop2 peer '/srv/a \"b\" <c>/me'"
        for path in RoomPage.all.map(\.path) {
            let inner = WebAssets(token: ControlToken(), isInner: true, startCommand: command)
            let page = try #require(inner.rooms[path]).markup
            let told =
                "<meta name=\"goop-start\" content=\"goop2 peer &#39;/srv/a &quot;b&quot; &lt;c&gt;/me&#39;\">\n<link"
            #expect(page.contains(told), "\(path)")
            for silent in [
                WebAssets(token: ControlToken(), isInner: false, startCommand: command),
                WebAssets(token: ControlToken(), isInner: true),
            ] {
                let page = try #require(silent.rooms[path]).markup
                #expect(!page.contains("goop-start") && !page.contains("goop2 peer &#39;"), "\(path)")
            }
        }
    }

    /// What the head of each kind of page says of its colours, from its first byte on; the system's forced colours win.
    @Test(arguments: [
        (ViewerTheme.auto, "light dark", "(prefers-color-scheme: dark)"),
        (.dark, "dark", "(forced-colors: none), (prefers-color-scheme: dark)"),
        (.light, "light", "(forced-colors: active) and (prefers-color-scheme: dark)"),
    ])
    func everyPageHasTheThemeOfTheSettings(theme: ViewerTheme, modes: String, condition: String) async throws {
        let backend = FakeBackend()
        let peer = PrivateKey.generate().peerID
        // A name that looks like the place of a theme stays a name.
        backend.call(peer, "content=\"light dark\" (prefers-color-scheme: dark)")
        backend.set(.failing(SiteError(kind: .unreachable)), of: peer)
        backend.prefer { $0.theme = theme }
        try await withViewer(backend) { port in
            let typed = ["Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"]
            for (path, fields) in [("/", []), ("/settings", []), ("/p/\(peer)/", typed)] {
                let page = try await request(path, port: port, fields: fields).body
                #expect(page.contains("<meta name=\"color-scheme\" content=\"\(modes)\">"), "\(path)")
                #expect(
                    page.contains("<link rel=\"stylesheet\" href=\"/assets/dark.css\" media=\"\(condition)\">"),
                    "\(path)")
            }
            for path in ["/nothing", "/p/\(peer)/"] {
                let notice = try await request(path, port: port).body
                #expect(notice.contains("<meta name=\"color-scheme\" content=\"\(modes)\">"), "\(path)")
                #expect(notice.contains("@media \(condition){"), "\(path)")
                #expect(path == "/nothing" || notice.contains("light dark&quot; (prefers-color-scheme: dark) ("))
            }
            let shell = try await request("/p/\(peer)/", port: port, fields: typed).body
            #expect(shell.contains("<h1 class=\"whose-name\"><bdi id=\"name\">content=&quot;light dark&quot; (prefers"))
        }
        let login = LoginPage(
            headers: SecurityHeaders(origin: "https://me.example"),
            style: WebAssets(token: ControlToken(), isInner: false).loginStyle, backend: backend)
        let collected = Collected()
        try await login.page(next: "/").body.write(collected)
        let text = String(decoding: collected.bytes, as: UTF8.self)
        #expect(text.contains("content=\"\(modes)\">") && text.matches(of: /@media/).count == 2)
        #expect(!text.replacing("@media \(condition){", with: "").contains("@media"))
    }

    @Test func theListOfPeopleIsAsTheSettingsSay() async throws {
        let backend = FakeBackend()
        try await withViewer(backend) { port in
            let usual = try await request("/", port: port).body
            #expect(usual.contains("data-unverified=\"shown\" data-sites=\"here\""))
            backend.prefer {
                $0.hidesUnverified = true
                $0.opensSitesInNewTab = true
            }
            let chosen = try await request("/", port: port).body
            #expect(chosen.contains("data-unverified=\"hidden\" data-sites=\"new-tab\""))
        }
    }

    @Test func theRoomsSayWhereSomebodyClaimsToBeThisPeer() async throws {
        let backend = FakeBackend()
        try await withViewer(backend) { port in
            #expect(try await !request("/", port: port).body.contains("id=\"twin\""))
            backend.set(twinAt: "192.168.1.7, <b>")
            for room in RoomPage.all {
                let page = try await request(room.path, port: port).body
                #expect(page.contains("Somebody at 192.168.1.7, &lt;b&gt; says on the local network"), "\(room.path)")
            }
            backend.set(twinAt: "this computer")
            #expect(try await request("/", port: port).body.contains("Another program on the same computer says"))
            backend.set(twinAt: nil)
            #expect(try await !request("/", port: port).body.contains("id=\"twin\""))
        }
    }

    @Test func theFilesOfTheRoomsAskNobodyElse() {
        var files = RoomPage.all.map(\.content)
        files += WebAssets(token: ControlToken(), isInner: true).byPath.values.map { Array($0.body.readableBytesView) }
        for bytes in files {
            let text = String(decoding: bytes, as: UTF8.self).replacing("http://www.w3.org/2000/svg", with: "")
            #expect(!text.contains("https://") && !text.contains("innerHTML"))
            #expect(!text.contains("eval(") && !text.contains("document.write"))
        }
    }

    @Test func assetsAreRevalidated() async throws {
        try await withViewer { port in
            let first = try await request("/assets/viewer.css", port: port)
            let tag = try #require(first["etag"])
            #expect(first["cache-control"] == "no-cache")
            let second = try await request("/assets/viewer.css", port: port, fields: ["If-None-Match: \(tag)"])
            #expect(second.status == 304)
            #expect(second.body.isEmpty)
        }
    }

    @Test func ownSiteAndOldAddresses() async throws {
        let backend = FakeBackend()
        backend.set(.files(["/": .init("mine")]), of: backend.owner.id)
        try await withViewer(backend) { port in
            #expect(try await request("/peers", port: port)["location"] == "/")
            let own = try #require(try await request("/self", port: port)["location"])
            #expect(own == "/p/\(backend.owner.id)/")
            #expect(try await request(own, port: port).body == "mine")
        }
    }

    @Test func selfHasUpstreamsShape() async throws {
        let backend = FakeBackend(
            owner: SelfProfile(
                id: PrivateKey.generate().peerID, label: "O\"</script>\u{2028}", email: "a@b", avatarHash: "0f"))
        try await withViewer(backend) { port in
            let answer = try await request("/api/self", port: port)
            #expect(answer["content-type"] == "application/json")
            let object = try #require(
                try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: String])
            #expect(
                object == [
                    "id": backend.owner.id.base58, "label": "O\"</script>\u{2028}", "email": "a@b", "avatar_hash": "0f",
                ])
        }
    }

    @Test func peersHaveUpstreamsShape() async throws {
        let backend = FakeBackend()
        let id = PrivateKey.generate().peerID
        var entry = PeerEntry.sample(id, label: "<img src=x onerror=alert(1)>\n\u{0}")
        entry.publicKey = "a2V5"
        entry.favorite = true
        backend.apply(.updated(entry))
        backend.apply(.updated(.sample(PrivateKey.generate().peerID)))
        try await withViewer(backend) { port in
            let answer = try await request("/api/peers", port: port)
            let list = try #require(
                try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [[String: Any]])
            #expect(list.count == 2)
            let ids = list.compactMap { $0["ID"] as? String }
            #expect(ids == ids.sorted())
            let object = try #require(list.first { $0["ID"] as? String == id.base58 })
            #expect(
                Set(object.keys) == [
                    "ID", "Content", "Email", "AvatarHash", "VideoDisabled", "ActiveTemplate", "PublicKey", "Verified",
                    "Reachable", "Offline", "LastSeen", "Favorite",
                ])
            #expect(object["Content"] as? String == "<img src=x onerror=alert(1)>\n\u{0}")
            #expect(object["LastSeen"] as? String == "2026-11-24T06:15:06.123Z")
            #expect(object["Favorite"] as? Bool == true)
            let other = try #require(list.first { $0["ID"] as? String != id.base58 })
            #expect(other["PublicKey"] == nil)
        }
    }

    @Test func readinessSaysWhatIsMissing() async throws {
        let backend = FakeBackend()
        try await withViewer(backend) { port in
            #expect(try await request("/readyz", port: port).status == 200)
            backend.set(
                Readiness(components: [
                    .init(name: "node", isReady: true), .init(name: "discovery", isReady: false, detail: "no network"),
                ]))
            let answer = try await request("/readyz", port: port)
            #expect(answer.status == 503)
            #expect(answer.body.contains("no network"))
            #expect(try await request("/healthz", port: port).body == "ok\n")
        }
    }

    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (-5, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (Int64.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ])
    func dates(_ seconds: Int64, _ text: String) {
        #expect(HTTPDate.headerValue(unixSeconds: seconds) == text)
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (1_795_500_906_007, "2026-11-24T06:15:06.007Z"),
        (Int64.min, "1970-01-01T00:00:00.000Z"), (Int64.max, "9999-12-31T23:59:59.999Z"),
    ])
    func timestamps(_ milliseconds: Int64, _ text: String) {
        #expect(HTTPDate.rfc3339(unixMilliseconds: milliseconds) == text)
    }

    @Test func interpolatedTextIsEscaped() {
        let foreign = "<a href='x' title=\"y\">&"
        let html: HTMLText = "<p title=\"\(foreign)\">\(foreign)</p>"
        let escaped = "&lt;a href=&#39;x&#39; title=&quot;y&quot;&gt;&amp;"
        #expect(html.markup == "<p title=\"\(escaped)\">\(escaped)</p>")
    }
}
