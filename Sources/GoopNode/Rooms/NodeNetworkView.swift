import GoopCore
import GoopHTTP
import LibP2P

/// The node's addresses, connections and log, for the Network room.
struct NodeNetworkView: NetworkView {
    let node: Node
    let directory: PeerDirectory
    let own: OwnProfile
    let clock: PeerClock
    let journal: NetworkJournal

    func network() async -> NetworkPicture {
        let open = node.connections()
        // Whoever is connected may be in no list: invisible, or not heard of yet.
        let names = await directory.names(of: Set(open.map(\.peer)))
        let connections = open.map { info in
            NetworkPicture.Connection(
                peer: info.peer.base58, name: names[info.peer] ?? "", direction: "\(info.direction)",
                address: info.remoteAddress.description, path: info.path.rawValue, security: "\(info.security)")
        }
        return NetworkPicture(
            id: node.peerID.base58, label: own.label, addresses: node.listenAddresses().map(\.description),
            connections: connections.sorted { ($0.name, $0.peer) < ($1.name, $1.peer) }, streams: node.usage.streams,
            uptimeSeconds: Int(clock.now().uptime.components.seconds))
    }

    func log() async -> [NetworkLine] { journal.lines }
}
