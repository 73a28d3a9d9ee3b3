import GoopCore
import Synchronization
import Testing

@testable import GoopStore

/// What waits for a read of the owner, which may take half a minute.
@Suite(.timeLimit(.minutes(1))) struct LongReadTests {
    @Test func aLongReadOfTheOwnerStopsNoVisitor() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        let held = HeldReader(fixture.store, .owner)
        await held.begun()
        // As the writer does when the log is long.
        let isEmptied = Mutex(false)
        let (ends, end) = AsyncStream.makeStream(of: Void.self)
        fixture.store.readers.whileNobodyReads {
            isEmptied.withLock { $0 = true }
            end.yield()
        }
        for visitor in [fixture.ada, fixture.bob] {
            for _ in 0..<3 { try await fixture.ask(#"{"op":"count","table":"notes"}"#, as: visitor) }
        }
        #expect(!isEmptied.withLock { $0 }, "the log waits, and they do not")
        // The owner's next read waits with the log: reads that follow each other would keep it waiting for ever.
        let next = Task { try await fixture.text(#"{"op":"count","table":"notes"}"#) }
        await held.letGo()
        for await _ in ends { break }
        #expect(try await next.value == #"{"count":0}"#)
        await fixture.store.close()
    }
}
