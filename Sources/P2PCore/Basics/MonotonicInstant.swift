/// A reading of a clock that never goes back, the only notion of time in state machines.
///
/// The zero is arbitrary and the same within one process or simulation. Arithmetic stops at the ends of the range.
public struct MonotonicInstant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the zero.
    public var nanoseconds: UInt64

    /// The zero of the clock.
    public static let zero = MonotonicInstant(nanoseconds: 0)

    /// An instant so many nanoseconds behind the zero.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// The instant so much later, or earlier for a negative duration.
    public func advanced(by duration: Duration) -> MonotonicInstant {
        let amount = Self.saturatedNanoseconds(duration)
        if amount >= 0 {
            let (sum, overflow) = nanoseconds.addingReportingOverflow(amount.magnitude)
            return MonotonicInstant(nanoseconds: overflow ? .max : sum)
        }
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(amount.magnitude)
        return MonotonicInstant(nanoseconds: overflow ? 0 : difference)
    }

    /// How long it is from here to another instant; negative if that is earlier.
    public func duration(to other: MonotonicInstant) -> Duration {
        other >= self
            ? .seconds((other.nanoseconds - nanoseconds) / 1_000_000_000)
                + .nanoseconds((other.nanoseconds - nanoseconds) % 1_000_000_000)
            : .zero - other.duration(to: self)
    }

    /// Orders by time.
    public static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    private static func saturatedNanoseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        let (scaled, tooBig) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return tooBig || carried ? (seconds < 0 ? .min : .max) : sum
    }
}
