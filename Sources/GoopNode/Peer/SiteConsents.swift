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
    /// The longest file: with all consents at the limit it has about 1.2 MB.
    private static let maximumBytes = 4 << 20

    private typealias Peers = [SiteConsent: Set<PeerID>]

    private let path: String
    private let write: @Sendable (_ bytes: [UInt8], _ path: String) throws -> Void
    /// What is in the file. Held while the disk is waited for: one decision at a time.
    private let stored: Mutex<Peers>
    /// Held for no time: pages and streams ask, on event loops.
    private let known: Mutex<Peers>

    /// - Parameter write: puts bytes on the disk.
    init(
        path: String,
        write: @escaping @Sendable (_ bytes: [UInt8], _ path: String) throws -> Void = { bytes, path in
            try AtomicFile.write(bytes, to: path)
        }
    ) {
        self.path = path
        self.write = write
        var known: Peers = [:]
        if let bytes = try? AtomicFile.read(path, limit: Self.maximumBytes),
            let object = try? JSONParser.parse(bytes, limits: .init(bytes: Self.maximumBytes)).object
        {
            for consent in SiteConsent.allCases {
                let entries = object[consent.rawValue]?.array ?? []
                known[consent] = Set(
                    entries.prefix(Self.limit).compactMap { $0.string.flatMap { try? PeerID(text: $0) } })
            }
        }
        stored = Mutex(known)
        self.known = Mutex(known)
    }

    func has(_ consent: SiteConsent, _ peer: PeerID) -> Bool {
        known.withLock { $0[consent]?.contains(peer) ?? false }
    }

    /// Waits for the disk.
    /// - Throws: `FileFault` when it could not be written; then nothing has changed.
    func set(_ consent: SiteConsent, _ given: Bool, for peer: PeerID) throws {
        try stored.withLock { stored in
            var next = stored
            if given {
                next[consent, default: []].insert(peer)
            } else {
                next[consent, default: []].remove(peer)
            }
            guard next != stored else { return }
            guard next[consent, default: []].count <= Self.limit else {
                throw SiteError(kind: .busy, detail: "at most \(Self.limit) sites can have this")
            }
            var value: JSONObject = [:]
            for consent in SiteConsent.allCases {
                value[consent.rawValue] = .array(next[consent, default: []].map(\.base58).sorted().map { .string($0) })
            }
            try write(JSONWriter.pretty(.object(value)), path)
            stored = next
            known.withLock { [next] in $0 = next }
        }
    }
}
