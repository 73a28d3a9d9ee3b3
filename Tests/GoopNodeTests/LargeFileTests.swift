import Glibc
import GoopCore
import GoopHTTP
import LibP2P
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import GoopNode

/// Files of gigabytes between two peers, whole and in parts, on the wire and through the viewer. They are sparse: the disk has
/// next to nothing of them. Sent whole they are by `scripts/large-input`.
@Suite(.timeLimit(.minutes(1))) struct LargeFileTests {
    let temporary = TemporaryFolder()
    static let size = 5 << 30

    private func makeSite() {
        temporary.write("", to: "host/site/huge.bin")
        let path = temporary.path + "/host/site/huge.bin"
        truncate(path, off_t(Self.size))
        // A mark across each border of 31 and 32 bits, and at the end.
        let file = open(path, O_WRONLY)
        defer { close(file) }
        for border in [1 << 31, 1 << 32] { pwrite(file, "abcdefgh", 8, border - 4) }
        pwrite(file, "abcd", 4, Self.size - 4)
    }

    private func text(_ body: SiteBody) async throws -> String {
        var text = ""
        for try await chunk in body.chunks { text += String(buffer: chunk) }
        return text
    }

    @Test func partsBeyondTwoAndFourGigabytes() async throws {
        makeSite()
        let host = try await TestPeer.start(in: temporary, label: "host")
        let visitor = try await TestPeer.start(
            in: temporary, label: "visitor", contacts: [host.address], hasViewer: true)
        _ = await visitor.sees(host.id) { $0.reachable }
        let viewer = await visitor.viewer()
        let size = Self.size
        for (range, text, field) in [
            ("2147483644-2147483651", "abcdefgh", "2147483644-2147483651"),
            ("4294967292-4294967299", "abcdefgh", "4294967292-4294967299"),
            ("-8", "\0\0\0\0abcd", "\(size - 8)-\(size - 1)"),
            ("\(size - 4)-99999999999999999999", "abcd", "\(size - 4)-\(size - 1)"),
        ] {
            let answer = try await request(viewer, "GET /p/\(host.id)/huge.bin", ["Range: bytes=\(range)"])
            #expect(answer.hasPrefix("HTTP/1.1 206 ") && answer.hasSuffix("\r\n\r\n" + text), "\(range): \(answer)")
            #expect(answer.lowercased().contains("content-range: bytes \(field)/\(size)\r\n"), "\(range): \(answer)")
        }
        for range in ["\(size)-", "9223372036854775807-", "0-0,2-2"] {
            let answer = try await request(viewer, "HEAD /p/\(host.id)/huge.bin", ["Range: bytes=\(range)"])
            #expect(answer.lowercased().contains("content-length: ") || answer.contains(" 416 "), "\(range): \(answer)")
        }
        let head = try await request(viewer, "HEAD /p/\(host.id)/huge.bin", [])
        #expect(head.lowercased().contains("content-length: \(size)\r\n"), "\(head)")
        try await visitor.stop()
        try await host.stop()
    }

    @Test func aFileThatVanishesShrinksOrGrowsWhileItIsSent() async throws {
        for change in ["shrinks", "grows", "vanishes", "is replaced", "empties"] {
            makeSite()
            let host = try await TestPeer.start(in: temporary, label: "host")
            let node = Node(configuration: .init(identity: .generate(), listen: []))
            try await node.start()
            try await node.connect(to: host.id, addresses: [host.address.withoutPeerID])
            let from = Self.size - 40_000_000
            let body = try await SiteClient.patient(node).open(SiteQuery("/huge.bin", part: .from(from)), of: host.id)
            var chunks = body.chunks.makeAsyncIterator()
            var count = 0
            // What is on its way fits into a window; the owner has most of it still to read.
            while count < 1_000_000, let chunk = try await chunks.next() { count += chunk.readableBytes }
            let path = temporary.path + "/host/site/huge.bin"
            switch change {
            case "shrinks": truncate(path, off_t(from + 20_000_000))
            case "grows": truncate(path, off_t(Self.size + 1))
            case "vanishes": unlink(path)
            case "empties": truncate(path, 0)
            default:
                temporary.write("new", to: "host/site/new.bin")
                rename(temporary.path + "/host/site/new.bin", path)
            }
            let isWhole = ["vanishes", "is replaced"].contains(change)
            do {
                while let chunk = try await chunks.next() { count += chunk.readableBytes }
                #expect(isWhole && count == 40_000_000, "\(change): \(count)")
            } catch {
                #expect(!isWhole, "\(change): \(error)")
            }
            // The next visit sees how it is now.
            let next = try? await SiteClient.patient(node).open(SiteQuery("/huge.bin", method: .head), of: host.id)
            let expected: Int? =
                switch change {
                case "shrinks": from + 20_000_000
                case "grows": Self.size + 1
                case "vanishes": nil
                case "empties": 0
                default: 3
                }
            #expect(next?.head.size == expected, "\(change)")
            await node.stop()
            try await host.stop()
        }
    }

    /// What goes to the browser in one write are the bytes of the file, and within a bound, on the loop of the connection and elsewhere.
    @Test(arguments: [true, false]) func whatIsSentOnTogetherIsBounded(isOnLoop: Bool) async throws {
        let text = (0..<400_000).map { "\($0)\n" }.joined()
        temporary.write(text, to: "host/site/lines.txt")
        let host = try await TestPeer.start(in: temporary, label: "host")
        let node = Node(configuration: .init(identity: .generate(), listen: []))
        try await node.start()
        try await node.connect(to: host.id, addresses: [host.address.withoutPeerID])
        let executor: (any TaskExecutor)? = isOnLoop ? node.executor(for: host.id) : globalConcurrentExecutor
        let (received, largest) = try await withTaskExecutorPreference(executor) {
            var received = ""
            var largest = 0
            let body = try await SiteClient.patient(node).open(SiteQuery("/lines.txt"), of: host.id)
            if let runs = body.runs {
                for try await run in runs {
                    largest = max(largest, run.reduce(0) { $0 + $1.readableBytes })
                    for chunk in run { received += String(buffer: chunk) }
                }
            }
            return (received, largest)
        }
        let isWhole = received == text
        #expect(isWhole)
        // The last buffer may go beyond by as much as one frame has.
        #expect(largest < SiteStreamRuns.mostBytes + 65_536)
        await node.stop()
        try await host.stop()
    }

    @Test func namesThatAreNotTextAreRefusedInWords() async throws {
        let host = try await TestPeer.start(in: temporary, label: "host", hasViewer: true)
        let viewer = await host.viewer()
        for path in ["%FF", "a%C3", "%ED%A0%80", "%F8%88%80%80%80", "%C0%AF"] {
            let answer = try await request(viewer, "GET /p/\(host.id)/\(path)", [])
            #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.contains("not readable text"), "\(path): \(answer)")
        }
        try await host.stop()
    }

    /// Sends one request and reads the answer to its end.
    private func request(_ viewer: String, _ line: String, _ fields: [String]) async throws -> String {
        let authority = viewer.split(separator: "/").last.map(String.init) ?? ""
        let port = Int(authority.split(separator: ":").last ?? "") ?? 0
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let text = ([line + " HTTP/1.1", "Host: \(authority)", "Connection: close"] + fields).joined(separator: "\r\n")
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: text + "\r\n\r\n"))
            var answer = ""
            for try await chunk in inbound { answer += String(buffer: chunk) }
            return answer
        }
    }
}
