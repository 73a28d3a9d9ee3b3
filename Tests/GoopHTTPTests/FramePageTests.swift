import Foundation
import GoopCore
import NIOCore
import PeerIdentity
import Testing

@testable import GoopHTTP

/// What the frame of a site gets behind each page, and that nothing else does. docs/decisions/0011.
@Suite struct FramePageTests {
    private let backend = FakeBackend()
    private let peer = PrivateKey.generate().peerID
    private let page = "<!doctype html><p>hello</p>"

    init() {
        var tagged = FakeBackend.File(page)
        tagged.head = SiteHead(mediaType: "text/html", size: page.utf8.count, tag: "abc")
        var pieces = FakeBackend.File("")
        pieces.chunks = ["<", "!doctype html>", "", "<p>pieces</p>"].map { ByteBuffer(string: $0) }
        var wide = FakeBackend.File("")
        wide.chunks = [ByteBuffer(bytes: [0xFE, 0xFF, 0x00]), ByteBuffer(bytes: [0x41])]
        var missing = FakeBackend.File("<p>not here")
        missing.head = SiteHead(mediaType: "text/html", size: 11, status: .missing)
        var part = FakeBackend.File("hello")
        part.head = SiteHead(mediaType: "text/html", size: 5, status: .part, tag: "abc", first: 18, total: 27)
        backend.set(
            .files([
                "/": .init("<p>index"), "/tagged.html": tagged, "/pieces.html": pieces, "/wide.html": wide,
                "/short.html": .init("x"), "/empty.html": .init(""), "/a.txt": .init("text", mediaType: "text/plain"),
                "/picture.svg": .init("<svg/>", mediaType: "image/svg+xml"), "/gone.html": missing, "/part.html": part,
                "/odd.xhtml": .init("<html/>", mediaType: "application/xhtml+xml"),
            ]), of: peer)
        backend.apply(.updated(.sample(peer)))
    }

    private let frame = ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"]

    private func ask(
        _ path: String, _ port: Int, _ fields: [String], method: String = "GET"
    ) async throws -> RawAnswer {
        try await request(
            "/p/\(peer.base58)\(path)", method: method, port: port,
            fields: ["Host: \(peer.base36).localhost:\(port)"] + fields)
    }

    @Test func aPageForTheFrameHasOneLineMore() async throws {
        try await withViewer(backend) { port in
            for (path, text) in [
                ("/", "<p>index"), ("/tagged.html", page), ("/pieces.html", "<!doctype html><p>pieces</p>"),
                ("/short.html", "x"), ("/gone.html", "<p>not here"),
            ] {
                let answer = try await ask(path, port, frame)
                #expect(answer.body == text + FramePage.line, "\(path)")
                #expect(answer["content-length"] == "\(answer.body.utf8.count)", "\(path)")
                #expect(answer["vary"]?.contains("Sec-Fetch-Dest") == true && answer["accept-ranges"] == nil)
                #expect(answer.status == (path == "/gone.html" ? 404 : 200), "\(path)")
                let head = try await ask(path, port, frame, method: "HEAD")
                #expect(head["content-length"] == answer["content-length"] && head.body.isEmpty, "\(path)")
                #expect(head["etag"] == answer["etag"], "\(path)")
            }
            let script = try await request(
                FramePage.script, port: port, fields: ["Host: \(peer.base36).localhost:\(port)"])
            #expect(script.status == 200 && script["content-type"]?.hasPrefix("text/javascript") == true)
        }
    }

    @Test func theFileItselfIsUntouchedForEverybodyElse() async throws {
        try await withViewer(backend) { port in
            for fields in [
                [], ["Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"],
                ["Sec-Fetch-Dest: iframe"],
            ] {
                let answer = try await ask("/tagged.html", port, fields)
                #expect(answer.body == page && answer["etag"] == "\"abc\"", "\(fields)")
                #expect(answer["content-length"] == "\(page.utf8.count)" && answer["accept-ranges"] == "bytes")
            }
            #expect(try await request("/p/\(peer.base58)/tagged.html", port: port).body == page)
            #expect(try await ask("/tagged.html", port, frame)["etag"] == "\"abc.frame\"")
            for (path, text) in [
                ("/a.txt", "text"), ("/picture.svg", "<svg/>"), ("/odd.xhtml", "<html/>"), ("/empty.html", ""),
            ] {
                let answer = try await ask(path, port, frame)
                #expect(answer.body == text && answer["content-length"] == "\(text.utf8.count)", "\(path)")
            }
            let part = try await ask("/part.html", port, frame + ["Range: bytes=18-22"])
            #expect(part.status == 206 && part.body == "hello" && part["etag"] == "\"abc\"")
        }
    }

    @Test func behindAPageOfTwoBytesACharacterStandBlanks() async throws {
        let blanks = FramePage.line.utf8.count / 2
        #expect(FramePage.line.utf8.count % 2 == 0)
        for (start, pair) in [([0xFE, 0xFF], [0x00, 0x20]), ([0xFF, 0xFE], [0x20, 0x00])] as [([UInt8], [UInt8])] {
            let end = Array(FramePage.end(behind: start + [0x41]).readableBytesView)
            #expect(end == Array(repeating: pair, count: blanks).flatMap { $0 })
        }
        try await withViewer(backend) { port in
            let answer = try await ask("/wide.html", port, frame)
            #expect(!answer.body.contains("goop-links"))
            #expect(answer["content-length"] == "\(4 + 2 * blanks)")
        }
    }
}
