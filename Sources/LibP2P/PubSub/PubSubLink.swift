import NIOCore
import P2PSwarm

/// Keeps one stream to a peer open for as long as the peer is connected: opens it, writes what the router hands out, and
/// opens it again, later and later, when it dies.
struct PubSubLink: Sendable {
    private static let firstDelay: Duration = .milliseconds(100)
    private static let longestDelay: Duration = .seconds(10)

    let peer: PeerID
    let number: UInt64
    let node: Node
    let router: PubSubRouter
    let writeTimeout: Duration

    func run() async {
        var delay: Duration = .zero
        while !Task.isCancelled, node.isConnected(to: peer) {
            if delay > .zero {
                // The back-off between two attempts, not all in step after a common cause. What would change the outcome, the
                // peer's going, cancels this task: a cancelled sleep ends the loop above.
                try? await Task.sleep(for: delay * Double.random(in: 0.8..<1.2))
                guard !Task.isCancelled else { break }
            }
            let started = MonotonicInstant.now()
            do {
                let stream = try await open()
                await serve(stream)
            } catch let error as P2PError where error.code == .protocolNotSupported {
                break
            } catch {
                // Tried again below, as long as the peer stays connected.
            }
            let lived = started.duration(to: .now())
            delay =
                lived > Self.longestDelay ? Self.firstDelay : min(max(delay * 2, Self.firstDelay), Self.longestDelay)
        }
        await router.ended(peer, by: number)
    }

    private func open() async throws -> P2PStream {
        var options = StreamOptions()
        // The version decides what may be said, so it has to be agreed on first.
        options.negotiation = .eager
        options.dialsIfNeeded = false
        return try await node.openStream(to: peer, protocols: GossipSubVersion.offered, options: options)
    }

    private func serve(_ stream: P2PStream) async {
        let (frames, continuation) = AsyncStream.makeStream(of: [UInt8].self)
        guard await router.opened(stream, by: number, frames: continuation) else { return stream.reset() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await write(frames, to: stream) }
            // The peer says nothing here. The end of the stream is what is waited for.
            group.addTask {
                do { while try await stream.read() != nil {} } catch {}
            }
            await group.next()
            group.cancelAll()
        }
        continuation.finish()
        stream.reset()
        await router.closed(to: peer, by: number)
    }

    private func write(_ frames: AsyncStream<[UInt8]>, to stream: P2PStream) async {
        // The frame itself is gone before the write begins: a peer that does not read holds one copy of it, not two.
        for await buffer in frames.map({ ByteBuffer(bytes: $0) }) {
            let deadline = stream.deadline(after: writeTimeout, .slow)
            defer { deadline.cancel() }
            do { try await stream.write(buffer) } catch { return }
            await router.wrote(to: peer, by: number)
        }
    }
}

/// Reads the stream a peer opened; never writes to it, since go-libp2p takes a byte or an end from us for our death.
enum PubSubInbound {
    static func run(_ stream: P2PStream, for router: PubSubRouter, maximumFrameBytes: Int) async {
        let peer = stream.remotePeer
        guard let number = await router.accept(stream) else { return stream.reset() }
        var reader = GossipFrameReader(maximumFrameBytes: maximumFrameBytes)
        do {
            while let bytes = try await stream.read() {
                reader.append(bytes.readableBytesView)
                while let frame = try reader.next() {
                    guard await router.received(frame, from: peer, on: number) else { return stream.reset() }
                }
                let held = reader.heldBytes
                guard held > 0 else { continue }
                guard await router.frameBegun(held, from: peer, on: number) else { return stream.reset() }
            }
            await stream.close()
        } catch {
            stream.reset(code: error is GossipFrameError ? YamuxCode.streamViolation : 0)
        }
        await router.inboundEnded(peer, number)
    }
}
