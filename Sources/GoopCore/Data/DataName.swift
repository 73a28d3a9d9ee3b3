/// Names of tables and columns: `[A-Za-z_][A-Za-z0-9_]{0,63}`.
///
/// Source: peer wire reference, section 4.
public enum DataName {
    /// The longest name, in bytes.
    public static let maximumBytes = 64

    /// The columns that every user table begins with.
    public static let systemColumns = ["_id", "_owner", "_owner_email", "_created_at", "_updated_at"]

    /// True for a name that can stand, in quotes, in a statement.
    public static func isValid(_ name: String) -> Bool {
        let bytes = name.utf8
        guard (1...maximumBytes).contains(bytes.count), let first = bytes.first, isLetter(first) else { return false }
        return bytes.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
    }

    /// True for a name that an owner may give to a table: not one of ours, nor of SQLite.
    public static func isUserTable(_ name: String) -> Bool {
        isValid(name) && !name.hasPrefix("_") && !name.lowercased().hasPrefix("sqlite_")
    }

    /// True for a name that an owner may give to a column.
    public static func isUserColumn(_ name: String) -> Bool { isValid(name) && !name.hasPrefix("_") }

    /// True for a system column, in any letter case: SQLite does not tell the cases apart.
    public static func isSystemColumn(_ name: String) -> Bool {
        name.hasPrefix("_") && systemColumns.contains(name.lowercased())
    }

    /// The name in quotes for a statement. The name must be valid or come from the database itself.
    public static func quoted(_ name: String) -> String {
        "\"" + name.escaping("\"", as: "\"\"") + "\""
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == UInt8(ascii: "_")
    }
}
