import GoopCore
import LibP2P

/// One thing to be done with another peer over a node, as the commands want it.
struct PeerErrand: Sendable {
    let node: Node
    var timeout = Duration.seconds(10)

    /// A round trip.
    func ping(_ peer: PeerID, address: Multiaddr?) async throws(Failure) -> JSONValue {
        guard peer != node.peerID else {
            throw Failure(.usage, "that is this peer's own id", nextStep: "name another peer")
        }
        do {
            if let address { node.addAddresses([address], of: peer, source: .configured, ttl: .seconds(60)) }
            let info = try await node.connect(to: peer, timeout: timeout)
            let time = try await node.ping(peer, timeout: timeout)
            return [
                "peer": .string(peer.base58), "milliseconds": .number(PeerErrand.milliseconds(time)),
                "path": .string(info.path.rawValue), "address": .string(info.remoteAddress.description),
            ]
        } catch {
            throw SiteClient.siteError(error, peer: peer, elapsed: .zero).failure
        }
    }

    private static func milliseconds(_ time: Duration) -> String {
        let (seconds, attoseconds) = time.components
        let microseconds = seconds * 1_000_000 + attoseconds / 1_000_000_000_000
        let fraction = String(1000 + microseconds % 1000).dropFirst()
        return "\(microseconds / 1000).\(fraction)"
    }
}
