import GoopCore
import GoopHTTP
import Synchronization

/// How the viewer's pages are to be: as the settings say it, and from a save in the Settings room on as that says it.
final class LivePreferences: Sendable {
    private let state: Mutex<ViewerPreferences>

    init(_ settings: GoopConfiguration.Viewer) { state = Mutex(ViewerPreferences(settings)) }

    var now: ViewerPreferences { state.withLock { $0 } }

    func set(_ settings: GoopConfiguration.Viewer) { state.withLock { $0 = ViewerPreferences(settings) } }
}
