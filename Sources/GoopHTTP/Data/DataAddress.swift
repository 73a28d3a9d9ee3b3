import PeerIdentity

/// What a path of the data routes asks for.
/// Source: viewer wire reference, section 3.
struct DataAddress: Sendable, Equatable {
    /// Whose database; nil for `/api/data/…`, the own one of the viewer.
    let peer: PeerID?
    /// What stands behind `data/`, for example `find-one` or `tables/create`.
    let suffix: String

    /// Upstream's address for what a template says of its site. There it means the visitor's own, which no page wants to know.
    static let templatePath = "/api/template/settings"

    /// What stands behind `templatePath` on the origin of a peer's site.
    static func template(of peer: PeerID) -> DataAddress { DataAddress(peer: peer, suffix: "template") }

    private init(peer: PeerID, suffix: String) {
        self.peer = peer
        self.suffix = suffix
    }

    /// Nil for every other path, and for a peer id that is not in its one right spelling.
    init?(path: String) {
        if let rest = path.without(prefix: "/api/data/") {
            peer = nil
            suffix = String(rest)
            return
        }
        guard let rest = path.without(prefix: "/api/p/"), let slash = rest.firstIndex(of: "/") else { return nil }
        let name = rest[..<slash]
        guard name.utf8.count <= 128, let peer = try? PeerID(text: String(name)), peer.base58 == name,
            let suffix = rest[slash...].without(prefix: "/data/")
        else { return nil }
        self.peer = peer
        self.suffix = String(suffix)
    }
}

extension StringProtocol {
    /// The rest behind a prefix; nil if it begins otherwise.
    fileprivate func without(prefix: String) -> SubSequence? {
        hasPrefix(prefix) ? self[index(startIndex, offsetBy: prefix.count)...] : nil
    }
}
