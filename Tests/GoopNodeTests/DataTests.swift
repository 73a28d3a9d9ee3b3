import GoopCore
import GoopHTTP
import GoopStore
import LibP2P
import Logging
import NIOCore
import Testing

@testable import GoopNode

/// Tables across two peers, over a real connection.
@Suite(.timeLimit(.minutes(1))) struct DataTests {
    let temporary = TemporaryFolder()

    /// A node that asks.
    private func visitor() async throws -> Node {
        let node = Node(configuration: .init(identity: .generate(), listen: []))
        try await node.start()
        return node
    }

    private func request(_ text: String) throws -> DataRequest {
        try DataRequest(json: JSONParser.parse(Array(text.utf8)))
    }

    /// A peer with a guestbook that everybody may write into.
    private func host(
        _ label: String, read: String = "open", configure: ((inout GoopConfiguration) -> Void)? = nil
    ) async throws -> TestPeer {
        temporary.write("", to: label + "/site/empty.txt")
        let store = try DataStore.open(
            path: temporary.path + "/\(label)/data.db", configuration: .init(owner: PrivateKey.generate().peerID))
        _ = try await store.perform(
            try request(
                """
                {"op":"create-table","name":"guests","column_defs":[{"name":"text","type":"text","required":true}],
                 "access":{"read":"\(read)","insert":"open","update":"owner","delete":"owner"}}
                """), caller: .owner)
        await store.close()
        return try await TestPeer.start(in: temporary, label: label, configure: configure)
    }

    private func connect(_ node: Node, to peer: TestPeer) async throws -> DataClient {
        try await node.connect(to: peer.id, addresses: [peer.address])
        return DataClient(node: node)
    }

    @Test func aRowOfAVisitorIsItsOwn() async throws {
        let host = try await host("host")
        let (ada, bob) = (try await visitor(), try await visitor())
        let (adas, bobs) = (try await connect(ada, to: host), try await connect(bob, to: host))
        let made = try await adas.perform(
            try request(#"{"op":"insert","table":"guests","data":{"text":"hello","_owner":"me"}}"#), of: host.id)
        #expect(made.object?["id"]?.int64 == 1)
        let row = try await bobs.perform(try request(#"{"op":"query-one","table":"guests"}"#), of: host.id)
        #expect(row.object?["_owner"]?.string == ada.peerID.base58)
        #expect(row.object?["text"]?.string == "hello" && row.object?["_owner_email"]?.string == "")
        let error = await #expect(throws: DataError.self) {
            _ = try await bobs.perform(try request(#"{"op":"delete","table":"guests","id":1}"#), of: host.id)
        }
        #expect(
            error
                == DataError(
                    code: .refused, message: "delete not allowed: owner only",
                    detail: "there is no such row that you have made yourself"))
        _ = try await adas.perform(
            try request(#"{"op":"update","table":"guests","id":1,"data":{"text":"changed"}}"#), of: host.id)
        #expect(
            try await bobs.perform(try request(#"{"op":"pluck","table":"guests","column":"text"}"#), of: host.id)
                == .array(["changed"]))
        await ada.stop()
        await bob.stop()
        try await host.stop()
    }

    @Test func upstreamsWireFormIsServed() async throws {
        let host = try await host("host")
        let node = try await visitor()
        try await node.connect(to: host.id, addresses: [host.address])
        for (text, answer) in [
            (
                "{\"op\":\"insert\",\"table\":\"guests\",\"data\":{\"text\":\"a\"}}\n",
                #"{"ok":true,"data":{"id":1,"status":"inserted"}}"#
            ),
            (
                "{\"op\":\"query\",\"table\":\"guests\",\"columns\":[\"text\"],\"where\":\"text LIKE ?\",\"args\":[\"a%\"],\"limit\":20}",
                #"{"ok":true,"data":[{"text":"a"}]}"#
            ),
            ("{\"op\":\"nope\"}\r\n", #"{"ok":false,"error":"unknown op: nope","code":"unknown_operation"}"#),
            ("ENC:AAAA\n", #""error":"decrypt error""#), ("{\n", #""error":"invalid json: "#), ("[]\n", #""ok":false"#),
            ("{\"op\":\"query\",\"table\":\"_meta\"}\n", #""code":"not_found""#),
            (
                "{\"op\":\"query\",\"table\":\"guests\",\"where\":\"1) UNION SELECT value FROM _meta --\"}\n",
                #""code":"invalid_query""#
            ),
            ("{\"op\":\"role\",\"table\":\"guests\"}\n", #"{"ok":true,"data":{"permissions":null,"role":""}}"#),
            ("{\"op\":\"lua-call\",\"function\":\"x\"}\n", #""code":"lua_not_available""#),
        ] {
            let stream = try await node.openStream(to: host.id, protocols: [ProtocolID(DataProtocol.dataID)])
            try await stream.write(ByteBuffer(string: text))
            try await stream.closeWrite()
            let reply = String(buffer: try await stream.readToEnd(max: 100_000))
            #expect(reply.contains(answer) && reply.hasSuffix("\n"), "\(text): \(reply)")
            await stream.close()
        }
        let stream = try await node.openStream(to: host.id, protocols: [ProtocolID(DataProtocol.dataID)])
        let piece = ByteBuffer(repeating: UInt8(ascii: "x"), count: 65_536)
        let reply = try? await {
            for _ in 0..<20 { try await stream.write(piece) }
            return String(buffer: try await stream.readToEnd(max: 100_000))
        }()
        #expect(reply == nil || reply?.contains(#""code":"too_large""#) == true)
        stream.reset()
        await node.stop()
        try await host.stop()
    }

    @Test func changesArriveOverOneStreamAndOnlyWhereTheyMay() async throws {
        let host = try await host("host")
        let shy = try await self.host("shy", read: "owner")
        let (ada, bob) = (try await visitor(), try await visitor())
        let (adas, bobs) = (try await connect(ada, to: host), try await connect(bob, to: host))
        var changes = try await adas.changes(of: host.id, table: "guests").makeAsyncIterator()
        let insert = try request(#"{"op":"insert","table":"guests","data":{"text":"live"}}"#)
        _ = try await bobs.perform(insert, of: host.id)
        let change = try await changes.next()
        #expect(change?.kind == .insert && change?.row?.object?["text"]?.string == "live")
        #expect(change?.row?.object?["_owner"]?.string == bob.peerID.base58)

        try await ada.connect(to: shy.id, addresses: [shy.address])
        try await bob.connect(to: shy.id, addresses: [shy.address])
        var own = try await adas.changes(of: shy.id, table: "guests").makeAsyncIterator()
        _ = try await bobs.perform(insert, of: shy.id)
        _ = try await adas.perform(insert, of: shy.id)
        #expect(try await own.next()?.id == 2, "the row of another is not told")

        let refused = await #expect(throws: DataError.self) {
            _ = try await adas.changes(of: host.id, table: "_meta")
        }
        #expect(refused?.code == .notFound)
        try await host.stop()
        let ended = await #expect(throws: DataError.self) { _ = try await changes.next() }
        #expect(ended?.code == .unreachable || ended?.code == .timedOut)
        let gone = await #expect(throws: DataError.self) { _ = try await adas.perform(insert, of: host.id) }
        #expect(gone?.code == .unreachable || gone?.code == .timedOut)
        await ada.stop()
        await bob.stop()
        try await shy.stop()
    }

    @Test func answersThatNobodyTakesAreBounded() async throws {
        let host = try await host("host") { $0.data.visitorRowKilobytes = 1024 }
        let node = try await visitor()
        let client = try await connect(node, to: host)
        let text = String(repeating: "x", count: 500_000)
        for _ in 0..<8 {
            _ = try await client.perform(
                try request("{\"op\":\"insert\",\"table\":\"guests\",\"data\":{\"text\":\"\(text)\"}}"), of: host.id)
        }
        // An answer has 4 MB; nine of them are more than one visitor may leave.
        let query = DataRequest(op: .query, table: "guests")
        func beginning() async throws -> (P2PStream, String) {
            let stream = try await node.openStream(to: host.id, protocols: [ProtocolID(DataProtocol.dataID)])
            try await stream.write(ByteBuffer(bytes: DataProtocol.line(query)))
            return (stream, String(buffer: try await stream.readExactly(11)))
        }
        var untaken: [P2PStream] = []
        for _ in 0..<8 { untaken.append(try await beginning().0) }
        let refused = await #expect(throws: DataError.self) { _ = try await client.perform(query, of: host.id) }
        #expect(refused?.code == .busy)
        // A visit ends when all that it counted for is given back.
        let door = host.running.door
        let changes = door.changes()
        for stream in untaken { stream.reset() }
        for await _ in changes where door.visitors.first?.openAnswers == 0 { break }
        let (other, answer) = try await beginning()
        #expect(answer.hasPrefix(#"{"ok":true"#), "what is not taken any more does not count: \(answer)")
        other.reset()
        await node.stop()
        try await host.stop()
    }

    @Test func requestsAtATimeAreBounded() async throws {
        let host = try await host("host")
        let node = try await visitor()
        let client = try await connect(node, to: host)
        let door = host.running.door
        let coming = door.changes()
        var options = StreamOptions()
        options.negotiation = .eager
        var held: [P2PStream] = []
        for _ in 0..<DataService.shares.perPeer {
            held.append(
                try await node.openStream(
                    to: host.id, protocols: [ProtocolID(DataProtocol.dataID)], options: options))
        }
        for await _ in coming where door.visitors.first?.openAnswers == held.count { break }
        let request = DataRequest(op: .tables)
        let refused = await #expect(throws: DataError.self) { _ = try await client.perform(request, of: host.id) }
        #expect(refused?.code == .busy)
        // A stream that has said nothing yet has a place to ask; its end gives it back.
        let leaving = door.changes()
        held.removeLast().reset()
        for await _ in leaving where door.visitors.first?.openAnswers == held.count { break }
        _ = try await client.perform(request, of: host.id)
        for stream in held { stream.reset() }
        await node.stop()
        try await host.stop()
    }

    @Test func aFewWhoTakeNothingLeaveRoomForShortAnswers() {
        let load = RequestLoad()
        let host = IPAddress("192.168.1.7")
        // As many keys of one address as like: together they get that address's part.
        for _ in 0..<40 {
            let key = ShareHolder(PrivateKey.generate().peerID, at: host)
            while load.keep(4 << 20, for: key) {}
            while load.keep(DataService.shortAnswerBytes + 1, for: key) {}
        }
        let neighbour = ShareHolder(PrivateKey.generate().peerID, at: host)
        #expect(!load.keep(DataService.shortAnswerBytes + 1, for: neighbour))
        #expect(load.keep(DataService.shortAnswerBytes, for: neighbour))
        load.release(DataService.shortAnswerBytes, for: neighbour)
        #expect(!load.keep(DataService.shortAnswerBytes + 1, for: neighbour), "what was not counted is not given back")
        let other = ShareHolder(PrivateKey.generate().peerID, at: IPAddress("192.168.1.8"))
        #expect(load.keep(6 << 20, for: other), "somebody elsewhere gets the longest answer")
    }

    @Test func whatIsTakenMakesRoom() {
        let load = RequestLoad()
        let ada = ShareHolder(PrivateKey.generate().peerID, at: nil)
        let bob = ShareHolder(PrivateKey.generate().peerID, at: nil)
        let most = DataService.untakenShares.perPeer
        #expect(!load.keep(most + 1, for: ada))
        #expect(load.keep(most, for: ada))
        #expect(!load.keep(DataService.shortAnswerBytes + 1, for: ada), "of one")
        #expect(load.keep(most, for: bob))
        load.release(most, for: ada)
        #expect(load.keep(DataService.shortAnswerBytes + 1, for: ada))
    }

    @Test func bytesOfRequestsThatComeSlowlyAreBounded() async throws {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = Node(
            configuration: .init(identity: .generate(), listen: [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]))
        let load = RequestLoad()
        let tables = SiteTables(
            path: temporary.path + "/gathered.db", configuration: .init(owner: server.peerID), logger: logger)
        DataService(tables: tables, door: SiteDoor(), logger: logger, load: load) { _ in "" }.register(on: server)
        try await server.start()
        func client() async throws -> DataClient {
            let node = try await visitor()
            try await node.connect(to: server.peerID, addresses: server.listenAddresses())
            return DataClient(node: node)
        }
        let (ada, bob) = (try await client(), try await client())
        let short = DataRequest(op: .tables)
        var long = DataRequest(op: .insert, table: "none")
        long.data = ["text": .string(String(repeating: "x", count: 900_000))]
        func code(_ client: DataClient, _ request: DataRequest) async -> DataErrorCode? {
            do throws(DataError) {
                _ = try await client.perform(request, of: server.peerID)
                return nil
            } catch { return error.code }
        }
        // Four requests whose end does not come.
        let part = ByteBuffer(repeating: UInt8(ascii: "x"), count: 1_000_000)
        var held: [P2PStream] = []
        for _ in 0..<4 {
            held.append(
                try await ada.node.openStream(to: server.peerID, protocols: [ProtocolID(DataProtocol.dataID)]))
            try await held.last?.write(part)
        }
        // A short one is answered whatever is kept.
        let all = held.count * (part.readableBytes - DataService.freelyGatheredBytes)
        let adas = ShareHolder(ada.node.peerID, at: IPAddress("127.0.0.1"))
        while load.gatheredBytes(of: adas) < all { try #require(await code(ada, short) == nil) }
        #expect(await code(ada, long) == .busy, "told though most of it came after there was no room")
        #expect(load.gatheredBytes(of: adas) == all, "and not kept")
        #expect(await code(bob, long) == .notFound, "others have room of their own")
        for stream in held { stream.reset() }
        while load.gatheredBytes(of: adas) > 0 { try #require(await code(ada, short) == nil) }
        #expect(await code(ada, long) == .notFound)
        #expect(load.gatheredBytes(of: adas) == 0, "an answered one counts no longer")
        for client in [ada, bob] { await client.node.stop() }
        await server.stop()
        await tables.close()
    }

    @Test func bytesOfAllVisitorsRequestsAreBounded() {
        let load = RequestLoad()
        let free = DataService.freelyGatheredBytes
        let (host, most) = (IPAddress("192.168.1.7"), DataService.gatheredShares.perPeer)
        let crowd = (0..<40).map { _ in ShareHolder(PrivateKey.generate().peerID, at: host) }
        #expect(load.gather(free + most, after: 0, for: crowd[0]))
        #expect(!load.gather(free + 1, after: 0, for: crowd[0]), "of one")
        for visitor in crowd.dropFirst() {
            var bytes = free
            while load.gather(bytes + (64 << 10), after: bytes, for: visitor) { bytes += 64 << 10 }
            while load.gather(bytes + 1024, after: bytes, for: visitor) { bytes += 1024 }
        }
        let last = ShareHolder(PrivateKey.generate().peerID, at: host)
        #expect(load.gather(free, after: 0, for: last), "a short request always has room")
        #expect(!load.gather(free + 1024, after: free, for: last), "of one address")
        load.letGo(free, for: last)
        #expect(!load.gather(free + 1024, after: free, for: last), "what did not count is not given back")
        load.letGo(free + most, for: crowd[0])
        #expect(load.gather(free + 1, after: free, for: last))
        #expect(load.gather(free + 2, after: free + 1, for: last))
        load.letGo(free + 2, for: last)
        #expect(load.gatheredBytes(of: last) == 0 && load.gatheredBytes(of: crowd[0]) == 0)
        let other = ShareHolder(PrivateKey.generate().peerID, at: IPAddress("192.168.1.8"))
        #expect(load.gather(1 << 20, after: 0, for: other), "somebody elsewhere has room for a long one")
    }

    @Test func aWatchThatIsNotReadKeepsFewBytes() async throws {
        let host = try await host("host") { $0.data.visitorRowKilobytes = 1024 }
        let (ada, bob) = (try await visitor(), try await visitor())
        let bobs = try await connect(bob, to: host)
        try await ada.connect(to: host.id, addresses: [host.address])
        let watch = try await ada.openStream(to: host.id, protocols: [ProtocolID(DataProtocol.watchID)])
        try await watch.write(ByteBuffer(string: "{\"table\":\"guests\"}\n"))
        #expect(try await watch.readLine(max: 100).map { String(buffer: $0) } == #"{"ok":true}"#)
        let text = String(repeating: "x", count: 500_000)
        for _ in 0..<16 {
            _ = try await bobs.perform(
                try request(#"{"op":"insert","table":"guests","data":{"text":"\#(text)"}}"#), of: host.id)
        }
        var changes = 0
        var last = ""
        while let line = try await watch.readLine(max: 1 << 20) {
            last = String(buffer: line)
            if last.contains(#""kind":"insert""#) { changes += 1 }
        }
        #expect(changes < 8 && last.contains("too_large"))
        await ada.stop()
        await bob.stop()
        try await host.stop()
    }

    @Test func changesThatAWatchIsBehindAreBounded() async throws {
        let (events, queue) = DataService.watchQueue()
        for id in 1...Int64(DataService.changesPerWatch) {
            let change = DataChange(table: "t", kind: .delete, id: id, row: nil)
            #expect(queue.put(change, cost: change.cost), "\(id)")
        }
        #expect(!queue.put(DataChange(table: "t", kind: .delete, id: 0, row: nil), cost: 0), "however small")
        #expect(!queue.put(nil, cost: 0), "a sign of life is not missed")
        withExtendedLifetime(events) {}
        let (large, other) = DataService.watchQueue()
        for _ in 0..<2 { #expect(other.put(nil, cost: DataService.costPerWatch / 2)) }
        #expect(!other.put(nil, cost: 1))
        withExtendedLifetime(large) {}
    }

    @Test func largeChangesThatNobodyReadsAreBoundedAtTheVisitorToo() async throws {
        let host = Node(
            configuration: .init(identity: .generate(), listen: [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]))
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        host.setHandler(for: ProtocolID(DataProtocol.watchID)) { stream in
            try? await stream.write(ByteBuffer(bytes: DataProtocol.line(["ok": true])))
            let row: JSONValue = ["text": .string(String(repeating: "x", count: 400_000))]
            for id in Int64(1)...8 {
                let change = DataChange(table: "t", kind: .insert, id: id, row: row)
                // The visitor gives up in the middle.
                guard (try? await stream.write(ByteBuffer(bytes: DataProtocol.line(change.json)))) != nil else { break }
            }
            do { while try await stream.read() != nil {} } catch {}
            stream.reset()
            end.yield()
        }
        try await host.start()
        let node = try await visitor()
        try await node.connect(to: host.peerID, addresses: host.listenAddresses())
        let changes = try await DataClient(node: node).changes(of: host.peerID, table: "t")
        for await _ in ends { break }
        var ids: [Int64] = []
        let error = await #expect(throws: DataError.self) { for try await change in changes { ids.append(change.id) } }
        #expect(error?.code == .tooLarge && ids == [1, 2], "\(ids)")
        await node.stop()
        await host.stop()
    }

    @Test func changesThatNobodyReadsAreBoundedAtTheVisitorToo() async throws {
        let host = Node(
            configuration: .init(identity: .generate(), listen: [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]))
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        host.setHandler(for: ProtocolID(DataProtocol.watchID)) { stream in
            var lines = ByteBuffer(bytes: DataProtocol.line(["ok": true]))
            for id in 1...Int64(DataClient.changesPerReader) + 50 {
                lines.writeBytes(
                    DataProtocol.line(DataChange(table: "t", kind: .delete, id: id, row: nil).json))
            }
            try? await stream.write(lines)
            try? await stream.closeWrite()
            // The visitor's end, or its reset.
            do { while try await stream.read() != nil {} } catch {}
            await stream.close()
            end.yield()
        }
        try await host.start()
        let node = try await visitor()
        try await node.connect(to: host.peerID, addresses: host.listenAddresses())
        let changes = try await DataClient(node: node).changes(of: host.peerID, table: "t")
        for await _ in ends { break }
        var ids: [Int64] = []
        let error = await #expect(throws: DataError.self) { for try await change in changes { ids.append(change.id) } }
        #expect(error?.code == .tooLarge && ids == Array(1...Int64(DataClient.changesPerReader)))
        await node.stop()
        await host.stop()
    }

    @Test func aDamagedDatabaseStopsNothingElse() async throws {
        temporary.write(String(repeating: "no database ", count: 1000), to: "host/data.db")
        let host = try await TestPeer.start(in: temporary, label: "host")
        let node = try await visitor()
        let client = try await connect(node, to: host)
        let error = await #expect(throws: DataError.self) {
            _ = try await client.perform(DataRequest(op: .tables), of: host.id)
        }
        #expect(error?.code == .corrupt)
        #expect(try await Probe(node: node, timeout: .seconds(5)).run(host.id) == "host")
        #expect(temporary.read("host/data.db")?.hasPrefix("no database") == true)
        await node.stop()
        try await host.stop()
    }

    @Test func theQuotaOfTheSettingsHolds() async throws {
        let host = try await host("host") { $0.data.visitorRows = 2 }
        let node = try await visitor()
        let client = try await connect(node, to: host)
        let insert = try request(#"{"op":"insert","table":"guests","data":{"text":"x"}}"#)
        for _ in 0..<2 { _ = try await client.perform(insert, of: host.id) }
        let error = await #expect(throws: DataError.self) { _ = try await client.perform(insert, of: host.id) }
        #expect(error?.code == .quota && error?.code.httpStatus == 507)
        // Another one counts from the next request, and nothing waits for a restart.
        let sheet = try await host.running.settings.apply(["data.visitor_rows": .integer(3)], isOnlyCheck: false)
        #expect(sheet.waitingForRestart == [])
        _ = try await client.perform(insert, of: host.id)
        let next = await #expect(throws: DataError.self) { _ = try await client.perform(insert, of: host.id) }
        #expect(next?.code == .quota)
        #expect(temporary.mode("host/data.db") == 0o600)
        await node.stop()
        try await host.stop()
    }
}
