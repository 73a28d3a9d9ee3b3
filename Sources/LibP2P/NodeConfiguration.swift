extension Node {
    /// What a node needs to know.
    public struct Configuration: Sendable {
        /// Which addresses peers are told to find us at.
        public enum AnnouncePolicy: Sendable, Hashable {
            /// Those we listen on, wildcards replaced by the machine's addresses, loopback only to peers on loopback.
            case automatic
            /// The automatic ones and these.
            case adding([Multiaddr])
            /// These and no others.
            case only([Multiaddr])
        }

        /// Our identity. Whoever wants to be the same peer next time keeps `PrivateKey.protobuf` where nobody else reads it.
        public var identity: PrivateKey
        /// Where to listen, for instance `/ip4/0.0.0.0/tcp/0`; empty for a node that only dials.
        public var listen: [Multiaddr]
        /// Told to peers: `name/version`.
        public var agentVersion: String
        /// Told to peers; free text that nobody must compare.
        public var protocolVersion = "ipfs/0.1.0"
        /// Which addresses peers are told.
        public var announce = AnnouncePolicy.automatic
        /// The figures that bound what strangers can make us spend; for a machine of this size, if nothing else is said.
        public var limits = ResourceLimits.ofThisMachine
        /// Security protocols, most wanted first.
        public var security: [ProtocolID] = Node.supportedSecurity
        /// When to close connections because there are too many; nil for never.
        public var trimming: ConnectionTrimming.Configuration? = .init()
        /// Whether pings are answered.
        public var answersPings = true
        /// Makes what hears of every frame of a connection, for a capture; nil for nothing, which costs nothing.
        public var frameObserver: YamuxFrameObserverFactory?
        /// The machine's addresses, for wildcards; asked again at `Node.interfacesChanged`. Nil: the system is asked, and its
        /// changes are watched.
        public var interfaceAddresses: (@Sendable () -> [IPAddress])?

        /// Everything but identity, listen addresses and agent is left at its default.
        public init(
            identity: PrivateKey, listen: [Multiaddr] = [], agentVersion: String = "swift-libp2p-goop/1"
        ) {
            self.identity = identity
            self.listen = listen
            self.agentVersion = agentVersion
        }
    }

    /// Security protocols this build offers.
    public static let supportedSecurity: [ProtocolID] = ["/noise", "/tls/1.0.0"]
}
