import Glibc
import GoopCore
import NIOCore
import Testing

@testable import GoopNode

@Suite struct SiteFolderTests {
    let temporary = TemporaryFolder()
    let site: SiteFolder

    init() {
        site = SiteFolder(root: temporary.path + "/site")
        temporary.write("<h1>", to: "site/index.html")
        temporary.write("about", to: "site/about/index.html")
        temporary.write("body {}", to: "site/css/app.css")
        temporary.write("secret", to: "site/.env")
        temporary.write("secret", to: "site/lua/x.lua")
        temporary.write("secret", to: "outside.txt")
        mkdir(temporary.path + "/site/empty", 0o755)
        mkfifo(temporary.path + "/site/pipe", 0o644)
        for (target, name) in [
            ("../outside.txt", "escape"), ("..", "up"), ("lua/x.lua", "script"), (".env", "env"),
            ("css/app.css", "style"),
            ("about", "us"), ("nowhere", "dangling"), ("loop", "loop"), ("/etc/passwd", "passwd"), ("lua", "Scripts"),
        ] { symlink(target, temporary.path + "/site/" + name) }
    }

    private func text(_ path: String) async throws(SiteError) -> String {
        let chunks = try await SiteFileChunks.open(path, in: site)
        do {
            var text = ""
            for try await chunk in chunks { text += String(buffer: chunk) }
            return text
        } catch {
            throw SiteError(kind: .protocolViolation, detail: "\(error)")
        }
    }

    private func refusal(_ path: String) async -> SiteError.Kind? {
        do {
            _ = try await text(path)
            return nil
        } catch {
            return error.kind
        }
    }

    @Test(arguments: [
        ("", "<h1>"), ("/", "<h1>"), ("/index.html", "<h1>"), ("/about", "about"), ("/about/", "about"),
        ("/css/app.css", "body {}"), ("/style", "body {}"), ("/us/", "about"), ("/css/../index.html", "<h1>"),
    ])
    func served(path: String, content: String) async throws {
        #expect(try await text(path) == content)
    }

    @Test(arguments: [
        ("/nothing", SiteError.Kind.notFound), ("/empty", .notFound), ("/index.html/", .notFound), ("/css/", .notFound),
        ("/dangling", .notFound), ("/loop", .notFound), ("/pipe", .notFound), ("/index.html/x", .notFound),
        ("/escape", .forbidden), ("/up", .forbidden), ("/up/outside.txt", .forbidden), ("/passwd", .forbidden),
        ("/script", .forbidden), ("/Scripts/x.lua", .forbidden), ("/env", .forbidden), ("/.env", .forbidden),
        ("/lua/x.lua", .forbidden), ("/../outside.txt", .forbidden), ("/a\0b", .badRequest),
    ])
    func refused(path: String, kind: SiteError.Kind) async {
        #expect(await refusal(path) == kind)
    }

    @Test func unreadableFilesAndMissingRoots() async throws {
        if getuid() != 0 {
            chmod(temporary.path + "/site/css/app.css", 0)
            #expect(await refusal("/css/app.css") == .forbidden)
        }
        let nowhere = SiteFolder(root: temporary.path + "/none")
        await #expect(throws: SiteError(kind: .disabled)) { try await SiteFileChunks.open("/", in: nowhere) }
    }

    @Test func aRootThatIsALinkServesWhatItLeadsTo() async throws {
        symlink("site", temporary.path + "/linked")
        let chunks = try await SiteFileChunks.open("/about/", in: SiteFolder(root: temporary.path + "/linked"))
        #expect(chunks.file.head == SiteHead(mediaType: "text/html; charset=utf-8", size: 5))
    }

    @Test func largeFilesComeInChunksAndShrinkingOnesFail() async throws {
        let size = 200_000
        temporary.write(String(repeating: "x", count: size), to: "site/large.bin")
        let chunks = try await SiteFileChunks.open("/large.bin", in: site)
        var sizes: [Int] = []
        for try await chunk in chunks { sizes.append(chunk.readableBytes) }
        #expect(sizes == [65_536, 65_536, 65_536, 3392])
        let second = try await SiteFileChunks.open("/large.bin", in: site)
        truncate(temporary.path + "/site/large.bin", 100_000)
        await #expect(throws: SiteError.self) { for try await _ in second {} }
    }

    @Test func hiddenFoldersOfTheSettings() async {
        let strict = SiteFolder(root: site.root, hidden: [["lua"], ["about"]])
        await #expect(throws: SiteError.self) { try await SiteFileChunks.open("/us/", in: strict) }
    }
}
