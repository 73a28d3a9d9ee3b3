import Multiformats

/// A text that is another one if any of its bytes is: as file systems and SQLite tell names apart.
///
/// To Swift two texts are equal if they are the same characters, however an accent is written. Where texts of both kinds can
/// name two things, they are compared and looked up as this.
package struct ExactText: Sendable, Hashable {
    /// The text.
    package let text: String

    /// Takes a text as it is.
    package init(_ text: String) { self.text = text }

    /// Compares bytes.
    package static func == (left: ExactText, right: ExactText) -> Bool { left.text.hasBytes(of: right.text) }

    /// Feeds bytes.
    package func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }
}
