internal import Multiformats

/// The name of a topic as tables hold it: two are equal if their bytes are, as everywhere on the network.
///
/// A `String` as a key would take a stranger's "Klatsch" with a Kelvin sign for ours.
package struct TopicName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name on the wire.
    package let text: String

    package init(_ text: String) { self.text = text }

    package init(stringLiteral text: String) { self.text = text }

    package static func == (left: TopicName, right: TopicName) -> Bool { left.text.hasBytes(of: right.text) }

    package func hash(into hasher: inout Hasher) { text.hashBytes(into: &hasher) }

    package var description: String { text }

    /// Its length.
    var bytes: Int { text.utf8.count }
}
