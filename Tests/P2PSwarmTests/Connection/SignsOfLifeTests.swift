import NIOCore
import NIOEmbedded
import P2PCore
import P2PSwarm
import Testing

/// What keeps a slow connection, on a clock that the test moves.
@Suite struct SignsOfLifeTests {
    /// An engine of ours and a peer that answers no ping, on one virtual loop.
    private final class Rig {
        let loop = EmbeddedEventLoop()
        let pipe: MemoryPipe
        let peer: HostilePeer
        var receiver: (any BytePipeReceiver)?
        private(set) var reason: CloseReason?
        private var accepted: AsyncStream<MuxedStream>

        init(_ configure: (inout ConnectionConfiguration) -> Void = { _ in }) throws {
            let (configuration, accepted, _) = try ConnectionPair.configuration(configure)
            self.accepted = accepted
            let link = MemoryPipe.Link(pieceBytes: .max, breaksAfter: .max)
            self.pipe = MemoryPipe(self.loop, link)
            let far = MemoryPipe(self.loop, link)
            self.peer = HostilePeer(pipe: far)
            let address = ConnectionPair.address(nil)
            let (receiver, connection) = MuxedConnection.upgrade(
                self.pipe, role: .responder, localAddress: address, remoteAddress: address,
                configuration: configuration, keys: ConnectionPair.keys())
            self.receiver = receiver
            self.pipe.receiver = receiver
            far.receiver = self.peer
            self.pipe.other = far
            far.other = self.pipe
            connection.flatMap(\.closeFuture).assumeIsolated().whenSuccess { self.reason = $0 }
            receiver.pipeOpened()
            self.peer.pipeOpened()
            self.loop.run()
        }
    }

    @Test("a large frame that comes slowly is life in every piece")
    func slowFrame() throws {
        let rig = try Rig()
        let size = YamuxConfiguration.initialWindow
        rig.peer.say(rig.peer.frame(.data, .syn, 1, size))
        for _ in 0..<(size / 1024) {
            rig.loop.advanceTime(by: .milliseconds(240))
            rig.peer.say([UInt8](repeating: 1, count: 1024))
            rig.loop.run()
        }
        #expect(rig.reason == nil)
        // Then nothing more.
        rig.loop.advanceTime(by: .seconds(40))
        #expect(rig.reason == .yamux(.keepAliveTimedOut))
    }

    @Test("a full pipe that goes on sending is slow; one that does not is dead")
    func slowPipe() throws {
        let rig = try Rig()
        rig.pipe.isWritable = false
        rig.pipe.unsentBytes = 1_000_000
        rig.receiver?.pipeWritabilityChanged()
        func live(seconds: Int, sending bytes: Int) {
            for _ in 0..<seconds {
                rig.loop.advanceTime(by: .seconds(1))
                rig.pipe.unsentBytes -= bytes
                rig.peer.say(rig.peer.frame(.windowUpdate, [], 99, 1))
                rig.loop.run()
            }
        }
        live(seconds: 120, sending: 1000)
        #expect(rig.reason == nil)
        live(seconds: 61, sending: 0)
        #expect(rig.reason == .yamux(.writeTimedOut))
    }

    @Test("a peer that makes us answer and takes none of it is cut off")
    func controlFlood() throws {
        let rig = try Rig { $0.maximumControlBytes = 10 * YamuxHeader.length }
        rig.pipe.isWritable = false
        rig.receiver?.pipeWritabilityChanged()
        func ask() {
            rig.peer.say(rig.peer.frame(.ping, .syn, 0))
            rig.loop.run()
        }
        for _ in 0..<10 { ask() }
        #expect(rig.reason == nil)
        ask()
        #expect(rig.reason == .controlFlood)
    }
}
