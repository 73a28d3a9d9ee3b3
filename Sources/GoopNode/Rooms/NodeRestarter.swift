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
    /// Asked for a restart; for one reader.
    let wishes: AsyncStream<Void>
    private let wish: AsyncStream<Void>.Continuation

    init(settings: NodeSettingsDesk) {
        self.settings = settings
        var generator = SystemRandomNumberGenerator()
        run = String(UInt64.random(in: 0...UInt64.max, using: &generator), radix: 36)
        (wishes, wish) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func check() async throws(ConfigurationError) { _ = try await settings.settings() }

    func restart() { wish.yield() }
}
