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

    @Test func theSitesOfEachConsentAreBounded() throws {
        let folder = TemporaryFolder()
        // Ids as any, of which nobody has the key.
        let sites = try (0...SiteConsents.limit).map { number in
            let key = (0..<32).map { UInt8(truncatingIfNeeded: number >> (8 * min($0, 3))) }
            return try PeerID(multihash: [0x00, 0x24, 0x08, 0x01, 0x12, 0x20] + key)
        }
        let last = try #require(sites.last)
        func list(_ sites: some Sequence<PeerID>) -> String {
            "[" + sites.map { "\"\($0)\"" }.joined(separator: ",\n    ") + "]"
        }
        // As many as there may be of each, which is read as a whole; and one more, by whatever hand.
        folder.write("{\"email\": \(list(sites.dropLast())), \"keep\": \(list(sites))}", to: "consents.json")
        let consents = SiteConsents(path: folder.path + "/consents.json") { _, _ in Issue.record("it is written") }
        for consent in SiteConsent.allCases {
            #expect(sites.dropLast().allSatisfy { consents.has(consent, $0) })
            let error = #expect(throws: SiteError.self) { try consents.set(consent, true, for: last) }
            #expect(error?.kind == .busy && !consents.has(consent, last))
        }
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
