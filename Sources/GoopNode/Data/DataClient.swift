package import GoopCore
package import LibP2P
import NIOCore

/// Asks other peers for what is in their tables.
package struct DataClient: Sendable {
    /// Connecting, if needed, included.
    var openTimeout = Duration.seconds(5)
    /// From the request to the end of the answer.
    var answerTimeout = Duration.seconds(15)
    /// The longest silence of a watch; its owner gives a sign of life every 15 s.
    var watchPatience = Duration.seconds(50)
    /// Changes that a reader may be behind.
    static let changesPerReader = 256
    /// About the bytes of those; one change alone may have more.
    static let costPerReader = 1 << 20

    let node: Node
    /// Counts the answers that are held.
    let room: AnswerRoom

    /// A client that asks through `node`.
    package init(node: Node, room: AnswerRoom = AnswerRoom()) {
        self.node = node
        self.room = room
    }

    /// Performs one operation on a peer's tables.
    package func perform(_ request: DataRequest, of peer: PeerID) async throws(DataError) -> JSONValue {
        try await answer(to: request, of: peer).value
    }

    /// The same, for a caller that holds the answer for long: it counts until the share goes that comes with it.
    func answer(to request: DataRequest, of peer: PeerID) async throws(DataError) -> DataAnswer {
        let line = ByteBuffer(bytes: DataProtocol.line(request))
        let share = room.share(for: peer)
        do {
            // On the loop of the connection, if there is one: one change of thread there, one back.
            let answer = try await withTaskExecutorPreference(node.executor(for: peer)) {
                try await ask(line, of: peer, within: share)
            }
            guard answer.readableBytes > 0 else {
                throw DataError(code: .unreachable, message: "peer unreachable", detail: "it closed without an answer")
            }
            let value = try await DataClient.read(answer, within: share) { bytes throws(DataError) in
                try DataProtocol.reply(inLine: bytes).get()
            }
            try share.hold(value.heldBytes)
            return DataAnswer(value: value, share: share)
        } catch {
            throw DataClient.dataError(error, peer: peer)
        }
    }

    /// How often room for reading is asked for, within about a second.
    private static let roomAttempts = 40

    /// Reads what came, after the room that it may take.
    private static func read<Value, Failure: Error>(
        _ line: ByteBuffer, within share: AnswerRoom.Share, _ body: (ByteBufferView) throws(Failure) -> Value
    ) async throws -> Value {
        if line.readableBytes > AnswerRoom.shortAnswerBytes {
            let most = line.storageCapacity + DataProtocol.mostBytes(toRead: line.readableBytesView)
            // Others read for moments only, and need no more room to come to an end: to wait for them is no circle.
            for attempt in 1...roomAttempts {
                do throws(DataError) {
                    try share.hold(most)
                    break
                } catch {
                    guard error.code == .busy, attempt < roomAttempts else { throw error }
                }
                // The pace of the tries: nothing tells that room has come.
                try await Task.sleep(for: .milliseconds(25))
            }
        }
        return try body(line.readableBytesView)
    }

    private func ask(
        _ line: ByteBuffer, of peer: PeerID, within share: AnswerRoom.Share
    ) async throws -> ByteBuffer {
        let stream = try await open(DataProtocol.dataID, to: peer)
        do {
            let answer = try await StallWatch.run(limit: answerTimeout, onStall: { stream.reset() }) { _ in
                try await stream.write(line)
                try await stream.closeWrite()
                return try await stream.readToEnd(max: DataProtocol.maximumReplyBytes) { try share.gather($0) }
            }
            await stream.close()
            return answer
        } catch {
            stream.reset()
            throw error
        }
    }

    /// Changes of a peer's table, until it or the caller ends them.
    func changes(
        of peer: PeerID, table: String
    ) async throws(DataError) -> AsyncThrowingStream<DataChange, any Error> {
        let stream = try await open(DataProtocol.watchID, to: peer)
        do {
            let request = ByteBuffer(bytes: DataProtocol.line(["table": .string(table)]))
            let first = try await StallWatch.run(limit: openTimeout, onStall: { stream.reset() }) { _ in
                try await stream.write(request)
                return try await stream.readLine(max: DataProtocol.maximumWatchReplyBytes)
            }
            guard let first else {
                throw DataError(code: .unreachable, message: "peer unreachable", detail: "it closed without an answer")
            }
            _ = try DataProtocol.reply(inLine: first.readableBytesView).get()
        } catch {
            stream.reset()
            throw DataClient.dataError(error, peer: peer)
        }
        let (changes, queue) = BoundedQueue<DataChange>.make(
            limit: DataClient.changesPerReader, costLimit: DataClient.costPerReader)
        let patience = watchPatience
        let share = room.share(for: peer)
        let reader = Task {
            do {
                try await StallWatch.run(limit: patience, onStall: { stream.reset() }) { watch in
                    try await DataClient.follow(stream, watch, table: table, within: share, into: queue)
                }
                queue.finish()
            } catch {
                queue.finish(throwing: DataClient.dataError(error, peer: peer))
            }
            stream.reset()
        }
        queue.onEnd {
            reader.cancel()
            stream.reset()
        }
        return changes
    }

    private static func follow(
        _ stream: P2PStream, _ watch: StallWatch, table: String, within share: AnswerRoom.Share,
        into queue: BoundedQueue<DataChange>
    ) async throws {
        while let line = try await stream.readLine(
            max: DataProtocol.maximumReplyBytes, gathering: { try share.gather($0) })
        {
            watch.progressed()
            guard line.readableBytes > 0 else { continue }
            // What was read counts in the queue, and where its reader passes it on to.
            defer { share.release() }
            let value = try await read(line, within: share) { bytes throws(JSONError) in
                try JSONParser.parse(
                    bytes, limits: .init(bytes: DataProtocol.maximumReplyBytes, depth: 16, values: 65_536))
            }
            if value.object?["ok"] != nil {
                _ = try DataReply(json: value).get()
                continue
            }
            // The table is what we asked for, whatever the peer writes.
            guard var change = DataChange(json: value), change.table.lowercased() == table.lowercased() else {
                continue
            }
            change.table = table
            guard queue.put(change, cost: change.cost) else {
                throw DataError(code: .tooLarge, message: "changes were lost", detail: "read the table again")
            }
        }
    }

    private func open(_ name: String, to peer: PeerID) async throws(DataError) -> P2PStream {
        do {
            var options = StreamOptions()
            options.timeout = openTimeout
            options.allowsLimitedConnection = true
            return try await node.openStream(to: peer, protocols: [ProtocolID(name)], options: options)
        } catch {
            throw DataClient.dataError(error, peer: peer)
        }
    }

    /// What an error on the way means for somebody who wants data.
    static func dataError(_ error: any Error, peer: PeerID) -> DataError {
        switch error {
        case let error as DataError: return error
        case is JSONError:
            return DataError(code: .unreachable, message: "the peer's answer makes no sense", detail: "\(error)")
        default: break
        }
        let site = SiteClient.siteError(error, peer: peer, elapsed: .zero)
        let tried = site.attempts.prefix(8).map { "\($0.address): \($0.reason)" }.joined(separator: "; ")
        let detail = [site.detail, tried].filter { !$0.isEmpty }.joined(separator: "; ")
        switch site.kind {
        case .timedOut: return DataError(code: .timedOut, message: "no answer in time", detail: detail)
        case .busy: return DataError(code: .busy, message: "too many requests", detail: detail)
        case .disabled:
            return DataError(
                code: .unreachable, message: "peer unreachable", detail: "it does not serve this kind of request")
        default: return DataError(code: .unreachable, message: "peer unreachable", detail: detail)
        }
    }
}
