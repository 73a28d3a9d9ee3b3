import LibP2P
import Logging
import NIOCore

/// What one client's connection may ask of the daemon.
struct ControlService: Sendable {
    let server: ControlServer
    /// The connection's number, which its stream handlers go by.
    let number: UInt64

    var node: Node { server.node }

    /// The client's connection has ended with an error.
    func ended(_ error: any Error) {
        server.logger.debug("client connection ended", metadata: ["conn": "\(number)", "reason": "\(error)"])
    }

    /// Requests that are answered once and leave the connection as it is.
    func perform(_ request: ControlRequest) async -> ControlResponse {
        switch request {
        case .identify:
            return .identity(peer: node.peerID, addresses: node.listenAddresses())
        case .connect(let peer, let addresses, let timeout):
            return await outcome {
                _ = try await node.connect(to: peer, addresses: addresses, timeout: timeout ?? .seconds(15))
                return .done
            }
        case .disconnect(let peer):
            await node.disconnect(peer)
            return .done
        case .handleStreams(let address, let protocols, let isBalanced):
            return handleStreams(at: address, protocols: protocols, isBalanced: isBalanced)
        case .listPeers:
            return .peers(connectedPeers())
        case .distributedHashTable:
            return .failed("there is no DHT in this daemon")
        case .tagPeer(let peer, let tag, let weight):
            node.tag(peer, tag, value: weight)
            return .done
        case .untagPeer(let peer, let tag):
            node.untag(peer, tag)
            return .done
        case .trimConnections:
            node.trimConnections()
            return .done
        case .topics:
            return await withPubSub { .topics(await $0.topics()) }
        case .topicPeers(let topic):
            return await withPubSub { .topicPeers(await $0.peers(of: topic)) }
        case .publish(let topic, let data):
            return await withPubSub { pubSub in
                await self.outcome {
                    try await pubSub.publish(data, to: topic)
                    return .done
                }
            }
        case .peerProtocols(let peer):
            guard let known = node.identification(of: peer) else { return .failed("peer \(peer) is not connected") }
            return .peerProtocols(known.protocols.map(\.name))
        case .peerInfo(let peer):
            return .peerInfo(.init(peer: peer, addresses: node.addresses(of: peer)))
        case .openStream, .subscribe:
            return .failed("this request does not leave the connection as it is")
        }
    }

    private func outcome(_ body: () async throws -> ControlResponse) async -> ControlResponse {
        do { return try await body() } catch { return .failed("\(error)") }
    }

    private func connectedPeers() -> [ControlResponse.PeerInfo] {
        var peers: [PeerID: [Multiaddr]] = [:]
        for connection in node.connections() { peers[connection.peer, default: []].append(connection.remoteAddress) }
        return peers.sorted { $0.key < $1.key }.map { .init(peer: $0.key, addresses: $0.value) }
    }

    // MARK: Topics

    private func withPubSub(_ body: (PubSub) async -> ControlResponse) async -> ControlResponse {
        guard let pubSub = server.pubSub else { return .failed(PubSubIsOff().description) }
        return await body(pubSub)
    }

    /// The messages of a topic from now on.
    func subscribe(to topic: String) async throws -> PubSubSubscription {
        guard let pubSub = server.pubSub else { throw PubSubIsOff() }
        return try await pubSub.subscribe(to: topic)
    }

    private struct PubSubIsOff: Error, CustomStringConvertible {
        var description: String { "pubsub is off: start the daemon with -pubsub" }
    }

    // MARK: Streams of peers

    private func handleStreams(at address: Multiaddr, protocols: [String], isBalanced: Bool) -> ControlResponse {
        guard let client = ControlAddress(address) else {
            return .failed("\(address) is no address of a client: expected /unix/PATH or /ip4/ADDRESS/tcp/PORT")
        }
        let names = protocols.map { ProtocolID($0) }
        guard let new = server.registry.add(names, at: client, isBalanced: isBalanced, owner: number) else {
            return .failed("more than \(StreamHandlerRegistry.maximumRegistrations) stream handlers")
        }
        for name in new {
            let server = server
            node.setAcceptor(for: name, limits: server.limits) { server.handOver($0) }
        }
        return .done
    }
}
