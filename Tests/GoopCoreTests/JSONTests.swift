import GoopCore
import GoopTestKit
import Testing

@Suite struct JSONTests {
    private func parse(_ text: String) throws(JSONError) -> JSONValue { try JSONParser.parse(Array(text.utf8)) }

    @Test(arguments: [
        "null", "true", "false", "0", "-0", "12.50", "1e3", "-1.5E-7", "\"\"", "[]", "{}", "[1,[2,{\"a\":null}]]",
        "{\"b\":1,\"a\":2}", "9999999999999999999999",
    ])
    func compactTextIsKeptAsItIs(text: String) throws {
        #expect(String(decoding: JSONWriter.compact(try parse(text)), as: UTF8.self) == text)
    }

    @Test(arguments: [
        "", " ", "nul", "tru", "+1", "01", "1.", ".5", "1e", "-", "\"", "\"\\x\"", "\"\\u12\"", "\"\u{1}\"", "[1,]",
        "[,]",
        "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "1 2", "[1}", "\u{FEFF}\u{FEFF}1", "NaN",
    ])
    func refusals(text: String) {
        #expect(throws: JSONError.self) { try parse(text) }
    }

    @Test func offsetsCountBytes() {
        #expect(throws: JSONError.unexpected(offset: 4)) { try parse("[1, x]") }
        #expect(throws: JSONError.trailing(offset: 2)) { try parse("1 2") }
    }

    @Test func escapes() throws {
        #expect(try parse(#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00""#) == .string("\"\\/\u{8}\u{C}\n\r\té\u{1F600}"))
        #expect(try parse(#""\ud83d""#) == .string("\u{FFFD}"))
        #expect(try parse(#""\ud83dx""#) == .string("\u{FFFD}x"))
        #expect(try parse(#""\ud83d\n""#) == .string("\u{FFFD}\n"))
        #expect(try parse(#""\ud83d\u0041""#) == .string("\u{FFFD}A"))
        #expect(try parse(#""\ude00""#) == .string("\u{FFFD}"))
        #expect(try JSONParser.parse([0x22, 0xFF, 0x22]) == .string("\u{FFFD}"))
    }

    @Test func theByteOrderMarkIsSkipped() throws {
        #expect(try JSONParser.parse([0xEF, 0xBB, 0xBF] + Array("1".utf8)) == .number("1"))
    }

    @Test func prettyTextHasTwoSpacesALevel() throws {
        let text = "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": {\n    \"c\": \"\\u003c\"\n  }\n}\n"
        #expect(String(decoding: JSONWriter.pretty(try parse(text)), as: UTF8.self) == text)
    }

    @Test func randomBytesNeverTrap() throws {
        var generator = SeededGenerator(seed: 7)
        let alphabet = Array("{}[]\",:\\u0a1eE+-. truefalsn\u{0}".utf8) + [0xFF, 0xD8, 0xC3]
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0..<40, using: &generator)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            guard let value = try? JSONParser.parse(bytes) else { continue }
            #expect(try JSONParser.parse(JSONWriter.compact(value)) == value)
            #expect(try JSONParser.parse(JSONWriter.pretty(value)) == value)
        }
    }
}
