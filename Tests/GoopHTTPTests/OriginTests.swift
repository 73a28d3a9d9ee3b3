import GoopCore
import PeerIdentity
import Testing

@testable import GoopHTTP

/// What a browser says for each kind of request, as seen in Chromium.
private enum Browser {
    static let typed = [
        "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-User: ?1",
    ]
    static let viewerLink = [
        "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-User: ?1",
    ]
    static let foreignLink = [
        "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-User: ?1",
    ]
    static let foreignScriptNavigation = [
        "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document",
    ]
    static let foreignFrame = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"]
    static let foreignImage = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"]
    static let opaqueFetch = [
        "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty",
    ]
    static let foreignFetch = [
        "Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty",
    ]
    static let sameSiteFetch = [
        "Origin: http://abc.localhost:1", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty",
    ]
    static let viewerFetch = ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"]
    static let serviceWorker = [
        "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: same-origin", "Sec-Fetch-Dest: serviceworker",
        "Service-Worker: script",
    ]
    static let oldOpaqueFetch = ["Origin: null"]
    static let oldForeignFetch = ["Origin: http://evil.example"]
}

@Suite("Who may ask what", .timeLimit(.minutes(1))) struct OriginTests {
    private let peer = PrivateKey.generate().peerID
    private static let data = [
        "/api/self", "/api/peers", "/api/events", "/api/mq/events", "/readyz", "/assets/viewer.js",
    ]

    private func backend() -> FakeBackend {
        let backend = FakeBackend()
        backend.set(.files(["/": .init("page"), "/a.js": .init("script")]), of: peer)
        backend.apply(.updated(.sample(peer, label: "Secret name")))
        return backend
    }

    @Test(arguments: [
        Browser.foreignImage, Browser.opaqueFetch, Browser.foreignFetch, Browser.sameSiteFetch, Browser.foreignFrame,
        Browser.foreignLink, Browser.oldOpaqueFetch, Browser.oldForeignFetch,
    ])
    func viewerDataIsNotForOtherPages(_ fields: [String]) async throws {
        try await withViewer(backend()) { port in
            // Also when the site that asks is being visited.
            _ = try await request("/p/\(peer)/", port: port, fields: Browser.typed)
            for path in Self.data {
                let answer = try await request(path, port: port, fields: fields)
                #expect(answer.status == 403, "\(path)")
                #expect(!answer.body.contains("Secret name") && !answer.body.contains("Owner"), "\(path)")
                #expect(answer["access-control-allow-origin"] == nil, "\(path)")
            }
        }
    }

    @Test func aSiteThatSendsItsRefererIsRefused() async throws {
        try await withViewer(backend()) { port in
            let answer = try await request(
                "/api/peers", port: port, fields: ["Referer: http://127.0.0.1:\(port)/p/\(peer)/"])
            #expect(answer.status == 403)
        }
    }

    @Test func ownPagesAndProgramsGetTheData() async throws {
        try await withViewer(backend()) { port in
            for fields in [Browser.viewerFetch, Browser.typed, [], ["Origin: http://127.0.0.1:\(port)"]] {
                let answer = try await request("/api/peers", port: port, fields: fields)
                #expect(answer.status == 200)
                #expect(answer.body.contains("Secret name"))
                #expect(answer["access-control-allow-origin"] == nil)
                #expect(answer["cross-origin-resource-policy"] == "same-origin")
            }
        }
    }

    @Test func theFrontPageMayBeLinkedButNotFramed() async throws {
        try await withViewer(backend()) { port in
            for (fields, status) in [
                (Browser.foreignLink, 200), (Browser.foreignFrame, 403), (Browser.foreignImage, 403),
            ] {
                let answer = try await request("/", port: port, fields: fields)
                #expect(answer.status == status)
            }
        }
    }

    /// Parts of a site live on its own origin; on the viewer's no page elsewhere gets any, visited or not.
    @Test func partsOfASiteAreNotForOtherPages() async throws {
        let backend = backend()
        try await withViewer(backend) { port in
            for isVisited in [false, true] {
                if isVisited {
                    #expect(try await request("/p/\(peer)/", port: port, fields: Browser.viewerLink).status == 200)
                }
                for fields in [Browser.foreignImage, Browser.opaqueFetch, Browser.foreignFetch, Browser.foreignFrame] {
                    let answer = try await request("/p/\(peer)/a.js", port: port, fields: fields)
                    #expect(answer.status == 403)
                    #expect(answer["access-control-allow-origin"] == nil)
                    #expect(answer["cross-origin-resource-policy"] == "same-origin")
                }
            }
            #expect(backend.opened.isEmpty, "a page elsewhere made this peer dial somebody")
        }
    }

    /// Browsers without fetch metadata, and programs, get the file itself. A sandboxed frame elsewhere would look like a page
    /// of the site, so no script with an opaque origin reads anything here, whatever was opened before.
    @Test func oldBrowsersGetTheFileAndScriptsWithoutOriginNothing() async throws {
        let backend = backend()
        try await withViewer(backend) { port in
            for opening in [[], Browser.typed] {
                let opened = try await request("/p/\(peer)/", port: port, fields: opening)
                #expect(opened.status == 200 && opened["access-control-allow-origin"] == nil)
                let page = try await request("/p/\(peer)/", port: port)
                #expect(page.status == 200 && page.body == "page")
                #expect(page["content-security-policy"]?.hasPrefix("sandbox allow-scripts allow-forms;") == true)
                #expect(page["cross-origin-resource-policy"] == "same-origin")
                let asked = backend.opened.count
                for fields in [Browser.oldOpaqueFetch, Browser.oldForeignFetch] {
                    let script = try await request("/p/\(peer)/a.js", port: port, fields: fields)
                    #expect(script.status == 403)
                    #expect(script["access-control-allow-origin"] == nil)
                    #expect(script["cross-origin-resource-policy"] == "same-origin")
                }
                #expect(backend.opened.count == asked, "a page elsewhere made this peer dial somebody")
            }
        }
    }

    /// A picture of a page elsewhere that leaves out its address looks like a program: it must open nothing.
    @Test func aRequestThatTellsNothingOpensNoSite() async throws {
        try await withViewer(backend()) { port in
            #expect(try await request("/p/\(peer)/a.js", port: port).status == 200)
            let pushed = try await request("/p/\(peer)/", port: port, fields: Browser.foreignScriptNavigation)
            #expect(pushed.status == 403)
            #expect(pushed.body.contains("Open this site?"))
        }
    }

    @Test(arguments: [Browser.foreignFetch, Browser.sameSiteFetch, Browser.foreignFrame, Browser.serviceWorker])
    func othersNeverReadASite(_ fields: [String]) async throws {
        try await withViewer(backend()) { port in
            _ = try await request("/p/\(peer)/", port: port, fields: Browser.typed)
            let answer = try await request("/p/\(peer)/a.js", port: port, fields: fields)
            #expect(answer["access-control-allow-origin"] == nil)
            #expect(answer.status == 403)
        }
    }

    @Test func aScriptElsewhereCannotOpenASiteWithoutAClick() async throws {
        let backend = backend()
        try await withViewer(backend) { port in
            let pushed = try await request("/p/\(peer)/?a=%3C", port: port, fields: Browser.foreignScriptNavigation)
            #expect(pushed.status == 403)
            #expect(pushed.body.contains("href=\"/p/\(peer)/?a=%3C\""))
            #expect(backend.opened.isEmpty)
            #expect(try await request("/p/\(peer)/", port: port, fields: Browser.foreignLink).status == 200)
            #expect(try await request("/p/\(peer)/", port: port, fields: Browser.foreignScriptNavigation).status == 200)
        }
    }

    @Test func visitedSitesAreBounded() {
        let visited = VisitedSites(limit: 2)
        let peers = (0..<3).map { _ in PrivateKey.generate().peerID }
        visited.insert(peers[0])
        visited.insert(peers[1])
        visited.insert(peers[0])
        visited.insert(peers[2])
        #expect(peers.map(visited.contains) == [true, false, true])
    }
}
