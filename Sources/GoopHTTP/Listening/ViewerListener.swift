import GoopCore
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The listening sockets of one door of the viewer: on loopback 127.0.0.1 and, where the system has it, ::1 on the same port.
struct ViewerListener: Sendable {
    /// A connection that was accepted by the system.
    enum Connection: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        /// The limit is reached, or the viewer is closing.
        case turnedAway(any Channel)
    }

    typealias Socket = NIOAsyncChannel<Connection, Never>

    /// Ports tried after the preferred one when none is configured.
    static let automaticPorts = ViewerAddress.defaultPort..<(ViewerAddress.defaultPort + 100)

    let port: Int
    let sockets: [Socket]
    /// The port that was to be the first, if another program has it.
    var instead: ViewerEndpoint.TakenPort?

    /// Binds both addresses of a port, or of the first port that is free on both.
    static func bind(
        _ address: ViewerAddress, rememberedPort: Int?, using binder: LoopbackBinder
    ) async throws(ViewerListenError) -> ViewerListener {
        switch address {
        case .off:
            return ViewerListener(port: 0, sockets: [])
        case .port(let port):
            return try await binder.bind(port: port)
        case .automatic:
            var candidates = Array(automaticPorts)
            if let rememberedPort, (1...65535).contains(rememberedPort) { candidates.insert(rememberedPort, at: 0) }
            var instead: ViewerEndpoint.TakenPort?
            for port in candidates {
                do throws(ViewerListenError) {
                    var listener = try await binder.bind(port: port)
                    listener.instead = instead
                    return listener
                } catch {
                    switch error.reason {
                    case .portTaken(let holder):
                        if port == candidates.first {
                            instead = ViewerEndpoint.TakenPort(port: port, holder: holder)
                        }
                    case .notPermitted: continue
                    case .noFreePort, .outerAddress, .certificate, .system: throw error
                    }
                }
            }
            throw ViewerListenError(
                port: automaticPorts.lowerBound,
                reason: .noFreePort(first: automaticPorts.lowerBound, last: automaticPorts.upperBound - 1))
        }
    }

    /// Accepts and serves connections until the sockets are closed or the task is cancelled.
    func serve(_ http: HTTP1Channel, logger: Logger) async {
        await withDiscardingTaskGroup { group in
            for socket in sockets {
                group.addTask {
                    do {
                        try await Self.accept(from: socket, http: http, logger: logger)
                    } catch is CancellationError {
                        // The viewer is being stopped.
                    } catch {
                        logger.error("the viewer stopped accepting connections", metadata: ["reason": "\(error)"])
                    }
                }
            }
        }
    }

    private static func accept(from socket: Socket, http: HTTP1Channel, logger: Logger) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await socket.executeThenClose { inbound in
                for try await connection in inbound {
                    switch connection {
                    case .http(let channel):
                        group.addTask(executorPreference: LoopExecutor(channel.channel.eventLoop)) {
                            await http.handle(value: channel, logger: logger)
                        }
                    case .turnedAway(let channel): turnAway(channel)
                    }
                }
            }
        }
    }

    /// Says that there is no room, and closes a moment later, for closing at once could take the answer back.
    private static func turnAway(_ channel: any Channel) {
        let answer = ByteBuffer(
            string:
                "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
        channel.writeAndFlush(answer).whenComplete { _ in
            channel.close(mode: .output, promise: nil)
            channel.eventLoop.scheduleTask(in: .milliseconds(200)) { channel.close(promise: nil) }
        }
    }

    /// Closes sockets that were never served, and what the system has accepted at them meanwhile.
    func discard() async {
        for socket in sockets { await Self.discard(socket) }
    }

    /// SwiftNIO ends the program when a connection is dropped that nobody has run, so each is run for no time.
    fileprivate static func discard(_ socket: Socket) async {
        try? await socket.executeThenClose { inbound in
            socket.channel.close(promise: nil)
            for try await connection in inbound {
                switch connection {
                case .http(let channel): try? await channel.executeThenClose { _, _ in }
                case .turnedAway(let channel): channel.close(promise: nil)
                }
            }
        }
    }

    /// Stops listening; open connections stay.
    func stopListening() {
        for socket in sockets {
            socket.channel.close(promise: nil)
        }
    }
}

/// Makes the listening sockets on loopback.
struct LoopbackBinder: Sendable {
    let http: HTTP1Channel
    let registry: ConnectionRegistry
    let eventLoopGroup: any EventLoopGroup
    let logger: Logger

    /// Binds 127.0.0.1 and ::1; port zero takes one that is free on both.
    func bind(port: Int) async throws(ViewerListenError) -> ViewerListener {
        var attemptsLeft = port == 0 ? 8 : 1
        while true {
            attemptsLeft -= 1
            do {
                return try await bindBoth(port: port)
            } catch {
                if attemptsLeft > 0, (error as? IOError)?.errnoCode == EADDRINUSE { continue }
                throw Self.listenError(error, port: port)
            }
        }
    }

    private func bindBoth(port: Int) async throws -> ViewerListener {
        let first = try await bind(ip: "127.0.0.1", port: port)
        let chosen = first.channel.localAddress?.port ?? port
        do {
            let second = try await bind(ip: "::1", port: chosen)
            return ViewerListener(port: chosen, sockets: [first, second])
        } catch let error as IOError where Self.meansNoIPv6(error.errnoCode) {
            logger.debug("no IPv6 loopback on this machine", metadata: ["reason": "\(error)"])
            return ViewerListener(port: chosen, sockets: [first])
        } catch {
            // The first socket goes with the second: half a viewer would answer only some names.
            await ViewerListener.discard(first)
            throw error
        }
    }

    private func bind(ip: String, port: Int) async throws -> ViewerListener.Socket {
        let (http, registry, logger) = (http, registry, logger)
        return try await ServerBootstrap(group: eventLoopGroup)
            .serverChannelOption(.backlog, value: 128)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .bind(to: SocketAddress(ipAddress: ip, port: port)) { channel in
                guard registry.admit(channel) else {
                    return channel.eventLoop.makeSucceededFuture(.turnedAway(channel))
                }
                return http.setup(channel: channel, logger: logger).map { .http($0) }
            }
    }

    private static func meansNoIPv6(_ code: CInt) -> Bool {
        code == EADDRNOTAVAIL || code == EAFNOSUPPORT || code == EPROTONOSUPPORT
    }

    private static func listenError(_ error: any Error, port: Int) -> ViewerListenError {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE:
            ViewerListenError(port: port, reason: .portTaken(holder: PortHolder.find(port: port)?.description))
        case EACCES, EPERM: ViewerListenError(port: port, reason: .notPermitted)
        default: ViewerListenError(port: port, reason: .system("\(error)"))
        }
    }
}
