/// What ends a command: why, what to do next, and the class that becomes the exit status.
public struct Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The classes, with the exit status of each (those of sysexits.h).
    public enum Kind: Int32, Sendable, Hashable, CaseIterable {
        /// The command line is wrong.
        case usage = 64
        /// A file that is needed holds something else than it should.
        case data = 65
        /// A folder, file or peer that was named does not exist.
        case noInput = 66
        /// A peer or a running process cannot be reached.
        case unavailable = 69
        /// A file cannot be created where it should be.
        case cannotCreate = 73
        /// Reading or writing failed.
        case inputOutput = 74
        /// Something is in the way that will pass: another process, a limit.
        case temporary = 75
        /// The other side does not keep to the protocol.
        case protocolViolation = 76
        /// Not allowed, here or by the other side.
        case permission = 77
        /// The settings cannot be used.
        case configuration = 78
    }

    /// The class.
    public var kind: Kind
    /// What happened, with the facts, as one sentence without full stop.
    public var cause: String
    /// What the person can do, as one sentence without full stop.
    public var nextStep: String

    /// Makes a failure.
    public init(_ kind: Kind, _ cause: String, nextStep: String) {
        self.kind = kind
        self.cause = cause
        self.nextStep = nextStep
    }

    /// Cause and next step in two lines.
    public var description: String { nextStep.isEmpty ? cause : "\(cause)\n  next: \(nextStep)" }
}
