import GoopCore
import Multiformats
import NIOPosix
import Synchronization

/// Compares passwords, and begins sessions: not too often, one at a time, and not on a thread that others wait for.
final class LoginDesk: Sendable {
    enum Outcome: Sendable, Equatable {
        /// A session has begun; its secret.
        case right(String)
        case wrong
        /// Too many tries; the next one counts after this time.
        case wait(Duration)
        /// Somebody else's password is being compared.
        case busy
    }

    private struct State {
        var throttle: LoginThrottle
        var isBusy = false
    }

    private let lock: OuterLock
    private let sessions: SessionTable
    private let state: Mutex<State>

    init(lock: OuterLock, sessions: SessionTable, limits: LoginThrottle.Limits = .init()) {
        self.lock = lock
        self.sessions = sessions
        state = Mutex(State(throttle: LoginThrottle(limits: limits, now: .now)))
    }

    func compare(_ tried: Secret, from client: IPAddress?, now: ContinuousClock.Instant) async -> Outcome {
        let refused = state.withLock { state -> Outcome? in
            guard !state.isBusy else { return .busy }
            if let wait = state.throttle.attempt(from: client, now: now) { return .wait(wait) }
            state.isBusy = true
            return nil
        }
        if let refused { return refused }
        let password = lock.password
        // A pool that is shutting down compares nothing, and lets nobody in.
        let isRight = (try? await NIOThreadPool.singleton.runIfActive { password.matches(tried) }) ?? false
        state.withLock { state in
            state.isBusy = false
            if isRight { state.throttle.succeeded(from: client) }
        }
        guard isRight else { return .wrong }
        let session = sessions.open(now: .now)
        // It was changed meanwhile, or the door shut, perhaps before there was this session to end.
        guard lock.password == password, !lock.isShut else {
            sessions.close(session)
            return .wrong
        }
        return .right(session)
    }
}
