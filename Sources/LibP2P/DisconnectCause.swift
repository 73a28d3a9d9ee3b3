import P2PSwarm

/// Why a connection ended.
public enum DisconnectCause: Sendable, Hashable, CustomStringConvertible {
    /// We closed it: `Node.disconnect`, `Node.refuse` or `Node.stop`.
    case closed
    /// We closed it because there were too many, see `Node.Configuration.trimming`.
    case trimmed
    /// We closed it because another connection with the same peer is the better one.
    case supplanted
    /// The peer closed it, with this code of its go-away; nil if it went without a word.
    ///
    /// 0 is an ordinary end, 0x1004 for another connection, 0x1005 for too many of them. Source: libp2p specs PR 623.
    case closedByPeer(code: UInt32?)
    /// Nothing came from the peer, or it took nothing, for the time that is allowed.
    case silent
    /// The peer broke the rules of the muxer or of the encryption; how, in a few words.
    case violation(String)
    /// The network ended it; the system's words.
    case failed(String)

    init(_ reason: CloseReason) {
        switch reason {
        case .local(ConnectionCode.garbageCollected): self = .trimmed
        case .local(ConnectionCode.supplanted): self = .supplanted
        case .local: self = .closed
        case .remote(let code): self = .closedByPeer(code: code)
        case .closedByPeer: self = .closedByPeer(code: nil)
        case .yamux(.keepAliveTimedOut), .yamux(.writeTimedOut): self = .silent
        case .yamux(let error): self = .violation(brief("\(error)"))
        case .noise(let error): self = .violation(brief("\(error)"))
        case .controlFlood: self = .violation("it made us owe it too many control frames")
        case .pipe(let text): self = .failed(brief(text))
        }
    }

    /// For people and logs.
    public var description: String {
        switch self {
        case .closed: "closed by us"
        case .trimmed: "closed by us: too many connections"
        case .supplanted: "closed by us: another connection with the peer is the better one"
        case .closedByPeer(nil): "closed by the peer without a word"
        case .closedByPeer(let code?): "closed by the peer\(ConnectionCode.words(for: code))"
        case .silent: "the peer was silent for too long"
        case .violation(let how): "the peer broke the rules: \(how)"
        case .failed(let text): "the network ended it: \(text)"
        }
    }
}
