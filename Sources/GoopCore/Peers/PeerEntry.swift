public import Multiformats
public import PeerIdentity

/// Where a fact about a peer came from.
public enum FactSource: String, Sendable, Hashable, CaseIterable {
    /// A signed presence message of the peer itself.
    case gossip
    /// A multicast DNS answer on the local network.
    case mdns
    /// A live connection to the peer.
    case connection
    /// A probe of the peer's content protocol.
    case probe
    /// What this peer remembered from an earlier run.
    case cache
    /// A rendezvous server.
    case rendezvous
}

/// The way bytes travel to a peer now; the better way is the greater one.
public enum PeerPath: String, Sendable, Hashable, CaseIterable, Comparable {
    case none, relay, internet, lan, loopback

    /// Compares by quality.
    public static func < (left: PeerPath, right: PeerPath) -> Bool { left.quality < right.quality }

    private var quality: Int { PeerPath.allCases.firstIndex(of: self) ?? 0 }
}

/// What is known about one other peer: the row of the peer list.
///
/// Text fields were written by a stranger: they are length-limited here, and whoever shows them must escape them.
/// Source: upstream peer table as described in the P2P wire reference, section 3.5.
public struct PeerEntry: Sendable, Hashable {
    /// The peer; the only field that cannot be forged.
    public var id: PeerID
    /// The name the peer gave itself (presence key `content`).
    public var label: String
    /// The e-mail address the peer chose to share, or empty.
    public var email: String
    /// 16 hexadecimal characters that name the peer's picture, or empty.
    public var avatarHash: String
    /// Folder name of the template in use, or empty.
    public var activeTemplate: String
    /// The version the peer's program gives for itself, or empty.
    public var clientVersion: String
    /// Base64 of the peer's NaCl key, when known.
    public var publicKey: String?
    /// The peer takes no calls with pictures.
    public var videoDisabled: Bool
    /// The peer can open sealed payloads.
    public var encryptionSupported: Bool
    /// Only a rendezvous server's word counts.
    public var verified: Bool
    /// Chosen by the owner of this table.
    public var favorite: Bool
    /// The owner's own name for the peer, or empty; wins over the label wherever the peer is named.
    public var petname = ""
    /// The owner wants to hear nothing of it; listed at the end.
    public var isMuted = false
    /// A favourite or named peer with another key whose name this one bears too.
    public var resembles: PeerID?
    /// Of `resembles`: that one only calls itself so, and the owner calls it something else, so nobody is taken for it.
    public var resemblesLabelOnly = false
    /// True once a connection or a probe has succeeded, false again after two failed probes.
    public var reachable: Bool
    /// True after a goodbye or when nothing was heard for the time to live.
    public var offline: Bool
    /// Of an offline peer: true if it has said itself that it goes; false if it fell silent, or was remembered as offline.
    public var saidGoodbye = false
    /// UNIX time in milliseconds on this machine's clock.
    public var lastSeenMilliseconds: Int64
    /// UNIX time in milliseconds on this machine's clock; nil while online.
    public var offlineSinceMilliseconds: Int64?
    /// At most 20, without a trailing `/p2p`.
    public var addresses: [Multiaddr]
    /// Where the facts in this entry came from.
    public var sources: Set<FactSource>
    /// How bytes travel to the peer now.
    public var path: PeerPath
    /// Why the last probe failed, when it did.
    public var unreachableReason: String?

    /// Makes an entry; everything that is not given is empty, false or unknown.
    public init(
        id: PeerID, label: String = "", email: String = "", avatarHash: String = "", activeTemplate: String = "",
        clientVersion: String = "", publicKey: String? = nil, videoDisabled: Bool = false,
        encryptionSupported: Bool = false, verified: Bool = false, favorite: Bool = false, reachable: Bool = false,
        offline: Bool = false, lastSeenMilliseconds: Int64 = 0, offlineSinceMilliseconds: Int64? = nil,
        addresses: [Multiaddr] = [], sources: Set<FactSource> = [], path: PeerPath = .none,
        unreachableReason: String? = nil
    ) {
        self.id = id
        self.label = label
        self.email = email
        self.avatarHash = avatarHash
        self.activeTemplate = activeTemplate
        self.clientVersion = clientVersion
        self.publicKey = publicKey
        self.videoDisabled = videoDisabled
        self.encryptionSupported = encryptionSupported
        self.verified = verified
        self.favorite = favorite
        self.reachable = reachable
        self.offline = offline
        self.lastSeenMilliseconds = lastSeenMilliseconds
        self.offlineSinceMilliseconds = offlineSinceMilliseconds
        self.addresses = addresses
        self.sources = sources
        self.path = path
        self.unreachableReason = unreachableReason
    }
}

extension PeerEntry {
    /// The state in one word: `online`, `arriving` (`isArriving`), `unreachable` (heard of, but no answer) or `offline`.
    public var stateName: String {
        if offline { return "offline" }
        if reachable { return "online" }
        return isArriving ? "arriving" : "unreachable"
    }

    /// Heard of, and no probe has said yet whether it answers.
    public var isArriving: Bool { !offline && !reachable && unreachableReason == nil }

    /// What the owner calls the peer: the petname, else the label.
    public var shownName: String { petname.isEmpty ? label : petname }
}

/// One change of the peer table, as the viewer's live list receives it.
public enum PeerChange: Sendable, Hashable {
    /// The peer is new, or a field of it changed; the whole entry is given.
    case updated(PeerEntry)
    /// The peer is no longer listed.
    case removed(PeerID)
}
