import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity
import Synchronization

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
        table: String,
        headers: HTTPFields
    ) -> Response {
        var headers = headers
        headers[.contentType] = "text/event-stream"
        let heartbeat = heartbeat
        let body = ResponseBody { writer in
            // Kept until the stream ends.
            let place = place
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                try await Self.write(changes, table: table, heartbeat: heartbeat, to: &writer)
            }
            withExtendedLifetime(place) {}
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    private static func write(
        _ changes: AsyncThrowingStream<DataChange, any Error>, table: String, heartbeat: Duration,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        let mailbox = ChangeMailbox()
        var encoder = DataEventEncoder()
        try await writer.write(encoder.ready(table: table))
        let reader = Task {
            do {
                for try await change in changes { mailbox.put(change) }
                mailbox.end(DataError(code: .unreachable, message: "the owner ended the stream", detail: table))
            } catch let error as DataError {
                mailbox.end(error)
            } catch {
                mailbox.end(DataError(code: .unreachable, message: "the connection to the owner broke", detail: ""))
            }
        }
        let beats = Task {
            // A pulse, so that the page notices a dead connection; ends when it is cancelled below.
            while (try? await Task.sleep(for: heartbeat)) != nil { mailbox.beat() }
        }
        defer {
            reader.cancel()
            beats.cancel()
        }
        for await _ in mailbox.wakeUps {
            for delivery in mailbox.take() {
                switch delivery {
                case .heartbeat: try await writer.write(EventEncoder.heartbeat)
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

/// Turns changes of a table into the text of an event stream.
struct DataEventEncoder {
    private var lastID: UInt64 = 0

    /// What a page gets first.
    mutating func ready(table: String) -> ByteBuffer {
        var buffer = ByteBuffer(string: "retry: 2000\n\n")
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

    /// One event; the JSON has no line ends, so it is one data line.
    mutating func event(_ name: String, _ value: JSONValue) -> ByteBuffer {
        lastID &+= 1
        var buffer = ByteBuffer(string: "id: \(lastID)\nevent: \(name)\ndata: ")
        buffer.writeBytes(JSONWriter.compact(value))
        buffer.writeString("\n\n")
        return buffer
    }
}

/// How many streams may be open at once: in all, and for the tables of one peer.
final class StreamPlaces: Sendable {
    /// One open stream; its place is given back when the last reference goes.
    final class Place: Sendable {
        private let places: StreamPlaces
        private let peer: PeerID

        fileprivate init(places: StreamPlaces, peer: PeerID) {
            self.places = places
            self.peer = peer
        }

        deinit { places.giveBack(peer) }
    }

    private let limit: Int
    private let limitPerPeer: Int
    private let taken = Mutex<[PeerID: Int]>([:])

    init(limit: Int, limitPerPeer: Int) {
        self.limit = limit
        self.limitPerPeer = limitPerPeer
    }

    /// Nil at one of the limits.
    func take(for peer: PeerID) -> Place? {
        let isFree = taken.withLock { taken in
            guard taken.values.reduce(0, +) < limit, taken[peer, default: 0] < limitPerPeer else { return false }
            taken[peer, default: 0] += 1
            return true
        }
        return isFree ? Place(places: self, peer: peer) : nil
    }

    private func giveBack(_ peer: PeerID) {
        taken.withLock { taken in
            let left = taken[peer, default: 0] - 1
            taken[peer] = left > 0 ? left : nil
        }
    }
}
