import GoopCore
import LibP2P

/// How a person names a peer on the command line.
enum PeerName {
    /// Finds the peer that a text means: an id, a multiaddr that ends in one, or, among listed peers, a label that only
    /// one of them has.
    /// - Returns: the peer, and the address to try if one was given.
    static func resolve(
        _ text: String, among entries: [PeerEntry] = []
    ) throws(Failure) -> (peer: PeerID, address: Multiaddr?) {
        if let peer = PeerID(text) { return (peer, nil) }
        if text.hasPrefix("/") {
            guard let address = Multiaddr(text), let peer = address.peerID else {
                throw Failure(
                    .usage, "\(text.prefix(200)) is no address of a peer",
                    nextStep: "an address looks like /ip4/192.168.1.20/tcp/4001/p2p/12D3Koo...")
            }
            return (peer, address.withoutPeerID)
        }
        // The owner's own names come first: a stranger cannot take one by calling itself so.
        let own = entries.filter { $0.petname == text }
        let named = own.isEmpty ? entries.filter { $0.label == text } : own
        guard let only = named.first else {
            let labels = entries.map(\.label).filter { !$0.isEmpty }
            let suggestion = NameSuggestion.nearest(to: text, among: labels)
            throw Failure(
                .noInput, "\(text.prefix(200)) is no peer id, and no peer in the list has that label",
                nextStep: suggestion.map { "did you mean \($0)?" } ?? "see the list: goop2 peers DIR")
        }
        guard named.count == 1 else {
            throw Failure(
                .usage, "\(named.count) peers have the label \(text.prefix(200))",
                nextStep: "use an id: " + named.prefix(8).map(\.id.base58).joined(separator: ", "))
        }
        return (only.id, nil)
    }
}
