import Multiformats
import NIOCore
import P2PCore
import PeerIdentity

/// The swarm's tables; everything in here happens under one short lock, and nothing in here calls out.
struct SwarmState {
    /// What one attempt under way holds.
    struct Attempt {
        let slot: ResourceLedger.ConnectionSlot
        /// As soon as there is one.
        var channel: (any Channel)?
    }

    enum Phase { case idle, running, stopping }

    var phase = Phase.idle
    var ledger: ResourceLedger {
        didSet { for watcher in self.ledgerWatchers { watcher.yield() } }
    }
    /// Told of every change of the ledger. None outside of tests, which so need not look again and again.
    var ledgerWatchers: [AsyncStream<Void>.Continuation] = []
    var book: AddressBook
    var trimming: ConnectionTrimming
    var listeners: [any TransportListener] = []
    /// Whether those who come are let in by a loop of their own.
    var crowd: CrowdWatch
    /// Connections of each peer, oldest first; at most `ResourceLimits.connectionsPerPeer`.
    var connections: [PeerID: [SwarmConnection]] = [:]
    /// Inbound connections of which nobody knows yet whose they are.
    var strangers: [ResourceLedger.ConnectionSlot: any Channel] = [:]
    /// Decides about all dials; what it names by numbers is here.
    var dialer: Dialer
    /// Those who wait for a dial.
    var waiters: [UInt64: EventLoopPromise<SwarmConnection>] = [:]
    /// Attempts under way, until a connection has come of them.
    var attempts: [Dialer.AttemptID: Attempt] = [:]
    /// What wakes each dial.
    var timers: [PeerID: Scheduled<Void>] = [:]
    var nextNumber: UInt64 = 1
    /// Peers that are neither dialled nor accepted.
    var refusedPeers: Set<PeerID> = []

    init(configuration: SwarmConfiguration) {
        self.ledger = ResourceLedger(limits: configuration.limits)
        self.crowd = CrowdWatch(limits: configuration.limits)
        self.dialer = Dialer(limits: configuration.limits)
        self.book = AddressBook(limits: configuration.limits.addressBook)
        self.trimming = ConnectionTrimming(configuration: configuration.trimming ?? .init())
    }

    mutating func takeNumber() -> UInt64 {
        defer { self.nextNumber &+= 1 }
        return self.nextNumber
    }

    /// Takes out those who wait, to be told of the outcome.
    mutating func takeWaiters(_ numbers: [UInt64]) -> [EventLoopPromise<SwarmConnection>] {
        numbers.compactMap { self.waiters.removeValue(forKey: $0) }
    }

    /// A connection has come of an attempt: from now on the attempt can no longer be ended, and its slot is the connection's.
    mutating func connected(_ attempt: Dialer.Attempt) {
        self.attempts[attempt.id] = nil
        self.dialer.connected(attempt)
    }

    /// Candidates for new streams with one peer; none that is ending.
    func candidates(of peer: PeerID) -> [ConnectionPreference.Candidate<UInt64>] {
        (self.connections[peer] ?? []).filter(\.muxed.takesStreams).map {
            ConnectionPreference.Candidate(
                id: $0.id, isLimited: $0.isLimited, isRelayed: $0.isRelayed, direction: $0.direction,
                streams: self.ledger.streamCount(on: $0.slot), opened: $0.opened, isInDoubt: $0.muxed.isInDoubt)
        }
    }

    /// The connection that a new stream should use.
    func best(of peer: PeerID, local: PeerID, allowsLimited: Bool) -> SwarmConnection? {
        guard let all = self.connections[peer] else { return nil }
        if all.count == 1 {
            let only = all[0]
            return only.muxed.takesStreams && (allowsLimited || !only.isLimited) ? only : nil
        }
        let candidates = self.candidates(of: peer).filter { allowsLimited || !$0.isLimited }
        guard let best = ConnectionPreference(local: local, remote: peer).best(of: candidates) else { return nil }
        return all.first { $0.id == best.id }
    }
}
