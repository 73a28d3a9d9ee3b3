public import Multiformats
public import PeerIdentity

/// What this peer's presence messages say about it, apart from their kind and time.
public struct PresenceProfile: Sendable, Hashable {
    /// Who we are.
    public var peer: PeerID
    /// The name the owner chose; in upstream's words the content.
    public var label: String
    /// Empty unless the owner chose to share it.
    public var email: String
    /// Names the owner's picture (`Avatar.hash`), or empty.
    public var avatarHash: String
    /// Folder name of the template in use, or empty.
    public var activeTemplate: String
    /// Whether calls with pictures are refused.
    public var videoDisabled: Bool
    /// The version of this program.
    public var clientVersion: String
    /// Where this node listens; which of them are told is decided by `announced(_:)`.
    public var addresses: [Multiaddr]

    /// Makes a profile.
    public init(
        peer: PeerID, label: String, email: String = "", avatarHash: String = "", activeTemplate: String = "",
        videoDisabled: Bool = false, clientVersion: String = "", addresses: [Multiaddr] = []
    ) {
        self.peer = peer
        self.label = label
        self.email = email
        self.avatarHash = avatarHash
        self.activeTemplate = activeTemplate
        self.videoDisabled = videoDisabled
        self.clientVersion = clientVersion
        self.addresses = addresses
    }

    /// The message of one publication. A goodbye carries nothing but the id.
    public func message(for publication: PresenceMachine.Publication) -> PresenceMessage {
        if publication.kind == .offline {
            return PresenceMessage(kind: .offline, peerID: peer.base58, timestamp: publication.timestamp)
        }
        return PresenceMessage(
            kind: publication.kind, peerID: peer.base58, content: label, email: email,
            avatarHash: avatarHash, videoDisabled: videoDisabled, activeTemplate: activeTemplate,
            addresses: PresenceProfile.announced(addresses).map(\.description),
            clientVersion: clientVersion, timestamp: publication.timestamp)
    }

    /// Which of a node's own addresses are told to others: circuit addresses, and those with an IP address that means
    /// something on another machine; at most 20.
    ///
    /// Source: P2P wire reference, section 3.4.
    public static func announced(_ addresses: [Multiaddr]) -> [Multiaddr] {
        let useful = addresses.filter { $0.isRelayed || isReachableFromElsewhere($0) }
        return Array(
            useful.map(\.withoutPeerID)
                .filter { $0.description.utf8.count <= PresenceMessage.Limit.addressBytes }
                .prefix(PresenceMessage.Limit.addresses))
    }

    /// Which of the addresses that a presence message names are worth keeping: as for our own, except that a circuit
    /// address is judged by its relay's address if that is an IP address. A text that is no multiaddr is skipped.
    public static func learned(_ texts: [String]) -> [Multiaddr] {
        texts.prefix(PresenceMessage.Limit.addresses).compactMap { text in
            guard let address = Multiaddr(text)?.withoutPeerID, isReachableFromElsewhere(address) else { return nil }
            return address
        }
    }

    private static func isReachableFromElsewhere(_ address: Multiaddr) -> Bool {
        guard let ip = address.ipAddress else { return address.isRelayed }
        return !ip.isLoopback && !ip.isLinkLocal && !ip.isUnspecified && !ip.isMulticast
    }
}
