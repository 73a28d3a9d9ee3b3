import GoopCore
import PeerIdentity
import Testing

@testable import GoopHTTP

@Suite("Changes of a site as events", .timeLimit(.minutes(1))) struct SiteEventsTests {
    private let peer = PrivateKey.generate().peerID

    @Test func changesArriveAndTheEndIsTold() async throws {
        let backend = FakeBackend()
        try await withViewer(backend) { port in
            for host in ["127.0.0.1:\(port)", "\(peer.base36).localhost:\(port)"] {
                try await RawConnection.open(port: port) { connection in
                    try await connection.send("GET /api/p/\(peer)/watch HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                    let hello = try await connection.read(until: "event: ready\ndata: {}\n\n")
                    #expect(hello.contains("200 OK") && hello.contains("text/event-stream"), "\(hello)")
                    var changes = SiteChanges()
                    changes.insert("/a b.css")
                    backend.tell(changes)
                    let event = try await connection.read(until: "\n\n")
                    #expect(
                        event.contains("event: change\ndata: {\"paths\":[\"/a b.css\"],\"more\":false}"), "\(event)")
                    backend.tell(nil)
                    _ = try await connection.read(until: "event: lost\ndata: {\"error\":")
                }
            }
        }
    }

    @Test func onlyTheSiteItselfAndOnlyWhoTells() async throws {
        let backend = FakeBackend()
        let other = PrivateKey.generate().peerID
        backend.set(.failing(SiteError(kind: .disabled)), of: other)
        try await withViewer(backend) { port in
            let host = "Host: \(peer.base36).localhost:\(port)"
            let foreign = try await request("/api/p/\(other)/watch", port: port, fields: [host])
            #expect(foreign.status == 403)
            let silent = try await request("/api/p/\(other)/watch", port: port)
            #expect(silent.body.contains("does not tell of changed files"))
            for path in ["/api/p/\(peer.base36)/watch", "/api/p/\(peer)/watch/x", "/api/p/x/watch"] {
                let answer = try await request(path, port: port)
                #expect(answer.status == 404, "\(path)")
            }
        }
    }
}
