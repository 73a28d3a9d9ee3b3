import GoopCore
import GoopHTTP
import NIOCore
import NIOPosix

/// Why a run ended: the owner asked for the next one. Whoever started the peer starts it again.
public struct PeerRestart: Error, Sendable, Hashable {
    /// Makes one.
    public init() {}
}

/// Lets the owner's pages ask for the next run.
struct NodeRestarter: Restarter {
    let run: String
    private let settings: NodeSettingsDesk
    private let folder: PeerFolder
    private let isLocal: Bool
    /// Asked for a restart; for one reader.
    let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation

    /// - Parameter isLocal: as this run was started, so the next one is.
    init(settings: NodeSettingsDesk, folder: PeerFolder, isLocal: Bool) {
        self.settings = settings
        self.folder = folder
        self.isLocal = isLocal
        var generator = SystemRandomNumberGenerator()
        run = String(UInt64.random(in: 0...UInt64.max, using: &generator), radix: 36)
        (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func check() async throws(ConfigurationError) {
        let next = try await settings.stored()
        let doors = try ViewerDoors(next.viewer, folder: folder, isLocal: isLocal)
        try checkIdentity(of: next)
        if let problem = folder.secretInTheSite(next) { throw ConfigurationError(problems: [problem]) }
        guard PreparedPeer.isPair(next.p2p) else {
            throw Self.problem(
                "p2p.nacl_public_key", "does not belong to p2p.nacl_private_key", "take back what you changed")
        }
        if doors.outer == nil, case .port(let port) = doors.own, port != 0, port == next.p2p.listenPort {
            throw Self.problem("p2p.listen_port", "is the port of the viewer too", "write another port")
        }
        // A port that stays is this run's own; another one has to be free.
        let waiting = try await settings.settings().waitingForRestart
        if waiting.contains("p2p.listen_port") { try await checkPort("p2p.listen_port", next.p2p.listenPort) }
        if waiting.contains("viewer.http_addr"), doors.outer == nil, case .port(let port) = doors.own {
            try await checkPort("viewer.http_addr", port)
        }
        // Whoever restarts from another computer would find a door that does not open, and nobody at the machine.
        do throws(ViewerListenError) { try doors.outer?.checkFiles() } catch {
            throw ConfigurationError(problems: [
                ConfigurationProblem(
                    key: "viewer.tls_certificate", cause: "\(error)", nextStep: "correct that, and start again then")
            ])
        }
    }

    func restart() { wish.yield() }

    /// A key that cannot be read ends the next run, and so does none; without a memory of this peer's id one would be made.
    private func checkIdentity(of next: GoopConfiguration) throws(ConfigurationError) {
        let path = folder.resolve(next.identity.keyFile)
        guard AtomicFile.exists(path) else {
            guard PeerState.load(folder.stateFile).peerID != nil else { return }
            throw Self.problem("identity.key_file", "\(path) does not exist", "name the file of your key")
        }
        do { _ = try IdentityFile.key(in: AtomicFile.read(path, limit: IdentityFile.maximumBytes)) } catch {
            throw Self.problem("identity.key_file", "\(path): \(error)", "name the file of your key")
        }
    }

    private func checkPort(_ key: String, _ port: Int) async throws(ConfigurationError) {
        guard port != 0 else { return }
        do {
            let address = try SocketAddress(ipAddress: "127.0.0.1", port: Int(UInt16(clamping: port)))
            let probe = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(to: address)
                .get()
            try await probe.close()
        } catch {
            throw Self.problem(key, "port \(port) cannot be had: \(ListenPlan.reason(error))", "write another port")
        }
    }

    private static func problem(_ key: String, _ cause: String, _ step: String) -> ConfigurationError {
        ConfigurationError(problems: [ConfigurationProblem(key: key, cause: cause, nextStep: step)])
    }
}
