import GoopCore
import GoopHTTP
import PeerIdentity
import Testing

@testable import GoopNode

/// What the owner agreed to for single sites, in `data/consents.json`.
@Suite struct SiteConsentsTests {
    private let peer = PrivateKey.generate().peerID

    @Test func eachConsentIsKeptForItselfAndOverARestart() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/consents.json"
        let consents = SiteConsents(path: path)
        try consents.set(.email, true, for: peer)
        #expect(consents.has(.email, peer) && !consents.has(.keep, peer))
        try consents.set(.keep, true, for: peer)
        try consents.set(.email, false, for: peer)
        let again = SiteConsents(path: path)
        #expect(!again.has(.email, peer) && again.has(.keep, peer))
        #expect(!again.has(.keep, PrivateKey.generate().peerID))
    }

    @Test func aFileOfAnOlderGoopAndABrokenOneAreRead() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/consents.json"
        folder.write("{\"email\":[\"\(peer)\",7,\"x\"]}", to: "consents.json")
        #expect(SiteConsents(path: path).has(.email, peer))
        #expect(!SiteConsents(path: path).has(.keep, peer))
        folder.write("{\"keep\":[\"\(peer)", to: "consents.json")
        #expect(!SiteConsents(path: path).has(.keep, peer))
    }
}
