import GoopTestKit
import PeerIdentity
import Testing

@testable import GoopCore

/// What answers of other peers take in memory: one bound for all, and all of it is given back.
@Suite struct AnswerRoomTests {
    private static let piece = 1 << 20
    private let ada = PrivateKey.generate().peerID
    private let bob = PrivateKey.generate().peerID
    private let eve = PrivateKey.generate().peerID
    private let room = AnswerRoom(bytes: 8 << 20)

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
        #expect(refusal { try second.hold(2 * piece) } == .busy, "half of all, in all its answers")
        #expect(refusal { try second.hold(5 * piece) } == .tooLarge, "waiting would not help")
        #expect(room.heldBytes == 3 * piece, "what is refused is not counted")
        try second.hold(piece)
        try third.hold(2 * piece)
        #expect(refusal { try third.hold(2 * piece + 1) } == .busy, "half of the half that is left")
        #expect(room.heldBytes == 6 * piece, "what is refused leaves what was held")
        let last = room.share(for: eve)
        #expect(refusal { try last.hold(piece + 1) } == .busy)
        try last.hold(piece)
        #expect(refusal { try first.hold(3 * piece + 1) } == .busy, "more than its half of what the others leave now")
        #expect(room.heldBytes == 7 * piece, "which it keeps all the same")
        first.release()
        try third.hold(3 * piece)
        #expect(room.heldBytes == 5 * piece)
        withExtendedLifetime((first, second, third, last)) {}
    }

    /// What one large answer of a visit needs on its way: it comes, is read, and becomes the text for the browser.
    private func visit(_ peer: PeerID, _ room: AnswerRoom, bytes: Int) throws {
        let share = room.share(for: peer)
        for part in stride(from: 4096, through: bytes, by: 4096) { try share.gather(part) }
        try share.hold(5 * bytes)
        try share.hold(3 * bytes)
        share.release()
    }

    /// Two owners that send slowly, or whose pages take slowly, hold what they can get for as long as they like.
    @Test func whoeverHoldsOnToTheirAnswersLeavesOthersTheirVisits() throws {
        let room = AnswerRoom()
        var held: [AnswerRoom.Share] = []
        func takeAll(_ peer: PeerID) {
            var bytes = 128 << 20
            while bytes > AnswerRoom.shortAnswerBytes {
                let share = room.share(for: peer)
                if refusal({ try share.gather(bytes) }) == nil { held.append(share) } else { bytes /= 2 }
            }
        }
        for peer in [ada, bob] {
            takeAll(peer)
            try visit(eve, room, bytes: 6 << 20)
        }
        // Nobody is shut out by more of them, either: each next one gets half as much.
        for _ in 0..<4 {
            takeAll(PrivateKey.generate().peerID)
            try visit(eve, room, bytes: 256 << 10)
        }
        #expect(room.heldBytes < 256 << 20)
        held = []
        #expect(room.heldBytes == 0)
    }

    /// Whatever peers take and give back, in whatever order: nobody grows beyond half of what the others leave, whoever holds
    /// nothing finds that half, and all together stay within the room.
    @Test(arguments: 0..<20 as Range<UInt64>) func theRoomIsNeverFullForANewcomer(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bytes = 64 << 20
        let room = AnswerRoom(bytes: bytes)
        let peers = (0..<4).map { _ in PrivateKey.generate().peerID }
        var shares = peers.flatMap { peer in (0..<3).map { _ in (peer: peer, share: room.share(for: peer), bytes: 0) } }
        for step in 0..<5000 {
            let index = Int.random(in: 0..<shares.count, using: &random)
            let (peer, share, old) = shares[index]
            let new = Bool.random(using: &random) ? 0 : Int.random(in: (16 << 10) + 1...bytes, using: &random)
            let others = shares.reduce(0) { $0 + ($1.peer == peer ? 0 : $1.bytes) }
            let own = shares.reduce(0) { $0 + ($1.peer == peer ? $1.bytes : 0) } - old
            let mayHold = new <= old || own + new <= (bytes - others) / 2
            #expect((refusal { try share.hold(new) } == nil) == mayHold, "seed \(seed), step \(step)")
            if mayHold { shares[index].bytes = new }
            let all = shares.reduce(0) { $0 + $1.bytes }
            #expect(room.heldBytes == all && all < bytes, "seed \(seed), step \(step)")
            let newcomer = room.share(for: eve)
            #expect(refusal { try newcomer.hold((bytes - all) / 2) } == nil, "seed \(seed), step \(step)")
        }
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
        let large = room.share(for: ada)
        try large.hold(4 * Self.piece)
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
