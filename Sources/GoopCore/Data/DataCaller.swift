public import Multiformats
public import PeerIdentity

/// Who asks for a data operation.
public enum DataCaller: Sendable, Hashable {
    /// The person whose peer this is, through the viewer or a command: no policy applies.
    case owner
    /// Another peer, as the connection authenticated it; the e-mail only if that peer shares it, else empty; the other end of
    /// the connection, nil if it has no address.
    case remote(PeerID, email: String, at: IPAddress? = nil)

    /// The other peer.
    public var peer: PeerID? { if case .remote(let peer, _, _) = self { peer } else { nil } }

    /// For whom places are taken; nil: for the owner, who needs none of those that strangers share.
    public var holder: ShareHolder? {
        if case .remote(let peer, _, let address) = self { ShareHolder(peer, at: address) } else { nil }
    }
}

/// What groups know about a caller.
public enum CallerRole: Sendable, Hashable {
    /// This peer hosts no group.
    case noGroups
    /// The caller is in no group that counts.
    case notMember
    /// The caller's role in the group of the site; `owner` may do everything.
    case member(String)
}
