import GoopCore
import HTTPTypes
import HummingbirdCore
import PeerIdentity

/// Behind the Data room: tables, visitors, rows as a page shows them, and files in and out.
///
/// Operations on tables (make, rename, drop, columns, policy), counting, deleting and live changes are those of `/api/data/`.
struct DataRoom: Sendable {
    /// Visitors that are listed, most bytes first.
    static let maximumVisitors = 200
    /// Rows of a page at most.
    static let maximumRows: Int64 = 201

    let desk: (any DataDesk)?
    let book: (any PeerBook)?
    let routes: RoomRoutes

    /// `[{"name","mode","access","columns","rows","bytes"}]`; rows and bytes are null if counting took too long.
    func tables() async -> Response {
        await answer { desk throws(DataError) in .array(try await desk.tables().map(\.json)) }
    }

    /// `{"limit","total_limit","total","count","visitors":[{"id","rows","bytes","received","added","label","petname"}]}`.
    func visitors() async -> Response {
        await answer { desk throws(DataError) in
            let overview = try await desk.visitors(most: DataRoom.maximumVisitors)
            let people = await people(Set(overview.visitors.map(\.id)))
            let visitors = overview.visitors.map { visitor -> JSONValue in
                var object: JSONObject = [
                    "id": .string(visitor.id), "rows": .integer(visitor.share.rows),
                    "bytes": .integer(visitor.share.bytes), "received": .integer(visitor.received),
                    "added": .integer(visitor.added),
                ]
                for member in people[visitor.id]?.object?.members ?? [] { object[member.name] = member.value }
                return .object(object)
            }
            return [
                "limit": overview.limit.json, "total_limit": .integer(overview.totalLimit),
                "total": overview.total.json, "count": .integer(overview.count), "visitors": .array(visitors),
            ]
        }
    }

    /// `{"table","where","order","limit","offset"}` → `{"rows":[…],"owners":{id:{"label","petname"}}}`; see `ShownValue` for
    /// the values.
    func rows(_ object: JSONObject) async -> Response {
        await answer { desk throws(DataError) in
            var request = DataRequest(op: .query, table: object["table"]?.string)
            request.where = object["where"]?.string
            request.order = object["order"]?.string
            request.offset = object["offset"]?.int64
            request.limit = min(max(object["limit"]?.int64 ?? 50, 1), DataRoom.maximumRows)
            let found = try await desk.perform(request).array ?? []
            let owners = Set(found.compactMap { $0.object?["_owner"]?.string })
            let people = await people(owners)
            return [
                "rows": .array(found.map(ShownValue.row)),
                "owners": .object(JSONObject(members: people.map { .init(name: $0.key, value: $0.value) })),
            ]
        }
    }

    /// `{"table","id","column"}` → `{"value": …}`, whole if it is a text of at most a megabyte.
    func value(_ object: JSONObject) async -> Response {
        await answer { desk throws(DataError) in
            var request = DataRequest(op: .queryOne, table: object["table"]?.string)
            guard let id = object["id"]?.int64, let column = object["column"]?.string else {
                throw DataError(code: .badRequest, message: "id or column is missing", detail: "both are needed")
            }
            request.where = "_id = ?"
            request.args = [.integer(id)]
            request.fields = [column]
            guard let value = try await desk.perform(request).object?.members.first?.value else {
                throw DataError(code: .notFound, message: "the row is gone", detail: "read the table again")
            }
            return ["value": ShownValue.json(value, mostBytes: ShownValue.maximumWholeBytes)]
        }
    }

    /// `{"table","id" or none,"values":{column: text or null},"seen" or none}` → `{"id"}`.
    ///
    /// A page sends as `seen` what it showed before its owner began to type: `{column: value}`, each value in the form in which
    /// `rows` or `value` gave it (`ShownValue`), for the columns that are in `values`, and for others that the change depends on.
    /// Of a text that was cut and of a BLOB only beginning and size can be compared; `_updated_at`, sent along, tells more.
    /// If one of them is another now, nothing is stored, and the answer is 409 with the code `conflict`, the error
    /// `this row was changed meanwhile` and a detail that names the columns. Without `seen` whatever is there is replaced.
    func write(_ object: JSONObject) async -> Response {
        await answer { desk throws(DataError) in
            guard let table = object["table"]?.string, let members = object["values"]?.object?.members else {
                throw DataError(code: .badRequest, message: "table or values are missing", detail: "both are needed")
            }
            var values: [String: String?] = [:]
            for member in members {
                guard member.value.isNull || member.value.string != nil else {
                    throw DataError(code: .badRequest, message: "values are texts or null", detail: member.name)
                }
                values.updateValue(member.value.string, forKey: member.name)
            }
            let seen = try Self.seen(in: object)
            return ["id": .integer(try await desk.write(values, row: object["id"]?.int64, in: table, seen: seen))]
        }
    }

    private static func seen(in object: JSONObject) throws(DataError) -> [String: SeenValue] {
        guard let json = object["seen"], !json.isNull else { return [:] }
        guard let members = json.object?.members, object["id"]?.int64 != nil else {
            throw DataError(
                code: .badRequest, message: "seen is not as it should be",
                detail: "an object with the values of the row that id names is needed")
        }
        guard members.count <= DataRequest.maximumColumns else {
            throw DataError(
                code: .tooLarge, message: "request too large",
                detail: "seen holds at most \(DataRequest.maximumColumns) columns")
        }
        var seen: [String: SeenValue] = [:]
        for member in members {
            guard let value = ShownValue.seen(member.value) else {
                throw DataError(
                    code: .badRequest, message: "a value in seen has no form in which values are shown",
                    detail: String(member.name.prefix(64)))
            }
            seen[member.name] = value
        }
        return seen
    }

    private func answer(_ body: (any DataDesk) async throws(DataError) -> JSONValue) async -> Response {
        guard let desk else { return routes.closed }
        do throws(DataError) { return routes.answer(try await body(desk)) } catch {
            return routes.refuse(error.code, error.message, error.detail)
        }
    }

    /// What the owner calls some of the people, and what they call themselves.
    private func people(_ ids: Set<String>) async -> [String: JSONValue] {
        guard !ids.isEmpty, let book else { return [:] }
        let known = await book.known().filter { ids.contains($0.id.base58) }
        return Dictionary(
            known.map { ($0.id.base58, ["label": .string($0.label), "petname": .string($0.petname)]) }
        ) { first, _ in first }
    }
}

/// A value as the Data room shows it: strangers choose how long it is, and scripts round numbers of more than 53 bits.
///
/// Null, true, false, short texts and numbers are themselves. `{"cut":"its beginning","bytes":n}` is a longer text,
/// `{"binary":n}` are n bytes, `{"digits":"…"}` is a number that a script cannot hold.
enum ShownValue {
    /// The longest text in a list of rows, in bytes.
    static let maximumListedBytes = 400
    /// The longest text that is given when it is asked for alone, in bytes.
    static let maximumWholeBytes = 1 << 20

    static func row(_ row: JSONValue) -> JSONValue {
        .object(
            JSONObject(
                members: (row.object?.members ?? []).map { member in
                    // Whose a row is has to be whole, and is short.
                    let isName = DataName.isSystemColumn(member.name)
                    return .init(
                        name: member.name, value: json(member.value, mostBytes: isName ? 1024 : maximumListedBytes))
                }))
    }

    static func json(_ value: JSONValue, mostBytes: Int) -> JSONValue {
        switch value {
        case .string(let text):
            guard text.utf8.count > mostBytes else { return value }
            return ["cut": .string(text.prefix(utf8Bytes: mostBytes)), "bytes": .integer(text.utf8.count)]
        case .number(let digits):
            if let integer = Int64(digits) { return integer.magnitude <= 1 << 53 ? value : ["digits": .string(digits)] }
            return value
        case .object(let object):
            return object["$blob"]?.string == nil ? .null : ["binary": .integer(value.blobBytes ?? 0)]
        case .null, .bool, .array: return value
        }
    }

    /// What a page has seen, from the form in which it was shown; nil for every other form.
    static func seen(_ json: JSONValue) -> SeenValue? {
        switch json {
        case .null, .bool, .number, .string: return .whole(json)
        case .object(let object):
            if let start = object["cut"]?.string, let bytes = object["bytes"]?.int64 {
                return .beginning(start, bytes: bytes)
            }
            if let bytes = object["binary"]?.int64 { return .binary(bytes: bytes) }
            if let digits = object["digits"]?.string, Int64(digits) != nil { return .whole(.number(digits)) }
            return nil
        case .array: return nil
        }
    }
}
