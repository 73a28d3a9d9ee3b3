import DequeModule
import NIOCore

/// Buffers in order, of which there is mostly none or one: that one lies in the queue itself, so that a stream which is idle, or
/// passes one message at a time, owns no memory for its queues.
struct BufferQueue {
    private(set) var first: ByteBuffer?
    /// Behind the first; empty while there is no first.
    private var others: Deque<ByteBuffer> = []

    var isEmpty: Bool { self.first == nil }
    var count: Int { self.first == nil ? 0 : 1 + self.others.count }

    mutating func append(_ buffer: ByteBuffer) {
        if self.first == nil { self.first = buffer } else { self.others.append(buffer) }
    }

    /// Takes the first, if there is one.
    mutating func popFirst() -> ByteBuffer? {
        guard let first = self.first else { return nil }
        self.first = self.others.popFirst()
        return first
    }

    /// Lets the first begin `count` bytes later; it has more than that.
    mutating func dropFromFirst(_ count: Int) { self.first?.moveReaderIndex(forwardBy: count) }

    /// Writes `bytes` behind the last buffer, unless that would hold more than `limit` then or there is none.
    mutating func extendLast(with bytes: ByteBuffer, limit: Int) -> Bool {
        if let last = self.others.indices.last {
            guard self.others[last].readableBytes + bytes.readableBytes <= limit else { return false }
            self.others[last].writeImmutableBuffer(bytes)
            return true
        }
        // Not bound to a name: a second reference would make the write copy what is there.
        guard let length = self.first?.readableBytes, length + bytes.readableBytes <= limit else { return false }
        self.first?.writeImmutableBuffer(bytes)
        return true
    }

    /// Puts a copy in the place of the last `count` buffers, unless their bytes are at least one `part`th of the largest
    /// storage among them.
    /// - Returns: whether it did.
    mutating func gatherLast(_ count: Int, unlessPartOfStorage part: Int) -> Bool {
        guard let first = self.first, count > 0, count <= self.count else { return false }
        let behind = self.others.suffix(count == self.count ? count - 1 : count)
        var bytes = behind.reduce(0) { $0 + $1.readableBytes }
        var storage = behind.reduce(0) { max($0, $1.storageCapacity) }
        let takesFirst = count == self.count
        if takesFirst {
            bytes += first.readableBytes
            storage = max(storage, first.storageCapacity)
        }
        guard bytes < storage / part else { return false }
        var copy = ByteBufferAllocator().buffer(capacity: bytes)
        if takesFirst { copy.writeImmutableBuffer(first) }
        for buffer in behind { copy.writeImmutableBuffer(buffer) }
        self.others.removeLast(behind.count)
        if takesFirst { self.first = copy } else { self.others.append(copy) }
        return true
    }

    /// Drops everything, and the memory for it.
    mutating func removeAll() {
        self.first = nil
        self.others = []
    }
}
