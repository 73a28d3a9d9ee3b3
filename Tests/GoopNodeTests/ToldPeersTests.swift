import GoopCore
import PeerIdentity
import Testing

@testable import GoopNode

/// Which changes of the peer list `goop2 peer --json` prints.
@Suite struct ToldPeersTests {
    private let told = ToldPeers()
    private var entry = PeerEntry(id: PrivateKey.generate().peerID, label: "Ada")

    @Test mutating func onlyANameOrAStateIsNews() {
        #expect(entry.stateName == "arriving")
        #expect(told.isNews(.updated(entry)) && !told.isNews(.updated(entry)))
        entry.unreachableReason = "it ended the connection"
        #expect(entry.stateName == "unreachable" && told.isNews(.updated(entry)))
        // What whoever has blocked us changes with each try.
        for path in [PeerPath.loopback, .none, .loopback, .none] {
            entry.path = path
            entry.unreachableReason = "it ended the connection, \(path)"
            #expect(!told.isNews(.updated(entry)))
        }
        let changes: [(inout PeerEntry) -> Void] = [
            { $0.label = "Ada L." }, { $0.petname = "Aunt" }, { $0.reachable = true }, { $0.offline = true },
        ]
        for change in changes {
            change(&entry)
            #expect(told.isNews(.updated(entry)) && !told.isNews(.updated(entry)))
        }
        #expect(entry.stateName == "offline")
        var other = entry
        other.id = PrivateKey.generate().peerID
        #expect(told.isNews(.updated(other)), "of another one")
    }

    @Test func whoComesBackToTheListIsToldAgain() {
        #expect(told.isNews(.updated(entry)))
        #expect(told.isNews(.removed(entry.id)))
        #expect(told.isNews(.updated(entry)))
    }
}
