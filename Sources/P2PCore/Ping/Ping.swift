/// The ping protocol: 32 random bytes there and back, as often as one likes, on one stream.
///
/// Source: libp2p specs, ping, r1.
public enum Ping {
    /// The protocol's name.
    public static let protocolID: ProtocolID = "/ipfs/ping/1.0.0"
    /// Bytes of one ping.
    public static let size = 32
    /// Inbound ping streams that one peer may have open.
    public static let inboundStreamsPerPeer = 2
}

/// The answering side of ping: echoes whole blocks of 32 bytes, within a rate.
///
/// Holds at most one block. Past `maximumPerSecond` pings on one stream, the stream is to be reset.
public struct PingResponder: Sendable {
    /// What a call asks for.
    public enum Action: Sendable, Equatable {
        /// Send these bytes.
        case echo([UInt8])
        /// Reset the stream: too many pings.
        case reset
    }

    private let maximumPerSecond: Int
    private var block: [UInt8] = []
    /// A window that begins anew, not a `TokenBucket`: one read may bring many pings, which are echoed all or none.
    private var windowStart: MonotonicInstant
    private var inWindow = 0

    /// A responder that has seen nothing.
    public init(maximumPerSecond: Int = 1_000, now: MonotonicInstant) {
        self.maximumPerSecond = max(1, maximumPerSecond)
        self.windowStart = now
    }

    /// Takes bytes, cut anywhere; at most 64 KiB a call are expected.
    public mutating func received(_ bytes: some Collection<UInt8>, now: MonotonicInstant) -> Action? {
        self.block.append(contentsOf: bytes)
        let whole = self.block.count / Ping.size
        guard whole > 0 else { return nil }
        if self.windowStart.advanced(by: .seconds(1)) <= now {
            self.windowStart = now
            self.inWindow = 0
        }
        self.inWindow += whole
        guard self.inWindow <= self.maximumPerSecond else { return .reset }
        let echo = Array(self.block.prefix(whole * Ping.size))
        self.block.removeFirst(echo.count)
        return .echo(echo)
    }
}

/// The asking side of one ping: compares what comes back.
public struct PingProbe: Sendable {
    /// The bytes to send.
    public let payload: [UInt8]
    private var received = 0

    /// A probe with bytes from `generator`.
    public init(using generator: inout some RandomNumberGenerator) {
        self.payload = (0..<Ping.size).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// Takes bytes of the answer: true when it is complete, false when more must come, nil when it is wrong.
    public mutating func answered(_ bytes: some Collection<UInt8>) -> Bool? {
        guard self.received + bytes.count <= self.payload.count else { return nil }
        guard self.payload[self.received...].starts(with: bytes) else { return nil }
        self.received += bytes.count
        return self.received == self.payload.count
    }
}
