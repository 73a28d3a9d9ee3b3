import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// `GET /api/p/<id>/data/subscribe?table=T`: changes of tables as server-sent events. Ours, not upstream's.
///
/// `table` may stand there several times: a browser has six connections to one address, so a page must be able to hear of
/// all its tables over one.
///
/// Events: `ready` (`{"table"}`, changes arrive from now on), `change` (`{"table","kind","id","row"}`), `reload` (changes were
/// lost, read the table again), `lost` (`{"error","code","detail"}`, no changes come any more). A stream of several tables has
/// `table` in `reload` and `lost` too, where `lost` also has the `status` that a refusal would be: it ends that table alone, and
/// may come instead of `ready`. When the last one is lost, the stream ends; the browser connects again by itself.
/// A comment line is a sign of life. Ids count within one stream; a new stream replays nothing.
/// Source: WHATWG HTML, section 9.2 (event stream format).
struct DataEvents: Sendable {
    /// Changes of one table.
    typealias Changes = AsyncThrowingStream<DataChange, any Error>

    let backend: any ViewerBackend
    let places: StreamPlaces
    let heartbeat: Duration

    /// The open stream.
    /// - Parameters:
    ///   - tables: each once; of two or more, every event says which it is about.
    ///   - open: begins to watch one of them; called once for each, all at a time. What it throws ends that table alone.
    func response(
        to request: Request, tables: [String], place: StreamPlaces.Place, headers: HTTPFields,
        open: @escaping @Sendable (String) async throws(DataError) -> Changes
    ) -> Response {
        EventResponse.open(for: request, headers: headers, keeping: place) { [heartbeat] writer in
            try await Self.write(tables, place: place, open: open, heartbeat: heartbeat, to: &writer)
        }
    }

    private static func write(
        _ tables: [String], place: StreamPlaces.Place,
        open: @escaping @Sendable (String) async throws(DataError) -> Changes, heartbeat: Duration,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        // One for all, so that a page that reads nothing costs the same however many tables it has.
        let mailbox = ChangeMailbox()
        place.onClose { mailbox.close() }
        let isShared = tables.count > 1
        var encoder = DataEventEncoder(isShared: isShared)
        var left = tables.count
        try await writer.write(EventText.retry)
        try await EventResponse.feed(every: heartbeat) {
            mailbox.beat()
        } read: {
            await withTaskGroup(of: Void.self) { group in
                for table in tables {
                    group.addTask { await follow(table, isShared: isShared, open: open, into: mailbox) }
                }
            }
        } write: {
            for await _ in mailbox.wakeUps {
                for delivery in mailbox.take() {
                    switch delivery {
                    case .heartbeat: try await writer.write(EventText.heartbeat)
                    case .ready(let table): try await writer.write(encoder.ready(table: table))
                    case .changes(let changes): try await writer.write(encoder.encode(changes))
                    case .reload(let table): try await writer.write(encoder.reload(table: table))
                    case .lost(let table, let error):
                        try await writer.write(encoder.lost(table: table, error))
                        left -= 1
                        if left == 0 { return }
                    }
                }
            }
        }
    }

    /// Puts what happens in one table into the mailbox, until no more comes, and why.
    private static func follow(
        _ table: String, isShared: Bool, open: @Sendable (String) async throws(DataError) -> Changes,
        into mailbox: ChangeMailbox
    ) async {
        do {
            let changes = try await open(table)
            mailbox.ready(table)
            for try await var change in changes {
                // The page tells its tables apart by the names that it gave, whatever the case of their letters is.
                if isShared { change.table = table }
                mailbox.put(change)
            }
            mailbox.end(
                table, DataError(code: .unreachable, message: "the owner ended the stream", detail: table))
        } catch let error as DataError {
            mailbox.end(table, error)
        } catch {
            mailbox.end(
                table, DataError(code: .unreachable, message: "the connection to the owner broke", detail: ""))
        }
    }
}

/// Turns changes of tables into the text of an event stream.
struct DataEventEncoder {
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

    mutating func encode(_ changes: [DataChange]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for change in changes {
            let value: JSONValue = [
                "table": .string(change.table), "kind": .string(change.kind.rawValue), "id": .integer(change.id),
                "row": change.row ?? .null,
            ]
            buffer.writeImmutableBuffer(event("change", value))
        }
        return buffer
    }

    mutating func reload(table: String) -> ByteBuffer {
        event("reload", isShared ? ["table": .string(table)] : .object([:]))
    }

    mutating func lost(table: String, _ error: DataError) -> ByteBuffer {
        guard isShared else { return event("lost", DataFailure.body(of: error)) }
        return event(
            "lost",
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
