import Glibc

/// Whole lines to the standard streams, at once and not in pieces.
enum Output {
    /// To standard output, for scripts that wait for it.
    static func line(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// To standard error, under the program's name.
    static func error(_ text: String) { write("goop2-p2pd: \(text)", to: STDERR_FILENO) }

    private static func write(_ text: String, to descriptor: CInt) {
        var rest = Array("\(text)\n".utf8)[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // Nobody reads: there is nobody to tell either.
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }
}
