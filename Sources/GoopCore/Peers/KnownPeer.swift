public import Multiformats
public import PeerIdentity

/// How the owner stands to a peer.
public enum PeerStanding: String, Sendable, Hashable, CaseIterable {
    case ordinary
    /// Listed at the end, and never announced.
    case muted
    /// Does not exist here: not listed, not dialled, not accepted, not visited, no data.
    case blocked
}

/// What is kept of a peer over restarts: what was seen of it last, and what the owner decided.
public struct KnownPeer: Sendable, Hashable {
    /// The peer.
    public var id: PeerID
    /// The name it gave itself last; a stranger's text.
    public var label: String
    /// Where it said it can be found, at most `PeerRecords.Limits.addresses`.
    public var addresses: [Multiaddr]
    /// UNIX time in milliseconds on this machine's clock; 0 if it was never seen.
    public var lastSeenMilliseconds: Int64
    /// The owner's own name for it, which always wins over the label; empty for none.
    public var petname: String
    /// Chosen by the owner: stays listed, and its key is the one that this name means.
    public var isFavorite: Bool
    /// What the owner decided.
    public var standing: PeerStanding

    /// A peer of which nothing is known.
    public init(
        id: PeerID, label: String = "", addresses: [Multiaddr] = [], lastSeenMilliseconds: Int64 = 0,
        petname: String = "", isFavorite: Bool = false, standing: PeerStanding = .ordinary
    ) {
        self.id = id
        self.label = label
        self.addresses = addresses
        self.lastSeenMilliseconds = lastSeenMilliseconds
        self.petname = petname
        self.isFavorite = isFavorite
        self.standing = standing
    }

    /// True if the owner decided something about it: such a record is never dropped by itself.
    public var isChosen: Bool { isFavorite || !petname.isEmpty || standing != .ordinary }

    /// True if nothing was ever heard of it, so that all there is to it may be a slip in its id.
    public var isUnseen: Bool { label.isEmpty && addresses.isEmpty && lastSeenMilliseconds == 0 }

    /// What the owner calls it.
    public var shownName: String { petname.isEmpty ? label : petname }
}
