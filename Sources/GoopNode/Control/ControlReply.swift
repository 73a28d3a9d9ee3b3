import GoopCore
import GoopHTTP

/// What the running peer answers: one line of JSON, and after `get` the bytes of the file.
enum ControlReply: Sendable {
    case value(JSONValue)
    case file(SiteBody)
    case failure(Failure)

    /// The line, with its line feed, at most `maximumLine` bytes.
    var encoded: [UInt8] { encoded(most: ControlReply.maximumLine) }

    /// The line, with its line feed. One that whoever asks would not take is the failure `tooLarge` in its place, and an export
    /// asks for fewer rows then: the JSON of values that the tables give in one answer can be six times as long.
    ///
    /// - Parameter limit: of the line, in bytes; tests lower it.
    func encoded(most limit: Int) -> [UInt8] {
        // Counted before it is written.
        let length = JSONWriter.compactLength(of: json) + 1
        guard length > limit else { return JSONWriter.compact(json) + [0x0A] }
        let error = DataError(
            code: .tooLarge, message: "the answer is too large",
            detail: "it would be a line of \(length) bytes, and \(limit) are the most")
        return JSONWriter.compact(ControlReply.failure(error.failure(of: .query)).json) + [0x0A]
    }

    private var json: JSONValue {
        switch self {
        case .value(let value): ["ok": true, "data": value]
        case .file(let body):
            ["ok": true, "data": ["type": .string(body.head.mediaType), "size": .integer(body.head.size)]]
        case .failure(let failure):
            [
                "ok": false, "kind": .integer(failure.kind.rawValue), "cause": .string(failure.cause),
                "next": .string(failure.nextStep),
            ]
        }
    }

    /// The longest answer line in bytes: a full peer list, or many rows.
    static let maximumLine = 64 * 1024 * 1024

    /// Reads an answer line.
    static func value(inLine line: some Collection<UInt8>) throws(Failure) -> JSONValue {
        let limits = JSONParser.Limits(bytes: maximumLine, depth: 24, values: 8_000_000)
        guard let object = (try? JSONParser.parse(line, limits: limits))?.object else {
            throw Failure(.protocolViolation, "the running peer's answer is no JSON object", nextStep: "restart it")
        }
        if object["ok"]?.bool == true { return object["data"] ?? .null }
        let kind = object["kind"]?.int64.flatMap { Int32(exactly: $0) }.flatMap(Failure.Kind.init(rawValue:))
        throw Failure(
            kind ?? .unavailable, object["cause"]?.string ?? "the running peer refused",
            nextStep: object["next"]?.string ?? "")
    }
}
