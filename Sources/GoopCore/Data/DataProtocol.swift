/// The lines of `/goop/data/1.0.0`, which upstream speaks too, and of `/goop/data-watch/1.0.0`, which is ours.
///
/// Source: P2P wire reference, section 4.5; docs/protocols.md for the second.
public enum DataProtocol {
    /// One request and one answer.
    public static let dataID = "/goop/data/1.0.0"
    /// Changes of one table for as long as the stream is open.
    public static let watchID = "/goop/data-watch/1.0.0"
    /// The longest request line, in bytes.
    public static let maximumRequestBytes = 1 << 20
    /// Streams of changes that one visitor may have at once.
    public static let maximumWatchesPerPeer = 32
    /// The longest request to watch, in bytes.
    public static let maximumWatchRequestBytes = 1024
    /// The longest answer line, in bytes: JSON can be longer than the values that it is made of.
    public static let maximumReplyBytes = 32 << 20

    /// The longest answer to a request to watch, in bytes: a word, or why not.
    public static let maximumWatchReplyBytes = 16 << 10

    /// The line of a request.
    public static func line(_ request: DataRequest) -> [UInt8] { line(request.json) }

    /// The line of an answer.
    public static func line(_ reply: DataReply) -> [UInt8] { line(reply.json) }

    /// JSON as a line.
    public static func line(_ json: JSONValue) -> [UInt8] {
        var line = JSONWriter.compact(json)
        line.append(0x0A)
        return line
    }

    /// Reads a request line.
    /// - Throws: `badRequest` also for the sealed form, `unknownOperation`, `tooLarge`.
    public static func request(inLine line: some Collection<UInt8>) throws(DataError) -> DataRequest {
        guard !line.starts(with: Array("ENC:".utf8)) else {
            throw DataError(
                code: .badRequest, message: "decrypt error",
                detail: "sealed requests are not opened here; the connection itself is encrypted")
        }
        return try DataRequest(
            json: json(inLine: line, limits: .init(bytes: maximumRequestBytes, depth: 16, values: 16_384)))
    }

    /// Reads an answer line.
    public static func reply(inLine line: some Collection<UInt8>) throws(DataError) -> DataReply {
        let limits = JSONParser.Limits(bytes: maximumReplyBytes, depth: 16, values: 2_000_000)
        let json: JSONValue
        do throws(JSONError) { json = try JSONParser.parse(line, limits: limits) } catch {
            throw DataError(code: .unreachable, message: "the peer's answer makes no sense", detail: "\(error)")
        }
        return try DataReply(json: json)
    }

    /// The most bytes in memory that reading an answer line takes, beside the line: a copy of it, and its values. A list of
    /// zeros has a value in every second byte, so this is told before it is read.
    package static func mostBytes(toRead line: some Collection<UInt8>) -> Int {
        let values =
            line.withContiguousStorageIfAvailable(mostBytes(ofValuesIn:))
            ?? Array(line).withUnsafeBufferPointer(mostBytes(ofValuesIn:))
        return line.count + values
    }

    /// What a value takes in a list or object that has room to grow.
    private static let bytesPerValue = 2 * MemoryLayout<JSONObject.Member>.stride
    /// What the shortest list or object takes beside its values, which are counted for themselves.
    private static let bytesPerList = 104

    /// Each value but the first stands behind a comma or an opening bracket.
    private static func mostBytes(ofValuesIn text: UnsafeBufferPointer<UInt8>) -> Int {
        var (values, lists, texts) = (1, 0, 0)
        // Bytes that are no text: digits of numbers too.
        var others = 0
        var position = 0
        while position < text.count {
            switch text[position] {
            case UInt8(ascii: "\""):
                var length = 0
                position += 1
                while position < text.count, text[position] != UInt8(ascii: "\"") {
                    // What is no UTF-8 becomes three bytes for one.
                    length += text[position] < 0x80 ? 1 : 3
                    position += text[position] == UInt8(ascii: "\\") ? 2 : 1
                }
                // A text without an end is none.
                if position < text.count, length > JSONValue.shortTextBytes { texts += length + JSONValue.blockBytes }
            case UInt8(ascii: ","): values += 1
            case UInt8(ascii: "["), UInt8(ascii: "{"): (values, lists) = (values + 1, lists + 1)
            default: others += 1
            }
            position += 1
        }
        // A number is kept with its digits: of those that are too long for its place, sixteen or more.
        return values * bytesPerValue + lists * bytesPerList + texts + 4 * others
    }

    /// The table that a watch line asks for.
    public static func watchedTable(inLine line: some Collection<UInt8>) throws(DataError) -> String {
        let value = try json(inLine: line, limits: .init(bytes: maximumWatchRequestBytes, depth: 2, values: 16))
        guard let table = value.object?["table"]?.string, !table.isEmpty else {
            throw DataError(code: .badRequest, message: "table name required")
        }
        return table
    }

    private static func json(
        inLine line: some Collection<UInt8>, limits: JSONParser.Limits
    ) throws(DataError) -> JSONValue {
        do throws(JSONError) { return try JSONParser.parse(line, limits: limits) } catch {
            throw DataError(code: .badRequest, message: "invalid json: \(error)")
        }
    }
}

extension DataChange {
    /// The change as a line of the wire has it.
    public var json: JSONValue {
        ["table": .string(table), "kind": .string(kind.rawValue), "id": .integer(id), "row": row ?? .null]
    }

    /// Reads a change; nil if it is none.
    public init?(json: JSONValue) {
        guard let object = json.object, let table = object["table"]?.string,
            let kind = object["kind"]?.string.flatMap(Kind.init(rawValue:)), let id = object["id"]?.int64
        else { return nil }
        self.init(table: table, kind: kind, id: id, row: object["row"].flatMap { $0.isNull ? nil : $0 })
    }
}
