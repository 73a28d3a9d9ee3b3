import P2PSwarm
import Synchronization

/// Checks signatures on a few threads of the shared pool, so that neither event loops nor the router wait for it.
///
/// What waits is bounded by `GossipSubLimits.maximumPendingMessages`.
final class SignatureChecks: Sendable {
    private static let workers = 2

    private let waiting: AsyncStream<(GossipTicket, GossipMessage)>
    private let input: AsyncStream<(GossipTicket, GossipMessage)>.Continuation
    private let tasks = Mutex<[Task<Void, Never>]>([])

    init() { (waiting, input) = AsyncStream.makeStream() }

    func start(_ answer: @escaping @Sendable (GossipTicket, SignatureVerdict) async -> Void) {
        let waiting = waiting
        tasks.withLock { tasks in
            guard tasks.isEmpty else { return }
            for _ in 0..<Self.workers {
                tasks.append(
                    Task { for await (ticket, message) in waiting { await answer(ticket, message.verify()) } })
            }
        }
    }

    func add(_ ticket: GossipTicket, _ message: GossipMessage) { input.yield((ticket, message)) }

    func stop() { input.finish() }
}
