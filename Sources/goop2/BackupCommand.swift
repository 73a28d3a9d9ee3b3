import ArgumentParser
import GoopCore
import GoopNode

/// `goop2 backup DIR FILE`.
struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Write settings, identity, data and site of a peer into one file.",
        discussion: """
            EXAMPLES
              goop2 backup ./peers/me ~/me-2026-11-24.tar
              tar tvf ~/me-2026-11-24.tar          what is in it

            The peer may run meanwhile. The file holds the peer's key: whoever has it can
            be this peer. It is readable by you alone; keep it so. Bring it back with
            goop2 restore.
            """)

    @OptionGroup var directory: FolderArgument

    @Argument(help: "The file to write; it must not exist.", completion: .file())
    var file: String

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let report = try PeerBackup(of: directory.folder).write(to: file)
        for note in report.notes { Console.note("goop2: note: \(TerminalText.safe(note, maximumCharacters: 400))") }
        Console.note("goop2: warning: \(file) holds the peer's key; whoever has it can be this peer")
        if json { return try Console.answer(json: report.json) }
        try Console.answer("\(report.files) files, \(report.bytes) bytes of \(report.id) are in \(file).")
    }
}

/// `goop2 restore FILE DIR`.
struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a peer's folder out of a backup.",
        discussion: """
            EXAMPLES
              goop2 restore ~/me-2026-11-24.tar ./peers/me

            The folder must not exist, or be empty; it is named from outside of it, not
            as a dot. The backup is checked first, and nothing is written if anything in
            it is not as it was. One peer must not run twice: stop the old one before you
            start this one.
            """)

    @Argument(help: "The backup.", completion: .file())
    var file: String

    @OptionGroup var directory: FolderArgument

    @Flag(help: "Print JSON.")
    var json = false

    func run() throws {
        let report = try PeerRestore(from: file).restore(to: directory.folder)
        Console.note("goop2: warning: \(report.id) must not run in two places; stop the old one first")
        if json { return try Console.answer(json: report.json) }
        try Console.answer(
            "\(report.files) files, \(report.bytes) bytes of \(report.id) are in \(directory.folder.path).")
        try Console.answer("Start it: goop2 peer \(directory.folder.word)")
    }
}

extension PeerBackup.Report {
    fileprivate var json: JSONValue {
        [
            "id": .string(id), "files": .integer(files), "bytes": .integer(bytes),
            "notes": .array(notes.map { .string($0) }),
        ]
    }
}
