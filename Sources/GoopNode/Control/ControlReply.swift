import GoopCore
import GoopHTTP

/// What the running peer answers: one line of JSON, and after `get` the bytes of the file.
enum ControlReply: Sendable {
    case value(JSONValue)
    case file(SiteBody)
    case failure(Failure)

    /// The line, with its line feed.
    var encoded: [UInt8] {
        let value: JSONValue =
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
        return JSONWriter.compact(value) + [0x0A]
    }

    /// The longest answer line in bytes: a full peer list.
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
