import LibP2P
import NIOCore

/// One client's connection: requests and answers in turn, and then perhaps a stream or a subscription.
struct ControlSession {
    let server: ControlServer
    let number: UInt64
    let channel: any Channel
    var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var decoder = FrameDecoder()

    init(
        server: ControlServer, number: UInt64, channel: any Channel,
        inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.server = server
        self.number = number
        self.channel = channel
        self.inbound = inbound
        self.outbound = outbound
    }

    private var node: Node { server.node }

    /// Serves requests until the client closes, or the connection is used up as a stream.
    mutating func run() async throws {
        while let message = try await nextMessage() {
            let request: ControlRequest
            do {
                request = try ControlRequest(protobuf: message)
            } catch {
                try await answer(.failed(error.description))
                continue
            }
            switch request {
            case .openStream(let peer, let protocols, let timeout):
                if try await openStream(to: peer, protocols: protocols, timeout: timeout) { return }
            case .subscribe(let topic):
                if try await subscribe(to: topic) { return }
            default:
                try await answer(await perform(request))
            }
        }
        try await ControlChannels.flush(channel)
    }

    private mutating func nextMessage() async throws -> ArraySlice<UInt8>? {
        while true {
            if let message = try decoder.next() { return message }
            guard let bytes = try await inbound.next() else { return nil }
            decoder.append(bytes.readableBytesView)
        }
    }

    private func answer(_ response: ControlResponse) async throws {
        try await outbound.write(ByteBuffer(bytes: FrameDecoder.frame(response.protobuf)))
    }

    /// Requests that are answered once and leave the connection as it is.
    private func perform(_ request: ControlRequest) async -> ControlResponse {
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

    private func withPubSub(_ body: (PubSub) async -> ControlResponse) async -> ControlResponse {
        guard let pubSub = server.pubSub else { return .failed("pubsub is off: start the daemon with -pubsub") }
        return await body(pubSub)
    }

    private func connectedPeers() -> [ControlResponse.PeerInfo] {
        var peers: [PeerID: [Multiaddr]] = [:]
        for connection in node.connections() { peers[connection.peer, default: []].append(connection.remoteAddress) }
        return peers.sorted { $0.key < $1.key }.map { .init(peer: $0.key, addresses: $0.value) }
    }
}

// MARK: - Streams

extension ControlSession {
    /// Whether the connection has become a stream, and has ended with it.
    private mutating func openStream(
        to peer: PeerID, protocols: [String], timeout: Duration?
    ) async throws -> Bool {
        var options = StreamOptions()
        options.timeout = timeout ?? .seconds(10)
        // The answer names the protocol, so it has to be agreed on first.
        options.negotiation = .eager
        let stream: P2PStream
        do {
            stream = try await node.openStream(
                to: peer, protocols: protocols.map { ProtocolID($0) }, options: options)
        } catch {
            try await answer(.failed("\(error)"))
            return false
        }
        let info = StreamInfo(
            peer: peer, address: stream.connection.remoteAddress, protocolName: stream.protocol.name)
        do {
            try await answer(.stream(info))
        } catch {
            stream.reset()
            throw error
        }
        await StreamForwarding.run(
            stream, first: ByteBuffer(bytes: decoder.takeRemaining()), from: &inbound, to: outbound, channel: channel)
        return true
    }

    private func handleStreams(at address: Multiaddr, protocols: [String], isBalanced: Bool) -> ControlResponse {
        guard let client = ControlAddress(address) else {
            return .failed("\(address) is no address of a client: expected /unix/PATH or /ip4/ADDRESS/tcp/PORT")
        }
        let names = protocols.map { ProtocolID($0) }
        guard let new = server.registry.add(names, at: client, isBalanced: isBalanced, owner: number) else {
            return .failed("more than \(StreamHandlerRegistry.maximumRegistrations) stream handlers")
        }
        var limits = HandlerLimits()
        limits.runsOnEventLoop = true
        for name in new {
            let server = server
            node.setHandler(for: name, limits: limits) { await InboundForwarding.run($0, server: server) }
        }
        return .done
    }
}

// MARK: - Topics

extension ControlSession {
    /// Whether the connection has become a subscription, and has ended with it.
    private mutating func subscribe(to topic: String) async throws -> Bool {
        guard let pubSub = server.pubSub else {
            try await answer(.failed("pubsub is off: start the daemon with -pubsub"))
            return false
        }
        let messages: PubSubSubscription
        do {
            messages = try await pubSub.subscribe(to: topic)
        } catch {
            try await answer(.failed("\(error)"))
            return false
        }
        try await answer(.done)
        let outbound = outbound
        let channel = channel
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await message in messages {
                    // As it travels between peers: the client's message has the same fields, signature and key included.
                    try await outbound.write(ByteBuffer(bytes: FrameDecoder.frame(message.encoded)))
                }
                // The subscription has ended, or the client is slow beyond the bound: it sees the connection end.
                channel.close(promise: nil)
            }
            // A subscribed client sends nothing more; its end is what is waited for.
            while try await inbound.next() != nil {}
            group.cancelAll()
        }
        return true
    }
}
