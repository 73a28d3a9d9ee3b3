import GoopCore
import LibP2P
import NIOCore
import Testing

@testable import GoopNode

/// What a block means, between two whole peers.
@Suite(.timeLimit(.minutes(1))) struct BlockTests {
    let temporary = TemporaryFolder()

    @Test func aBlockedPeerIsGoneAtOnceAndAfterARestartUntilUndone() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        var bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        _ = await ada.sees(bob.id) { $0.reachable }
        _ = await bob.sees(ada.id) { $0.reachable }

        // Bob blocks Ada: the connection ends, neither visits the other, and she is off his list.
        _ = try await bob.commands.stand("ada", .blocked)
        _ = await ada.sees(bob.id) { $0.path == .none }
        #expect(try await bob.commands.peers() == .array([]))
        #expect(await failure { try await bob.commands.get(ada.id.base58, path: "/") { _ in } }?.kind == .permission)
        #expect(await failure { try await bob.commands.ping(ada.address.description) }?.kind == .permission)
        #expect(await failure { try await ada.commands.get(bob.address.description, path: "/") { _ in } } != nil)
        #expect(await failure { try await ada.commands.ping(bob.address.description) } != nil)
        try await bob.stop()

        bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        #expect(await failure { try await ada.commands.get(bob.address.description, path: "/") { _ in } } != nil)
        #expect(await failure { try await ada.commands.ping(bob.address.description) } != nil)
        #expect(try await bob.commands.peers() == .array([]))

        _ = try await bob.commands.stand(ada.id.base58, .ordinary)
        _ = try await bob.commands.ping(ada.address.description)
        _ = await bob.sees(ada.id) { $0.reachable }
        try await bob.stop()

        // Without a running peer the same command writes to the file alone.
        _ = try await bob.commands.stand(ada.id.base58, .blocked)
        bob = try await TestPeer.start(in: temporary, label: "bob")
        #expect(await failure { try await bob.commands.ping(ada.address.description) }?.kind == .permission)
        try await bob.stop()
        try await ada.stop()
    }

    @Test func whoWasSeenIsListedAsAwayAfterARestart() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        var bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        _ = await bob.sees(ada.id) { $0.reachable }
        _ = try await bob.commands.stand("ada", .muted)
        try await bob.stop()
        try await ada.stop()
        bob = try await TestPeer.start(in: temporary, label: "bob")
        let list = try await bob.commands.peers().array ?? []
        #expect(list.count == 1)
        #expect(list.first?.object?["label"]?.string == "ada")
        #expect(list.first?.object?["state"]?.string == "offline")
        #expect(list.first?.object?["muted"]?.bool == true)
        try await bob.stop()
    }
}
