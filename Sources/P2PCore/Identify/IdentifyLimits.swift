/// Bounds on what identify takes from a peer and gives to it.
public struct IdentifyLimits: Sendable, Equatable {
    /// Messages of one answer; more end it with an error.
    public var messages = 10
    /// Bytes of one message that we read; a longer one ends the answer with an error.
    public var messageBytes = 8_192
    /// Bytes of one message that we write, as some peers read no more.
    public var writtenMessageBytes = 4_096
    /// A message with a signed record that would be longer is split in two.
    public var splitBytes = 2_048
    /// Protocols kept; the rest is ignored.
    public var protocols = 512
    /// Bytes of one protocol name; a longer one is ignored.
    public var protocolBytes = 256
    /// Addresses kept; the rest is ignored.
    public var addresses = 500
    /// Bytes kept of all protocol names together, and as many of all addresses; what would be more is ignored. Several times what
    /// go and kubo send: it stays in memory for as long as the peer is connected.
    public var keptBytes = 16_384
    /// Bytes of the agent and protocol versions kept; the rest is cut off.
    public var versionBytes = 256
    /// Time for the whole exchange.
    public var timeout: Duration = .seconds(5)
    /// An asker that has been sent our answer and does not end its own side for this long is reset: it has given up by then.
    public var endTimeout: Duration = .seconds(10)
    /// Questions on one connection to a peer that does not answer; then it is left alone.
    public var attempts = 8
    /// The wait behind the first unanswered question; it doubles with each.
    public var retryDelay: Duration = .seconds(1)
    /// The longest wait between two questions.
    public var retryDelayMaximum: Duration = .seconds(60)
    /// Changes are gathered this long before they are pushed.
    public var pushDelay: Duration = .seconds(2)
    /// Pushes of one peer that are taken at once; further ones only as time passes.
    public var pushBurst = 16
    /// One more push of a peer is taken per this interval.
    public var pushInterval: Duration = .seconds(2)
    /// Pushes under way at one time.
    public var concurrentPushes = 32

    /// The default figures.
    public init() {}

    /// How many pushes one peer may still send us, as long as it has sent none.
    package var pushAllowance: TokenBucket {
        TokenBucket(capacity: self.pushBurst, every: max(self.pushInterval, .milliseconds(1)))
    }
}
