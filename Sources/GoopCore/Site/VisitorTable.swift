public import PeerIdentity

/// What a visitor does at this peer's site.
public enum SiteActivity: String, Sendable, Hashable, CaseIterable {
    /// Reads a file.
    case file
    /// Has a page open that hears of changed files.
    case watch
    /// Asks the tables something.
    case data
    /// Has a page open that hears of changed rows.
    case subscription

    /// Whether it lasts as long as a page is open, rather than as long as an answer takes.
    public var isLasting: Bool { self == .watch || self == .subscription }
}

/// Somebody who reads this peer's site, or did lately.
public struct Visitor: Sendable, Hashable {
    /// As the connection authenticated it.
    public var peer: PeerID
    /// The file that was asked for last; empty if none was.
    public var path = ""
    /// The first sign of it, UNIX time in milliseconds.
    public var firstSeenMilliseconds: Int64
    /// The last one.
    public var lastSeenMilliseconds: Int64
    /// Questions so far: files and data.
    public var requests = 0
    /// Answers under way.
    public var openAnswers = 0
    /// Open watches and subscriptions: about as many pages are open, and none if they do not listen.
    public var openPages = 0

    /// Whether it is inside at this moment.
    public var isHere: Bool { openAnswers + openPages > 0 }

    init(peer: PeerID, now: Int64) {
        self.peer = peer
        firstSeenMilliseconds = now
        lastSeenMilliseconds = now
    }
}

/// Who reads this peer's site now, and who did lately.
///
/// Bounds: at most `peers` visitors. A newcomer takes the place of the one who left longest ago; while all are inside, it is
/// not listed. Who left is forgotten after `lifetimeMilliseconds`. Nothing of it is ever stored.
public struct VisitorTable: Sendable {
    private let peers: Int
    private let lifetimeMilliseconds: Int64
    private var visitors: [PeerID: Visitor] = [:]

    /// - Parameters:
    ///   - peers: the most visitors.
    ///   - lifetimeMilliseconds: how long somebody who left is listed.
    public init(peers: Int = 256, lifetimeMilliseconds: Int64 = 15 * 60_000) {
        self.peers = peers
        self.lifetimeMilliseconds = lifetimeMilliseconds
    }

    /// Those inside first, then those seen last.
    public mutating func all(now: Int64) -> [Visitor] {
        expire(now: now)
        return visitors.values.sorted { first, second in
            if first.isHere != second.isHere { return first.isHere }
            return (second.lastSeenMilliseconds, first.peer) < (first.lastSeenMilliseconds, second.peer)
        }
    }

    /// A visitor begins something.
    /// - Returns: whether it is listed; only then its end is to be told.
    public mutating func began(_ activity: SiteActivity, by peer: PeerID, now: Int64) -> Bool {
        if visitors[peer] == nil {
            guard makeRoom(now: now) else { return false }
            visitors[peer] = Visitor(peer: peer, now: now)
        }
        change(peer, now: now) { visitor in
            if activity.isLasting {
                visitor.openPages &+= 1
            } else {
                visitor.openAnswers &+= 1
                visitor.requests &+= 1
            }
        }
        return true
    }

    /// A visitor asked for a file.
    public mutating func asked(_ path: String, by peer: PeerID) { visitors[peer]?.path = path }

    /// What a listed visitor began has ended.
    public mutating func ended(_ activity: SiteActivity, by peer: PeerID, now: Int64) {
        change(peer, now: now) { visitor in
            if activity.isLasting {
                visitor.openPages = max(0, visitor.openPages - 1)
            } else {
                visitor.openAnswers = max(0, visitor.openAnswers - 1)
            }
        }
    }

    private mutating func change(_ peer: PeerID, now: Int64, _ body: (inout Visitor) -> Void) {
        guard var visitor = visitors[peer] else { return }
        body(&visitor)
        visitor.lastSeenMilliseconds = max(visitor.lastSeenMilliseconds, now)
        visitors[peer] = visitor
    }

    private mutating func makeRoom(now: Int64) -> Bool {
        guard visitors.count >= peers else { return true }
        expire(now: now)
        guard visitors.count >= peers else { return true }
        let outside = visitors.values.filter { !$0.isHere }
        guard let oldest = outside.min(by: { ($0.lastSeenMilliseconds, $0.peer) < ($1.lastSeenMilliseconds, $1.peer) })
        else { return false }
        visitors[oldest.peer] = nil
        return true
    }

    private mutating func expire(now: Int64) {
        for (peer, visitor) in visitors
        where !visitor.isHere && now &- visitor.lastSeenMilliseconds > lifetimeMilliseconds {
            visitors[peer] = nil
        }
    }
}
