import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// `GET /api/p/<id>/watch`: the files of a site that change, as server-sent events. Ours, not upstream's.
///
/// Events: `ready` (once, changes arrive from now on), `change` (`{"paths":[…],"more":false}`; `more` if other files changed
/// too), `lost` (`{"error","code","detail"}`, then the end; the browser connects again by itself). A comment line is a
/// sign of life.
/// Source: WHATWG HTML, section 9.2 (event stream format); docs/protocols.md, "Changes of a site".
struct SiteEvents: Sendable {
    let backend: any ViewerBackend
    let failures: FailureMemory
    let places: StreamPlaces
    let heartbeat: Duration
    let answerTimeout: Duration

    init(
        backend: any ViewerBackend, failures: FailureMemory, places: StreamPlaces, configuration: ViewerConfiguration
    ) {
        self.backend = backend
        self.failures = failures
        self.places = places
        heartbeat = configuration.heartbeat
        answerTimeout = configuration.siteAnswerTimeout
    }

    /// The peer that a path asks about; nil for every other path.
    static func peer(path: String) -> PeerID? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "api", parts[2] == "p", parts[4] == "watch",
            parts[3].utf8.count <= 128, let peer = try? PeerID(text: String(parts[3])), peer.base58 == parts[3]
        else { return nil }
        return peer
    }

    /// Answers in either place that has these addresses.
    func respond(
        to admitted: Admitted<some RouteName>, peer: PeerID, place: RequestPlace, headers: HTTPFields
    ) async -> Response {
        let request = admitted.request
        var headers = headers
        headers[.cacheControl] = "no-store"
        do throws(DataError) {
            if place != .viewer, place != .site(peer), place != .capability(peer) {
                throw DataError(code: .refused, message: "not from here", detail: "a site watches itself only")
            }
            guard request.method == .get else {
                throw DataError(code: .badRequest, message: "GET is needed", detail: "this is a stream of events")
            }
            guard let seat = places.take(for: peer) else {
                throw DataError(code: .busy, message: "too many open pages", detail: "close pages of this site")
            }
            if let known = failures.failure(of: peer, now: .now) { throw DataError(known) }
            let backend = backend
            let opened = await withDeadline(answerTimeout, else: .late(answerTimeout)) {
                () async throws(SiteError) -> AsyncThrowingStream<SiteChanges, any Error> in
                try await backend.siteChanges(of: peer)
            }
            switch opened {
            case .success(let changes):
                return EventResponse.open(for: request, headers: headers, keeping: seat) { [heartbeat] writer in
                    try await Self.write(changes, place: seat, heartbeat: heartbeat, to: &writer)
                }
            case .failure(let error): throw Self.failure(error)
            }
        } catch {
            return DataFailure.response(error, headers: headers)
        }
    }

    private static func failure(_ error: SiteError) -> DataError {
        switch error.kind {
        case .disabled:
            DataError(
                code: .unknownOperation, message: "not told", detail: "this peer does not tell of changed files")
        case .busy: DataError(code: .busy, message: "too many watch this site", detail: error.detail)
        default: DataError(error)
        }
    }

    private struct Waiting: Sendable {
        var changes = SiteChanges()
        var end: DataError?
    }

    private static func write(
        _ changes: AsyncThrowingStream<SiteChanges, any Error>, place: StreamPlaces.Place, heartbeat: Duration,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        let mailbox = Mailbox(Waiting())
        place.onClose { mailbox.close() }
        var text = EventText()
        var hello = EventText.retry
        hello.writeImmutableBuffer(text.event("ready", JSONWriter.compact(.object([:]))))
        try await writer.write(hello)
        try await EventResponse.feed(every: heartbeat) {
            mailbox.beat()
        } read: {
            let end = await passOn(changes, to: mailbox)
            mailbox.put { $0.end = end }
        } write: {
            for await _ in mailbox.wakeUps {
                let waiting = mailbox.take()
                if !waiting.changes.isEmpty {
                    let value: JSONValue = [
                        "paths": .array(waiting.changes.paths.map { .string($0) }),
                        "more": .bool(waiting.changes.hasMore),
                    ]
                    try await writer.write(text.event("change", JSONWriter.compact(value)))
                }
                if let end = waiting.end {
                    try await writer.write(text.event("lost", JSONWriter.compact(DataFailure.body(of: end))))
                    return
                }
                if waiting.changes.isEmpty { try await writer.write(EventText.heartbeat) }
            }
        }
    }

    /// Puts changes into the mailbox until there are no more; the reason of the end.
    private static func passOn(
        _ changes: AsyncThrowingStream<SiteChanges, any Error>, to mailbox: Mailbox<Waiting>
    ) async -> DataError {
        do {
            for try await change in changes { mailbox.put { $0.changes.formUnion(change) } }
            return DataError(code: .unreachable, message: "the owner ended the watch", detail: "")
        } catch {
            let error = error as? SiteError
            if let error, error.kind == .notInvited { return failure(error) }
            return DataError(code: .unreachable, message: "the connection broke", detail: error?.description ?? "")
        }
    }
}
