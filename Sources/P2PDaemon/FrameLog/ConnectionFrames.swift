import P2PCore
import PeerIdentity

/// Writes the frames of one connection to the frame log. On the connection's event loop.
///
/// Fields of a frame: `ms` since the log's start, `conn`, `peer`, `dir` (`in`, `out`), `type` (`data`, `window`, `ping`,
/// `goaway`), `flags`, `stream`, `length` (by type: payload bytes, credit, the ping's value, the code). Behind the frames that
/// carry them: `tokens`, the lines of the stream's negotiation that this direction brought, and `bytes`, how many bytes they
/// take; and for identify and its push `message`, the size that the message announces, its length's own bytes included.
final class ConnectionFrames: YamuxFrameObserver {
    /// Streams whose negotiation is followed at the same time; of those beyond it only frames are told.
    static let maximumNegotiations = 1024

    private let log: FrameLog
    private let head: String
    private var negotiations: [UInt32: StreamNegotiation] = [:]
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
        } else if header.flags.contains(.fin) {
            self.negotiations[header.streamID]?
                .finishes(isSent: isSent, after: header.kind == .data ? Int(header.length) : 0)
            self.forgetIfOver(header.streamID)
        }
    }

    private func payload(_ payload: UnsafeRawBufferPointer, _ stream: UInt32, isSent: Bool) {
        guard let found = self.negotiations[stream]?.take(payload, isSent: isSent) else { return }
        if !found.tokens.isEmpty {
            let tokens = found.tokens.map { "\"\($0)\"" }.joined(separator: ",")
            self.log.append(self.line(isSent) + ",\"stream\":\(stream),\"tokens\":[\(tokens)],\"bytes\":\(found.bytes)")
        }
        if let message = found.message {
            self.log.append(self.line(isSent) + ",\"stream\":\(stream),\"message\":\(message)")
        }
        self.forgetIfOver(stream)
    }

    private func forgetIfOver(_ stream: UInt32) {
        if self.negotiations[stream]?.isOver == true { self.negotiations[stream] = nil }
    }

    private func line(_ isSent: Bool) -> String { "\(self.head),\"dir\":\"\(isSent ? "out" : "in")\"" }

    private static func names(_ flags: YamuxHeader.Flags) -> String {
        let all: [(YamuxHeader.Flags, String)] = [(.syn, "syn"), (.ack, "ack"), (.fin, "fin"), (.rst, "rst")]
        return all.filter { flags.contains($0.0) }.map { "\"\($0.1)\"" }.joined(separator: ",")
    }
}
