public import PeerIdentity

/// Which of several connections with one peer a new stream should use.
public struct ConnectionPreference: Sendable {
    /// What the choice depends on.
    public struct Candidate<ID: Sendable>: Sendable {
        /// The caller's own name for the connection.
        public let id: ID
        /// Bounded in time or bytes by a relay.
        public let isLimited: Bool
        /// Through a relay.
        public let isRelayed: Bool
        /// Who opened it.
        public let direction: Direction
        /// Streams in use.
        public let streams: Int
        /// When it became usable.
        public let opened: MonotonicInstant
        /// Whether it was asked for a sign of life and has given none yet.
        public let isInDoubt: Bool

        /// All of it.
        public init(
            id: ID, isLimited: Bool, isRelayed: Bool, direction: Direction, streams: Int, opened: MonotonicInstant,
            isInDoubt: Bool = false
        ) {
            self.id = id
            self.isLimited = isLimited
            self.isRelayed = isRelayed
            self.direction = direction
            self.streams = streams
            self.opened = opened
            self.isInDoubt = isInDoubt
        }
    }

    private let local: PeerID
    private let remote: PeerID
    /// Connections opened within this time of one another count as the outcome of a simultaneous dial.
    public let simultaneity: Duration

    /// The choice between connections of `local` with `remote`.
    public init(local: PeerID, remote: PeerID, simultaneity: Duration = .seconds(5)) {
        self.local = local
        self.remote = remote
        self.simultaneity = simultaneity
    }

    /// The best one: unlimited before limited, direct before relayed; after a simultaneous dial the one that the smaller
    /// peer id opened, so that both sides choose the same; else one that is not in doubt, else the most used, else the newest.
    public func best<ID>(of candidates: [Candidate<ID>]) -> Candidate<ID>? {
        candidates.reduce(nil) { best, next in
            guard let best else { return next }
            return self.prefers(next, over: best) ? next : best
        }
    }

    /// Connections that duplicate the best one and may be closed now: same kind, other direction, made at the same time,
    /// older than `settle`, without streams.
    public func redundant<ID: Equatable>(
        among candidates: [Candidate<ID>], settle: Duration, now: MonotonicInstant
    ) -> [ID] {
        guard candidates.count > 1, let best = self.best(of: candidates) else { return [] }
        return candidates.filter {
            $0.id != best.id && $0.isLimited == best.isLimited && $0.isRelayed == best.isRelayed
                && self.areSimultaneous($0, best) && $0.streams == 0 && $0.opened.advanced(by: settle) <= now
                // Only the side that opened it closes it, so that the two sides never close one each.
                && $0.direction == .outbound
        }.map(\.id)
    }

    private func areSimultaneous<ID>(_ left: Candidate<ID>, _ right: Candidate<ID>) -> Bool {
        left.direction != right.direction
            && max(left.opened, right.opened) <= min(left.opened, right.opened).advanced(by: self.simultaneity)
    }

    private func prefers<ID>(_ left: Candidate<ID>, over right: Candidate<ID>) -> Bool {
        if left.isLimited != right.isLimited { return !left.isLimited }
        if left.isRelayed != right.isRelayed { return !left.isRelayed }
        if self.areSimultaneous(left, right) {
            return left.direction == (self.local < self.remote ? .outbound : .inbound)
        }
        if left.isInDoubt != right.isInDoubt { return right.isInDoubt }
        if left.streams != right.streams { return left.streams > right.streams }
        return left.opened > right.opened
    }
}
