#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// An operation on a file that the system refused.
public struct FileFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried, for example `read`.
    public let operation: String
    /// On what.
    public let path: String
    /// The system's error number; 0 for a rule of ours, told in `reason`.
    public let code: CInt
    /// Why.
    public let reason: String

    /// Takes the error of the system call that failed just now.
    package init(_ operation: String, _ path: String, code: CInt = errno) {
        self.operation = operation
        self.path = path
        self.code = code
        self.reason = String(cString: strerror(code))
    }

    /// A refusal of our own.
    package init(_ operation: String, _ path: String, reason: String) {
        self.operation = operation
        self.path = path
        self.code = 0
        self.reason = reason
    }

    /// True if the file is not there.
    public var isMissing: Bool { code == ENOENT || code == ENOTDIR }

    /// One line for a person.
    public var description: String { "cannot \(operation) \(path): \(reason)" }
}
