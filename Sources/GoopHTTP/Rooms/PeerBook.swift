public import GoopCore
public import PeerIdentity

/// What the Peers room does besides looking: names, favourites, mutes and blocks.
public protocol PeerBook: Sendable {
    /// Everybody that is remembered, sorted by id; blocked peers among them.
    func known() async -> [KnownPeer]
    /// True if the owner has blocked this peer.
    func isBlocked(_ peer: PeerID) async -> Bool
    /// Decides something about a peer. In effect at once, and on the disk when it returns.
    /// - Throws: `PeerBookError` for the person to read.
    func decide(_ decision: PeerDecision, about peer: PeerID) async throws(PeerBookError) -> KnownPeer
    /// Round trips to connected peers, in milliseconds; measured now, so it may take two seconds.
    func latencies() async -> [PeerID: Double]
}

extension PeerBook {
    /// Looks the peer up among all.
    public func isBlocked(_ peer: PeerID) async -> Bool {
        await known().contains { $0.id == peer && $0.standing == .blocked }
    }
}

/// Something that the owner decides about a peer.
public enum PeerDecision: Sendable, Hashable {
    /// An empty text takes the name away.
    case petname(String)
    case favorite(Bool)
    case standing(PeerStanding)
}

/// Why a decision was refused, or not stored.
public struct PeerBookError: Error, Sendable, Hashable {
    /// For the person.
    public var message: String
    /// False: the decision is in effect, but will be forgotten at the next start.
    public var isStored: Bool

    /// Both.
    public init(message: String, isStored: Bool = true) {
        self.message = message
        self.isStored = isStored
    }
}
