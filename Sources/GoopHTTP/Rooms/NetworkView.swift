/// What the Network room shows.
public protocol NetworkView: Sendable {
    /// Addresses, connections and traffic limits as they are now.
    func network() async -> NetworkPicture
    /// What happened lately, oldest first; at most a few hundred lines.
    func log() async -> [NetworkLine]
}

/// How this peer is connected.
public struct NetworkPicture: Sendable, Hashable, Encodable {
    /// One connection.
    public struct Connection: Sendable, Hashable, Encodable {
        /// The other peer.
        public var peer: String
        /// What its owner calls it, or its label; may be empty.
        public var name: String
        /// `inbound` or `outbound`.
        public var direction: String
        /// The other end.
        public var address: String
        /// `loopback`, `lan`, `internet` or `relay`.
        public var path: String
        /// The security protocol.
        public var security: String

        /// All of it.
        public init(
            peer: String, name: String, direction: String, address: String, path: String, security: String
        ) {
            self.peer = peer
            self.name = name
            self.direction = direction
            self.address = address
            self.path = path
            self.security = security
        }
    }

    /// The own id.
    public var id: String
    /// The own label.
    public var label: String
    /// Where other peers reach this one.
    public var addresses: [String]
    /// Sorted by name.
    public var connections: [Connection]
    /// Streams in use.
    public var streams: Int
    /// Seconds since the start.
    public var uptimeSeconds: Int

    /// All of it.
    public init(
        id: String, label: String, addresses: [String], connections: [Connection], streams: Int, uptimeSeconds: Int
    ) {
        self.id = id
        self.label = label
        self.addresses = addresses
        self.connections = connections
        self.streams = streams
        self.uptimeSeconds = uptimeSeconds
    }
}

/// One line of the log.
public struct NetworkLine: Sendable, Hashable, Encodable {
    /// Rises by one with each line; never used twice in a run.
    public var number: UInt64
    /// UNIX time in milliseconds.
    public var time: Int64
    /// `connection`, `presence` or `peer`.
    public var kind: String
    /// What happened, for a person; may hold strangers' texts, cut and without control characters.
    public var text: String

    /// All of it.
    public init(number: UInt64, time: Int64, kind: String, text: String) {
        self.number = number
        self.time = time
        self.kind = kind
        self.text = text
    }
}
