import PeerIdentity

/// The web origin of each peer's site: `http://<id in base36>.localhost:PORT`.
///
/// Browsers resolve every name under `localhost` to this machine, and keep the storage, scripts and pages of two such
/// names apart. Host names ignore the case of letters and base58 does not, hence base36: 62 characters for an Ed25519
/// key, within the 63 of a label.
struct SiteOrigin: Sendable {
    /// The port the viewer listens on.
    let port: Int

    /// The peer whose site a host name belongs to; nil for every other name, and for an id in another spelling.
    func peer(ofHost authority: String) -> PeerID? {
        let suffix = ".localhost" + (port == 80 ? "" : ":\(port)")
        let name = authority.lowercased()
        guard name.hasSuffix(suffix) else { return nil }
        let label = String(name.dropLast(suffix.count))
        guard label.utf8.count <= 63, let peer = try? PeerID(text: label), peer.base36 == label else { return nil }
        return peer
    }

    /// The origin as browsers write it.
    func origin(of peer: PeerID) -> String {
        "http://\(peer.base36).localhost" + (port == 80 ? "" : ":\(port)")
    }

    /// True for a name that only asks whether `*.localhost` is found at all: eight to thirty letters and digits, too few
    /// for an id.
    func isProbe(_ authority: String) -> Bool {
        let suffix = ".localhost" + (port == 80 ? "" : ":\(port)")
        let label = authority.dropLast(suffix.count)
        return authority.hasSuffix(suffix) && (8...30).contains(label.utf8.count)
            && label.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7a).contains($0) }
    }

    /// Where the viewer's pages have the browser's storage log overwritten (`/scrub`, see `visits.js`): a place of its own,
    /// so that nothing else is stored there.
    static let scrubLabel = "goop2scrub"

    /// True for that place.
    func isScrub(_ authority: String) -> Bool {
        authority == Self.scrubLabel + ".localhost" + (port == 80 ? "" : ":\(port)")
    }

    /// A name for `isProbe` that no browser has kept an answer for.
    func probeAddress() -> String {
        var generator = SystemRandomNumberGenerator()
        let nonce = String(generator.next() as UInt64 | 1 << 63, radix: 36)
        return "http://\(nonce).localhost" + (port == 80 ? "" : ":\(port)") + "/probe"
    }
}
