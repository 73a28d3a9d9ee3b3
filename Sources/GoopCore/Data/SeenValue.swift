/// A value of a row as somebody has seen it, who wants to change the row only while it still has that value.
///
/// Of a long text and of a BLOB the Data room shows less than the whole; then that is what can be compared.
public enum SeenValue: Sendable, Hashable {
    /// The value, as a reader gets it.
    case whole(JSONValue)
    /// The beginning of a longer text, and the bytes of all of it.
    case beginning(String, bytes: Int64)
    /// The bytes of a BLOB.
    case binary(bytes: Int64)

    /// Whether a value, as a reader gets it, is the one that was seen, as far as can be told.
    public func isStill(_ value: JSONValue) -> Bool {
        switch self {
        case .whole(let seen): return SeenValue.areSame(seen, value)
        case .beginning(let start, let bytes):
            guard let text = value.string else { return false }
            return text.utf8.count == bytes && text.utf8.starts(with: start.utf8)
        case .binary(let bytes):
            guard let count = value.blobBytes else { return false }
            return count == bytes
        }
    }

    /// About the bytes that the value holds on to.
    package var cost: Int {
        switch self {
        case .whole(let value): value.cost
        case .beginning(let text, _): text.utf8.count + 16
        case .binary: 8
        }
    }

    /// Scripts write 1.0 as 1; and of two texts that look the same, one may have replaced the other.
    private static func areSame(_ one: JSONValue, _ other: JSONValue) -> Bool {
        switch (one, other) {
        case (.number(let one), .number(let other)):
            if one == other { return true }
            if let one = Int64(one), let other = Int64(other) { return one == other }
            guard let one = Double(one), let other = Double(other) else { return false }
            return one == other
        case (.string(let one), .string(let other)): return one.utf8.elementsEqual(other.utf8)
        default: return one == other
        }
    }
}

extension JSONValue {
    /// The bytes of a BLOB, which is `{"$blob":"base64"}`; nil if it is none.
    package var blobBytes: Int? {
        guard let text = object?["$blob"]?.string else { return nil }
        let padding = text.utf8.suffix(2).count { $0 == UInt8(ascii: "=") }
        return text.utf8.count / 4 * 3 - padding
    }
}
