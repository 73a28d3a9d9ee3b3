import GoopCore

extension DataError {
    /// The failure of a command that this means.
    ///
    /// - Parameter op: what was asked of the tables; nil where it came to no operation.
    func failure(of op: DataOperation?) -> Failure {
        let text = TerminalText.safe(description, maximumCharacters: 600)
        return switch code {
        case .badRequest, .invalidQuery, .unknownOperation:
            Failure(.usage, text, nextStep: "see the examples: goop2 data --help")
        case .notFound:
            Failure(
                .noInput, text, nextStep: "see what is there: goop2 data DIR tables, and goop2 data DIR query TABLE")
        case .refused: Failure(.permission, text, nextStep: "see the policies: goop2 data DIR tables")
        case .conflict: Failure(.data, text, nextStep: DataError.stepAfterConflict(of: op))
        case .corrupt:
            Failure(
                .data, text,
                nextStep: "restore a backup into another folder: goop2 restore FILE DIR; without one, "
                    + "sqlite3 data.db .recover saves what can be read")
        case .full:
            Failure(
                .cannotCreate, text,
                nextStep: "make room on that disk, and see that the database and its folder may be written")
        case .internalFailure:
            Failure(
                .inputOutput, text,
                nextStep: "see that the database is a file that you may read and write, and try again")
        case .tooLarge: Failure(.usage, text, nextStep: DataError.stepAfterTooMuch(of: op))
        case .busy, .locked, .timedOut: Failure(.temporary, text, nextStep: "try again")
        case .quota:
            Failure(
                .cannotCreate, text,
                nextStep: "remove rows, or ask the owner for more (data.visitor_rows, data.visitor_megabytes)")
        default: Failure(.unavailable, text, nextStep: "try again, or restart the peer")
        }
    }

    private static func stepAfterConflict(of op: DataOperation?) -> String {
        switch op {
        case .createTable?, .renameTable?: "choose another name; goop2 data DIR tables lists those that are taken"
        // Nothing of a read is in conflict with the rows: the table changed while it ran.
        case .query?, .queryOne?, .exists?, .count?, .pluck?, .distinct?, .aggregate?: "try again"
        default: "look at the rows that are there: goop2 data DIR query TABLE"
        }
    }

    private static func stepAfterTooMuch(of op: DataOperation?) -> String {
        switch op {
        case .createTable?: "name fewer columns"
        case .insert?, .update?, .upsert?: "give shorter values, or fewer"
        // What could not be read has no operation: the request itself is beyond a limit, which the text names.
        case nil: "keep to that limit"
        default: "ask for less at once, with --limit"
        }
    }
}
