import Glibc
import LibP2P
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// A libp2p node that other programs drive over p2pd's control protocol.
///
/// Prints, once it is up, the control address, the peer id, and one listen address a line; runs until it is shut down
/// gracefully or cancelled, and then removes its control socket.
public final class Daemon: Service {
    private let options: DaemonOptions
    private let identity: PrivateKey
    private let logger: Logger
    private let say: @Sendable (String) -> Void

    /// Command lines that the help begins with.
    static let examples = [
        "goop2-p2pd -listen /unix/tmp/mine.sock -hostAddrs /ip4/127.0.0.1/tcp/0",
        "goop2-p2pd -id peer.key -hostAddrs /ip4/0.0.0.0/tcp/4001 -pubsub -connManager",
    ]

    /// Examples, and what each flag means.
    public static var usage: String {
        var lines = ["usage: goop2-p2pd [flags]    -x VALUE, -x=VALUE; booleans -x, -x=false"]
        lines += ["examples:"] + examples.map { "  \($0)" }
        lines.append("flags, with what holds without them in brackets:")
        for flag in DaemonFlag.allCases where flag.reasonWithoutEffect == nil && flag != .h {
            lines.append("  -\(flag.rawValue)\(flag.isBoolean ? "" : " VALUE")")
            lines += (flag.meaning ?? "").split(separator: "\n").map { "      \($0)" }
        }
        let others = DaemonFlag.allCases.filter { $0.reasonWithoutEffect != nil }.map { "-\($0.rawValue)" }
        lines.append("accepted without effect: \(others.joined(separator: " "))")
        return lines.joined(separator: "\n")
    }

    /// Reads the arguments behind the program's name, and the key file they name.
    ///
    /// - Returns: `nil` if help was asked for, which has been printed then.
    /// - Throws: what is wrong, in a sentence that names the flag.
    public static func parse(_ arguments: [String], logger: Logger) throws -> Daemon? {
        let options = try DaemonOptions(arguments: arguments)
        if options.wantsHelp {
            print(usage)
            return nil
        }
        for notice in options.notices { Output.error(notice) }
        let identity = try options.keyFile.map { try KeyFile.read($0) } ?? .generate()
        return Daemon(options: options, identity: identity, logger: logger)
    }

    /// Says on standard error why the daemon does not run.
    public static func report(_ error: any Error) { Output.error("\(error)") }

    /// - Parameter say: gets the lines that tell that the daemon is up.
    init(
        options: DaemonOptions, identity: PrivateKey, logger: Logger,
        say: @escaping @Sendable (String) -> Void = { Output.line($0) }
    ) {
        self.options = options
        self.identity = identity
        self.logger = logger
        self.say = say
    }

    /// Runs until graceful shutdown or cancellation. Raises how many files the process may have open.
    public func run() async throws {
        // Clients and the streams that they are handed take descriptors too.
        Node.raiseDescriptorLimit()
        // One loop for clients and peers: what comes in on one socket goes out on the other without a change of thread.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do { try await run(on: group) } catch {
            // Its only loop has nothing left to do that could fail.
            try? await group.shutdownGracefully()
            throw error
        }
        try await group.shutdownGracefully()
    }

    private func run(on group: MultiThreadedEventLoopGroup) async throws {
        var configuration = Node.Configuration(
            identity: identity, listen: options.hostAddresses, agentVersion: "goop2-p2pd/1.0")
        configuration.security = try security()
        if !options.announcedAddresses.isEmpty { configuration.announce = .only(options.announcedAddresses) }
        if let marks = options.connectionMarks {
            var trimming = ConnectionTrimming.Configuration()
            trimming.lowWater = marks.low
            trimming.highWater = marks.high
            trimming.grace = marks.grace
            configuration.trimming = trimming
        } else {
            configuration.trimming = nil
        }
        // Before the log begins anew: it may be that of the other daemon.
        try await refuseIfTaken(group)
        let frameLog = try options.frameLog.map { path in try FrameLog(path: path) }
        if let frameLog {
            configuration.frameObserver = { peer, _ in ConnectionFrames(peer: peer, log: frameLog) }
        }
        do { try await run(configuration, on: group) } catch {
            await end(frameLog)
            throw error
        }
        await end(frameLog)
    }

    private func end(_ frameLog: FrameLog?) async {
        guard let frameLog else { return }
        await frameLog.close()
        let dropped = frameLog.dropped
        if dropped > 0 { logger.warning("lines of the frame log were dropped", metadata: ["count": "\(dropped)"]) }
    }

    private func run(_ configuration: Node.Configuration, on group: MultiThreadedEventLoopGroup) async throws {
        let node = Node(configuration: configuration, eventLoopGroup: group, logger: logger)
        let pubSub = options.hasPubSub ? PubSub(node: node, configuration: Self.pubSubConfiguration) : nil
        try await node.start()
        do {
            let server = ControlServer(node: node, pubSub: pubSub, logger: logger)
            let listener = try await listen(server, loop: group.next())
            // From here on what is at that path is ours to remove; what was there before is not.
            defer { if case .unix(let path) = options.control { unlink(path) } }
            if !options.isQuiet { announce(node, listener) }
            // Returns for shutdown, throws for cancellation: both are the way it is meant to end.
            try? await gracefulShutdown()
            try? await listener.close()
            server.close()
        } catch {
            await node.stop()
            throw error
        }
        await node.stop()
    }

    private func listen(_ server: ControlServer, loop: any EventLoop) async throws -> any Channel {
        do { return try await server.listen(on: options.control, loop: loop) } catch {
            let reason = error is UnixDomainSocketPathWrongType ? "something else than a socket is there" : "\(error)"
            throw DaemonStartError.unusableControlAddress("\(options.control)", reason: reason)
        }
    }

    /// A subscribed client gets its own messages too, as from p2pd.
    private static var pubSubConfiguration: PubSub.Configuration {
        var configuration = PubSub.Configuration()
        configuration.deliversOwnMessages = true
        return configuration
    }

    private func security() throws -> [ProtocolID] {
        let wanted = Node.supportedSecurity.filter {
            $0 == "/noise" ? options.offersNoise : options.offersTLS
        }
        guard !wanted.isEmpty else { throw DaemonOptionError.noSecurity }
        return wanted
    }

    /// A socket that another daemon answers on must not be taken from it.
    private func refuseIfTaken(_ group: any EventLoopGroup) async throws {
        guard case .unix(let path) = options.control,
            let other = try? await ControlChannels.connect(
                to: options.control, group: group, timeout: .seconds(1),
                prepare: { $0.eventLoop.makeSucceededVoidFuture() }
            ).get()
        else { return }
        // It answers: that is all we wanted to know.
        other.close(promise: nil)
        throw DaemonStartError.controlSocketInUse(path: path)
    }

    private func announce(_ node: Node, _ listener: any Channel) {
        var control = options.control
        if case .tcp(let ip, 0) = control, let port = listener.localAddress?.port {
            control = .tcp(ip, port: UInt16(truncatingIfNeeded: port))
        }
        var lines = ["Control socket: \(control)", "Peer ID: \(node.peerID)", "Peer Addrs:"]
        lines += node.listenAddresses().map(\.description)
        say(lines.joined(separator: "\n"))
    }
}

/// Why the daemon does not start.
enum DaemonStartError: Error, Equatable, CustomStringConvertible {
    case unreadableKey(path: String, reason: String)
    case controlSocketInUse(path: String)
    case unusableControlAddress(String, reason: String)
    case unusableFrameLog(path: String, reason: String)

    var description: String {
        switch self {
        case .unreadableKey(let path, let reason): "the key file \(path) cannot be used: \(reason)"
        case .unusableFrameLog(let path, let reason): "-frameLog \(path) cannot be used: \(reason)"
        case .unusableControlAddress(let address, let reason):
            "cannot listen for clients on \(address): \(reason); choose another -listen"
        case .controlSocketInUse(let path): "another daemon answers on \(path): choose another -listen, or stop it"
        }
    }
}
