import ArgumentParser
import GoopCore
import GoopNode

/// The folder, and how answers look.
struct DataOptions: ParsableArguments {
    @OptionGroup var directory: FolderArgument
    @OptionGroup var output: OutputOptions

    /// Runs a body with the tables open, and closes them whatever happens.
    func withSession(_ body: (DataSession) async throws -> Void) async throws {
        try await directory.naming {
            let session = try DataSession(folder: directory.folder, logger: output.logger)
            do {
                try await body(session)
            } catch {
                await session.close()
                throw error
            }
            await session.close()
        }
    }

    /// Asks for one thing: the request is made with the tables open, the answer is shown as JSON where that is wanted, and to
    /// people otherwise.
    /// - Parameter id: the row in question, where the answer itself does not name it.
    func ask(
        id: Int64? = nil, _ request: (DataSession) async throws -> DataRequest, show: (JSONValue) throws -> Void
    ) async throws {
        try await withSession { session in
            var answer = try await session.perform(try await request(session))
            if let id, var object = answer.object {
                object["id"] = .number(String(id))
                answer = .object(object)
            }
            if output.json { return try Console.answer(json: answer) }
            try show(answer)
        }
    }

    /// Changes something, and says so in one line.
    func change(_ request: DataRequest, _ text: String) async throws {
        try await ask(id: request.id, { _ in request }, show: { _ in try Console.answer(text) })
    }
}

/// Values of columns, written `column=value`.
struct RowArguments: ParsableArguments {
    @Argument(help: "Values as column=value; or none, with --row.")
    var values: [String] = []

    @Option(help: "The values as a JSON object.")
    var row: String?

    /// The values for a table, and what does not fit its columns, to be told when they are stored.
    func data(
        for table: String, _ session: DataSession, _ misfits: inout [String]
    ) async throws -> [String: JSONValue] {
        let columns = try await TableColumns(of: table, session)
        let data = try data(columns)
        misfits = columns.misfits(in: data)
        return data
    }

    private func data(_ columns: TableColumns) throws -> [String: JSONValue] {
        var data: [String: JSONValue] = [:]
        if let row {
            guard let object = (try? JSONParser.parse(Array(row.utf8)))?.object else {
                throw Failure(.usage, "--row takes a JSON object", nextStep: "for example --row '{\"text\":\"hello\"}'")
            }
            for member in object.members { data[member.name] = member.value }
        }
        for value in values {
            guard let equals = value.firstIndex(of: "=") else {
                throw Failure(
                    .usage, "\(TerminalText.safe(value)) is no column=value", nextStep: "for example text=hello")
            }
            let name = String(value[..<equals])
            guard let column = columns.spelling(of: name) else {
                let near = NameSuggestion.nearest(to: name, among: columns.names)
                throw Failure(
                    .usage, "there is no column \(TerminalText.safe(name))",
                    nextStep: near.map { "did you mean \($0)?" } ?? "there are \(columns.names.joined(separator: ", "))"
                )
            }
            guard data[column] == nil else {
                throw Failure(
                    .usage, "\(TerminalText.safe(column)) is given twice", nextStep: "give each column one value")
            }
            data[column] = columns.value(of: String(value[value.index(after: equals)...]), in: column)
        }
        guard !data.isEmpty else { throw Failure(.usage, "no values were given", nextStep: "for example text=hello") }
        return data
    }
}
