import P2PSwarm

/// What went wrong between us and a peer: a code, a sentence, and, if a peer was to be reached, every address that was tried
/// and what came back.
public struct P2PError: Error, Sendable, CustomStringConvertible {
    /// The kind of error. An open set: new codes may appear.
    public struct Code: Sendable, Hashable, CustomStringConvertible {
        /// The code's name, stable.
        public let description: String

        private init(_ name: String) { self.description = name }

        /// An address does not end in `/p2p/` and a peer's id, where it has to say whose it is.
        public static let invalidAddress = Code("invalidAddress")
        /// No address of the peer is known. Next step: `Node.addAddresses`, or wait for discovery.
        public static let noAddresses = Code("noAddresses")
        /// Every address of the peer failed; see `attempts`.
        public static let unreachable = Code("unreachable")
        /// The peer is not connected, and the caller wants no dial. Next step: `Node.connect`, or wait for `NodeEvent.connected`.
        public static let notConnected = Code("notConnected")
        /// The caller's time was up.
        public static let timedOut = Code("timedOut")
        /// The peer speaks none of the protocols asked for.
        public static let protocolNotSupported = Code("protocolNotSupported")
        /// The peer broke the rules of a protocol.
        public static let protocolViolation = Code("protocolViolation")
        /// The peer reset the stream.
        public static let streamReset = Code("streamReset")
        /// The stream, or our end of it, is closed already.
        public static let streamClosed = Code("streamClosed")
        /// Another read, or another write, of the same stream is under way: each direction has one user at a time.
        public static let streamBusy = Code("streamBusy")
        /// The stream ended before what was to be read.
        public static let endOfStream = Code("endOfStream")
        /// What was to be read is longer than the caller allows.
        public static let tooLong = Code("tooLong")
        /// The connection with the peer ended.
        public static let connectionClosed = Code("connectionClosed")
        /// One of our own limits; the message names it.
        public static let limitReached = Code("limitReached")
        /// The peer is ourselves.
        public static let selfDial = Code("selfDial")
        /// We refuse this peer, see `Node.refuse`.
        public static let refusedPeer = Code("refusedPeer")
        /// The node is not running.
        public static let notRunning = Code("notRunning")
        /// The node has been started before.
        public static let alreadyStarted = Code("alreadyStarted")
        /// An address could not be listened on.
        public static let listenFailed = Code("listenFailed")
    }

    /// The kind of error.
    public let code: Code
    /// What happened, with the facts.
    public let message: String
    /// What caused it, if that was another error.
    public let cause: (any Error)?
    /// The peer concerned.
    public let peer: PeerID?
    /// Every address that was tried or considered, and what came back.
    public let attempts: [DialAttempt]

    /// An error with its facts.
    public init(
        _ code: Code, _ message: String, cause: (any Error)? = nil, peer: PeerID? = nil, attempts: [DialAttempt] = []
    ) {
        self.code = code
        self.message = message
        self.cause = cause
        self.peer = peer
        self.attempts = attempts
    }

    /// The code with which a stream was reset, of `.streamReset`: libp2p's own codes are 0x1001 to 0x1009.
    public var resetCode: UInt32? {
        if case StreamError.reset(let number, _)? = self.cause { number } else { nil }
    }

    /// For people and logs.
    public var description: String {
        var text = "\(self.code): \(self.message)"
        if let peer { text += " (peer \(peer))" }
        for attempt in self.attempts { text += "; \(attempt)" }
        // The cause of a failed dial is made of the same facts, and that of an ended stream often has the same words.
        if let cause, !(cause is DialError), "\(cause)" != self.message { text += "; cause: \(cause)" }
        return text
    }
}
