import Dispatch
import GoopCore
import Synchronization
import Testing

@testable import GoopStore

/// What those who watch a table hear of the transactions that change it.
@Suite(.timeLimit(.minutes(1))) struct WatchedTableTests {
    /// Writes rows of `notes` as the owner.
    private static func rows(_ transaction: WriteTransaction) throws -> RowWriter {
        RowWriter(
            transaction: transaction, table: try transaction.catalogue.table("notes"), caller: .owner, role: .noGroups)
    }

    @Test func whoBeginsToWatchDuringATransactionMissesNothingOfIt() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        let writer = fixture.store.writer
        let release = DispatchSemaphore(value: 0)
        let (isHeld, held) = AsyncStream.makeStream(of: Void.self)
        async let written = writer.write(of: .owner, cost: 1, isHeavy: false) { transaction in
            let rows = try Self.rows(transaction)
            // Nobody watches yet.
            _ = try rows.insert(["title": "before"])
            held.yield()
            // Not without end, so that the test ends when it fails.
            _ = release.wait(timeout: .now() + 30)
            return try rows.insert(["title": "behind"])
        }
        for await _ in isHeld { break }
        let hasRead = Mutex(false)
        let watching = Task {
            let changes = try await fixture.store.changes(of: "notes", caller: fixture.ada)
            let titles = try await fixture.text(
                #"{"op":"pluck","table":"notes","column":"title","order":"_id"}"#, as: fixture.ada)
            hasRead.withLock { $0 = true }
            return (changes, titles)
        }
        while writer.waitingForEnd == 0, !hasRead.withLock({ $0 }) {
            try Task.checkCancellation()
            await Task.yield()
        }
        release.signal()
        _ = try await written
        let (changes, titles) = try await watching.value
        #expect(titles == #"["before","behind"]"#, "what is not told is read")
        #expect(writer.waitingForEnd == 0)
        // The stream ends with the store, behind what waits in it.
        await fixture.store.close()
        var heard: [Int64] = []
        for try await change in changes { heard.append(change.id) }
        #expect(heard == [2])
    }
}
