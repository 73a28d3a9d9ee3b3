import NIOCore
import NIOPosix

/// Buffers shared by all connections of one event loop, so that idle connections own none.
///
/// Buffers that leave as slices come from small rings: a ring slot is used again without allocation when nobody holds
/// its bytes any more, and is replaced when somebody does.
final class LoopBuffers {
    /// What one outgoing buffer gathers before it is given to the pipe, and the largest read.
    static let batchBytes = 256 * 1024
    /// Reads up to this size are opened into a scratch buffer of which nothing leaves: small payloads are copied out.
    static let smallBytes = 16 * 1024
    private static let slots = 4
    private static let keptFrames = 4

    /// Holds one value for each thread.
    private nonisolated(unsafe) static let current = ThreadSpecificVariable<LoopBuffers>()

    /// Those of the event loop we run on.
    static func onThisThread() -> LoopBuffers {
        if let buffers = Self.current.currentValue { return buffers }
        let buffers = LoopBuffers()
        Self.current.currentValue = buffers
        return buffers
    }

    private var small = ByteBuffer()
    private var plaintext = [ByteBuffer](repeating: ByteBuffer(), count: LoopBuffers.slots)
    private var nextPlaintext = 0
    private var output = [ByteBuffer](repeating: ByteBuffer(), count: LoopBuffers.slots)
    private var nextOutput = 0
    private var frames: [ByteBuffer] = []

    /// An empty buffer of at least `capacity` bytes for opened bytes; give it back with `returnPlaintext`.
    func takePlaintext(capacity: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        if capacity <= Self.smallBytes {
            swap(&buffer, &self.small)
            buffer.clear(minimumCapacity: Self.smallBytes)
        } else {
            swap(&buffer, &self.plaintext[self.nextPlaintext])
            buffer.clear(minimumCapacity: max(capacity, Self.batchBytes))
        }
        return buffer
    }

    /// Remembers a buffer from `takePlaintext`, of which slices may be in use, to use its memory again.
    func returnPlaintext(_ buffer: ByteBuffer) {
        if buffer.capacity < Self.batchBytes {
            self.small = buffer
        } else {
            self.plaintext[self.nextPlaintext] = buffer
            self.nextPlaintext = (self.nextPlaintext + 1) % Self.slots
        }
    }

    /// An empty buffer with room for a batch; give it back with `returnOutput` before the next is taken.
    func takeOutput(capacity: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        swap(&buffer, &self.output[self.nextOutput])
        buffer.clear(minimumCapacity: capacity)
        return buffer
    }

    /// Remembers a buffer whose bytes are being sent, to use its memory again.
    func returnOutput(_ buffer: ByteBuffer) {
        self.output[self.nextOutput] = buffer
        self.nextOutput = (self.nextOutput + 1) % Self.slots
    }

    /// An empty buffer for a frame of which the end has not arrived.
    func takeFrame() -> ByteBuffer {
        var buffer = self.frames.popLast() ?? ByteBuffer()
        buffer.clear()
        return buffer
    }

    /// Takes back a buffer from `takeFrame`.
    func returnFrame(_ buffer: ByteBuffer) {
        if self.frames.count < Self.keptFrames { self.frames.append(buffer) }
    }
}
