import GoopCore
import GoopHTTP
import PeerIdentity
import Synchronization

/// What the owner agreed to for single sites: `data/consents.json`, readable by the owner only.
///
/// Written whenever the owner decides something. A file that cannot be read means that nothing was agreed to.
final class SiteConsents: Sendable {
    /// Sites at most for each consent; one more is refused.
    static let limit = 10_000

    private let path: String
    private let peers: Mutex<[SiteConsent: Set<PeerID>]>

    init(path: String) {
        self.path = path
        var known: [SiteConsent: Set<PeerID>] = [:]
        if let bytes = try? AtomicFile.read(path, limit: 4 << 20), let object = try? JSONParser.parse(bytes).object {
            for consent in SiteConsent.allCases {
                let entries = object[consent.rawValue]?.array ?? []
                known[consent] = Set(
                    entries.prefix(Self.limit).compactMap { $0.string.flatMap { try? PeerID(text: $0) } })
            }
        }
        peers = Mutex(known)
    }

    func has(_ consent: SiteConsent, _ peer: PeerID) -> Bool {
        peers.withLock { $0[consent]?.contains(peer) ?? false }
    }

    /// - Throws: `FileFault` when it could not be written; then nothing has changed.
    func set(_ consent: SiteConsent, _ given: Bool, for peer: PeerID) throws {
        try peers.withLock { peers in
            var next = peers
            if given {
                next[consent, default: []].insert(peer)
            } else {
                next[consent, default: []].remove(peer)
            }
            guard next != peers else { return }
            guard next[consent, default: []].count <= Self.limit else {
                throw SiteError(kind: .busy, detail: "at most \(Self.limit) sites can have this")
            }
            var value: JSONObject = [:]
            for consent in SiteConsent.allCases {
                value[consent.rawValue] = .array(next[consent, default: []].map(\.base58).sorted().map { .string($0) })
            }
            try AtomicFile.write(JSONWriter.pretty(.object(value)), to: path)
            peers = next
        }
    }
}
