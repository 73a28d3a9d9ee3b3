@testable import GoopCore

/// Lines of the data protocol, either way, and what is told of changes.
func fuzzData(_ bytes: [UInt8]) {
    if let request = try? DataProtocol.request(inLine: bytes) { check(request) }
    if let reply = try? DataProtocol.reply(inLine: bytes) {
        require((try? DataReply(json: reply.json)) == reply, "an answer reads back")
        if case .failure(let error) = reply {
            require(error.message.utf8.count <= 1024 && error.detail.utf8.count <= 1024, "texts are bounded")
            require(error.code.rawValue.utf8.count <= 64, "codes are bounded")
        }
    }
    if let table = try? DataProtocol.watchedTable(inLine: bytes) {
        require((1...DataProtocol.maximumWatchRequestBytes).contains(table.utf8.count), "names are bounded")
    }
    guard let value = try? JSONParser.parse(bytes) else { return }
    require(value.heldBytes <= DataProtocol.mostBytes(toRead: bytes) - bytes.count, "what values take is foreseen")
    require(DataProtocol.line(value).count { $0 == 0x0A } == 1, "one value is one line")
    if let change = DataChange(json: value) {
        require(DataChange(json: change.json) == change, "a change reads back")
        require(change.cost >= 64, "a change counts")
    }
    if let row = RefusedRow(json: value) { require(RefusedRow(json: row.json) == row, "a refused row reads back") }
}

private func check(_ request: DataRequest) {
    require((try? DataRequest(json: request.json)) == request, "a request reads back")
    let texts = [request.where, request.order, request.expr, request.groupBy] + request.columns + request.fields
    require(texts.allSatisfy { $0?.utf8.count ?? 0 <= DataRequest.maximumTextBytes }, "texts are bounded")
    let names = [
        request.table, request.name, request.oldName, request.newName, request.function, request.keyColumn,
        request.policy,
    ]
    require(names.allSatisfy { $0?.utf8.count ?? 0 <= DataRequest.maximumNameBytes }, "names are bounded")
    require(request.args.count <= DataRequest.maximumArguments, "arguments are counted")
    let counts = [request.columns.count, request.fields.count, request.columnDefs.count, request.data?.count ?? 0]
    require(counts.allSatisfy { $0 <= DataRequest.maximumColumns }, "columns are counted")
}

/// The description of a table, as the member `schema` of an object, and perhaps the values of a row, as `data`.
func fuzzSchema(_ bytes: [UInt8]) {
    guard let object = (try? JSONParser.parse(bytes))?.object,
        let schema = try? OrmSchema(json: object["schema"] ?? .null)
    else { return }
    require((try? OrmSchema(json: schema.json)) == schema, "a schema reads back")
    require((1...OrmSchema.maximumColumns).contains(schema.columns.count), "columns are counted")
    let names = schema.columns.map { $0.name.lowercased() }
    require(Set(names).count == names.count, "each column is there once")
    require(DataName.isUserTable(schema.name), "\(schema.name) is no name for a table")
    for column in schema.columns {
        require(DataName.isUserColumn(column.name), "\(column.name) is no name for a column")
        require(column.choices.count <= OrmSchema.maximumChoices, "choices are counted")
        require(schema.column(column.name.uppercased()) == column, "letter case does not count")
    }
    let members = object["data"]?.object?.members ?? []
    let data = Dictionary(members.map { ($0.name, $0.value) }) { _, last in last }
    // Two spellings of one column are for the table to refuse.
    guard Set(data.keys.map { $0.lowercased() }).count == data.count else { return }
    _ = try? schema.checkUpdate(data)
    guard let values = try? schema.valuesForInsert(data, automatic: { _ in "made" }) else { return }
    for column in schema.columns {
        let value = values.first { $0.key.lowercased() == column.name.lowercased() }?.value ?? .null
        require(!value.isNull || !(column.isRequired || column.isKey), "\(column.name) has no value")
        let given = data.first { $0.key.lowercased() == column.name.lowercased() }?.value ?? .null
        if !given.isNull, value == given, !column.isAutomatic {
            require((try? schema.checkUpdate([column.name: value])) != nil, "a value fits or is refused")
        }
    }
    for (name, value) in data where schema.column(name) == nil {
        require(values[name] == value, "what the schema does not know is left alone")
    }
}

/// A file of comma-separated values.
func fuzzCSV(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let (whole, pieces) = input.message()
    let records = readCSV([whole[...]])
    require(readCSV(pieces) == records, "pieces make the same records")
    require(zip(records, records.dropFirst()).allSatisfy { $0.line < $1.line }, "lines come in their order")
    require(records.allSatisfy { $0.fields.count <= CSVReader.maximumFields }, "fields are counted")
    let sound = records.prefix { $0.fault == nil }.map(\.fields)
    let plain = plainCSV(whole)
    require(plain.elementsEqual(sound.map { $0.map(Cell.init) }), "\(sound) should be \(plain)")
    for isExact in [true, false] {
        // The first line keeps a byte order mark in the first cell from being the file's.
        var writer = CSVWriter(isExact: isExact)
        var lines = writer.line([.text("first")])
        for fields in sound {
            lines += writer.line(fields.map { $0.text.isEmpty && !$0.isQuoted ? .null : .text($0.text) })
        }
        let again = readCSV([lines[...]]).dropFirst().map(\.fields)
        require(again.count == sound.count, "as many records are read back")
        for (fields, written) in zip(again, sound) {
            require(fields.count == written.count, "as many fields are read back")
            for (field, original) in zip(fields, written) {
                let text = isExact ? field.text : FormulaGuard.removed(from: field.text)
                require(text.utf8.elementsEqual(original.text.utf8), "\(original) reads back as \(field)")
                require(
                    (text.isEmpty && !field.isQuoted) == (original.text.isEmpty && !original.isQuoted),
                    "no value is none")
                require(isExact || !"=+-@\t\r".utf8.contains(field.text.utf8.first ?? 0), "\(field.text) is a formula")
            }
        }
    }
}

private func readCSV(_ pieces: [ArraySlice<UInt8>]) -> [CSVReader.Record] {
    var reader = CSVReader()
    return pieces.flatMap { reader.received(Array($0)) } + reader.finish()
}

private struct Cell: Equatable {
    var text: String
    var isQuoted: Bool

    init(_ text: String, isQuoted: Bool) { (self.text, self.isQuoted) = (text, isQuoted) }
    init(_ field: CSVReader.Field) { self.init(field.text, isQuoted: field.isQuoted) }
}

/// The records up to the first that is not in order, read the plain way: with all bytes at hand.
private func plainCSV(_ bytes: [UInt8]) -> [[Cell]] {
    var left = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
    var records: [[Cell]] = []
    while !left.isEmpty {
        var fields: [Cell] = []
        while true {
            let isQuoted = left.first == 0x22
            var text: [UInt8] = []
            if isQuoted {
                left = left.dropFirst()
                while let byte = left.popFirst() {
                    if byte == 0x22 {
                        guard left.first == 0x22 else {
                            left = [0x22] + left
                            break
                        }
                        left = left.dropFirst()
                    }
                    text.append(byte)
                }
                guard left.popFirst() == 0x22 else { return records }
            } else {
                text = Array(left.prefix { $0 != 0x2C && $0 != 0x0A })
                left = left.dropFirst(text.count)
                if left.first != 0x2C, text.last == 0x0D { text.removeLast() }
                guard !text.contains(0x22) else { return records }
            }
            if isQuoted, left == [0x0D] || left.starts(with: [0x0D, 0x0A]) { left = left.dropFirst() }
            guard let valid = String(validating: text, as: UTF8.self), fields.count < CSVReader.maximumFields else {
                return records
            }
            fields.append(Cell(valid, isQuoted: isQuoted))
            let end = left.popFirst()
            if end == nil || end == 0x0A { break }
            guard end == 0x2C else { return records }
        }
        if fields != [Cell("", isQuoted: false)] { records.append(fields) }
    }
    return records
}

/// A file of JSON objects: in a list, or one after the other.
func fuzzJSONRows(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let (whole, pieces) = input.message()
    func read(_ pieces: [ArraySlice<UInt8>]) -> (rows: [JSONRowReader.Row], fault: JSONRowReader.Fault?) {
        var reader = JSONRowReader()
        var rows: [JSONRowReader.Row] = []
        do throws(JSONRowReader.Fault) {
            for piece in pieces { try reader.received(Array(piece), into: &rows) }
            try reader.finish()
        } catch {
            return (rows, error)
        }
        return (rows, nil)
    }
    let outcome = read([whole[...]])
    let again = read(pieces)
    require(again.rows == outcome.rows && again.fault == outcome.fault, "pieces make the same rows")
    let rows = outcome.rows
    require(zip(rows, rows.dropFirst()).allSatisfy { $0.line <= $1.line }, "lines come in their order")
    require(rows.allSatisfy { $0.bytes.first == UInt8(ascii: "{") && $0.bytes.count >= 2 }, "a row is an object")
    if let list = (try? JSONParser.parse(whole))?.array, list.allSatisfy({ $0.object != nil }) {
        require(
            outcome.fault == nil && rows.map { try? JSONParser.parse($0.bytes) } == list,
            "a list of objects is its rows")
    }
    let objects = rows.compactMap { try? JSONParser.parse($0.bytes) }
    for text in [JSONWriter.pretty(.array(objects)), objects.flatMap { DataProtocol.line($0) }] {
        let written = read([text[...]])
        require(
            written.fault == nil && written.rows.map { try? JSONParser.parse($0.bytes) } == objects, "rows read back")
    }
}

/// Texts in columns of times.
func fuzzTimes(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    let written = TimeText.normalized(text)
    require(TimeText.normalized(written) == written, "the one form stays as it is")
    require(written == text || written.utf8.count <= 35 && TimeText.isDated(written), "what is changed is a time")
    require(TimeText.compared(written).utf8.count <= max(written.utf8.count, 35), "no text grows")
    // What is no day of the calendar stays as it is.
    guard let old = TimeText.automaticOfOld(written), TimeText.normalized(old) != old else { return }
    require(TimeText.normalized(old) == written, "the old form is read back")
}
