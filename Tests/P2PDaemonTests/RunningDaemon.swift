import GoopTestKit
import LibP2P
import Logging
import NIOCore
import NIOPosix

@testable import P2PDaemon

/// A daemon for one test: up when it is handed over, gone when the test's body is.
struct RunningDaemon: Sendable {
    let control: ControlAddress
    let peer: PeerID
    let addresses: [Multiaddr]

    static func with<Result: Sendable>(
        arguments: [String] = [], _ body: @Sendable (RunningDaemon) async throws -> Result
    ) async throws -> Result {
        let path = socketPath()
        let options = try DaemonOptions(
            arguments: ["-listen", "/unix\(path)", "-hostAddrs", "/ip4/127.0.0.1/tcp/0"] + arguments)
        let identity = PrivateKey.generate()
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        let daemon = Daemon(
            options: options, identity: identity,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }),
            say: { continuation.yield($0) })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await daemon.run()
            }
            guard let banner = await lines.first(where: { _ in true }) else {
                try await group.next()
                throw NotUp()
            }
            let addresses = banner.split(separator: "\n").compactMap { Multiaddr(String($0)) }
            let running = RunningDaemon(control: options.control, peer: identity.peerID, addresses: addresses)
            let result = try await body(running)
            group.cancelAll()
            try await group.waitForAll()
            return result
        }
    }

    struct NotUp: Error {}

    static func socketPath() -> String { "/tmp/goop2-test-\(UInt64.random(in: 0 ... .max)).sock" }
}

/// A client on the other end of a control connection.
struct TestClient {
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var decoder = FrameDecoder()

    static func with<Result: Sendable>(
        _ address: ControlAddress, _ body: @Sendable (inout TestClient) async throws -> Result
    ) async throws -> Result {
        let channel = try await ClientChannels.connect(to: address, group: MultiThreadedEventLoopGroup.singleton)
        return try await channel.executeThenClose { inbound, outbound in
            var client = TestClient(inbound: inbound.makeAsyncIterator(), outbound: outbound)
            return try await body(&client)
        }
    }

    init(
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.inbound = inbound
        self.outbound = outbound
    }

    func send(_ bytes: [UInt8]) async throws { try await outbound.write(ByteBuffer(bytes: bytes)) }

    func closeWrite() { outbound.finish() }

    /// The next message, or `nil` when the daemon has closed.
    mutating func receive() async throws -> [UInt8]? {
        while true {
            if let message = try decoder.next() { return Array(message) }
            guard let bytes = try await inbound.next() else { return nil }
            decoder.append(bytes.readableBytesView)
        }
    }

    /// Everything up to the end, of a connection that has become a stream.
    mutating func receiveToEnd() async throws -> [UInt8] {
        var all = Array(decoder.takeRemaining())
        while let bytes = try await inbound.next() { all.append(contentsOf: bytes.readableBytesView) }
        return all
    }

    /// Sends one request and gives the answer's type and the fields of its message.
    mutating func ask(
        _ type: UInt64, _ field: Int? = nil, _ build: (inout ProtobufWriter) -> Void = { _ in }
    ) async throws -> Answer {
        var inner = ProtobufWriter()
        build(&inner)
        var request = ProtobufWriter()
        request.append(1, varint: type)
        if let field { request.append(field, message: inner) }
        try await send(FrameDecoder.frame(request.bytes))
        return try Answer(try await receive() ?? [])
    }

    struct Answer {
        var isOK = false
        var error: String?
        var fields: [Int: [ArraySlice<UInt8>]] = [:]

        init(_ message: [UInt8]) throws {
            var reader = ProtobufReader(message)
            while let field = try reader.next() {
                if field.number == 1 { isOK = field.varint == 0 }
                if let bytes = field.bytes { fields[field.number, default: []].append(bytes) }
            }
            if let failure = fields[2]?.first {
                var reader = ProtobufReader(failure)
                error = try reader.next()?.string
            }
        }
    }
}

/// A listener of a client, which answers every stream that the daemon hands over with what it read from it.
enum EchoListener {
    static func with<Result: Sendable>(
        _ body: @Sendable (ControlAddress) async throws -> Result
    ) async throws -> Result {
        let address = ControlAddress.unix(path: RunningDaemon.socketPath())
        let listener = try await ClientChannels.listen(on: address, group: MultiThreadedEventLoopGroup.singleton)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await listener.executeThenClose { streams in
                    try await withThrowingDiscardingTaskGroup { each in
                        for try await stream in streams { each.addTask { try await Self.echo(stream) } }
                    }
                }
            }
            let result = try await body(address)
            group.cancelAll()
            // The listener ends with the cancellation.
            try? await group.waitForAll()
            return result
        }
    }

    private static func echo(_ stream: ControlChannel) async throws {
        try await stream.executeThenClose { inbound, outbound in
            var client = TestClient(inbound: inbound.makeAsyncIterator(), outbound: outbound)
            // The stream's head, and then its bytes.
            guard try await client.receive() != nil else { return }
            let all = try await client.receiveToEnd()
            try await client.send(all)
            try await ClientChannels.flush(stream.channel)
        }
    }
}
