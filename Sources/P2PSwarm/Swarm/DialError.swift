public import P2PCore
public import PeerIdentity

/// Why a peer could not be reached: every address and what came back.
public struct DialError: Error, Sendable, CustomStringConvertible {
    /// The kinds of outcome.
    public enum Kind: Sendable, Hashable, CustomStringConvertible {
        /// No address of the peer is known.
        case noAddresses
        /// Every address failed.
        case allFailed
        /// The caller's time was up; the dial may go on for others.
        case timedOut
        /// One of our own limits.
        case limit(LimitExceeded)
        /// The peer is ourselves.
        case selfDial
        /// We refuse this peer, see `Swarm.refuse`.
        case refused
        /// The node is not running.
        case stopped

        /// For people and logs.
        public var description: String {
            switch self {
            case .noAddresses: "no address known; add one, or wait until the peer is discovered"
            case .allFailed: "every address failed"
            case .timedOut: "not connected in the time that the caller had"
            case .limit(let exceeded): "\(exceeded)"
            case .selfDial: "that is our own id"
            case .refused: "this peer is refused here"
            case .stopped: "the node is not running"
            }
        }
    }

    /// What happened.
    public let kind: Kind
    /// Whom we wanted.
    public let peer: PeerID
    /// What was tried until now.
    public let attempts: [DialAttempt]

    /// All three.
    public init(_ kind: Kind, peer: PeerID, attempts: [DialAttempt] = []) {
        self.kind = kind
        self.peer = peer
        self.attempts = attempts
    }

    /// For people and logs: what happened, with whom, and what came back from each address.
    public var description: String {
        self.attempts.reduce("\(self.kind) (peer \(self.peer))") { "\($0); \($1)" }
    }
}
