import Foundation
import GoopCore
import GoopHTTP
import Logging
import NIOCore
import NIOPosix
import Testing

/// A server on a free port, stopped when `body` returns.
func withViewer(
    _ backend: FakeBackend = FakeBackend(), rooms: ViewerRooms = .init(),
    configure: (inout ViewerConfiguration) -> Void = { _ in },
    _ body: @Sendable (Int) async throws -> Void
) async throws {
    try await withViewerEndpoint(backend, rooms: rooms, configure: configure) { try await body($0.port) }
}

/// The same for those who need more than its port on loopback.
func withViewerEndpoint(
    _ backend: FakeBackend, rooms: ViewerRooms, configure: (inout ViewerConfiguration) -> Void,
    _ body: @Sendable (ViewerEndpoint) async throws -> Void
) async throws {
    let (endpoints, listening) = AsyncStream.makeStream(of: ViewerEndpoint.self)
    var configuration = ViewerConfiguration(address: .port(0)) { listening.yield($0) }
    configure(&configuration)
    let server = ViewerServer(
        configuration: configuration, backend: backend, rooms: rooms, logger: Logger(label: "test"))
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer { listening.finish() }
            try await server.run()
        }
        var iterator = endpoints.makeAsyncIterator()
        try await body(try #require(await iterator.next()))
        group.cancelAll()
    }
}

/// An answer, taken apart without any client's help.
struct RawAnswer: Sendable {
    var status = 0
    var fields: [(name: String, value: String)] = []
    var body = ""

    subscript(_ name: String) -> String? {
        fields.first { $0.name.lowercased() == name.lowercased() }?.value
    }

    init(_ text: String) {
        guard let end = text.range(of: "\r\n\r\n") else { return }
        var lines = text[..<end.lowerBound].split(separator: "\r\n", omittingEmptySubsequences: false)
        guard !lines.isEmpty else { return }
        status = Int(lines.removeFirst().split(separator: " ").dropFirst().first ?? "") ?? 0
        fields = lines.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (String(line[..<colon]), line[line.index(after: colon)...].drop { $0 == " " }.description)
        }
        body = String(text[end.upperBound...])
    }
}

/// One connection over which a test says exactly what it wants to say. One task reads at a time.
final class RawConnection: @unchecked Sendable {
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>

    private init(
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>, outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.inbound = inbound.makeAsyncIterator()
        self.outbound = outbound
    }

    static func open<Value: Sendable>(
        port: Int, ip: String = "127.0.0.1", _ body: @Sendable (RawConnection) async throws -> Value
    ) async throws -> Value {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(to: SocketAddress(ipAddress: ip, port: port)) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(RawConnection(inbound: inbound, outbound: outbound))
        }
    }

    func send(_ text: String) async throws {
        try await outbound.write(ByteBuffer(string: text))
    }

    /// Everything until the other end closes; a reset counts as an end.
    func readToEnd() async -> String {
        var text = ""
        do {
            while let chunk = try await inbound.next() { text += String(buffer: chunk) }
        } catch {
            // The other end reset the connection; what arrived before is the answer.
        }
        return text
    }

    /// Reads until the text holds `mark`, and gives everything read so far.
    func read(until mark: String) async throws -> String {
        var text = ""
        while let chunk = try await inbound.next() {
            text += String(buffer: chunk)
            if text.contains(mark) { return text }
        }
        Issue.record("the connection ended before “\(mark)”: \(text)")
        return text
    }
}

/// Sends one request and reads the answer to its end.
///
/// - Parameter fields: further header lines; a `Host` line replaces the right one, an empty one leaves it out.
func request(
    _ target: String, method: String = "GET", port: Int, ip: String = "127.0.0.1", fields: [String] = [],
    body: String = ""
) async throws -> RawAnswer {
    var lines = ["\(method) \(target) HTTP/1.1"]
    if !fields.contains(where: { $0.lowercased().hasPrefix("host:") }) { lines.append("Host: 127.0.0.1:\(port)") }
    lines += fields.filter { $0.lowercased() != "host:" }
    lines.append("Connection: close")
    let text = lines.joined(separator: "\r\n") + "\r\n\r\n" + body
    return try await RawConnection.open(port: port, ip: ip) { connection in
        try await connection.send(text)
        return RawAnswer(await connection.readToEnd())
    }
}
