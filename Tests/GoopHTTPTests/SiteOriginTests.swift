import GoopCore
import PeerIdentity
import Testing

@testable import GoopHTTP

/// The origin of a peer's site: that site, the SDK, its tables, and nothing else.
@Suite struct SiteOriginTests {
    let backend = FakeBackend()
    let peer = PrivateKey.generate().peerID

    init() {
        backend.set(.files(["/": .init("<p>hello")]), of: peer)
        backend.apply(.updated(.sample(peer)))
    }

    private func host(_ port: Int, of peer: PeerID? = nil) -> String {
        "Host: \((peer ?? self.peer).base36).localhost:\(port)"
    }

    @Test func theSiteAndItsTablesAreThereAndNothingElse() async throws {
        backend.answer(.success(.array([["_id": .integer(1)]])))
        try await withViewer(backend) { port in
            let page = try await request("/p/\(peer.base58)/", port: port, fields: [host(port)])
            #expect(page.status == 200)
            #expect(page.body == "<p>hello")
            #expect(page["Content-Security-Policy"]?.contains("allow-same-origin") == true)
            #expect(
                page["Content-Security-Policy"]?.contains("frame-ancestors http://127.0.0.1:\(port)") == true)
            #expect(try await request("/sdk/goop-data.js", port: port, fields: [host(port)]).status == 200)
            let body = #"{"table":"t"}"#
            let rows = try await request(
                "/api/p/\(peer.base58)/data/find", method: "POST", port: port,
                fields: [
                    host(port), "Content-Type: application/json", "Content-Length: \(body.utf8.count)",
                    "Origin: http://\(peer.base36).localhost:\(port)", "Sec-Fetch-Site: same-origin",
                ], body: body)
            #expect(rows.status == 200)
            #expect(rows.body == #"[{"_id":1}]"#)
            for path in ["/", "/peers", "/self", "/assets/viewer.js", "/api/events", "/api/mq/events", "/healthz"] {
                #expect(try await request(path, port: port, fields: [host(port)]).status == 404, "\(path)")
            }
            let other = PrivateKey.generate().peerID
            #expect(try await request("/p/\(other.base58)/", port: port, fields: [host(port)]).status == 404)
            let foreign = try await request(
                "/api/p/\(other.base58)/data/tables", port: port, fields: [host(port)])
            #expect(foreign.status == 403)
        }
    }

    /// Upstream's SDK asks there, and gets the visitor's own; a page wants to know what its owner says.
    @Test func theTemplateIsTheOwners() async throws {
        backend.answer(.success(["name": "Survey", "require_email": true]))
        let path = "/api/template/settings"
        try await withViewer(backend) { port in
            let answer = try await request(path, port: port, fields: [host(port), "Sec-Fetch-Site: same-origin"])
            #expect(answer.status == 200 && answer.body == #"{"name":"Survey","require_email":true}"#)
            #expect(backend.asked.map(\.op) == [.template])
            let refused = try await request(
                path, port: port, fields: [host(port), "Sec-Fetch-Site: cross-site", "Origin: http://evil.example"])
            #expect(refused.status == 403)
            #expect(try await request(path, port: port).status == 404, "the viewer itself has none")
            #expect(backend.asked.count == 1)
        }
    }

    /// The policy is written out: what a site may load and reach changes by decision only.
    @Test func everyFileOfASiteCarriesTheGuards() async throws {
        try await withViewer(backend) { port in
            for path in ["/p/\(peer.base58)/", "/api/peers"] {
                let answer = try await request(path, port: port, fields: [host(port)])
                #expect(answer.status == 200)
                #expect(
                    answer["content-security-policy"]
                        == "sandbox allow-scripts allow-forms allow-same-origin allow-downloads; default-src 'none'; "
                        + "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self' 'unsafe-inline'; "
                        + "img-src 'self' data: blob:; font-src 'self' data:; media-src 'self' data: blob:; "
                        + "connect-src 'self'; manifest-src 'none'; form-action 'self'; base-uri 'none'; "
                        + "frame-ancestors http://127.0.0.1:\(port)", "\(path)")
                #expect(answer["cross-origin-opener-policy"] == "same-origin", "\(path)")
                #expect(answer["cross-origin-resource-policy"] == "same-origin", "\(path)")
                #expect(answer["x-content-type-options"] == "nosniff", "\(path)")
                #expect(answer["referrer-policy"] == "no-referrer", "\(path)")
                #expect(answer["permissions-policy"]?.contains("camera=()") == true, "\(path)")
                #expect(answer["x-dns-prefetch-control"] == "off", "\(path)")
                #expect(answer["vary"] == "Origin, Sec-Fetch-Site, Sec-Fetch-Dest", "\(path)")
                #expect(answer["cache-control"] == "no-store", "\(path)")
            }
        }
    }

    @Test func aSiteLearnsNoEMails() async throws {
        try await withViewer(backend) { port in
            let own = try await request("/api/self", port: port, fields: [host(port)])
            #expect(own.body.contains(backend.owner.id.base58))
            let peers = try await request("/api/peers", port: port, fields: [host(port)])
            #expect(peers.body.contains(peer.base58))
            #expect(!(own.body + peers.body).contains("example.org"))
        }
    }

    @Test func aSiteLearnsNoFavourites() async throws {
        var favourite = PeerEntry.sample(peer)
        favourite.favorite = true
        backend.apply(.updated(favourite))
        try await withViewer(backend) { port in
            let mine = try await request("/api/peers", port: port)
            #expect(mine.body.contains(#""Favorite":true"#), "nothing to learn")
            let peers = try await request("/api/peers", port: port, fields: [host(port)])
            #expect(peers.body.contains(peer.base58))
            #expect(!peers.body.contains(#""Favorite":true"#))
        }
    }

    /// Whoever is away for long is in the owner's list as a favourite, or as somebody remembered.
    @Test func aSiteLearnsNoFavouritesFromWhoIsListed() async throws {
        let now = HTTPDate.unixMillisecondsNow()
        var favourite = PeerEntry.sample(PrivateKey.generate().peerID, reachable: false)
        favourite.favorite = true
        favourite.offline = true
        favourite.lastSeenMilliseconds = now - 2 * 3_600_000
        // As after a restart of this peer.
        favourite.offlineSinceMilliseconds = now
        var left = PeerEntry.sample(PrivateKey.generate().peerID, reachable: false)
        left.offline = true
        left.lastSeenMilliseconds = now - 60_000
        left.publicKey = "a-key"
        left.activeTemplate = "a-template"
        backend.apply(.updated(favourite))
        backend.apply(.updated(left))
        let (favouriteID, leftID) = (favourite.id.base58, left.id.base58)
        try await withViewer(backend, configure: { $0.offlineGrace = .seconds(3600) }) { port in
            let mine = try await request("/api/peers", port: port)
            #expect(mine.body.contains(favouriteID), "nothing to learn")
            #expect(mine.body.contains("a-key"), "nothing to learn")
            let peers = try await request("/api/peers", port: port, fields: [host(port)])
            #expect(peers.body.contains(peer.base58) && peers.body.contains(leftID))
            #expect(!peers.body.contains(favouriteID))
            #expect(!peers.body.contains("a-key") && !peers.body.contains("a-template"))
        }
    }

    @Test(
        arguments: [
            ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors"], ["Sec-Fetch-Site: same-site"],
            ["Origin: http://127.0.0.1"], ["Origin: null"], ["Sec-Fetch-Dest: serviceworker"],
            ["Service-Worker: script"],
        ])
    func othersReachNothingOfIt(fields: [String]) async throws {
        try await withViewer(backend) { port in
            for path in ["/p/\(peer.base58)/", "/api/self", "/api/p/\(peer.base58)/data/tables"] {
                let answer = try await request(path, port: port, fields: [host(port)] + fields)
                #expect(answer.status == 403, "\(path)")
            }
        }
        #expect(backend.asked.isEmpty)
        #expect(backend.opened.isEmpty)
    }

    @Test func onlyOneSpellingIsAHost() throws {
        let origins = SiteOrigin(port: 8080)
        #expect(origins.peer(ofHost: "\(peer.base36).localhost:8080") == peer)
        #expect(origins.peer(ofHost: "\(peer.base36.uppercased()).LOCALHOST:8080") == peer)
        #expect(origins.peer(ofHost: "\(peer.base36).localhost") == nil)
        #expect(origins.peer(ofHost: "\(peer.base36).localhost:8081") == nil)
        #expect(origins.peer(ofHost: "\(peer.base36).localhost.:8080") == nil)
        #expect(origins.peer(ofHost: "x.\(peer.base36).localhost:8080") == nil)
        #expect(origins.peer(ofHost: "\(peer.base58).localhost:8080") == nil)
        #expect(origins.peer(ofHost: "localhost:8080") == nil)
    }

    @Test func changesOfATableReachThePage() async throws {
        try await withViewer(backend) { port in
            try await RawConnection.open(port: port) { connection in
                try await connection.send(
                    "GET /api/p/\(peer.base58)/data/subscribe?table=t HTTP/1.1\r\n\(host(port))\r\n\r\n")
                let opening = try await connection.read(until: "event: ready")
                #expect(opening.contains("text/event-stream"))
                backend.change(DataChange(table: "t", kind: .insert, id: 7, row: ["_id": .integer(7)]))
                _ = try await connection.read(until: #"{"table":"t","kind":"insert","id":7,"row":{"_id":7}}"#)
                backend.change(nil)
                _ = try await connection.read(until: #""code":"unreachable""#)
            }
        }
    }
}
