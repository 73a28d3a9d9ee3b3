/// A point in time as the state machines of this target see it: given by the caller with every event.
public struct Moment: Sendable, Hashable {
    /// Time since the program's start on a clock that never jumps: measures every interval.
    public var uptime: Duration
    /// UNIX time in milliseconds: only shown, sent, and compared with other machines' clocks.
    public var unixMilliseconds: Int64

    /// Makes a moment of both clocks.
    public init(uptime: Duration, unixMilliseconds: Int64) {
        self.uptime = uptime
        self.unixMilliseconds = unixMilliseconds
    }
}
