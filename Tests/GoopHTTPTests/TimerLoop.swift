import Dispatch
import NIOCore
import NIOPosix
import Synchronization

/// An event loop whose timers fire when a test says so. All else runs on a loop of the system.
final class TimerLoop: EventLoop {
    private struct Timers {
        var waiting: [Int: (fire: @Sendable () -> Void, drop: @Sendable () -> Void)] = [:]
        var next = 0
        /// What is to run once the loop is let go; nil while it is not held.
        var held: [@Sendable () -> Void]?
    }

    private let real = MultiThreadedEventLoopGroup.singleton.next()
    private let timers = Mutex(Timers())
    private let changes = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    /// Timers that have neither fired nor been cancelled.
    var waiting: Int { timers.withLock { $0.waiting.count } }
    /// Timers that there ever were.
    var started: Int { timers.withLock { $0.next } }

    /// Waits until so many timers wait. The suites bound the time.
    func waits(for count: Int) async {
        if waiting == count { return }
        for await _ in changes.stream where waiting == count { return }
    }

    /// Their time has come, for all that wait; returns when they have run.
    func fire() async throws {
        let due = timers.withLock { timers in
            defer { timers.waiting = [:] }
            return timers.waiting.sorted { $0.key < $1.key }.map(\.value.fire)
        }
        try await real.submit { for timer in due { timer() } }.get()
    }

    /// Returns when the loop has done what it was told before.
    func settle() async throws { try await real.submit {}.get() }

    func scheduleTask<T>(in delay: TimeAmount, _ task: @escaping @Sendable () throws -> T) -> Scheduled<T> {
        let promise = real.makePromise(of: T.self)
        let number = timers.withLock { timers in
            let number = timers.next
            timers.next += 1
            timers.waiting[number] = (
                fire: { do { promise.assumeIsolated().succeed(try task()) } catch { promise.fail(error) } },
                drop: { promise.fail(EventLoopError.cancelled) }
            )
            return number
        }
        changes.continuation.yield()
        return Scheduled(promise: promise) {
            self.timers.withLock { _ = $0.waiting.removeValue(forKey: number) }
            self.changes.continuation.yield()
        }
    }

    func scheduleTask<T>(
        deadline: NIODeadline, _ task: @escaping @Sendable () throws -> T
    ) -> Scheduled<T> { scheduleTask(in: deadline - .now(), task) }

    var inEventLoop: Bool { real.inEventLoop }

    func execute(_ task: @escaping @Sendable () -> Void) {
        let isHeld = timers.withLock { timers in
            timers.held?.append(task)
            return timers.held != nil
        }
        if !isHeld { real.execute(task) }
    }

    /// As if the machine were busy: nothing runs but timers, until it is let go.
    func hold() { timers.withLock { $0.held = [] } }

    func letGo() {
        let held = timers.withLock { timers in
            defer { timers.held = nil }
            return timers.held ?? []
        }
        for task in held { real.execute(task) }
    }

    deinit {
        // A promise that is neither kept nor broken would end the program, and hide which test failed.
        for timer in timers.withLock({ $0.waiting.values }) { timer.drop() }
    }

    /// Its loop is everybody's, and stays.
    func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
        queue.async { callback(nil) }
    }
}
