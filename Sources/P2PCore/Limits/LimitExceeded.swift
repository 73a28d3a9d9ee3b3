/// A reservation was refused: which limit, and its figure.
public struct LimitExceeded: Error, Sendable, Hashable, CustomStringConvertible {
    /// The limit that was hit.
    public let name: LimitName
    /// Its figure; nil for a rate, and for a share that depends on what others have.
    public let limit: Int?

    /// The limit `name` allows `limit` and no more.
    public init(_ name: LimitName, limit: Int?) {
        self.name = name
        self.limit = limit
    }

    /// For logs: `limit connectionsPerPeer of 8 reached`.
    public var description: String {
        "limit \(self.name.rawValue)\(self.limit.map { " of \($0)" } ?? "") reached"
    }
}
