public import GoopCore
import Synchronization

/// What opens the outer door. The owner can change it while the door is there, and everybody else is signed out then; or shut
/// the door, until the next start.
public final class OuterLock: Sendable {
    private struct State {
        var password: PasswordHash
        var isShut = false
        var onChange: [@Sendable () -> Void] = []
        var onShut: [@Sendable () -> Void] = []
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

    /// Nobody comes in any more, and every session has ended on return. The request that calls this still gets its answer.
    public func shut() {
        let observers = state.withLock { state in
            defer { state.isShut = true }
            return state.isShut ? [] : state.onShut
        }
        for observer in observers { observer() }
    }

    /// True from `shut()` on.
    public var isShut: Bool { state.withLock { $0.isShut } }

    /// Calls the observer once, when the door is shut; at once if it is.
    public func onShut(_ observer: @escaping @Sendable () -> Void) {
        let isShut = state.withLock { state in
            if !state.isShut { state.onShut.append(observer) }
            return state.isShut
        }
        if isShut { observer() }
    }

    var password: PasswordHash { state.withLock { $0.password } }

    /// One observer for each table of sessions.
    func onChange(_ observer: @escaping @Sendable () -> Void) {
        state.withLock { $0.onChange.append(observer) }
    }
}
