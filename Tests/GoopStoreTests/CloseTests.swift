import Dispatch
import GRDB
import GoopCore
import Synchronization
import Testing

@testable import GoopStore

/// A store that is closed waits for what runs, and not for what strangers have in line.
@Suite(.timeLimit(.minutes(1))) struct CloseTests {
    /// Closes a store while something in it is held; whoever waits there has to be answered before `letGo`.
    private func close(
        _ fixture: StoreFixture, whileWaiting answers: [Task<DataErrorCode?, Never>], letGo: () async throws -> Void
    ) async throws {
        let isClosed = Mutex(false)
        let closing = Task {
            await fixture.store.close()
            isClosed.withLock { $0 = true }
        }
        for answer in answers { #expect(await answer.value == .unreachable) }
        #expect(!isClosed.withLock { $0 }, "what runs is waited for")
        try await letGo()
        await closing.value
    }

    @Test func readsThatWaitAreAnsweredAndNotRun() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        let held = await fixture.heldReaders()
        let answers = (0..<ReadShares().waiting.perPeer).map { _ in
            Task { await fixture.refusal(#"{"op":"query","table":"notes"}"#, as: fixture.ada)?.code }
        }
        try await fixture.readsWait(answers.count)
        try await close(fixture, whileWaiting: answers) { for reader in held { await reader.letGo() } }
        #expect(fixture.store.readers.waiting == 0)
    }

    @Test func writesThatWaitAreAnsweredAndTheTransactionUnderWayIsCommitted() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        let writer = fixture.store.writer
        let release = DispatchSemaphore(value: 0)
        let (isHeld, held) = AsyncStream.makeStream(of: Void.self)
        let first = Task {
            try await writer.write(of: .owner, cost: 1, isHeavy: false) { transaction in
                let table = try transaction.catalogue.table("notes")
                let rows = RowWriter(transaction: transaction, table: table, caller: .owner, role: .noGroups)
                _ = try rows.insert(["title": "first"])
                held.yield()
                // Not without end, so that the test ends when it fails.
                _ = release.wait(timeout: .now() + 30)
                return .null
            }
        }
        for await _ in isHeld { break }
        let forms = [
            #"{"op":"insert","table":"notes","data":{"title":"later"}}"#,
            #"{"op":"upsert","table":"notes","key_col":"title","data":{"title":"later"}}"#,
        ]
        let answers = (0..<100).map { number in
            Task { await fixture.refusal(forms[number % forms.count], as: fixture.ada)?.code }
        }
        while writer.waiting < answers.count {
            try Task.checkCancellation()
            await Task.yield()
        }
        try await close(fixture, whileWaiting: answers) {
            release.signal()
            _ = try await first.value
        }
        let queue = try DatabaseQueue(path: fixture.path)
        #expect(try await queue.read { try String.fetchAll($0, sql: "SELECT title FROM notes") } == ["first"])
        try queue.close()
    }

    /// The owner's may take 30 s.
    @Test func scansThatRunAreBrokenOff() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        for number in 0..<200 {
            try await fixture.ask(#"{"op":"insert","table":"notes","data":{"title":"\#(number)"}}"#)
        }
        let table = try await fixture.store.catalogue().table("notes")
        let release = DispatchSemaphore(value: 0)
        let (begins, begin) = AsyncStream.makeStream(of: Void.self)
        let reading = Task { () -> DataErrorCode? in
            do {
                _ = try await fixture.store.readers.read(for: .owner) { (connection) throws(DataError) -> ReadRows in
                    begin.yield()
                    _ = release.wait(timeout: .now() + 30)
                    let all = CompiledFragment(sql: "SELECT \"title\" FROM \(table.quoted)", bindings: [])
                    return try connection.rows(all, table: table, limits: DataStore.ownerLimits, isOwner: true)
                }
                return nil
            } catch { return (error as? DataError)?.code }
        }
        let writing = Task { () -> DataErrorCode? in
            do {
                _ = try await fixture.store.writer.write(of: .owner, cost: 1, isHeavy: false) { transaction in
                    begin.yield()
                    _ = release.wait(timeout: .now() + 30)
                    let rows = RowWriter(transaction: transaction, table: table, caller: .owner, role: .noGroups)
                    return try rows.upsert("title", ["title": "another"])
                }
                return nil
            } catch { return (error as? DataError)?.code }
        }
        var begun = begins.makeAsyncIterator()
        for _ in 0..<2 { await begun.next() }
        fixture.store.takeNoMore()
        for _ in 0..<2 { release.signal() }
        #expect(await reading.value == .unreachable)
        #expect(await writing.value == .unreachable)
        await fixture.store.close()
    }
}
