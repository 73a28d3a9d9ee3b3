import GoopCore
import PeerIdentity

/// What a peer remembers of itself: `data/state.json`.
///
/// Ports that the program chose stand here, so that the settings still say "choose one"; and the peer's id, so that a start
/// without the key file is not taken for a first one. Whatever is wrong with the file means that nothing is remembered.
struct PeerState: Sendable, Hashable {
    /// The TCP port of the node, or 0.
    var listenPort = 0
    /// The port of the viewer, or 0.
    var viewerPort = 0
    /// Who the peer was at its last start; nil in folders of upstream's program, and of this one before it remembered that.
    var peerID: PeerID?

    /// Reads the file of a folder.
    static func load(_ path: String) -> PeerState {
        guard let bytes = try? AtomicFile.read(path, limit: 4096), let object = try? JSONParser.parse(bytes).object
        else {
            return PeerState()
        }
        func port(_ name: String) -> Int {
            let value = object[name]?.int64 ?? 0
            return (1...65_535).contains(value) ? Int(value) : 0
        }
        return PeerState(
            listenPort: port("listen_port"), viewerPort: port("viewer_port"),
            peerID: object["peer_id"]?.string.flatMap { try? PeerID(text: $0) })
    }

    /// Writes the file of a folder.
    func save(_ path: String) throws(FileFault) {
        var object: JSONObject = ["listen_port": .integer(listenPort), "viewer_port": .integer(viewerPort)]
        if let peerID { object["peer_id"] = .string(peerID.base58) }
        try AtomicFile.write(JSONWriter.pretty(.object(object)), to: path)
    }
}
