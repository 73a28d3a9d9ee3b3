import NIOCore
import NIOEmbedded
import PeerIdentity
import Testing

@testable import GoopHTTP

/// Browsers that read little or nothing of a large file.
@Suite(.timeLimit(.minutes(1))) struct SlowBrowserTests {
    @Test func aSlowReaderIsNotTakenForOneThatHasGone() throws {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(StalledWriteHandler(timeout: .seconds(10)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let loop = channel.embeddedEventLoop
        // The mark is passed by the first of two writes: what counts is what waits behind both.
        channel.write(ByteBuffer(repeating: 0, count: 100), promise: nil)
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        channel.write(ByteBuffer(repeating: 0, count: 450_000), promise: nil)
        loop.run()
        let step = StalledWriteHandler.leastProgress
        for left in [400_000 - step, 400_000 - 2 * step] {
            channel.flush()
            channel.write(ByteBuffer(repeating: 0, count: left), promise: nil)
            loop.advanceTime(by: .seconds(10))
            #expect(channel.isActive, "it had read all but \(left)")
        }
        // One byte less than it must.
        channel.flush()
        channel.write(ByteBuffer(repeating: 0, count: 400_000 - 3 * step + 1), promise: nil)
        loop.advanceTime(by: .seconds(9))
        #expect(channel.isActive)
        loop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive, "it had read next to nothing")
        _ = try channel.finish(acceptAlreadyClosed: true)
    }

    /// What nobody takes is not fetched: the owner is asked for no more than sockets and one run hold, and hears of the end.
    @Test func aBrowserThatReadsNothingHoldsUpTheOwner() async throws {
        let peer = PrivateKey.generate().peerID
        var file = FakeBackend.File("", mediaType: "application/octet-stream")
        let chunk = ByteBuffer(repeating: UInt8(ascii: "x"), count: 65_536)
        file.chunks = Array(repeating: chunk, count: 2048)
        file.run = 4
        let backend = FakeBackend()
        backend.set(.files(["/big.bin": file]), of: peer)
        try await withViewer(backend, configure: { $0.stalledWriteTimeout = .milliseconds(100) }) { port in
            try await RawConnection.open(port: port) { connection in
                try await connection.send("GET /p/\(peer)/big.bin HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n")
                while backend.discarded == 0 { await Task.yield() }
                #expect((4...1024).contains(backend.given), "\(backend.given) of 2048 chunks")
            }
        }
    }
}
