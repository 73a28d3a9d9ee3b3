import DequeModule
public import PeerIdentity

/// Decides when to push our identity to whom: changes are gathered for a moment, few pushes run at one time, and nobody
/// gets the same state twice, or any who does not take pushes.
///
/// All peers are looked at when a change is published, and at no other time.
public struct IdentifyPushSchedule: Sendable {
    private struct Peer {
        /// What it was told last, as a revision.
        var sent: UInt64
        /// Whether it said that it takes pushes.
        var accepts = false
        var isPushing = false
        var isWaiting = false
    }

    private let delay: Duration
    private let concurrent: Int
    private var revision: UInt64 = 0
    private var published: UInt64 = 0
    private var due: MonotonicInstant?
    private var peers: [PeerID: Peer] = [:]
    /// Whose turn comes next; of some it has passed.
    private var waiting: Deque<PeerID> = []
    private var underWay = 0

    /// A schedule without peers.
    public init(delay: Duration, concurrent: Int) {
        self.delay = delay
        self.concurrent = max(1, concurrent)
    }

    /// Our addresses or protocols have changed. More changes before the deadline are pushed along with it.
    public mutating func changed(now: MonotonicInstant) {
        self.revision &+= 1
        if self.due == nil { self.due = now.advanced(by: self.delay) }
    }

    /// A peer has been sent our present state by answering it.
    public mutating func peerKnowsPresentState(_ peer: PeerID) {
        var record = self.peers[peer] ?? Peer(sent: self.revision)
        record.sent = self.revision
        self.peers[peer] = record
    }

    /// A connected peer said whether it accepts pushes; what it was told before counts. If it was told nothing, it is about to be.
    public mutating func peerAcceptsPushes(_ peer: PeerID, _ accepts: Bool = true) {
        var record = self.peers[peer] ?? Peer(sent: self.revision)
        record.accepts = accepts
        self.peers[peer] = record
        self.enqueueIfBehind(peer)
    }

    /// A peer is gone.
    public mutating func removed(_ peer: PeerID) {
        guard let record = self.peers.removeValue(forKey: peer) else { return }
        if record.isPushing { self.underWay -= 1 }
    }

    /// When `poll` should be called; nil if nothing is waiting for time to pass.
    public var nextDeadline: MonotonicInstant? { self.due }

    /// The peers to push to now.
    public mutating func poll(now: MonotonicInstant) -> [PeerID] {
        if let due = self.due, due <= now {
            self.due = nil
            self.published = self.revision
            for peer in self.peers.filter({ self.isBehind($0.value) }).keys.sorted() { self.enqueueIfBehind(peer) }
        }
        return self.start()
    }

    /// A push ended, well or not; returns the peers whose turn it is now.
    public mutating func pushed(_ peer: PeerID) -> [PeerID] {
        if var record = self.peers[peer], record.isPushing {
            record.isPushing = false
            self.peers[peer] = record
            self.underWay -= 1
            self.enqueueIfBehind(peer)
        }
        return self.start()
    }

    private func isBehind(_ record: Peer) -> Bool {
        record.accepts && !record.isPushing && record.sent < self.published
    }

    private mutating func enqueueIfBehind(_ peer: PeerID) {
        guard let record = self.peers[peer], self.isBehind(record), !record.isWaiting else { return }
        self.peers[peer]?.isWaiting = true
        self.waiting.append(peer)
    }

    private mutating func start() -> [PeerID] {
        var result: [PeerID] = []
        while self.underWay < self.concurrent, let peer = self.waiting.popFirst() {
            guard var record = self.peers[peer] else { continue }
            record.isWaiting = false
            let isBehind = self.isBehind(record)
            if isBehind {
                record.sent = self.revision
                record.isPushing = true
            }
            self.peers[peer] = record
            guard isBehind else { continue }
            self.underWay += 1
            result.append(peer)
        }
        return result
    }
}
