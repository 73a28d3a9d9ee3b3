import Glibc
import Logging
import P2PDaemon
import ServiceLifecycle
import UnixSignals

// A client or a reader of our output may go at any time; the write's own error tells.
signal(SIGPIPE, SIG_IGN)
// The control socket gives the node away: for its owner only.
umask(0o077)

LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
var logger = Logger(label: "goop2-p2pd")
logger.logLevel = getenv("GOOP2_LOG_LEVEL").flatMap { Logger.Level(rawValue: String(cString: $0)) } ?? .warning

do {
    guard let daemon = try Daemon.parse(Array(CommandLine.arguments.dropFirst()), logger: logger) else { exit(0) }
    let group = ServiceGroup(
        configuration: .init(
            services: [.init(service: daemon)], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
    try await group.run()
} catch {
    Daemon.report(error)
    exit(1)
}
