import GoopCore
import GoopHTTP
import PeerIdentity
import Testing

@testable import GoopNode

/// What the log says of people who come, answer or not, and go.
@Suite struct NetworkJournalTests {
    private let journal = NetworkJournal(clock: PeerClock())
    private var entry = PeerEntry(id: PrivateKey.generate().peerID, label: "Ada")

    private var texts: [String] { journal.lines.map(\.text) }
    /// The name with the end of the id.
    private var ada: String { "Ada (\(Self.end(of: entry)))" }

    private static func end(of entry: PeerEntry) -> String {
        let end = entry.id.base58.suffix(8)
        return "…\(end.prefix(4)) \(end.suffix(4))"
    }

    @Test mutating func whoArrivesIsNotCalledUnreachable() {
        var state = journal.note(.updated(entry), before: nil)
        #expect(state.isEmpty && texts.isEmpty)
        entry.reachable = true
        state = journal.note(.updated(entry), before: state)
        #expect(state == "online" && texts == ["\(ada) is online"])
        state = journal.note(.updated(entry), before: state)
        #expect(texts == ["\(ada) is online"], "said once")
    }

    @Test mutating func aDialThatFailedIsToldWithItsReasonAndAComingBackIsToo() {
        var state = journal.note(.updated(entry), before: nil)
        entry.unreachableReason = "refused"
        state = journal.note(.updated(entry), before: state)
        entry.offline = true
        state = journal.note(.updated(entry), before: state)
        #expect(texts == ["\(ada) is unreachable: refused", "\(ada) is offline"])
        entry.offline = false
        entry.unreachableReason = nil
        state = journal.note(.updated(entry), before: state)
        entry.reachable = true
        state = journal.note(.updated(entry), before: state)
        #expect(state == "online" && texts.last == "\(ada) is online" && texts.count == 3)
    }

    @Test func equalNamesAreToldApartAlsoLongOnesAndWhoHasNoneIsAnID() throws {
        let label = String(repeating: "Ada ", count: 200)
        let others = ["Ada", label, ""].map {
            PeerEntry(id: PrivateKey.generate().peerID, label: $0, reachable: true)
        }
        for other in others { journal.note(.updated(other), before: nil) }
        try #require(texts.count == 3)
        #expect(texts[0] == "Ada (\(Self.end(of: others[0]))) is online")
        #expect(texts[1].hasPrefix("Ada Ada ") && texts[1].hasSuffix("(\(Self.end(of: others[1]))) is online"))
        #expect(texts[2] == "\(others[2].id.base58) is online")
    }
}
