import GoopCore
import HTTPTypes
import PeerIdentity
import Testing

@testable import GoopHTTP

@Suite("Conditions and parts under /p/", .timeLimit(.minutes(1))) struct SiteConditionsTests {
    private let peer = PrivateKey.generate().peerID

    @Test(arguments: [
        ("bytes=0-4", SiteQuery.Part.between(0, 4)), ("bytes=5-", .from(5)), ("bytes=-3", .last(3)),
        ("Bytes= 0-0 ", .between(0, 0)), ("bytes=0-1,3-4", nil), ("bytes=4-3", nil), ("bytes=-", nil),
        ("bytes=", nil), ("items=0-4", nil), ("bytes 0-4", nil), ("bytes=0x1-2", nil), ("bytes=+1-2", nil),
        ("bytes=99999999999999999999-", .from(SiteQuery.maximumPosition)),
        ("bytes=7-99999999999999999999", .between(7, SiteQuery.maximumPosition)),
        ("bytes=-99999999999999999999", .last(SiteQuery.maximumPosition)), ("bytes=-5x", nil),
        ("bytes=--1", nil), ("bytes=1-2-3", nil), ("bytes=٣-", nil),
    ])
    func ranges(field: String, part: SiteQuery.Part?) {
        #expect(SiteConditions.part(field) == part)
    }

    @Test func tags() {
        #expect(SiteConditions.tags("\"a\", W/\"b\" ,c, \"\", \"d e\", *, \"f\"") == ["a", "b", "*", "f"])
        let many = (0..<100).map { "\"\($0)\"" }.joined(separator: ",")
        #expect(SiteConditions.tags(many).count == SiteQuery.maximumTags)
    }

    @Test func longFieldsAreAsIfTheyWereNotThere() {
        func query(_ blanks: Int) -> SiteQuery {
            let blank = String(repeating: " ", count: blanks)
            var fields = HTTPFields()
            fields[.ifNoneMatch] = "\"t\"," + blank + "\"u\""
            fields[.range] = "bytes=" + blank + "0-4"
            return SiteConditions.query("/a", method: .get, fields: fields)
        }
        let heeded = query(1000)
        #expect(heeded.known == ["t", "u"] && heeded.part == .between(0, 4))
        #expect(query(SiteConditions.maximumFieldBytes) == SiteQuery("/a"))
    }

    private func served(
        _ head: SiteHead, _ text: String = "", path: String = "/a/film.mp4", method: String = "GET",
        fields: [String] = []
    ) async throws -> (RawAnswer, SiteQuery?) {
        let backend = FakeBackend()
        var file = FakeBackend.File(text)
        file.head = head
        backend.set(.files([try SiteAddress.decode(Substring(path)): file]), of: peer)
        nonisolated(unsafe) var answer = RawAnswer("")
        try await withViewer(backend) { port in
            answer = try await request("/p/\(peer)\(path)?q=1", method: method, port: port, fields: fields)
        }
        return (answer, backend.queries.first)
    }

    @Test func aWholeFileHasATagAndTakesRanges() async throws {
        let (answer, query) = try await served(SiteHead(mediaType: "video/mp4", size: 5, tag: "t1"), "hello")
        #expect(answer.status == 200 && answer.body == "hello")
        #expect(answer["etag"] == "\"t1\"" && answer["accept-ranges"] == "bytes")
        #expect(query == SiteQuery("/a/film.mp4"))
        let (plain, _) = try await served(SiteHead(mediaType: "video/mp4", size: 5), "hello")
        #expect(plain["etag"] == nil && plain["accept-ranges"] == nil, "upstream has neither")
    }

    @Test func aPartIsAnsweredAsOne() async throws {
        let head = SiteHead(mediaType: "video/mp4", size: 3, status: .part, tag: "t1", first: 1, total: 5)
        let (answer, query) = try await served(head, "ell", fields: ["Range: bytes=1-3", "If-Range: \"t1\""])
        #expect(answer.status == 206 && answer.body == "ell")
        #expect(answer["content-range"] == "bytes 1-3/5" && answer["content-length"] == "3")
        #expect(answer["content-type"] == "video/mp4")
        #expect(query == SiteQuery("/a/film.mp4", part: .between(1, 3), partOf: "t1"))
        let (_, dated) = try await served(
            head, "ell", fields: ["Range: bytes=1-3", "If-Range: Tue, 24 Nov 2026 05:55:06 GMT"])
        #expect(dated?.part == nil, "a date proves nothing")
        let (_, weak) = try await served(head, "ell", fields: ["Range: bytes=1-3", "If-Range: W/\"t1\""])
        #expect(weak?.part == nil)
    }

    @Test func noSuchPart() async throws {
        let head = SiteHead(mediaType: "video/mp4", size: 0, status: .noSuchPart, tag: "t1", total: 5)
        let (answer, _) = try await served(head, fields: ["Range: bytes=9-"])
        #expect(answer.status == 416 && answer["content-range"] == "bytes */5" && answer.body.isEmpty)
    }

    @Test func whatTheBrowserHasIsNotSent() async throws {
        let head = SiteHead(mediaType: "video/mp4", size: 0, status: .notModified, tag: "t1")
        let (answer, query) = try await served(head, fields: ["If-None-Match: W/\"t1\", \"t2\""])
        #expect(answer.status == 304 && answer["etag"] == "\"t1\"" && answer.body.isEmpty)
        #expect(answer["content-security-policy"]?.hasPrefix("sandbox") == true)
        #expect(query?.known == ["t1", "t2"])
    }

    @Test func aFolderIsSentToItsSlash() async throws {
        let head = SiteHead(mediaType: MediaType.unknown, size: 0, status: .folder)
        let (answer, _) = try await served(head, path: "/a/b%C3%A9")
        #expect(answer.status == 308 && answer["location"] == "./b%C3%A9/?q=1")
    }

    @Test func theSitesOwnPageForWhatIsMissing() async throws {
        let head = SiteHead(mediaType: "text/html", size: 4, status: .missing)
        let (answer, _) = try await served(head, "gone", path: "/a.js")
        #expect(answer.status == 404 && answer.body == "gone")
        #expect(answer["content-type"] == "text/html; charset=utf-8")
        #expect(answer["content-security-policy"]?.hasPrefix("sandbox") == true)
    }

    @Test func headAsksForTheHead() async throws {
        let (answer, query) = try await served(
            SiteHead(mediaType: "video/mp4", size: 5, tag: "t1"), method: "HEAD", fields: ["Range: bytes=1-3"])
        #expect(answer.status == 200 && answer["content-length"] == "5" && answer.body.isEmpty)
        #expect(query?.method == .head)
    }
}
