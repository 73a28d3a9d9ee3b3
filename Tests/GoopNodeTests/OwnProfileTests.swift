import GoopCore
import GoopHTTP
import LibP2P
import Testing

@testable import GoopNode

/// The owner's name and e-mail address, changed while the peer runs.
@Suite(.timeLimit(.minutes(1))) struct OwnProfileTests {
    let temporary = TemporaryFolder()

    @Test func aNewNameIsToldToTheOthersAndShownAtOnce() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address])
        _ = await ada.sees(bob.id) { $0.stateName == "online" && $0.label == "bob" }
        _ = await bob.sees(ada.id) { $0.reachable }
        var pages = await bob.running.backend.peerChanges().makeAsyncIterator()

        _ = try await bob.running.settings.apply(["profile.label": "Nobody"], isOnlyCheck: true)
        #expect(await bob.running.backend.selfProfile().label == "bob", "it was only a check")
        let changes: [String: JSONValue] = [
            "profile.label": "Mia", "profile.email": "mia@example.org", "profile.share_email": true,
        ]
        let sheet = try await bob.running.settings.apply(changes, isOnlyCheck: false)
        #expect(sheet.waitingForRestart.isEmpty)
        let seen = await ada.sees(bob.id) { $0.label == "Mia" && $0.email == "mia@example.org" }
        #expect(seen.stateName == "online")
        // Whoever asks by the oldest protocol hears it too.
        #expect(try await Probe(node: ada.running.node, timeout: .seconds(30)).run(bob.id) == "Mia")
        let own = await bob.running.backend.selfProfile()
        #expect(own.label == "Mia" && own.email == "mia@example.org")
        #expect(await bob.running.backend.name(of: bob.id) == "Mia")
        // The stream of changes ends, so that open pages ask for everything anew.
        while await pages.next() != nil {}

        // No longer shared, it is told to nobody, and known to the owner still.
        let shared = ada.eventCount
        _ = try await bob.running.settings.apply(["profile.share_email": false], isOnlyCheck: false)
        _ = await ada.sees(bob.id, after: shared) { $0.email == "" }
        #expect(await bob.running.backend.selfProfile().email == "mia@example.org")
        try await bob.stop()
        try await ada.stop()
    }

    @Test func rowsThatAreMadeAfterwardsBearTheNewAddress() async throws {
        let bob = try await TestPeer.start(in: temporary, label: "bob") {
            $0.profile.email = "old@example.org"
            $0.profile.shareEmail = true
        }
        let tables = bob.running.tables
        for text in [
            #"{"op":"create-table","name":"notes","policy":"open","column_defs":[{"name":"title","type":"TEXT"}]}"#,
            #"{"op":"insert","table":"notes","data":{"title":"before"}}"#,
        ] { _ = try await tables.perform(DataRequest.parse(text), caller: .owner) }
        _ = try await bob.running.settings.apply(["profile.email": "new@example.org"], isOnlyCheck: false)
        _ = try await tables.perform(
            DataRequest.parse(#"{"op":"insert","table":"notes","data":{"title":"after"}}"#), caller: .owner)
        let addresses = try await tables.perform(
            DataRequest.parse(#"{"op":"pluck","table":"notes","column":"_owner_email","order":"_id"}"#), caller: .owner)
        #expect(addresses == .array(["old@example.org", "new@example.org"]))
        try await bob.stop()
    }

    @Test func whatIsToldFollowsTheSettings() async {
        var settings = GoopConfiguration().profile
        settings.email = "me@example.org"
        let own = OwnProfile(settings)
        #expect(own.sharedEmail == "" && own.email == "me@example.org")
        settings.shareEmail = true
        own.set(settings)
        #expect(own.sharedEmail == "me@example.org")
        var changes = own.changes.makeAsyncIterator()
        #expect(await changes.next() != nil)
        settings.label = "Mia"
        own.set(settings)
        #expect(await changes.next() != nil)
        #expect(own.label == "Mia")
    }
}
