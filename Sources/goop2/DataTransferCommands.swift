import ArgumentParser
import GoopCore
import GoopNode

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// How a file of rows is written.
enum RowFormOption: String, ExpressibleByArgument, CaseIterable {
    case csv, json

    /// The form that a file's name says, CSV without one.
    static func of(_ file: String?) -> RowFormOption {
        let name = file?.lowercased() ?? ""
        return name.hasSuffix(".json") || name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson") ? .json : .csv
    }

    var form: RowImport.Form { self == .csv ? .csv : .json }
}

/// `goop2 data DIR import TABLE FILE`.
struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Add the rows of a CSV or JSON file.",
        usage: "goop2 data DIR import TABLE FILE [--form csv|json] [--system] [--exact]",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me import notes notes.csv
              goop2 data ./peers/me import notes rows.json

            CSV: the first line has the names of the columns; nothing between two commas
            is no value, "" is an empty text. JSON: a list of objects, or one object a
            line. Rows that the table refuses are left out and told with their lines; the
            others are kept. Exit status 65 if there were any. Any size: the file is read
            piece by piece.
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Argument(help: "The file.", completion: .file()) var file: String
    @Option(help: "csv or json; otherwise the file's name says it.") var form: RowFormOption?
    @Flag(help: "Take _id, _owner and the like from the file too; otherwise you are the owner of new rows.")
    var system = false
    @Flag(
        help: "In CSV, keep an apostrophe before =, +, - and @: the file was not written by an export, or with --exact."
    )
    var exact = false

    func run() async throws {
        var refused = 0
        try await options.withSession { session in
            var rows = try await RowImport(
                session: session, table: table, keepsSystemColumns: system, isExact: exact)
            let report = try await rows.run(file, form: (form ?? .of(file)).form)
            refused = report.refused
            for line in report.refusedLines { Console.note("line \(line.line): \(line.reason)") }
            if report.refused > report.refusedLines.count {
                Console.note("and \(report.refused - report.refusedLines.count) more lines")
            }
            if !report.skippedColumns.isEmpty {
                Console.note(
                    "goop2: note: not read: \(report.skippedColumns.joined(separator: ", ")) (--system reads them)")
            }
            if options.output.json {
                try Console.answer(json: [
                    "added": .integer(report.added), "refused": .integer(report.refused),
                    "lines": .array(
                        report.refusedLines.map { ["line": .integer($0.line), "reason": .string($0.reason)] }),
                ])
            } else {
                let added = report.added == 1 ? "1 row was" : "\(report.added) rows were"
                let refused = report.refused == 1 ? "1 was" : "\(report.refused) were"
                try Console.answer("\(added) added to \(table), \(refused) refused.")
            }
        }
        if refused > 0 { throw ExitCode(Failure.Kind.data.rawValue) }
    }
}

/// `goop2 data DIR export TABLE`.
struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write all rows of a table as CSV or JSON.",
        usage: "goop2 data DIR export TABLE [-o FILE] [--form csv|json] [--exact]",
        discussion: """
            EXAMPLES
              goop2 data ./peers/me export notes -o notes.csv
              goop2 data ./peers/me export notes --form json > notes.json

            In CSV, texts that a spreadsheet would run as a formula (they begin with =, +,
            -, @) get an apostrophe in front, because rows come from strangers; an import
            takes it away again. --exact leaves them as they are: import such a file with
            --exact too.
            """)

    @OptionGroup var options: DataOptions
    @Argument(help: "The table.") var table: String
    @Option(
        name: [.short, .customLong("output")], help: "The file to write; replaced if it exists.", completion: .file())
    var output: String?
    @Option(help: "csv or json; otherwise the file's name says it.") var form: RowFormOption?
    @Flag(help: "Write texts as they are, formulas too.") var exact = false

    func run() async throws {
        try await options.withSession { session in
            let export = RowExport(session: session, table: table, isExact: exact)
            let form = (form ?? (options.output.json && output == nil ? .json : .of(output))).form
            let report: RowExport.Report
            if let output {
                let file = try DownloadFile(path: output)
                report = try await export.run(form: form) { try file.append($0) }
                try file.finish()
                if options.output.json {
                    try Console.answer(json: [
                        "file": .string(output), "rows": .integer(report.rows), "guarded": .integer(report.guarded),
                    ])
                } else {
                    Console.note("\(report.rows) rows of \(table) are in \(output).")
                }
            } else {
                report = try await export.run(form: form) { try Console.write($0, to: STDOUT_FILENO) }
            }
            if report.guarded > 0 {
                Console.note(
                    "goop2: note: \(report.guarded) texts begin like a formula and got an apostrophe in front (--exact: not)"
                )
            }
        }
    }
}
