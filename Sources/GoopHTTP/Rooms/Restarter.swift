public import GoopCore

/// Starts the program again: the same one, with the same arguments, on the same folder.
public protocol Restarter: Sendable {
    /// A text that no other run has, so that a page knows when the next one answers.
    var run: String { get }
    /// Looks at the settings as the next run would.
    /// - Throws: what is wrong with them; the next run would not start.
    func check() async throws(ConfigurationError)
    /// Ends this run in order, and begins the next one. Returns before that happens.
    func restart()
}
