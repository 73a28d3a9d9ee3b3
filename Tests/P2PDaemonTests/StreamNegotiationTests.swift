import Multiformats
import Testing

@testable import P2PDaemon

@Suite struct StreamNegotiationTests {
    private static func line(_ text: String) -> [UInt8] {
        Varint.encode(UInt64(text.utf8.count + 1)) + text.utf8 + [0x0a]
    }
    private static let header = line("/multistream/1.0.0")

    /// Our stream: what the opener sends is sent, what is answered is received.
    private var ours = StreamNegotiation(isOurs: true)

    private mutating func sends(_ bytes: [UInt8]) -> StreamNegotiation.Found {
        bytes.withUnsafeBytes { ours.take($0, isSent: true) }
    }

    private mutating func receives(_ bytes: [UInt8]) -> StreamNegotiation.Found {
        bytes.withUnsafeBytes { ours.take($0, isSent: false) }
    }

    @Test mutating func tellsWhatIsAgreedAndNothingBehindIt() {
        let lazy = Self.header + Self.line("/chat/1") + Self.line("/secret")
        #expect(sends(lazy) == .init(tokens: ["/multistream/1.0.0", "/chat/1"], bytes: 29, begins: 29))
        #expect(sends(Self.line("/more/secret")) == .init())
        #expect(receives(Self.header + Self.line("/chat/1") + Self.line("/chat/1")).tokens.count == 2)
        #expect(receives(Self.line("/chat/1")) == .init())
        #expect(ours.isOver)
    }

    @Test mutating func followsRefusals() {
        #expect(sends(Self.header + Self.line("/b/2")).tokens.count == 2)
        #expect(!ours.isOver)
        #expect(receives(Self.header + Self.line("na")) == .init(tokens: ["/multistream/1.0.0", "na"], bytes: 24))
        #expect(sends(Self.line("/b/1")) == .init(tokens: ["/b/1"], bytes: 6))
        #expect(receives(Self.line("/b/1")) == .init(tokens: ["/b/1"], bytes: 6))
        #expect(ours.isOver)
    }

    /// What was sent behind a proposal may be data: a refusal does not make lines of it.
    @Test mutating func aRefusalDoesNotReopenWhatHadData() {
        #expect(sends(Self.header + Self.line("/b/2")).tokens.count == 2)
        #expect(sends(Self.line("/secret")) == .init(begins: 0))
        #expect(receives(Self.header + Self.line("na")).tokens.count == 2)
        #expect(sends(Self.line("/b/1")) == .init())
    }

    @Test mutating func tellsTheSizeOfAMessageOfIdentify() {
        #expect(sends(Self.header + Self.line("/ipfs/id/1.0.0")).message == nil)
        let answered = receives(Self.header + Self.line("/ipfs/id/1.0.0") + Varint.encode(300) + [1, 2, 3])
        #expect(answered == .init(tokens: ["/multistream/1.0.0", "/ipfs/id/1.0.0"], bytes: 36, message: 302))
        #expect(ours.isOver)
    }

    @Test mutating func tellsTheSizeOfAPush() {
        let pushed = sends(Self.header + Self.line("/ipfs/id/push/1.0.0") + Varint.encode(5) + [1, 2, 3, 4, 5])
        #expect(
            pushed == .init(tokens: ["/multistream/1.0.0", "/ipfs/id/push/1.0.0"], bytes: 41, message: 6, begins: 41))
    }

    /// Wherever a write is cut in two, the opener's own bytes begin behind its proposal.
    @Test func tellsWhereTheOpenersOwnBytesBegin() {
        let lazy = Self.header + Self.line("/chat/1") + [1, 2, 3]
        for cut in 0...lazy.count {
            var negotiation = StreamNegotiation(isOurs: true)
            let pieces = [lazy[..<cut], lazy[cut...]]
            let own = pieces.map { piece -> [UInt8] in
                let begins = Array(piece).withUnsafeBytes { negotiation.take($0, isSent: true) }.begins
                return begins.map { Array(piece.dropFirst($0)) } ?? []
            }
            // What follows bytes of its own is not looked at any more.
            #expect(own.joined().elementsEqual(cut > 29 ? lazy[29..<cut] : [1, 2, 3]), "cut at \(cut)")
        }
    }

    @Test(arguments: [UInt64(Int.max), UInt64(Int.max) - 8, .max >> 1])
    mutating func aSizeBeyondAllIsNotTold(size: UInt64) {
        let found = sends(Self.header + Self.line("/ipfs/id/push/1.0.0") + Varint.encode(size))
        #expect(found.message == nil && found.tokens.count == 2)
        // The largest that can be told.
        var other = StreamNegotiation(isOurs: true)
        let most = Self.header + Self.line("/ipfs/id/push/1.0.0") + Varint.encode(UInt64(Int.max) - 9)
        #expect(most.withUnsafeBytes { other.take($0, isSent: true) }.message == .max)
    }

    @Test mutating func piecesOfOneByteSayTheSame() {
        var tokens: [String] = []
        var message: Int?
        for byte in Self.header + Self.line("/ipfs/id/push/1.0.0") + Varint.encode(300) + [9, 9] {
            let found = sends([byte])
            tokens += found.tokens
            message = message ?? found.message
        }
        #expect(tokens == ["/multistream/1.0.0", "/ipfs/id/push/1.0.0"])
        #expect(message == 302)
    }

    @Test(arguments: [
        [UInt8]("GET / HTTP/1.1\r\n".utf8), line("/other/1.0.0"), line("/multistream/1.0.0\""), [0x80, 0x80, 0x80],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ]) mutating func whatIsNoNegotiationIsNotTold(bytes: [UInt8]) {
        #expect(sends(bytes) == .init())
        // Not even when it goes on like one.
        #expect(sends(Self.line("/chat/1")) == .init())
    }

    @Test(arguments: ["no slash", "/quote\"", "/back\\slash", "/new\nline", "/\u{e9}", "/\u{7f}"])
    mutating func namesThatAreNotPlainAreNotTold(name: String) {
        #expect(sends(Self.header + Self.line(name)).tokens == ["/multistream/1.0.0"])
    }

    @Test mutating func anAnswerIsToldOnlyIfItWasProposed() {
        #expect(sends(Self.header + Self.line("/chat/1")).tokens.count == 2)
        #expect(receives(Self.header + Self.line("/secret")).tokens == ["/multistream/1.0.0"])
    }

    @Test mutating func readsNoFurtherThanItsBound() {
        // The header takes 20 bytes; a name that ends at 128 is told, one that ends behind it is not.
        let room = StreamNegotiation.maximumBytes - 20
        var longer = self
        let fits = "/" + String(repeating: "a", count: room - 3)
        #expect(sends(Self.header + Self.line(fits)).tokens == ["/multistream/1.0.0", fits])
        #expect(longer.sends(Self.header + Self.line(fits + "a")).tokens == ["/multistream/1.0.0"])
        #expect(longer.sends([UInt8](repeating: 0x61, count: 100_000)) == .init())
    }

    @Test mutating func anEndIsTheEndOfItsDirection() {
        ours.finishes(isSent: false, after: 0)
        #expect(!ours.isOver)
        // The payload of the last frame still counts.
        let last = Self.header + Self.line("/ipfs/id/push/1.0.0")
        ours.finishes(isSent: true, after: last.count)
        #expect(!ours.isOver)
        #expect(sends(last).tokens.count == 2)
        #expect(ours.isOver)
    }
}
