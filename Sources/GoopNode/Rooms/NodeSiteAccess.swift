import GoopCore
import GoopHTTP
import PeerIdentity

/// The audience of the running peer's site, and its visitors.
struct NodeSiteAccess: SiteAccess {
    let owner: PeerID
    let settings: NodeSettingsDesk
    let door: SiteDoor
    let directory: PeerDirectory

    func audience() async -> AudienceSheet { await settings.audience }

    func decide(_ decision: AudienceDecision) async throws(AudienceError) -> AudienceSheet {
        try await settings.decide(decision, owner: owner)
    }

    func visitors() async -> [Visitor] { door.visitors }

    func known(_ peer: PeerID) async -> KnownPeer? { await directory.record(of: peer) }

    func changes() async -> AsyncStream<Void> { door.changes() }
}
