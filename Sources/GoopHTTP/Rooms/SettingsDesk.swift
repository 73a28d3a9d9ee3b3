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
    /// Where the file is.
    public var file: String
    /// What is written in the file and means nothing.
    public var notes: [String]

    /// All of it.
    public init(settings: [ConfigurationSetting], waitingForRestart: [String], file: String, notes: [String]) {
        self.settings = settings
        self.waitingForRestart = waitingForRestart
        self.file = file
        self.notes = notes
    }
}
