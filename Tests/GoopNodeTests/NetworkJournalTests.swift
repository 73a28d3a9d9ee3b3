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

    @Test mutating func whoArrivesIsNotCalledUnreachable() {
        var state = journal.note(.updated(entry), before: nil)
        #expect(state.isEmpty && texts.isEmpty)
        entry.reachable = true
        state = journal.note(.updated(entry), before: state)
        #expect(state == "online" && texts == ["Ada is online"])
        state = journal.note(.updated(entry), before: state)
        #expect(texts == ["Ada is online"], "said once")
    }

    @Test mutating func aDialThatFailedIsToldWithItsReasonAndAComingBackIsToo() {
        var state = journal.note(.updated(entry), before: nil)
        entry.unreachableReason = "refused"
        state = journal.note(.updated(entry), before: state)
        entry.offline = true
        state = journal.note(.updated(entry), before: state)
        #expect(texts == ["Ada is unreachable: refused", "Ada is offline"])
        entry.offline = false
        entry.unreachableReason = nil
        state = journal.note(.updated(entry), before: state)
        entry.reachable = true
        state = journal.note(.updated(entry), before: state)
        #expect(state == "online" && texts.last == "Ada is online" && texts.count == 3)
    }
}
