public import PeerIdentity

/// Decides when to push our identity to whom: changes are gathered for a moment, few pushes run at one time, and nobody
/// gets the same state twice.
public struct IdentifyPushSchedule: Sendable {
    private struct Peer {
        var sent: UInt64
        var isPushing = false
    }

    private let delay: Duration
    private let concurrent: Int
    private var revision: UInt64 = 0
    private var published: UInt64 = 0
    private var due: MonotonicInstant?
    private var peers: [PeerID: Peer] = [:]
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

    /// A peer that accepts pushes has been sent our present state by answering it, or is about to be told for the first time.
    public mutating func peerKnowsPresentState(_ peer: PeerID) {
        var record = self.peers[peer] ?? Peer(sent: self.revision)
        record.sent = self.revision
        self.peers[peer] = record
    }

    /// A peer that accepts pushes is connected; what it was told before counts.
    public mutating func peerAcceptsPushes(_ peer: PeerID) {
        if self.peers[peer] == nil { self.peers[peer] = Peer(sent: self.revision) }
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
        }
        return self.start()
    }

    /// A push ended, well or not; returns the peers whose turn it is now.
    public mutating func pushed(_ peer: PeerID) -> [PeerID] {
        if self.peers[peer]?.isPushing == true {
            self.peers[peer]?.isPushing = false
            self.underWay -= 1
        }
        return self.start()
    }

    private mutating func start() -> [PeerID] {
        var result: [PeerID] = []
        guard self.underWay < self.concurrent else { return [] }
        for peer in self.peers.keys.sorted() {
            guard self.underWay < self.concurrent else { break }
            guard let record = self.peers[peer], !record.isPushing, record.sent < self.published else { continue }
            self.peers[peer] = Peer(sent: self.revision, isPushing: true)
            self.underWay += 1
            result.append(peer)
        }
        return result
    }
}
