import DequeModule
import NIOCore

/// Buffers in order, of which there is mostly none or one: that one lies in the queue itself, so that a stream which is idle, or
/// passes one message at a time, owns no memory for its queues.
struct BufferQueue {
    private(set) var first: ByteBuffer?
    /// Behind the first; empty while there is no first.
    private var others: Deque<ByteBuffer> = []

    var isEmpty: Bool { self.first == nil }

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

    /// Drops everything, and the memory for it.
    mutating func removeAll() {
        self.first = nil
        self.others = []
    }
}
