import GoopCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import PeerIdentity
import Synchronization
import Testing

@testable import GoopHTTP

/// The data routes of the browser: upstream's addresses and bodies in, operations of the wire out, errors as JSON.
@Suite struct DataRouteTests {
    let backend = FakeBackend()
    let site = PrivateKey.generate().peerID
    let places = StreamPlaces(limit: 64, limitPerPeer: 32)
    let ownPlaces = StreamPlaces(limit: 32, limitPerPeer: 32)

    private func ask(
        _ suffix: String, _ body: String = "{}", method: HTTPRequest.Method = .post, place: RequestPlace? = nil,
        peer: PeerID? = nil, fields: HTTPFields = [.contentType: "application/json"]
    ) async throws -> (status: Int, body: JSONValue) {
        let response = try await respond(suffix, body, method: method, place: place, peer: peer, fields: fields)
        let collected = Collected()
        try await response.body.write(collected)
        let bytes = collected.bytes
        return (response.status.code, bytes.isEmpty ? .null : try JSONParser.parse(bytes))
    }

    private func respond(
        _ suffix: String, _ body: String = "{}", method: HTTPRequest.Method = .post, place: RequestPlace? = nil,
        peer: PeerID? = nil, fields: HTTPFields = [.contentType: "application/json"]
    ) async throws -> Response {
        let proxy = DataProxy(
            backend: backend, failures: FailureMemory(lifetime: .seconds(5)),
            places: places, ownPlaces: ownPlaces, configuration: ViewerConfiguration(), logger: Logger(label: "test"))
        let parts = suffix.split(separator: "?", maxSplits: 1)
        let path = "/api/p/\((peer ?? site).base58)/data/\(parts[0])"
        let address = try #require(DataAddress(path: path))
        let request = Request(
            head: HTTPRequest(method: method, scheme: "http", authority: "x", path: path, headerFields: fields),
            body: RequestBody(buffer: ByteBuffer(string: body)))
        return await proxy.respond(
            to: request, address: address, query: parts.dropFirst().first.map(String.init),
            place: place ?? .site(site), headers: HTTPFields())
    }

    /// Each suffix of the reference with the body that upstream's SDK sends, and what goes over the wire.
    /// Source: viewer wire reference, sections 3 and 8.
    @Test(
        arguments: [
            (
                "find", #"{"table":"t","where":"a > ?","args":[1],"fields":["a"],"order":"a","limit":2}"#,
                #"{"op":"query","table":"t","where":"a > ?","args":[1],"limit":2,"order":"a","fields":["a"]}"#
            ),
            (
                "query", #"{"table":"t","columns":["a","b"],"offset":1,"limit":3}"#,
                #"{"op":"query","table":"t","columns":["a","b"],"limit":3,"offset":1}"#
            ),
            (
                "find-one", #"{"table":"t","where":"_id = ?","args":[7]}"#,
                #"{"op":"query-one","table":"t","where":"_id = ?","args":[7]}"#
            ),
            (
                "get-by", #"{"table":"t","column":"slug","value":"x"}"#,
                #"{"op":"query-one","table":"t","where":"\"slug\" = ?","args":["x"]}"#
            ),
            (
                "get-by", #"{"table":"t","column":{"name":"slug"},"value":"x"}"#,
                #"{"op":"query-one","table":"t","where":"\"slug\" = ?","args":["x"]}"#
            ),
            ("pluck", #"{"table":"t","column":"a"}"#, #"{"op":"pluck","table":"t","column":"a"}"#),
            ("distinct", #"{"table":"t","column_name":"a"}"#, #"{"op":"distinct","table":"t","column":"a"}"#),
            ("distinct", #"{"table":"t","column":{"name":"a"}}"#, #"{"op":"distinct","table":"t","column":"a"}"#),
            ("exists", #"{"table":"t"}"#, #"{"op":"exists","table":"t"}"#),
            ("count", #"{"table":"t","where":null}"#, #"{"op":"count","table":"t"}"#),
            (
                "aggregate", #"{"table":"t","expr":"COUNT(*) AS n","group_by":"a"}"#,
                #"{"op":"aggregate","table":"t","expr":"COUNT(*) AS n","group_by":"a"}"#
            ),
            ("insert", #"{"table":"t","data":{"a":1}}"#, #"{"op":"insert","table":"t","data":{"a":1}}"#),
            (
                "update", #"{"table":"t","id":3,"data":{"a":2}}"#,
                #"{"op":"update","table":"t","data":{"a":2},"id":3}"#
            ),
            ("delete", #"{"table":"t","id":"3"}"#, #"{"op":"delete","table":"t","id":3}"#),
            (
                "update-where", #"{"table":"t","data":{"a":2},"where":"b"}"#,
                #"{"op":"update-where","table":"t","data":{"a":2},"where":"b"}"#
            ),
            ("delete-where", #"{"table":"t","where":"b"}"#, #"{"op":"delete-where","table":"t","where":"b"}"#),
            (
                "upsert", #"{"table":"t","key_col":"k","data":{"k":1}}"#,
                #"{"op":"upsert","table":"t","data":{"k":1},"key_col":"k"}"#
            ),
            ("role", #"{"table":"t"}"#, #"{"op":"role","table":"t"}"#),
            ("tables/describe", #"{"table":"t"}"#, #"{"op":"describe","table":"t"}"#),
            (
                "tables/create", #"{"name":"t","columns":[{"name":"a","type":"TEXT"}]}"#,
                #"{"op":"create-table","name":"t","column_defs":[{"name":"a","type":"TEXT"}]}"#
            ),
            (
                "tables/add-column", #"{"table":"t","column":{"name":"a","type":"TEXT"}}"#,
                #"{"op":"add-column","table":"t","column":{"name":"a","type":"TEXT"}}"#
            ),
            (
                "lua/call", #"{"function":"f","params":{"x":1}}"#,
                #"{"op":"lua-call","function":"f","params":{"x":1}}"#
            ),
        ])
    func bodiesBecomeOperations(suffix: String, body: String, wire: String) async throws {
        backend.answer(.success(["ok": true]))
        let answer = try await ask(suffix, body)
        #expect(answer.status == 200)
        #expect(answer.body == ["ok": true], "the bare value, without an envelope")
        let asked = try #require(backend.asked.first)
        #expect(try asked.json == JSONParser.parse(Array(wire.utf8)))
    }

    @Test(arguments: ["tables", "orm-schema", "lua/list", "template"]) func listsAreRead(suffix: String) async throws {
        #expect(try await ask(suffix, "", method: .get, fields: [:]).status == 200)
        #expect(backend.asked.count == 1)
    }

    @Test func aSiteReachesOnlyItsOwnPeer() async throws {
        let other = PrivateKey.generate().peerID
        for place in [RequestPlace.site(other), .capability(other), .viewer] {
            let answer = try await ask("find", #"{"table":"t"}"#, place: place)
            #expect(answer.status == 403)
            #expect(answer.body.object?["code"]?.string == "refused")
        }
        #expect(backend.asked.isEmpty)
        #expect(try await ask("find", #"{"table":"t"}"#, place: .viewer, peer: backend.owner.id).status == 200)
    }

    @Test(arguments: ["tables/delete", "tables/drop-column", "tables/rename", "tables/set-policy"])
    func pagesDestroyNothing(suffix: String) async throws {
        let own = backend.owner.id
        let answer = try await ask(suffix, #"{"table":"t","column":"a"}"#, place: .site(own), peer: own)
        #expect(answer.status == 403)
        #expect(backend.asked.isEmpty)
        let body = #"{"table":"t","column":"a"}"#
        #expect(try await ask(suffix, body, place: .viewer, peer: own).status == 200)
    }

    @Test(
        arguments: [
            (DataErrorCode.badRequest, 400), (.invalidQuery, 400), (.refused, 403), (.notFound, 404),
            (.luaNotAvailable, 404), (.conflict, 409), (.tooLarge, 413), (.busy, 503), (.locked, 503), (.full, 507),
            (.quota, 507), (.timedOut, 504), (.tooSlow, 504), (.unreachable, 502), (.internalFailure, 500),
            (DataErrorCode(rawValue: "of_tomorrow"), 502),
        ])
    func errorsKeepTextCodeAndDetail(code: DataErrorCode, status: Int) async throws {
        backend.answer(.failure(DataError(code: code, message: "their text", detail: "facts")))
        let answer = try await ask("find", #"{"table":"t"}"#)
        #expect(answer.status == status)
        #expect(answer.body == ["error": "their text", "code": .string(code.rawValue), "detail": "facts"])
    }

    @Test(
        arguments: [
            ("find", "not json", "bad_request", 400), ("find", "[]", "bad_request", 400),
            ("find", #"{"table":7}"#, "bad_request", 400), ("nothing", "{}", "unknown_operation", 404),
            ("get-by", #"{"table":"t","column":"a\" OR 1","value":1}"#, "bad_request", 400),
        ])
    func badRequestsGoNowhere(suffix: String, body: String, code: String, status: Int) async throws {
        let answer = try await ask(suffix, body)
        #expect(answer.status == status)
        #expect(answer.body.object?["code"]?.string == code)
        #expect(backend.asked.isEmpty)
    }

    @Test(arguments: [("find", "where", 5000), ("insert", "data", 1 << 20)])
    func largeRequestsGoNowhere(suffix: String, member: String, size: Int) async throws {
        let text = String(repeating: "a", count: size)
        let value = member == "data" ? #"{"a":"\#(text)"}"# : "\"\(text)\""
        let answer = try await ask(suffix, #"{"table":"t","\#(member)":\#(value)}"#)
        #expect(answer.status == 413)
        #expect(answer.body.object?["code"]?.string == "too_large")
        #expect(backend.asked.isEmpty)
    }

    @Test func aBrowserHasToSayThatItSendsJSON() async throws {
        let form = HTTPFields([
            .init(name: .contentType, value: "text/plain"), .init(name: .origin, value: "http://elsewhere.example"),
        ])
        #expect(try await ask("insert", #"{"table":"t","data":{}}"#, fields: form).status == 400)
        #expect(try await ask("insert", #"{"table":"t","data":{}}"#, fields: [.origin: "null"]).status == 400)
        #expect(backend.asked.isEmpty)
        #expect(
            try await ask(
                "insert", #"{"table":"t","data":{}}"#, fields: [.contentType: "application/json; charset=utf-8"]
            )
            .status == 200)
        #expect(
            try await ask("insert", #"{"table":"t","data":{}}"#, fields: [:]).status == 200, "a program, no browser")
    }

    @Test(arguments: ["/api/p/x/data/find", "/api/p//data/find", "/api/data", "/api/peers", "/api/p/12D3/data/find"])
    func otherPathsAreNoDataAddresses(path: String) {
        #expect(DataAddress(path: path) == nil)
    }

    @Test func changesArriveAsEventsUntilThePeerGoes() async throws {
        let table = "t"
        let row: JSONValue = ["_id": .integer(4), "text": "a\nb"]
        let mailbox = ChangeMailbox()
        mailbox.ready(table)
        mailbox.put(DataChange(table: table, kind: .insert, id: 4, row: row))
        mailbox.put(DataChange(table: table, kind: .delete, id: 4, row: nil))
        mailbox.end(table, FakeTables.gone)
        var encoder = DataEventEncoder()
        var text = String(buffer: EventText.retry)
        for delivery in mailbox.take() {
            switch delivery {
            case .ready(let table): text += String(buffer: encoder.ready(table: table))
            case .changes(var changes): text += String(buffer: encoder.encode(first: &changes))
            case .lost(let table, let error): text += String(buffer: encoder.lost(table: table, error))
            case .reload, .interrupted, .heartbeat: Issue.record("not expected")
            }
        }
        #expect(
            text == """
                retry: 2000

                id: 1
                event: ready
                data: {"table":"t"}

                id: 2
                event: change
                data: {"table":"t","kind":"insert","id":4,"row":{"_id":4,"text":"a\\nb"}}

                id: 3
                event: change
                data: {"table":"t","kind":"delete","id":4,"row":null}

                id: 4
                event: lost
                data: {"error":"peer unreachable","code":"unreachable","detail":"it went"}


                """)
    }

    @Test func sitesLeaveTheViewersOwnPagesTheirPlaces() async throws {
        let held = try [site, PrivateKey.generate().peerID].map { try #require(places.take(for: $0, upTo: 32)) }
        func status(_ place: RequestPlace, _ peer: PeerID) async throws -> Int {
            try await respond("subscribe?table=t", method: .get, place: place, peer: peer).status.code
        }
        #expect(try await status(.site(site), site) == 503)
        #expect(try await status(.viewer, backend.owner.id) == 200)
        withExtendedLifetime(held) {}
    }

    @Test func oneChangeThatIsLargerThanAllMayBeIsNotKept() {
        let mailbox = ChangeMailbox(costLimit: 1000)
        let row: JSONValue = ["text": .string(String(repeating: "x", count: 2000))]
        mailbox.put(DataChange(table: "t", kind: .insert, id: 1, row: row))
        let deliveries = mailbox.take()
        guard case .reload("t") = deliveries.first, deliveries.count == 1 else {
            Issue.record("\(deliveries.count) deliveries")
            return
        }
    }

    @Test func theTextOfManyLargeChangesIsWrittenPieceByPiece() {
        var encoder = DataEventEncoder()
        let row: JSONValue = ["text": .string(String(repeating: "x", count: 30_000))]
        var left = (1...7).map { DataChange(table: "t", kind: .insert, id: $0, row: row) }
        var writes: [Int] = []
        while !left.isEmpty {
            let text = String(buffer: encoder.encode(first: &left))
            #expect(text.utf8.count <= DataEventEncoder.bytesPerWrite + 31_000)
            writes.append(text.ranges(of: "event: change").count)
        }
        #expect(writes == [3, 3, 1])
    }

    @Test func largeRowsThatAPageDoesNotReadAreLetGo() {
        let mailbox = ChangeMailbox(costLimit: 1000)
        func put(_ id: Int64) {
            let row: JSONValue = ["text": .string(String(repeating: "x", count: 600))]
            mailbox.put(DataChange(table: "t", kind: .insert, id: id, row: row))
        }
        put(1)
        guard case .changes(let changes) = mailbox.take().first, changes.count == 1 else {
            Issue.record("one that is taken does not count")
            return
        }
        put(2)
        put(3)
        guard case .reload = mailbox.take().first else {
            Issue.record("no reload")
            return
        }
    }

    @Test func aPageThatReadsSlowlyIsToldToReadAgain() {
        let mailbox = ChangeMailbox(limit: 2)
        for id in 1...3 { mailbox.put(DataChange(table: "t", kind: .insert, id: Int64(id), row: nil)) }
        guard case .reload = mailbox.take().first else {
            Issue.record("no reload")
            return
        }
        guard case .heartbeat = mailbox.take().first else {
            Issue.record("not empty")
            return
        }
    }

    @Test func refusedAndTooManyStreamsSayWhy() async throws {
        #expect(try await ask("subscribe?table=secret", "", method: .get).status == 403)
        #expect(try await ask("subscribe", "", method: .get).status == 400)
        let places = StreamPlaces(limit: 3, limitPerPeer: 2)
        let held = [places.take(for: site), places.take(for: site)]
        #expect(held.allSatisfy { $0 != nil })
        #expect(places.take(for: site) == nil, "a peer's own limit")
        let other = places.take(for: backend.owner.id)
        #expect(other != nil)
        #expect(places.take(for: PrivateKey.generate().peerID) == nil, "the limit of all")
        withExtendedLifetime((held, other)) {}
    }

    /// Until the page has taken it, or is gone, or never came to it.
    @Test(arguments: ["takes it", "goes", "never comes"]) func aLargeAnswerCountsUntilThePage(does end: String)
        async throws
    {
        let (changes, told) = AsyncStream.makeStream(of: Int.self)
        let room = AnswerRoom(bytes: 16 << 20) { told.yield($0) }
        backend.count(in: room)
        // Each of these is written in six bytes.
        let value = JSONValue.array([.string(String(repeating: "<", count: 300_000)), .integer(7)])
        backend.answer(.success(value))
        func use() async throws {
            let response = try await respond("find", #"{"table":"t"}"#)
            #expect(response.status == .ok && response.headers[.contentType] == "application/json")
            #expect(response.body.contentLength == 1_800_006 && room.heldBytes >= 1_800_006)
            switch end {
            case "takes it":
                let collected = Collected()
                try await response.body.write(collected)
                #expect(try JSONParser.parse(collected.bytes, limits: .init(bytes: 2 << 20)) == value)
            case "goes":
                await #expect(throws: CancellationError.self) { try await response.body.write(Gone()) }
            default: break
            }
        }
        try await use()
        for await _ in changes where room.heldBytes == 0 { break }
    }

    @Test func anAnswerWhoseTextFindsNoRoomIsRefused() async throws {
        let room = AnswerRoom(bytes: 6 << 20)
        backend.count(in: room)
        let escaped = JSONValue.string(String(repeating: "<", count: 300_000))
        backend.answer(.success(escaped))
        let large = try await ask("find", #"{"table":"t"}"#)
        #expect(
            large.status == 413 && large.body.object?["code"]?.string == "too_large",
            "its text is 1.8 MB, and may take twice that")
        let other = room.share(for: backend.owner.id)
        try other.hold(3 << 20)
        backend.answer(.success(.string(String(repeating: "x", count: 600_000))), .success("short"))
        let second = try await respond("find", #"{"table":"t"}"#)
        #expect(second.status == .serviceUnavailable && second.headers[.retryAfter] == "1", "another peer's answers")
        #expect(try await ask("find", #"{"table":"t"}"#).body == "short")
        withExtendedLifetime(other) {}
    }

    @Test func queriesAreDecodedOnce() {
        #expect(QueryText.value(of: "table", in: "a=b&table=x%20y") == "x y")
        #expect(QueryText.value(of: "table", in: "table=%2541") == "%41")
        #expect(QueryText.value(of: "table", in: "table=%ff") == nil)
        #expect(QueryText.value(of: "table", in: "tables=x") == nil)
        #expect(QueryText.values(of: "table", in: "table=a&b=c&table=%ff&table=%62") == ["a", nil, "b"])
    }
}

/// Takes the bytes of an answer.
final class Collected: ResponseBodyWriter, Sendable {
    private let buffer = Mutex(ByteBuffer())

    var bytes: [UInt8] { buffer.withLock { Array($0.readableBytesView) } }

    func write(_ part: ByteBuffer) async throws {
        buffer.withLock { buffer in _ = buffer.writeImmutableBuffer(part) }
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

/// Goes after the first part of an answer.
private final class Gone: ResponseBodyWriter, Sendable {
    private let parts = Mutex(0)

    func write(_ part: ByteBuffer) async throws {
        let isFirst = parts.withLock { parts in
            parts += 1
            return parts == 1
        }
        guard isFirst, part.readableBytes < 1 << 20 else { throw CancellationError() }
    }

    func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
