import GoopCore
import LibP2P
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// Serves this peer's tables to other peers.
///
/// Who asks is the peer that the connection authenticated, and nothing that a request says. Its e-mail is taken from its
/// presence, so it is empty unless that peer shares it.
struct DataService: Sendable {
    /// How long a visitor may take to send its request, and to take the answer.
    static let patience = Duration.seconds(20)
    /// Requests at a time that are answered, and as many that are read; one more, of all visitors or beyond somebody's share, is
    /// answered with `busy`.
    static let shares = Shares(total: 512, perPeer: 32, floor: 4)
    /// Watches at a time that have asked, and as many that have not. The store has bounds of its own, which are the same.
    static let watchShares = Shares(total: 512, perPeer: DataProtocol.maximumWatchesPerPeer, floor: 4)
    /// Answers up to this size are given whatever waits: those of writes are all shorter, and whoever is told `busy`
    /// would write again what is stored already. 512 of them, as many as are given at a time, are 8 MiB.
    static let shortAnswerBytes = 16 << 10
    /// Bytes of longer answers that visitors have not taken. The floor is about as long as answers are that have all the rows a
    /// visitor may read at once.
    static let untakenShares = Shares(total: 128 << 20, perPeer: 32 << 20, floor: 6 << 20)
    /// So much of each request is gathered whatever the others hold: 16 MiB for all that are read or answered.
    static let freelyGatheredBytes = 16 << 10
    /// Bytes beyond those of visitors' requests that have not been answered; of one, four of the longest, and the floor is one.
    static let gatheredShares = Shares(total: 64 << 20, perPeer: 4 << 20, floor: 1 << 20)
    /// Requests up to this size are read on the event loop.
    static let smallRequestBytes = 4096
    /// How often a quiet watch gives a sign of life.
    static let beat = Duration.seconds(15)
    /// Changes that a watch may be behind, beside those that the store keeps.
    static let changesPerWatch = 256
    /// About the bytes of those: a row can be as long as a request. One change alone may have more.
    static let costPerWatch = 1 << 20

    let tables: SiteTables
    let door: SiteDoor
    let email: @Sendable (PeerID) async -> String
    let logger: Logger
    private let load: RequestLoad
    private let admission: Admission
    private let watchAdmission = Admission(DataService.watchShares)

    init(
        tables: SiteTables, door: SiteDoor, logger: Logger, load: RequestLoad = RequestLoad(),
        shares: Shares = DataService.shares, email: @escaping @Sendable (PeerID) async -> String
    ) {
        self.load = load
        admission = Admission(shares)
        self.tables = tables
        self.door = door
        self.logger = logger
        self.email = email
    }

    /// Answers both protocols on a node.
    func register(on node: Node) {
        // Beyond these the stream is reset; up to them `busy` is said.
        var limits = HandlerLimits.shared(perPeer: 128)
        limits.allowsLimitedConnection = true
        limits.runsOnEventLoop = true
        node.setHandler(for: ProtocolID(DataProtocol.dataID), limits: limits) { await serve($0, answer) }
        var watchLimits = HandlerLimits.shared(perPeer: DataProtocol.maximumWatchesPerPeer)
        watchLimits.allowsLimitedConnection = true
        node.setHandler(for: ProtocolID(DataProtocol.watchID), limits: watchLimits) { await serve($0, watch) }
    }

    private func serve(
        _ stream: P2PStream, _ body: @escaping @Sendable (P2PStream, StallWatch) async throws -> Void
    ) async {
        do {
            try await StallWatch.run(limit: DataService.patience, onStall: { stream.reset() }) { watch in
                try await body(stream, watch)
            }
            await stream.close()
        } catch {
            logger.debug(
                "data request ended early",
                metadata: ["peer": "\(stream.remotePeer)", "reason": "\(String(describing: error).prefix(200))"])
            stream.reset()
        }
    }

    private static let notInvited = DataError(
        code: .refused, message: "access denied", detail: "the owner shows this site to certain people only")

    private static let tooMany = DataError(
        code: .busy, message: "too many requests", detail: "wait for the answers to come")

    /// Who asks, and from where.
    private struct Asker: Sendable {
        let peer: PeerID
        let address: IPAddress?

        init(_ stream: P2PStream) {
            peer = stream.remotePeer
            address = stream.connection.remoteAddress.ipAddress
        }

        var holder: ShareHolder { ShareHolder(peer, at: address) }
    }

    private func caller(_ asker: Asker) async -> DataCaller {
        .remote(asker.peer, email: await email(asker.peer), at: asker.address)
    }

    // MARK: One request

    private func answer(_ stream: P2PStream, _ watch: StallWatch) async throws {
        let asker = Asker(stream)
        let holder = asker.holder
        guard let visit = door.enter(asker.peer, .data, showOut: { stream.reset() }) else {
            return try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(Self.notInvited))))
        }
        defer { door.leave(visit) }
        guard let turn = admission.turn(for: holder) else {
            return try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(Self.tooMany))))
        }
        defer { turn.end() }
        guard var reply = try await reply(on: stream, to: asker, turn, watch) else { return }
        watch.progressed()
        let size = reply.readableBytes
        guard load.keep(size, for: holder) else {
            let busy = DataError(
                code: .busy, message: "too many requests",
                detail: "take the answers that wait, or ask for less at once")
            // The other answer is let go before this one waits.
            reply = ByteBuffer(bytes: DataProtocol.line(DataReply.failure(busy)))
            return try await stream.write(reply)
        }
        defer { load.release(size, for: holder) }
        try await stream.write(reply)
    }

    /// Gathers a request and answers it; nil if nothing came. Its bytes count until then: they are kept while it waits its turn.
    private func reply(
        on stream: P2PStream, to asker: Asker, _ turn: Admission.Turn, _ watch: StallWatch
    ) async throws -> ByteBuffer? {
        let holder = asker.holder
        var gathered = 0
        defer { load.letGo(gathered, for: holder) }
        func mayHold(_ bytes: Int) -> Bool {
            let mayHold = load.gather(bytes, after: gathered, for: holder)
            if !mayHold { load.letGo(gathered, for: holder) }
            gathered = mayHold ? bytes : 0
            return mayHold
        }
        guard
            let line = try await line(of: stream, most: DataProtocol.maximumRequestBytes, mayHold: mayHold)
        else { return nil }
        watch.progressed()
        guard turn.hasAsked() else { return ByteBuffer(bytes: DataProtocol.line(DataReply.failure(Self.tooMany))) }
        return await reply(to: line, from: asker)
    }

    /// The line of the answer. A small change of one row is handed to the writer from the event loop, a small question to a
    /// reader, which also writes the line: each further thread to wake is felt in the answer's time. Whatever has much to read
    /// or to write down by itself does so elsewhere.
    private func reply(to line: Result<ByteBuffer, DataError>, from asker: Asker) async -> ByteBuffer {
        if case .success(let bytes) = line, bytes.readableBytes <= DataService.smallRequestBytes {
            let request = Result { () throws(DataError) in try DataProtocol.request(inLine: bytes.readableBytesView) }
            if case .success(let request) = request, !request.op.isDoneBehindALine {
                return await withTaskExecutorPreference(globalConcurrentExecutor) {
                    await answer(.success(request), from: asker)
                }
            }
            return await answer(request, from: asker)
        }
        return await withTaskExecutorPreference(globalConcurrentExecutor) {
            let request = Result { () throws(DataError) in
                try DataProtocol.request(inLine: line.get().readableBytesView)
            }
            return await answer(request, from: asker)
        }
    }

    private func answer(_ request: Result<DataRequest, DataError>, from asker: Asker) async -> ByteBuffer {
        do throws(DataError) {
            return try await tables.perform(try request.get(), caller: await caller(asker)) { value in
                ByteBuffer(bytes: DataProtocol.line(DataReply.success(value)))
            }
        } catch {
            return ByteBuffer(bytes: DataProtocol.line(DataReply.failure(error)))
        }
    }

    /// A line, whose end may be the end of the stream; nil if nothing came.
    ///
    /// - Parameter mayHold: asked whether so many bytes of it may be kept, before they are. If not, the rest is read and dropped
    ///   up to its end: who is still sending does not listen for an answer.
    private func line(
        of stream: P2PStream, most limit: Int, mayHold: (_ bytes: Int) -> Bool = { _ in true }
    ) async throws -> Result<ByteBuffer, DataError>? {
        var line = ByteBuffer()
        var count = 0
        var (isHeld, hasEnd) = (true, false)
        while !hasEnd, let chunk = try await stream.read() {
            let end = chunk.readableBytesView.firstIndex(of: 0x0A)
            let part = chunk.readableBytesView[..<(end ?? chunk.readableBytesView.endIndex)]
            count += part.count
            guard count <= limit else { return .failure(DataService.tooLong(limit)) }
            if isHeld, mayHold(count) {
                line.writeBytes(part)
            } else {
                isHeld = false
                line = ByteBuffer()
            }
            hasEnd = end != nil
        }
        guard isHeld else { return .failure(DataService.tooMuch) }
        return count == 0 && !hasEnd ? nil : .success(line)
    }

    private static let tooMuch = DataError(
        code: .busy, message: "too many requests",
        detail: "long ones wait already; send this one again when others are answered")

    private static func tooLong(_ limit: Int) -> DataError {
        DataError(code: .tooLarge, message: "request too large", detail: "a line holds at most \(limit) bytes")
    }

    // MARK: Watching

    /// What one watch has not sent yet: changes, and signs of life (nil).
    static func watchQueue() -> (
        elements: AsyncThrowingStream<DataChange?, any Error>, queue: BoundedQueue<DataChange?>
    ) {
        BoundedQueue.make(limit: changesPerWatch, costLimit: costPerWatch)
    }

    /// Lines of changes until the visitor leaves, changes are lost, or the store closes.
    private func watch(_ stream: P2PStream, _ watch: StallWatch) async throws {
        let asker = Asker(stream)
        let (events, queue) = DataService.watchQueue()
        guard let visit = door.enter(asker.peer, .subscription, showOut: { queue.finish() }) else {
            return try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(Self.notInvited))))
        }
        defer { door.leave(visit) }
        guard let turn = watchAdmission.turn(for: asker.holder) else {
            return try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(Self.tooMany))))
        }
        defer { turn.end() }
        guard let line = try await line(of: stream, most: DataProtocol.maximumWatchRequestBytes) else { return }
        guard turn.hasAsked() else {
            return try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(Self.tooMany))))
        }
        let changes: AsyncThrowingStream<DataChange, any Error>
        do throws(DataError) {
            let table = try DataProtocol.watchedTable(inLine: line.get().readableBytesView)
            changes = try await tables.changes(of: table, caller: await caller(asker))
        } catch {
            return try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(error))))
        }
        try await stream.write(ByteBuffer(bytes: DataProtocol.line(["ok": true])))
        watch.progressed()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    var isLost = false
                    // What is lost is taken all the same: it must not wait in the store until the visitor has heard of it.
                    for try await change in changes where !isLost {
                        guard queue.put(change, cost: change.cost) else {
                            isLost = true
                            queue.finish(
                                throwing: DataError(
                                    code: .tooLarge, message: "changes were lost", detail: "read the table again"))
                            continue
                        }
                    }
                    throw DataError(code: .unreachable, message: "the owner leaves", detail: "")
                } catch {
                    queue.finish(throwing: error)
                }
            }
            // One that finds no room is not missed. A timer of an event loop goes with the watch; that of `Task.sleep` would
            // stay for the rest of its time.
            let interval = TimeAmount(DataService.beat)
            let pulse = MultiThreadedEventLoopGroup.singleton.any()
                .scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in _ = queue.put(nil, cost: 0) }
            // A visitor that ends its side only says that it has nothing more to ask; one that resets the stream ends all.
            group.addTask { while try await stream.read() != nil {} }
            group.addTask {
                do {
                    for try await change in events {
                        // What was not sent before the owner's word is not sent behind it.
                        guard door.isInside(visit) else { break }
                        let line = change.map { DataProtocol.line($0.json) } ?? [0x0A]
                        try await stream.write(ByteBuffer(bytes: line))
                        watch.progressed()
                    }
                } catch let error as DataError {
                    try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(error))))
                }
                if !door.isInside(visit) {
                    try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(Self.notInvited))))
                }
                throw CancellationError()
            }
            // The first that fails, ends all.
            defer {
                pulse.cancel()
                group.cancelAll()
            }
            do { while try await group.next() != nil {} } catch is CancellationError {}
        }
        // A peer that is stopped ends the stream with a reset: an end in order would say that there was nothing more to tell.
        try Task.checkCancellation()
    }
}

extension DataOperation {
    /// Done by the writer and answered in a few bytes, or done by a reader with all that there is to write down.
    fileprivate var isDoneBehindALine: Bool {
        switch self {
        case .insert, .update, .delete, .upsert: true
        case .query, .queryOne, .exists, .count, .pluck, .distinct, .aggregate: true
        default: false
        }
    }
}

/// How many bytes of requests are kept until they are answered, and how many bytes of answers wait to be taken: an answer is up
/// to six times as long as the values in it, and a visitor can ask for many and read none.
final class RequestLoad: Sendable {
    private let untaken = Mutex(DataService.untakenShares)
    private let gathered = Mutex(DataService.gatheredShares)

    /// Whether an answer may wait to be taken.
    func keep(_ bytes: Int, for holder: ShareHolder) -> Bool {
        guard bytes > DataService.shortAnswerBytes else { return true }
        return untaken.withLock { $0.take(bytes, for: holder) }
    }

    /// Gives back what an answer took.
    func release(_ bytes: Int, for holder: ShareHolder) {
        guard bytes > DataService.shortAnswerBytes else { return }
        untaken.withLock { $0.giveBack(bytes, of: holder) }
    }

    /// Of a request's bytes, those that count.
    private static func counted(_ bytes: Int) -> Int { max(bytes - DataService.freelyGatheredBytes, 0) }

    /// What is kept of somebody's requests, beside what is free; for tests.
    func gatheredBytes(of holder: ShareHolder) -> Int { gathered.withLock { $0.held(by: holder) } }

    /// Whether a request, of which so many bytes are kept, may grow to so many.
    func gather(_ bytes: Int, after before: Int, for holder: ShareHolder) -> Bool {
        let more = RequestLoad.counted(bytes) - RequestLoad.counted(before)
        guard more > 0 else { return true }
        return gathered.withLock { $0.take(more, for: holder) }
    }

    /// Gives back what was kept of a request.
    func letGo(_ bytes: Int, for holder: ShareHolder) {
        let counted = RequestLoad.counted(bytes)
        guard counted > 0 else { return }
        gathered.withLock { $0.giveBack(counted, of: holder) }
    }
}
