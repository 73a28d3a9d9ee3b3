import Dispatch
import GRDB
import GoopCore
import PeerIdentity
import Synchronization
import Testing

@testable import GoopStore

/// What has happened so far, and who waits for more.
private final class Seen: Sendable {
    private struct State {
        var isAcknowledged = false
        var ended = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var ended: Int { state.withLock { $0.ended } }

    func end() { state.withLock { $0.ended += 1 } }

    func acknowledge() {
        let waiting = state.withLock { state in
            state.isAcknowledged = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for waiter in waiting { waiter.resume() }
    }

    func acknowledged() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            let isOver = state.withLock { state in
                if !state.isAcknowledged { state.waiting.append(done) }
                return state.isAcknowledged
            }
            if isOver { done.resume() }
        }
    }
}

/// Bulk forms look for their rows on a reader, and change them later on the writer.
@Suite(.timeLimit(.minutes(2))) struct BulkWriteTests {
    private static let done = #"{"op":"delete-where","table":"tasks","where":"score = 1"}"#

    private func tasks(maximumBulkRows: Int = DataStore.maximumBulkRows) async throws -> StoreFixture {
        let fixture = try StoreFixture(maximumBulkRows: maximumBulkRows)
        try await fixture.makeORM("tasks", read: "open", insert: "open", update: "open", delete: "open")
        for title in ["a", "b"] {
            try await fixture.ask(#"{"op":"insert","table":"tasks","data":{"title":"\#(title)","score":1}}"#)
        }
        return fixture
    }

    @Test func aRowThatChangedInBetweenIsLookedForAgain() async throws {
        let fixture = try await tasks()
        let rounds = Mutex(0)
        fixture.interlude.set { [unowned fixture] step in
            guard step == .rowsFound,
                rounds.withLock({ rounds in
                    rounds += 1; return rounds
                }) == 1
            else { return }
            _ = try? await fixture.ask(
                #"{"op":"update","table":"tasks","id":2,"data":{"score":0}}"#, as: fixture.bob)
        }
        #expect(try await fixture.text(Self.done, as: fixture.ada) == #"{"affected":1}"#)
        #expect(rounds.withLock { $0 } == 2)
        #expect(try await fixture.text(#"{"op":"pluck","table":"tasks","column":"title"}"#) == #"["b"]"#)
        fixture.interlude.set(nil)
        await fixture.store.close()
    }

    @Test func rowsThatAreChangedAtOnceAreBounded() async throws {
        let fixture = try await tasks(maximumBulkRows: 2)
        try await fixture.ask(#"{"op":"insert","table":"tasks","data":{"title":"c","score":1}}"#)
        for caller in [.owner, fixture.ada] {
            for form in [Self.done, #"{"op":"update-where","table":"tasks","where":"score = 1","data":{"score":2}}"#] {
                #expect(await fixture.refusal(form, as: caller)?.code == .tooLarge)
            }
        }
        #expect(try await fixture.text(#"{"op":"count","table":"tasks","where":"score = 1"}"#) == #"{"count":3}"#)
        try await fixture.ask(#"{"op":"delete","table":"tasks","id":1}"#)
        #expect(try await fixture.text(Self.done, as: fixture.ada) == #"{"affected":2}"#)
        await fixture.store.close()
    }

    @Test func anotherProgramMayHaveChangedThem() async throws {
        let fixture = try await tasks()
        let path = fixture.path
        let rounds = Mutex(0)
        fixture.interlude.set { step in
            guard step == .rowsFound,
                rounds.withLock({ rounds in
                    rounds += 1; return rounds
                }) == 1
            else { return }
            let queue = try? DatabaseQueue(path: path)
            try? await queue?.write { try $0.execute(sql: "UPDATE tasks SET score = 0 WHERE _id = 1") }
            try? queue?.close()
        }
        #expect(try await fixture.text(Self.done, as: fixture.ada) == #"{"affected":1}"#)
        #expect(rounds.withLock { $0 } == 2)
        fixture.interlude.set(nil)
        await fixture.store.close()
    }

    @Test func rowsThatNeverStandStillAreAConflict() async throws {
        let fixture = try await tasks()
        let rounds = Mutex(0)
        fixture.interlude.set { [unowned fixture] step in
            guard step == .rowsFound else { return }
            rounds.withLock { $0 += 1 }
            _ = try? await fixture.ask(#"{"op":"update","table":"tasks","id":2,"data":{"score":1}}"#)
        }
        #expect(await fixture.refusal(Self.done, as: fixture.ada)?.code == .conflict)
        #expect(rounds.withLock { $0 } == DataStore.bulkAttempts)
        // Rows of which nothing is asked change nothing.
        #expect(
            try await fixture.text(#"{"op":"delete-where","table":"tasks","where":"_id = 1"}"#, as: fixture.ada)
                == #"{"affected":1}"#)
        fixture.interlude.set(nil)
        await fixture.store.close()
    }

    @Test func aPolicyThatChangedInBetweenHolds() async throws {
        let fixture = try await tasks()
        fixture.interlude.set { [unowned fixture] step in
            guard step == .rowsFound else { return }
            fixture.interlude.set(nil)
            _ = try? await fixture.ask(#"{"op":"set-policy","table":"tasks","policy":"local"}"#)
        }
        #expect(await fixture.refusal(Self.done, as: fixture.ada)?.code == .refused)
        #expect(try await fixture.text(#"{"op":"count","table":"tasks"}"#) == #"{"count":2}"#)
        await fixture.store.close()
    }

    /// One visitor's slow conditions and their rows are nobody else's wait.
    @Test func anotherVisitorWritesWhileSlowConditionsAreUnderWay() async throws {
        let fixture = try await tasks()
        let text = String(repeating: "a", count: 1 << 12)
        try await fixture.ask(#"{"op":"insert","table":"tasks","data":{"title":"\#(text)"}}"#, as: fixture.ada)
        let pattern = "%" + String(repeating: "a", count: QueryCompiler.Limit.patternBytes - 2) + "b"
        let slow = #"{"op":"delete-where","table":"tasks","where":"title LIKE ?","args":["\#(pattern)"]}"#
        let (found, sink) = AsyncStream.makeStream(of: Void.self)
        let seen = Seen()
        fixture.interlude.set { step in
            guard step == .rowsFound else { return }
            sink.yield()
            // Its rows are found; its change waits for what comes later.
            await seen.acknowledged()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let answer = try await fixture.text(slow, as: fixture.ada)
                    #expect(answer == #"{"affected":0}"#)
                    seen.end()
                }
            }
            for await _ in found { break }
            try await fixture.ask(#"{"op":"insert","table":"tasks","data":{"title":"c"}}"#, as: fixture.bob)
            #expect(seen.ended == 0)
            seen.acknowledge()
            try await group.waitForAll()
        }
        #expect(seen.ended == 8)
        await fixture.store.close()
    }

    /// Upserts look for their rows on the writer, which stands still until all have come: a row that comes last is written
    /// before every one of them.
    @Test func aRowWaitsForNoSearchOfAnUpsertThatHasNotBegun() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeORM("board", read: "open", insert: "open", update: "open", delete: "open")
        let release = DispatchSemaphore(value: 0)
        let (isHeld, held) = AsyncStream.makeStream(of: Void.self)
        let writer = fixture.store.writer
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                _ = try await writer.write(of: .owner, cost: 1, isHeavy: true) { _ in
                    held.yield()
                    // Not without end, so that the test ends when it fails.
                    _ = release.wait(timeout: .now() + 30)
                    return .null
                }
            }
            _ = await isHeld.first { true }
            for number in 0..<32 {
                let visitor = DataCaller.remote(PrivateKey.generate().peerID, email: "")
                let upsert = #"{"op":"upsert","table":"board","key_col":"title","data":{"title":"\#(number)"}}"#
                group.addTask { try await fixture.ask(upsert, as: visitor) }
            }
            func waiting(_ count: Int) async throws {
                while writer.waiting < count {
                    try Task.checkCancellation()
                    await Task.yield()
                }
            }
            try await waiting(32)
            group.addTask {
                try await fixture.ask(#"{"op":"insert","table":"board","data":{"title":"row"}}"#, as: fixture.bob)
            }
            try await waiting(33)
            release.signal()
            try await group.waitForAll()
        }
        // Ids are given in the order of the writes.
        let order = try await fixture.ask(#"{"op":"pluck","table":"board","column":"title","order":"_id"}"#)
        #expect(order.array?.count == 33 && order.array?.first == "row", "\(order)")
        await fixture.store.close()
    }

    @Test func whatIsForgottenIsNotKnownToBeUnchanged() {
        let recent = RecentChanges()
        let before = recent.mark
        recent.note([.init(table: "t", id: 1)])
        #expect(!recent.areUnchanged([1, 2], of: "t", since: before))
        #expect(recent.areUnchanged([2], of: "t", since: before) && recent.areUnchanged([1], of: "u", since: before))
        #expect(recent.areUnchanged([1, 2], of: "t", since: recent.mark))
        let later = recent.mark
        recent.note(Set((0..<Int64(RecentChanges.maximumRows)).map { .init(table: "u", id: $0) }))
        #expect(!recent.areUnchanged([2], of: "t", since: later), "the memory was full")
        #expect(recent.areUnchanged([2], of: "t", since: recent.mark))
        let last = recent.mark
        recent.noteAnything()
        #expect(!recent.areUnchanged([2], of: "t", since: last))
    }
}
