import LibP2P
import Logging
import NIOCore

/// Hands a stream that a peer has opened to the client that is registered for its protocol.
enum InboundForwarding {
    static func run(_ stream: P2PStream, server: ControlServer) async {
        guard let address = server.registry.next(for: stream.protocol) else { return stream.reset() }
        do {
            let client = try await ControlChannels.connect(to: address, group: server.node.eventLoopGroup)
            let info = StreamInfo(
                peer: stream.remotePeer, address: stream.connection.remoteAddress, protocolName: stream.protocol.name)
            try await client.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(bytes: FrameDecoder.frame(info.protobuf)))
                var iterator = inbound.makeAsyncIterator()
                await StreamForwarding.run(
                    stream, first: nil, from: &iterator, to: outbound, channel: client.channel)
            }
        } catch {
            server.logger.debug(
                "client does not take the stream",
                metadata: ["peer": "\(stream.remotePeer)", "proto": "\(stream.protocol)", "reason": "\(error)"])
            stream.reset()
        }
    }
}
