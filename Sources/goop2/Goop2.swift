import ArgumentParser
import GoopCore
import GoopNode
import LibP2P
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The one program.
@main
struct Goop2: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "goop2",
        abstract: "A web of your own: a site is a folder on your machine, and neighbours visit it.",
        discussion: """
            EXAMPLES
              goop2 peer ./peers/me                start a peer; makes what is missing
              goop2 peers ./peers/me               who is around
              goop2 get ./peers/me Ada /index.html a page of a neighbour's site
              goop2 ping ./peers/me 12D3Koo...     how far away somebody is
              goop2 site ./peers/me --only Ada     show your site to certain people only
              goop2 data ./peers/me tables         what visitors wrote
              goop2 backup ./peers/me me.tar       everything in one file

            Exit status: 0 done; 64 wrong command line; 65 damaged data; 66 no such
            folder, file or peer; 69 cannot be reached; 73 cannot create; 74 reading or
            writing failed; 75 in use or busy, try again; 76 the other side does not keep
            to the protocol; 77 not allowed; 78 wrong settings.
            """,
        version: "goop2 \(version)",
        subcommands: [
            PeerCommand.self, InitCommand.self, PeersCommand.self, GetCommand.self, PingCommand.self, BlockCommand.self,
            SiteCommand.self, DataCommand.self, BackupCommand.self, RestoreCommand.self, IDCommand.self,
        ])

    static func main() async {
        // A reader that goes away is an error of the write, not the end of the program.
        signal(SIGPIPE, SIG_IGN)
        // A visit goes through two sockets of a peer, the browser's and the other peer's. Where both are on one event loop its bytes
        // change no thread, and one loop moved 9 Gbit/s of them (Benchmarks/HISTORY.md, visits).
        NIOSingletons.groupLoopCountSuggestion = max(1, System.coreCount / 2)
        Console.fillStandardDescriptors()
        Node.raiseDescriptorLimit()
        do {
            let arguments = Array(CommandLine.arguments.dropFirst())
            if let failure = CommandName.failure(of: arguments) { throw failure }
            var command = try parseAsRoot(DataCommand.arranged(arguments))
            if !(command is PeerCommand) { await Interruption.listen() }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let failure as Failure where failure == Console.readerIsGone {
            Glibc.exit(128 + SIGPIPE)  // As a program that is ended by the signal: in a pipe that is nothing to report.
        } catch let failure as Failure {
            Console.report(failure)
            Glibc.exit(failure.kind.rawValue)
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            Console.report(usage: fullMessage(for: error))
            Glibc.exit(Failure.Kind.usage.rawValue)
        }
    }
}

/// The first word of the command line.
enum CommandName {
    /// The failure of a first word that names no command, with the command that was probably meant.
    static func failure(of arguments: [String]) -> Failure? {
        let names = Goop2.configuration.subcommands.map { $0._commandName } + ["help"]
        let asked = arguments.first == "help" ? arguments.dropFirst().first : arguments.first
        guard let first = asked, !first.hasPrefix("-"), !names.contains(first) else { return nil }
        let suggestion = NameSuggestion.nearest(to: first, among: names)
        return Failure(
            .usage, "there is no command \(TerminalText.safe(first))",
            nextStep: suggestion.map { "did you mean goop2 \($0)?" } ?? "see the commands: goop2 --help")
    }
}
