import GoopCore
import PeerIdentity
import Testing

@testable import GoopNode

/// Every message of a command says what to do next.
@Suite struct FailureTests {
    @Test(arguments: SiteError.Kind.allCases)
    func whatASiteRefusesHasANextStep(_ kind: SiteError.Kind) {
        #expect(!SiteError(kind: kind).failure.nextStep.isEmpty)
    }

    @Test func aDecisionThatIsRefusedHasANextStep() async throws {
        let temporary = TemporaryFolder()
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let own = ada.id.base58
        #expect(await failure { try await ada.commands.stand(own, .blocked) }?.nextStep.contains("goop2 peers") == true)
        #expect(
            await failure { try await ada.commands.audience("only", peers: [own]) }?.nextStep.contains("goop2 site")
                == true)
        try await ada.stop()
        #expect(await failure { try await ada.commands.stand(own, .blocked) }?.nextStep.contains("goop2 peers") == true)
        #expect(
            await failure { try await ada.commands.audience("only", peers: [own]) }?.nextStep.contains("goop2 site")
                == true)
    }
}
