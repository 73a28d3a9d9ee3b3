import GoopCore
import LibP2P
import NIOCore
import PeerIdentity
import Testing

@testable import GoopNode

/// Large answers of strangers have one bound, and whatever way one ends gives back what it took.
@Suite(.timeLimit(.minutes(1))) final class HeldAnswersTests: Sendable {
    private static let piece = 1 << 20
    private let room: AnswerRoom
    private let changes: AsyncStream<Int>
    /// Ends when the test lets those go on that are stuck.
    private let opening: AsyncStream<Void>
    private let gate: AsyncStream<Void>.Continuation

    init() {
        let (changes, told) = AsyncStream.makeStream(of: Int.self)
        self.changes = changes
        (opening, gate) = AsyncStream.makeStream(of: Void.self)
        room = AnswerRoom(bytes: 24 * Self.piece) { told.yield($0) }
    }

    /// Waits for a change after which so much is held.
    private func held(_ isWanted: (Int) -> Bool) async {
        for await _ in changes where isWanted(room.heldBytes) { break }
    }

    /// A peer that answers with a megabyte, in the way that the table's name says.
    private func stranger() async throws -> Node {
        let server = Node(
            configuration: .init(identity: .generate(), listen: [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]))
        server.setHandler(for: ProtocolID(DataProtocol.dataID)) { stream in
            guard let line = try? await stream.readLine(max: 4096),
                let request = try? DataProtocol.request(inLine: line.readableBytesView)
            else { return stream.reset() }
            let text = String(repeating: "x", count: Self.piece)
            switch request.table {
            case "whole": try? await stream.write(ByteBuffer(string: "{\"ok\":true,\"data\":\"\(text)\"}\n"))
            case "refusal": try? await stream.write(ByteBuffer(string: "{\"ok\":false,\"error\":\"\(text)\"}\n"))
            case "zeros":
                let zeros = String(repeating: "0,", count: 200_000)
                try? await stream.write(ByteBuffer(string: "{\"ok\":true,\"data\":[\(zeros)0]}\n"))
            case "short": try? await stream.write(ByteBuffer(string: "{\"ok\":true,\"data\":1}\n"))
            case "endless": while (try? await stream.write(ByteBuffer(string: text))) != nil {}
            default:
                try? await stream.write(ByteBuffer(string: text))
                // It neither goes on nor ends.
                if request.table == "stuck" { for await _ in self.opening {} }
                if request.table == "cut" { return stream.reset() }
            }
            await stream.close()
        }
        server.setHandler(for: ProtocolID(DataProtocol.watchID)) { stream in
            let line = try? await stream.readLine(max: 4096)
            let isEndless = line.map { String(buffer: $0).contains("endless") } ?? false
            try? await stream.write(ByteBuffer(string: "{\"ok\":true}\n"))
            let text = String(repeating: "x", count: Self.piece)
            repeat {
                guard (try? await stream.write(ByteBuffer(string: text))) != nil else { return }
            } while isEndless
            while (try? await stream.read()) != nil {}
        }
        try await server.start()
        return server
    }

    private func client(of servers: Node...) async throws -> DataClient {
        let node = Node(configuration: .init(identity: .generate(), listen: []))
        try await node.start()
        for server in servers { try await node.connect(to: server.peerID, addresses: server.listenAddresses()) }
        return DataClient(node: node, room: room)
    }

    private func request(_ table: String) -> DataRequest { DataRequest(op: .query, table: table) }

    private func refusal(_ client: DataClient, _ table: String, of server: Node) async -> DataErrorCode? {
        do {
            _ = try await client.perform(request(table), of: server.peerID)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func answersThatAreHeldCount() async throws {
        let (server, other) = (try await stranger(), try await stranger())
        let client = try await client(of: server, other)
        var answers: [DataAnswer] = []
        var refused: DataErrorCode?
        while refused == nil, answers.count < 12 {
            do {
                answers.append(try await client.answer(to: request("whole"), of: server.peerID))
            } catch {
                refused = error.code
            }
        }
        #expect(refused == .busy && answers.count > 4)
        #expect(room.heldBytes >= answers.count * Self.piece, "what was read counts for as long as it is kept")
        #expect(await refusal(client, "short", of: server) == nil, "a write is never told to try again")
        #expect(await refusal(client, "whole", of: other) == nil, "one who fills their part leaves others theirs")
        answers = []
        await held { $0 == 0 }
        #expect(await refusal(client, "whole", of: server) == nil)
        await client.node.stop()
        await server.stop()
        await other.stop()
    }

    /// Pages ask for several tables at once: what others hold for a moment is no reason to refuse an answer that has come.
    @Test func anAnswerThatHasComeWaitsForTheRoomToReadIt() async throws {
        let server = try await stranger()
        let client = try await client(of: server)
        // Two others leave it three pieces: enough for what comes, too little to read it.
        let shares = try [12, 6].map { pieces in
            let share = room.share(for: PrivateKey.generate().peerID)
            try share.hold(pieces * Self.piece)
            return share
        }
        let asking = Task { await refusal(client, "whole", of: server) }
        var last = 0
        // The same as before: somebody was refused. It had come by then.
        for await now in changes {
            if now == last, now > 19 * Self.piece { break }
            last = now
        }
        for share in shares { share.release() }
        #expect(await asking.value == nil)
        await client.node.stop()
        await server.stop()
    }

    @Test(
        arguments: [
            ("whole", nil), ("refusal", .badRequest), ("cut", .timedOut), ("nonsense", .unreachable),
            ("endless", .tooLarge), ("zeros", .tooLarge),
        ] as [(String, DataErrorCode?)])
    func everyEndGivesBack(table: String, code: DataErrorCode?) async throws {
        let server = try await stranger()
        let client = try await client(of: server)
        for _ in 0..<3 {
            #expect(await refusal(client, table, of: server) == code)
            await held { $0 == 0 }
        }
        await client.node.stop()
        await server.stop()
    }

    @Test func whoeverIsCancelledGivesBack() async throws {
        let server = try await stranger()
        let client = try await client(of: server)
        let asking = Task { await refusal(client, "stuck", of: server) }
        await held { $0 >= Self.piece }
        asking.cancel()
        #expect(await asking.value != nil)
        await held { $0 == 0 }
        gate.finish()
        await client.node.stop()
        await server.stop()
    }

    @Test func linesOfAWatchCount() async throws {
        let server = try await stranger()
        let client = try await client(of: server)
        var iterator = try await client.changes(of: server.peerID, table: "endless").makeAsyncIterator()
        let error = await #expect(throws: DataError.self) { _ = try await iterator.next() }
        #expect(error?.code == .tooLarge)
        await held { $0 == 0 }
        let watching = Task {
            for try await _ in try await client.changes(of: server.peerID, table: "stuck") {}
        }
        await held { $0 >= Self.piece }
        watching.cancel()
        await held { $0 == 0 }
        await client.node.stop()
        await server.stop()
    }
}
