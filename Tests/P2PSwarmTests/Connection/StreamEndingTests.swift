import NIOCore
import P2PCore
import P2PSwarm
import Synchronization
import Testing

@Suite("How streams come to their end") struct StreamEndingTests {
    private final class Told: Sendable {
        let streams = Mutex<[MuxedStream]>([])
        let endings = Mutex<[StreamEnding]>([])
    }

    /// An engine of ours with one stream of the peer's, whose endings are noted.
    private func siege() throws -> (VirtualSiege, MuxedStream, Told) {
        let told = Told()
        let rig = try VirtualSiege { $0.onInboundStream = { stream in told.streams.withLock { $0.append(stream) } } }
        rig.peer.say(rig.peer.frame(.windowUpdate, .syn, 1))
        rig.loop.run()
        let stream = try #require(told.streams.withLock { $0.popLast() })
        stream.whenEnding { ending in told.endings.withLock { $0.append(ending) } }
        return (rig, stream, told)
    }

    @Test(
        "a stream that is closed is served once the peer has room for all of it, and over when the peer ends its side")
    func servedThenOver() throws {
        let (rig, stream, told) = try self.siege()
        // A window, and a quarter of one.
        for _ in 0..<5 { _ = try stream.writeNow(ByteBuffer(repeating: 0, count: 64 * 1024)) }
        stream.flushNow()
        stream.closeNow()
        rig.loop.run()
        #expect(told.endings.withLock { $0 } == [])
        rig.peer.say(rig.peer.frame(.windowUpdate, [], 1, 64 * 1024))
        rig.loop.run()
        #expect(told.endings.withLock { $0 } == [.served])
        rig.peer.say(rig.peer.frame(.windowUpdate, .fin, 1))
        rig.loop.run()
        #expect(told.endings.withLock { $0 } == [.served, .over])
    }

    @Test("a stream whose user has written the end and still reads is not served")
    func stillInUse() throws {
        let (rig, stream, told) = try self.siege()
        try stream.finishNow()
        rig.loop.run()
        #expect(told.endings.withLock { $0 } == [])
        stream.closeNow()
        #expect(told.endings.withLock { $0 } == [.served])
        rig.peer.say(rig.peer.frame(.windowUpdate, .rst, 1))
        rig.loop.run()
        #expect(told.endings.withLock { $0 } == [.served, .over])
    }

    @Test("a stream that the peer has ended before, or that is reset, is over at once")
    func overAtOnce() throws {
        for isReset in [false, true] {
            let (rig, stream, told) = try self.siege()
            if !isReset { rig.peer.say(rig.peer.frame(.windowUpdate, .fin, 1)) }
            rig.loop.run()
            if isReset { stream.reset() } else { stream.closeNow() }
            #expect(told.endings.withLock { $0 } == [.over])
        }
    }
}
