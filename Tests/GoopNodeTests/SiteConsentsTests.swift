import GoopCore
import GoopHTTP
import PeerIdentity
import Synchronization
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

    @Test func whoeverAsksDoesNotWaitForTheDisk() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/consents.json"
        let asked = Mutex<SiteConsents?>(nil)
        let answers = Mutex<[Bool]>([])
        let consents = SiteConsents(path: path) { [peer] bytes, path in
            // In the middle of a write; the answer is that of the file as it still is.
            if let consents = asked.withLock({ $0 }) {
                answers.withLock { $0.append(consents.has(.email, peer)) }
            }
            try AtomicFile.write(bytes, to: path)
        }
        asked.withLock { $0 = consents }
        defer { asked.withLock { $0 = nil } }
        try consents.set(.email, true, for: peer)
        #expect(answers.withLock { $0 } == [false] && consents.has(.email, peer))
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
