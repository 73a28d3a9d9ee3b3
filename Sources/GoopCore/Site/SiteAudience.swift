public import PeerIdentity

/// To whom a site is shown.
public enum SiteAudience: Sendable, Hashable {
    /// Whoever comes.
    case everyone
    /// These and nobody else; the owner always.
    case named(Set<PeerID>)

    /// How `site.audience` of `goop.json` names the two.
    public enum Name: String, Sendable, Hashable, CaseIterable {
        case everyone, named
    }

    /// The most peers that can be named.
    public static let maximumGuests = 1024

    /// Which of the two it is.
    public var name: Name { if case .named = self { .named } else { .everyone } }

    /// Whether a peer may see the site.
    public func admits(_ peer: PeerID) -> Bool {
        switch self {
        case .everyone: true
        case .named(let guests): guests.contains(peer)
        }
    }
}

/// What an owner decides about the audience of the site.
public enum AudienceDecision: Sendable, Hashable {
    /// Show it to whoever comes; who was named is remembered.
    case everyone
    /// Show it to those who are named, as the list stands.
    case named
    /// Show it to these and nobody else.
    case only([PeerID])
    /// Name these too.
    case allow([PeerID])
    /// Name these no longer.
    case revoke([PeerID])
}

/// Why a decision about the audience means nothing.
public enum AudienceRefusal: Error, Sendable, Hashable, CustomStringConvertible {
    /// As many as can be named.
    case full(limit: Int)
    /// The owner, who sees the own site always, is to be named.
    case ownPeer
    /// This one of those who are to be named no longer is not named.
    case notNamed(PeerID)

    /// For the person.
    public var description: String {
        switch self {
        case .full(let limit): "at most \(limit) peers can be named"
        case .ownPeer: "that is your own peer: you always see your own site"
        case .notNamed(let peer): "\(peer.base58) is not named"
        }
    }
}

extension GoopConfiguration {
    /// To whom the site is shown.
    public var siteAudience: SiteAudience {
        site.audience == SiteAudience.Name.everyone.rawValue ? .everyone : .named(Set(siteGuests))
    }

    /// Those who are named, each once, in the order of the file; they count while the site is shown to named peers only.
    public var siteGuests: [PeerID] {
        var known: Set<PeerID> = []
        return site.guests.compactMap { PeerID($0) }.filter { known.insert($0).inserted }
    }

    /// What of a decision is one about this list: of those who are to be named no longer, the ones that it names.
    public func part(of decision: AudienceDecision) -> AudienceDecision {
        guard case .revoke(let peers) = decision else { return decision }
        let guests = Set(siteGuests)
        return .revoke(peers.filter(guests.contains))
    }

    /// Takes a decision over.
    /// - Throws: `AudienceRefusal`; nothing has changed then.
    public mutating func decide(_ decision: AudienceDecision, owner: PeerID) throws(AudienceRefusal) {
        var guests = siteGuests
        var name = SiteAudience.Name(rawValue: site.audience) ?? .named
        switch decision {
        case .everyone: name = .everyone
        case .named: name = .named
        case .only(let peers):
            guard !peers.contains(owner) else { throw .ownPeer }
            name = .named
            guests = []
            for peer in peers where !guests.contains(peer) { guests.append(peer) }
        case .allow(let peers):
            guard !peers.contains(owner) else { throw .ownPeer }
            for peer in peers where !guests.contains(peer) { guests.append(peer) }
        case .revoke(let peers):
            let named = Set(guests)
            if let other = peers.first(where: { !named.contains($0) }) { throw .notNamed(other) }
            let revoked = Set(peers)
            guests.removeAll(where: revoked.contains)
        }
        guard guests.count <= SiteAudience.maximumGuests else { throw .full(limit: SiteAudience.maximumGuests) }
        site.audience = name.rawValue
        site.guests = guests.map(\.base58)
    }
}
