import GoopCore
import GoopHTTP

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
        let doors = try ViewerDoors(try await settings.stored().viewer, folder: folder, isLocal: isLocal)
        // Whoever restarts from another computer would find a door that does not open, and nobody at the machine.
        do throws(ViewerListenError) { try doors.outer?.checkFiles() } catch {
            throw ConfigurationError(problems: [
                ConfigurationProblem(
                    key: "viewer.tls_certificate", cause: "\(error)", nextStep: "correct that, and start again then")
            ])
        }
    }

    func restart() { wish.yield() }
}
