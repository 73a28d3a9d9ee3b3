import GoopCore
import LibP2P
import Logging
import NIOCore

/// A node for one errand: takes no connections, announces nothing, and is gone afterwards.
struct ShortLivedNode: Sendable {
    let folder: PeerFolder
    let group: any EventLoopGroup
    let logger: Logger
    /// How long a peer without a known address is looked for.
    let patience: Duration

    /// Finds a peer, does something with it, and ends.
    func run<Outcome: Sendable>(
        with text: String, _ errand: @escaping @Sendable (Node, PeerID) async throws -> Outcome
    ) async throws -> Outcome {
        let own = try PreparedPeer.open(folder, options: .init(createsMissing: false))
        defer { own.release() }
        let (peer, address) = try PeerName.resolve(
            text, own: PeerName.Candidate(id: own.identity.peerID, label: own.configuration.profile.label, petname: ""),
            nextStep: "use an id; names are known while the peer runs: goop2 peer \(folder.word)")
        guard peer != own.identity.peerID else {
            throw Failure(
                .usage, "that is this folder's own id", nextStep: "name another peer, or open the files of the site")
        }
        let node = Node(
            configuration: .init(identity: own.identity, listen: [], agentVersion: "goop2-swift"),
            eventLoopGroup: group,
            logger: logger)
        do {
            try await node.start()
            if let address {
                node.addAddresses([address], of: peer, source: .configured, ttl: .seconds(600))
            } else {
                try await find(peer, tag: own.configuration.p2p.mdnsTag, for: node)
            }
            let outcome = try await errand(node, peer)
            await node.stop()
            return outcome
        } catch {
            await node.stop()
            throw error
        }
    }

    /// A duration for a person, in seconds.
    static func words(for patience: Duration) -> String {
        let (seconds, fraction) = patience.components
        guard fraction == 0 else { return "\(patience)" }
        return seconds == 1 ? "1 second" : "\(seconds) seconds"
    }

    /// Looks for a peer on the local network until it answers.
    private func find(_ peer: PeerID, tag: String, for node: Node) async throws {
        let (found, finder) = AsyncStream.makeStream(of: [Multiaddr].self, bufferingPolicy: .bufferingNewest(1))
        let discovery = try MDNSService(
            serviceName: tag, peer: node.peerID, eventLoopGroup: group, logger: logger, addresses: { [] },
            onDiscovered: { other, addresses in if other == peer { finder.yield(addresses) } })
        let addresses = await withTaskGroup(of: [Multiaddr]?.self) { tasks in
            tasks.addTask {
                // Whatever ends the search early, the answer is that nobody was found.
                try? await discovery.run()
                return nil
            }
            tasks.addTask {
                for await addresses in found { return addresses }
                return nil
            }
            tasks.addTask {
                // The end of the search, unless another task of the group was first.
                try? await Task.sleep(for: patience)
                return nil
            }
            let first = await tasks.next() ?? nil
            tasks.cancelAll()
            return first
        }
        guard let addresses else {
            throw Failure(
                .unavailable,
                "\(peer) was not found on the local network within \(ShortLivedNode.words(for: patience))",
                nextStep: "check that it runs with the same p2p.mdns_tag (\(tag)), or give its address: "
                    + "/ip4/ADDRESS/tcp/PORT/p2p/\(peer)")
        }
        node.addAddresses(addresses, of: peer, source: .multicast, ttl: .seconds(600))
    }
}
