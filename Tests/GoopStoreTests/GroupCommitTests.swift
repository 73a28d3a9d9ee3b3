import Dispatch
import GoopCore
import Synchronization
import Testing

@testable import GoopStore

/// Which writes share a commit while others wait all the time.
@Suite(.timeLimit(.minutes(1))) struct GroupCommitTests {
    private final class Seen: Sendable {
        private let state = Mutex<[Int64]>([])

        var counts: [Int64] { state.withLock { $0 } }

        func note(_ count: Int64) { state.withLock { $0.append(count) } }
    }

    /// Eight writes wait behind a first one; each adds a row.
    ///
    /// - Returns: how many rows were committed, as another connection saw it, when each of the eight began.
    private func committed(batch: Int, time: Duration) async throws -> [Int64] {
        var limits = WriteQueue.Limits()
        limits.batch = batch
        limits.batchTime = time
        let fixture = try StoreFixture(writeLimits: limits)
        try await fixture.makeNotes()
        let table = try await fixture.store.catalogue().table("notes")
        let writer = fixture.store.writer
        let path = fixture.path
        let seen = Seen()
        let release = DispatchSemaphore(value: 0)
        let (isHeld, held) = AsyncStream.makeStream(of: Void.self)
        let first = Task {
            try await writer.write(of: .owner, cost: 1, isHeavy: false) { transaction in
                held.yield()
                // Not without end, so that the test ends when it fails.
                _ = release.wait(timeout: .now() + 30)
                let rows = RowWriter(transaction: transaction, table: table, caller: .owner, role: .noGroups)
                return try rows.insert(["title": "first"])
            }
        }
        for await _ in isHeld { break }
        let others = (0..<8).map { _ in
            Task {
                try await writer.write(of: .owner, cost: 1, isHeavy: false) { transaction in
                    let count = CompiledFragment(sql: "SELECT COUNT(*) FROM \(table.quoted)")
                    let found = try ReadConnection(path: path).rows(
                        count, table: table, limits: DataStore.ownerLimits, isOwner: true)
                    seen.note(found.rows.first?.first?.int64 ?? -1)
                    let rows = RowWriter(transaction: transaction, table: table, caller: .owner, role: .noGroups)
                    return try rows.insert(["title": "another"])
                }
            }
        }
        while writer.waiting < others.count {
            try Task.checkCancellation()
            await Task.yield()
        }
        release.signal()
        _ = try await first.value
        for other in others { _ = try await other.value }
        await fixture.store.close()
        return seen.counts
    }

    @Test func whatWaitsAlreadySharesACommit() async throws {
        #expect(try await committed(batch: 256, time: .seconds(60)) == [0, 0, 0, 0, 0, 0, 0, 0])
    }

    /// However long others would be taken in: it does not wait for any.
    @Test func aWriteThatComesAloneIsCommittedAtOnce() async throws {
        var limits = WriteQueue.Limits()
        limits.batchTime = .seconds(3600)
        let fixture = try StoreFixture(writeLimits: limits)
        try await fixture.makeNotes()
        try await fixture.ask(#"{"op":"insert","table":"notes","data":{"title":"alone"}}"#)
        await fixture.store.close()
    }

    @Test func aTransactionThatTookItsTimeIsCommittedThoughOthersWait() async throws {
        #expect(try await committed(batch: 256, time: .zero) == [1, 2, 3, 4, 5, 6, 7, 8])
    }

    @Test func soIsOneWithAsManyWritesAsItMayHave() async throws {
        #expect(try await committed(batch: 3, time: .seconds(60)) == [0, 0, 3, 3, 3, 6, 6, 6])
    }
}
