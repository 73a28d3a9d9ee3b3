import GoopCore
import Synchronization
import Testing

@testable import GoopStore

/// What a visitor adds to rows of others is the visitor's doing, and nobody else's.
@Suite(.timeLimit(.minutes(1))) struct RowGrowthTests {
    private static let wiki = #""table":"wiki""#

    private func fixture(_ quota: VisitorQuota, day: (@Sendable () -> Int64)? = nil) async throws -> StoreFixture {
        let fixture = try StoreFixture(quota: quota, day: day)
        try await fixture.makeORM("wiki", read: "open", insert: "open", update: "open", delete: "open")
        return fixture
    }

    private func insert(_ count: Int) -> String {
        #"{"op":"insert",\#(Self.wiki),"data":{"title":"\#(String(repeating: "x", count: count))"}}"#
    }

    private func update(_ id: Int, _ count: Int) -> String {
        #"{"op":"update",\#(Self.wiki),"id":\#(id),"data":{"title":"\#(String(repeating: "x", count: count))"}}"#
    }

    /// As in a table that everybody may change, with rows of the owner.
    @Test func theOwnersRowsAreNoWayAroundTheTotal() async throws {
        let fixture = try await fixture(VisitorQuota(rows: 10, bytes: 100_000, totalBytes: 5000))
        for _ in 0..<10 { try await fixture.ask(insert(1)) }
        let refused = await fixture.refusal(
            #"{"op":"update-where",\#(Self.wiki),"where":"1","data":{"title":"\#(String(repeating: "x", count: 1000))"}}"#,
            as: fixture.ada)
        #expect(refused?.code == .quota && refused?.detail.contains("of all visitors") == true)
        for id in 1...4 { try await fixture.ask(update(id, 1001), as: fixture.ada) }
        #expect(await fixture.refusal(update(5, 1001), as: fixture.ada)?.code == .quota)
        #expect(await fixture.refusal(update(5, 1001), as: fixture.bob)?.code == .quota, "another identity is no help")
        #expect(try await fixture.store.visitors(most: 10).total == .init(rows: 0, bytes: 4000))
        // It is remembered.
        await fixture.store.close()
        var configuration = DataStore.Configuration(owner: fixture.owner)
        configuration.quota = VisitorQuota(rows: 10, bytes: 100_000, totalBytes: 5000)
        let again = try DataStore.open(path: fixture.path, configuration: configuration)
        func ask(_ text: String, as caller: DataCaller) async throws {
            _ = try await again.perform(DataRequest(json: JSONParser.parse(Array(text.utf8))), caller: caller)
        }
        let full = await #expect(throws: DataError.self) { try await ask(update(5, 1001), as: fixture.bob) }
        #expect(full?.code == .quota)
        // What goes makes room again, whoever removes it.
        try await ask(update(1, 1), as: fixture.bob)
        try await ask(update(5, 1001), as: fixture.bob)
        try await ask(#"{"op":"delete",\#(Self.wiki),"id":2}"#, as: .owner)
        try await ask(update(6, 1001), as: fixture.bob)
        // The deleted row had 1001 bytes, the owner's e-mail, and what every row costs.
        let went = 1001 + Int64("owner@example.org".utf8.count) + VisitorUsage.bytesPerRow
        #expect(try await again.visitors(most: 10).total.bytes == 4000 - went + 1000)
        try await ask(#"{"op":"delete-table","table":"wiki"}"#, as: .owner)
        #expect(try await again.visitors(most: 10).total == .init(rows: 0, bytes: 0))
        await again.close()
    }

    @Test func whoseRowsAreMadeToGrowKeepsTheirQuota() async throws {
        let fixture = try await fixture(VisitorQuota(rows: 10, bytes: 3000, totalBytes: 100_000))
        for _ in 0..<3 { try await fixture.ask(insert(1), as: fixture.bob) }
        for id in 1...2 { try await fixture.ask(update(id, 1401), as: fixture.ada) }
        // Bob has 3400 bytes now, of which ada added 2800.
        let told = try await fixture.store.visitors(most: 10).visitors
        #expect(told.map(\.id) == [fixture.bob.id, fixture.ada.id])
        #expect(told.map(\.received) == [2800, 0] && told.map(\.added) == [0, 2800])
        #expect(told.last?.share == .init(rows: 0, bytes: 0))
        try await fixture.ask(insert(1000), as: fixture.bob)
        #expect(await fixture.refusal(insert(2000), as: fixture.bob)?.detail.contains("of one visitor") == true)
        #expect(await fixture.refusal(update(3, 1000), as: fixture.ada)?.detail.contains("in a day") == true)
        // To add and to take away again is no way to give somebody more.
        for _ in 0..<20 {
            try await fixture.ask(update(3, 150), as: fixture.ada)
            try await fixture.ask(update(3, 1), as: fixture.ada)
        }
        #expect(await fixture.refusal(insert(2000), as: fixture.bob)?.code == .quota)
        await fixture.store.close()
    }

    @Test func anotherDayIsAnotherAllowance() async throws {
        let today = Today()
        let fixture = try await fixture(
            VisitorQuota(rows: 10, bytes: 3000, totalBytes: 100_000), day: { today.day.withLock { $0 } })
        for _ in 0..<3 { try await fixture.ask(insert(1)) }
        try await fixture.ask(update(1, 2001), as: fixture.ada)
        let refused = await fixture.refusal(update(2, 2001), as: fixture.ada)
        #expect(refused?.detail.contains("in a day") == true)
        // To delete rows of one's own is no help.
        #expect(refused?.detail.contains("tomorrow") == true && refused?.detail.contains("delete") == false)
        #expect(try await fixture.store.visitors(most: 10).visitors.map(\.added) == [2000])
        // What was refused does not count.
        try await fixture.ask(update(2, 900), as: fixture.ada)
        today.day.withLock { $0 += 1 }
        #expect(try await fixture.store.visitors(most: 10).visitors == [], "of another day")
        try await fixture.ask(update(2, 2001), as: fixture.ada)
        await fixture.store.close()
    }

    private final class Today: Sendable {
        let day = Mutex<Int64>(100)
    }
}
