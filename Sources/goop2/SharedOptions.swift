import ArgumentParser
import GoopCore
import GoopNode
import Logging

/// What every command about a folder takes.
struct FolderArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The peer's folder.", valueName: "DIR"), completion: .directory)
    var dir: String

    var folder: PeerFolder { PeerFolder(dir) }

    /// Runs a body. What it fails with names this folder where a next step says DIR, so that a person can copy the command.
    func naming<Answer>(peer: String? = nil, _ body: () async throws -> Answer) async throws -> Answer {
        do { return try await body() } catch var failure as Failure {
            failure.nextStep = failure.nextStep.replacing(" DIR ", with: " \(TerminalText.shellWord(dir)) ")
            if let peer {
                failure.nextStep = failure.nextStep.replacing(" PEER ", with: " \(TerminalText.shellWord(peer)) ")
            }
            throw failure
        }
    }

    func validate() throws {
        // A variable that is not set, more often than not: the folder that one happens to be in is not what was meant.
        if dir.isEmpty { throw ValidationError("DIR is empty; for the folder that you are in, write a dot") }
    }
}

/// How answers and diagnostics look.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON.")
    var json = false

    @Option(help: "How much is logged on standard error.")
    var logLevel = LogLevel.warning

    var logger: Logger { Console.logger(level: logLevel.level) }
}

/// How a peer that is not known yet is looked for.
struct SearchOptions: ParsableArguments {
    @Option(help: "Seconds to look for the peer and to wait for its answer, 1 to 300.")
    var timeout = 10

    func validate() throws {
        guard (1...300).contains(timeout) else {
            throw ValidationError("--timeout takes 1 to 300 seconds, not \(timeout)")
        }
    }
}

/// The levels of the log.
enum LogLevel: String, ExpressibleByArgument, CaseIterable {
    case trace, debug, info, warning, error

    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .warning }
}
