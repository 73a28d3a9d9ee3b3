import GRDB

/// Copies of a database that others may be writing to.
public enum DatabaseCopy {
    /// What is wrong with a database.
    public enum Fault: Error, Sendable, Hashable, CustomStringConvertible {
        /// SQLite's own words.
        case sqlite(String)
        /// There is no room for the copy.
        case full(String)
        /// Others were writing all the time.
        case busy(String)
        /// The integrity check found something; its first line.
        case damaged(String)

        /// One line for a person.
        public var description: String {
            switch self {
            case .sqlite(let text), .full(let text), .busy(let text): text
            case .damaged(let text): "the database is damaged: \(text)"
            }
        }
    }

    /// Writes what is committed at this moment into a new file, one piece, without a log beside it.
    ///
    /// - Parameter target: a file that is empty or does not exist.
    /// - Throws: `Fault`; the copy of a damaged database is not made.
    public static func write(from source: String, to target: String) throws(Fault) {
        try open(source) { database in
            try database.execute(sql: "VACUUM INTO ?", arguments: [target])
        }
        try check(target)
    }

    /// Looks through the whole file.
    public static func check(_ path: String) throws(Fault) {
        let problem = try open(path) { database in
            try String.fetchOne(database, sql: "PRAGMA integrity_check(1)")
        }
        guard problem == "ok" else { throw .damaged(problem ?? "no answer") }
    }

    private static func open<Value>(_ path: String, _ body: (Database) throws -> Value) throws(Fault) -> Value {
        do {
            var configuration = Configuration()
            configuration.busyMode = .timeout(10)
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            defer { try? queue.close() }
            return try queue.writeWithoutTransaction(body)
        } catch let error as DatabaseError {
            let text = error.message ?? "SQLite error \(error.resultCode.rawValue)"
            if error.resultCode == .SQLITE_FULL { throw .full(text) }
            if error.resultCode == .SQLITE_BUSY || error.resultCode == .SQLITE_LOCKED { throw .busy(text) }
            throw .sqlite(text)
        } catch {
            throw .sqlite("\(error)")
        }
    }
}
