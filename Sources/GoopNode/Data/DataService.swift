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
    /// Requests at a time of one visitor; one more is answered with `busy`.
    static let maximumRequestsPerPeer = 32
    /// Requests at a time of all visitors.
    static let maximumRequests = 512
    /// Answers up to this size are given whatever waits: those of writes are all shorter, and whoever is told `busy`
    /// would write again what is stored already. `maximumRequests` of them are 8 MiB.
    static let shortAnswerBytes = 16 << 10
    /// Bytes of longer answers that one visitor has not taken; a first one may have more.
    static let untakenBytesPerPeer = 32 << 20
    /// Bytes of longer answers that all visitors have not taken.
    static let untakenBytes = 128 << 20
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
    private let load = RequestLoad()

    init(
        tables: SiteTables, door: SiteDoor, logger: Logger, email: @escaping @Sendable (PeerID) async -> String
    ) {
        self.tables = tables
        self.door = door
        self.logger = logger
        self.email = email
    }

    /// Answers both protocols on a node.
    func register(on node: Node) {
        // Beyond these the stream is reset; up to them `busy` is said.
        var limits = HandlerLimits(streams: 2048, streamsPerPeer: 128)
        limits.allowsLimitedConnection = true
        limits.runsOnEventLoop = true
        node.setHandler(for: ProtocolID(DataProtocol.dataID), limits: limits) { await serve($0, answer) }
        var watchLimits = HandlerLimits(streams: 512, streamsPerPeer: DataProtocol.maximumWatchesPerPeer)
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

    private func caller(_ peer: PeerID) async -> DataCaller { .remote(peer, email: await email(peer)) }

    // MARK: One request

    private func answer(_ stream: P2PStream, _ watch: StallWatch) async throws {
        let peer = stream.remotePeer
        guard let visit = door.enter(peer, .data, showOut: { stream.reset() }) else {
            return try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(Self.notInvited))))
        }
        defer { door.leave(visit) }
        guard load.begin(peer) else {
            let busy = DataError(code: .busy, message: "too many requests", detail: "wait for the answers to come")
            return try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(busy))))
        }
        defer { load.end(peer) }
        guard let line = try await line(of: stream, most: DataProtocol.maximumRequestBytes) else { return }
        watch.progressed()
        var reply = await reply(to: line, from: peer)
        watch.progressed()
        let size = reply.readableBytes
        guard load.keep(size, for: peer) else {
            let busy = DataError(
                code: .busy, message: "too many requests",
                detail: "take the answers that wait, or ask for less at once")
            // The other answer is let go before this one waits.
            reply = ByteBuffer(bytes: DataProtocol.line(DataReply.failure(busy)))
            return try await stream.write(reply)
        }
        defer { load.release(size, for: peer) }
        try await stream.write(reply)
    }

    /// The line of the answer. A small change of one row is handed to the writer from the event loop; whatever has much to read
    /// or to write down does so elsewhere.
    private func reply(to line: Result<ByteBuffer, DataError>, from peer: PeerID) async -> ByteBuffer {
        if case .success(let bytes) = line, bytes.readableBytes <= DataService.smallRequestBytes {
            let request = Result { () throws(DataError) in try DataProtocol.request(inLine: bytes.readableBytesView) }
            if case .success(let request) = request, !request.op.changesOneRow {
                return await withTaskExecutorPreference(globalConcurrentExecutor) {
                    await answer(.success(request), from: peer)
                }
            }
            return await answer(request, from: peer)
        }
        return await withTaskExecutorPreference(globalConcurrentExecutor) {
            let request = Result { () throws(DataError) in
                try DataProtocol.request(inLine: line.get().readableBytesView)
            }
            return await answer(request, from: peer)
        }
    }

    private func answer(_ request: Result<DataRequest, DataError>, from peer: PeerID) async -> ByteBuffer {
        let reply: DataReply
        do throws(DataError) {
            reply = .success(try await tables.perform(try request.get(), caller: await caller(peer)))
        } catch {
            reply = .failure(error)
        }
        return ByteBuffer(bytes: DataProtocol.line(reply))
    }

    /// A line, whose end may be the end of the stream; nil if nothing came.
    private func line(of stream: P2PStream, most limit: Int) async throws -> Result<ByteBuffer, DataError>? {
        var line = ByteBuffer()
        while let chunk = try await stream.read() {
            let view = chunk.readableBytesView
            guard let end = view.firstIndex(of: 0x0A) else {
                line.writeImmutableBuffer(chunk)
                guard line.readableBytes <= limit else { return .failure(DataService.tooLong(limit)) }
                continue
            }
            line.writeBytes(view[..<end])
            return line.readableBytes <= limit ? .success(line) : .failure(DataService.tooLong(limit))
        }
        return line.readableBytes == 0 ? nil : .success(line)
    }

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
        let peer = stream.remotePeer
        let (events, queue) = DataService.watchQueue()
        guard let visit = door.enter(peer, .subscription, showOut: { queue.finish() }) else {
            return try await stream.write(ByteBuffer(bytes: DataProtocol.line(DataReply.failure(Self.notInvited))))
        }
        defer { door.leave(visit) }
        guard let line = try await line(of: stream, most: DataProtocol.maximumWatchRequestBytes) else { return }
        let changes: AsyncThrowingStream<DataChange, any Error>
        do throws(DataError) {
            let table = try DataProtocol.watchedTable(inLine: line.get().readableBytesView)
            changes = try await tables.changes(of: table, caller: await caller(peer))
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
    /// Answered in a few bytes, and done by the writer.
    fileprivate var changesOneRow: Bool {
        switch self {
        case .insert, .update, .delete, .upsert: true
        default: false
        }
    }
}

/// How many requests are under way, and how many bytes of answers wait to be taken: an answer is up to six times as long as
/// the values in it, and a visitor can ask for many and read none.
final class RequestLoad: Sendable {
    private let untaken = Mutex<(total: Int, perPeer: [PeerID: Int])>((0, [:]))

    func keep(_ bytes: Int, for peer: PeerID) -> Bool {
        guard bytes > DataService.shortAnswerBytes else { return true }
        return untaken.withLock { untaken in
            let own = untaken.perPeer[peer, default: 0]
            guard untaken.total + bytes <= DataService.untakenBytes,
                own == 0 || own + bytes <= DataService.untakenBytesPerPeer
            else { return false }
            untaken.total += bytes
            untaken.perPeer[peer] = own + bytes
            return true
        }
    }

    func release(_ bytes: Int, for peer: PeerID) {
        guard bytes > DataService.shortAnswerBytes else { return }
        untaken.withLock { untaken in
            untaken.total -= bytes
            let left = untaken.perPeer[peer, default: bytes] - bytes
            untaken.perPeer[peer] = left > 0 ? left : nil
        }
    }

    private let counts = Mutex<(total: Int, perPeer: [PeerID: Int])>((0, [:]))

    func begin(_ peer: PeerID) -> Bool {
        counts.withLock { counts in
            guard counts.total < DataService.maximumRequests,
                counts.perPeer[peer, default: 0] < DataService.maximumRequestsPerPeer
            else { return false }
            counts.total += 1
            counts.perPeer[peer, default: 0] += 1
            return true
        }
    }

    func end(_ peer: PeerID) {
        counts.withLock { counts in
            counts.total -= 1
            let left = counts.perPeer[peer, default: 1] - 1
            counts.perPeer[peer] = left > 0 ? left : nil
        }
    }
}
