import GoopCore
import GoopTestKit
import Multiformats
import Testing

@Suite struct SiteQueryTests {
    private func message(_ framed: [UInt8]) throws -> ArraySlice<UInt8> {
        var reader = SiteMessageReader(limit: 4096)
        let (message, consumed) = try #require(try reader.received(framed[...]))
        #expect(consumed == framed.count)
        return message
    }

    private func kind<Value>(_ body: () throws(SiteError) -> Value) -> SiteError.Kind? {
        do throws(SiteError) {
            _ = try body()
            return nil
        } catch {
            return error.kind
        }
    }

    // MARK: Wire

    /// Written down by hand from docs/protocols.md.
    @Test(arguments: [
        (SiteQuery("/"), "03 12 01 2f"),
        (SiteQuery("/a", method: .head), "06 08 01 12 02 2f 61"),
        (SiteQuery("/a", known: ["x1", "*"]), "0b 12 02 2f 61 1a 02 78 31 1a 01 2a"),
        (SiteQuery("/a", part: .from(300)), "09 12 02 2f 61 22 03 08 ac 02"),
        (SiteQuery("/a", part: .between(0, 1)), "0a 12 02 2f 61 22 04 08 00 10 01"),
        (SiteQuery("/a", part: .last(5), partOf: "t"), "0b 12 02 2f 61 22 02 18 05 2a 01 74"),
    ])
    func queryVectors(query: SiteQuery, hex: String) throws {
        let bytes = try Hex.decode(hex.filter { $0 != " " })
        #expect(query.encoded == bytes)
        #expect(try SiteQuery(decoding: message(bytes)) == query)
    }

    @Test(arguments: [
        (SiteHead(mediaType: "a/b", size: 5, tag: "t"), "0d 08 c8 01 12 03 61 2f 62 18 05 22 01 74"),
        (
            SiteHead(mediaType: "a/b", size: 2, status: .part, first: 1, total: 9),
            "0e 08 ce 01 12 03 61 2f 62 18 02 28 01 30 09"
        ),
        (SiteHead(mediaType: MediaType.unknown, size: 0, status: .folder), nil),
        (SiteHead(mediaType: "a/b", size: 0, status: .notModified, tag: "t"), "0b 08 b0 02 12 03 61 2f 62 22 01 74"),
        (SiteHead(mediaType: "a/b", size: 0, status: .noSuchPart, total: 9), "0a 08 a0 03 12 03 61 2f 62 30 09"),
        (SiteHead(mediaType: "a/b", size: 1, status: .missing), "0a 08 94 03 12 03 61 2f 62 18 01"),
    ])
    func headVectors(head: SiteHead, hex: String?) throws {
        if let hex { #expect(Hex.encode(head.encoded) == hex.filter { $0 != " " }) }
        #expect(try SiteHead(decoding: message(head.encoded)) == head)
    }

    @Test(arguments: [
        "", "08 02 12 01 2f", "12 01 ff", "12 02 2f", "0a", "1a 01 78", "12 01 2f 1a 00", "12 01 2f 1a 01 22",
        "12 01 2f 1a 01 20", "12 01 2f 22 00", "12 01 2f 22 02 10 05", "12 01 2f 22 04 08 02 10 01",
        "12 01 2f 22 04 08 02 18 01", "12 01 2f 22 0b 08 ff ff ff ff ff ff ff ff ff 01", "12 01 2f 2a 00",
    ])
    func refusedQueries(hex: String) throws {
        let bytes = try Hex.decode(hex.filter { $0 != " " })
        #expect(kind { () throws(SiteError) in try SiteQuery(decoding: bytes[...]) } == .badRequest)
    }

    @Test func tagsAreCounted() throws {
        let many = SiteQuery("/", known: (0..<40).map { "t\($0)" })
        #expect(try SiteQuery(decoding: message(many.encoded)).known.count == SiteQuery.maximumTags)
        let tooMany = try Hex.decode("12012f") + (0...SiteQuery.maximumTags).flatMap { _ in [0x1a, 1, 0x78] }
        #expect(kind { () throws(SiteError) in try SiteQuery(decoding: tooMany[...]) } == .badRequest)
    }

    @Test(arguments: [
        "", "12 03 61 2f 62", "08 c9 01", "08 c8 01 18 ff ff ff ff ff ff ff ff ff 01", "08 c8 01 22 01 22",
        "08 c8 01 12 01 0a", "08 c8 01 12 00", "08 c8 01 28 01", "08 ce 01 18 02 28 01 30 02", "08 ce 01 30 09",
        "08 b0 02 18 01", "08 b4 02 18 01", "08 a0 03 18 01",
    ])
    func refusedHeads(hex: String) throws {
        let bytes = try Hex.decode(hex.filter { $0 != " " })
        #expect(kind { () throws(SiteError) in try SiteHead(decoding: bytes[...]) } == .protocolViolation)
    }

    @Test(arguments: SiteError.Kind.allCases.filter { $0 != .blocked })
    func refusalsTravel(sent: SiteError.Kind) throws {
        let bytes = try message(SiteHead.refusal(SiteError(kind: sent, detail: "inside only")))
        #expect(kind { () throws(SiteError) in try SiteHead(decoding: bytes) } == sent)
        #expect(bytes.count < 6, "no word of what is inside")
    }

    @Test func aLimitIsKept() throws {
        let bytes = try message(SiteHead(mediaType: "a/b", size: 11).encoded)
        #expect(kind { () throws(SiteError) in try SiteHead(decoding: bytes, limit: 10) } == .tooLarge)
    }

    // MARK: Meaning

    @Test(arguments: [
        (SiteQuery.Part.from(0), 0, 10), (.from(9), 9, 1), (.between(0, 0), 0, 1), (.between(2, 4), 2, 3),
        (.between(8, 100), 8, 2), (.last(3), 7, 3), (.last(100), 0, 10),
        (.between(0, SiteQuery.maximumPosition), 0, 10), (.between(0, Int.max), 0, 10),
    ])
    func parts(part: SiteQuery.Part, first: Int, size: Int) {
        let head = SiteQuery("/", part: part).answer(mediaType: "a/b", size: 10, tag: "t")
        #expect(head == SiteHead(mediaType: "a/b", size: size, status: .part, tag: "t", first: first, total: 10))
        let whole = SiteHead(mediaType: "a/b", size: 10, tag: "t")
        #expect(SiteQuery("/", method: .head, part: part).answer(mediaType: "a/b", size: 10, tag: "t") == whole)
        #expect(SiteQuery("/", part: part, partOf: "old").answer(mediaType: "a/b", size: 10, tag: "t") == whole)
        #expect(SiteQuery("/", part: part, partOf: "t").answer(mediaType: "a/b", size: 10, tag: "t") == head)
    }

    @Test(arguments: [
        (SiteQuery.Part.from(10), 10), (.between(10, 12), 10), (.last(0), 10), (.from(0), 0), (.last(5), 0),
        (.from(Int.max), 10),
    ])
    func partsThatAreNotThere(part: SiteQuery.Part, size: Int) {
        let head = SiteQuery("/", part: part).answer(mediaType: "a/b", size: size, tag: "t")
        #expect(head.status == .noSuchPart && head.size == 0 && head.total == size)
    }

    @Test func whatTheVisitorHasIsNotSentAgain() {
        for known in [["t"], ["a", "t"], ["*"]] {
            let head = SiteQuery("/", known: known, part: .from(3)).answer(mediaType: "a/b", size: 10, tag: "t")
            #expect(head.status == .notModified && head.size == 0 && head.tag == "t")
        }
        #expect(SiteQuery("/", known: ["a"]).answer(mediaType: "a/b", size: 10, tag: "t").status == .whole)
        #expect(SiteQuery("/", known: [""]).answer(mediaType: "a/b", size: 10, tag: "").status == .whole)
    }

    @Test func mediaTypesAndTagsOfAHeadAreBounded() throws {
        func read(_ mediaTypeBytes: Int, _ tagBytes: Int) throws -> SiteHead {
            let head = SiteHead(
                mediaType: String(repeating: "m", count: mediaTypeBytes), size: 5,
                tag: String(repeating: "t", count: tagBytes))
            return try SiteHead(decoding: message(head.encoded))
        }
        let longest = try read(SiteHead.maximumMediaTypeBytes, SiteHead.maximumTagBytes)
        #expect(longest.mediaType.utf8.count == 127 && longest.tag.utf8.count == 64)
        for (mediaTypeBytes, tagBytes) in [(128, 64), (127, 65)] {
            let error = #expect(throws: SiteError.self) { try read(mediaTypeBytes, tagBytes) }
            #expect(error?.kind == .protocolViolation)
        }
    }

    // MARK: Machines

    @Test func anAnswerIsReadInAnyPieces() throws {
        let head = SiteHead(mediaType: "text/plain", size: 5, tag: "abc")
        let bytes = head.encoded + Array("hello".utf8)
        for step in 1...bytes.count {
            var reader = SiteAnswerReader(method: .get)
            var got: SiteHead?
            var body = 0
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = rest.prefix(step)
                rest = rest.dropFirst(step)
                if got != nil {
                    try reader.bodyReceived(piece.count)
                    body += piece.count
                } else if let (head, consumed) = try reader.headReceived(piece) {
                    got = head
                    try reader.bodyReceived(piece.count - consumed)
                    body += piece.count - consumed
                }
            }
            try reader.ended()
            #expect(got == head && body == 5 && reader.left == 0)
        }
    }

    @Test func anAnswerThatIsShortOrLongIsNone() throws {
        let bytes = SiteHead(mediaType: "a/b", size: 5).encoded
        var reader = SiteAnswerReader(method: .get)
        #expect(kind { () throws(SiteError) in try reader.ended() } == .protocolViolation)
        reader = SiteAnswerReader(method: .get)
        _ = try reader.headReceived(bytes[...])
        try reader.bodyReceived(4)
        var short = reader
        #expect(kind { () throws(SiteError) in try short.ended() } == .protocolViolation)
        #expect(kind { () throws(SiteError) in try reader.bodyReceived(2) } == .protocolViolation)
        #expect(kind { () throws(SiteError) in try reader.bodyReceived(0) } == .protocolViolation, "it stays failed")
        var head = SiteAnswerReader(method: .head)
        _ = try head.headReceived(bytes[...])
        #expect(head.left == 0, "the head tells of bytes that do not follow")
        try head.ended()
    }

    @Test func messagesAreBounded() throws {
        var reader = SiteMessageReader(limit: 100)
        #expect(kind { () throws(SiteError) in try reader.received([0x65][...]) } == .protocolViolation)
        reader = SiteMessageReader(limit: 100)
        #expect(kind { () throws(SiteError) in try reader.received([UInt8](repeating: 0xFF, count: 12)[...]) } != nil)
        // The head of an answer: 512 bytes may follow, 513 may not.
        var answer = SiteAnswerReader(method: .get)
        let isIncomplete = try answer.headReceived([0x80, 0x04][...]) == nil
        #expect(isIncomplete)
        answer = SiteAnswerReader(method: .get)
        #expect(kind { () throws(SiteError) in try answer.headReceived([0x81, 0x04][...]) } == .protocolViolation)
    }
}
