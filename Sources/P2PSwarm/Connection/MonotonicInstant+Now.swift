import NIOCore
public import P2PCore

extension MonotonicInstant {
    /// The present, on the clock of NIO's deadlines.
    public static func now() -> MonotonicInstant { MonotonicInstant(nanoseconds: NIODeadline.now().uptimeNanoseconds) }
}
