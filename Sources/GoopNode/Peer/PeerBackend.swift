import GoopCore
import GoopHTTP
import LibP2P
import NIOCore
import NIOPosix
import Synchronization

/// What the viewer and the commands see of the running peer.
struct PeerBackend: ViewerBackend {
    let id: PeerID
    let own: OwnProfile
    let avatar: OwnAvatar
    let directory: PeerDirectory
    private(set) var client: SiteClient
    let site: OwnSite
    let tables: SiteTables
    let dataClient: DataClient
    let progress: StartProgress
    let visibility: Visibility
    let consents: SiteConsents
    let live: LivePreferences
    let suspect: Twin
    let clock: PeerClock

    var preferences: ViewerPreferences { live.now }

    func selfProfile() async -> SelfProfile {
        SelfProfile(id: id, label: own.label, email: own.email, avatarHash: avatar.hash)
    }

    /// The same, with another limit for the first bytes of an answer.
    func patient(_ limit: Duration) -> PeerBackend {
        var copy = self
        copy.client.answerTimeout = limit
        return copy
    }

    func peers() async -> [PeerEntry] { await directory.entries }

    func name(of peer: PeerID) async -> String {
        peer == id ? own.label : await directory.name(of: peer)
    }

    func peerChanges() async -> AsyncStream<PeerChange> { await directory.changes(endWithProfile: true) }

    func hasConsent(_ consent: SiteConsent, for peer: PeerID) async -> Bool { consents.has(consent, peer) }

    func setConsent(_ consent: SiteConsent, _ given: Bool, for peer: PeerID) async throws {
        try await NIOThreadPool.singleton.runIfActive { [consents] in try consents.set(consent, given, for: peer) }
    }

    func isInvisible() async -> Bool { visibility.isHidden }

    func twin() async -> String? { suspect.place(now: clock.now().uptime) }

    func readiness() async -> Readiness { progress.readiness }

    func data(_ request: DataRequest, of peer: PeerID) async throws(DataError) -> DataAnswer {
        guard peer != id else { return DataAnswer(value: try await tables.perform(request, caller: .owner)) }
        return try await dataClient.answer(to: request, of: peer)
    }

    func dataChanges(
        of peer: PeerID, table: String
    ) async throws(DataError) -> AsyncThrowingStream<DataChange, any Error> {
        guard peer != id else { return try await tables.changes(of: table, caller: .owner) }
        return try await dataClient.changes(of: peer, table: table)
    }

    func siteChanges(of peer: PeerID) async throws(SiteError) -> AsyncThrowingStream<SiteChanges, any Error> {
        guard !(await directory.isBlocked(peer)) else {
            throw SiteError(kind: .blocked, detail: "you have blocked this peer")
        }
        guard peer == id else { return try await client.changes(of: peer) }
        let own = try await site.watch.changes()
        let (changes, continuation) = AsyncThrowingStream.makeStream(
            of: SiteChanges.self, bufferingPolicy: .bufferingNewest(8))
        let task = Task {
            for await change in own {
                if case .dropped = continuation.yield(change) { continuation.yield(.unnamed) }
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in task.cancel() }
        return changes
    }

    func openSite(_ query: SiteQuery, of peer: PeerID) async throws(SiteError) -> SiteBody {
        if peer == id {
            let chunks = try await SiteFileChunks.answer(query, in: site.folder, tags: site.tags)
            return SiteBody(head: chunks.head, chunks: chunks, whole: chunks.whole)
        }
        guard !(await directory.isBlocked(peer)) else {
            throw SiteError(kind: .blocked, detail: "you have blocked this peer")
        }
        do throws(SiteError) {
            let body = try await client.open(query, of: peer)
            await directory.probeSucceeded(peer)
            return body
        } catch {
            if error.kind == .unreachable { await directory.probeFailed(peer, reason: error.reason) }
            if error.kind == .timedOut { await directory.doubt(peer) }
            throw error
        }
    }
}

/// Which parts of the peer are up.
final class StartProgress: Sendable {
    /// The parts, in the order they start.
    enum Part: String, Sendable, CaseIterable {
        case node, data, viewer, discovery
    }

    private let state = Mutex<[Part: (isReady: Bool, detail: String)]>([:])

    /// Notes that a part is up, or why it is not.
    func set(_ part: Part, isReady: Bool, detail: String) {
        state.withLock { $0[part] = (isReady, detail) }
    }

    /// All parts.
    var readiness: Readiness {
        let state = state.withLock { $0 }
        return Readiness(
            components: Part.allCases.map { part in
                Readiness.Component(
                    name: part.rawValue, isReady: state[part]?.isReady ?? false,
                    detail: state[part]?.detail ?? "starting")
            })
    }
}
