import Logging

/// What is logged, for tests that wait for a line or count them.
final class CapturedLog: Sendable {
    /// The lines: level, message, and the metadata as `key=value`, in the order of the keys.
    let lines: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() { (lines, continuation) = AsyncStream.makeStream(of: String.self) }

    /// Nothing more is logged: the lines end.
    func finish() { continuation.finish() }

    /// Logs into it.
    var logger: Logger { Logger(label: "test") { [continuation] _ in Handler(continuation: continuation) } }

    private struct Handler: LogHandler {
        let continuation: AsyncStream<String>.Continuation
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let facts = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
            continuation.yield("\(event.level): \(event.message)\(facts.joined())")
        }
    }
}
