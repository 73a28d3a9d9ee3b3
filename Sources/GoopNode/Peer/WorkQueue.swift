import Synchronization

/// Runs work for keys: never twice at a time for one key, few in all, the rest in order.
///
/// At the bound of waiting keys a new one is refused. A key that is asked for while it waits or runs is not run again.
final class WorkQueue<Key: Hashable & Sendable>: Sendable {
    private let width: Int
    private let stream: AsyncStream<Key>
    private let continuation: AsyncStream<Key>.Continuation
    private let pending = Mutex<Set<Key>>([])
    private let capacity: Int

    /// - Parameters:
    ///   - width: how many run at a time.
    ///   - capacity: how many wait or run at most.
    init(width: Int, capacity: Int) {
        self.width = max(1, width)
        self.capacity = max(1, capacity)
        (stream, continuation) = AsyncStream.makeStream(of: Key.self, bufferingPolicy: .bufferingOldest(capacity))
    }

    /// Asks for work on a key; false if it is under way already or the queue is full.
    @discardableResult
    func request(_ key: Key) -> Bool {
        let isNew = pending.withLock { $0.count < capacity && $0.insert(key).inserted }
        guard isNew else { return false }
        if case .enqueued = continuation.yield(key) { return true }
        pending.withLock { _ = $0.remove(key) }
        return false
    }

    /// Works until cancelled. To be called once.
    func run(_ work: @escaping @Sendable (Key) async -> Void) async {
        await withTaskGroup(of: Void.self) { group in
            var active = 0
            for await key in stream {
                if active >= width {
                    await group.next()
                    active -= 1
                }
                group.addTask {
                    await work(key)
                    self.pending.withLock { _ = $0.remove(key) }
                }
                active += 1
            }
            group.cancelAll()
        }
    }
}
