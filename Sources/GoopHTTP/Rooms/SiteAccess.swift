public import GoopCore
public import PeerIdentity

/// Who may see this peer's site, and who does: what stands behind two parts of the My site room.
public protocol SiteAccess: Sendable {
    /// To whom the site is shown.
    func audience() async -> AudienceSheet
    /// Decides it. In effect at once, and stored when it returns.
    /// - Throws: `AudienceError` for the person to read.
    func decide(_ decision: AudienceDecision) async throws(AudienceError) -> AudienceSheet
    /// Who is inside at this moment, then who was lately; at most a few hundred.
    func visitors() async -> [Visitor]
    /// What this peer knows of another one, to name it.
    func known(_ peer: PeerID) async -> KnownPeer?
    /// Says when one of these has changed; several changes may be told as one.
    func changes() async -> AsyncStream<Void>
}

/// To whom the site is shown, and who is named.
public struct AudienceSheet: Sendable, Hashable {
    /// Whether it is shown to everyone.
    public var name: SiteAudience.Name
    /// Those who are named; they count while it is shown to named peers only.
    public var guests: [PeerID]

    /// Both.
    public init(name: SiteAudience.Name, guests: [PeerID]) {
        self.name = name
        self.guests = guests
    }
}

/// Why a decision about the audience was refused, or not stored.
public struct AudienceError: Error, Sendable, Hashable {
    /// For the person.
    public var message: String
    /// False: the decision is in effect, but the file says something else at the next start.
    public var isStored: Bool

    /// Both.
    public init(message: String, isStored: Bool = true) {
        self.message = message
        self.isStored = isStored
    }
}
