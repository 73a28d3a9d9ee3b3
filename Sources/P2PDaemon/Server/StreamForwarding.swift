import LibP2P
import NIOCore

/// Carries the bytes between a client's connection and a peer's stream.
///
/// Each direction is closed on its own: the end of one side's bytes becomes the end of ours on the other. An error on either
/// side ends both. No more than the channel's and the stream's own buffers is held.
enum StreamForwarding {
    /// Returns when both directions have ended.
    ///
    /// - Parameters:
    ///   - first: what the client had sent before the connection became a stream.
    static func run(
        _ stream: P2PStream, first: ByteBuffer?,
        from client: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator,
        to outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>, channel: any Channel
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    while let bytes = try await stream.read() { try await outbound.write(bytes) }
                    try await ControlChannels.flush(channel)
                    outbound.finish()
                } catch {
                    // The peer has reset the stream, or the client is gone: neither direction has a use any more.
                    stream.reset()
                    channel.close(promise: nil)
                }
            }
            do {
                if let first, first.readableBytes > 0 { try await stream.write(first) }
                while let bytes = try await client.next() { try await stream.write(bytes) }
                try await stream.closeWrite()
            } catch {
                stream.reset()
                channel.close(promise: nil)
            }
            await group.waitForAll()
        }
        await stream.close()
    }
}
