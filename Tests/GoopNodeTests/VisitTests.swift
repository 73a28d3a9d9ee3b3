import GoopCore
import LibP2P
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import GoopNode

/// Visits through the whole viewer: from HTTP requests to streams at the peer whose site it is.
@Suite(.timeLimit(.minutes(1))) struct VisitTests {
    let temporary = TemporaryFolder()

    /// Nothing is kept on the way, and ordinary visits are no flood: they end their streams instead of resetting them, of
    /// which a peer takes 500 at once and then 50 a second.
    @Test func everyRequestIsAStreamOfItsOwn() async throws {
        let requests = 1200
        let owner = Node(
            configuration: .init(identity: .generate(), listen: [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]))
        try await owner.start()
        let streams = Atomic<Int>(0)
        let resets = Atomic<Int>(0)
        owner.setHandler(for: ProtocolID(SiteProtocol.querySiteID)) { stream in
            let query = try? await stream.read()
            let number = streams.add(1, ordering: .relaxed).newValue
            // Every second request brings a tag, and is answered without bytes.
            if query.map({ String(buffer: $0).contains("known") }) ?? false {
                let head = SiteHead(mediaType: "text/plain", size: 0, status: .notModified, tag: "known")
                try? await stream.write(ByteBuffer(bytes: head.encoded))
            } else {
                let body = "stream \(number)"
                let head = SiteHead(mediaType: "text/plain", size: body.utf8.count, tag: "t")
                try? await stream.write(ByteBuffer(bytes: head.encoded + Array(body.utf8)))
            }
            try? await stream.closeWrite()
            // The visitor's end of the stream, or its reset.
            do { while try await stream.read() != nil {} } catch { resets.add(1, ordering: .relaxed) }
            await stream.close()
        }
        let address = try #require(owner.listenAddresses().first).appending(owner.peerID)
        var events = owner.events().makeAsyncIterator()
        let visitor = try await TestPeer.start(in: temporary, label: "v", contacts: [address], hasViewer: true) {
            $0.viewer.httpAddress = "127.0.0.1:0"
        }
        identified: while let event = await events.next() {
            if case .identified = event { break identified }
        }
        let port = await visitor.viewerPort()
        let path = "/p/\(owner.peerID.base58)/a.txt"
        try await KeptConnection.open(port: port) { connection in
            for number in 1...requests {
                let isKnown = number.isMultiple(of: 2)
                let answer = try await connection.get(path, fields: isKnown ? "If-None-Match: \"known\"\r\n" : "")
                #expect(answer == (isKnown ? "304 " : "200 stream \(number)"))
                guard answer.hasPrefix(isKnown ? "304" : "200") else { break }
            }
        }
        #expect(streams.load(ordering: .relaxed) == requests)
        #expect(resets.load(ordering: .relaxed) == 0)
        #expect(owner.connections().count == 1)
        try await visitor.stop()
        await owner.stop()
    }
}

/// One connection to a viewer, kept for all requests. One task uses it.
private final class KeptConnection: @unchecked Sendable {
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private let port: Int
    private var unread = ""

    private init(
        port: Int, inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.port = port
        self.inbound = inbound.makeAsyncIterator()
        self.outbound = outbound
    }

    static func open(port: Int, _ body: @Sendable (KeptConnection) async throws -> Void) async throws {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        try await channel.executeThenClose { inbound, outbound in
            try await body(KeptConnection(port: port, inbound: inbound, outbound: outbound))
        }
    }

    /// Status and body of an answer of ASCII, with a blank in between.
    func get(_ path: String, fields: String) async throws -> String {
        try await outbound.write(ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\(fields)\r\n"))
        let head = try await take(until: "\r\n\r\n")
        let lines = head.split(separator: "\r\n")
        let status = lines.first?.split(separator: " ").dropFirst().first ?? ""
        let length = lines.first { $0.lowercased().hasPrefix("content-length: ") }
            .flatMap { Int($0.dropFirst("content-length: ".count)) }
        let body = try await take(count: status == "304" ? 0 : length ?? 0)
        return "\(status) \(body)"
    }

    private func take(until mark: String) async throws -> String {
        while true {
            if let end = unread.firstRange(of: mark) {
                defer { unread = String(unread[end.upperBound...]) }
                return String(unread[..<end.upperBound])
            }
            try await receive()
        }
    }

    private func take(count: Int) async throws -> String {
        while unread.utf8.count < count { try await receive() }
        defer { unread = String(unread.utf8.dropFirst(count)) ?? "" }
        return String(unread.utf8.prefix(count)) ?? ""
    }

    private func receive() async throws {
        unread += String(buffer: try #require(await inbound.next(), "the viewer closed the connection"))
    }
}
