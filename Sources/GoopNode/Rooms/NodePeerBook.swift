import GoopCore
import GoopHTTP
import LibP2P

/// Carries decisions about peers to the directory, and measures round trips.
struct NodePeerBook: PeerBook {
    /// Peers that are measured at a time.
    static let measuredAtOnce = 16
    /// How long one may take.
    static let patience = Duration.seconds(2)

    let node: Node
    let directory: PeerDirectory

    func known() async -> [KnownPeer] { await directory.known }

    func isBlocked(_ peer: PeerID) async -> Bool { await directory.isBlocked(peer) }

    func decide(_ decision: PeerDecision, about peer: PeerID) async throws(PeerBookError) -> KnownPeer {
        do {
            return try await directory.decide(decision, about: peer)
        } catch let refusal as PeerRecords.Refusal {
            throw PeerBookError(message: "\(refusal)")
        } catch {
            throw PeerBookError(
                message: "in effect, but it could not be stored: \(String("\(error)".prefix(200)))", isStored: false)
        }
    }

    func latencies() async -> [PeerID: Double] {
        let peers = Set(node.connections().lazy.filter { !$0.isLimited }.map(\.peer)).sorted().prefix(256)
        return await withTaskGroup(of: (PeerID, Double?).self) { group in
            var found: [PeerID: Double] = [:]
            for (index, peer) in peers.enumerated() {
                if index >= Self.measuredAtOnce, let (peer, time) = await group.next() { found[peer] = time }
                group.addTask { (peer, await milliseconds(to: peer)) }
            }
            for await (peer, time) in group { found[peer] = time }
            return found
        }
    }

    private func milliseconds(to peer: PeerID) async -> Double? {
        guard let time = try? await node.ping(peer, timeout: Self.patience) else { return nil }
        let (seconds, attoseconds) = time.components
        return Double(seconds) * 1000 + Double(attoseconds / 1_000_000_000_000) / 1000
    }
}
