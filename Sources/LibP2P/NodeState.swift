import NIOCore
import P2PSwarm

/// A node's own tables, under one short lock.
struct NodeState {
    /// A registered protocol.
    struct Handler: Sendable {
        let number: UInt64
        let limits: HandlerLimits
        let body: Body

        enum Body: Sendable {
            case task(@Sendable (P2PStream) async -> Void)
            /// On the event loop of the stream's connection; returns at once.
            case call(@Sendable (P2PStream) -> Void)
        }
    }

    /// A question that was not answered, and the timer for the next.
    struct PendingIdentify {
        var retry: IdentifyRetry
        var timer: Scheduled<Void>?
    }

    enum Phase { case idle, running, stopping, stopped }

    var phase = Phase.idle
    var handlers: [ProtocolID: Handler] = [:]
    /// The names of `handlers`, kept for negotiations.
    var supported: Set<ProtocolID> = []
    /// What connected peers said of themselves.
    var identified: [PeerID: IdentifyInfo] = [:]
    /// Connections whose peer did not answer identify and is asked again, by number. They go when the connection does.
    var identifyRetries: [UInt64: PendingIdentify] = [:]
    var subscribers: [UInt64: AsyncStream<NodeEvent>.Continuation] = [:]
    var droppedEvents = 0
    var pace: EventPace
    var pushes: IdentifyPushSchedule
    var pushTimer: UInt64 = 0
    /// How often each connected peer has pushed lately.
    var pushAllowances: [PeerID: TokenBucket] = [:]
    var shutdownHooks: [@Sendable () async -> Void] = []
    /// Addresses to tell peers, all of them; what a single peer is told depends on where it is.
    var announced: [Multiaddr] = []
    /// Which look at the machine's addresses `announced` is from.
    var announcedByLook: UInt64 = 0
    /// How peers see us.
    var observed = ObservedAddresses()
    /// Sequence number of the signed records of `announced`: one for each change, over restarts too, and the same for all lists
    /// that are made of it.
    var recordSequence = WallClock.nanoseconds()
    /// Sealed records for the address lists in use; two at most in practice: with and without loopback.
    var sealedRecords: [[Multiaddr]: [UInt8]] = [:]
    var nextNumber: UInt64 = 1

    init(limits: ResourceLimits) {
        self.pushes = IdentifyPushSchedule(
            delay: limits.identify.pushDelay, concurrent: limits.identify.concurrentPushes)
        self.pace = EventPace(limits: limits)
    }

    mutating func takeNumber() -> UInt64 {
        defer { self.nextNumber &+= 1 }
        return self.nextNumber
    }
}
