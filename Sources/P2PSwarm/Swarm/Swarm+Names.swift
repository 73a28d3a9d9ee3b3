import Multiformats
import NIOCore
import P2PCore

extension Swarm {
    /// Finds out where the name of an attempt leads. The attempt holds its permit and its reservation until that is known.
    func lookUp(_ request: DialRequest, for attempt: Dialer.Attempt) {
        self.configuration.names.resolve(request).whenComplete { [weak self] result in
            switch result {
            case .success(let found): self?.resolved(attempt, found)
            case .failure(let error): self?.failed(attempt, (error as? DialFailureReason) ?? .other(brief(error)))
            }
        }
    }

    private func resolved(_ attempt: Dialer.Attempt, _ found: [Multiaddr]) {
        self.update { state, effects in
            let (admission, now) = (self.admission(in: state), MonotonicInstant.now())
            let actions = state.dialer.resolved(
                attempt, to: found, book: state.book, admission: admission, now: now)
            self.carryOut(actions, in: &state, &effects, now: now)
        }
    }
}
