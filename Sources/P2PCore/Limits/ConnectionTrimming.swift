public import PeerIdentity

/// Decides which connections go when there are too many: the ones that are worth least to us.
///
/// When more than `highWater` connections exist, victims are chosen until `lowWater` remain, those younger than the
/// grace period not counted: else a stranger who opens many at once would have us close everybody else's. Never chosen:
/// connections of protected peers and young ones. Order: lowest sum of tags first, then connections without streams,
/// then inbound before outbound, then the newest: who was here before a flood stays.
public struct ConnectionTrimming: Sendable {
    /// The figures.
    public struct Configuration: Sendable, Equatable {
        /// Trimming stops here.
        public var lowWater = 160
        /// Trimming starts above this.
        public var highWater = 192
        /// A connection is safe this long after it was made.
        public var grace: Duration = .seconds(60)
        /// How often to look.
        public var interval: Duration = .seconds(10)
        /// Peers that may carry tags; a new one past it is not tagged.
        public var maximumTaggedPeers = 8_192
        /// Tags and protections one peer may carry; a new one past it is ignored.
        public var maximumTagsPerPeer = 32

        /// Figures as go-libp2p has them.
        public init() {}

        /// These figures where limits leave room for them, else lower ones: trimming has to begin before all places are taken.
        public func within(_ limits: ResourceLimits) -> Configuration {
            let most = max(1, limits.inboundConnections / 4 * 3)
            guard self.highWater > most else { return self }
            var fitting = self
            fitting.highWater = most
            fitting.lowWater = min(self.lowWater, most / 6 * 5)
            return fitting
        }
    }

    /// What trimming needs to know of one connection.
    public struct Candidate<ID: Sendable>: Sendable {
        /// The caller's own name for it.
        public let id: ID
        /// Its peer.
        public let peer: PeerID
        /// When it became usable.
        public let opened: MonotonicInstant
        /// Streams in use; not those of which only the peer's end is missing.
        public let streams: Int
        /// Who opened it.
        public let direction: Direction

        /// All of it.
        public init(id: ID, peer: PeerID, opened: MonotonicInstant, streams: Int, direction: Direction) {
            self.id = id
            self.peer = peer
            self.opened = opened
            self.streams = streams
            self.direction = direction
        }
    }

    /// The figures in force.
    public let configuration: Configuration
    private var tags: [PeerID: [String: Int]] = [:]
    private var protections: [PeerID: Set<String>] = [:]

    /// No tags and no protections yet.
    public init(configuration: Configuration = Configuration()) { self.configuration = configuration }

    /// Sets one tag of a peer; its worth is the sum of its tags.
    public mutating func tag(_ peer: PeerID, _ name: String, value: Int) {
        if self.tags[peer] == nil, self.tags.count >= self.configuration.maximumTaggedPeers { return }
        var own = self.tags[peer] ?? [:]
        if own[name] == nil, own.count >= self.configuration.maximumTagsPerPeer { return }
        own[name] = value
        self.tags[peer] = own
    }

    /// Takes one tag away.
    public mutating func untag(_ peer: PeerID, _ name: String) {
        self.tags[peer]?[name] = nil
        if self.tags[peer]?.isEmpty == true { self.tags[peer] = nil }
    }

    /// Keeps a peer's connections for as long as at least one reason stands.
    public mutating func protect(_ peer: PeerID, reason: String) {
        if self.protections[peer] == nil, self.protections.count >= self.configuration.maximumTaggedPeers { return }
        var own = self.protections[peer] ?? []
        if own.count >= self.configuration.maximumTagsPerPeer, !own.contains(reason) { return }
        own.insert(reason)
        self.protections[peer] = own
    }

    /// Takes one reason away.
    public mutating func unprotect(_ peer: PeerID, reason: String) {
        self.protections[peer]?.remove(reason)
        if self.protections[peer]?.isEmpty == true { self.protections[peer] = nil }
    }

    /// The sum of a peer's tags.
    public func worth(of peer: PeerID) -> Int {
        self.tags[peer]?.values.reduce(0) { $0.addingReportingOverflow($1).overflow ? $0 : $0 + $1 } ?? 0
    }

    /// Whether a reason to keep the peer stands.
    public func isProtected(_ peer: PeerID) -> Bool { self.protections[peer] != nil }

    /// The connections to close now, none unless more than `highWater` exist.
    public func victims<ID>(among candidates: [Candidate<ID>], now: MonotonicInstant) -> [ID] {
        guard candidates.count > self.configuration.highWater else { return [] }
        let settled = candidates.filter { $0.opened.advanced(by: self.configuration.grace) <= now }
        let excess = settled.count - max(0, self.configuration.lowWater)
        guard excess > 0 else { return [] }
        let eligible = settled.filter { !self.isProtected($0.peer) }
        let ordered = eligible.map { (worth: self.worth(of: $0.peer), candidate: $0) }.sorted { left, right in
            if left.worth != right.worth { return left.worth < right.worth }
            let (a, b) = (left.candidate, right.candidate)
            if (a.streams == 0) != (b.streams == 0) { return a.streams == 0 }
            if a.direction != b.direction { return a.direction == .inbound }
            if a.opened != b.opened { return a.opened > b.opened }
            return a.peer < b.peer
        }
        return ordered.prefix(excess).map(\.candidate.id)
    }
}
