import LibP2P
import Synchronization

/// Counts the requests that are being answered; past its limits a visitor hears "busy" instead of a reset.
final class SiteAdmission: Sendable {
    private struct State {
        var total = 0
        var ofPeer: [PeerID: Int] = [:]
    }

    private let state = Mutex(State())
    private let total: Int
    private let perPeer: Int

    /// - Parameters:
    ///   - total: requests of all visitors at a time.
    ///   - perPeer: of one visitor.
    init(total: Int, perPeer: Int) {
        self.total = total
        self.perPeer = perPeer
    }

    /// Takes a place; false if there is none. A place that was taken is given back by `leave`.
    func enter(_ peer: PeerID) -> Bool {
        state.withLock { state in
            let own = state.ofPeer[peer, default: 0]
            guard state.total < total, own < perPeer else { return false }
            state.total += 1
            state.ofPeer[peer] = own + 1
            return true
        }
    }

    /// Gives a place back.
    func leave(_ peer: PeerID) {
        state.withLock { state in
            guard let own = state.ofPeer[peer] else { return }
            state.total -= 1
            state.ofPeer[peer] = own > 1 ? own - 1 : nil
        }
    }
}
