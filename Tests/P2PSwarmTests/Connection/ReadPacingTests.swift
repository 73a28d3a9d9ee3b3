import NIOCore
import Synchronization
import Testing

@testable import P2PSwarm

@Suite struct ReadPacingTests {
    private let largest = 256 * 1024

    @Test("large frames are read in large pieces")
    func bulk() {
        var pacing = ReadPacing(largestLimit: largest)
        for frames: UInt64 in [0, 1, 4, 8, 16, 17, 64] {
            let changed = pacing.turnEnded(frames: frames)
            #expect(!changed && pacing.limit == largest)
        }
    }

    @Test("a read of thousands of frames is followed by one of as many bytes as sixty-four of them have")
    func flood() {
        var pacing = ReadPacing(largestLimit: largest)
        var changes: [Bool] = []
        var limits: [Int] = []
        for frames: UInt64 in [4_096, 64, 65] {
            changes.append(pacing.turnEnded(frames: frames))
            limits.append(pacing.limit)
        }
        #expect(changes == [true, false, true])
        #expect(limits == [largest / 64, largest / 64, largest / 128])
    }

    @Test("it never falls below the smallest nor rises above the largest, whatever comes")
    func bounds() {
        var pacing = ReadPacing(largestLimit: largest)
        for frames: UInt64 in [.max, .max, 1_000_000, 65] {
            _ = pacing.turnEnded(frames: frames)
            #expect(pacing.limit == ReadPacing.smallestLimit)
        }
        let changes = (0..<8).map { _ in pacing.turnEnded(frames: 0) }
        #expect(changes == Array(repeating: true, count: 7) + [false])
        #expect(pacing.limit == largest)
    }
}

@Suite("Read pacing of a connection", .timeLimit(.minutes(1))) struct ConnectionPacingTests {
    /// The most that the channel's next read takes, asked behind the turn that is under way.
    private func limit(of channel: any Channel) async throws -> Int {
        let allocator = try await channel.getOption(.recvAllocator).get()
        return try #require(allocator as? AdaptiveRecvByteBufferAllocator).maximum
    }

    @Test("many frames in one read make the next one smaller, few make it large again")
    func wiring() async throws {
        let accepted = Mutex<(any Channel)?>(nil)
        try await ConnectionPair.withTCP(onAccept: { channel in accepted.withLock { $0 = channel } }) { pair in
            let channel = try #require(accepted.withLock { $0 })
            #expect(try await self.limit(of: channel) == LoopBuffers.batchBytes)
            // On the loop, so that all leave in one batch.
            let connection = pair.dialer.connection
            let streams = try await Task(executorPreference: connection.taskExecutor) {
                var streams: [MuxedStream] = []
                for _ in 0..<200 {
                    let stream = try await connection.openStream()
                    try await stream.send([1])
                    streams.append(stream)
                }
                return streams
            }.value
            var inbound: [MuxedStream] = []
            for await stream in pair.listener.inbound.prefix(streams.count) { inbound.append(stream) }
            #expect(try await self.limit(of: channel) < LoopBuffers.batchBytes)
            // One at a time, there and back: each a read of one frame.
            let (near, far) = (try #require(streams.last), try #require(inbound.last))
            for _ in 0..<10 {
                try await near.send([2])
                #expect(try await far.read() != nil)
                try await far.send([3])
                #expect(try await near.read() != nil)
            }
            #expect(try await self.limit(of: channel) == LoopBuffers.batchBytes)
        }
    }
}
