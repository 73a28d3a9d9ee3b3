import Synchronization

/// Ends an exchange that makes no progress.
///
/// One watcher a stream instead of a timer a chunk: the body says `progressed()` whenever bytes have moved, and if it has
/// not said so for the whole limit, `onStall` runs (it resets the stream, which ends the body).
final class StallWatch: Sendable {
    private let lastProgress: Mutex<ContinuousClock.Instant>
    private let stalled = Atomic(false)

    private init() { lastProgress = Mutex(.now) }

    /// Bytes have moved.
    func progressed() { lastProgress.withLock { $0 = .now } }

    /// Whether the limit has passed.
    var hasStalled: Bool { stalled.load(ordering: .sequentiallyConsistent) }

    /// Runs a body under a watch.
    static func run<Outcome: Sendable>(
        limit: Duration, onStall: @escaping @Sendable () -> Void,
        _ body: @escaping @Sendable (StallWatch) async throws -> Outcome
    ) async throws -> Outcome {
        let watch = StallWatch()
        return try await withThrowingTaskGroup(of: Outcome?.self) { group in
            group.addTask { try await body(watch) }
            group.addTask {
                while true {
                    let last = watch.lastProgress.withLock { $0 }
                    guard ContinuousClock.now - last < limit else { break }
                    try await Task.sleep(until: last + limit, clock: .continuous)
                }
                watch.stalled.store(true, ordering: .sequentiallyConsistent)
                onStall()
                return nil
            }
            defer { group.cancelAll() }
            while let outcome = try await group.next() {
                if let outcome { return outcome }
            }
            throw CancellationError()
        }
    }
}
