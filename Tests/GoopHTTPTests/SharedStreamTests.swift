import GoopCore
import GoopTestKit
import NIOCore
import PeerIdentity
import Testing

@testable import GoopHTTP

/// One stream of events for several tables: a browser has six connections to one address.
@Suite("Changes of several tables over one stream", .timeLimit(.minutes(1))) struct SharedStreamTests {
    private let backend = FakeBackend()
    private let peer = PrivateKey.generate().peerID

    private func path(_ tables: [String]) -> String {
        "/api/p/\(peer.base58)/data/subscribe?" + tables.map { "table=\($0)" }.joined(separator: "&")
    }

    private func host(_ port: Int) -> String { "Host: \(peer.base36).localhost:\(port)" }

    /// Asks for the stream, and reads what it begins with until all these marks were there, in any order.
    private func subscribe(
        _ tables: [String], over connection: RawConnection, port: Int, until marks: [String]
    ) async throws -> String {
        try await connection.send("GET \(path(tables)) HTTP/1.1\r\n\(host(port))\r\nConnection: close\r\n\r\n")
        var text = ""
        for mark in marks where !text.contains(mark) { text += try await connection.read(until: mark) }
        return text
    }

    private func ready(_ table: String) -> String { "event: ready\ndata: {\"table\":\"\(table)\"}\n\n" }

    @Test func eachEventSaysWhichTableItIsAbout() async throws {
        try await withViewer(backend) { port in
            try await RawConnection.open(port: port) { connection in
                let opening = try await subscribe(
                    ["a", "b", "a", "c", "b"], over: connection, port: port, until: ["a", "b", "c"].map(ready))
                #expect(opening.contains("text/event-stream"))
                #expect(backend.watched.sorted() == ["a", "b", "c"], "each is watched once")
                for (id, table) in zip(Int64(1)..., ["b", "a", "c"]) {
                    backend.change(DataChange(table: table, kind: .insert, id: id, row: ["_id": .integer(id)]))
                    _ = try await connection.read(
                        until: #"{"table":"\#(table)","kind":"insert","id":\#(id),"row":{"_id":\#(id)}}"#)
                }
            }
        }
    }

    @Test func aPageHearsOfATableByTheNameThatItGave() async throws {
        try await withViewer(backend) { port in
            try await RawConnection.open(port: port) { connection in
                _ = try await subscribe(
                    ["Notes", "b"], over: connection, port: port, until: ["Notes", "b"].map(ready))
                backend.change(DataChange(table: "notes", kind: .delete, id: 1, row: nil))
                let text = try await connection.read(until: #""kind":"delete""#)
                #expect(text.contains(#"{"table":"Notes","#), "\(text)")
            }
        }
    }

    @Test func aRefusedTableIsToldAndTheOthersGoOn() async throws {
        try await withViewer(backend) { port in
            try await RawConnection.open(port: port) { connection in
                let long = String(repeating: "x", count: 65)
                let refused = #"""
                    event: lost
                    data: {"table":"secret","error":"not allowed","code":"refused","detail":"local table","status":403}
                    """#
                let opening = try await subscribe(
                    ["secret", "a", long, ""], over: connection, port: port,
                    until: [
                        refused, ready("a"), #"{"table":"\#(long)","error":"table is missing","code":"bad_request""#,
                        #"{"table":"","error":"table is missing""#,
                    ])
                #expect(opening.contains("200 OK"))
                backend.change(DataChange(table: "a", kind: .delete, id: 9, row: nil))
                _ = try await connection.read(until: #"{"table":"a","kind":"delete","id":9,"row":null}"#)
            }
        }
    }

    @Test func aTableWhoseWatchEndsIsWatchedAgainAndTheOthersHearNothing() async throws {
        try await withViewer(backend, configure: { $0.watchPauses = .milliseconds(1) ... .milliseconds(10) }) { port in
            try await RawConnection.open(port: port) { connection in
                _ = try await subscribe(["a", "b"], over: connection, port: port, until: ["a", "b"].map(ready))
                for id in Int64(1)...8 {
                    backend.holdWatches(true)
                    backend.endWatches(of: "a")
                    var text = try await connection.read(
                        until: #"""
                            event: interrupted
                            data: {"table":"a","error":"peer unreachable","code":"unreachable","detail":"it went","status":502}
                            """#)
                    backend.holdWatches(false)
                    text += try await connection.read(until: ready("a"))
                    for table in ["a", "b"] {
                        backend.change(DataChange(table: table, kind: .delete, id: id, row: nil))
                        text += try await connection.read(
                            until: #"{"table":"\#(table)","kind":"delete","id":\#(id),"row":null}"#)
                    }
                    #expect(!text.contains("lost") && !text.contains("reload") && !text.contains(ready("b")), "\(text)")
                }
                #expect(backend.watched.count { $0 == "b" } == 1)
            }
        }
    }

    @Test func aTableThatIsRefusedWhenItIsWatchedAgainIsLostAlone() async throws {
        try await withViewer(backend, configure: { $0.watchPauses = .milliseconds(1) ... .milliseconds(10) }) { port in
            try await RawConnection.open(port: port) { connection in
                _ = try await subscribe(["a", "b"], over: connection, port: port, until: ["a", "b"].map(ready))
                backend.refuse("a")
                backend.holdWatches(true)
                backend.endWatches(of: "a")
                _ = try await connection.read(until: "event: interrupted")
                backend.holdWatches(false)
                let text = try await connection.read(until: #"{"table":"a","error":"not allowed","code":"refused""#)
                #expect(text.contains("event: lost"), "\(text)")
                backend.change(DataChange(table: "b", kind: .delete, id: 2, row: nil))
                _ = try await connection.read(until: #"{"table":"b","kind":"delete""#)
                #expect(backend.watched.sorted() == ["a", "b"])
            }
        }
    }

    @Test func theStreamEndsWithItsLastTable() async throws {
        // The table that ends first is not watched again before the other ends.
        try await withViewer(backend, configure: { $0.watchPauses = .seconds(3600) ... .seconds(3600) }) { port in
            try await RawConnection.open(port: port) { connection in
                _ = try await subscribe(["a", "b"], over: connection, port: port, until: ["a", "b"].map(ready))
                backend.endWatches(of: "a")
                _ = try await connection.read(until: #"{"table":"a","error":"peer unreachable","code":"unreachable""#)
                backend.change(DataChange(table: "b", kind: .delete, id: 2, row: nil))
                _ = try await connection.read(until: #"{"table":"b","kind":"delete""#)
                backend.endWatches(of: "b")
                let rest = await connection.readToEnd()
                for table in ["a", "b"] {
                    #expect(rest.contains("event: lost\ndata: {\"table\":\"\(table)\",\"error\":\"peer unreachable\""))
                }
            }
        }
    }

    @Test func aPageThatGoesTakesAllItsWatchesAlong() async throws {
        try await withViewer(backend) { port in
            let tables = (0..<8).map { "t\($0)" }
            try await RawConnection.open(port: port) { connection in
                _ = try await subscribe(tables, over: connection, port: port, until: tables.map(ready))
            }
            var left = Set(tables)
            for await table in backend.endedWatches {
                left.remove(table)
                if left.isEmpty { break }
            }
            #expect(left.isEmpty)
        }
    }

    @Test func aStreamHasAsManyTablesAsAPeerLetsOneVisitorWatch() async throws {
        #expect(DataProxy.maximumTables == DataProtocol.maximumWatchesPerPeer)
        let most = (0..<DataProxy.maximumTables).map { "secret\($0)" }
        try await withViewer(backend) { port in
            // All are refused, so the stream ends.
            let full = try await request(path(most + most), port: port, fields: [host(port)])
            #expect(full.status == 200)
            #expect(full.body.ranges(of: "event: lost").count == most.count)
            let beyond = try await request(path(most + ["one"]), port: port, fields: [host(port)])
            #expect(beyond.status == 400 && beyond.body.contains("too many tables"), "\(beyond.body)")
            let unreadable = try await request(path(["a", "%ff"]), port: port, fields: [host(port)])
            #expect(unreadable.status == 400)
            #expect(backend.watched.isEmpty)
        }
    }

    @Test func oneTableTwiceIsOneTable() async throws {
        try await withViewer(backend) { port in
            let refused = try await request(path(["secret", "secret"]), port: port, fields: [host(port)])
            #expect(refused.status == 403, "as without the second")
            #expect(refused.body == #"{"error":"not allowed","code":"refused","detail":"local table"}"#)
        }
    }

    @Test func tablesForWhichThereIsNoPlaceAreTold() async throws {
        // Two places for the tables of one peer.
        try await withViewer(backend, configure: { $0.maximumEventStreams = 4 }) { port in
            try await RawConnection.open(port: port) { connection in
                _ = try await subscribe(
                    ["a", "b", "c"], over: connection, port: port,
                    until: [ready("a"), ready("b"), #"{"table":"c","error":"too many open pages","code":"busy""#])
                let other = try await request(path(["a", "b"]), port: port, fields: [host(port)])
                #expect(other.status == 503 && other.body.contains("too many open pages"))
            }
        }
    }

    @Test func aTableWithoutAPlaceHasOneOnceAnotherPageIsClosed() async throws {
        try await withViewer(
            backend,
            configure: {
                $0.maximumEventStreams = 4
                $0.watchPauses = .milliseconds(1) ... .milliseconds(10)
            }
        ) { port in
            try await RawConnection.open(port: port) { second in
                try await RawConnection.open(port: port) { first in
                    _ = try await subscribe(["x"], over: first, port: port, until: [ready("x")])
                    _ = try await subscribe(
                        ["a", "b"], over: second, port: port,
                        until: [
                            ready("a"),
                            "event: interrupted\ndata: {\"table\":\"b\",\"error\":\"too many open pages\",\"code\":\"busy\"",
                        ])
                }
                _ = try await second.read(until: ready("b"))
                backend.endWatches(of: "b")
                _ = try await second.read(until: ready("b"))
                let third = try await request(path(["x"]), port: port, fields: [host(port)])
                #expect(third.status == 503, "both places are taken")
            }
        }
    }

    @Test func placesAreCountedByTables() {
        let places = StreamPlaces(limit: 5, limitPerPeer: 4)
        var held = places.take(for: peer, upTo: 3)
        #expect(held?.count == 3)
        var rest = places.take(for: peer, upTo: 3)
        #expect(rest?.count == 1, "what a peer has left")
        #expect(places.take(for: peer) == nil)
        let other = places.take(for: backend.owner.id, upTo: 3)
        #expect(other?.count == 1, "what is left of all")
        #expect(rest?.takeAnother() == false, "neither of the peer's, nor of all")
        held = nil
        #expect(rest?.takeAnother() == true)
        #expect(places.take(for: peer, upTo: 9)?.count == 2, "all of them were given back")
        rest = nil
        #expect(places.take(for: peer, upTo: 9)?.count == 4, "the one that was taken later too")
        places.close()
        #expect(other?.takeAnother() == false)
        withExtendedLifetime(other) {}
    }

    @Test func aSlowPageHasOneLimitForAllItsTables() {
        let mailbox = ChangeMailbox(limit: 3)
        func put(_ table: String) { mailbox.put(DataChange(table: table, kind: .insert, id: 1, row: nil)) }
        func told() -> [String] {
            mailbox.take().map { delivery in
                switch delivery {
                case .heartbeat: "heartbeat"
                case .ready(let table): "ready \(table)"
                case .changes(let changes): "changes \(changes.map(\.table).joined())"
                case .reload(let table): "reload \(table)"
                case .interrupted(let table, _): "interrupted \(table)"
                case .lost(let table, _): "lost \(table)"
                }
            }
        }
        for table in ["a", "b", "a"] { put(table) }
        #expect(told() == ["changes aba"])
        for table in ["a", "b", "a", "b"] { put(table) }
        // Too late to be kept; and a table of which nothing came need not be read again.
        put("c")
        mailbox.ready("d")
        mailbox.end("b", FakeTables.gone)
        #expect(told() == ["ready d", "reload a", "reload b", "reload c", "lost b"])
        put("c")
        #expect(told() == ["changes c"])
        #expect(told() == ["heartbeat"])
    }

    /// A page that reads slowly, while one of its tables goes and comes.
    @Test(arguments: 0..<50 as Range<UInt64>) func aSlowPageNeverEndsWrong(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let names = ["a", "b", "c"]
        let mailbox = ChangeMailbox(limit: 4)
        /// The last change of each table, whether it is watched, and what the page believes of both.
        var (last, isWatched) = (["a": 0, "b": 0, "c": 0] as [String: Int64], Set<String>())
        var (seen, isLive, isLost) = ([String: Int64](), Set<String>(), Set<String>())
        var ended = Set<String>()
        func take() {
            for delivery in mailbox.take() {
                switch delivery {
                case .heartbeat: break
                case .ready(let table):
                    isLive.insert(table)
                    // The page reads the table, as it is by now.
                    seen[table] = last[table]
                case .reload(let table): seen[table] = last[table]
                case .changes(let changes): for change in changes { seen[change.table] = change.id }
                case .interrupted(let table, _): isLive.remove(table)
                case .lost(let table, _):
                    isLive.remove(table)
                    #expect(isLost.insert(table).inserted, "seed \(seed)")
                }
            }
            // Nothing waits any more.
            #expect(isLive == isWatched && isLost == ended, "seed \(seed)")
            for name in isWatched { #expect(seen[name] == last[name], "seed \(seed), \(name)") }
        }
        for step in 0..<500 {
            let name = names[Int.random(in: 0..<names.count, using: &random)]
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<4: take()
            case 4..<7 where !isWatched.contains(name) && !ended.contains(name):
                isWatched.insert(name)
                mailbox.ready(name)
            case 7..<9 where isWatched.contains(name):
                isWatched.remove(name)
                mailbox.interrupt(name, FakeTables.gone)
            case 9 where step > 400 && !ended.contains(name):
                isWatched.remove(name)
                ended.insert(name)
                mailbox.end(name, FakeTables.gone)
            default:
                last[name, default: 0] += 1
                guard isWatched.contains(name), let id = last[name] else { continue }
                mailbox.put(DataChange(table: name, kind: .update, id: id, row: nil))
            }
        }
        take()
    }

    @Test func whatAPageMissedIsToldForEachTable() {
        var one = DataEventEncoder()
        var several = DataEventEncoder(isShared: true)
        let (alone, named) = (String(buffer: one.reload(table: "a")), String(buffer: several.reload(table: "a")))
        #expect(alone == "id: 1\nevent: reload\ndata: {}\n\n")
        #expect(named == "id: 1\nevent: reload\ndata: {\"table\":\"a\"}\n\n")
    }
}
