import GoopCore
import Synchronization
import Testing

@testable import GoopHTTP

@Suite("Limits of time", .timeLimit(.minutes(1))) struct DeadlineTests {
    private let loop = TimerLoop()

    @Test func anAnswerOrAFailureTakesItsTimerAlong() async {
        let answer = await withDeadline(.seconds(20), on: loop, else: DataError.late(.seconds(20))) {
            () async throws(DataError) -> Int in 7
        }
        #expect(answer == .success(7))
        let busy = DataError(code: .busy, message: "busy", detail: "")
        let failure = await withDeadline(.seconds(20), on: loop, else: DataError.late(.seconds(20))) {
            () async throws(DataError) -> Int in throw busy
        }
        #expect(failure == .failure(busy))
        #expect(loop.started == 2 && loop.waiting == 0)
    }

    @Test func pastTheLimitTheWorkIsEndedAndCalledLate() async throws {
        async let answer = withDeadline(.seconds(20), on: loop, else: SiteError.late(.seconds(20))) {
            () async throws(SiteError) -> Int in
            await untilCancelled()
            throw SiteError(kind: .unreachable)
        }
        await loop.waits(for: 1)
        try await loop.fire()
        #expect(await answer == .failure(SiteError(kind: .timedOut, detail: "no answer within 20.0 seconds")))
    }

    @Test func anAnswerThatComesAllTheSameIsTaken() async throws {
        async let answer = withDeadline(.seconds(20), on: loop, else: SiteError.late(.seconds(20))) {
            () async throws(SiteError) -> Int in
            await untilCancelled()
            return 7
        }
        await loop.waits(for: 1)
        try await loop.fire()
        #expect(await answer == .success(7))
    }

    @Test func whatABusyMachineHasNotLetBeginIsNotLate() async throws {
        let busy = DataError(code: .busy, message: "busy", detail: "")
        loop.hold()
        async let answer = withDeadline(.seconds(20), on: loop, else: DataError.late(.seconds(20))) {
            () async throws(DataError) -> Int in throw busy
        }
        await loop.waits(for: 1)
        try await loop.fire()
        loop.letGo()
        #expect(await answer == .failure(busy))
    }

    @Test func whoGivesUpEndsTheWorkAndItsTimer() async {
        let asked = Task {
            await withDeadline(.seconds(20), on: loop, else: SiteError.late(.seconds(20))) {
                () async throws(SiteError) -> Int in
                await untilCancelled()
                throw SiteError(kind: .unreachable)
            }
        }
        await loop.waits(for: 1)
        asked.cancel()
        #expect(await asked.value == .failure(SiteError(kind: .unreachable)))
        #expect(loop.waiting == 0)
    }

    @Test func aSenderThatStandsStillIsNotWaitedFor() async throws {
        let progress = StreamProgress()
        let copied = Task {
            try await withStallLimit(.seconds(30), of: progress, on: loop) {
                await untilCancelled()
                throw CancellationError()
            }
        }
        // A chunk has come, and its reader is slow: however long that takes, it is not the sender's.
        await loop.waits(for: 1)
        progress.advance()
        for _ in 0..<3 {
            try await loop.fire()
            await loop.waits(for: 1)
        }
        // The next one is awaited for a whole limit, and a second one comes in time.
        progress.advance()
        try await loop.fire()
        await loop.waits(for: 1)
        progress.advance()
        progress.advance()
        try await loop.fire()
        await loop.waits(for: 1)
        try await loop.fire()
        let late = await #expect(throws: SiteError.self) { try await copied.value }
        #expect(late?.kind == .timedOut)
        try await loop.settle()
        #expect(loop.started > 0 && loop.waiting == 0)
    }

    @Test func whatEndsInOrderTakesItsTimerAlong() async throws {
        let sent = try await withStallLimit(.seconds(30), of: StreamProgress(), on: loop) { 7 }
        #expect(sent == 7)
        try await loop.settle()
        #expect(loop.started > 0 && loop.waiting == 0)
    }
}
