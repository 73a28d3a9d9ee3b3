import GoopCore
import Synchronization

/// The owner's name and e-mail address: as the settings say it, and from a save in the Settings room on as that says it.
final class OwnProfile: Sendable {
    private let state: Mutex<GoopConfiguration.Profile>
    /// Says when something has changed; for one reader.
    let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    init(_ settings: GoopConfiguration.Profile) {
        state = Mutex(settings)
        (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// The name that others see.
    var label: String { state.withLock { $0.label } }
    /// The owner's, shared or not.
    var email: String { state.withLock { $0.email } }
    /// What the others are told: empty unless the owner chose to share it.
    var sharedEmail: String { state.withLock { $0.sharedEmail } }

    func set(_ settings: GoopConfiguration.Profile) {
        let isNew = state.withLock { state in
            defer { state = settings }
            return state != settings
        }
        if isNew { changed.yield() }
    }
}
