import DequeModule
public import NIOCore
public import P2PCore
public import PeerIdentity
public import Multiformats
import Synchronization

/// A secured, multiplexed connection to one peer.
///
/// Lives on one event loop, where bytes go from the pipe to the streams and back without a thread change: sealed frames
/// are opened once, payloads are handed to readers as slices; written bytes are copied once, into the frame in which
/// they are sealed. The pipe is always read; what streams receive and nobody reads is bounded by the windows granted.
/// Everything queued within one turn of the event loop leaves in as few frames as possible: control frames first, then
/// streams in turn, one frame each.
///
/// All methods may be called from anywhere.
public final class MuxedConnection: @unchecked Sendable {
    // `@unchecked`: everything mutable is touched on `eventLoop` only; public methods hop there.

    /// The peer, proved by its handshake.
    public let remotePeer: PeerID
    /// The peer's identity key.
    public let remoteKey: PublicKey
    /// Where the peer is.
    public let remoteAddress: Multiaddr
    /// Our end.
    public let localAddress: Multiaddr
    /// Which side of the upgrade we were.
    public let role: ConnectionRole
    /// The security protocol in use.
    public let security: ProtocolID
    /// The muxer in use.
    public let muxer: ProtocolID
    /// Whether a relay limits the connection.
    public let isLimited: Bool
    /// The loop it lives on.
    public let eventLoop: any EventLoop
    /// Runs tasks on `eventLoop`.
    public let taskExecutor: EventLoopTaskExecutor
    /// Succeeds with the reason when the connection has ended.
    public let closeFuture: EventLoopFuture<CloseReason>

    let configuration: ConnectionConfiguration
    /// Set for good when the connection begins to end or the peer takes no new streams. Read from anywhere.
    let isEnding = Atomic<Bool>(false)
    /// Set by `probe`, until something comes. Read from anywhere.
    let isProbed = Atomic<Bool>(false)
    /// What a stream's writers may leave waiting, in bytes: `streamWriteBuffer`, or nothing while the connection holds more
    /// than it may. Read from anywhere.
    let writeRoom: Atomic<Int>
    /// Hears of every frame, if anything does.
    let frames: (any YamuxFrameObserver)?
    let closePromise: EventLoopPromise<CloseReason>

    enum Life {
        case open
        /// Sending what is queued before the go-away.
        case draining(code: UInt32)
        /// The go-away is out; waiting for the peer's end.
        case halfClosed(CloseReason)
        case closed(CloseReason)
    }

    var life = Life.open
    var pipe: (any BytePipe)?
    var machine: YamuxMachine
    var events: [YamuxMachine.Event] = []
    var isHandlingEvents = false
    /// Why the connection ends once the events in hand are handled.
    var failure: (reason: CloseReason, code: UInt32)?
    var now: MonotonicInstant
    var statistics = ConnectionStatistics()
    var reservedWindowBytes = 0
    /// The last window that asked may not grow.
    private var growthIsRefused = false
    /// Bytes in the inboxes of streams.
    var unreadBytes = 0
    /// Of `ConnectionConfiguration.streamBudget`.
    var reservedStreamBytes = 0
    /// Ours of the two budgets; made when something is reserved, since most connections never have to.
    private(set) lazy var windowShare = self.configuration.windowBudget?.share(
        of: self.remotePeer, at: self.remoteAddress.ipAddress)
    private(set) lazy var streamShare = self.configuration.streamBudget?.share(
        of: self.remotePeer, at: self.remoteAddress.ipAddress)
    /// What the pipe had not sent when last looked at, while it is not writable.
    var unsentBytes = 0

    // Receiving
    var opener: NoiseCipher?
    var incompleteFrame: ByteBuffer?
    var incompleteHeader: [UInt8] = []
    var payloadRemaining = 0
    var payloadStream: StreamState?
    var isReceiving = false
    /// Streams whose observers are to be told of what came.
    var noted: [StreamState] = []
    /// Streams that keep slices of what is being received.
    var keepers: [StreamState] = []

    // Sending
    var sealer: NoiseCipher?
    var control = ByteBuffer()
    var ready: Deque<StreamState> = []
    /// Streams whose bytes wait for others of theirs, and how long; the first is the first to be sent. See `holdBack`.
    var heldBack: Deque<(id: UInt32, until: MonotonicInstant)> = []
    var flushIsScheduled = false
    var isFlushing = false

    // Streams
    var streams: [UInt32: StreamState] = [:]
    var openers: Deque<Opener> = []

    // Time
    var timer: Scheduled<Void>?
    var timerDeadline = MonotonicInstant(nanoseconds: .max)
    var closeTimer: Scheduled<Void>?
    /// Ends what the peer's go-away leaves to its streams.
    var goAwayTimer: Scheduled<Void>?
    /// We close because the peer said go-away.
    var followsGoAway = false

    struct Opener {
        let request: OpenRequest
        let continuation: CheckedContinuation<MuxedStream, any Error>
    }

    /// One caller of `openStream`, so that its cancellation finds it.
    final class OpenRequest: Sendable {
        let isCancelled = Atomic<Bool>(false)
    }

    init(
        pipe: any BytePipe, result: ConnectionUpgrade.Result, role: ConnectionRole, localAddress: Multiaddr,
        remoteAddress: Multiaddr, configuration: ConnectionConfiguration
    ) {
        let loop = pipe.eventLoop
        self.remotePeer = result.peer
        self.remoteKey = result.peerKey
        self.security = result.security
        self.muxer = result.muxer
        self.opener = result.noise?.receiver
        self.sealer = result.noise?.sender
        self.role = role
        self.localAddress = localAddress
        self.remoteAddress = remoteAddress
        self.isLimited = configuration.isLimited
        self.eventLoop = loop
        self.taskExecutor = EventLoopTaskExecutor(loop)
        self.closePromise = loop.makePromise(of: CloseReason.self)
        self.closeFuture = self.closePromise.futureResult
        self.configuration = configuration
        self.writeRoom = Atomic(configuration.streamWriteBuffer)
        self.frames = configuration.frameObserver?(result.peer, role)
        self.pipe = pipe
        self.now = Self.instant(loop)
        self.machine = YamuxMachine(role: role, configuration: configuration.yamux, now: self.now)
    }

    static func instant(_ loop: any EventLoop) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: loop.now.uptimeNanoseconds)
    }

    // MARK: From anywhere

    /// Whether a new stream has a chance: nobody has begun to close the connection or said go-away.
    public var takesStreams: Bool { !self.isEnding.load(ordering: .relaxed) }

    /// Asks the peer for a sign of life now: if nothing comes within `YamuxConfiguration.keepAliveTimeout` (10 s; longer while what
    /// was sent before may still be under way), the connection ends with `keepAliveTimedOut`. A question that is under way already
    /// is the same question.
    func probe() {
        self.isProbed.store(true, ordering: .relaxed)
        self.onLoop { connection in
            guard case .open = connection.life else { return }
            connection.machine.ping(now: connection.tick(), into: &connection.events)
            connection.handleEvents()
            connection.armTimer()
        }
    }

    /// Whether the peer was asked for a sign of life and has given none yet.
    var isInDoubt: Bool { self.isProbed.load(ordering: .relaxed) }

    /// Opens a stream; nothing is negotiated on it, and nothing is sent before its first write or read.
    ///
    /// Waits while 256 streams are not yet acknowledged by the peer. Safe to cancel.
    /// - Throws: `ConnectionError.closed`, `.tooManyOpening`, `.streamsExhausted`; `CancellationError`.
    public nonisolated(nonsending) func openStream() async throws -> MuxedStream {
        if self.eventLoop.inEventLoop, let stream = try self.openNow() { return stream }
        let request = OpenRequest()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                self.onLoop { $0.open(Opener(request: request, continuation: continuation)) }
            }
        } onCancel: {
            request.isCancelled.store(true, ordering: .relaxed)
            self.onLoop { $0.cancelOpening(request) }
        }
    }

    /// Closes in order: refuses new streams, sends what is queued (up to `closeTimeout`), says go-away, ends our
    /// direction, and waits as long again for the peer's end. Streams then fail with `connectionClosed`.
    /// - Parameter code: the go-away code.
    public func close(code: UInt32 = YamuxCode.normal) {
        // At once, so that whoever looks for a connection after this call does not find this one.
        self.isEnding.store(true, ordering: .relaxed)
        self.onLoop { $0.beginClose(code: code) }
    }

    /// Closes at once: nothing more is read or answered, what is queued is lost.
    /// - Parameter code: the go-away code, which the peer hears as far as the socket takes it.
    public func abort(code: UInt32 = YamuxCode.normal) {
        self.onLoop { $0.fail(.local(code: code), code: code) }
        self.isEnding.store(true, ordering: .relaxed)
    }

    /// The counts of now. For tests.
    public func currentStatistics() async -> ConnectionStatistics {
        if self.eventLoop.inEventLoop { return self.statisticsOnLoop() }
        return await withCheckedContinuation { continuation in
            self.onLoop { continuation.resume(returning: $0.statisticsOnLoop()) }
        }
    }

    private func statisticsOnLoop() -> ConnectionStatistics {
        var statistics = self.statistics
        statistics.streams = self.machine.streamCount
        statistics.bufferedBytes = self.machine.bufferedBytes
        statistics.roundTripTime = self.machine.roundTripTime
        return statistics
    }

    func onLoop(_ body: @escaping @Sendable (MuxedConnection) -> Void) {
        if self.eventLoop.inEventLoop {
            body(self)
        } else {
            self.eventLoop.execute { body(self) }
        }
    }

    // MARK: Streams, on the loop

    /// A new stream, or nil while too many wait for the peer's acknowledgement. On the loop only.
    package func openNow() throws(ConnectionError) -> MuxedStream? {
        switch self.life {
        case .open: break
        case .draining(let code): throw .closed(self.closeReason(code: code))
        case .halfClosed(let reason), .closed(let reason): throw .closed(reason)
        }
        switch self.machine.openStream(now: self.tick()) {
        case .opened(let id):
            let state = StreamState(id: id, connection: self, isInbound: false)
            self.streams[id] = state
            self.statistics.outboundOpened += 1
            return MuxedStream(state)
        case .backlogFull: return nil
        case .goingAway: throw .closed(self.machine.receivedGoAway.map { .remote(code: $0) } ?? .local(code: 0))
        case .exhausted: throw .streamsExhausted
        }
    }

    private func open(_ opener: Opener) {
        if opener.request.isCancelled.load(ordering: .relaxed) {
            return opener.continuation.resume(throwing: CancellationError())
        }
        do throws(ConnectionError) {
            if let stream = try self.openNow() { return opener.continuation.resume(returning: stream) }
            guard self.openers.count < self.configuration.maximumOpening else {
                throw .tooManyOpening(limit: self.configuration.maximumOpening)
            }
            self.openers.append(opener)
        } catch {
            opener.continuation.resume(throwing: error)
        }
    }

    private func cancelOpening(_ request: OpenRequest) {
        guard let index = self.openers.firstIndex(where: { $0.request === request }) else { return }
        self.openers.remove(at: index).continuation.resume(throwing: CancellationError())
    }

    /// The peer has acknowledged: those who wait may open.
    func serveOpeners() {
        while let opener = self.openers.first {
            do throws(ConnectionError) {
                guard let stream = try self.openNow() else { return }
                self.openers.removeFirst()
                opener.continuation.resume(returning: stream)
            } catch {
                self.openers.removeFirst()
                opener.continuation.resume(throwing: error)
            }
        }
    }

    /// The application took up a stream of the peer's.
    func touch(_ state: StreamState) {
        if state.isInbound, !state.isTouched {
            state.isTouched = true
            self.machine.accept(state.id, now: self.tick())
            self.armTimer()
        }
    }

    /// A reader waits: the peer has to know of the stream.
    func waitsForPeer(_ state: StreamState) {
        self.touch(state)
        self.sendHeldBack(state)
        guard !state.isInbound, state.pendingBytes == 0 else { return }
        self.machine.announce(state.id, into: &self.events)
        self.handleEvents()
    }

    func consumed(_ state: StreamState, count: Int) {
        if case .closed = self.life { return }
        self.touch(state)
        if !self.isReceiving { self.tick() }
        self.machine.consumed(
            state.id, count: count, now: self.now, into: &self.events, grant: { self.mayGrow(by: $0) })
        self.settleWindowBudget()
        self.handleEvents()
    }

    /// Whether a window may grow, for which the bytes are then reserved.
    func mayGrow(by bytes: Int) -> Bool {
        guard let share = self.windowShare else { return true }
        let isGranted = share.reserve(bytes)
        // A window that may not grow asks again each time half of it was read: that is one refusal, until one may.
        if !isGranted, !self.growthIsRefused { self.configuration.onRefusal(.windowBytes) }
        self.growthIsRefused = !isGranted
        return isGranted
    }

    func hasPending(_ state: StreamState, added: Int, flushing: Bool) {
        self.touch(state)
        self.statistics.pendingBytes += added
        self.enqueue(state)
        if self.exceedsReservation { self.reserveForWriter() }
        if flushing { self.scheduleFlush() }
    }

    func enqueue(_ state: StreamState) {
        state.isHeldBack = false
        guard !state.isQueued else { return }
        state.isQueued = true
        self.ready.append(state)
    }

    func finish(_ state: StreamState) throws(StreamError) {
        if let failure = state.failure { throw failure }
        guard !state.finishRequested else { return }
        self.touch(state)
        state.propose()
        state.requestFinish()
        if state.pendingBytes == 0 {
            self.machine.finish(state.id, into: &self.events)
            self.handleEvents()
        }
        // The end goes with the bytes before it.
        self.sendHeldBack(state)
    }

    func closeRead(_ state: StreamState, patience: Duration? = nil) {
        guard !state.readClosed else { return }
        state.closeRead()
        self.machine.closeRead(state.id, now: self.tick(), patience: patience)
        self.settleWindowBudget()
        self.armTimer()
    }

    /// - Parameter error: why, for those who use it; nil if the reset says it all.
    func reset(_ state: StreamState, code: UInt32, failing error: StreamError? = nil) {
        guard !state.isOver else {
            // Ended by both sides, and yet there is something to tell.
            if let error { self.statistics.pendingBytes -= state.fail(error, keepingUnread: false) }
            return
        }
        self.machine.reset(state.id, code: code, into: &self.events)
        self.remove(state, failing: error ?? .reset(code: code, byPeer: false))
        self.handleEvents()
    }

    /// A stream of the peer's is not taken. A peer to which that happens too often loses the connection.
    func refuse(_ state: StreamState, code: UInt32) {
        guard !state.isOver else { return }
        do throws(YamuxError) {
            try self.machine.refuse(state.id, code: code, now: self.tick(), into: &self.events)
        } catch {
            return self.fail(.yamux(error), code: YamuxCode.protocolError)
        }
        self.remove(state, failing: .reset(code: code, byPeer: false))
        self.handleEvents()
    }

    /// The same for a peer that has ended its side and is to hear what was written.
    func decline(_ state: StreamState) {
        guard !state.isOver else { return }
        do throws(YamuxError) { try self.machine.countRefused(state.id, now: self.tick()) } catch {
            return self.fail(.yamux(error), code: YamuxCode.protocolError)
        }
        // A stream that has failed is over.
        try? self.finish(state)
        self.closeRead(state)
    }

    /// Nobody holds the stream any more. One whose end was written lingers like a closed one; any other is reset.
    func abandoned(_ state: StreamState) {
        if state.finishRequested, !state.isOver { return self.closeRead(state) }
        self.reset(state, code: YamuxCode.streamGarbageCollected)
    }

    func remove(_ state: StreamState, failing error: StreamError) {
        self.streams.removeValue(forKey: state.id)
        self.statistics.resets += 1
        self.statistics.pendingBytes -= state.fail(error, keepingUnread: false)
        if self.payloadStream === state { self.payloadStream = nil }
        self.settleWindowBudget()
        self.settleReservation()
        self.closeIfDeserted()
    }

    func settleWindowBudget() {
        let grown = self.machine.grownWindowBytes
        guard grown != self.reservedWindowBytes else { return }
        if grown < self.reservedWindowBytes {
            self.windowShare?.release(self.reservedWindowBytes - grown)
        }
        self.reservedWindowBytes = grown
    }

    // MARK: Time

    @discardableResult func tick() -> MonotonicInstant {
        self.now = Self.instant(self.eventLoop)
        return self.now
    }

    /// Makes sure that the machine is called when it next has something to do.
    func armTimer() {
        if case .closed = self.life { return }
        var deadline = self.machine.nextDeadline
        if let held = self.heldBack.first { deadline = min(deadline, held.until) }
        guard deadline < self.timerDeadline else { return }
        self.timer?.cancel()
        self.timerDeadline = deadline
        self.timer = self.eventLoop.assumeIsolated().scheduleTask(
            deadline: .uptimeNanoseconds(deadline.nanoseconds)
        ) { self.timerFired() }
    }

    private func timerFired() {
        self.timerDeadline = MonotonicInstant(nanoseconds: .max)
        self.tick()
        self.noteSending()
        self.sendHeldBack(until: self.now)
        do throws(YamuxError) {
            try self.machine.timerFired(now: self.now, into: &self.events)
            self.handleEvents()
            self.armTimer()
        } catch {
            self.fail(.yamux(error), code: YamuxCode.protocolError)
        }
    }
}
