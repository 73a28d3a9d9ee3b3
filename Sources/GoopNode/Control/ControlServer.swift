import GoopCore
import GoopHTTP
import Logging
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Takes commands over the control socket; whoever may open it is the owner.
struct ControlServer: Sendable {
    /// Commands at a time; one more is turned away.
    static let maximumConnections = 32
    /// A connection that sends no request in this time is closed.
    static let patience = Duration.seconds(10)

    private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>

    private let channel: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>
    private let path: String
    private let name: ControlSocketPath
    private let logger: Logger

    /// Opens the socket; one that a dead process left behind is replaced, which the folder's lock makes safe.
    static func open(_ path: String, group: any EventLoopGroup, logger: Logger) async throws -> ControlServer {
        do {
            let name = try ControlSocketPath(path)
            unlink(path)
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 16)
                .bind(unixDomainSocketPath: name.usable) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try Connection(
                            wrappingChannelSynchronously: channel,
                            configuration: .init(isOutboundHalfClosureEnabled: true))
                    }
                }
            guard chmod(path, 0o600) == 0 else {
                let fault = FileFault("protect", path)
                try? await channel.channel.close()
                throw fault
            }
            return ControlServer(channel: channel, path: path, name: name, logger: logger)
        } catch let fault as FileFault {
            throw fault.failure
        } catch {
            throw Failure(
                .cannotCreate, "cannot open the control socket \(path): \(error)",
                nextStep: "check that its folder can be written and that its disk takes sockets")
        }
    }

    /// Answers until cancelled, and removes the socket.
    func run(_ answer: @escaping @Sendable (ControlRequest) async -> ControlReply) async {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await channel.executeThenClose { inbound in
                    var active = 0
                    for try await connection in inbound {
                        if active >= ControlServer.maximumConnections {
                            try await group.next()
                            active -= 1
                        }
                        group.addTask { await serve(connection, answer) }
                        active += 1
                    }
                }
                group.cancelAll()
            }
        } catch is CancellationError {
            // The peer is being stopped.
        } catch {
            logger.warning("the control socket failed", metadata: ["reason": "\(error)"])
        }
        unlink(path)
    }

    private func serve(
        _ connection: Connection, _ answer: @Sendable (ControlRequest) async -> ControlReply
    ) async {
        let deadline = connection.channel.eventLoop.scheduleTask(in: TimeAmount(ControlServer.patience)) {
            connection.channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        do {
            try await connection.executeThenClose { inbound, outbound in
                var line = ByteBuffer()
                for try await var chunk in inbound {
                    let isComplete = chunk.readableBytesView.contains(0x0A)
                    line.writeBuffer(&chunk)
                    if isComplete || line.readableBytes > ControlRequest.maximumLine {
                        break
                    }
                }
                deadline.cancel()
                let reply = await reply(to: line, answer)
                try await outbound.write(ByteBuffer(bytes: reply.encoded))
                if case .file(let body) = reply {
                    for try await chunk in body.chunks { try await outbound.write(chunk) }
                }
                // Closing a channel drops what is still in it; writes are in order, so an empty one ends behind them all.
                try await connection.channel.writeAndFlush(ByteBuffer()).get()
            }
        } catch {
            logger.debug("a command ended early", metadata: ["reason": "\(error)"])
        }
    }

    private func reply(
        to line: ByteBuffer, _ answer: @Sendable (ControlRequest) async -> ControlReply
    ) async -> ControlReply {
        let view = line.readableBytesView
        guard let end = view.firstIndex(of: 0x0A),
            view.distance(from: view.startIndex, to: end) <= ControlRequest.maximumLine
        else {
            return .failure(
                Failure(.protocolViolation, "the request is no line of JSON", nextStep: "use the goop2 program"))
        }
        do throws(Failure) {
            return await answer(try ControlRequest(line: view[..<end]))
        } catch {
            return .failure(error)
        }
    }
}
