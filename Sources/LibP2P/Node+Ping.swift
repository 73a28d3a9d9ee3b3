import NIOCore
import P2PSwarm

extension Node {
    /// Measures the round trip to a peer: 32 bytes there and back on a stream of their own; connects if needed.
    ///
    /// - Parameter timeout: for all of it, the dial included.
    /// - Returns: the time from the write of the bytes to their return; what came before is not in it.
    /// - Throws: `P2PError`, among them `.timedOut`, and `.protocolViolation` if other bytes came back; `CancellationError`.
    public func ping(_ peer: PeerID, timeout: Duration = .seconds(10)) async throws -> Duration {
        var options = StreamOptions()
        options.timeout = timeout
        options.negotiation = .eager
        options.allowsLimitedConnection = true
        let begun = MonotonicInstant.now()
        let stream = try await self.openStream(to: peer, protocols: [Ping.protocolID], options: options)
        let deadline = stream.deadline(after: timeout - begun.duration(to: .now()), .idle)
        defer { deadline.cancel() }
        do {
            var generator = SystemRandomNumberGenerator()
            var probe = PingProbe(using: &generator)
            let started = MonotonicInstant.now()
            try await stream.write(ByteBuffer(bytes: probe.payload))
            while true {
                guard let bytes = try await stream.read() else {
                    throw P2PError(.endOfStream, "closed before the ping came back", peer: peer)
                }
                switch probe.answered(bytes.readableBytesView) {
                case false: continue
                case true:
                    let time = started.duration(to: .now())
                    await stream.close()
                    return time
                case nil: throw P2PError(.protocolViolation, "other bytes than sent came back", peer: peer)
                }
            }
        } catch {
            stream.reset()
            if deadline.hasFired { throw P2PError(.timedOut, "no answer within \(timeout)", peer: peer) }
            throw error
        }
    }

    func registerPing() {
        var limits = HandlerLimits(streams: 4_096, streamsPerPeer: Ping.inboundStreamsPerPeer)
        limits.allowsLimitedConnection = true
        limits.runsOnEventLoop = true
        let patience = self.configuration.limits.pingIdleTimeout
        self.setHandler(for: Ping.protocolID, limits: limits) { stream in
            var responder = PingResponder(now: .now())
            do {
                while true {
                    let idle = stream.deadline(after: patience, .idle)
                    defer { idle.cancel() }
                    guard let bytes = try await stream.read() else { break }
                    switch responder.received(bytes.readableBytesView, now: .now()) {
                    case nil: continue
                    case .echo(let echo): try await stream.write(ByteBuffer(bytes: echo))
                    case .reset: return stream.reset(code: YamuxCode.streamRateLimited)
                    }
                }
                await stream.close()
            } catch {
                // Idle, reset by the peer, or the connection is gone.
                stream.reset()
            }
        }
    }
}
