import P2PSwarm
import Synchronization

/// Checks signatures on a few threads of the shared pool, so that neither event loops nor the router wait for it.
///
/// One worker checks all messages of an author, so that they stay in order: a goodbye must not overtake what came before it.
/// What waits is bounded by `GossipSubLimits.maximumPendingMessages`.
final class SignatureChecks: Sendable {
    private static let count = 2

    private struct Worker {
        let waiting: AsyncStream<(GossipTicket, GossipMessage)>
        let input: AsyncStream<(GossipTicket, GossipMessage)>.Continuation
    }

    private let workers: [Worker]
    private let hasStarted = Atomic(false)

    init() {
        workers = (0..<Self.count).map { _ in
            let (waiting, input) = AsyncStream.makeStream(of: (GossipTicket, GossipMessage).self)
            return Worker(waiting: waiting, input: input)
        }
    }

    func start(_ answer: @escaping @Sendable (GossipTicket, SignatureVerdict) async -> Void) {
        guard !hasStarted.exchange(true, ordering: .relaxed) else { return }
        for worker in workers {
            let waiting = worker.waiting
            Task { for await (ticket, message) in waiting { await answer(ticket, message.verify()) } }
        }
    }

    func add(_ ticket: GossipTicket, _ message: GossipMessage) {
        let number = Int(message.source.bytes.last ?? 0) % workers.count
        workers[number].input.yield((ticket, message))
    }

    func stop() { for worker in workers { worker.input.finish() } }
}
