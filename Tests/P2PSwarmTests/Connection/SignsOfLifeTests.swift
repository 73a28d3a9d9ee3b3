import P2PCore
import Testing

@testable import P2PSwarm

/// What keeps a slow connection, on a clock that the test moves.
@Suite struct SignsOfLifeTests {
    @Test("a large frame that comes slowly is life in every piece")
    func slowFrame() throws {
        let rig = try VirtualSiege()
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

    @Test(
        "a peer that is asked for a sign of life has ten seconds, wherever the connection's own next question would be")
    func probe() throws {
        let rig = try VirtualSiege()
        let connection = try #require(rig.connection)
        func asked() -> [UInt32] { rig.peer.headers.filter { $0.kind == .ping && $0.flags == .syn }.map(\.length) }
        // The first question comes by itself.
        rig.peer.say(rig.peer.frame(.ping, .ack, 0, 1))
        rig.loop.run()
        rig.loop.advanceTime(by: .seconds(3))
        connection.probe()
        rig.loop.run()
        #expect(asked() == [1, 2] && connection.isInDoubt)
        rig.peer.say(rig.peer.frame(.ping, .ack, 0, 2))
        rig.loop.run()
        #expect(!connection.isInDoubt)
        rig.loop.advanceTime(by: .seconds(3))
        connection.probe()
        connection.probe()
        rig.loop.run()
        #expect(asked() == [1, 2, 3] && connection.isInDoubt, "one question at a time")
        rig.loop.advanceTime(by: .milliseconds(9_999))
        #expect(rig.reason == nil)
        rig.loop.advanceTime(by: .milliseconds(1))
        #expect(rig.reason == .yamux(.keepAliveTimedOut))
        // Nobody is asked any more.
        connection.probe()
        rig.loop.run()
        #expect(asked() == [1, 2, 3])
    }

    @Test("a full pipe that goes on sending is slow; one that does not is dead")
    func slowPipe() throws {
        let rig = try VirtualSiege()
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
        let rig = try VirtualSiege { $0.maximumControlBytes = 10 * YamuxHeader.length }
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

    @Test(
        "closing ends at its time: once that if the peer only says nothing any more, twice if it takes nothing either",
        arguments: [false, true])
    func closing(takesNothing: Bool) throws {
        let rig = try VirtualSiege()
        rig.peer.isFrozen = true
        if takesNothing {
            rig.pipe.isWritable = false
            rig.receiver?.pipeWritabilityChanged()
            // The answer to this waits for the pipe.
            rig.peer.say(rig.peer.frame(.ping, .syn, 0))
            rig.loop.run()
        }
        rig.connection?.close()
        rig.loop.advanceTime(by: takesNothing ? .milliseconds(1_999) : .milliseconds(999))
        #expect(rig.reason == nil)
        rig.loop.advanceTime(by: .milliseconds(1))
        #expect(rig.reason == .local(code: 0))
    }
}
