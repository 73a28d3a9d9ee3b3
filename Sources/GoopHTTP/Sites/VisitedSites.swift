import PeerIdentity
import Synchronization

/// The sites that the person opened since the viewer started.
///
/// A visited page runs with an opaque origin, so its requests for its own pictures and scripts look like those of any
/// page of the internet. Only sites in this set answer such requests: a web page elsewhere cannot probe who is near,
/// nor make this peer dial somebody, unless the person opened that site.
///
/// Known limit: a page elsewhere that knows the id of a site which was opened since the start, and asks from a sandboxed
/// frame, can read that site's files. Ruling that out takes an origin or a secret path per site.
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
