public import GoopCore
import Synchronization

/// What opens the outer door. The owner can change it while the door is there; then everybody else is signed out.
public final class OuterLock: Sendable {
    private struct State {
        var password: PasswordHash
        var onChange: [@Sendable () -> Void] = []
    }

    private let state: Mutex<State>

    /// The password at the start.
    public init(_ password: PasswordHash) {
        state = Mutex(State(password: password))
    }

    /// Only this one opens from now on. The session whose request calls this goes on; all others have ended on return.
    public func change(to password: PasswordHash) {
        let observers = state.withLock { state in
            state.password = password
            return state.onChange
        }
        for observer in observers { observer() }
    }

    var password: PasswordHash { state.withLock { $0.password } }

    /// One observer for each table of sessions.
    func onChange(_ observer: @escaping @Sendable () -> Void) {
        state.withLock { $0.onChange.append(observer) }
    }
}
