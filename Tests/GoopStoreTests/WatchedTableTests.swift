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

    @Test func changesThatATransactionHoldsAreBounded() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        try await fixture.makeORM("other", read: "open", insert: "open", update: "open", delete: "open")
        let text = String(repeating: "x", count: 64 << 10)
        let count = 2 * ChangeHub.costLimit / text.utf8.count
        let large = (0..<count).map { _ in JSONValue.object(["title": .string(text)]) }
        #expect(try await fixture.store.insert(large, into: "notes").isEmpty)
        let changes = try await fixture.store.changes(of: "notes", caller: fixture.ada)
        let others = try await fixture.store.changes(of: "other", caller: fixture.ada)
        let writer = fixture.store.writer
        // What is taken back loses nothing.
        await #expect(throws: DataError.self) {
            _ = try await writer.write(of: .owner, cost: 1, isHeavy: true) { transaction in
                let rows = try Self.rows(transaction)
                for id in 1...count { _ = try rows.update(Int64(id), ["score": .integer(1)]) }
                throw DataError(code: .conflict, message: "taken back")
            }
        }
        try await fixture.ask(#"{"op":"update","table":"notes","id":1,"data":{"score":2}}"#)
        let held = try await writer.write(of: .owner, cost: 1, isHeavy: true) { transaction in
            let rows = try Self.rows(transaction)
            var peak = 0
            for id in 1...count {
                _ = try rows.update(Int64(id), ["score": .integer(3)])
                peak = max(peak, transaction.effects.changes["notes"]?.cost ?? 0)
            }
            return ["peak": .integer(peak), "end": .integer(transaction.effects.changes["notes"]?.rows.count ?? -1)]
        }
        let peak = try #require(held["peak"]?.int64)
        #expect(peak > ChangeHub.costLimit / 2 && peak <= ChangeHub.costLimit)
        #expect(held["end"]?.int64 == 0, "all are let go")
        var heard: [Int64] = []
        let error = await #expect(throws: DataError.self) {
            for try await change in changes { heard.append(change.id) }
        }
        #expect(error?.code == .tooLarge && heard == [1])
        // Nobody's but the table's own: not even what shares the file with it.
        try await fixture.ask(#"{"op":"insert","table":"other","data":{"title":"x"}}"#)
        await fixture.store.close()
        heard = []
        for try await change in others { heard.append(change.id) }
        #expect(heard == [1])
    }

    @Test func aFormThatChangesManyRowsEndsTheStream() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        for count in [ChangeHub.capacity, ChangeHub.capacity + 1] {
            let rows = (0..<count).map { _ in JSONValue.object(["title": "x", "score": .integer(Int64(count))]) }
            #expect(try await fixture.store.insert(rows, into: "notes").isEmpty)
            let changes = try await fixture.store.changes(of: "notes", caller: fixture.ada)
            let form = #"{"op":"update-where","table":"notes","where":"score = \#(count)","data":{"title":"y"}}"#
            #expect(try await fixture.text(form) == #"{"affected":\#(count)}"#)
            // As many as one may be behind are told; of more, none.
            var heard = 0
            func hear(_ most: Int) async throws {
                for try await _ in changes {
                    heard += 1
                    if heard == most { return }
                }
            }
            if count == ChangeHub.capacity {
                try await hear(count)
                #expect(heard == count)
            } else {
                let error = await #expect(throws: DataError.self) { try await hear(count) }
                #expect(error?.code == .tooLarge && heard == 0)
            }
        }
        await fixture.store.close()
    }

    @Test func pastItsBoundsNothingOfATableIsHeld() {
        func row(_ bytes: Int) -> RowChange {
            RowChange(
                DataChange(table: "t", kind: .insert, id: 1, row: .string(String(repeating: "x", count: bytes))),
                owner: "")
        }
        var changes = TableChanges()
        changes.add(row(ChangeHub.costLimit))
        #expect(changes.rows.count == 1 && changes.cost > ChangeHub.costLimit, "one alone may have more")
        for _ in 0..<2 {
            changes.add(row(0))
            #expect(changes.areLost && changes.rows.isEmpty && changes.cost == 0)
        }
        changes = TableChanges()
        for _ in 0..<ChangeHub.capacity { changes.add(row(0)) }
        #expect(changes.rows.count == ChangeHub.capacity && !changes.areLost)
        changes.add(row(0))
        #expect(changes.areLost && changes.rows.isEmpty)
    }
}
