import GoopCore
import Multiformats
import PeerIdentity

/// The peer table with its clock, its listeners, and what it asks for.
///
/// Decides nothing: `PeerTable` does.
actor PeerDirectory {
    /// Changes that a slow listener can be behind; then it loses the oldest.
    static let changesPerListener = 1024
    /// Listeners at a time.
    static let maximumListeners = 128

    private var table: PeerTable
    private let clock: PeerClock
    private let perform: @Sendable (Request) -> Void
    private var listeners: [Int: AsyncStream<PeerChange>.Continuation] = [:]
    private var nextListener = 0
    private(set) var refusals: [PeerTable.Refusal: Int] = [:]

    /// What the table wants done outside.
    enum Request: Sendable, Hashable {
        case probe(PeerID)
        case learn(PeerID, [Multiaddr])
    }

    /// - Parameter perform: starts what is wanted and returns at once.
    init(table: PeerTable, clock: PeerClock, perform: @escaping @Sendable (Request) -> Void) {
        self.table = table
        self.clock = clock
        self.perform = perform
    }

    var entries: [PeerEntry] { table.entries }

    func entry(of peer: PeerID) -> PeerEntry? { table[peer] }

    /// A message whose signature was verified.
    func received(_ message: PresenceMessage, from signer: PeerID) {
        do {
            apply(try table.received(message, from: signer, now: clock.now()))
        } catch {
            refusals[error, default: 0] &+= 1
        }
    }

    func probeSucceeded(_ peer: PeerID) { apply(table.probeSucceeded(peer, now: clock.now())) }

    func probeFailed(_ peer: PeerID, reason: String) {
        apply(table.probeFailed(peer, reason: reason, now: clock.now()))
    }

    func connectionChanged(_ peer: PeerID, path: PeerPath) {
        apply(table.connectionChanged(peer, path: path, now: clock.now()))
    }

    func discovered(_ peer: PeerID) { apply(table.discovered(peer, source: .mdns, now: clock.now())) }

    /// Lets time pass until cancelled.
    func run() async {
        while !Task.isCancelled {
            do { try await Task.sleep(for: .seconds(1)) } catch { break }
            apply(table.timerFired(now: clock.now()))
        }
        for listener in listeners.values { listener.finish() }
        listeners = [:]
    }

    /// Changes from now on; ends at once beyond the bound of listeners.
    func changes() -> AsyncStream<PeerChange> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: PeerChange.self, bufferingPolicy: .bufferingNewest(PeerDirectory.changesPerListener))
        guard listeners.count < PeerDirectory.maximumListeners else {
            continuation.finish()
            return stream
        }
        let number = nextListener
        nextListener += 1
        listeners[number] = continuation
        continuation.onTermination = { [weak self] _ in
            Task { [weak self] in await self?.forget(number) }
        }
        return stream
    }

    private func forget(_ number: Int) { listeners[number] = nil }

    private func apply(_ effects: [PeerTable.Effect]) {
        for effect in effects {
            switch effect {
            case .changed(let change): for listener in listeners.values { listener.yield(change) }
            case .probe(let peer): perform(.probe(peer))
            case .learned(let peer, let addresses): perform(.learn(peer, addresses))
            }
        }
    }
}
