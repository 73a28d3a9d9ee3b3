import GoopCore
import NIOCore
import NIOPosix
import Synchronization

// Limits are timers of an event loop, which go when they are cancelled; those of `Task.sleep` stay in the system until their
// time, one for each request that was answered before.

/// Runs an operation that must answer within a time; past it the operation is cancelled.
///
/// - Parameters:
///   - loop: has the timer and runs the operation. Nil: the loop of this thread, if it is one; else any has the timer only.
///   - late: the failure past the limit.
/// - Returns: what the operation gave, or `late` if it failed past the limit.
func withDeadline<Value: Sendable, Failure: Error>(
    _ limit: Duration, on loop: (any EventLoop)? = nil, else late: @autoclosure () -> Failure,
    _ operation: @escaping @Sendable () async throws(Failure) -> Value
) async -> Result<Value, Failure> {
    await run(operation, on: loop, else: late) { loop, end in
        let timer = loop.scheduleTask(in: TimeAmount(limit), end)
        return { timer.cancel() }
    }
}

/// Runs an operation that must not stand still; past `limit` to twice that without progress it is cancelled.
///
/// One look each `limit` instead of a timer for each chunk. Otherwise as `withDeadline`.
func withStallLimit<Value: Sendable>(
    _ limit: Duration, of progress: StreamProgress, on loop: (any EventLoop)? = nil,
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let late = { SiteError(kind: .timedOut, detail: "nothing came for \(limit)") as any Error }
    return try await run(operation, on: loop, else: late) { loop, end in
        let timer = loop.scheduleRepeatedTask(initialDelay: TimeAmount(limit), delay: TimeAmount(limit)) { _ in
            if progress.hasStalled() { end() }
        }
        return { timer.cancel() }
    }.get()
}

/// Waits so long.
/// - Throws: `CancellationError`, at once.
func waitFor(_ time: Duration) async throws {
    let (nothing, end) = AsyncStream.makeStream(of: Void.self)
    let timer = MultiThreadedEventLoopGroup.singleton.any().scheduleTask(in: TimeAmount(time)) { end.finish() }
    defer { timer.cancel() }
    for await _ in nothing {}
    try Task.checkCancellation()
}

/// - Parameter startTimer: starts what ends the operation, and gives what cancels that.
private func run<Value: Sendable, Failure: Error>(
    _ operation: @escaping @Sendable () async throws(Failure) -> Value, on loop: (any EventLoop)?,
    else late: () -> Failure,
    startTimer: (any EventLoop, _ end: @escaping @Sendable () -> Void) -> () -> Void
) async -> Result<Value, Failure> {
    let limit = Limit()
    let loop = loop ?? MultiThreadedEventLoopGroup.currentEventLoop
    let executor = loop.map(LoopExecutor.init)
    let task = Task<(result: Result<Value, Failure>, isLate: Bool), Never>(executorPreference: executor) {
        do throws(Failure) {
            return (.success(try await operation()), false)
        } catch {
            return (.failure(error), limit.isOver.load(ordering: .relaxed))
        }
    }
    let cancelTimer = startTimer(loop ?? MultiThreadedEventLoopGroup.singleton.any()) {
        // In turn behind the operation: what a busy machine has not let begin is not late, and its answer counts.
        Task(executorPreference: executor) {
            limit.isOver.store(true, ordering: .relaxed)
            task.cancel()
        }
    }
    defer { cancelTimer() }
    let (result, isLate) = await withTaskCancellationHandler {
        await task.value
    } onCancel: {
        task.cancel()
    }
    return isLate ? .failure(late()) : result
}

/// Whether the time is over.
private final class Limit: Sendable { let isOver = Atomic(false) }

extension SiteError {
    /// The owner did not answer in time.
    static func late(_ limit: Duration) -> SiteError {
        SiteError(kind: .timedOut, detail: "no answer within \(limit)")
    }
}

extension DataError {
    /// The owner did not answer in time.
    static func late(_ limit: Duration) -> DataError {
        DataError(code: .timedOut, message: "no answer", detail: "nothing came within \(limit)")
    }
}
