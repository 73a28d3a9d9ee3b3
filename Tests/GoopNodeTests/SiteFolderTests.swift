import Glibc
import NIOCore
import Testing

@testable import GoopCore
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

    /// How many files of the site this process has open.
    private func openFiles(named name: String) -> Int {
        let place = FolderPath.real(temporary.path).map { $0 + "/site/" + name }
        return (0..<1024).filter { number in
            var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
            let count = buffer.withUnsafeMutableBytes { bytes in
                bytes.baseAddress.map { readlink("/proc/self/fd/\(number)", $0, bytes.count) } ?? -1
            }
            return count > 0 && String(decoding: buffer.prefix(count), as: UTF8.self) == place
        }.count
    }

    /// A slow visitor holds no file, and the event loop that moves the bytes has none to close.
    @Test func aFileIsClosedByTheThreadThatReadItsLastByte() async throws {
        temporary.write(String(repeating: "x", count: SiteFileChunks.firstChunkBytes + 1), to: "site/two.txt")
        let small = try await SiteFileChunks.open("/index.html", in: site)
        #expect(openFiles(named: "index.html") == 0 && small.whole == ByteBuffer(string: "<h1>"))
        let head = SiteQuery("/two.txt", method: .head)
        #expect(try await SiteFileChunks.answer(head, in: site, tags: ContentTags()).head.size > 0)
        #expect(openFiles(named: "two.txt") == 0)

        var chunks = try await SiteFileChunks.open("/two.txt", in: site).makeAsyncIterator()
        _ = try await chunks.next()
        #expect(openFiles(named: "two.txt") == 1)
        #expect(try await chunks.next() == ByteBuffer(string: "x"))
        #expect(openFiles(named: "two.txt") == 0)
        #expect(try await chunks.next() == nil)
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
            var unreadable = SiteError(kind: .forbidden, detail: "the file cannot be read")
            unreadable.isUnreadable = true
            await #expect(throws: unreadable) { try await SiteFileChunks.open("/css/app.css", in: site) }
        }
        let nowhere = SiteFolder(root: temporary.path + "/none")
        await #expect(throws: SiteError(kind: .disabled)) { try await SiteFileChunks.open("/", in: nowhere) }
    }

    @Test func aRootThatIsALinkServesWhatItLeadsTo() async throws {
        symlink("site", temporary.path + "/linked")
        let chunks = try await SiteFileChunks.open("/about/", in: SiteFolder(root: temporary.path + "/linked"))
        #expect(chunks.head == SiteHead(mediaType: "text/html; charset=utf-8", size: 5))
    }

    @Test func largeFilesComeInChunksAndShrinkingOnesFail() async throws {
        let size = 600_000
        temporary.write(String(repeating: "x", count: size), to: "site/large.bin")
        let chunks = try await SiteFileChunks.open("/large.bin", in: site)
        var sizes: [Int] = []
        for try await chunk in chunks { sizes.append(chunk.readableBytes) }
        #expect(sizes == [65_536, 262_144, 262_144, 10_176])
        let second = try await SiteFileChunks.open("/large.bin", in: site)
        truncate(temporary.path + "/site/large.bin", 100_000)
        await #expect(throws: SiteError.self) { for try await _ in second {} }
    }

    /// The third chunk is read into the memory of the first, but never into what somebody still holds.
    @Test func chunksAreReadIntoMemoryThatNobodyHolds() async throws {
        var buffers = ChunkBuffers()
        func next(_ byte: UInt8) -> ByteBuffer {
            var buffer = buffers.take(capacity: 1000)
            #expect(buffer.readableBytes == 0)
            buffer.writeRepeatingByte(byte, count: 1000)
            buffers.keep(buffer)
            return buffer
        }
        func place(_ buffer: ByteBuffer) -> UInt {
            buffer.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        }
        let (first, second) = (place(next(1)), place(next(2)))
        #expect(first != second)
        #expect(place(next(3)) == first)
        let held = next(4)
        #expect(place(held) == second)
        #expect(place(next(5)) == first)
        #expect(place(next(6)) != second)
        #expect(held == ByteBuffer(repeating: 4, count: 1000))

        let text = (0..<200_000).map { "\($0)\n" }.joined()
        temporary.write(text, to: "site/lines.txt")
        var all: [ByteBuffer] = []
        for try await chunk in try await SiteFileChunks.open("/lines.txt", in: site) { all.append(chunk) }
        #expect(all.count > 4)
        let isWhole = all.map { String(buffer: $0) }.joined() == text
        #expect(isWhole)
    }

    @Test func hiddenFoldersOfTheSettings() async {
        let strict = SiteFolder(root: site.root, hidden: [["lua"], ["about"]])
        await #expect(throws: SiteError.self) { try await SiteFileChunks.open("/us/", in: strict) }
    }

    // MARK: Queries

    private let tags = ContentTags()

    private func answer(_ query: SiteQuery) async throws -> (head: SiteHead, text: String) {
        let chunks = try await SiteFileChunks.answer(query, in: site, tags: tags)
        var text = ""
        for try await chunk in chunks { text += String(buffer: chunk) }
        return (chunks.head, text)
    }

    @Test func partsTagsAndHeads() async throws {
        let whole = try await answer(SiteQuery("/css/app.css"))
        #expect(whole.text == "body {}" && whole.head.status == .whole && whole.head.tag.utf8.count == 32)
        let tag = whole.head.tag
        #expect(try await answer(SiteQuery("/style")).head.tag == tag, "the same content under another name")
        let part = try await answer(SiteQuery("/css/app.css", part: .between(1, 3), partOf: tag))
        #expect(part.text == "ody" && part.head.first == 1 && part.head.total == 7)
        #expect(try await answer(SiteQuery("/css/app.css", part: .last(2))).text == "{}")
        let none = try await answer(SiteQuery("/css/app.css", part: .from(7)))
        #expect(none.head.status == .noSuchPart && none.text.isEmpty)
        let known = try await answer(SiteQuery("/css/app.css", known: [tag]))
        #expect(known.head.status == .notModified && known.text.isEmpty)
        let head = try await answer(SiteQuery("/css/app.css", method: .head))
        #expect(head.head == whole.head && head.text.isEmpty)
        temporary.write("body {a}", to: "site/css/app.css")
        #expect(try await answer(SiteQuery("/css/app.css", known: [tag])).text == "body {a}")
    }

    @Test func foldersAndWhatIsMissing() async throws {
        #expect(try await answer(SiteQuery("/about")).head.status == .folder)
        #expect(try await answer(SiteQuery("/about/")).text == "about")
        #expect(try await answer(SiteQuery("/")).text == "<h1>")
        for path in ["/empty", "/css", "/css/", "/loop", "/loop/x", "/nothing"] {
            await #expect(throws: SiteError(kind: .notFound), "\(path)") { _ = try await answer(SiteQuery(path)) }
        }
        temporary.write("lost?", to: "site/404.html")
        let missing = try await answer(SiteQuery("/nothing", known: ["*"], part: .from(2)))
        #expect(missing.head.status == .missing && missing.text == "lost?" && missing.head.tag.isEmpty)
        #expect(try await answer(SiteQuery("/empty/")).head.status == .missing)
        #expect(try await answer(SiteQuery("/404.html")).head.status == .whole)
        await #expect(throws: SiteError.self) { _ = try await answer(SiteQuery("/.env")) }
    }

    @Test func hashesAreRememberedOnceAFileIsLeftAlone() async throws {
        temporary.write("b {}", to: "site/css/app.css")
        let written = ContinuousClock.now
        _ = try await answer(SiteQuery("/css/app.css"))
        _ = try await answer(SiteQuery("/css/app.css"))
        // On a machine so busy that this took longer, the file has settled meanwhile.
        if ContinuousClock.now - written < .seconds(1) {
            #expect(tags.hashed == 2 && tags.count == 0, "a file written just now may change in the same instant")
        }
        // The change time of a file cannot be set, so the rule is asked directly.
        let file = open(temporary.path + "/site/css/app.css", O_RDONLY)
        defer { close(file) }
        let stamp = try #require(FileStamp(descriptor: file))
        #expect(!stamp.isSettled(for: .seconds(2), now: stamp.changed + 1_000_000_000))
        #expect(stamp.isSettled(for: .seconds(2), now: stamp.changed + 3_000_000_000))
        // A modification time in the future, which an archive can bring, does not make it be hashed for every visitor.
        var times = [timespec(), timespec()]
        for index in times.indices { times[index].tv_sec = time(nil) + 86_400 }
        #expect(futimens(file, times) == 0)
        let early = try #require(FileStamp(descriptor: file))
        #expect(early.modified > early.changed)
        #expect(early.isSettled(for: .seconds(2), now: early.changed + 3_000_000_000))
        // What counts is how long it was left alone when reading began, however long reading takes.
        let slow = ContentTags()
        for _ in 0..<2 { _ = slow.tag(of: file, stamp: early, now: early.changed + 1_000_000_000) }
        #expect(slow.hashed == 2 && slow.count == 0)
        // Files of the system were not changed just now.
        let bounded = ContentTags(capacity: 4)
        for _ in 0..<2 {
            for path in ["/etc/passwd", "/etc/group"] {
                let file = open(path, O_RDONLY)
                defer { close(file) }
                guard let stamp = FileStamp(descriptor: file), stamp.isSettled(for: .seconds(2)) else { continue }
                #expect(bounded.tag(of: file, stamp: stamp).utf8.count == 32)
            }
        }
        #expect(bounded.hashed == bounded.count && bounded.hashed <= 2)
    }

    @Test func aHugeFileHasATagWithoutBeingRead() async throws {
        let path = temporary.path + "/site/huge.bin"
        temporary.write("", to: "site/huge.bin")
        let size = 3 << 30
        truncate(path, off_t(size))
        let part = try await answer(SiteQuery("/huge.bin", part: .last(3)))
        #expect(part.text == "\0\0\0" && part.head.first == size - 3 && part.head.total == size)
        #expect(tags.hashed == 0 && part.head.tag.utf8.count == 32)
        #expect(try await answer(SiteQuery("/huge.bin", method: .head)).head.tag == part.head.tag)
        truncate(path, off_t(size + 1))
        #expect(try await answer(SiteQuery("/huge.bin", method: .head)).head.tag != part.head.tag)
    }

    @Test func aFileThatChangesWhileItIsSentDoesNotEndWell() async throws {
        let size = 600_000
        for change in ["shorter", "other", "longer"] {
            temporary.write(String(repeating: "x", count: size), to: "site/large.bin")
            let chunks = try await SiteFileChunks.answer(SiteQuery("/large.bin"), in: site, tags: tags)
            let path = temporary.path + "/site/large.bin"
            switch change {
            case "shorter": truncate(path, 100_000)
            case "longer": truncate(path, 300_000)
            default:
                // The clock of a file system moves in steps; a change within one would not show.
                temporary.write(String(repeating: "y", count: size), to: "site/large.bin")
                var times = [timespec(tv_sec: 1, tv_nsec: 0), timespec(tv_sec: 1, tv_nsec: 0)]
                utimensat(AT_FDCWD, path, &times, 0)
            }
            await #expect(throws: SiteError.self, "\(change)") { for try await _ in chunks {} }
        }
        // A file that is replaced under its name stays what it was for those who opened it.
        temporary.write(String(repeating: "x", count: size), to: "site/large.bin")
        let chunks = try await SiteFileChunks.answer(SiteQuery("/large.bin"), in: site, tags: tags)
        temporary.write("new", to: "site/new.bin")
        rename(temporary.path + "/site/new.bin", temporary.path + "/site/large.bin")
        var count = 0
        for try await chunk in chunks { count += chunk.readableBytes }
        #expect(count == size)
    }

    @Test func namesThatAreNotTextAreNotServed() async throws {
        let name = Array((temporary.path + "/site/").utf8) + [0xFF, 0xFE, 0]
        name.withUnsafeBytes { bytes in
            guard let path = bytes.bindMemory(to: CChar.self).baseAddress else { return }
            close(open(path, O_CREAT | O_WRONLY, 0o644))
        }
        await #expect(throws: SiteError(kind: .notFound)) { _ = try await answer(SiteQuery("/\u{FFFD}\u{FFFD}")) }
        #expect(try await answer(SiteQuery("/")).text == "<h1>")
    }
}
