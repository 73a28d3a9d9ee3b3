import GoopCore
import LibP2P
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Tells visitors which files of this peer's site change: `/goop/watch/1.0.0`, one stream a visitor's page.
struct WatchService: Sendable {
    /// Streams at a time that have asked, and as many that have not; further ones, of all visitors or beyond somebody's share,
    /// are reset.
    static let shares = Shares(total: 192, perPeer: 8, floor: 2)
    /// How long nothing may be said before a sign of life.
    static let heartbeat = Duration.seconds(20)
    /// How long a visitor may take to send its request, and to take a message.
    static let patience = Duration.seconds(20)

    private let watch: SiteWatch
    private let door: SiteDoor
    private let logger: Logger
    private let admission: Admission

    init(watch: SiteWatch, door: SiteDoor, logger: Logger, shares: Shares = WatchService.shares) {
        self.watch = watch
        self.door = door
        self.logger = logger
        admission = Admission(shares)
    }

    /// Answers on a node.
    func register(on node: Node) {
        let limits = HandlerLimits.shared(perPeer: WatchService.shares.perPeer)
        node.setHandler(for: ProtocolID(SiteChanges.protocolID), limits: limits) { await serve($0) }
    }

    private func serve(_ stream: P2PStream) async {
        guard let turn = admission.turn(for: stream.holder) else { return stream.reset() }
        defer { turn.end() }
        do {
            try await StallWatch.run(limit: WatchService.patience, onStall: { stream.reset() }) { _ in
                guard try await stream.read() != nil else { throw SiteError(kind: .badRequest) }
            }
            guard turn.hasAsked() else { throw SiteError(kind: .busy, detail: "too many watch this site") }
            let mailbox = Mailbox(SiteChanges())
            let showOut: @Sendable () -> Void = { mailbox.put { $0 = .refusal } }
            guard let visit = door.enter(stream.remotePeer, .watch, showOut: showOut) else {
                try await stream.write(ByteBuffer(bytes: SiteChanges.refusal.encoded))
                return await stream.close()
            }
            defer { door.leave(visit) }
            let changes = try await watch.changes()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await tell(changes, through: mailbox, on: stream) }
                // The visitor says nothing more; its end is the end.
                group.addTask { while try await stream.read() != nil {} }
                try await group.next()
                group.cancelAll()
            }
            await stream.close()
        } catch {
            logger.debug(
                "a watch ended",
                metadata: ["peer": "\(stream.remotePeer)", "reason": "\(String(describing: error).prefix(200))"])
            stream.reset()
        }
    }

    private func tell(
        _ changes: AsyncStream<SiteChanges>, through mailbox: Mailbox<SiteChanges>, on stream: P2PStream
    ) async throws {
        // The first message is empty: it says that changes are told from now on.
        try await send(SiteChanges(), on: stream)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await change in changes { mailbox.put { $0.formUnion(change) } }
                mailbox.close()
            }
            // A timer of an event loop goes with the watch; that of `Task.sleep` would stay for the rest of its time.
            let interval = TimeAmount(WatchService.heartbeat)
            let pulse = MultiThreadedEventLoopGroup.singleton.any()
                .scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in mailbox.beat() }
            defer {
                pulse.cancel()
                group.cancelAll()
            }
            for await _ in mailbox.wakeUps {
                // With nothing waiting it is a sign of life.
                let waiting = mailbox.take()
                let message = waiting.isRefusal ? SiteChanges.refusal : waiting
                try await send(message, on: stream)
                if waiting.isRefusal { return }
            }
        }
    }

    private func send(_ message: SiteChanges, on stream: P2PStream) async throws {
        try await StallWatch.run(limit: WatchService.patience, onStall: { stream.reset() }) { _ in
            try await stream.write(ByteBuffer(bytes: message.encoded))
        }
    }
}

extension SiteClient {
    /// Changes of a peer's site from now on; ends with an error when the peer goes, or says nothing for a minute.
    ///
    /// - Throws: `SiteError`; `.disabled` if the peer does not tell of changes.
    func changes(of peer: PeerID) async throws(SiteError) -> AsyncThrowingStream<SiteChanges, any Error> {
        let started = ContinuousClock.now
        let stream: P2PStream
        do {
            var options = StreamOptions()
            options.timeout = answerTimeout
            stream = try await node.openStream(
                to: peer, protocols: [ProtocolID(SiteChanges.protocolID)], options: options)
        } catch {
            throw SiteClient.siteError(error, peer: peer, elapsed: ContinuousClock.now - started)
        }
        var reader = WatchReader(stream: stream)
        do {
            reader = try await StallWatch.run(limit: answerTimeout, onStall: { stream.reset() }) { [reader] _ in
                var reader = reader
                // An empty message: nothing more is asked.
                try await stream.write(ByteBuffer(bytes: [0]))
                if try await reader.next()?.isRefusal == true { throw SiteError(kind: .notInvited) }
                return reader
            }
        } catch {
            stream.reset()
            throw SiteClient.siteError(error, peer: peer, elapsed: ContinuousClock.now - started)
        }
        let (changes, continuation) = AsyncThrowingStream.makeStream(
            of: SiteChanges.self, bufferingPolicy: .bufferingNewest(8))
        let task = Task { [reader] in
            var reader = reader
            do {
                while let change = try await reader.next() {
                    guard !change.isRefusal else { throw SiteError(kind: .notInvited) }
                    guard !change.isEmpty else { continue }
                    if case .dropped = continuation.yield(change) { continuation.yield(.unnamed) }
                }
                throw SiteError(kind: .unreachable, detail: "the peer ended the watch")
            } catch {
                stream.reset()
                continuation.finish(throwing: SiteClient.siteError(error, peer: peer, elapsed: .zero))
            }
        }
        continuation.onTermination = { _ in
            task.cancel()
            stream.reset()
        }
        return changes
    }
}

/// Reads the messages of a watch.
private struct WatchReader: Sendable {
    /// Three signs of life.
    static let patience = WatchService.heartbeat * 3

    let stream: P2PStream
    private var unread: [UInt8] = []

    init(stream: P2PStream) { self.stream = stream }

    /// The next message; nil if the peer ended the stream between two.
    mutating func next() async throws -> SiteChanges? {
        var reader = SiteMessageReader(limit: SiteChanges.maximumBytes)
        while true {
            if !unread.isEmpty {
                let bytes = unread
                unread = []
                if let (message, consumed) = try reader.received(bytes[...]) {
                    unread = Array(bytes[consumed...])
                    return try SiteChanges(decoding: message)
                }
            }
            let received = try await StallWatch.run(
                limit: WatchReader.patience, onStall: { [stream] in stream.reset() }
            ) {
                [stream] _ in try await stream.read()
            }
            guard let received else { return nil }
            unread = Array(received.readableBytesView)
        }
    }
}
