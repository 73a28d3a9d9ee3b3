/// How long somebody who did not answer is left alone before a try that nothing new is the cause of: longer after each failure,
/// up to a minute.
///
/// Whoever has blocked us lets connections begin, so that no dial fails, and ends them: without this it would be dialled with
/// every sign of life that others pass on. A value without a clock; times are uptimes, or counted from any other beginning.
public struct RetryPause: Sendable, Hashable {
    /// The pause after the first failure: less than a heartbeat. It doubles with each further one.
    public static let shortest = Duration.seconds(4)
    /// The most that it becomes.
    public static let longest = Duration.seconds(60)
    /// Failures that are not further apart are one.
    public static let oneFailure = Duration.seconds(2)

    /// The last failure that counted; nil before the first.
    private var since: Duration?
    private var length = Duration.zero

    /// Nothing has failed yet.
    public init() {}

    /// A try has failed.
    public mutating func failed(now: Duration) {
        if let since, now - since <= Self.oneFailure { return }
        length = since == nil ? Self.shortest : min(length * 2, Self.longest)
        since = now
    }

    /// Whether a further try may be made.
    public func isOver(now: Duration) -> Bool { since.map { now - $0 >= length } ?? true }
}
