internal import DequeModule

/// Messages of one kind that wait for one peer, in order, put together into one write's worth each.
///
/// The bytes are shared with the cache and the other peers' lines: waiting takes no copy.
struct MessageLine: Sendable {
    /// One write's worth of messages, each already a field of an RPC.
    struct Batch {
        var fields: [[UInt8]]
        var bytes: Int
        /// When the last of them came.
        var newest: MonotonicInstant
    }

    /// Frames are filled up to here when several small messages wait. rust-libp2p takes longer ones, more than 500
    /// messages, and more than 16 KiB of subscriptions and control for garbage, and resets the stream.
    static let comfortableFrameBytes = 64 << 10
    static let comfortableMessages = 400

    private(set) var batches = Deque<Batch>()
    /// Of all messages.
    private(set) var bytes = 0
    private let maximumBatches: Int

    init(maximumBatches: Int = .max) { self.maximumBatches = maximumBatches }

    var isEmpty: Bool { batches.isEmpty }

    /// Whether the number of batches leaves room for a message of this size.
    func takes(_ size: Int) -> Bool { sharesBatch(size) || batches.count < maximumBatches }

    /// Small messages share an RPC, so that a burst of them fits.
    private func sharesBatch(_ size: Int) -> Bool {
        guard let last = batches.last?.bytes, let count = batches.last?.fields.count else { return false }
        return last + size <= Self.comfortableFrameBytes && count < Self.comfortableMessages
    }

    mutating func append(_ field: [UInt8], now: MonotonicInstant) {
        if sharesBatch(field.count) {
            let last = batches.count - 1
            batches[last].fields.append(field)
            batches[last].bytes += field.count
            batches[last].newest = now
        } else {
            batches.append(Batch(fields: [field], bytes: field.count, newest: now))
        }
        bytes += field.count
    }

    /// Moves the oldest messages into a frame, as many as fit beside the `size` bytes that it has. A frame that is still
    /// empty takes any batch.
    mutating func take(into fields: inout [[UInt8]], size: inout Int) {
        while let bytes = batches.first?.bytes, let count = batches.first?.fields.count,
            size == 0 || size + bytes <= Self.comfortableFrameBytes,
            fields.isEmpty || fields.count + count <= Self.comfortableMessages
        {
            let batch = batches.removeFirst()
            self.bytes -= batch.bytes
            size += batch.bytes
            fields += batch.fields
        }
    }

    /// Drops the oldest batch.
    /// - Returns: how many messages that were.
    mutating func dropFirst() -> Int {
        guard let batch = batches.popFirst() else { return 0 }
        bytes -= batch.bytes
        return batch.fields.count
    }

    /// Drops the oldest messages until no more bytes than this wait.
    mutating func drop(to level: Int) -> Int {
        var dropped = 0
        while bytes > level { dropped += dropFirst() }
        return dropped
    }

    /// Drops what has waited so long. Messages that share an RPC go together, with the last of them.
    mutating func drop(after time: Duration, now: MonotonicInstant) -> Int {
        var dropped = 0
        while let newest = batches.first?.newest, newest.advanced(by: time) <= now { dropped += dropFirst() }
        return dropped
    }
}
