/// A text that must not appear in logs, errors or descriptions.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text itself, for the one place that needs it.
    public let revealed: String

    /// Wraps a text.
    public init(_ text: String) { revealed = text }

    /// True for the empty text.
    public var isEmpty: Bool { revealed.isEmpty }

    /// Says only whether there is one.
    public var description: String { isEmpty ? "(none)" : "(hidden)" }
    /// Says only whether there is one.
    public var debugDescription: String { description }
    /// Shows nothing.
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// Compares in a time that depends on the lengths only.
    public static func == (left: Secret, right: Secret) -> Bool {
        let left = Array(left.revealed.utf8)
        let right = Array(right.revealed.utf8)
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
