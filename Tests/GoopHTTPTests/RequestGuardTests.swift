import GoopCore
import GoopHTTP
import PeerIdentity
import Testing

@Suite("Request guards", .timeLimit(.minutes(1))) struct RequestGuardTests {
    @Test func onlyOwnHostNamesAreAnswered() async throws {
        try await withViewer { port in
            let table: [(host: String, status: Int)] = [
                ("Host: 127.0.0.1:\(port)", 200), ("Host: localhost:\(port)", 307), ("Host: LOCALHOST:\(port)", 307),
                ("Host: [::1]:\(port)", 307), ("Host: 127.0.0.1", 421), ("Host: 127.0.0.1:\(port + 1)", 421),
                ("Host: evil.example:\(port)", 421), ("Host: 127.0.0.1.evil.example:\(port)", 421),
                ("Host: localhost.evil.example:\(port)", 421), ("Host: 127.0.0.1:\(port)@evil.example", 421),
                ("Host: evil.localhost:\(port)", 421), ("Host: 127.1:\(port)", 421), ("Host: 0.0.0.0:\(port)", 421),
                ("Host: 2130706433:\(port)", 421), ("Host: [::ffff:127.0.0.1]:\(port)", 421), ("Host:", 400),
            ]
            for (host, status) in table {
                for path in ["/", "/api/peers", "/api/events", "/p/x/", "/assets/viewer.js", "/healthz"] {
                    // A stream that is allowed has no end; its own tests read it.
                    if status == 200, path == "/api/events" { continue }
                    let answer = try await request(path, port: port, fields: [host])
                    if status == 200 || status == 307 && path == "/healthz" {
                        #expect(answer.status != 421 && answer.status != 400, "\(host) \(path)")
                        continue
                    }
                    #expect(answer.status == status, "\(host) \(path)")
                    #expect(answer["x-content-type-options"] == "nosniff", "\(host) \(path)")
                    #expect(!answer.body.contains("Owner"), "\(host) \(path)")
                }
            }
        }
    }

    @Test func localhostIsSentToTheAddressWithPathAndQuery() async throws {
        try await withViewer { port in
            let answer = try await request("/p/abc/x%20y?a=1&b=%2F", port: port, fields: ["Host: localhost:\(port)"])
            #expect(answer.status == 307)
            #expect(answer["location"] == "http://127.0.0.1:\(port)/p/abc/x%20y?a=1&b=%2F")
            #expect(answer["content-security-policy"]?.contains("sandbox") == true)
        }
    }

    @Test func twoHostsAreRefused() async throws {
        try await withViewer { port in
            let answer = try await request(
                "/", port: port, fields: ["Host: 127.0.0.1:\(port)", "Host: evil.example"])
            #expect(answer.status == 400)
        }
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
    func otherMethodsAreRefused(_ method: String) async throws {
        let backend = FakeBackend()
        try await withViewer(backend) { port in
            for path in ["/", "/api/peers", "/p/\(backend.owner.id)/"] {
                let answer = try await request(path, method: method, port: port)
                #expect(answer.status == 405, "\(method) \(path)")
                #expect(answer["allow"] == "GET, HEAD")
            }
            #expect(backend.opened.isEmpty)
        }
    }

    @Test func bodiesAreRefused() async throws {
        try await withViewer { port in
            let sized = try await request("/", port: port, fields: ["Content-Length: 5"], body: "hello")
            #expect(sized.status == 413)
            let chunked = try await request(
                "/", port: port, fields: ["Transfer-Encoding: chunked"], body: "5\r\nhello\r\n0\r\n\r\n")
            #expect(chunked.status == 413)
            let empty = try await request("/healthz", port: port, fields: ["Content-Length: 0"])
            #expect(empty.status == 200)
        }
    }

    @Test func endlessBodiesEndTheConnection() async throws {
        try await withViewer { port in
            let text = try await RawConnection.open(port: port) { connection in
                try await connection.send(
                    "GET / HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nContent-Length: 1000000000\r\n\r\nabc")
                return await connection.readToEnd()
            }
            #expect(text.hasPrefix("HTTP/1.1 413"))
        }
    }

    @Test func oversizedRequestsAreRefused() async throws {
        try await withViewer { port in
            let long = try await request("/" + String(repeating: "a", count: 9000), port: port)
            #expect(long.status == 414)
            let wide = try await request("/", port: port, fields: ["X-A: " + String(repeating: "a", count: 20_000)])
            #expect(wide.status == 400 || wide.status == 0)
            let many = try await request("/", port: port, fields: (0..<200).map { "X-\($0): a" })
            #expect(many.status == 400 || many.status == 0)
            #expect(try await request("/healthz", port: port).status == 200)
        }
    }

    @Test func anUnfinishedRequestIsClosed() async throws {
        try await withViewer(configure: { $0.idleTimeout = .milliseconds(200) }) { port in
            for start in ["", "GET / HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nX-Slow: "] {
                let text = try await RawConnection.open(port: port) { connection in
                    try await connection.send(start)
                    return await connection.readToEnd()
                }
                #expect(text.isEmpty)
            }
        }
    }

    @Test func drippedHeadersDoNotKeepAConnection() async throws {
        try await withViewer(configure: { $0.idleTimeout = .milliseconds(300) }) { port in
            try await RawConnection.open(port: port) { connection in
                try await connection.send("GET / HTTP/1.1\r\n")
                // The pace of the attack, not a wait for anything: a client that always sends a little more in time.
                let dripped = Task {
                    while !Task.isCancelled {
                        try await connection.send("X-Drip: 1\r\n")
                        try await Task.sleep(for: .milliseconds(20))
                    }
                }
                let text = await connection.readToEnd()
                dripped.cancel()
                #expect(!text.hasPrefix("HTTP/1.1 200"))
            }
        }
    }

    @Test func oneConnectionTooManyIsTurnedAway() async throws {
        try await withViewer(configure: { $0.maximumConnections = 2 }) { port in
            try await RawConnection.open(port: port) { first in
                try await RawConnection.open(port: port) { second in
                    for connection in [first, second] {
                        try await connection.send("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n")
                        _ = try await connection.read(until: "ok\n")
                    }
                    let third = try await request("/healthz", port: port)
                    #expect(third.status == 503)
                }
            }
        }
    }

    @Test(arguments: ["*", "http://127.0.0.1/%00", "/a\u{e9}", "/a#b", "//evil.example/", "/api/../api/peers"])
    func oddTargetsGiveNoData(_ target: String) async throws {
        try await withViewer { port in
            let answer = try await request(target, port: port)
            #expect(answer.status != 200, "\(target)")
        }
    }
}
