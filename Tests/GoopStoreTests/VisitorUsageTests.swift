import Dispatch
import Foundation
import GRDB
import GoopCore
import GoopTestKit
import PeerIdentity
import Testing

@testable import GoopStore

/// The accounts of visitors are at any time what a recount finds.
@Suite(.timeLimit(.minutes(2))) struct VisitorUsageTests {
    private func expectRecounted(_ fixture: StoreFixture, _ what: String) async throws {
        let queue = try DatabaseQueue(path: fixture.path)
        defer { try? queue.close() }
        let owner = fixture.owner.base58
        let (kept, counted, added) = try await queue.read { database in
            var kept: [String: VisitorUsage] = [:]
            for row in try Row.fetchAll(database, sql: "SELECT * FROM \"_goop2_usage\"") {
                kept[row["peer_id"]] = VisitorUsage(rows: row["row_count"], bytes: row["byte_count"])
            }
            return (kept, try VisitorUsage.recount(in: database), try RowGrowth.of(owner, in: database).received)
        }
        #expect(kept == counted, "\(what)")
        var all = VisitorUsage()
        for (peer, usage) in counted where peer != fixture.owner.base58 { all = all + usage }
        let shown = try await fixture.store.visitors(most: 100)
        #expect(shown.total == .init(rows: all.rows, bytes: all.bytes + added), "\(what)")
        #expect(added >= 0 && added <= counted[owner]?.bytes ?? 0, "\(what)")
    }

    @Test(arguments: UInt64(1)...4) func accountsAreWhatARecountFinds(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let fixture = try StoreFixture(quota: VisitorQuota(rows: 12, bytes: 6000, totalBytes: 12_000))
        let eve = DataCaller.remote(PrivateKey.generate().peerID, email: "")
        let callers = [fixture.ada, fixture.bob, eve, fixture.ada, fixture.bob, eve, .owner]
        try await fixture.makeORM("wiki", read: "open", insert: "open", update: "open", delete: "open")
        try await fixture.makeNotes()
        var hasColumn = false
        for step in 0..<250 {
            let caller = callers.randomElement(using: &random) ?? .owner
            let table = Bool.random(using: &random) ? "wiki" : "notes"
            let id = Int.random(in: 1...30, using: &random)
            // Numbers in columns of texts and texts in columns of numbers: they are stored as the column wants it.
            let values = [
                "\"\(String(repeating: "x", count: Int.random(in: 0...900, using: &random)))\"", "\"7\"", "\"ü\"",
                table == "wiki" ? "\"1\"" : "12345", table == "wiki" ? "\"2\"" : "1.5",
            ]
            let value = values.randomElement(using: &random) ?? "\"\""
            let score =
                ["1", "null", table == "wiki" ? "2" : "\"3\"", table == "wiki" ? "4" : "\"four\""]
                .randomElement(using: &random) ?? "1"
            let data = "\"data\":{\"title\":\(value),\"score\":\(score)}"
            let request: String
            switch Int.random(in: 0..<16, using: &random) {
            case 0..<6: request = "{\"op\":\"insert\",\"table\":\"\(table)\",\(data)}"
            case 6..<10: request = "{\"op\":\"update\",\"table\":\"\(table)\",\"id\":\(id),\(data)}"
            case 10: request = "{\"op\":\"delete\",\"table\":\"\(table)\",\"id\":\(id)}"
            case 11:
                request = "{\"op\":\"update-where\",\"table\":\"\(table)\",\"where\":\"_id % 5 = 1\",\(data)}"
            case 12: request = "{\"op\":\"delete-where\",\"table\":\"\(table)\",\"where\":\"_id % 7 = \(id % 7)\"}"
            case 13: request = "{\"op\":\"upsert\",\"table\":\"\(table)\",\"key_col\":\"title\",\(data)}"
            case 14:
                let owner = callers.randomElement(using: &random)?.id ?? ""
                let email =
                    ["", ",\"_owner_email\":\"e@example.org\"", ",\"_owner_email\":null"].randomElement(using: &random)
                    ?? ""
                request =
                    "{\"op\":\"update\",\"table\":\"\(table)\",\"id\":\(id),\"data\":{\"_owner\":\"\(owner)\"\(email)}}"
            default:
                request =
                    hasColumn
                    ? "{\"op\":\"drop-column\",\"table\":\"notes\",\"column\":\"tag\"}"
                    : "{\"op\":\"add-column\",\"table\":\"notes\",\"column\":{\"name\":\"tag\",\"type\":\"TEXT\",\"default\":\"none\"}}"
                if caller == .owner { hasColumn.toggle() }
            }
            // Many are refused: rows that are not there, quotas that are full.
            _ = try? await fixture.ask(request, as: caller)
            if step % 10 == 0 { try await expectRecounted(fixture, "seed \(seed), step \(step): \(request)") }
        }
        try await expectRecounted(fixture, "seed \(seed), the end")
        try await fixture.ask(#"{"op":"delete-table","table":"notes"}"#)
        try await fixture.ask(#"{"op":"delete-where","table":"wiki","where":"1"}"#)
        try await expectRecounted(fixture, "seed \(seed), all gone")
        #expect(try await fixture.store.visitors(most: 10).total == .init(rows: 0, bytes: 0))
        await fixture.store.close()
    }

    private struct GivenUp: Error {}

    @Test func aWriteThatFailsTakesNothingFromThoseThatShareItsCommit() async throws {
        var limits = WriteQueue.Limits()
        limits.batchTime = .seconds(60)
        let fixture = try StoreFixture(writeLimits: limits)
        try await fixture.makeNotes()
        let table = try await fixture.store.catalogue().table("notes")
        let writer = fixture.store.writer
        func insert(as caller: DataCaller, fails: Bool = false, waits: DispatchSemaphore? = nil) async throws {
            _ = try await writer.write(of: caller, cost: 1, isHeavy: false) { transaction in
                // Not without end, so that the test ends when it fails.
                _ = waits?.wait(timeout: .now() + 30)
                let rows = RowWriter(transaction: transaction, table: table, caller: caller, role: .noGroups)
                let answer = try rows.insert(["title": "a note"])
                if fails { throw GivenUp() }
                return answer
            }
        }
        let release = DispatchSemaphore(value: 0)
        let first = Task { try await insert(as: fixture.ada, waits: release) }
        // Ada's account is known by then, and Bob's is not.
        let others = [(fixture.ada, true), (fixture.bob, true), (fixture.ada, false)].map { caller, fails in
            Task { try await insert(as: caller, fails: fails) }
        }
        while writer.waiting < others.count {
            try Task.checkCancellation()
            await Task.yield()
        }
        release.signal()
        try await first.value
        var failures = 0
        for other in others { if case .failure = await other.result { failures += 1 } }
        #expect(failures == 2)
        try await expectRecounted(fixture, "after two that failed")
        #expect(try await fixture.store.visitors(most: 10).total.rows == 2)
        await fixture.store.close()
    }

    @Test func whoeverEditsRowsOfOthersKeepsAnAccountOfItsOwn() async throws {
        let fixture = try StoreFixture(quota: VisitorQuota(rows: 3, bytes: 10_000, totalBytes: 20_000, rowBytes: 1500))
        try await fixture.makeORM("wiki", read: "open", insert: "open", update: "open", delete: "open")
        try await fixture.ask(#"{"op":"insert","table":"wiki","data":{"title":"page"}}"#)
        func page(_ count: Int) -> String {
            let text = String(repeating: "y", count: count)
            return #"{"op":"update","table":"wiki","id":1,"data":{"title":"\#(text)"}}"#
        }
        // Another shortens the page each time.
        for _ in 0..<4 {
            try await fixture.ask(page(1500), as: fixture.ada)
            try await fixture.ask(page(1), as: fixture.bob)
        }
        #expect(try await fixture.store.visitors(most: 10).count == 0)
        #expect(await fixture.refusal(page(1501), as: fixture.ada)?.code == .tooLarge, "it is bounded all the same")
        // The owner's may be as long as the owner wants; a visitor can shorten it.
        try await fixture.ask(page(5000))
        #expect(await fixture.refusal(page(5001), as: fixture.ada)?.code == .tooLarge)
        try await fixture.ask(page(4999), as: fixture.ada)
        try await expectRecounted(fixture, "in the end")
        await fixture.store.close()
    }

    /// Large rows make a table unreadable for visitors, whose answers are bounded.
    @Test func aRowThatAVisitorWritesHasABound() async throws {
        let fixture = try StoreFixture(quota: VisitorQuota(rowBytes: 100))
        try await fixture.makeORM("wiki", read: "open", insert: "open", update: "open", delete: "open")
        func insert(_ count: Int) -> String {
            #"{"op":"insert","table":"wiki","data":{"title":"\#(String(repeating: "y", count: count))"}}"#
        }
        func update(_ count: Int) -> String {
            #"{"op":"update","table":"wiki","id":1,"data":{"title":"\#(String(repeating: "y", count: count))"}}"#
        }
        try await fixture.ask(insert(100), as: fixture.ada)
        let refused = await fixture.refusal(insert(101), as: fixture.ada)
        #expect(refused?.code == .tooLarge && refused?.code.httpStatus == 413 && refused?.message == "row too large")
        #expect(refused?.detail.contains("100 bytes") == true)
        #expect(await fixture.refusal(update(101), as: fixture.ada)?.code == .tooLarge)
        let many = #"{"op":"update-where","table":"wiki","where":"1","data":{"score":1}}"#
        #expect(await fixture.refusal(many, as: fixture.bob)?.code == .tooLarge, "a number more")
        let upsert =
            #"{"op":"upsert","table":"wiki","key_col":"score","data":{"score":7,"title":"\#(String(repeating: "y", count: 93))"}}"#
        #expect(await fixture.refusal(upsert, as: fixture.bob)?.code == .tooLarge)
        #expect(try await fixture.text(#"{"op":"count","table":"wiki"}"#) == #"{"count":1}"#)
        // The owner has none, and can allow more; what is longer already can become shorter.
        try await fixture.ask(update(5000))
        try await fixture.ask(update(4000), as: fixture.ada)
        fixture.store.limit(to: VisitorQuota(rowBytes: 5000))
        try await fixture.ask(update(4500), as: fixture.ada)
        await fixture.store.close()
    }

    @Test(arguments: ["visitor-usage-by-owner", "visitor-usage-with-system-columns"])
    func accountsOfAnOlderVersionAreCountedAnew(step: String) async throws {
        let fixture = try StoreFixture()
        try await fixture.makeNotes()
        try await fixture.ask(#"{"op":"insert","table":"notes","data":{"title":"x"}}"#, as: fixture.ada)
        await fixture.store.close()
        let queue = try DatabaseQueue(path: fixture.path)
        try await queue.write { database in
            try database.execute(
                sql: """
                    UPDATE "_goop2_usage" SET byte_count = 16000000;
                    INSERT INTO "_goop2_usage" VALUES ('phantom', 0, 1000000);
                    DELETE FROM "_goop2_migrations" WHERE name = '\(step)';
                    """)
        }
        try queue.close()
        let again = try DataStore.open(path: fixture.path, configuration: .init(owner: fixture.owner))
        let shown = try await again.visitors(most: 10)
        #expect(shown.visitors.map(\.id) == [fixture.ada.id] && shown.total == .init(rows: 1, bytes: 208))
        await again.close()
    }

    /// A visitor with little in each row fills no more of the disk than the account says.
    @Test func smallRowsCountWhatTheyTakeInTheFile() async throws {
        let fixture = try StoreFixture(quota: VisitorQuota(rows: 10_000, bytes: 1 << 30, totalBytes: 1 << 30))
        // With every index that a table gets by itself.
        try await fixture.ask(
            """
            {"op":"create-table","name":"marks","column_defs":[
             {"name":"title","type":"text"},{"name":"number","type":"integer","auto":true}],
             "access":{"read":"owner","insert":"open","update":"owner","delete":"owner"}}
            """)
        let queue = try DatabaseQueue(path: fixture.path)
        func pages() async throws -> Int64 {
            try await queue.read { database in
                let count = try Int64.fetchOne(database, sql: "PRAGMA page_count") ?? 0
                let free = try Int64.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
                return (count - free) * (try Int64.fetchOne(database, sql: "PRAGMA page_size") ?? 0)
            }
        }
        let before = try await pages()
        let visitors = [fixture.ada, fixture.bob, .remote(PrivateKey.generate().peerID, email: "")]
        for number in 0..<2000 {
            try await fixture.ask(
                #"{"op":"insert","table":"marks","data":{"title":"x"}}"#, as: visitors[number % visitors.count])
        }
        let filled = try await pages() - before
        let counted = try await fixture.store.visitors(most: 10).total.bytes
        #expect(counted >= filled, "\(counted) counted, \(filled) in the file")
        #expect(counted < 2 * filled, "nor is much counted that is not there")
        try await expectRecounted(fixture, "in the end")
        try queue.close()
        await fixture.store.close()
    }

    /// Identities are free: a row each fills the disk with accounts too.
    @Test func accountsCountInTheTotal() async throws {
        let row = VisitorUsage.bytesPerRow + 1 + VisitorUsage.bytesPerPeer
        let fixture = try StoreFixture(quota: VisitorQuota(rows: 10, bytes: 10_000, totalBytes: 3 * row))
        try await fixture.makeNotes()
        let insert = #"{"op":"insert","table":"notes","data":{"title":"x"}}"#
        let visitors = (0..<4).map { _ in DataCaller.remote(PrivateKey.generate().peerID, email: "") }
        for visitor in visitors.prefix(3) { try await fixture.ask(insert, as: visitor) }
        #expect(await fixture.refusal(insert, as: visitors[3])?.code == .quota)
        try await fixture.ask(#"{"op":"delete","table":"notes","id":1}"#, as: visitors[0])
        try await fixture.ask(insert, as: visitors[3])
        #expect(await fixture.refusal(insert, as: visitors[0])?.code == .quota)
        await fixture.store.close()
        var configuration = DataStore.Configuration(owner: fixture.owner)
        configuration.quota = VisitorQuota(rows: 10, bytes: 10_000, totalBytes: 3 * row)
        let again = try DataStore.open(path: fixture.path, configuration: configuration)
        let request = try DataRequest(json: JSONParser.parse(Array(insert.utf8)))
        await #expect(throws: DataError.self) { _ = try await again.perform(request, caller: visitors[0]) }
        await again.close()
    }
}
