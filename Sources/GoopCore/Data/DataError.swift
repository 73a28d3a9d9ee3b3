/// Why a data operation failed: a code for programs, upstream's text, and facts for people.
public struct DataError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The class of the failure.
    public var code: DataErrorCode
    /// Upstream's text where upstream has one.
    public var message: String
    /// Facts: a name, a limit, what to do. May be empty.
    public var detail: String

    /// Makes an error.
    public init(code: DataErrorCode, message: String, detail: String = "") {
        self.code = code
        self.message = message
        self.detail = detail
    }

    /// Upstream's text for a row that does not exist, or is another's: a visitor is not told which of the two.
    package static let rowNotFound = "row not found or not owned by caller"

    /// One line for logs and terminals.
    public var description: String { detail.isEmpty ? message : "\(message): \(detail)" }
}

/// The classes of failures. The set is open: a peer of a later version may send a code that is not listed here.
public struct DataErrorCode: RawRepresentable, Sendable, Hashable {
    /// The text on the wire.
    public let rawValue: String

    /// Takes any text.
    public init(rawValue: String) { self.rawValue = rawValue }

    /// The request is not well formed, or is to store something in a column that does not exist.
    public static let badRequest = DataErrorCode(rawValue: "bad_request")
    /// A condition, order or expression outside of the grammar, or with a column that does not exist.
    public static let invalidQuery = DataErrorCode(rawValue: "invalid_query")
    /// A policy, or a rule of the place it was asked from, says no.
    public static let refused = DataErrorCode(rawValue: "refused")
    /// No such table or row.
    public static let notFound = DataErrorCode(rawValue: "not_found")
    /// The name is taken, or a constraint of the table fails.
    public static let conflict = DataErrorCode(rawValue: "conflict")
    /// More than a limit allows.
    public static let tooLarge = DataErrorCode(rawValue: "too_large")
    /// Too much at once.
    public static let busy = DataErrorCode(rawValue: "busy")
    /// Another program holds the database.
    public static let locked = DataErrorCode(rawValue: "locked")
    /// No space on the owner's disk.
    public static let full = DataErrorCode(rawValue: "full")
    /// The database file is damaged.
    public static let corrupt = DataErrorCode(rawValue: "corrupt")
    /// The visitor has used up what the owner allows.
    public static let quota = DataErrorCode(rawValue: "quota")
    /// No answer in time: nothing is known of the owner.
    public static let timedOut = DataErrorCode(rawValue: "timed_out")
    /// The owner answers: what was asked takes the database longer than it may, and nothing was changed.
    public static let tooSlow = DataErrorCode(rawValue: "too_slow")
    /// The owner cannot be reached.
    public static let unreachable = DataErrorCode(rawValue: "unreachable")
    /// No such operation.
    public static let unknownOperation = DataErrorCode(rawValue: "unknown_operation")
    /// The owner runs no Lua functions.
    public static let luaNotAvailable = DataErrorCode(rawValue: "lua_not_available")
    /// A fault of ours.
    public static let internalFailure = DataErrorCode(rawValue: "internal")

    /// The status with which the viewer answers; codes that are not listed are faults of the other side.
    public var httpStatus: Int {
        switch self {
        case .badRequest, .invalidQuery: 400
        case .refused: 403
        case .notFound, .unknownOperation, .luaNotAvailable: 404
        case .conflict: 409
        case .tooLarge: 413
        case .busy, .locked: 503
        case .full, .quota: 507
        case .timedOut, .tooSlow: 504
        case .unreachable: 502
        case .corrupt, .internalFailure: 500
        default: 502
        }
    }
}
