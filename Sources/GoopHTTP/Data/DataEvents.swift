import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// `GET /api/p/<id>/data/subscribe?table=T`: changes of tables as server-sent events. Ours, not upstream's.
///
/// `table` may stand there several times: a browser has six connections to one address, so a page must be able to hear of
/// all its tables over one.
///
/// Events: `ready` (`{"table"}`, changes arrive from now on; said again of a table, what came before counts no more: read it
/// again), `change` (`{"table","kind","id","row"}`), `reload` (changes were lost, read the table again), `lost`
/// (`{"error","code","detail"}`, no changes come any more). A stream of several tables has `table` in `reload` and `lost` too,
/// where `lost` also has the `status` that a refusal would be: it ends that table alone, and may come instead of `ready`. When
/// the last one is lost, the stream ends; the browser connects again by itself. `interrupted` (as `lost`) is said in a stream of
/// several tables only, while another one is live: no changes of this one come for now, it is tried again, and `ready` follows,
/// or `lost`.
/// A comment line is a sign of life. Ids count within one stream; a new stream replays nothing.
/// Source: WHATWG HTML, section 9.2 (event stream format).
struct DataEvents: Sendable {
    /// Changes of one table.
    typealias Changes = AsyncThrowingStream<DataChange, any Error>

    let backend: any ViewerBackend
    let places: StreamPlaces
    let heartbeat: Duration
    /// Between two tries to watch one of several tables: the shortest, and the longest.
    let pauses: ClosedRange<Duration>

    /// The open stream.
    /// - Parameters:
    ///   - tables: each once; of two or more, every event says which it is about.
    ///   - open: begins to watch one of them; called for all at a time, and again for one of several whose watch has ended.
    ///     What it throws is that table's alone.
    func response(
        to request: Request, tables: [String], place: StreamPlaces.Place, headers: HTTPFields,
        open: @escaping @Sendable (String) async throws(DataError) -> Changes
    ) -> Response {
        EventResponse.open(for: request, headers: headers, keeping: place) { writer in
            try await write(tables, place: place, open: open, to: &writer)
        }
    }

    private func write(
        _ tables: [String], place: StreamPlaces.Place,
        open: @escaping @Sendable (String) async throws(DataError) -> Changes, to writer: inout any ResponseBodyWriter
    ) async throws {
        // One for all, so that a page that reads nothing costs the same however many tables it has.
        let mailbox = ChangeMailbox()
        place.onClose { mailbox.close() }
        let follower = TableFollower(tables, pauses: pauses, into: mailbox, open: open)
        var encoder = DataEventEncoder(isShared: tables.count > 1)
        var left = tables.count
        try await writer.write(EventText.retry)
        try await EventResponse.feed(every: heartbeat) {
            mailbox.beat()
        } read: {
            await follower.run()
        } write: {
            for await _ in mailbox.wakeUps {
                for delivery in mailbox.take() {
                    switch delivery {
                    case .heartbeat: try await writer.write(EventText.heartbeat)
                    case .ready(let table): try await writer.write(encoder.ready(table: table))
                    case .changes(var changes):
                        while !changes.isEmpty { try await writer.write(encoder.encode(first: &changes)) }
                    case .reload(let table): try await writer.write(encoder.reload(table: table))
                    case .interrupted(let table, let error):
                        try await writer.write(encoder.interrupted(table: table, error))
                    case .lost(let table, let error):
                        try await writer.write(encoder.lost(table: table, error))
                        left -= 1
                        if left == 0 { return }
                    }
                }
            }
        }
    }
}

/// Turns changes of tables into the text of an event stream.
struct DataEventEncoder {
    /// Text beyond which the next change comes in a write of its own: the text of all that may wait would be many times that.
    static let bytesPerWrite = 64 << 10

    /// Whether the stream is one of several tables.
    let isShared: Bool
    private var text = EventText()

    init(isShared: Bool = false) {
        self.isShared = isShared
    }

    /// What a page gets first of a table.
    mutating func ready(table: String) -> ByteBuffer {
        event("ready", ["table": .string(table)])
    }

    /// The text of the first changes, as many as one write may have but at least one, which are taken away.
    mutating func encode(first changes: inout [DataChange]) -> ByteBuffer {
        var buffer = ByteBuffer()
        var taken = 0
        while taken < changes.count, buffer.readableBytes < DataEventEncoder.bytesPerWrite {
            let change = changes[taken]
            let value: JSONValue = [
                "table": .string(change.table), "kind": .string(change.kind.rawValue), "id": .integer(change.id),
                "row": change.row ?? .null,
            ]
            buffer.writeImmutableBuffer(event("change", value))
            taken += 1
        }
        changes.removeFirst(taken)
        return buffer
    }

    mutating func reload(table: String) -> ByteBuffer {
        event("reload", isShared ? ["table": .string(table)] : .object([:]))
    }

    mutating func lost(table: String, _ error: DataError) -> ByteBuffer {
        isShared ? named("lost", table, error) : event("lost", DataFailure.body(of: error))
    }

    mutating func interrupted(table: String, _ error: DataError) -> ByteBuffer { named("interrupted", table, error) }

    private mutating func named(_ name: String, _ table: String, _ error: DataError) -> ByteBuffer {
        event(
            name,
            [
                "table": .string(table), "error": .string(error.message), "code": .string(error.code.rawValue),
                "detail": .string(error.detail), "status": .integer(Int64(error.code.httpStatus)),
            ])
    }

    /// One event.
    private mutating func event(_ name: String, _ value: JSONValue) -> ByteBuffer {
        text.event(name, JSONWriter.compact(value))
    }
}
