import LibP2P
import Logging
import NIOCore
import NIOEmbedded
import Testing

@testable import P2PDaemon

@Suite(.timeLimit(.minutes(1))) struct ControlHandlerTests {
    /// The way to a client that takes so many answers and then no more.
    private final class ClientBuffer: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        var room: Int
        /// How often the handler asked for more of the client's bytes.
        private(set) var reads = 0

        init(room: Int) { self.room = room }

        func read(context: ChannelHandlerContext) {
            reads += 1
            context.read()
        }

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            context.write(data, promise: promise)
            room -= 1
            if room == 0 { tell(context.channel, isWritable: false) }
        }

        func makeRoom(_ room: Int, at channel: EmbeddedChannel) {
            self.room = room
            tell(channel, isWritable: true)
        }

        private func tell(_ channel: any Channel, isWritable: Bool) {
            (channel as? EmbeddedChannel)?.isWritable = isWritable
            channel.pipeline.fireChannelWritabilityChanged()
        }
    }

    private func client(room: Int) throws -> (channel: EmbeddedChannel, buffer: ClientBuffer) {
        let server = ControlServer(
            node: Node(configuration: .init(identity: .generate())), pubSub: nil,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        let channel = EmbeddedChannel()
        let buffer = ClientBuffer(room: room)
        let handler = ControlHandler(
            ControlService(server: server, number: 1), executor: Node.executor(on: channel.eventLoop))
        try channel.pipeline.syncOperations.addHandlers([buffer, handler])
        return (channel, buffer)
    }

    private func answers(_ channel: EmbeddedChannel) throws -> Int {
        var count = 0
        while try channel.readOutbound(as: ByteBuffer.self) != nil { count += 1 }
        return count
    }

    /// Each of these zeros is a message without a type, which is answered with an error.
    @Test func aClientThatTakesNoAnswersIsNotServedOn() throws {
        let (channel, buffer) = try client(room: 10)
        channel.read()
        #expect(buffer.reads == 1)
        try channel.writeInbound(ByteBuffer(repeating: 0, count: 1_000))
        #expect(try answers(channel) == 10)
        channel.read()
        #expect(buffer.reads == 1, "what more the client sends waits in its socket")
        buffer.makeRoom(20, at: channel)
        #expect(try answers(channel) == 20)
        #expect(buffer.reads == 1)
        buffer.makeRoom(2_000, at: channel)
        #expect(try answers(channel) == 970, "none is lost")
        #expect(buffer.reads == 2)
        _ = try channel.finish()
    }

    @Test func aClientThatEndsItsSideStillGetsAllAnswers() throws {
        let (channel, buffer) = try client(room: 10)
        try channel.writeInbound(ByteBuffer(repeating: 0, count: 30))
        channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(try answers(channel) == 10)
        buffer.makeRoom(10, at: channel)
        #expect(try answers(channel) == 10)
        buffer.makeRoom(100, at: channel)
        // Behind the last one comes the empty write that the end waits for.
        #expect(try answers(channel) == 11)
        channel.embeddedEventLoop.run()
        try channel.closeFuture.wait()
    }
}
