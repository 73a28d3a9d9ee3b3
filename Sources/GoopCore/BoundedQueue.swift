import Synchronization

/// Hands things over in their order to one reader that may be behind: by so many of them, and by so many bytes.
///
/// What finds no room is refused, and not dropped in silence: whoever puts it says what the reader hears instead.
package struct BoundedQueue<Element: Sendable>: Sendable {
    private struct Entry: Sendable {
        let element: Element
        let cost: Int
    }

    /// The bytes of what waits and of what the reader has in hand.
    private final class Load: Sendable {
        private let bytes = Mutex<(all: Int, inHand: Int)>((0, 0))

        func add(_ cost: Int, limit: Int) -> Bool {
            bytes.withLock { bytes in
                guard bytes.all == 0 || bytes.all + cost <= limit else { return false }
                bytes.all += cost
                return true
            }
        }

        func remove(_ cost: Int) { bytes.withLock { $0.all -= cost } }

        func take(_ cost: Int) { bytes.withLock { $0.inHand = cost } }

        func putDown() {
            bytes.withLock { bytes in
                bytes.all -= bytes.inHand
                bytes.inHand = 0
            }
        }
    }

    private let sink: AsyncThrowingStream<Entry, any Error>.Continuation
    private let load = Load()
    private let costLimit: Int

    /// Makes a queue, and the one stream that reads it. Whoever lets the stream go ends it.
    ///
    /// - Parameters:
    ///   - limit: how many may wait, beside the one that the reader has in hand.
    ///   - costLimit: bytes of those that wait and of the one in hand, which counts until the reader asks for the next. A
    ///     single one may have more.
    package static func make(
        limit: Int, costLimit: Int
    ) -> (elements: AsyncThrowingStream<Element, any Error>, queue: BoundedQueue) {
        let (entries, sink) = AsyncThrowingStream.makeStream(
            of: Entry.self, throwing: (any Error).self, bufferingPolicy: .bufferingOldest(limit))
        let queue = BoundedQueue(sink: sink, costLimit: costLimit)
        let load = queue.load
        let elements = AsyncThrowingStream<Element, any Error> {
            load.putDown()
            for try await entry in entries {
                load.take(entry.cost)
                return entry.element
            }
            return nil
        }
        return (elements, queue)
    }

    private init(sink: AsyncThrowingStream<Entry, any Error>.Continuation, costLimit: Int) {
        self.sink = sink
        self.costLimit = costLimit
    }

    /// Puts one behind the others.
    /// - Returns: false, and nothing was put, if there is no room or no reader any more.
    package func put(_ element: Element, cost: Int) -> Bool {
        guard load.add(cost, limit: costLimit) else { return false }
        guard case .enqueued = sink.yield(Entry(element: element, cost: cost)) else {
            load.remove(cost)
            return false
        }
        return true
    }

    /// Nothing more comes; what waits is still read, then the error.
    package func finish(throwing error: (any Error)? = nil) { sink.finish(throwing: error) }

    /// Says what is done once the reader has gone, or nothing more comes. To be called once.
    package func onEnd(_ body: @escaping @Sendable () -> Void) { sink.onTermination = { _ in body() } }
}
