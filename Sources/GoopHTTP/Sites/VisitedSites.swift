import PeerIdentity
import Synchronization

/// The sites that the person opened since the viewer started.
///
/// A page elsewhere may lead the tab to one of these again without a click; for any other the person is asked first. Nothing
/// else depends on it. Only a navigation of the person counts as opening, so a browser must have told what the request is.
final class VisitedSites: Sendable {
    private struct State {
        var latest: [PeerID: UInt64] = [:]
        var clock: UInt64 = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// At the limit the site that was opened longest ago is forgotten.
    init(limit: Int = 1024) {
        self.limit = max(limit, 1)
    }

    func insert(_ peer: PeerID) {
        state.withLock { state in
            state.clock &+= 1
            state.latest[peer] = state.clock
            if state.latest.count > limit, let oldest = state.latest.min(by: { $0.value < $1.value }) {
                state.latest[oldest.key] = nil
            }
        }
    }

    func contains(_ peer: PeerID) -> Bool {
        state.withLock { $0.latest[peer] != nil }
    }
}
