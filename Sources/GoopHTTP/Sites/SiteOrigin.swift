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
}
