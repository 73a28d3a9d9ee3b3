import LibP2P
import Testing

@testable import GoopNode

/// What the owner hears of the peers that were named at the start.
@Suite(.timeLimit(.minutes(1))) struct ContactTests {
    let temporary = TemporaryFolder()

    @Test func eachIsToldOnceInEachWay() throws {
        let (ada, bob) = (PrivateKey.generate().peerID, PrivateKey.generate().peerID)
        let places = try ["/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1"].map {
            try Multiaddr(text: $0).appending(ada)
        }
        let contacts = ContactWatch(places)
        #expect(contacts.failed(bob) == nil && contacts.reached(bob) == nil, "who was not named")
        #expect(contacts.failed(ada) == places)
        #expect(contacts.failed(ada) == nil)
        #expect(contacts.reached(ada) == places)
        #expect(contacts.reached(ada) == nil && contacts.failed(ada) == nil)
    }

    @Test func whoDoesNotAnswerIsToldAndWhoDoesToo() async throws {
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let nobody = try Multiaddr(text: "/ip4/127.0.0.1/tcp/1").appending(PrivateKey.generate().peerID)
        let bob = try await TestPeer.start(in: temporary, label: "bob", contacts: [ada.address, nobody])
        let reached = await bob.tells { (event) -> [Multiaddr]? in
            guard case .contactReached(ada.id, let addresses) = event else { return nil }
            return addresses
        }
        #expect(reached == [ada.address])
        let failed = await bob.tells { (event) -> [Multiaddr]? in
            guard case .contactFailed(_, let addresses, let reason) = event, !reason.isEmpty else { return nil }
            return addresses
        }
        #expect(failed == [nobody])
        try await bob.stop()
        try await ada.stop()
    }
}
