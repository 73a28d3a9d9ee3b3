import NIOCore

/// Closes a connection whose other end has read next to nothing for too long, so that a reader who never reads cannot
/// keep a stream to a peer open. One that is slow may take its time, but must take `leastProgress` in each period.
final class StalledWriteHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Never

    private let timeout: TimeAmount
    /// Bytes: with two minutes, the slowest line that is served does half a kilobyte a second.
    static let leastProgress = 64 * 1024
    private var deadline: Scheduled<Void>?
    /// What the socket had not taken when last looked at, in bytes.
    private var unsent = 0

    init(timeout: TimeAmount) {
        self.timeout = timeout
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
        if !context.channel.isWritable {
            setDeadline(context)
            // Behind the writes of this turn: nothing is written after them until the socket takes all or most.
            context.eventLoop.assumeIsolated().execute {
                if self.deadline != nil { self.unsent = Self.unsent(of: context.channel) }
            }
        }
        context.fireChannelWritabilityChanged()
    }

    private func setDeadline(_ context: ChannelHandlerContext) {
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
            let unsent = Self.unsent(of: context.channel)
            guard unsent + Self.leastProgress <= self.unsent else { return context.close(promise: nil) }
            self.unsent = unsent
            self.setDeadline(context)
        }
    }

    /// Zero of a channel that is closing, or keeps no count.
    private static func unsent(of channel: any Channel) -> Int {
        (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        deadline = nil
    }
}
