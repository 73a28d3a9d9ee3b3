import GoopTestKit
import NIOCore
import P2PCore
import P2PSwarm
import Testing

/// Error codes of go-yamux 5 over a whole connection. The go programs of `interop/` have go-yamux 4, which sends none.
///
/// Source: libp2p's yamux and error code specifications (pull requests 622 and 623), as go-libp2p 0.48 follows them.
/// `docs/interop.md` lists these tests.
@Suite("Replayed: a connection with newer go", .timeLimit(.minutes(1))) struct NewerGoConnectionTests {
    @Test("a reset tells its stream why, and ends no other; a go-away tells the connection why")
    func codes() async throws {
        let siege = try await Siege()
        // Streams 1 and 3 are opened, and one says two bytes.
        let opening = "000100010000000100000000" + "000100010000000300000000" + "000000000000000100000002" + "abcd"
        try await siege.attack { $0.say(hex(opening)) }
        var inbound = siege.inbound.makeAsyncIterator()
        let first = try #require(await inbound.next())
        let second = try #require(await inbound.next())
        #expect(try await first.read().map { Array($0.readableBytesView) } == [0xab, 0xcd])

        try await siege.attack { $0.say(hex("000100080000000100001003")) }
        await #expect(throws: StreamError.reset(code: 0x1003, byPeer: true)) { try await first.read() }
        try await siege.attack { $0.say(hex("000000000000000300000001" + "ef")) }
        #expect(try await second.read().map { Array($0.readableBytesView) } == [0xef])

        try await siege.attack { peer in
            peer.say(hex("000300000000000000001005"))
            peer.hangUp()
        }
        #expect(try await siege.connection.closeFuture.get() == .remote(code: 0x1005))
    }
}
