import Foundation
import GoopTestKit
import LibP2P
import Logging
import Synchronization
import Testing

@testable import P2PDaemon

@Suite(.timeLimit(.minutes(1))) struct FrameLogTests {
    private static func path() -> String { "/tmp/goop2-test-\(UInt64.random(in: 0 ... .max)).frames" }

    private static func mode(of path: String) throws -> mode_t {
        var status = stat()
        try #require(stat(path, &status) == 0)
        return status.st_mode & 0o7777
    }

    /// A line as it is in the file.
    private struct Line: Decodable, Equatable {
        var ms: Double
        var conn: Int?
        var peer: String?
        var dir: String?
        var type: String?
        var flags: [String]?
        var stream: UInt32?
        var length: UInt32?
        var tokens: [String]?
        var bytes: Int?
        var message: Int?
        var rpc: Int?
        var subscribe: [String]?
        var unsubscribe: [String]?
        var graft: [String]?
        var prune: [Prune]?
        var messages: Int?
        var dropped: Int?

        struct Prune: Decodable, Equatable {
            var topic: String
            var backoff: UInt64?
        }
    }

    private static func lines(_ text: String) throws -> [Line] {
        try #require(text.hasSuffix("\n"))
        return try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    /// All lines of the stream on which this protocol was negotiated.
    private static func stream(of name: String, in lines: [Line]) -> [Line] {
        let opened = lines.first { $0.tokens?.contains(name) == true }
        return lines.filter { $0.stream == opened?.stream && $0.stream != nil }
    }

    private static func contents(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    // MARK: The file

    @Test func isForItsOwnerAndBeginsAnew() async throws {
        let path = Self.path()
        defer { unlink(path) }
        try Data("of the last run\n".utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o644)
        let log = try FrameLog(path: path)
        #expect(try Self.mode(of: path) == 0o600)
        log.append("\"dir\":\"in\"")
        await log.close()
        log.append("\"dir\":\"out\"")
        let lines = try Self.lines(try Self.contents(path))
        #expect(lines.map(\.dir) == ["in"])
        #expect(lines.allSatisfy { $0.ms >= 0 })
        // Closing twice is closing.
        await log.close()
    }

    @Test func aNewFileIsForItsOwner() async throws {
        let path = Self.path()
        defer { unlink(path) }
        await (try FrameLog(path: path)).close()
        #expect(try Self.mode(of: path) == 0o600)
    }

    @Test func takesNothingButARegularFile() throws {
        let path = Self.path()
        let target = Self.path()
        defer { unlink(target) }
        try Data("kept".utf8).write(to: URL(fileURLWithPath: target))
        // A pipe nobody reads and one that somebody does, a link to a file, a folder.
        mkfifo(path, 0o600)
        #expect(throws: DaemonStartError.self) { try FrameLog(path: path) }
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        #expect(throws: DaemonStartError.unusableFrameLog(path: path, reason: "it is no regular file")) {
            try FrameLog(path: path)
        }
        close(reader)
        unlink(path)
        symlink(target, path)
        #expect(throws: DaemonStartError.unusableFrameLog(path: path, reason: "it is a link")) {
            try FrameLog(path: path)
        }
        unlink(path)
        #expect(throws: DaemonStartError.self) { try FrameLog(path: "/tmp") }
        #expect(throws: DaemonStartError.self) { try FrameLog(path: "/nowhere/at/all") }
        #expect(try Self.contents(target) == "kept")
    }

    @Test func aDaemonWithoutAUsableFileDoesNotStart() async throws {
        await #expect(throws: DaemonStartError.self) {
            try await RunningDaemon.with(arguments: ["-frameLog", "/tmp"]) { _ in }
        }
    }

    @Test func theFileHasABound() async throws {
        let path = Self.path()
        defer { unlink(path) }
        let log = try FrameLog(path: path, maximumBytes: 4096)
        for number in 0..<1000 { log.append("\"stream\":\(number)") }
        #expect(log.dropped > 0)
        await log.close()
        let text = try Self.contents(path)
        #expect(text.utf8.count <= 4096)
        let lines = try Self.lines(text)
        #expect(lines.compactMap(\.stream) == (0..<UInt32(lines.count - 1)).map { $0 })
        #expect(lines.last?.dropped == 1000 - (lines.count - 1))
    }

    @Test func aDiskThatStandsStillCostsLinesAndNoTime() async throws {
        var ends: [CInt] = [0, 0]
        try #require(pipe(&ends) == 0)
        let reading = ends[0]
        let log = FrameLog(descriptor: ends[1], maximumWaiting: 64 * 1024)
        let filler = String(repeating: "x", count: 1000)
        // Nobody reads: a pipe takes as much as it holds, and the writer's thread stands still.
        let total = 2000
        for number in 0..<total { log.append("\"stream\":\(number),\"peer\":\"\(filler)\"") }
        let dropped = log.dropped
        #expect(dropped > total / 2 && dropped < total)
        // The disk goes on: what waited is there, the count of what was dropped, and what comes now.
        let (reads, hasRead) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let all = Task.detached { () -> [UInt8] in
            var all: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while case let count = read(reading, &buffer, buffer.count), count > 0 {
                all += buffer.prefix(count)
                hasRead.yield()
            }
            hasRead.finish()
            return all
        }
        // At the latest when all that waited has been read there is room.
        for await _ in reads where log.accepts("\"stream\":\(total)") { break }
        await log.close()
        let lines = try Self.lines(String(decoding: await all.value, as: UTF8.self))
        close(reading)
        let counted = lines.compactMap(\.dropped).reduce(0, +)
        #expect(counted == log.dropped)
        #expect(lines.last?.stream == UInt32(total))
        #expect(lines.compactMap(\.stream).count - 1 + dropped == total)
    }

    // MARK: What is in it

    @Test func twoDaemonsTellTheSameFrames() async throws {
        let paths = [Self.path(), Self.path()]
        defer { for path in paths { unlink(path) } }
        let secret = "never told to anybody"
        let peers = try await RunningDaemon.with(arguments: ["-frameLog", paths[0]]) { one in
            try await RunningDaemon.with(arguments: ["-frameLog", paths[1]]) { two in
                try await EchoListener.with { listener in
                    try await TestClient.with(two.control) { (handler: inout TestClient) async throws in
                        #expect(try await handler.registers("/echo/1", at: listener).isOK)
                        try await TestClient.with(one.control) { (client: inout TestClient) async throws in
                            #expect(try await client.connects(to: two).isOK)
                            #expect(try await client.opens("/echo/1", with: two.peer, first: Array(secret.utf8)).isOK)
                            client.closeWrite()
                            #expect(try await client.receiveToEnd() == Array(secret.utf8))
                        }
                    }
                    return [one.peer, two.peer]
                }
            }
        }
        let texts = try paths.map { try Self.contents($0) }
        for text in texts { #expect(!text.contains(secret)) }
        let logs = try texts.map { try Self.lines($0) }
        #expect(Set(logs[0].compactMap(\.peer)) == [peers[1].description])
        #expect(Set(logs[1].compactMap(\.peer)) == [peers[0].description])
        for lines in logs {
            // One connection, in the order of time.
            #expect(Set(lines.compactMap(\.conn)) == [1])
            #expect(lines.map(\.ms) == lines.map(\.ms).sorted())
        }
        // The stream of the echo: one side's out is the other's in, frame by frame.
        let streams = logs.map { Self.stream(of: "/echo/1", in: $0) }
        for (here, there) in [("out", "in"), ("in", "out")] {
            let pair = [(streams[0], here), (streams[1], there)].map { lines, direction in
                lines.filter { $0.dir == direction }.map {
                    Line(
                        ms: 0, type: $0.type, flags: $0.flags, length: $0.length, tokens: $0.tokens, bytes: $0.bytes)
                }
            }
            #expect(pair[0] == pair[1])
            #expect(pair[0].flatMap { $0.tokens ?? [] } == ["/multistream/1.0.0", "/echo/1"])
            #expect(pair[0].contains { $0.flags?.contains("fin") == true })
            let bytes = pair[0].filter { $0.type == "data" }.compactMap(\.length).reduce(0, +)
            #expect(Int(bytes) == 29 + secret.utf8.count)
        }
        #expect(streams[0].first?.flags == ["syn"])
        // Identify went both ways, each message as long as it says.
        for lines in logs {
            let answered = lines.first { $0.dir == "out" && $0.message != nil }
            let message = try #require(answered?.message)
            let stream = lines.filter { $0.stream == answered?.stream && $0.dir == "out" }
            let bytes = stream.filter { $0.type == "data" }.compactMap(\.length).reduce(0, +)
            #expect(stream.flatMap { $0.tokens ?? [] } == ["/multistream/1.0.0", "/ipfs/id/1.0.0"])
            #expect(Int(bytes) == 36 + message)
        }
    }

    /// Two daemons follow a topic; a message goes from the first to the second, which then leaves the topic.
    @Test func tellsWhoIsInAMeshAndWhoNoLonger() async throws {
        let paths = [Self.path(), Self.path()]
        defer { for path in paths { unlink(path) } }
        let secret = "never told to anybody"
        try await RunningDaemon.with(arguments: ["-pubsub", "-frameLog", paths[0]]) { one in
            try await RunningDaemon.with(arguments: ["-pubsub", "-frameLog", paths[1]]) { two in
                try await TestClient.with(one.control) { (follower: inout TestClient) async throws in
                    #expect(try await follower.subscribes("topic").isOK)
                    try await TestClient.with(two.control) { (leaver: inout TestClient) async throws in
                        #expect(try await leaver.subscribes("topic").isOK)
                        try await TestClient.with(one.control) { (client: inout TestClient) async throws in
                            #expect(try await client.connects(to: two).isOK)
                            while try await client.topicPeers("topic") != [two.peer.bytes[...]] {}
                            let published = try await client.ask(8, 8) {
                                $0.append(1, varint: 2)
                                $0.append(2, string: "topic")
                                $0.append(3, bytes: Array(secret.utf8))
                            }
                            #expect(published.isOK)
                        }
                        _ = try #require(try await leaver.receive())
                    }
                    try await TestClient.with(one.control) { (client: inout TestClient) async throws in
                        // The PRUNE comes with the word that the topic was left.
                        while try await client.topicPeers("topic") != [] {}
                    }
                }
            }
        }
        for (path, directions) in zip(paths, [("out", "in"), ("in", "out")]) {
            let text = try Self.contents(path)
            #expect(!text.contains(secret))
            let lines = try Self.lines(text).filter { $0.rpc != nil }
            let (here, there) = directions
            for direction in [here, there] {
                #expect(lines.contains { $0.dir == direction && $0.subscribe == ["topic"] })
                // Never both ways on one stream.
                #expect(Set(lines.filter { $0.dir == direction }.map(\.stream)).count == 1)
            }
            #expect(Set(lines.map(\.stream)).count == 2)
            #expect(lines.contains { $0.graft == ["topic"] })
            #expect(lines.filter { $0.messages != nil }.map { [$0.dir, $0.messages?.description] } == [[here, "1"]])
            let pruned = lines.filter { $0.prune != nil }
            #expect(pruned.map(\.dir) == [there])
            #expect(pruned.first?.prune == [.init(topic: "topic", backoff: 10)])
            #expect(lines.first { $0.unsubscribe == ["topic"] }?.dir == there)
        }
    }

    /// Opens a stream of GossipSub that says nothing yet.
    private static func propose(_ protocolID: String, _ stream: UInt32, to frames: ConnectionFrames) {
        let proposal = [UInt8(protocolID.utf8.count + 1)] + Array("\(protocolID)\n".utf8)
        Self.say(Array("\u{13}/multistream/1.0.0\n".utf8) + proposal, stream, .syn, to: frames)
    }

    private static func say(
        _ bytes: [UInt8], _ stream: UInt32, _ flags: YamuxHeader.Flags = [], to frames: ConnectionFrames
    ) {
        frames.received(YamuxHeader(kind: .data, flags: flags, streamID: stream, length: UInt32(bytes.count)))
        bytes.withUnsafeBytes { frames.received($0) }
    }

    @Test func gossipStreamsThatAreFollowedAreBoundedAndEnd() async throws {
        let path = Self.path()
        defer { unlink(path) }
        let log = try FrameLog(path: path)
        let frames = ConnectionFrames(peer: PrivateKey.generate().peerID, log: log)
        let most = UInt32(ConnectionFrames.maximumGossipStreams)
        let graft = hex("0a1a081a060a0474657374")
        let streams = (0...most).map { 2 * $0 + 1 }
        for stream in streams { Self.propose("/meshsub/1.1.0", stream, to: frames) }
        // Not a pubsub protocol: what it carries is nobody's business, though it looks the same.
        Self.propose("/chat/1", 101, to: frames)
        for stream in streams + [101] { Self.say(graft, stream, to: frames) }
        // One ends with its last RPC, one is reset, one is refused: others take their places.
        Self.say(graft, streams[0], .fin, to: frames)
        frames.received(YamuxHeader(kind: .windowUpdate, flags: .rst, streamID: streams[1], length: 0))
        frames.sent(YamuxHeader(kind: .data, flags: [], streamID: streams[2], length: 24))
        Array("\u{13}/multistream/1.0.0\n\u{03}na\n".utf8).withUnsafeBytes { frames.sent($0) }
        for stream in streams.prefix(3) { Self.say(graft, stream, to: frames) }
        for stream: UInt32 in [201, 203, 205] {
            Self.propose("/meshsub/1.2.0", stream, to: frames)
            Self.say(graft, stream, to: frames)
        }
        await log.close()
        let told = try Self.lines(Self.contents(path)).filter { $0.rpc != nil }
        #expect(told.allSatisfy { $0.graft == ["test"] && $0.dir == "in" })
        #expect(told.compactMap(\.stream) == streams.dropLast() + [streams[0], 201, 203, 205])
    }

    @Test func negotiationsThatAreFollowedAreBounded() async throws {
        let path = Self.path()
        defer { unlink(path) }
        let log = try FrameLog(path: path)
        let frames = ConnectionFrames(peer: PrivateKey.generate().peerID, log: log)
        let header = Array("\u{13}/multistream/1.0.0\n".utf8)
        let most = UInt32(ConnectionFrames.maximumNegotiations)
        for number in 0...most {
            frames.received(
                YamuxHeader(kind: .data, flags: .syn, streamID: 2 * number + 1, length: UInt32(header.count)))
            header.withUnsafeBytes { frames.received($0) }
        }
        await log.close()
        let told = try Self.lines(Self.contents(path)).filter { $0.tokens != nil }.compactMap(\.stream)
        #expect(told == (0..<most).map { 2 * $0 + 1 })
    }

    @Test func helpAndOptionNameIt() throws {
        #expect(try DaemonOptions(arguments: ["-frameLog", "a.jsonl"]).frameLog == "a.jsonl")
        #expect(try DaemonOptions(arguments: []).frameLog == nil)
        #expect(Daemon.usage.contains("-frameLog VALUE") && Daemon.usage.contains("64 MiB"))
        #expect(throws: DaemonOptionError.missingValue(.frameLog)) { try DaemonOptions(arguments: ["-frameLog"]) }
    }
}

extension FrameLog {
    /// Whether a line finds room.
    fileprivate func accepts(_ fields: String) -> Bool {
        let before = dropped
        append(fields)
        return dropped == before
    }
}
