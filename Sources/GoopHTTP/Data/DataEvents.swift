import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// `GET /api/p/<id>/data/subscribe?table=T`: changes of one table as server-sent events. Ours, not upstream's.
///
/// Events: `ready` (once, changes arrive from now on), `change` (`{"table","kind","id","row"}`), `reload` (changes were
/// lost, read the table again), `lost` (`{"error","code","detail"}`, then the end; the browser connects again by itself).
/// A comment line is a sign of life. Ids count within one stream; a new stream replays nothing.
/// Source: WHATWG HTML, section 9.2 (event stream format).
struct DataEvents: Sendable {
    let backend: any ViewerBackend
    let places: StreamPlaces
    let heartbeat: Duration

    /// The open stream.
    func response(
        to request: Request, changes: AsyncThrowingStream<DataChange, any Error>, place: StreamPlaces.Place,
        table: String, headers: HTTPFields
    ) -> Response {
        EventResponse.open(for: request, headers: headers, keeping: place) { [heartbeat] writer in
            try await Self.write(changes, table: table, place: place, heartbeat: heartbeat, to: &writer)
        }
    }

    private static func write(
        _ changes: AsyncThrowingStream<DataChange, any Error>, table: String, place: StreamPlaces.Place,
        heartbeat: Duration, to writer: inout any ResponseBodyWriter
    ) async throws {
        let mailbox = ChangeMailbox()
        place.onClose { mailbox.close() }
        var encoder = DataEventEncoder()
        try await writer.write(encoder.ready(table: table))
        try await EventResponse.feed(every: heartbeat) {
            mailbox.beat()
        } read: {
            do {
                for try await change in changes { mailbox.put(change) }
                mailbox.end(DataError(code: .unreachable, message: "the owner ended the stream", detail: table))
            } catch let error as DataError {
                mailbox.end(error)
            } catch {
                mailbox.end(DataError(code: .unreachable, message: "the connection to the owner broke", detail: ""))
            }
        } write: {
            for await _ in mailbox.wakeUps {
                for delivery in mailbox.take() {
                    switch delivery {
                    case .heartbeat: try await writer.write(EventText.heartbeat)
                    case .changes(let changes): try await writer.write(encoder.encode(changes))
                    case .reload: try await writer.write(encoder.event("reload", .object([:])))
                    case .lost(let error):
                        try await writer.write(encoder.event("lost", DataFailure.body(of: error)))
                        return
                    }
                }
            }
        }
    }
}

/// Turns changes of a table into the text of an event stream.
struct DataEventEncoder {
    private var text = EventText()

    /// What a page gets first.
    mutating func ready(table: String) -> ByteBuffer {
        var buffer = EventText.retry
        buffer.writeImmutableBuffer(event("ready", ["table": .string(table)]))
        return buffer
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

    /// One event.
    mutating func event(_ name: String, _ value: JSONValue) -> ByteBuffer {
        text.event(name, JSONWriter.compact(value))
    }
}
