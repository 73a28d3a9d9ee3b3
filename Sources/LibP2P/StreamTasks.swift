import NIOCore
import Synchronization

/// The tasks that serve streams, or those of the shutdown hooks, so that a stopping node can end them and wait for them.
///
/// How many serve streams is bounded by the reservations that streams need.
final class StreamTasks: Sendable {
    private struct State {
        var next: UInt64 = 1
        var tasks: [UInt64: Task<Void, Never>] = [:]
        var isClosed = false
        var drained: EventLoopPromise<Void>?
    }

    private let state = Mutex(State())

    /// Runs `body` as a task, unless all have been cancelled.
    func spawn(on executor: (any TaskExecutor)?, _ body: @escaping @Sendable () async -> Void) {
        self.enter { number in
            Task(executorPreference: executor) {
                await body()
                self.ended(number)
            }
        }
    }

    /// Runs a stream's handler.
    ///
    /// Written out, not generic and not through the other form: the frames of a handler that waits in `read` then fit the task's
    /// first slab of a kilobyte, and each idle stream needs one less.
    func spawn(
        on executor: (any TaskExecutor)?, with stream: P2PStream,
        _ body: @escaping @Sendable (P2PStream) async -> Void
    ) {
        self.enter { number in
            Task(executorPreference: executor) {
                await body(stream)
                self.ended(number)
            }
        }
    }

    private func enter(_ start: (UInt64) -> Task<Void, Never>) {
        self.state.withLock { state in
            guard !state.isClosed else { return }
            let number = state.next
            state.next &+= 1
            state.tasks[number] = start(number)
        }
    }

    private func ended(_ number: UInt64) {
        let drained: EventLoopPromise<Void>? = self.state.withLock { state in
            state.tasks[number] = nil
            return state.tasks.isEmpty ? state.drained : nil
        }
        drained?.succeed()
    }

    /// Cancels all, now and in future.
    func cancelAll() {
        let tasks = self.state.withLock { state in
            state.isClosed = true
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
    }

    /// Waits for all, but not longer than `patience`: a handler that ignores both its cancellation and the end of its stream
    /// must not keep the node.
    func drain(on loop: any EventLoop, patience: TimeAmount) async {
        let promise = loop.makePromise(of: Void.self)
        let isEmpty = self.state.withLock { state in
            state.drained = promise
            return state.tasks.isEmpty
        }
        if isEmpty { promise.succeed() }
        let timer = loop.scheduleTask(in: patience) { promise.succeed() }
        // The promise only ever succeeds.
        try? await promise.futureResult.get()
        timer.cancel()
    }
}
