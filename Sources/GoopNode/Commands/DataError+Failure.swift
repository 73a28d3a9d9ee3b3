import GoopCore

extension DataError {
    /// The failure of a command that this means; to its owner a table has no row that is somebody else's.
    func failure(of request: DataRequest) -> Failure {
        guard code == .notFound, message == DataError.rowNotFound, let table = request.table, let id = request.id
        else { return placed(in: request).failure(of: request.op) }
        return Failure(
            .noInput, "\(TerminalText.safe(table)) has no row \(id)",
            nextStep: "see what is there: goop2 data DIR query \(TerminalText.shellWord(table))")
    }

    /// With the place of a fault told by the words before it: the query language counts bytes, and nobody else does.
    private func placed(in request: DataRequest) -> DataError {
        let texts =
            [request.where, request.order, request.expr, request.groupBy].compactMap(\.self)
            + request.columns + request.fields
        // A place does not say in which of several texts it is.
        guard code == .invalidQuery, texts.count == 1, let text = texts.first,
            let mark = detail.firstRange(of: ", at byte "), let bytes = Int(detail[mark.upperBound...])
        else { return self }
        let before = String(decoding: text.utf8.prefix(max(bytes, 0)), as: UTF8.self).trimmingBlanks()
        var told = self
        let place = before.isEmpty ? "at its beginning" : "behind “\(before.suffix(40))”"
        told.detail = "\(detail[..<mark.lowerBound]), \(place)"
        return told
    }

    /// The failure of a command that this means.
    ///
    /// - Parameter op: what was asked of the tables; nil where it came to no operation.
    func failure(of op: DataOperation?) -> Failure {
        let text = TerminalText.safe(description, maximumCharacters: 600)
        return switch code {
        case .badRequest, .invalidQuery, .unknownOperation:
            Failure(.usage, text, nextStep: "see the examples: goop2 data \(DataError.command(of: op))--help")
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
        // The text says what takes less time.
        case .busy, .locked, .timedOut, .tooSlow: Failure(.temporary, text, nextStep: "try again")
        case .quota:
            Failure(
                .cannotCreate, text,
                nextStep: "remove rows, or ask the owner for more (data.visitor_rows, data.visitor_megabytes)")
        default: Failure(.unavailable, text, nextStep: "try again, or restart the peer")
        }
    }

    /// The command that asks for an operation, with a blank behind it; empty if none does.
    private static func command(of op: DataOperation?) -> String {
        switch op {
        case .query?, .queryOne?, .exists?, .count?, .pluck?, .distinct?, .aggregate?: "query "
        case .insert?: "insert "
        case .update?: "update "
        case .delete?: "delete "
        case .createTable?: "create "
        case .setPolicy?: "policy "
        default: ""
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
