import GRDB
import GoopCore
import Testing

@testable import GoopStore

/// What was known of a table is not used once it is known better.
@Suite(.timeLimit(.minutes(1))) struct StaleTablesTests {
    @Test func aSubscriptionDoesNotOutliveThePolicyThatAllowedIt() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        fixture.interlude.set { [unowned fixture] step in
            guard step == .subscribing else { return }
            fixture.interlude.set(nil)
            _ = try? await fixture.ask(#"{"op":"set-policy","table":"notes","policy":"local"}"#)
        }
        let changes = try await fixture.store.changes(of: "notes", caller: fixture.ada)
        try await fixture.ask(#"{"op":"insert","table":"notes","data":{"title":"secret"}}"#)
        var seen = 0
        let error = await #expect(throws: DataError.self) { for try await _ in changes { seen += 1 } }
        #expect(error?.code == .conflict && seen == 0)
        await fixture.store.close()
    }

    /// An error would tell of the row, too: its score has no absolute value.
    @Test(arguments: [
        #"{"op":"query","table":"notes"}"#, #"{"op":"count","table":"notes","where":"title LIKE 's%'"}"#,
        #"{"op":"query","table":"notes","where":"abs(score) > 0"}"#,
        #"{"op":"delete-where","table":"notes","where":"abs(score) > 0"}"#,
    ]) func aReadInLineDoesNotOutliveThePolicyThatAllowedIt(request: String) async throws {
        let fixture = try StoreFixture()
        try await fixture.makeORM("notes", read: "open", insert: "open", update: "open", delete: "open")
        let held = await fixture.heldReaders()
        async let refused = fixture.refusal(request, as: fixture.ada)
        try await fixture.readsWait(1)
        try await fixture.ask(#"{"op":"set-policy","table":"notes","policy":"local"}"#)
        try await fixture.ask(
            #"{"op":"insert","table":"notes","data":{"title":"secret","score":-9223372036854775808}}"#)
        for reader in held { await reader.letGo() }
        #expect(await refused?.code == .refused)
        await fixture.store.close()
    }

    @Test func aReadWhoseTableChangesEachTimeIsAConflict() async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        var held = await fixture.heldReaders()
        async let refused = fixture.refusal(#"{"op":"query","table":"notes"}"#, as: fixture.ada)
        for attempt in 1...DataStore.readAttempts {
            try await fixture.readsWait(1)
            try await fixture.ask(#"{"op":"add-column","table":"notes","column":"more\#(attempt)"}"#)
            // One behind it takes its reader, so that it has to wait again.
            let next = HeldReader(fixture.store, fixture.ada)
            try await fixture.readsWait(2)
            await held.removeFirst().letGo()
            await next.begun()
            held.append(next)
        }
        #expect(await refused?.code == .conflict)
        for reader in held { await reader.letGo() }
        await fixture.store.close()
    }

    @Test func tablesThatWereReadEarlierDoNotReplaceNewerOnes() async throws {
        let fixture = try StoreFixture(tablesLifetime: .zero)
        try await fixture.makeNotes()
        fixture.interlude.set { [unowned fixture] step in
            guard step == .tablesRead else { return }
            fixture.interlude.set(nil)
            _ = try? await fixture.ask(#"{"op":"set-policy","table":"notes","policy":"local"}"#)
        }
        // It finds the tables as they are once they are remembered, whatever it has read.
        #expect(await fixture.refusal(#"{"op":"count","table":"notes"}"#, as: fixture.ada)?.code == .refused)
        let queue = try DatabaseQueue(path: fixture.path)
        let table = try await queue.read { try Catalogue.load($0).table("notes") }
        try queue.close()
        #expect(table.access.read == .local && fixture.store.known.isStill(table))
        await fixture.store.close()
    }

    /// Identities are free: what the store remembers of them must not grow with their number.
    @Test func whatIsRememberedOfVisitorsIsBounded() async throws {
        let fixture = try StoreFixture()
        let known = fixture.store.known
        func remembered() async throws -> Int {
            try await fixture.store.database.pool.writeWithoutTransaction { try known.inTransaction($0).usage.count }
        }
        func committed(_ peers: Range<Int>) {
            var effects = WriteTransaction.Effects()
            for peer in peers { effects.usage["peer\(peer)"] = VisitorUsage(rows: 1, bytes: 1) }
            known.committed(effects)
        }
        for peer in 0..<KnownTables.maximumUsages { committed(peer..<peer + 1) }
        #expect(try await remembered() == KnownTables.maximumUsages)
        committed(9000..<9001)
        #expect(try await remembered() == 1, "all are forgotten, but for the newest")
        committed(0..<KnownTables.maximumUsages + 1)
        #expect(try await remembered() == 0, "of one transaction with too many, as when a table is dropped")
        await fixture.store.close()
    }
}
