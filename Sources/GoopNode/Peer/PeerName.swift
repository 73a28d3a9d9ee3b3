import GoopCore
import LibP2P

/// How a person names a peer on the command line.
enum PeerName {
    /// A peer and what it is called.
    struct Candidate: Sendable, Hashable {
        var id: PeerID
        /// What it calls itself.
        var label: String
        /// The owner's own name for it.
        var petname: String
    }

    /// What to do when nobody has a name, for commands that read of a folder without a running peer who is known.
    static let nextStepWhileStopped = "use an id, or start the peer: it may hear of that name"

    /// The peer of an id, or of a link to a site as the viewer copies it: `http://127.0.0.1:8080/p/ID/…`, whatever its
    /// host and port are, since everybody's viewer has its own. Nil for any other text, and for an id that no key can have:
    /// ids have no checksum, but that much of a slip of the pen shows.
    static func id(in text: String) -> PeerID? {
        idOrSlip(in: text).flatMap { $0.canBeOfAKey ? $0 : nil }
    }

    private static func idOrSlip(in text: String) -> PeerID? {
        if let peer = PeerID(text) { return peer }
        guard let scheme = ["http://", "https://"].first(where: { text.hasPrefix($0) }) else { return nil }
        let parts = text.dropFirst(scheme.count).split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count >= 3, parts[1] == "p" else { return nil }
        return PeerID(String(parts[2].prefix(while: { $0 != "?" && $0 != "#" })))
    }

    /// Finds the peer that a text means: an id, a link to a site, a multiaddr that ends in an id, or a name that only one
    /// candidate has.
    /// - Parameters:
    ///   - own: the peer itself, whom its name means where nobody else has it.
    ///   - nextStep: what to do when nobody has the name, and none is alike.
    /// - Returns: the peer, and the address to try if one was given.
    static func resolve(
        _ text: String, among candidates: [Candidate] = [], own: Candidate? = nil,
        nextStep: String = "use an id: names are known while the peer runs"
    ) throws(Failure) -> (peer: PeerID, address: Multiaddr?) {
        if let peer = id(in: text) { return (peer, nil) }
        if text.hasPrefix("/") {
            guard let address = Multiaddr(text), let peer = address.peerID, peer.canBeOfAKey else {
                throw Failure(
                    .usage, "\(text.prefix(200)) is no address of a peer",
                    nextStep: "an address looks like /ip4/192.168.1.20/tcp/4001/p2p/12D3Koo...")
            }
            return (peer, address.withoutPeerID)
        }
        // Nobody is named by nothing, those without a name least of all.
        let candidates = text.isEmpty ? [] : candidates
        // The owner's own names come first: a stranger cannot take one by calling itself so.
        let petnamed = candidates.filter { $0.petname == text }
        var named = petnamed.isEmpty ? candidates.filter { $0.label == text } : petnamed
        // What is on a list already can be taken off, be it nobody's.
        if let slip = idOrSlip(in: text) { named = candidates.filter { $0.id == slip } }
        if named.isEmpty, let own, !text.isEmpty, own.label == text { return (own.id, nil) }
        guard let only = named.first else {
            let names = candidates.flatMap { [$0.label, $0.petname] }.filter { !$0.isEmpty }
            let suggestion = NameSuggestion.nearest(to: text, among: names)
            throw Failure(
                .noInput, "\(text.prefix(200)) is no peer id, and nobody is known by that name",
                nextStep: suggestion.map { "did you mean \($0)?" } ?? nextStep)
        }
        guard named.count == 1 else {
            throw Failure(
                .usage, "\(named.count) peers have the name \(text.prefix(200))",
                nextStep: "use an id: " + named.prefix(8).map(\.id.base58).joined(separator: ", "))
        }
        return (only.id, nil)
    }
}

extension PeerName.Candidate {
    init(_ known: KnownPeer) { self.init(id: known.id, label: known.label, petname: known.petname) }

    init(_ entry: PeerEntry) { self.init(id: entry.id, label: entry.label, petname: entry.petname) }

    /// Somebody of whom only the id is known.
    init(_ id: PeerID) { self.init(id: id, label: "", petname: "") }
}
