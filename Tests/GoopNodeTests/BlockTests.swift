import GoopCore
import GoopHTTP
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

    @Test func whoHasBlockedUsDoesNotAnswerThoughOthersPassItsPresenceOn() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let carol = try await TestPeer.start(in: temporary, label: "carol", contacts: [ada.address])
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address, carol.address])
        _ = await ada.sees(bob.id) { $0.reachable }
        _ = await bob.sees(ada.id) { $0.stateName == "online" }
        _ = await bob.sees(carol.id) { $0.stateName == "online" }
        let before = bob.eventCount
        _ = try await ada.commands.stand(bob.id.base58, .blocked)
        let seen = await bob.sees(ada.id, after: before) { $0.stateName == "unreachable" }
        #expect(seen.unreachableReason != nil)
        // Its word still comes, and changes nothing about that.
        let then = bob.eventCount
        _ = try await ada.running.settings.apply(["profile.label": "Ada L."], isOnlyCheck: false)
        let renamed = await bob.sees(ada.id, after: then) { $0.label == "Ada L." }
        #expect(renamed.stateName == "unreachable")
        _ = try await ada.commands.stand(bob.id.base58, .ordinary)
        _ = try await bob.commands.ping(ada.address.description)
        _ = await bob.sees(ada.id, after: then) { $0.stateName == "online" }
        for peer in [bob, carol, ada] { try await peer.stop() }
    }

    @Test func whatIsUnderWayEndsWithTheBlockAndNothingBeginsAnew() async throws {
        temporary.write(String(repeating: "x", count: 64 << 20), to: "host/site/big.txt")
        let host = try await TestPeer.start(in: temporary, label: "host")
        _ = try await host.running.tables.perform(
            .parse(
                #"{"op":"create-table","name":"t","policy":"open","column_defs":[{"name":"x","type":"TEXT"}]}"#),
            caller: .owner)
        let (guest, data) = try await host.visitor()
        let insert = try DataRequest.parse(#"{"op":"insert","table":"t","data":{"x":"y"}}"#)
        let count = try DataRequest.parse(#"{"op":"count","table":"t"}"#)
        _ = try await data.perform(insert, of: host.id)

        var files = try await SiteClient.patient(guest).changes(of: host.id).makeAsyncIterator()
        var rows = try await data.changes(of: host.id, table: "t").makeAsyncIterator()
        let answer = try await SiteClient.patient(guest).open(try SitePath("/big.txt"), of: host.id)
        let half = try await guest.openStream(to: host.id, protocols: [ProtocolID(DataProtocol.dataID)])
        try await half.write(ByteBuffer(string: #"{"op":"insert","#))

        _ = try await host.commands.stand(guest.peerID.base58, .blocked)
        let file = try? await files.next()
        #expect(file == nil, "the watch of files ends")
        let row = try? await rows.next()
        #expect(row == nil, "and the subscription to rows")
        let reply = try? await half.readToEnd(max: 1 << 20)
        #expect(reply?.readableBytes ?? 0 == 0, "and a request that is not all there")
        var received = 0
        await #expect(throws: (any Error).self, "and an answer under way") {
            for try await chunk in answer.chunks { received += chunk.readableBytes }
        }
        #expect(received < 64 << 20)

        await #expect(throws: DataError.self) { _ = try await data.perform(insert, of: host.id) }
        await #expect(throws: DataError.self) { _ = try await data.perform(count, of: host.id) }
        await #expect(throws: DataError.self) { _ = try await data.changes(of: host.id, table: "t") }
        await #expect(throws: (any Error).self) { _ = try await SiteClient.patient(guest).changes(of: host.id) }
        #expect(try await host.running.tables.perform(count, caller: .owner) == ["count": .integer(1)])
        await guest.stop()
        try await host.stop()
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
