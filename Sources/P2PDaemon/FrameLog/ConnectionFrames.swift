import P2PCore
import PeerIdentity

/// Writes the frames of one connection to the frame log. On the connection's event loop.
///
/// Fields of a frame: `ms` since the log's start, `conn`, `peer`, `dir` (`in`, `out`), `type` (`data`, `window`, `ping`,
/// `goaway`), `flags`, `stream`, `length` (by type: payload bytes, credit, the ping's value, the code). Behind the frames that
/// carry them: `tokens`, the lines of the stream's negotiation that this direction brought, and `bytes`, how many bytes they
/// take; for identify and its push `message`, the size that the message announces, its length's own bytes included; and for
/// each RPC of a pubsub stream the fields of `GossipReading`, behind the frame that brought its end.
final class ConnectionFrames: YamuxFrameObserver {
    /// Streams whose negotiation is followed at the same time; of those beyond it only frames are told.
    static let maximumNegotiations = 1024
    /// Pubsub streams whose RPCs are told at the same time: one in each direction, and those that replace them.
    static let maximumGossipStreams = 4

    /// The direction of a pubsub stream that carries RPCs.
    private struct Gossip {
        let isSent: Bool
        var hasBegun = false
        /// Payload that is still to come, once the last frame is known.
        var remaining: Int?
        var reading = GossipReading()
    }

    private let log: FrameLog
    private let head: String
    private var negotiations: [UInt32: StreamNegotiation] = [:]
    private var gossip: [UInt32: Gossip] = [:]
    /// The streams of the last data frames.
    private var lastReceived: UInt32 = 0
    private var lastSent: UInt32 = 0

    init(peer: PeerID, log: FrameLog) {
        self.log = log
        self.head = "\"conn\":\(log.takeConnectionNumber()),\"peer\":\"\(peer)\""
    }

    func received(_ header: YamuxHeader) { self.frame(header, isSent: false) }
    func sent(_ header: YamuxHeader) { self.frame(header, isSent: true) }
    func received(_ payload: UnsafeRawBufferPointer) { self.payload(payload, self.lastReceived, isSent: false) }
    func sent(_ payload: UnsafeRawBufferPointer) { self.payload(payload, self.lastSent, isSent: true) }

    private func frame(_ header: YamuxHeader, isSent: Bool) {
        let type =
            switch header.kind {
            case .data: "data"
            case .windowUpdate: "window"
            case .ping: "ping"
            case .goAway: "goaway"
            }
        self.log.append(
            self.line(isSent)
                + ",\"type\":\"\(type)\",\"flags\":[\(Self.names(header.flags))],"
                + "\"stream\":\(header.streamID),\"length\":\(header.length)")
        if header.kind == .data {
            if isSent { self.lastSent = header.streamID } else { self.lastReceived = header.streamID }
        }
        guard header.kind == .data || header.kind == .windowUpdate else { return }
        if header.flags.contains(.syn), self.negotiations.count < Self.maximumNegotiations {
            self.negotiations[header.streamID] = StreamNegotiation(isOurs: isSent)
        }
        if header.flags.contains(.rst) {
            self.negotiations[header.streamID] = nil
            self.gossip[header.streamID] = nil
        } else if header.flags.contains(.fin) {
            let last = header.kind == .data ? Int(header.length) : 0
            self.negotiations[header.streamID]?.finishes(isSent: isSent, after: last)
            if self.gossip[header.streamID]?.isSent == isSent {
                self.gossip[header.streamID]?.remaining = last
            }
            self.forgetIfOver(header.streamID)
        }
    }

    private func payload(_ payload: UnsafeRawBufferPointer, _ stream: UInt32, isSent: Bool) {
        let found = self.negotiations[stream]?.take(payload, isSent: isSent) ?? .init()
        if !found.tokens.isEmpty {
            let tokens = found.tokens.map { "\"\($0)\"" }.joined(separator: ",")
            self.log.append(self.line(isSent) + ",\"stream\":\(stream),\"tokens\":[\(tokens)],\"bytes\":\(found.bytes)")
        }
        if let message = found.message {
            self.log.append(self.line(isSent) + ",\"stream\":\(stream),\"message\":\(message)")
        }
        self.expectGossip(found.tokens, stream, isSent: isSent)
        self.tellGossip(payload, from: found.begins, stream, isSent: isSent)
        self.forgetIfOver(stream)
    }

    /// Of a stream whose opener proposes a pubsub protocol RPCs are expected, until that is refused.
    private func expectGossip(_ tokens: [String], _ stream: UInt32, isSent: Bool) {
        let isOpener = self.negotiations[stream]?.isOurs == isSent
        for token in tokens {
            if token == "na" {
                self.gossip[stream] = nil
            } else if token.hasPrefix("/meshsub/") || token.hasPrefix("/floodsub/") {
                if !isOpener {
                    self.gossip[stream]?.hasBegun = true
                } else if self.gossip[stream] == nil, self.gossip.count < Self.maximumGossipStreams {
                    self.gossip[stream] = Gossip(isSent: isSent)
                }
            }
        }
    }

    private func tellGossip(_ payload: UnsafeRawBufferPointer, from begin: Int?, _ stream: UInt32, isSent: Bool) {
        guard let gossip = self.gossip[stream], gossip.isSent == isSent else { return }
        if gossip.hasBegun || begin != nil {
            self.gossip[stream]?.hasBegun = true
            for fields in self.gossip[stream]?.reading.take(payload[(begin ?? 0)...]) ?? [] {
                self.log.append(self.line(isSent) + ",\"stream\":\(stream),\(fields)")
            }
        }
        if let remaining = gossip.remaining { self.gossip[stream]?.remaining = remaining - payload.count }
    }

    private func forgetIfOver(_ stream: UInt32) {
        if self.negotiations[stream]?.isOver == true { self.negotiations[stream] = nil }
        if let remaining = self.gossip[stream]?.remaining, remaining <= 0 { self.gossip[stream] = nil }
    }

    private func line(_ isSent: Bool) -> String { "\(self.head),\"dir\":\"\(isSent ? "out" : "in")\"" }

    private static func names(_ flags: YamuxHeader.Flags) -> String {
        let all: [(YamuxHeader.Flags, String)] = [(.syn, "syn"), (.ack, "ack"), (.fin, "fin"), (.rst, "rst")]
        return all.filter { flags.contains($0.0) }.map { "\"\($0.1)\"" }.joined(separator: ",")
    }
}
