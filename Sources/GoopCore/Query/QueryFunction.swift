/// The functions of the query grammar: of one row, with a result not longer than their arguments, and cheap.
///
/// Left out on purpose: what makes long values out of short ones (`replace`, `hex`, `quote`, `printf`, `format`, `char`,
/// `zeroblob`, `randomblob`, `group_concat`, JSON), what is not the same on each call (`random`), and what tells or changes
/// something of the process (`sqlite_version`, `load_extension`, `changes`, `last_insert_rowid`).
enum QueryFunction: String, Sendable, Hashable, CaseIterable {
    case abs, round
    case length, lower, upper, substr, substring, instr, unicode
    case trim, ltrim, rtrim
    case coalesce, ifnull, nullif, iif, typeof
    case min, max
    case date, time, datetime, julianday, unixepoch, strftime

    /// As many as SQLite takes, but of those with any number at most 16.
    var argumentCounts: ClosedRange<Int> {
        switch self {
        case .abs, .length, .lower, .upper, .unicode, .typeof: 1...1
        case .round, .trim, .ltrim, .rtrim: 1...2
        case .instr, .ifnull, .nullif: 2...2
        case .substr, .substring: 2...3
        case .iif: 3...3
        case .coalesce, .min, .max: 2...16
        case .date, .time, .datetime, .julianday, .unixepoch: 1...8
        case .strftime: 2...9
        }
    }

    /// The arguments that have to be known before the rows are read, because they decide how much work a row makes (what to
    /// look for, what to trim), how long the result is (a format), or what is told (a modifier of a time).
    var constantArguments: Range<Int> {
        switch self {
        case .instr, .trim, .ltrim, .rtrim: 1..<2
        case .date, .time, .datetime, .julianday, .unixepoch: 1..<8
        case .strftime: 0..<1
        default: 0..<0
        }
    }

    /// How often a byte of the second argument counts, which is compared at every place of the first; 0: it is not. SQLite
    /// looks for a text many bytes at a time, and compares with one letter to trim after the other.
    var searchWeight: Int {
        switch self {
        case .instr: 1
        case .trim, .ltrim, .rtrim: 8
        default: 0
        }
    }

    /// The arguments that change a time.
    var modifiers: Range<Int> {
        switch self {
        case .date, .time, .datetime, .julianday, .unixepoch: 1..<8
        case .strftime: 2..<9
        default: 0..<0
        }
    }
}

/// The functions over the rows of a group. All keep one value, whatever the rows hold.
enum QueryAggregate: String, Sendable, Hashable, CaseIterable {
    case count, sum, avg, min, max, total
}
