import GoopCore
import GoopStore
import Logging
import PeerIdentity
import Testing

@testable import GoopNode

/// Every message of a command says what to do next.
@Suite struct FailureTests {
    @Test(arguments: SiteError.Kind.allCases)
    func whatASiteRefusesHasANextStep(_ kind: SiteError.Kind) {
        #expect(!SiteError(kind: kind).failure.nextStep.isEmpty)
    }

    /// A typing error neither closes a site to everybody nor blocks anybody, whether the peer runs or not.
    @Test func aSlipInAnIdDecidesNothing() async throws {
        let temporary = TemporaryFolder()
        let ada = try await TestPeer.start(in: temporary, label: "ada")
        let unseen = PrivateKey.generate().peerID.base58
        for isRunning in [true, false] {
            if !isRunning { try await ada.stop() }
            for action in ["only", "allow"] {
                let refused = await failure { try await ada.commands.audience(action, peers: ["12D3KooWrong"]) }
                #expect(refused?.kind == .noInput && refused?.cause.contains("12D3KooWrong is no peer id") == true)
            }
            #expect(await failure { try await ada.commands.stand("12D3KooWrong", .blocked) }?.kind == .noInput)
            #expect(try await ada.commands.audience("show").object?["audience"]?.string == "everyone")
            #expect(try await ada.commands.decisions() == .array([]))
            // A slip that makes another id cannot be told from somebody who is not met yet: that is said.
            let answer = try await ada.commands.audience("allow", peers: [unseen])
            #expect(answer.object?["guests"]?.array?.first?.object?["unseen"]?.bool == true)
            #expect(try await ada.commands.stand(unseen, .blocked).object?["unseen"]?.bool == true)
            _ = try await ada.commands.stand(unseen, .ordinary)
            _ = try await ada.commands.audience("revoke", peers: [unseen])
        }
    }

    @Test func aFolderWithoutAPeerIsToldBeforeTheNameOfAnother() async throws {
        let temporary = TemporaryFolder()
        let folder = PeerFolder(temporary.path + "/none")
        let commands = PeerCommands(folder: folder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let told = await failure { try await commands.ping("nobody") }
        #expect(told?.nextStep == "create one: goop2 init \(folder.path)")
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "me")).release()
        #expect(try commands.identity().object?["folder"]?.string == folder.path)
        let unknown = await failure { try await commands.ping("nobody") }
        #expect(unknown?.kind == .noInput && unknown?.nextStep.contains("goop2 peer \(folder.word)") == true)
        #expect(await failure { try await commands.ping("me") }?.cause == "that is this folder's own id")
        let other = PrivateKey.generate().peerID
        #expect(ShortLivedNode.words(for: .seconds(10)) == "10 seconds")
        #expect(ShortLivedNode.words(for: .seconds(1)) == "1 second")
        // Whoever is known is called by name.
        let store = try folder.openPeerStore()
        try await store.save([KnownPeer(id: other, label: "Bob")])
        try store.close()
        #expect(try await commands.stand("Bob", .muted).object?["name"]?.string == "Bob")
        #expect(TerminalText.named("Bob", id: other.base58) == "Bob (…\(other.base58.suffix(8)))")
        #expect(TerminalText.named("", id: other.base58) == other.base58)
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
