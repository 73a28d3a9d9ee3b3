import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOPosix

/// What every stream of server-sent events of the viewer has: its head, a place that it holds until it ends, and signs of
/// life.
enum EventResponse {
    /// The answer that opens a stream; to `HEAD` its head only.
    /// - Parameters:
    ///   - place: kept until the stream has ended.
    ///   - write: writes events until there are no more. Cancelled when the page goes away, so a closed tab frees its
    ///     place at once.
    static func open(
        for request: Request, headers: HTTPFields, keeping place: some Sendable,
        _ write: @escaping @Sendable (_ writer: inout any ResponseBodyWriter) async throws -> Void
    ) -> Response {
        var headers = headers
        headers[.contentType] = "text/event-stream"
        headers[.cacheControl] = "no-store"
        guard request.method == .get else { return Response(status: .ok, headers: headers) }
        let body = ResponseBody { writer in
            try await request.body.consumeWithCancellationOnInboundClose { _ in try await write(&writer) }
            withExtendedLifetime(place) {}
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    /// Runs `write` with what it writes about arriving beside it; both other parts end with it.
    ///
    /// The signs of life come from a timer of an event loop, which goes when it is cancelled; that of `Task.sleep` stays in
    /// the system until its time, for every page that was closed.
    /// - Parameters:
    ///   - heartbeat: between two signs of life.
    ///   - loop: has the timer; nil for any.
    ///   - beat: asks for a sign of life. Called on the loop: it must not block.
    ///   - read: passes on what happens, in a task of its own.
    static func feed(
        every heartbeat: Duration, on loop: (any EventLoop)? = nil, beat: @escaping @Sendable () -> Void,
        read: @escaping @Sendable () async -> Void, write: () async throws -> Void
    ) async throws {
        let interval = TimeAmount(heartbeat)
        let pulse = (loop ?? MultiThreadedEventLoopGroup.singleton.any())
            .scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in beat() }
        let reader = Task { await read() }
        defer {
            pulse.cancel()
            reader.cancel()
        }
        try await write()
    }
}
