import GoopCore
import PeerIdentity
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Server-sent events about peers: `/api/events` for the viewer's own pages, `/api/mq/events` in upstream's shape.
/// Source: WHATWG HTML, section 9.2 (event stream format); upstream's shapes in the viewer wire reference, section 5.
struct EventStream: Sendable {
    enum Form: Sendable {
        /// `snapshot`, then `peer` and `gone`, each with an id.
        case viewer
        /// `connected`, then `message` with topic `peer:announce` or `peer:gone`.
        case messageQueue
    }

    let feed: PeerFeed
    let backend: any ViewerBackend

    /// The answer to a request for a stream; 503 when too many are open.
    func respond(to admitted: Admitted<ReadRoute>, form: Form, headers: HTTPFields) -> Response {
        guard let subscription = feed.subscribe() else {
            var headers = headers
            headers[.retryAfter] = "5"
            return Response(status: .serviceUnavailable, headers: headers)
        }
        return EventResponse.open(for: admitted.request, headers: headers, keeping: subscription) { [backend] writer in
            try await Self.write(subscription.mailbox, form: form, backend: backend, to: &writer)
        }
    }

    private static func write(
        _ mailbox: EventMailbox, form: Form, backend: any ViewerBackend, to writer: inout any ResponseBodyWriter
    ) async throws {
        var encoder = EventEncoder(form: form)
        try await writer.write(encoder.opening(owner: await backend.selfProfile(), peers: await backend.peers()))
        for await _ in mailbox.wakeUps {
            switch mailbox.take() {
            case .heartbeat: try await writer.write(EventText.heartbeat)
            case .changes(let changes): try await writer.write(encoder.encode(changes))
            case .snapshot:
                try await writer.write(
                    encoder.snapshot(owner: await backend.selfProfile(), peers: await backend.peers()))
            }
        }
    }
}

/// Turns peer changes into the text of an event stream.
struct EventEncoder {
    let form: EventStream.Form
    private var text = EventText()

    init(form: EventStream.Form) {
        self.form = form
    }

    /// What a page gets first.
    mutating func opening(owner: SelfProfile, peers: [PeerEntry]) -> ByteBuffer {
        var buffer = EventText.retry
        switch form {
        case .viewer:
            buffer.writeImmutableBuffer(snapshot(owner: owner, peers: peers))
        case .messageQueue:
            buffer.writeString("event: connected\ndata: {\"status\":\"ok\"}\n\n")
            buffer.writeImmutableBuffer(encode(peers.map { .updated($0) }))
        }
        return buffer
    }

    /// The whole list again.
    mutating func snapshot(owner: SelfProfile, peers: [PeerEntry]) -> ByteBuffer {
        switch form {
        case .viewer: event("snapshot", ViewerSnapshot(owner: owner, peers: peers))
        case .messageQueue: encode(peers.map { .updated($0) })
        }
    }

    mutating func encode(_ changes: [PeerChange]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for change in changes {
            buffer.writeImmutableBuffer(encode(change))
        }
        return buffer
    }

    private mutating func encode(_ change: PeerChange) -> ByteBuffer {
        switch (form, change) {
        case (.viewer, .updated(let entry)): event("peer", ViewerPeer(entry))
        case (.viewer, .removed(let id)): event("gone", ViewerGone(id: id.base58))
        case (.messageQueue, .updated(let entry)):
            event("message", QueueMessage(sequence: text.nextID, topic: "peer:announce", payload: QueueAnnounce(entry)))
        case (.messageQueue, .removed(let id)):
            event(
                "message",
                QueueMessage(sequence: text.nextID, topic: "peer:gone", payload: QueueGone(peerID: id.base58)))
        }
    }

    private mutating func event(_ name: String, _ value: some Encodable) -> ByteBuffer {
        text.event(name, JSONText.encode(value))
    }
}
