public import NIOCore

/// Runs tasks on an event loop: a stream handler started with this preference reads and writes without a thread change.
///
/// Use it for handlers that mostly move bytes; one that computes or blocks would hold up every connection of the loop.
public final class EventLoopTaskExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    /// An executor on `eventLoop`, which must outlive the tasks.
    public init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Hands a job to the event loop.
    public func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        self.eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
