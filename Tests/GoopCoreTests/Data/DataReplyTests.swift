import Testing

@testable import GoopCore

@Suite struct DataReplyTests {
    @Test(arguments: DataErrorCode.known) func everyCodeSurvivesTheWire(code: DataErrorCode) throws {
        let reply = DataReply.failure(DataError(code: code, message: "no", detail: "why"))
        let bytes = JSONWriter.compact(reply.json)
        #expect(try DataReply(json: JSONParser.parse(bytes)) == reply)
        #expect([400, 403, 404, 409, 413, 500, 502, 503, 504, 507].contains(code.httpStatus))
    }

    @Test func aCodeOfALaterVersionIsKept() throws {
        let reply = try DataReply(json: ["ok": false, "error": "no", "code": "new_thing"])
        #expect(reply == .failure(DataError(code: DataErrorCode(rawValue: "new_thing"), message: "no")))
    }

    @Test(arguments: [
        ("update not allowed: owner only", DataErrorCode.refused), ("unknown op: x", .unknownOperation),
        ("row not found or not owned by caller", .notFound), ("table name required", .badRequest),
        ("lua scripting not enabled", .luaNotAvailable), ("near \"x\": syntax error", .invalidQuery),
        ("count not available for remote peers yet", .refused), ("no such table: x", .notFound),
        ("database is locked", .locked), ("rate limit exceeded", .busy),
    ]) func upstreamsTextsHaveCodes(text: String, code: DataErrorCode) throws {
        #expect(
            try DataReply(json: ["ok": false, "error": .string(text)])
                == .failure(DataError(code: code, message: text)))
    }

    @Test func successWithAndWithoutData() throws {
        #expect(try DataReply(json: ["ok": true]) == .success(.null))
        #expect(try DataReply(json: ["ok": true, "data": .array([])]) == .success(.array([])))
        #expect(throws: DataError.self) { _ = try DataReply(json: ["data": .integer(1)]) }
        #expect(throws: DataError.self) { _ = try DataReply(json: .array([])) }
    }

    private static func request(_ op: String?, _ name: String = "", _ value: JSONValue = .null) -> JSONValue {
        var object = JSONObject()
        if let op { object["op"] = .string(op) }
        if !name.isEmpty { object[name] = value }
        return .object(object)
    }

    static let wrong: [(JSONValue, DataErrorCode)] = [
        (request("nope"), .unknownOperation), (request(nil), .unknownOperation),
        (request("query", "table", .integer(5)), .badRequest), (request("query", "args", "x"), .badRequest),
        (request("query", "where", .string(String(repeating: "x", count: 4097))), .tooLarge),
        (request("query", "args", .array(Array(repeating: .null, count: 257))), .tooLarge),
        (request("query", "table", .string(String(repeating: "x", count: 200))), .tooLarge),
        (request("insert", "data", .array([])), .badRequest), (request("update", "id", "x"), .badRequest),
        (request("insert", "data", .object(wide(257))), .tooLarge),
        (request("query", "columns", .array(Array(repeating: "a", count: 257))), .tooLarge),
        (request("query", "columns", .string(String(repeating: "a,", count: 257))), .tooLarge),
        (request("query", "columns", .array([.string(String(repeating: "a", count: 4097))])), .tooLarge),
        (request("create-table", "column_defs", .array(Array(repeating: .object([:]), count: 257))), .tooLarge),
    ]

    /// An object of so many members.
    private static func wide(_ count: Int) -> JSONObject {
        var object = JSONObject()
        for number in 0..<count { object["c\(number)"] = .integer(1) }
        return object
    }

    @Test func asMuchAsTheLimitsAllowIsTaken() throws {
        _ = try DataRequest(json: Self.request("insert", "data", .object(Self.wide(256))))
        _ = try DataRequest(json: Self.request("query", "columns", .array(Array(repeating: "a", count: 256))))
    }

    @Test func ofALongRefusalTheBeginningIsTaken() throws {
        let long = String(repeating: "x", count: 5000)
        let reply = try DataReply(
            json: ["ok": false, "error": .string(long), "code": .string(long), "detail": .string(long)])
        let error = #expect(throws: DataError.self) { _ = try reply.get() }
        #expect(error?.message.utf8.count == 1024 && error?.detail.utf8.count == 1024)
        #expect(error?.code.rawValue.utf8.count == 64)
    }

    @Test(arguments: wrong) func requestsOutsideOfTheLimits(json: JSONValue, code: DataErrorCode) {
        let error = #expect(throws: DataError.self) { _ = try DataRequest(json: json) }
        #expect(error?.code == code)
    }

    @Test func aRequestSurvivesTheWire() throws {
        let json: JSONValue = [
            "op": "query", "table": "notes", "where": "a = ?", "args": .array([.integer(1), "x", .null]),
            "columns": .array(["a", "b"]), "column": ["name": "a"], "limit": .integer(5), "order": "a DESC",
        ]
        let request = try DataRequest(json: json)
        #expect(try DataRequest(json: request.json) == request)
        #expect(request.columnName == "a")
        #expect(try DataRequest(json: ["op": "pluck", "column": "b"]).columnName == "b")
    }
}
