/// The answer to a data request on the wire: `{"ok":true,"data":…}`, or `{"ok":false,"error":…,"code":…,"detail":…}`.
///
/// `error` is upstream's text; `code` and `detail` are ours and are ignored by upstream. Upstream sends neither: then the
/// code is told from the text. Source: peer wire reference, section 7.
public enum DataReply: Sendable, Hashable {
    case success(JSONValue)
    case failure(DataError)

    /// The longest texts that are taken from another peer, in bytes.
    static let maximumTextBytes = 1024

    /// The answer as JSON.
    public var json: JSONValue {
        switch self {
        case .success(let value): return ["ok": true, "data": value]
        case .failure(let error):
            var object: JSONObject = [
                "ok": false, "error": .string(error.message), "code": .string(error.code.rawValue),
            ]
            if !error.detail.isEmpty { object["detail"] = .string(error.detail) }
            return .object(object)
        }
    }

    /// Reads an answer.
    /// - Throws: `DataError` with the code `unreachable` if it is none.
    public init(json: JSONValue) throws(DataError) {
        guard let object = json.object, let isSuccess = object["ok"]?.bool else {
            throw DataError(
                code: .unreachable, message: "the peer's answer makes no sense", detail: "it is no data reply")
        }
        if isSuccess {
            self = .success(object["data"] ?? .null)
            return
        }
        let text = object["error"]?.string?.prefix(utf8Bytes: Self.maximumTextBytes) ?? ""
        let code = object["code"]?.string.map { DataErrorCode(rawValue: $0.prefix(utf8Bytes: 64)) }
        self = .failure(
            DataError(
                code: code ?? DataErrorCode(upstreamText: text), message: text.isEmpty ? "the peer refused" : text,
                detail: object["detail"]?.string?.prefix(utf8Bytes: Self.maximumTextBytes) ?? ""))
    }

    /// The value, or the failure thrown.
    public func get() throws(DataError) -> JSONValue {
        switch self {
        case .success(let value): return value
        case .failure(let error): throw error
        }
    }
}

extension DataErrorCode {
    /// Every code that this version sends.
    public static let known: [DataErrorCode] = [
        .badRequest, .invalidQuery, .refused, .notFound, .conflict, .tooLarge, .busy, .locked, .full, .corrupt, .quota,
        .timedOut, .tooSlow, .unreachable, .unknownOperation, .luaNotAvailable, .internalFailure,
    ]

    /// What upstream's text means.
    /// Source: P2P wire reference, section 4.5.
    init(upstreamText text: String) {
        func has(_ words: String) -> Bool { text.contains(words) }
        if has(" not allowed") || has("not available for remote") {
            self = .refused
        } else if has("not found") || has("no such table") {
            self = .notFound
        } else if has("unknown op") {
            self = .unknownOperation
        } else if has("lua scripting not enabled") || has("does not support call") {
            self = .luaNotAvailable
        } else if has("constraint failed") || has("already exists") {
            self = .conflict
        } else if has("rate limit") {
            self = .busy
        } else if has("timed out") {
            self = .timedOut
        } else if has("syntax error") || has("no such column") || has("no such function") {
            self = .invalidQuery
        } else if has("database is locked") {
            self = .locked
        } else if has("disk is full") {
            self = .full
        } else if has("malformed") {
            self = .corrupt
        } else {
            self = .badRequest
        }
    }
}
