import GoopTestKit
import Testing

@testable import GoopCore

@Suite struct RowFileTests {
    private func read(_ text: String, pieces: Int = 1_000_000) -> [CSVReader.Record] {
        var reader = CSVReader()
        var records: [CSVReader.Record] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            records += reader.received(Array(rest.prefix(pieces)))
            rest = rest.dropFirst(pieces)
        }
        return records + reader.finish()
    }

    private func texts(_ text: String) -> [[String]] { read(text).map { $0.fields.map(\.text) } }

    @Test func linesAndFields() {
        #expect(texts("a,b\n1,2\n") == [["a", "b"], ["1", "2"]])
        #expect(texts("a,b\r\n1,2") == [["a", "b"], ["1", "2"]])
        #expect(texts("\u{FEFF}a\nb") == [["a"], ["b"]])
        #expect(texts("a,\n,b\n,\n") == [["a", ""], ["", "b"], ["", ""]])
        #expect(texts("a\n\n\r\nb") == [["a"], ["b"]])
        #expect(texts("\"x\"\"y\",\"l1\nl2\"\n") == [["x\"y", "l1\nl2"]])
        #expect(texts("") == [] && texts("a") == [["a"]] && texts("\"\"") == [[""]])
        #expect(read("\"\",,x").first?.fields.map(\.isQuoted) == [true, false, false])
        #expect(read("a\n\"l\nl\"\nb").map(\.line) == [1, 2, 4])
    }

    @Test func linesThatAreNotInOrderTellWhy() {
        #expect(read("\"a\"b\nc\n").map(\.fault) == [.textBehindQuote, nil])
        #expect(read("a\"b\nc").map(\.fault) == [.quoteInside, nil])
        #expect(read("\"a\"\r,b\nc\n\"d\"\r\"e\"\nf").map(\.fault) == [.textBehindQuote, nil, .textBehindQuote, nil])
        #expect(read("\"a\"\r\n\"b\"\r").map(\.fault) == [nil, nil])
        #expect(read("a\n\"b").map(\.fault) == [nil, .unterminated])
        #expect(read(String(repeating: ",", count: 3000) + "\nc").map(\.fault) == [.tooLong, nil])
        #expect(read(String(repeating: "x", count: 5 << 20) + "\nc").map(\.fault) == [.tooLong, nil])
        // What a visitor wrote into a long text is no row.
        let long = "\"" + String(repeating: "x", count: 3 << 20)
        #expect(read(long + "\nforged\n\"\nc").map(\.fault) == [.tooLong, nil])
        #expect(read(long + "\nforged\n").map(\.fault) == [.unterminated])
        var reader = CSVReader()
        #expect(reader.received([0x61, 0x0A, 0xFF, 0x0A]).map(\.fault) == [nil, .notUTF8])
    }

    @Test(arguments: UInt64(1)...20)
    func whatIsWrittenReadsBackInPiecesOfAnySize(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let letters = ["a", "\"", ",", "\n", "\r", " ", "ü", "=", "-", "'", "\t"]
        let rows = (0..<20).map { _ in
            (0..<3).map { _ in
                (0..<Int.random(in: 0..<5, using: &generator)).map { _ in letters.randomElement(using: &generator) ?? ""
                }.joined()
            }
        }
        var writer = CSVWriter(isExact: true)
        let bytes = rows.flatMap { writer.line($0.map { .text($0) }) }
        let back = read(String(decoding: bytes, as: UTF8.self), pieces: Int.random(in: 1..<9, using: &generator))
        #expect(back.map { $0.fields.map(\.text) } == rows)
        #expect(back.allSatisfy { $0.fault == nil })
    }

    @Test func noCellIsAFormula() {
        var writer = CSVWriter(isExact: false)
        let line = writer.line([
            .text("=1+1"), .text("@x"), .text("+1"), .text("-1"), .text("\tx"), .text("\r\n"), .number("-5"), .null,
            .text(""), .text("a=b"),
        ])
        #expect(String(decoding: line, as: UTF8.self) == "'=1+1,'@x,'+1,'-1,'\tx,\"'\r\n\",-5,,\"\",a=b\r\n")
        #expect(writer.guarded == 6)
    }

    @Test func objectsOfAListAndOfLines() throws {
        for text in ["[{\"a\":1},\n {\"b\":\"}\\\"{\"}]", "{\"a\":1}\n{\"b\":\"}\\\"{\"}\n"] {
            for size in [1, 2, 7, 100] {
                var reader = JSONRowReader()
                var rows: [JSONRowReader.Row] = []
                var rest = Array(text.utf8)[...]
                while !rest.isEmpty {
                    try reader.received(Array(rest.prefix(size)), into: &rows)
                    rest = rest.dropFirst(size)
                }
                try reader.finish()
                #expect(rows.map(\.line) == [1, 2])
                #expect(rows.map { String(decoding: $0.bytes, as: UTF8.self) } == ["{\"a\":1}", "{\"b\":\"}\\\"{\"}"])
            }
        }
    }

    @Test(arguments: [
        ("[\n1]", 0, JSONRowReader.Fault.notARow(line: 2)), ("[{\"a\":1},\n5,{\"a\":2}]", 1, .notARow(line: 2)),
        ("{\"a\":1}\n{\"a\":", 1, .unterminated(line: 2)), ("\n[{\"a\":1}\n,{\"a\":2}", 2, .unclosedList(line: 2)),
        ("[{\"a\":1}]]", 1, .notARow(line: 1)), ("[[{\"a\":1}]]", 0, .notARow(line: 1)),
        ("[{\"a\":1}] x", 1, .notARow(line: 1)),
    ])
    func objectsBeforeAFaultAreGivenAndACutOffFileIsTold(text: String, count: Int, fault: JSONRowReader.Fault) {
        for size in [1, 3, 100] {
            var reader = JSONRowReader()
            var rows: [JSONRowReader.Row] = []
            #expect(throws: fault) {
                var rest = Array(text.utf8)[...]
                while !rest.isEmpty {
                    try reader.received(Array(rest.prefix(size)), into: &rows)
                    rest = rest.dropFirst(size)
                }
                try reader.finish()
            }
            #expect(rows.count == count, "in pieces of \(size)")
        }
    }
}
