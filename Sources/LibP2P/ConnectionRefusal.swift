import P2PSwarm

/// Why somebody who wanted to connect was not let in.
public enum ConnectionRefusal: Sendable, Hashable, CustomStringConvertible {
    /// A limit of ours, before anything was spent on the connection or once its peer was known.
    case limit(LimitExceeded)
    /// We refuse this peer, see `Node.refuse`.
    case refusedPeer
    /// It has our own identity.
    case ourselves
    /// Nothing came of the handshake, or it took too long; how, in a few words that may be the stranger's.
    case handshake(String)

    /// Nil if it was refused because the node stops.
    init?(_ error: any Error) {
        switch error {
        case let exceeded as LimitExceeded: self = .limit(exceeded)
        case let error as DialError:
            switch error.kind {
            case .refused: self = .refusedPeer
            case .selfDial: self = .ourselves
            default: return nil
            }
        default: self = .handshake(brief("\(error)"))
        }
    }

    /// For people and logs.
    public var description: String {
        switch self {
        case .limit(let exceeded): "\(exceeded)"
        case .refusedPeer: "the peer is refused here"
        case .ourselves: "it has our own identity"
        case .handshake(let how): "the handshake failed: \(how)"
        }
    }
}
