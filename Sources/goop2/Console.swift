import GoopCore
import GoopNode
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the program says: answers on standard output, everything else on standard error.
enum Console {
    /// What a write throws when nobody reads any more, as behind `| head`.
    static let readerIsGone = Failure(.inputOutput, "whoever read the output has gone", nextStep: "")

    /// Opens those of the three standard descriptors that are closed: else the next socket would be one of them, and
    /// answers would go into it.
    static func fillStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            _ = open("/dev/null", O_RDWR)
        }
    }

    /// Writes a line of an answer.
    static func answer(_ text: String) throws(Failure) { try write(Array(text.utf8) + [0x0A], to: STDOUT_FILENO) }

    /// Writes an answer as JSON.
    static func answer(json value: JSONValue) throws(Failure) { try write(JSONWriter.pretty(value), to: STDOUT_FILENO) }

    /// Writes one JSON value in one line: for streams of them.
    static func answer(jsonLine value: JSONValue) throws(Failure) {
        try write(JSONWriter.compact(value) + [0x0A], to: STDOUT_FILENO)
    }

    /// Writes bytes.
    static func write(_ bytes: [UInt8], to descriptor: CInt) throws(Failure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress?.advanced(by: written), buffer.count - written)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EPIPE { throw readerIsGone }
            guard count > 0 else {
                throw Failure(
                    .inputOutput, "the output cannot be written: \(String(cString: strerror(errno)))",
                    nextStep: "check where it goes to")
            }
            written += count
        }
    }

    /// Says something that is no answer.
    static func note(_ text: String) { try? write(Array((text + "\n").utf8), to: STDERR_FILENO) }

    /// Says what ended the command, and what to do.
    static func report(_ failure: Failure) {
        note("\(emphasized("goop2:")) \(failure.cause)")
        if !failure.nextStep.isEmpty { note("  next: \(failure.nextStep)") }
    }

    /// Says what is wrong with a command line, in the form of every other failure.
    ///
    /// - Parameter usage: the parser's message: `Error: ...`, `Usage: ...`, and where help is.
    static func report(usage message: String) {
        for line in message.split(separator: "\n") {
            if line.hasPrefix("Error: ") {
                note("\(emphasized("goop2:")) \(line.dropFirst(7))")
            } else if line.hasPrefix("Usage: ") {
                note("  usage: \(line.dropFirst(7))")
            } else if let named = line.split(separator: "'").dropFirst().first, line.hasPrefix("  See '") {
                note("  next: see the examples: \(named)")
            } else {
                note(String(line))
            }
        }
    }

    private static func emphasized(_ text: String) -> String {
        isatty(STDERR_FILENO) != 0 && getenv("NO_COLOR") == nil ? "\u{1B}[1;31m\(text)\u{1B}[0m" : text
    }

    /// A logger on standard error; nothing in normal operation.
    static func logger(level: Logger.Level) -> Logger {
        var logger = Logger(label: "goop2") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        return logger
    }
}
