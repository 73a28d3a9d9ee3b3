import NIOCore
import P2PCore
import P2PSwarm
import Synchronization
import Testing

@Suite("Connections of which the peer says go-away, and which it does not close") struct GoAwayTests {
    private final class Held: Sendable {
        let streams = Mutex<[MuxedStream]>([])
    }

    /// An engine of ours with so many streams of the peer's, which then says go-away with code 5, and stays.
    private func siege(streams: Int) throws -> (VirtualSiege, Held) {
        let held = Held()
        let rig = try VirtualSiege {
            // The peer answers no pings.
            $0.yamux.keepAliveTimeout = .seconds(3600)
            $0.onInboundStream = { stream in held.streams.withLock { $0.append(stream) } }
        }
        for number in 0..<streams { rig.peer.say(rig.peer.frame(.windowUpdate, .syn, UInt32(number * 2 + 1))) }
        rig.loop.run()
        rig.peer.say(rig.peer.frame(.goAway, [], 0, 5))
        return (rig, held)
    }

    @Test("without streams it is closed at once; a peer that does not answer that has the time that any other has")
    func deserted() throws {
        let (rig, _) = try self.siege(streams: 0)
        rig.loop.run()
        #expect(rig.reason == .remote(code: 5))

        let (silent, _) = try self.siege(streams: 0)
        silent.peer.isFrozen = true
        silent.loop.run()
        #expect(silent.reason == nil)
        silent.loop.advanceTime(by: .seconds(1))
        silent.loop.run()
        #expect(silent.reason == .remote(code: 5))
    }

    @Test("streams go on, and it is closed when the last of them has ended")
    func lastStream() throws {
        let (rig, held) = try self.siege(streams: 2)
        rig.loop.run()
        let streams = held.streams.withLock { $0 }
        #expect(streams.count == 2 && rig.reason == nil)
        streams.first?.reset()
        rig.loop.run()
        #expect(rig.reason == nil)
        // The other one ends in order.
        rig.peer.say(rig.peer.frame(.data, .fin, 3))
        rig.loop.run()
        #expect(rig.reason == nil)
        streams.last?.closeNow()
        rig.loop.run()
        #expect(rig.reason == .remote(code: 5))
        #expect(rig.peer.headers.contains { $0.streamID == 3 && $0.flags.contains(.fin) })
    }

    @Test("streams that do not end keep it for half a minute")
    func grace() throws {
        let (rig, held) = try self.siege(streams: 1)
        rig.loop.run()
        rig.loop.advanceTime(by: .seconds(30))
        rig.loop.run()
        #expect(rig.reason == nil)
        rig.loop.advanceTime(by: .seconds(1))
        rig.loop.run()
        #expect(rig.reason == .remote(code: 5))
        let stream = try #require(held.streams.withLock { $0.first })
        #expect(throws: StreamError.connectionClosed(.remote(code: 5))) { _ = try stream.readNow() }
    }
}
