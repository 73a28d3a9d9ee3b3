import Synchronization

/// The messages that wait for the reader of one subscription: bounded by number and by bytes, since a stranger's message may
/// have a megabyte.
final class SubscriptionQueue: Sendable {
    private let maximumBytes: Int
    private let messages: AsyncStream<PubSubMessage>
    private let continuation: AsyncStream<PubSubMessage>.Continuation
    private let waitingBytes = Atomic(0)

    /// - Parameter onEnd: called once when there will be no more messages: after `finish()`, or when a task is cancelled that
    ///   waits for one, which ends the sequence for everybody.
    init(maximumMessages: Int, maximumBytes: Int, onEnd: @escaping @Sendable () -> Void) {
        self.maximumBytes = maximumBytes
        (messages, continuation) = AsyncStream.makeStream(
            of: PubSubMessage.self, bufferingPolicy: .bufferingNewest(maximumMessages))
        continuation.onTermination = { _ in onEnd() }
    }

    /// Adds a message. Where there are too many the oldest makes room; where it has too many bytes it is lost itself.
    /// - Returns: how many were lost.
    func add(_ message: PubSubMessage) -> Int {
        let size = Self.size(of: message)
        guard waitingBytes.load(ordering: .relaxed) + size <= maximumBytes else { return 1 }
        waitingBytes.add(size, ordering: .relaxed)
        switch continuation.yield(message) {
        case .dropped(let lost):
            waitingBytes.subtract(Self.size(of: lost), ordering: .relaxed)
            return 1
        case .terminated:
            // Nobody reads any more: nothing is kept, and nothing is lost to anybody.
            waitingBytes.subtract(size, ordering: .relaxed)
            return 0
        default: return 0
        }
    }

    func makeIterator() -> AsyncStream<PubSubMessage>.Iterator { messages.makeAsyncIterator() }

    /// A reader has it now.
    func taken(_ message: PubSubMessage) { waitingBytes.subtract(Self.size(of: message), ordering: .relaxed) }

    func finish() { continuation.finish() }

    private static func size(of message: PubSubMessage) -> Int { message.data.count + message.encoded.count }
}
