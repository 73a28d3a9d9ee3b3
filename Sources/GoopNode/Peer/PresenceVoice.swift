import GoopCore
import Multiformats
import NIOCore
import Synchronization

/// Publishes this peer's presence when `PresenceMachine` says so.
final class PresenceVoice: Sendable {
    private struct State {
        var machine: PresenceMachine
        var profile: PresenceProfile
        var wait: Wait?
    }

    /// The one who waits, and the timer that wakes it if nothing else does.
    private struct Wait {
        let continuation: CheckedContinuation<Void, Never>
        let timer: Scheduled<Void>?
    }

    private let state: Mutex<State>
    private let clock: PeerClock
    private let publish: @Sendable ([UInt8]) async -> Void

    /// - Parameter publish: gives the bytes to the topic.
    init(
        machine: PresenceMachine, profile: PresenceProfile, clock: PeerClock,
        publish: @escaping @Sendable ([UInt8]) async -> Void
    ) {
        state = Mutex(State(machine: machine, profile: profile))
        self.clock = clock
        self.publish = publish
    }

    /// Announces, unless it is hidden, then speaks until cancelled; says no goodbye.
    func run() async {
        await say(state.withLock { $0.machine.start(now: clock.now()) })
        await withTaskCancellationHandler {
            while !Task.isCancelled {
                await wait(until: state.withLock { $0.machine.deadline })
                if Task.isCancelled { return }
                await say(state.withLock { $0.machine.timerFired(now: clock.now()) })
            }
        } onCancel: {
            wake()
        }
    }

    /// Somebody new listens to the topic.
    func listenerAppeared(listeners: Int) {
        var generator = SystemRandomNumberGenerator()
        state.withLock { $0.machine.listenerAppeared(listeners: listeners, now: clock.now(), using: &generator) }
        wake()
    }

    /// This node listens on other addresses now.
    func addressesChanged(_ addresses: [Multiaddr]) { change(\.addresses, to: addresses) }

    /// The owner has another picture now, or none.
    func avatarChanged(_ hash: String) { change(\.avatarHash, to: hash) }

    /// The owner has another name, or shares another e-mail address, or none.
    func profileChanged(label: String, email: String) {
        change(\.label, to: label)
        change(\.email, to: email)
    }

    private func change<Value: Equatable>(_ part: WritableKeyPath<PresenceProfile, Value>, to value: Value) {
        let changed = state.withLock { state in
            guard state.profile[keyPath: part] != value else { return false }
            state.profile[keyPath: part] = value
            state.machine.profileChanged(now: clock.now())
            return true
        }
        if changed { wake() }
    }

    /// Tells the others that this peer is gone, and nothing more until `appear`.
    func hide() async { await say(state.withLock { $0.machine.hide(now: clock.now()) }) }

    /// Announces this peer again.
    func appear() async {
        await say(state.withLock { $0.machine.appear(now: clock.now()) })
        wake()
    }

    /// Says goodbye, once.
    func goodbye() async { await say(state.withLock { $0.machine.stop(now: clock.now()) }) }

    private func say(_ publication: PresenceMachine.Publication?) async {
        guard let publication else { return }
        await publish(state.withLock { $0.profile.message(for: publication) }.encoded())
    }

    /// Waits for a deadline, if there is one, or until something may have changed it.
    private func wait(until deadline: Duration?) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isStale = state.withLock { state in
                    guard state.machine.deadline == deadline, !Task.isCancelled else { return true }
                    let timer = deadline.map { clock.schedule(at: $0) { [weak self] in self?.wake() } }
                    state.wait = Wait(continuation: continuation, timer: timer)
                    return false
                }
                if isStale { continuation.resume() }
            }
        } onCancel: {
            wake()
        }
    }

    private func wake() {
        let wait = state.withLock { state in
            defer { state.wait = nil }
            return state.wait
        }
        wait?.timer?.cancel()
        wait?.continuation.resume()
    }
}
