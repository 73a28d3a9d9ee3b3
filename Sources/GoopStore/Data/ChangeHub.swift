import GoopCore
import Synchronization

/// Hands changes to whoever watches a table.
///
/// A subscriber that is more than `capacity` changes or `costLimit` bytes behind loses its stream, with an error that says so:
/// it reads the table anew and subscribes again. Nobody else waits for it. A transaction that changes more than that in one
/// table ends the streams of all who watch it.
final class ChangeHub: Sendable {
    /// Changes that a subscriber can be behind.
    static let capacity = 256
    /// About the bytes of those; one change alone may have more.
    static let costLimit = 4 << 20
    /// Subscriptions of visitors. Those of the owner take no place of theirs; the viewer bounds them (`StreamPlaces`).
    static let shares = Shares(total: 512, perPeer: DataProtocol.maximumWatchesPerPeer, floor: 4)

    private struct Subscriber {
        let table: String
        let caller: DataCaller
        /// The rows that it hears of; nil: all.
        let owner: String?
        let queue: BoundedQueue<DataChange>
    }

    private struct State {
        var subscribers: [Int: Subscriber] = [:]
        var next = 0
        var isClosed = false
        var places = ChangeHub.shares

        mutating func remove(_ number: Int) -> Subscriber? {
            guard let subscriber = subscribers.removeValue(forKey: number) else { return nil }
            if let holder = subscriber.caller.holder { places.giveBack(of: holder) }
            return subscriber
        }
    }

    private let state = Mutex(State())

    /// Whether anybody watches a table.
    func isWatched(_ table: String) -> Bool {
        state.withLock { state in state.subscribers.values.contains { $0.table == table } }
    }

    /// Changes of a table from now on.
    ///
    /// - Parameter isStill: asked once the stream is among those that `end` reaches: whether what the caller may see was not
    ///   decided by a policy or a form of the table that has changed since. If it has, the stream ends with `conflict`.
    func subscribe(
        table: String, caller: DataCaller, owner: String?, isStill: () -> Bool
    ) throws(DataError) -> AsyncThrowingStream<DataChange, any Error> {
        let (stream, queue) = BoundedQueue<DataChange>.make(
            limit: ChangeHub.capacity, costLimit: ChangeHub.costLimit)
        let outcome = state.withLock { state -> Result<Int, DataError> in
            guard !state.isClosed else { return .failure(.closed) }
            if let holder = caller.holder {
                guard state.places.take(for: holder) else {
                    return .failure(
                        DataError(
                            code: .busy, message: "too many subscriptions", detail: "close pages that watch tables"))
                }
            }
            let number = state.next
            state.next += 1
            state.subscribers[number] = Subscriber(table: table, caller: caller, owner: owner, queue: queue)
            return .success(number)
        }
        let number = try outcome.get()
        queue.onEnd { [weak self] in self?.forget(number) }
        if !isStill() { queue.finish(throwing: ChangeHub.tableChanged) }
        return stream
    }

    private func forget(_ number: Int) { state.withLock { _ = $0.remove(number) } }

    /// Hands out what a commit changed, by table.
    func publish(_ changes: [String: TableChanges]) {
        guard !changes.isEmpty else { return }
        let subscribers = state.withLock { Array($0.subscribers) }
        for (number, subscriber) in subscribers {
            guard let changes = changes[subscriber.table], !ChangeHub.hand(changes, to: subscriber) else { continue }
            subscriber.queue.finish(throwing: ChangeHub.changesLost)
            forget(number)
        }
    }

    /// - Returns: false if one of them was lost.
    private static func hand(_ changes: TableChanges, to subscriber: Subscriber) -> Bool {
        guard !changes.areLost else { return false }
        for row in changes.rows {
            if let owner = subscriber.owner { guard owner == row.owner else { continue } }
            if row.isForOwnerOnly, subscriber.owner == nil { continue }
            guard subscriber.queue.put(row.change, cost: row.cost) else { return false }
        }
        return true
    }

    /// Ends the streams of tables whose policy or form changed: what their subscribers may see must be asked anew.
    func end(tables: (String) -> Bool) {
        let ended = state.withLock { state -> [Subscriber] in
            let ended = state.subscribers.filter { tables($0.value.table) }
            for number in ended.keys { _ = state.remove(number) }
            return Array(ended.values)
        }
        for subscriber in ended {
            subscriber.queue.finish(throwing: ChangeHub.tableChanged)
        }
    }

    private static let changesLost = DataError(
        code: .tooLarge, message: "changes were lost", detail: "read the table again")
    private static let tableChanged = DataError(
        code: .conflict, message: "the table changed", detail: "read the table again")

    /// Ends everything.
    func close() {
        let all = state.withLock { state -> [Subscriber] in
            state.isClosed = true
            defer {
                state.subscribers = [:]
                state.places = ChangeHub.shares
            }
            return Array(state.subscribers.values)
        }
        for subscriber in all { subscriber.queue.finish() }
    }
}
