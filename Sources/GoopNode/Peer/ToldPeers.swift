package import GoopCore
import PeerIdentity
import Synchronization

/// What somebody who reads lines about peers was told last: of a change only what such a line shows is news. Of whoever has
/// blocked us connections come and go, and the line would be the same one.
package final class ToldPeers: Sendable {
    private struct Line: Hashable {
        let label, petname, state: String
    }

    /// One for each peer that is listed.
    private let lines = Mutex<[PeerID: Line]>([:])

    /// Nobody was told of yet.
    package init() {}

    /// Whether a change is to be told: always if the peer is no longer listed, else if its names or its state are others.
    package func isNews(_ change: PeerChange) -> Bool {
        lines.withLock { lines in
            switch change {
            case .updated(let entry):
                let line = Line(label: entry.label, petname: entry.petname, state: entry.stateName)
                return lines.updateValue(line, forKey: entry.id) != line
            case .removed(let peer):
                lines[peer] = nil
                return true
            }
        }
    }
}
