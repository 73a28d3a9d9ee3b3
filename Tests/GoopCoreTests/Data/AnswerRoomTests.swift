import PeerIdentity
import Testing

@testable import GoopCore

/// What answers of other peers take in memory: one bound for all, and all of it is given back.
@Suite struct AnswerRoomTests {
    private static let piece = 1 << 20
    private let ada = PrivateKey.generate().peerID
    private let bob = PrivateKey.generate().peerID
    private let eve = PrivateKey.generate().peerID
    private let room = AnswerRoom(bytes: 6 << 20, bytesPerPeer: 4 << 20)

    /// The code of what it throws.
    private func refusal(_ body: () throws -> Void) -> DataErrorCode? {
        do {
            try body()
            return nil
        } catch {
            return (error as? DataError)?.code
        }
    }

    @Test func onePeerLeavesTheOthersTheirPart() throws {
        let piece = Self.piece
        let (first, second, third) = (room.share(for: ada), room.share(for: ada), room.share(for: bob))
        try first.hold(3 * piece)
        #expect(refusal { try second.hold(2 * piece) } == .busy, "four of one peer, in all its answers")
        #expect(refusal { try second.hold(5 * piece) } == .tooLarge, "waiting would not help")
        #expect(room.heldBytes == 3 * piece, "what is refused is not counted")
        try third.hold(3 * piece)
        #expect(refusal { try third.hold(4 * piece) } == .busy, "six of all")
        #expect(room.heldBytes == 6 * piece, "what is refused leaves what was held")
        let last = room.share(for: eve)
        #expect(refusal { try last.hold(piece) } == .busy)
        try first.hold(piece)
        try last.hold(piece)
        try second.hold(piece)
        #expect(room.heldBytes == 6 * piece)
        withExtendedLifetime((first, second, third, last)) {}
    }

    @Test func aShareThatGoesGivesAllBack() throws {
        func answer(_ bytes: Int, ofMost most: Int) throws {
            let share = room.share(for: ada)
            for part in stride(from: 0, through: bytes, by: 4096) { try share.gather(part) }
            #expect(room.heldBytes >= bytes && room.heldBytes <= 2 * bytes, "a buffer grows by doubling")
            if bytes > most { throw DataError(code: .tooLarge, message: "") }
        }
        for _ in 0..<100 {
            try answer(Self.piece, ofMost: Self.piece)
            #expect(refusal { try answer(Self.piece, ofMost: 0) } == .tooLarge)
            #expect(refusal { try answer(5 * Self.piece, ofMost: 5 * Self.piece) } == .tooLarge)
            #expect(room.heldBytes == 0)
        }
        let share = room.share(for: ada)
        try share.hold(4 * Self.piece)
        share.release()
        share.release()
        #expect(room.heldBytes == 0)
        try share.hold(4 * Self.piece)
        #expect(room.heldBytes == 4 * Self.piece)
    }

    @Test func shortAnswersFindRoomAlways() throws {
        let large = [room.share(for: ada), room.share(for: bob)]
        for share in large { try share.hold(3 * Self.piece) }
        let short = room.share(for: ada)
        try short.hold(AnswerRoom.shortAnswerBytes)
        try short.gather(AnswerRoom.shortAnswerBytes)
        #expect(refusal { try short.hold(AnswerRoom.shortAnswerBytes + 1) } == .busy)
        withExtendedLifetime(large) {}
    }

    /// Lines that take much more than their length, and what only looks so.
    static let lines: [String] = {
        func list(_ element: String) -> String {
            "[" + Array(repeating: element, count: 1000).joined(separator: ",") + "]"
        }
        let commas = String(repeating: ",[{\\\"\\\\", count: 1000)
        return [
            list("0"), list("null"), list("[]"), list("[0]"), list("[[[[0]]]]"), list("{}"), list(#"{"a":0}"#),
            list(#"{"a":{"a":[true]}}"#), list("1234567890123456"), list("-1.234567890123456789e100"),
            list(#""1234567890123456""#), list(#"{"1234567890123456":"1234567890123456"}"#),
            list("\"\u{FC}\u{FC}\u{FC}\u{FC}\u{FC}\u{FC}\u{FC}\u{FC}\""),
            "\"\(commas)\"", "[[\"\(commas)\"]]", #"{"ok":true,"data":[]}"#, "\"\"", "0",
        ]
    }()

    @Test(arguments: 0..<lines.count) func whatReadingTakesIsToldBefore(number: Int) throws {
        let line = Array(Self.lines[number].utf8)
        let value = try JSONParser.parse(line)
        #expect(DataProtocol.mostBytes(toRead: line) >= line.count + value.heldBytes)
        // Also of a line whose bytes are not in one place.
        #expect(DataProtocol.mostBytes(toRead: line.lazy.map { $0 }) == DataProtocol.mostBytes(toRead: line))
        #expect(JSONWriter.compactLength(of: value) == JSONWriter.compact(value).count)
    }

    @Test func whatIsNoUTF8TakesThreeBytesForOne() throws {
        let line = [0x22] + [UInt8](repeating: 0xFF, count: 6) + [0x22]
        let value = try JSONParser.parse(line)
        #expect(value.heldBytes > 18 && DataProtocol.mostBytes(toRead: line) >= line.count + value.heldBytes)
    }

    /// A long text is not taken for many values: a table of numbers may be kept as one.
    @Test func commasInTextsAreText() {
        let line = Array("\"\(String(repeating: "1,", count: 50_000))\"".utf8)
        #expect(DataProtocol.mostBytes(toRead: line) < 3 * line.count)
    }

    @Test func escapesCountAsTheyAreWritten() {
        for text in ["<>&", "\"\\\n\r\t\u{8}\u{C}\u{1}", "\u{2028}\u{2029}\u{202A}", "ü€😀", ""] {
            let value: JSONValue = [text: .array([.string(text), .bool(false), .null, .object([:]), .array([])])]
            #expect(JSONWriter.compactLength(of: value) == JSONWriter.compact(value).count)
        }
    }
}
