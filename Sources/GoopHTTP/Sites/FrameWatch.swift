import PeerIdentity
import Synchronization

/// Which page of each site a frame asked for last.
///
/// The shell cannot look into the frame, which is a stranger's; but each page that the frame goes to is asked for here.
/// So the shell asks for this when its frame has loaded, and keeps its own address true. Changes of the fragment, and
/// addresses that a page makes up with `history.pushState`, ask for nothing: those the page tells the shell (`goop-place.js`).
final class FrameWatch: Sendable {
    struct Step: Sendable, Equatable {
        /// Path and query within the site, beginning with a slash, still percent-encoded.
        var path: String
        /// Grows with every step of any site, so that a shell can tell a new one, and from one run of the viewer to the next,
        /// since shells stay open over it. Below 2^53, which a browser's numbers hold.
        var sequence: UInt64
        /// Where the frame was asked to go instead, out of the site: a web address, or a path of another site's page that
        /// begins with `/p/`. The shell names it, and only the person goes there.
        var leadsTo: String?
    }

    private struct State {
        var steps: [PeerID: Step] = [:]
        var sequence: UInt64
    }

    private let limit: Int
    private let state: Mutex<State>

    /// At the limit the site whose last step is the oldest is forgotten.
    /// - Parameter unixMilliseconds: when this run of the viewer began. Steps of an earlier run, of which there were fewer than
    ///   1024 in a millisecond, have lower numbers.
    init(limit: Int = 256, unixMilliseconds: Int64) {
        self.limit = max(limit, 1)
        // 2^42 milliseconds end in 2109.
        state = Mutex(State(sequence: UInt64(min(max(unixMilliseconds, 0), 1 << 42)) << 10))
    }

    func moved(_ peer: PeerID, to path: String) {
        note(peer) { _ in Step(path: path, sequence: 0) }
    }

    /// A link of the site leads out of it; the page before stays the last one of the site.
    func asked(_ peer: PeerID, to target: String) {
        note(peer) { Step(path: $0?.path ?? "/", sequence: 0, leadsTo: target) }
    }

    private func note(_ peer: PeerID, _ next: (Step?) -> Step) {
        state.withLock { state in
            state.sequence &+= 1
            var step = next(state.steps[peer])
            step.sequence = state.sequence
            state.steps[peer] = step
            if state.steps.count > limit, let oldest = state.steps.min(by: { $0.value.sequence < $1.value.sequence }) {
                state.steps[oldest.key] = nil
            }
        }
    }

    func last(of peer: PeerID) -> Step? {
        state.withLock { $0.steps[peer] }
    }
}
