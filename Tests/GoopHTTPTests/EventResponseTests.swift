import NIOCore
import Testing

@testable import GoopHTTP

@Suite("Streams of events: signs of life", .timeLimit(.minutes(1))) struct EventResponseTests {
    private let loop = TimerLoop()

    @Test func aQuietStreamGivesASignOfLifeEachTimeAndItsTimerGoesWithIt() async throws {
        let (beats, beat) = AsyncStream.makeStream(of: Void.self)
        let (ended, end) = AsyncStream.makeStream(of: Void.self)
        try await EventResponse.feed(every: .seconds(15), on: loop) {
            beat.yield()
        } read: {
            await untilCancelled()
            end.finish()
        } write: {
            var signs = beats.makeAsyncIterator()
            for _ in 0..<3 {
                await loop.waits(for: 1)
                try await loop.fire()
                await signs.next()
            }
            await loop.waits(for: 1)
        }
        try await loop.settle()
        #expect(loop.waiting == 0)
        // What was read beside it has ended too.
        for await _ in ended {}
    }

    @Test func aWriterThatFailsTakesTheTimerAlong() async throws {
        await #expect(throws: ChannelError.self) {
            try await EventResponse.feed(every: .seconds(15), on: loop) {
            } read: {
            } write: {
                await loop.waits(for: 1)
                throw ChannelError.ioOnClosedChannel
            }
        }
        try await loop.settle()
        #expect(loop.waiting == 0)
    }
}
