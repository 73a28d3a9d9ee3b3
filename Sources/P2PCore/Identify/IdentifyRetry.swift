/// When a peer that did not answer identify is asked again on the same connection.
///
/// Nothing above works with a peer that has not said what it speaks, and a connection outlives the seconds in which a link loses
/// everything: so one question is not enough. The waits double from `IdentifyLimits.retryDelay` to `retryDelayMaximum`, each up to
/// a fifth shorter or longer, so that what failed together is not repeated together. After `IdentifyLimits.attempts` questions in
/// all the peer is left alone: it may still push, or connect anew.
public struct IdentifyRetry: Sendable {
    private let limits: IdentifyLimits
    private var failures = 0

    /// Nothing has failed yet.
    public init(limits: IdentifyLimits) { self.limits = limits }

    /// A question was not answered.
    ///
    /// - Returns: how long to wait before the next one; nil if that was the last.
    public mutating func failed(using generator: inout some RandomNumberGenerator) -> Duration? {
        self.failures += 1
        guard self.failures < self.limits.attempts else { return nil }
        var wait = self.limits.retryDelay
        for _ in 1..<self.failures where wait < self.limits.retryDelayMaximum { wait *= 2 }
        return min(wait, self.limits.retryDelayMaximum) * Double.random(in: 0.8..<1.2, using: &generator)
    }
}
