import PeerIdentity

/// Where a request comes from, once the guards have decided it: what it may reach hangs on this.
enum RequestPlace: Sendable, Hashable {
    /// The viewer's own pages, or a program of the owner.
    case viewer
    /// A page of this peer's site, on the site's own origin.
    case site(PeerID)
    /// The same without an origin of its own, under a path that only that page knows.
    case capability(PeerID)
}
