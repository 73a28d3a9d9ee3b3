import NIOCore
import NIOPosix
import Synchronization

/// Ends an exchange that makes no progress.
///
/// One timer of an event loop an exchange: the body says `progressed()` whenever bytes have moved, and if it has not said so
/// for the whole limit, `onStall` runs (it resets the stream, which ends the body). No task of its own, and no
/// `Task.sleep`, whose timer stays in the system until its time even when the task that slept was cancelled: at
/// thousands of requests a second these were most of the memory in use.
final class StallWatch: Sendable, NIOScheduledCallbackHandler {
    private struct Timer {
        var callback: NIOScheduledCallback?
        var isOver = false
    }

    private let limit: TimeAmount
    private let onStall: @Sendable () -> Void
    private let lastProgress = Atomic<UInt64>(NIODeadline.now().uptimeNanoseconds)
    private let stalled = Atomic(false)
    private let timer = Mutex(Timer())

    private init(limit: Duration, onStall: @escaping @Sendable () -> Void) {
        self.limit = TimeAmount(limit)
        self.onStall = onStall
    }

    /// Bytes have moved.
    func progressed() { lastProgress.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed) }

    /// Whether the limit has passed.
    var hasStalled: Bool { stalled.load(ordering: .sequentiallyConsistent) }

    /// Runs a body under a watch, in the task and on the executor of the caller.
    nonisolated(nonsending) static func run<Outcome>(
        limit: Duration, onStall: @escaping @Sendable () -> Void,
        _ body: nonisolated(nonsending) (StallWatch) async throws -> Outcome
    ) async throws -> Outcome {
        let watch = StallWatch(limit: limit, onStall: onStall)
        // The loop of this thread if it is one, for there a timer costs least.
        watch.schedule(in: watch.limit, on: MultiThreadedEventLoopGroup.singleton.any())
        defer { watch.end() }
        return try await body(watch)
    }

    private func schedule(in delay: TimeAmount, on loop: any EventLoop) {
        // A loop that is shut down takes none; then the program ends.
        guard let callback = try? loop.scheduleCallback(in: delay, handler: self) else { return }
        timer.withLock { timer in
            if timer.isOver { callback.cancel() } else { timer.callback = callback }
        }
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        let last = NIODeadline.uptimeNanoseconds(lastProgress.load(ordering: .relaxed))
        let left = last + limit - .now()
        guard left <= .zero else { return schedule(in: left, on: eventLoop) }
        // The exchange may have ended while this was on its way.
        guard !timer.withLock({ $0.isOver }) else { return }
        stalled.store(true, ordering: .sequentiallyConsistent)
        onStall()
    }

    private func end() {
        timer.withLock { timer in
            timer.isOver = true
            timer.callback?.cancel()
            timer.callback = nil
        }
    }
}
