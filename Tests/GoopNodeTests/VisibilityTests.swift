import GoopCore
import GoopHTTP
import LibP2P
import Testing

@testable import GoopNode

/// Invisible peers, and the next run of a peer.
@Suite(.timeLimit(.minutes(1))) struct VisibilityTests {
    let temporary = TemporaryFolder()

    @Test func whoBecomesInvisibleLeavesTheListsAndVisitsAllTheSame() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        _ = await ada.sees(bob.id) { $0.stateName == "online" }
        _ = await bob.sees(ada.id) { $0.reachable }
        let seen = ada.eventCount

        _ = try await bob.running.settings.apply(["presence.invisible": true], isOnlyCheck: false)
        _ = await ada.sees(bob.id, after: seen) { $0.offline }
        _ = try await bob.commands.get(ada.id.base58, path: "/") { _ in }
        #expect(await bob.running.backend.isInvisible())
        let file = try AtomicFile.read(bob.folder.configurationFile, limit: 1 << 20)
        #expect(try GoopConfiguration(decoding: file).presence.invisible)
        #expect(try await bob.running.settings.settings().waitingForRestart.isEmpty)

        let hidden = ada.eventCount
        _ = try await bob.running.settings.apply(["presence.invisible": false], isOnlyCheck: false)
        _ = await ada.sees(bob.id, after: hidden) { $0.stateName == "online" }
        try await bob.stop()
        try await ada.stop()
    }

    @Test func whoStartsInvisibleIsNeverListed() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address]) {
            $0.presence.invisible = true
        }
        // Ada's presence has reached Bob, so Bob's would have reached Ada.
        _ = await bob.sees(ada.id) { $0.reachable }
        _ = try await bob.commands.get(ada.id.base58, path: "/") { _ in }
        try await bob.stop()
        #expect(try await ada.commands.peers() == .array([]))
        try await ada.stop()
    }

    @Test func howThePagesAreTakesEffectWithTheSave() async throws {
        let bob = try await TestPeer.start(in: temporary, label: "bob") { $0.viewer.theme = "no word for it" }
        #expect(bob.running.backend.preferences == ViewerPreferences())
        let changes: [String: JSONValue] = [
            "viewer.theme": "dark", "viewer.hide_unverified": true, "viewer.open_sites_external": true,
        ]
        _ = try await bob.running.settings.apply(changes, isOnlyCheck: true)
        #expect(bob.running.backend.preferences == ViewerPreferences(), "it was only a check")
        let sheet = try await bob.running.settings.apply(changes, isOnlyCheck: false)
        #expect(sheet.waitingForRestart.isEmpty)
        var wanted = ViewerPreferences()
        wanted.theme = .dark
        wanted.hidesUnverified = true
        wanted.opensSitesInNewTab = true
        #expect(bob.running.backend.preferences == wanted)
        try await bob.stop()
    }

    @Test func theNextRunIsAskedForInOrder() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        _ = await ada.sees(bob.id) { $0.stateName == "online" }
        let seen = ada.eventCount
        try await bob.running.restarter.check()
        bob.running.restarter.restart()
        await #expect(throws: PeerRestart.self) { try await bob.ended() }
        _ = await ada.sees(bob.id, after: seen) { $0.offline }
        // Folder, ports and socket are free for the next one.
        let next = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        #expect(next.id == bob.id)
        #expect(next.running.restarter.run != bob.running.restarter.run)
        try await next.stop()
        try await ada.stop()
    }

    @Test func settingsThatWouldNotStartEndNothing() async throws {
        let bob = try await TestPeer.start(in: temporary, label: "bob")
        try AtomicFile.write(Array(#"{"p2p":{"listen_port":-1}}"#.utf8), to: bob.folder.configurationFile)
        await #expect(throws: ConfigurationError.self) { try await bob.running.restarter.check() }
        _ = try await bob.commands.peers()
        try await bob.stop()
    }

    @Test func aNextRunThatWouldFindItsPortTakenOrNoKeyIsNotBegun() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let bob = try await TestPeer.start(in: temporary, label: "bob")
        let taken = Int(try #require(ada.address.tcpPort))
        let wishes: [(String, JSONValue)] = [
            ("p2p.listen_port", .integer(taken)), ("viewer.http_addr", .string("127.0.0.1:\(taken)")),
            ("identity.key_file", .string("goop.json")), ("identity.key_file", .string("missing.key")),
            ("p2p.nacl_public_key", .string(String(repeating: "A", count: 43) + "=")),
        ]
        for (key, value) in wishes {
            _ = try await bob.running.settings.apply([key: value], isOnlyCheck: false)
            await #expect { try await bob.running.restarter.check() } throws: { "\($0)".contains(key) }
            _ = try await bob.running.settings.apply([key: .null], isOnlyCheck: false)
            try await bob.running.restarter.check()
        }
        try await bob.stop()
        try await ada.stop()
    }

    @Test func aRevocationHoldsAlsoWhenTheFileCannotBeRead() async throws {
        let bob = try await TestPeer.start(in: temporary, label: "bob")
        let guest = PrivateKey.generate().peerID
        _ = try await bob.running.access.decide(.only([guest]))
        try AtomicFile.write(Array("{".utf8), to: bob.folder.configurationFile)
        let error = await #expect(throws: AudienceError.self) { try await bob.running.access.decide(.revoke([guest])) }
        #expect(error?.isStored == false)
        #expect(bob.running.door.audience == .named([]))
        let file = try AtomicFile.read(bob.folder.configurationFile, limit: 1 << 20)
        #expect(file == Array("{".utf8), "a file that the owner is mending is not overwritten")
        try await bob.stop()
    }
}
