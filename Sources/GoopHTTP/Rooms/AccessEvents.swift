import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore

/// `GET /api/rooms/site/events`: the audience of the site and its visitors, as server-sent events.
///
/// One kind of event, `site` (`{"audience":{…},"visitors":[…]}`, both as their routes answer): once at the start, and again
/// when something has changed, at most four a second. A comment line is a sign of life.
/// Source: WHATWG HTML, section 9.2 (event stream format).
struct AccessEvents: Sendable {
    static let path = "/api/rooms/site/events"
    /// Time between two events: a visitor's page of fifty files is one change.
    static let interval = Duration.milliseconds(250)

    let access: (any SiteAccess)?
    let backend: any ViewerBackend
    let places: StreamPlaces
    let heartbeat: Duration

    /// Answers a request of the viewer's own pages.
    func respond(to admitted: Admitted<ReadRoute>, routes: RoomRoutes) async -> Response {
        guard let access else { return routes.closed }
        guard let place = places.take(for: await backend.selfProfile().id) else {
            return routes.refuse(.busy, "too many open pages", "close pages of this room")
        }
        return EventResponse.open(for: admitted.request, headers: routes.headers.viewer(), keeping: place) {
            [heartbeat] writer in try await Self.write(access, place: place, heartbeat: heartbeat, to: &writer)
        }
    }

    private static func write(
        _ access: any SiteAccess, place: StreamPlaces.Place, heartbeat: Duration,
        to writer: inout any ResponseBodyWriter
    ) async throws {
        let changes = await access.changes()
        let hasChanged = Mailbox(false)
        place.onClose { hasChanged.close() }
        var text = EventText()
        try await writer.write(EventText.retry)
        hasChanged.put { $0 = true }
        try await EventResponse.feed(every: heartbeat) {
            hasChanged.beat()
        } read: {
            for await _ in changes {
                hasChanged.put { $0 = true }
                // The least time between two pictures of a busy site: what changes meanwhile is in the next one.
                guard (try? await Task.sleep(for: interval)) != nil else { break }
            }
            hasChanged.close()
        } write: {
            for await _ in hasChanged.wakeUps {
                guard hasChanged.take() else {
                    try await writer.write(EventText.heartbeat)
                    continue
                }
                let value: JSONValue = [
                    "audience": await AccessRoom.json(access.audience(), access),
                    "visitors": await AccessRoom.visitors(access),
                ]
                try await writer.write(text.event("site", JSONWriter.compact(value)))
            }
        }
    }
}
