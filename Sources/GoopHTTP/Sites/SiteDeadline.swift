import GoopCore
import NIOCore
import NIOPosix
import Synchronization

/// Runs an operation that must answer within a time; past it the operation is cancelled.
/// - Returns: what the operation gave, or `.timedOut`.
func withDeadline<Value: Sendable>(
    _ limit: Duration, _ operation: @escaping @Sendable () async throws(SiteError) -> Value
) async -> Result<Value, SiteError> {
    let isOver = Atomic(false)
    // On the event loop of this thread, if it is one. A loop's timer goes when it is cancelled; that of `Task.sleep` stays in
    // the system until its time.
    let loop = MultiThreadedEventLoopGroup.currentEventLoop
    let task = Task<Result<Value, SiteError>, Never>(executorPreference: loop.map(LoopExecutor.init)) {
        do throws(SiteError) {
            return .success(try await operation())
        } catch {
            return .failure(error)
        }
    }
    let timer = (loop ?? MultiThreadedEventLoopGroup.singleton.any()).scheduleTask(in: TimeAmount(limit)) {
        isOver.store(true, ordering: .relaxed)
        task.cancel()
    }
    defer { timer.cancel() }
    let result = await withTaskCancellationHandler {
        await task.value
    } onCancel: {
        task.cancel()
    }
    guard case .failure = result, isOver.load(ordering: .relaxed) else { return result }
    return .failure(SiteError(kind: .timedOut, detail: "no answer within \(limit)"))
}

/// Notices when the sender of a stream stands still. A reader who is slow does not count: only waiting for the next
/// chunk is timed.
final class StreamProgress: Sendable {
    /// Even while the next chunk is awaited, odd while a chunk is handed on.
    private let steps = Atomic<UInt64>(0)

    /// Called when a chunk has arrived, and again when it has been handed on.
    func advance() {
        steps.wrappingAdd(1, ordering: .relaxed)
    }

    /// One look each `timeout` instead of a timer for each chunk. Returns never; throws `.timedOut` after `timeout` to twice that without a new chunk.
    func watch(timeout: Duration) async throws {
        var seen: UInt64?
        while true {
            let now = steps.load(ordering: .relaxed)
            if now == seen, now.isMultiple(of: 2) {
                throw SiteError(kind: .timedOut, detail: "nothing came for \(timeout)")
            }
            seen = now
            try await Task.sleep(for: timeout)
        }
    }
}
