import GRDB
import GRDBSQLite
import GoopCore

extension DataError {
    /// What an error while a database is opened means for its owner.
    init(opening path: String, failed error: any Error) {
        self.init(writing: error, isOwner: true)
        guard let error = error as? DatabaseError, DataError.isForWantOfRoom(error.extendedResultCode.rawValue) else {
            return
        }
        detail =
            "\(path) cannot be opened until its disk has room: for SQLite's files beside it, and for what a file of an older "
            + "version lacks. Nothing in it was changed. Make room; the next request opens it, without a restart"
    }

    /// Whether the disk is full. That SQLite finds no room for the memory that its connections share, it calls a fault of the
    /// disk.
    private static func isForWantOfRoom(_ code: Int32) -> Bool {
        code & 0xFF == SQLITE_FULL || code == ResultCode.SQLITE_IOERR_SHMSIZE.rawValue
    }

    /// What a result code of SQLite means for somebody who asked.
    ///
    /// - Parameters:
    ///   - code: primary or extended.
    ///   - text: SQLite's message.
    ///   - isOwner: whether the text may be told: it can name things that a visitor has no business with.
    init(sqliteCode code: Int32, text: String, isOwner: Bool) {
        let detail = isOwner ? "SQLite \(code): \(text)" : ""
        switch code & 0xFF {
        case _ where DataError.isForWantOfRoom(code):
            self.init(
                code: .full, message: "database or disk is full",
                detail: "nothing was stored; the owner has to make room")
        case SQLITE_BUSY, SQLITE_LOCKED:
            self.init(
                code: .locked, message: "database is locked",
                detail: "another program holds the owner's database; try again")
        case SQLITE_IOERR:
            self.init(
                code: .full, message: "the owner's disk fails", detail: isOwner ? detail : "nothing was stored")
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            self.init(
                code: .corrupt, message: "database disk image is malformed",
                detail: "the owner has to restore data.db from a backup")
        case SQLITE_CONSTRAINT:
            // The text names table and column of a constraint: what describe tells anyway.
            self.init(code: .conflict, message: String(text.prefix(200)), detail: "")
        case SQLITE_TOOBIG:
            self.init(code: .tooLarge, message: "string or blob too big", detail: "")
        case SQLITE_INTERRUPT:
            self.init(
                code: .tooSlow, message: "the query took too long", detail: "ask for less, or with a simpler condition"
            )
        case SQLITE_CANTOPEN:
            self.init(code: .internalFailure, message: "the owner's database cannot be opened", detail: detail)
        case SQLITE_READONLY, SQLITE_PERM:
            self.init(
                code: .full, message: "the owner's database cannot be written",
                detail: isOwner ? detail : "nothing was stored")
        case SQLITE_AUTH:
            self.init(code: .refused, message: "not allowed", detail: "")
        case SQLITE_MISMATCH, SQLITE_RANGE, SQLITE_ERROR:
            self.init(
                code: .invalidQuery, message: isOwner ? String(text.prefix(200)) : "the query fails", detail: detail)
        default:
            self.init(code: .internalFailure, message: "the database failed", detail: detail)
        }
    }

    /// What any error of the writer means.
    init(writing error: any Error, isOwner: Bool) {
        switch error {
        case let error as DataError: self = error
        case let error as QueryError: self.init(error)
        case let error as DatabaseError where error.resultCode == .SQLITE_MISMATCH:
            // The fault of one row's values: the only column that refuses values of another type is the key of the table.
            self.init(
                code: .badRequest, message: "a value does not fit its column",
                detail: "_id takes a whole number; leave it out, and the row gets one")
        case let error as DatabaseError:
            self.init(
                sqliteCode: error.extendedResultCode.rawValue, text: error.message ?? "", isOwner: isOwner)
        default: self.init(code: .internalFailure, message: "the database failed", detail: isOwner ? "\(error)" : "")
        }
    }

    /// A text outside of the grammar.
    init(_ error: QueryError) {
        self.init(code: .invalidQuery, message: "invalid query", detail: error.description)
    }
}
