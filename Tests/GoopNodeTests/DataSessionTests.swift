import Dispatch
import Glibc
import GoopCore
import Logging
import PeerIdentity
import Testing

@testable import GoopNode
@testable import GoopStore

/// Tables as a command has them from the running peer, whose lines hold less here.
private struct ShortLines: OwnerTables {
    let session: DataSession
    let limit: Int

    func perform(_ request: DataRequest) async throws -> JSONValue {
        let line = ControlReply.value(try await session.perform(request)).encoded(most: limit)
        #expect(line.count <= limit)
        return try ControlReply.value(inLine: line.dropLast())
    }

    func insert(_ rows: [JSONValue], into table: String) async throws -> [RefusedRow] {
        try await session.insert(rows, into: table)
    }
}

@Suite struct DataSessionTests {
    let temporary = TemporaryFolder()
    var folder: PeerFolder { PeerFolder(temporary.path + "/ada") }
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func makePeer() throws {
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "Ada")).release()
    }

    private func makeTable(_ session: DataSession) async throws {
        var request = DataRequest(op: .createTable, table: "notes")
        request.name = "notes"
        request.columnDefs = [
            ["name": "text", "type": "TEXT", "not_null": true], ["name": "stars", "type": "INTEGER"],
            ["name": "weight", "type": "REAL"],
        ]
        request.policy = "open"
        _ = try await session.perform(request)
    }

    private func count(_ session: DataSession) async throws -> Int64? {
        try await session.perform(DataRequest(op: .count, table: "notes")).object?["count"]?.int64
    }

    /// What the commands do, in both ways that there are.
    private func useTables() async throws {
        let session = try DataSession(folder: folder, logger: logger)
        try await makeTable(session)
        let refused = try await session.insert(
            [
                ["text": "one", "stars": .integer(1)], ["stars": .integer(2)], .integer(3),
                ["text": "four", "nothing": true], ["text": "five"],
            ],
            into: "notes")
        #expect(refused.map(\.index) == [1, 2, 3])
        #expect(refused.allSatisfy { !$0.reason.isEmpty })
        var query = DataRequest(op: .query, table: "notes")
        query.where = "text IN (?, ?)"
        query.args = ["one", "five"]
        query.order = "_id DESC"
        query.columns = ["text"]
        #expect(try await session.perform(query) == .array([["text": "five"], ["text": "one"]]))
        query.where = "text = 'x' --"
        await #expect(throws: Failure.self) { try await session.perform(query) }
        await #expect(throws: Failure.self) { try await session.insert([["text": "x"]], into: "none") }
        #expect(try await count(session) == 2)
        await session.close()
    }

    @Test func aFullQuotaIsNotHelpedByTryingAgain() {
        let failure = DataError(code: .quota, message: "quota exceeded").failure(of: .insert)
        #expect(failure.nextStep.contains("data.visitor_megabytes") && failure.kind == .cannotCreate)
    }

    @Test func theNextStepIsThatOfTheOperation() {
        func step(_ code: DataErrorCode, _ op: DataOperation?) -> String {
            DataError(code: code, message: "no").failure(of: op).nextStep
        }
        #expect(step(.tooLarge, .query).contains("--limit"))
        for op in [DataOperation.insert, .update, .createTable, nil] {
            #expect(!step(.tooLarge, op).contains("--limit"), "there is no such option")
            #expect(!step(.tooLarge, op).isEmpty)
        }
        // With a space on both sides of DIR: so the program puts the folder there.
        #expect(step(.conflict, .createTable).contains("another name; goop2 data DIR tables "))
        #expect(step(.conflict, .insert).contains("goop2 data DIR query "))
        #expect(step(.conflict, .query) == "try again")
    }

    /// A table that is there cannot be made again, whoever does it.
    @Test(arguments: [false, true]) func aNameThatIsTakenIsToldAsOne(isRunning: Bool) async throws {
        let peer = try await isRunning ? TestPeer.start(in: temporary, label: "ada") : nil
        if peer == nil { try makePeer() }
        let session = try DataSession(folder: folder, logger: logger)
        try await makeTable(session)
        let told = await failure { try await makeTable(session) }
        #expect(told?.kind == .data && told?.nextStep.hasPrefix("choose another name") == true, "\(told as Any)")
        await session.close()
        try await peer?.stop()
    }

    @Test func withoutARunningPeerTheDatabaseIsOpenedItself() async throws {
        try makePeer()
        try await useTables()
        // The folder is free again.
        try PreparedPeer.open(folder, options: .init(createsMissing: false)).release()
    }

    @Test func aRunningPeerIsAsked() async throws {
        let peer = try await TestPeer.start(in: temporary, label: "ada")
        try await useTables()
        let report = try PeerBackup(of: folder).write(to: temporary.path + "/live.tar")
        #expect(report.id == peer.id.base58)
        try await peer.stop()
        // What was written when the backup was made is in it.
        let back = PeerFolder(temporary.path + "/back")
        _ = try PeerRestore(from: temporary.path + "/live.tar").restore(to: back)
        let session = try DataSession(folder: back, logger: logger)
        #expect(try await count(session) == 2)
        await session.close()
    }

    /// It stands in line behind others, whose turn can be long in coming.
    @Test(.timeLimit(.minutes(1))) func aCommandThatWaitsDoesNotKeepThePeerFromEnding() async throws {
        let peer = try await TestPeer.start(in: temporary, label: "ada")
        let session = try DataSession(folder: folder, logger: logger)
        try await makeTable(session)
        let writer = try await peer.running.tables.store().writer
        let release = DispatchSemaphore(value: 0)
        let (isHeld, held) = AsyncStream.makeStream(of: Void.self)
        async let holder = writer.write(of: .owner, cost: 1, isHeavy: false) { _ in
            held.yield()
            // Not without end, so that the test ends when it fails.
            _ = release.wait(timeout: .now() + 30)
            return .null
        }
        for await _ in isHeld { break }
        let command = Task { try await session.insert([["text": "later"]], into: "notes") }
        while writer.waiting == 0 {
            try Task.checkCancellation()
            await Task.yield()
        }
        let stopping = Task { try await peer.stop() }
        await #expect(throws: Failure.self) { _ = try await command.value }
        release.signal()
        _ = try await holder
        try await stopping.value
        await session.close()
    }

    @Test func aFileOfRowsComesInAndGoesOutAgain() async throws {
        try makePeer()
        let session = try DataSession(folder: folder, logger: logger)
        try await makeTable(session)
        var lines = "TEXT,stars,_owner,weight\r\n"
        for number in 1...2500 { lines += "\"note \(number)\r\nü\",\(number),mallory,\(number).5\r\n" }
        lines += "=cmd(),x,me,\r\n,1,,\r\n\"\",7,,\r\ntoo,few\r\n\"broken\"x,1,2,3\r\n"
        temporary.write(lines, to: "rows.csv")
        var rows = try await RowImport(session: session, table: "notes", keepsSystemColumns: false)
        let report = try await rows.run(temporary.path + "/rows.csv", form: .csv)
        #expect(report.added == 2502 && report.refused == 3 && report.skippedColumns == ["_owner"])
        #expect(report.refusedLines.map(\.line) == [5003, 5005, 5006])
        #expect(try await count(session) == 2502)
        var query = DataRequest(op: .query, table: "notes")
        query.where = "_id IN (1, 2500, 2501)"
        query.columns = ["_id", "text", "stars", "weight"]
        #expect(
            try await session.perform(query)
                == .array([
                    ["_id": .integer(1), "text": "note 1\r\nü", "stars": .integer(1), "weight": .number("1.5")],
                    [
                        "_id": .integer(2500), "text": "note 2500\r\nü", "stars": .integer(2500),
                        "weight": .number("2500.5"),
                    ],
                    ["_id": .integer(2501), "text": "=cmd()", "stars": "x", "weight": .null],
                ]))
        // Every way out leads back in.
        for (form, isExact) in [(RowImport.Form.csv, true), (.json, false)] {
            var bytes: [UInt8] = []
            let out = try await RowExport(session: session, table: "notes", isExact: isExact).run(form: form) {
                bytes += $0
            }
            #expect(out.rows == 2502 && out.guarded == 0)
            temporary.write(String(decoding: bytes, as: UTF8.self), to: "out")
            var again = try await RowImport(session: session, table: "notes", keepsSystemColumns: false)
            let before = try await count(session) ?? 0
            let back = try await again.run(temporary.path + "/out", form: form)
            #expect(back.added == 2502 && back.refused == 0)
            var request = DataRequest(op: .deleteWhere, table: "notes")
            request.where = "_id > ?"
            request.args = [.integer(2502)]
            #expect(before == 2502)
            var distinct = DataRequest(op: .query, table: "notes")
            distinct.columns = ["text", "stars", "weight"]
            distinct.where = "_id > ?"
            distinct.args = [.integer(2502)]
            let copied = try await session.perform(distinct)
            distinct.where = "_id <= ?"
            #expect(try await session.perform(distinct) == copied)
            _ = try await session.perform(request)
        }
        var bytes: [UInt8] = []
        let safe = try await RowExport(session: session, table: "notes", isExact: false).run(form: .csv) { bytes += $0 }
        #expect(safe.guarded == 1 && String(decoding: bytes, as: UTF8.self).contains("'=cmd()"))
        await session.close()
    }

    /// The answer fits the tables' own bound, and its JSON is six times as long.
    @Test func anAnswerThatIsTooLongForALineIsAskedForInParts() async throws {
        try makePeer()
        let session = try DataSession(folder: folder, logger: logger)
        try await makeTable(session)
        let text = String(repeating: "<", count: 1000)
        #expect(try await session.insert(Array(repeating: ["text": .string(text)], count: 300), into: "notes").isEmpty)
        let short = ShortLines(session: session, limit: 200_000)
        var bytes: [UInt8] = []
        let report = try await RowExport(session: short, table: "notes", isExact: true).run(form: .json) { bytes += $0 }
        let rows = try #require(try JSONParser.parse(bytes, limits: .init(bytes: 4 << 20)).array)
        #expect(report.rows == 300 && rows.count == 300)
        #expect(rows.allSatisfy { $0.object?["text"]?.string == text })
        // One row alone that is too long for a line ends it, with the reason.
        let long = String(repeating: "<", count: 40_000)
        #expect(try await session.insert([["text": .string(long)]], into: "notes").isEmpty)
        let failure = await #expect(throws: Failure.self) {
            _ = try await RowExport(session: short, table: "notes", isExact: true).run(form: .json) { _ in }
        }
        #expect(failure?.kind == .usage && failure?.cause.contains("200000 are the most") == true, "\(failure as Any)")
        await session.close()
    }

    /// What `goop2 data DIR insert` makes of `size=1`.
    @Test func digitsAreWhatTheirColumnIsFor() async throws {
        try makePeer()
        let session = try DataSession(folder: folder, logger: logger)
        var request = DataRequest(op: .createTable)
        request.name = "shirts"
        request.columnDefs = [
            ["name": "size", "type": "enum", "values": .array(["1", "2"])], ["name": "number", "type": "integer"],
        ]
        _ = try await session.perform(request)
        let columns = try await TableColumns(of: "shirts", session)
        let values = ["size", "number"].map { ($0, columns.value(of: "1", in: $0)) }
        #expect(values.map(\.1) == [.string("1"), .number("1")])
        #expect(
            columns.misfits(in: ["size": "x", "number": "abc"]) == ["number holds whole numbers; abc was kept as text"])
        #expect(columns.misfits(in: ["number": ""]) == ["number holds whole numbers; an empty text was kept as text"])
        for text in ["1", " 1 ", "-1.5e3", "+7", ".5"] {
            #expect(columns.misfits(in: ["number": .string(text)]) == [], "SQLite makes a number of \(text)")
        }
        for text in ["1 2", "0x10", "inf", "nan", "1a", "-"] {
            #expect(columns.misfits(in: ["number": .string(text)]).count == 1, "\(text)")
        }
        #expect(columns.misfits(in: ["number": .integer(1), "size": "abc", "other": "abc"]) == [])
        var insert = DataRequest(op: .insert, table: "shirts")
        insert.data = Dictionary(uniqueKeysWithValues: values)
        #expect(try await session.perform(insert).object?["id"]?.int64 == 1)
        await session.close()
    }

    @Test func whatTheOwnerGotWrongIsToldInTheOwnersWords() async throws {
        try makePeer()
        let session = try DataSession(folder: folder, logger: logger)
        try await makeTable(session)
        var request = DataRequest(op: .delete, table: "notes")
        request.id = 99
        var told = await failure { try await session.perform(request) }
        #expect(told?.kind == .noInput && told?.cause == "notes has no row 99")
        #expect(told?.nextStep == "see what is there: goop2 data DIR query notes")
        request = DataRequest(op: .update, table: "notes")
        request.id = 99
        request.data = ["text": "x"]
        told = await failure { try await session.perform(request) }
        #expect(told?.kind == .noInput && told?.cause == "notes has no row 99")
        request = DataRequest(op: .query, table: "notes")
        request.where = "stars >"
        told = await failure { try await session.perform(request) }
        #expect(told?.kind == .usage && told?.nextStep == "see the examples: goop2 data query --help")
        #expect(told?.cause.hasSuffix("should be, behind “stars >”") == true, "\(told as Any)")
        request.where = ") stars"
        told = await failure { try await session.perform(request) }
        #expect(told?.cause.hasSuffix(", at its beginning") == true, "\(told as Any)")
        temporary.write("_id,text\n1,a\n1,b\n2,c\n", to: "rows.csv")
        var rows = try await RowImport(session: session, table: "notes", keepsSystemColumns: true)
        let report = try await rows.run(temporary.path + "/rows.csv", form: .csv)
        #expect(report.added == 2)
        #expect(report.refusedLines == [.init(line: 3, reason: "there is a row with _id 1 already")])
        await session.close()
    }

    @Test func aFileForAnotherTableAddsNothing() async throws {
        try makePeer()
        let session = try DataSession(folder: folder, logger: logger)
        try await makeTable(session)
        for text in ["text,strs\na,1\n", "text,text\na,b\n", "\"text\nx"] {
            temporary.write(text, to: "rows.csv")
            var rows = try await RowImport(session: session, table: "notes", keepsSystemColumns: false)
            await #expect(throws: Failure.self) { try await rows.run(temporary.path + "/rows.csv", form: .csv) }
        }
        temporary.write("[{\"text\":\"a\"}, 5, {\"text\":\"b\"}]", to: "rows.json")
        var rows = try await RowImport(session: session, table: "notes", keepsSystemColumns: false)
        let report = try await rows.run(temporary.path + "/rows.json", form: .json)
        #expect(report.refused == 1)
        #expect(try await count(session) == Int64(report.added))
        await session.close()
    }
}
