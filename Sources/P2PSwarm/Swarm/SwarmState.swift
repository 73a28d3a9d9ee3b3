import Multiformats
import NIOCore
import OrderedCollections
import P2PCore
import PeerIdentity

/// The swarm's tables; everything in here happens under one short lock, and nothing in here calls out.
struct SwarmState {
    /// A dial under way and who waits for it.
    struct Dial {
        var machine: PeerDial
        var waiters: [UInt64: EventLoopPromise<SwarmConnection>] = [:]
        var attempts: [Int: Attempt] = [:]
        var timer: Scheduled<Void>?
        var armed: MonotonicInstant?
        /// Names that those who wait gave along: they may lead anywhere. At most as many as a dial has addresses.
        private(set) var given: Set<Multiaddr> = []

        init(machine: PeerDial) { self.machine = machine }

        mutating func give(_ addresses: [Multiaddr], most: Int) {
            for address in addresses where address.dnsName != nil && self.given.count < most {
                self.given.insert(address.withoutPeerID)
            }
        }
    }

    /// One attempt under way.
    struct Attempt {
        let address: Multiaddr
        let slot: ResourceLedger.ConnectionSlot
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
    /// Connections of each peer, oldest first; at most `ResourceLimits.connectionsPerPeer`.
    var connections: [PeerID: [SwarmConnection]] = [:]
    /// Inbound connections of which nobody knows yet whose they are.
    var strangers: [ResourceLedger.ConnectionSlot: any Channel] = [:]
    var dials: [PeerID: Dial] = [:]
    var attemptsUnderWay = 0
    /// Dials that could use a permit when one becomes free, longest waiting first.
    var starved: OrderedSet<PeerID> = []
    var nextNumber: UInt64 = 1
    /// Peers that are neither dialled nor accepted.
    var refusedPeers: Set<PeerID> = []

    init(configuration: SwarmConfiguration) {
        self.ledger = ResourceLedger(limits: configuration.limits)
        self.book = AddressBook(limits: configuration.limits.addressBook)
        self.trimming = ConnectionTrimming(configuration: configuration.trimming ?? .init())
    }

    mutating func takeNumber() -> UInt64 {
        defer { self.nextNumber &+= 1 }
        return self.nextNumber
    }

    /// A connection has come of an attempt: from now on the attempt can no longer be abandoned, and its slot is the
    /// connection's.
    mutating func claimAttempt(of peer: PeerID, slot: ResourceLedger.ConnectionSlot) {
        guard let number = self.dials[peer]?.attempts.first(where: { $0.value.slot == slot })?.key else { return }
        self.dials[peer]?.attempts[number] = nil
        self.attemptsUnderWay -= 1
    }

    /// Whether an attempt may go on to an address that its name leads to.
    func mayLead(_ order: Swarm.AttemptOrder, to address: Multiaddr) -> Bool {
        self.dials[order.peer]?.given.contains(order.known) == true
            || self.book.mayLead(order.known, of: order.peer, to: address)
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
