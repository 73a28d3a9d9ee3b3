public import GoopCore

/// How the viewer listens, and its limits.
public struct ViewerConfiguration: Sendable {
    /// From `viewer.http_addr`.
    public var address: ViewerAddress
    /// The port chosen at an earlier start; tried first when `address` is automatic.
    public var rememberedPort: Int?
    /// For other machines; nil: nobody beyond loopback.
    public var outer: OuterDoorConfiguration?
    /// What starts this peer in a terminal; the pages on this computer say it while nothing answers them. Nil: they do not.
    public var startCommand: String?
    /// Called once both sockets listen, before the first request is answered; the place to remember the port and to
    /// print the address.
    public var onListening: @Sendable (ViewerEndpoint) async -> Void
    /// Open connections at once, event streams included; one more is answered with 503 and closed.
    public var maximumConnections = 256
    /// Event streams at once; one more is answered with 503. One that tells of several tables counts as one for each.
    public var maximumEventStreams = 64
    /// An idle connection, or one that does not finish sending its request, is closed after this time.
    public var idleTimeout: Duration = .seconds(30)
    /// A connection whose other end reads nothing is closed after this time.
    public var stalledWriteTimeout: Duration = .seconds(120)
    /// A comment line is sent to every event stream this often, so that both ends notice a dead connection.
    public var heartbeat: Duration = .seconds(15)
    /// From the request to the first byte of a site's answer.
    public var siteAnswerTimeout: Duration = .milliseconds(4800)
    /// The longest pause within a site's answer.
    public var siteStallTimeout: Duration = .seconds(20)
    /// From a data request to the owner's answer.
    public var dataAnswerTimeout: Duration = .seconds(15)
    /// Before one of a page's tables whose watch has ended is watched again: at first, doubled with each watch that does not
    /// last, and at most.
    public var watchPauses: ClosedRange<Duration> = .seconds(1) ... .seconds(60)
    /// How long the failure to reach a peer is answered from memory, unless news of the peer arrives.
    public var failureMemory: Duration = .seconds(5)
    /// Sites are not told of peers that are offline and were last heard of longer ago: what the peer's list grants whoever left.
    public var offlineGrace: Duration = .seconds(15 * 60)
    /// Requests in progress may take this long after a shutdown began.
    public var shutdownGrace: Duration = .milliseconds(1500)

    /// Makes a configuration with the default limits.
    public init(
        address: ViewerAddress = .automatic, rememberedPort: Int? = nil,
        onListening: @escaping @Sendable (ViewerEndpoint) async -> Void = { _ in }
    ) {
        self.address = address
        self.rememberedPort = rememberedPort
        self.onListening = onListening
    }
}

/// Where a running viewer is found.
public struct ViewerEndpoint: Sendable, Hashable {
    /// A port that the viewer would have taken, and that another program has.
    public struct TakenPort: Sendable, Hashable {
        /// The port.
        public var port: Int
        /// Who has it, where the system lets us see that: a name and a process.
        public var holder: String?
    }

    /// The port on 127.0.0.1 and ::1.
    public var port: Int
    /// The port of the outer door; nil if there is none.
    public var outerPort: Int?
    /// The port that would have come first, if it was not free: bookmarks and links to it lead to somebody else.
    public var instead: TakenPort?
    /// What to type into a browser of another machine; one for each name.
    public var outerURLs: [String] = []
    /// What to type into a browser.
    public var url: String { "http://127.0.0.1:\(port)/" }
}
