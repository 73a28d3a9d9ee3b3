import GoopCore
import PeerIdentity
import Synchronization

/// Which sites learn the owner's e-mail address: `data/consents.json`, readable by the owner only.
///
/// Written whenever the owner decides something. A file that cannot be read means that nobody was agreed to.
final class SiteConsents: Sendable {
    /// Sites at most; one more is refused.
    static let limit = 10_000

    private let path: String
    private let peers: Mutex<Set<PeerID>>

    init(path: String) {
        self.path = path
        var known: Set<PeerID> = []
        if let bytes = try? AtomicFile.read(path, limit: 1 << 20), let object = try? JSONParser.parse(bytes).object {
            for entry in object["email"]?.array ?? [] {
                if let peer = entry.string.flatMap({ try? PeerID(text: $0) }) { known.insert(peer) }
            }
        }
        peers = Mutex(known)
    }

    func sharesEmail(with peer: PeerID) -> Bool { peers.withLock { $0.contains(peer) } }

    /// - Throws: `FileFault` when it could not be written; then nothing has changed.
    func set(_ shares: Bool, for peer: PeerID) throws {
        try peers.withLock { peers in
            var next = peers
            if shares { next.insert(peer) } else { next.remove(peer) }
            guard next != peers else { return }
            guard next.count <= Self.limit else {
                throw SiteError(kind: .busy, detail: "at most \(Self.limit) sites can know the address")
            }
            let value: JSONValue = ["email": .array(next.map(\.base58).sorted().map { .string($0) })]
            try AtomicFile.write(JSONWriter.pretty(value), to: path)
            peers = next
        }
    }
}
