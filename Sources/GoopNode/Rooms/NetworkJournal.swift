import GoopCore
import GoopHTTP
import PeerIdentity
import Synchronization

/// What happened lately, in words; the oldest line goes when there are too many.
final class NetworkJournal: Sendable {
    /// Lines that are kept.
    static let maximum = 400
    /// Characters of a line.
    static let maximumLength = 300

    private let clock: PeerClock
    private let state = Mutex<(lines: [NetworkLine], next: UInt64)>(([], 1))

    init(clock: PeerClock) { self.clock = clock }

    var lines: [NetworkLine] { state.withLock { $0.lines } }

    /// - Parameter text: a sentence: it begins with a capital letter, an id, or a name as it is. May hold strangers' texts.
    func note(_ kind: String, _ text: String) {
        let time = clock.now().unixMilliseconds
        let clean = TerminalText.safe(text, maximumCharacters: NetworkJournal.maximumLength)
        state.withLock { state in
            if state.lines.count >= NetworkJournal.maximum { state.lines.removeFirst(state.lines.count / 8) }
            state.lines.append(NetworkLine(number: state.next, time: time, kind: kind, text: clean))
            state.next += 1
        }
    }

    /// Notes a change of the peer list, if its state is another than before.
    /// - Parameter before: what the last call for this peer returned; nil before the first.
    /// - Returns: the state that is told of; empty for whoever was just heard of, who neither answers nor fails to so far.
    @discardableResult
    func note(_ change: PeerChange, before: String?) -> String {
        switch change {
        case .updated(let entry):
            guard !entry.isArriving else { return "" }
            guard entry.stateName != before, !entry.isMuted else { return entry.stateName }
            let reason: String? = entry.reachable || entry.offline ? nil : entry.unreachableReason
            note("presence", "\(Self.named(entry)) is \(entry.stateName)\(reason.map { ": " + $0 } ?? "")")
            return entry.stateName
        case .removed(let peer):
            note("presence", "\(peer) is no longer listed")
            return ""
        }
    }

    /// The name with the end of the id, as the pages write it, by which one is told from another of that name; the whole id
    /// without a name.
    private static func named(_ entry: PeerEntry) -> String {
        let id = entry.id.base58
        let name = TerminalText.safe(entry.shownName, maximumCharacters: 100)
        guard !name.isEmpty else { return id }
        let tail = id.suffix(8)
        return "\(name) (…\(tail.prefix(4)) \(tail.suffix(4)))"
    }
}
