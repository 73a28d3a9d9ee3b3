public import P2PCore

/// Events in the order of their time; equal times keep the order of insertion, so that a run can be repeated.
public struct EventQueue<Event: Sendable>: Sendable {
    private struct Entry {
        var time: MonotonicInstant
        var number: UInt64
        var event: Event

        func isBefore(_ other: Entry) -> Bool {
            time == other.time ? number < other.number : time < other.time
        }
    }

    /// A binary heap, earliest first.
    private var heap: [Entry] = []
    private var inserted: UInt64 = 0

    /// An empty queue.
    public init() {}

    /// The time of the next event.
    public var nextTime: MonotonicInstant? { heap.first?.time }

    /// Events waiting.
    public var count: Int { heap.count }

    /// Adds an event. O(log n).
    public mutating func insert(_ event: Event, at time: MonotonicInstant) {
        inserted += 1
        heap.append(Entry(time: time, number: inserted, event: event))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes the earliest event. O(log n).
    public mutating func popFirst() -> (time: MonotonicInstant, event: Event)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        return (first.time, first.event)
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].isBefore(heap[least])
            {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}
