internal import Multiformats

/// The name of a protocol as multistream-select negotiates it, such as `/ipfs/ping/1.0.0`.
///
/// Equality is that of the bytes, not of Unicode text: there are no versions or prefixes in it.
public struct ProtocolID: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    /// The name on the wire.
    public let name: String

    /// A protocol of this name.
    public init(_ name: String) { self.name = name }

    /// A protocol named in source text.
    public init(stringLiteral name: String) { self.name = name }

    /// True if the names have the same bytes.
    public static func == (left: ProtocolID, right: ProtocolID) -> Bool { left.name.hasBytes(of: right.name) }

    /// Hashes the bytes of the name.
    public func hash(into hasher: inout Hasher) { name.hashBytes(into: &hasher) }

    /// The name.
    public var description: String { name }
}
