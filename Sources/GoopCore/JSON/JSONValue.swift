/// A JSON value as it stands in a file or a message: numbers keep their digits, objects keep their order.
///
/// Both matter here: a configuration file is given back to its owner as it was written, and upstream's messages have
/// a fixed order of keys.
public enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The digits as written, for example `1e3`.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    /// A number of an integer.
    public static func integer(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

    /// The truth value, if this is one.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The text, if this is a string.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The elements, if this is an array.
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    /// The members, if this is an object.
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
    /// The integer, if this is a number written without fraction or exponent that fits 64 bits.
    public var int64: Int64? { if case .number(let digits) = self { Int64(digits) } else { nil } }

    /// About the bytes that the value holds on to.
    package var cost: Int {
        switch self {
        case .string(let text), .number(let text): text.utf8.count + 16
        case .array(let values): values.reduce(16) { $0 + $1.cost }
        case .object(let object): object.members.reduce(16) { $0 + $1.name.utf8.count + $1.value.cost }
        case .null, .bool: 8
        }
    }

    /// The bytes in memory that the value holds beside its own place: `cost` is about the text, and lists of small values take
    /// many times theirs.
    package var heldBytes: Int {
        switch self {
        case .string(let text), .number(let text): text.heldBytes
        case .array(let values):
            values.reduce(JSONValue.blockBytes + values.capacity * MemoryLayout<JSONValue>.stride) { $0 + $1.heldBytes }
        case .object(let object):
            object.members.reduce(
                JSONValue.blockBytes + object.members.capacity * MemoryLayout<JSONObject.Member>.stride
            ) { $0 + $1.name.heldBytes + $1.value.heldBytes }
        case .null, .bool: 0
        }
    }

    /// What a list or a long text takes beside its elements: its head, and what the allocator rounds up to.
    static let blockBytes = 48
    /// So long a text takes nothing beside its own place.
    static let shortTextBytes = 15

    /// True for `null`.
    public var isNull: Bool { self == .null }

    /// What a person would call this kind of value, with its article.
    public var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "true or false"
        case .number: "a number"
        case .string: "a text"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

extension String {
    /// The bytes in memory beside the text's own place.
    fileprivate var heldBytes: Int { utf8.count > JSONValue.shortTextBytes ? utf8.count + JSONValue.blockBytes : 0 }
}

/// The members of a JSON object in their order.
///
/// Lookups are linear: the objects here have tens of members, and the parser bounds them.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    /// One name and its value.
    public struct Member: Sendable, Hashable {
        /// The name as written.
        public var name: String
        /// Its value.
        public var value: JSONValue

        /// Makes a member.
        public init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// In the order of the text.
    public private(set) var members: [Member]

    /// Makes an object without members.
    public init() { members = [] }

    /// Makes an object with these members in this order.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        members = elements.map { Member(name: $0.0, value: $0.1) }
    }

    /// Makes an object of these members in this order.
    public init(members: [Member]) { self.members = members }

    /// Reads or writes a member by its exact name; of several the last counts. Writing nil removes it, a new name is
    /// put last.
    public subscript(name: String) -> JSONValue? {
        get { members.last { $0.name == name }?.value }
        set {
            guard let newValue else { return members.removeAll { $0.name == name } }
            if let index = members.lastIndex(where: { $0.name == name }) {
                members[index].value = newValue
            } else {
                members.append(Member(name: name, value: newValue))
            }
        }
    }

    /// The spelling under which a member is present: exactly this name, or the same letters in another case.
    public func spelling(of name: String) -> String? {
        if members.contains(where: { $0.name == name }) { return name }
        return members.last { JSONObject.isSameName($0.name, name) }?.name
    }

    /// Compares two names without regard to the case of ASCII letters, as Go's decoder does.
    public static func isSameName(_ left: String, _ right: String) -> Bool {
        left.utf8.elementsEqual(right.utf8) { lowercased($0) == lowercased($1) }
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    /// Makes an object with these members in this order.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(JSONObject(members: elements.map { .init(name: $0.0, value: $0.1) }))
    }

    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }

    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}
