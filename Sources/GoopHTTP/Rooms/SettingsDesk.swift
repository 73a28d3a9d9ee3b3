public import GoopCore

/// What the Settings room does: shows `goop.json` and writes it.
public protocol SettingsDesk: Sendable {
    /// The file as it is now.
    /// - Throws: `ConfigurationError` if it cannot be read or is wrong.
    func settings() async throws(ConfigurationError) -> SettingsSheet
    /// Checks changes against the file as it is now, and unless it is only a check, writes them.
    /// - Throws: every problem; the file has not changed then.
    func apply(_ changes: [String: JSONValue], isOnlyCheck: Bool) async throws(ConfigurationError) -> SettingsSheet
}

/// The settings as a page shows them.
public struct SettingsSheet: Sendable, Hashable {
    /// Every key.
    public var settings: [ConfigurationSetting]
    /// Keys whose values the running peer does not use yet: it has to be started again.
    public var waitingForRestart: [String]
    /// Where the file is, from the root: whoever reads it does not know where the program was started.
    public var file: String
    /// What is written in the file and means nothing.
    public var notes: [String]
    /// What becomes of the outer door.
    public var outerDoor: OuterDoorState

    /// The viewer's outer door, as far as settings decide about it while the peer runs.
    public enum OuterDoorState: String, Sendable, Hashable {
        /// This run has none.
        case none
        /// It stays open.
        case open
        /// It is open, and would be shut at once if what was only checked were saved.
        case closing
        /// It has been shut, until the next start.
        case shut
    }

    /// All of it.
    public init(
        settings: [ConfigurationSetting], waitingForRestart: [String], file: String, notes: [String],
        outerDoor: OuterDoorState = .none
    ) {
        self.settings = settings
        self.waitingForRestart = waitingForRestart
        self.file = file
        self.notes = notes
        self.outerDoor = outerDoor
    }
}
