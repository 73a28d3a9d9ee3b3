public import Multiformats
import NIOCore
public import P2PCore
public import PeerIdentity

/// What a swarm needs to know.
public struct SwarmConfiguration: Sendable {
    /// Our identity.
    public var identity: PrivateKey
    /// Security protocols, most wanted first.
    public var security: [ProtocolID]
    /// Muxers, most wanted first.
    public var muxers: [ProtocolID]
    /// The figures.
    public var limits: ResourceLimits
    /// When to close connections because there are too many; nil for never.
    public var trimming: ConnectionTrimming.Configuration?
    /// A redundant connection of a simultaneous dial is closed when it is older than this and carries nothing.
    public var redundantConnectionSettle: Duration = .seconds(15)
    /// The TLS layer; needed when `security` offers TLS.
    public var tls: (any TLSProvider)?
    /// Makes what hears of every frame of a connection; nil for nothing, which costs nothing.
    public var frameObserver: YamuxFrameObserverFactory?
    /// Dial from the listening port where possible.
    public var reusesListeningPort = true
    /// Looks names up.
    var names = NameResolver.shared

    /// Noise and yamux under default figures.
    public init(
        identity: PrivateKey, security: [ProtocolID], muxers: [ProtocolID] = ["/yamux/1.0.0"],
        limits: ResourceLimits = ResourceLimits(), trimming: ConnectionTrimming.Configuration? = .init()
    ) {
        self.identity = identity
        self.security = security
        self.muxers = muxers
        self.limits = limits
        self.trimming = trimming
    }
}

/// What a swarm tells its owner. Called on event loops: to be brief, and never to block.
public struct SwarmCallbacks: Sendable {
    /// A connection is usable; called before any of its inbound streams is delivered.
    public var connected: @Sendable (SwarmConnection) -> Void
    /// A connection has ended; `isLast` if the peer had no other at that moment. Each connection tells on its own event loop, so a
    /// new one of the same peer may have told before.
    public var disconnected: @Sendable (SwarmConnection, _ isLast: Bool, CloseReason) -> Void
    /// The peer opened a stream; its reservation, which a protocol can be assigned to, ends with it.
    public var inboundStream: @Sendable (MuxedStream, SwarmConnection, ResourceLedger.StreamSlot) -> Void

    /// A dial that had begun has come to nothing, and somebody still wanted it or had run out of patience. Once for each dial.
    public var dialFailed: @Sendable (DialError) -> Void
    /// Whoever connected from there was not let in, or did not get through the handshake: a `LimitExceeded`, a `DialError`, or what
    /// went wrong. The peer, if that is known.
    public var connectionRefused: @Sendable (Multiaddr, PeerID?, any Error) -> Void
    /// A limit refused something. As often as that happens, and on any thread.
    public var limitReached: @Sendable (LimitExceeded) -> Void

    /// All of them.
    public init(
        connected: @escaping @Sendable (SwarmConnection) -> Void,
        disconnected: @escaping @Sendable (SwarmConnection, Bool, CloseReason) -> Void,
        inboundStream: @escaping @Sendable (MuxedStream, SwarmConnection, ResourceLedger.StreamSlot) -> Void,
        dialFailed: @escaping @Sendable (DialError) -> Void = { _ in },
        connectionRefused: @escaping @Sendable (Multiaddr, PeerID?, any Error) -> Void = { _, _, _ in },
        limitReached: @escaping @Sendable (LimitExceeded) -> Void = { _ in }
    ) {
        self.connected = connected
        self.disconnected = disconnected
        self.inboundStream = inboundStream
        self.dialFailed = dialFailed
        self.connectionRefused = connectionRefused
        self.limitReached = limitReached
    }
}

/// What a go-away says, so that the peer knows whether to come back.
///
/// Source: libp2p specs PR 623, connection error codes.
public enum ConnectionCode {
    /// An ordinary end.
    public static let normal: UInt32 = 0
    /// A limit of ours was hit.
    public static let resourceLimit: UInt32 = 0x1001
    /// Another connection with the same peer is preferred.
    public static let supplanted: UInt32 = 0x1004
    /// There are too many connections.
    public static let garbageCollected: UInt32 = 0x1005

    /// What to say behind "closed by us" or "closed by the peer"; nothing for an ordinary end.
    package static func words(for code: UInt32) -> String {
        let number = ", code 0x\(String(code, radix: 16))"
        return switch code {
        case Self.normal: ""
        case YamuxCode.protocolError: "\(number): a rule of the muxer was broken"
        case YamuxCode.internalError: "\(number): a failure on the side that closed"
        case Self.resourceLimit: "\(number): a limit was reached"
        case Self.supplanted: "\(number): another connection of the two is the better one"
        case Self.garbageCollected: "\(number): there were too many connections"
        default: number
        }
    }
}

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

extension MonotonicInstant {
    /// The present, on the clock of NIO's deadlines.
    public static func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: NIODeadline.now().uptimeNanoseconds) }
}
