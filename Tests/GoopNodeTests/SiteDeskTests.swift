import Glibc
import GoopHTTP
import GoopStore
import Logging
import NIOCore
import PeerIdentity
import Testing

@testable import GoopCore
@testable import GoopNode

/// What the owner does in the room "My site", and what a hostile name, a link or a full disk does not get.
@Suite(.timeLimit(.minutes(1))) struct SiteDeskTests {
    let temporary = TemporaryFolder()
    var root: String { temporary.path + "/site" }

    private func desk(_ root: String? = nil) -> NodeSiteDesk {
        NodeSiteDesk(root: root ?? self.root, hidden: SitePath.alwaysHidden, tables: noTables, label: "Ada")
    }

    /// Where no file can be.
    private let noTables = SiteTables(
        path: "/dev/null/data.db", configuration: .init(owner: PrivateKey.generate().peerID),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })

    private func upload(
        _ text: String, to path: String, condition: UploadCondition = .free, in desk: NodeSiteDesk,
        announced: Int? = nil
    ) async throws {
        let upload = try await desk.upload(path, size: announced ?? text.utf8.count, condition: condition)
        try await upload.append(ByteBuffer(string: text))
        _ = try await upload.finish()
    }

    private func refusal(_ body: () async throws -> Void) async -> SiteEditError.Kind? {
        do {
            try await body()
            return nil
        } catch { return (error as? SiteEditError)?.kind }
    }

    private func paths(_ desk: NodeSiteDesk) async throws -> [String] {
        try await desk.sheet().listing.entries.map(\.path)
    }

    // MARK: What works

    @Test func filesComeWithTheirFolders() async throws {
        let desk = desk()
        #expect(try await paths(desk) == [])
        try await upload("<h1>", to: "index.html", in: desk)
        try await upload("cat", to: "pictures/cats/one.png", in: desk)
        try await desk.makeFolder("empty/inner")
        try await upload("", to: "nothing.txt", in: desk)
        #expect(
            try await paths(desk) == [
                "empty", "empty/inner", "index.html", "nothing.txt", "pictures", "pictures/cats",
                "pictures/cats/one.png",
            ])
        #expect(temporary.read("site/pictures/cats/one.png") == "cat")
        #expect(temporary.mode("site/index.html") == 0o644)
        #expect(temporary.names(in: "site/.goop/incoming") == [])
    }

    @Test func aFileIsReplacedOnlyOnRequest() async throws {
        let desk = desk()
        try await upload("one", to: "a.txt", in: desk)
        #expect(await refusal { try await upload("two", to: "a.txt", in: desk) } == .exists)
        #expect(temporary.read("site/a.txt") == "one")
        try await upload("two", to: "a.txt", condition: .replacing, in: desk)
        #expect(temporary.read("site/a.txt") == "two")
        try await desk.makeFolder("folder")
        for condition in [UploadCondition.free, .replacing, .unchanged(stamp: "x")] {
            #expect(
                await refusal {
                    try await upload("x", to: "folder", condition: condition, in: desk)
                } == .isFolder)
        }
        #expect(await refusal { try await upload("x", to: "a.txt/b", in: desk) } == .notFolder)
    }

    @Test func anEditDoesNotUndoSomebodyElsesChange() async throws {
        let desk = desk()
        try await upload("one", to: "a.txt", in: desk)
        let text = try await desk.text(at: "a.txt")
        #expect(text.text == "one")
        try await upload("two", to: "a.txt", condition: .unchanged(stamp: text.stamp), in: desk)
        #expect(
            await refusal {
                try await upload("three", to: "a.txt", condition: .unchanged(stamp: text.stamp), in: desk)
            } == .changed)
        #expect(temporary.read("site/a.txt") == "two")
        try await upload("\u{0}\u{1}", to: "binary.txt", in: desk)
        #expect(await refusal { _ = try await desk.text(at: "binary.txt") } == .notText)
    }

    @Test func whatIsNotWholeLeavesNothing() async throws {
        let desk = desk()
        #expect(
            await refusal {
                try await upload("short", to: "a.txt", in: desk, announced: 9)
            } == .incomplete)
        #expect(
            await refusal {
                try await upload("too long", to: "a.txt", in: desk, announced: 3)
            } == .incomplete)
        #expect(try await paths(desk) == [])
        #expect(temporary.names(in: "site/.goop/incoming") == [])
        // What a run left that was killed.
        temporary.write("half", to: "site/.goop/incoming/x.part")
        _ = self.desk()
        #expect(
            temporary.names(in: "site/.goop") == ["trash"].filter { temporary.names(in: "site/.goop").contains($0) })
    }

    @Test func anAccentIsWrittenAsItsOwnerWants() async throws {
        temporary.write("x", to: "site/cafe\u{301}.html")
        try await desk().move("cafe\u{301}.html", to: "caf\u{E9}.html", replaces: false)
        #expect(temporary.names(in: "site").map { Array($0.utf8) } == [Array("caf\u{E9}.html".utf8)])
    }

    @Test func movesNeverReplaceByThemselves() async throws {
        let desk = desk()
        try await upload("a", to: "a.txt", in: desk)
        try await upload("b", to: "b.txt", in: desk)
        try await upload("c", to: "dir/c.txt", in: desk)
        try await upload("d", to: "full/d.txt", in: desk)
        func move(_ path: String, _ to: String, _ replaces: Bool = false) async -> SiteEditError.Kind? {
            await refusal { try await desk.move(path, to: to, replaces: replaces) }
        }
        #expect(await move("a.txt", "b.txt") == .exists)
        #expect(await move("a.txt", "dir") == .exists)
        #expect(await move("a.txt", "dir", true) == .isFolder)
        #expect(await move("dir", "full", true) == .isFolder)
        #expect(await move("dir", "b.txt", true) == .exists)
        #expect(await move("dir", "dir/inner") == .badName)
        #expect(await move("gone.txt", "x.txt") == .missing)
        #expect(await move("a.txt", "a.txt") == nil)
        #expect(await move("a.txt", "new/place/a.txt") == nil)
        #expect(await move("new/place/a.txt", "b.txt", true) == nil)
        #expect(temporary.read("site/b.txt") == "a")
        #expect(await move("dir", "new/dir") == nil)
        #expect(temporary.read("site/new/dir/c.txt") == "c")
    }

    @Test func whatIsDeletedComesBack() async throws {
        let desk = desk()
        try await upload("x", to: "dir/deep/x.txt", in: desk)
        try await upload("y", to: "dir/y.txt", in: desk)
        let folder = try await desk.delete("dir")
        #expect(try await paths(desk) == [])
        #expect(try await desk.sheet().deleted == [folder])
        #expect(SiteFolder(root: root).refusal("/.goop/trash/\(folder.ticket)/item/y.txt") == .forbidden)
        // Something has the name now.
        try await upload("new", to: "dir", in: desk)
        #expect(await refusal { _ = try await desk.restore(folder.ticket, replaces: false) } == .exists)
        let file = try await desk.delete("dir")
        #expect(try await desk.restore(folder.ticket, replaces: false) == "dir")
        #expect(temporary.read("site/dir/deep/x.txt") == "x")
        #expect(await refusal { _ = try await desk.restore(folder.ticket, replaces: false) } == .missing)
        #expect(try await desk.sheet().deleted == [file])
        await desk.emptyTrash()
        #expect(try await desk.sheet().deleted == [])
        #expect(temporary.names(in: "site/.goop/trash") == [])
        #expect(await refusal { _ = try await desk.delete("gone") } == .missing)
    }

    /// A page that offers to exchange something knows from it whether that can be.
    @Test func whatIsDeletedSaysWhatItIs() async throws {
        let desk = desk()
        try await upload("x", to: "folder/x.txt", in: desk)
        try await upload("y", to: "file", in: desk)
        symlink("folder", root + "/link")
        var deleted: [DeletedItem] = []
        for path in ["folder", "file", "link"] { deleted.append(try await desk.delete(path)) }
        #expect(deleted.map(\.kind) == [.folder, .file, .link])
        #expect(try await Set(desk.sheet().deleted) == Set(deleted))
        try await upload("z", to: "file", in: desk)
        try await upload("new", to: "file", condition: .replacing, in: desk)
        #expect(try await desk.sheet().deleted.filter { $0.path == "file" }.map(\.kind) == [.file, .file])
    }

    private func trashed() async throws -> [String: String] {
        var found: [String: String] = [:]
        for item in try await desk().sheet().deleted {
            found[item.ticket] = temporary.read("site/.goop/trash/\(item.ticket)/item")
        }
        return found
    }

    @Test func whatIsReplacedComesBack() async throws {
        let desk = desk()
        try await upload("one", to: "a.txt", in: desk)
        try await upload("two", to: "a.txt", condition: .replacing, in: desk)
        try await upload("three", to: "b.txt", in: desk)
        try await desk.move("b.txt", to: "a.txt", replaces: true)
        #expect(temporary.read("site/a.txt") == "three")
        let kept = try await trashed()
        #expect(kept.values.sorted() == ["one", "two"])
        #expect(try await desk.sheet().deleted.map(\.path) == ["a.txt", "a.txt"])
        let first = try #require(kept.first { $0.value == "one" }?.key)
        #expect(await refusal { _ = try await desk.restore(first, replaces: false) } == .exists)
        // What is there now goes to the trash in its place.
        #expect(try await desk.restore(first, replaces: true) == "a.txt")
        #expect(temporary.read("site/a.txt") == "one")
        #expect(try await trashed().values.sorted() == ["three", "two"])
        #expect(try await trashed()[first] == nil)
    }

    @Test func onlyAFileReplacesAFileWhenItComesBack() async throws {
        let desk = desk()
        try await upload("file", to: "name", in: desk)
        let file = try await desk.delete("name")
        try await upload("inside", to: "name/inside.txt", in: desk)
        #expect(await refusal { _ = try await desk.restore(file.ticket, replaces: true) } == .isFolder)
        let folder = try await desk.delete("name")
        #expect(try await desk.restore(file.ticket, replaces: true) == "name")
        #expect(await refusal { _ = try await desk.restore(folder.ticket, replaces: true) } == .exists)
        #expect(temporary.read("site/name") == "file")
        #expect(try await desk.sheet().deleted == [folder])
    }

    /// Its owner has seen what it was.
    @Test func anEditedTextIsNotKept() async throws {
        let desk = desk()
        try await upload("one", to: "a.txt", in: desk)
        let text = try await desk.text(at: "a.txt")
        try await upload("two", to: "a.txt", condition: .unchanged(stamp: text.stamp), in: desk)
        #expect(
            await refusal {
                try await upload("x", to: "a.txt", condition: .replacing, in: desk, announced: 2)
            } == .incomplete)
        #expect(try await desk.sheet().deleted == [])
    }

    @Test func whatIsReplacedIsWithinTheBoundsOfTheTrash() throws {
        let editor = SiteEditor(root: root)
        let trash = SiteTrash(of: editor, limits: .init(bytes: 100, items: 2))
        func replace(_ size: Int, at now: Int64) throws -> [Int64] {
            let file = try SiteUploadFile("a", size: size, condition: .replacing, in: editor)
            try [UInt8](repeating: 0x78, count: size).withUnsafeBytes { try file.append($0) }
            _ = try file.finish(trash: trash, nowMilliseconds: now)
            return trash.items().map(\.bytes)
        }
        #expect(try replace(10, at: 1) == [])
        #expect(try replace(20, at: 2) == [10])
        #expect(try replace(90, at: 3) == [20, 10])
        #expect(try replace(1, at: 4) == [90], "the oldest go when there are too many bytes")
        #expect(try replace(2, at: 5) == [1, 90])
        #expect(try replace(300, at: 6) == [2, 1], "and when there are too many items")
        #expect(try replace(3, at: 7) == [300], "the last one stays, however large")
        #expect(try replace(4, at: 8) == [3])
        #expect(try replace(5, at: SiteTrash.lifetimeMilliseconds + 9) == [4], "and none longer than a week")
    }

    /// It is in the list until something is deleted.
    @Test func whatIsOverComesBackAsLongAsItIsThere() throws {
        temporary.write("old", to: "site/a.txt")
        let trash = SiteTrash(of: SiteEditor(root: root))
        let item = try trash.delete("a.txt", nowMilliseconds: 1)
        temporary.write("new", to: "site/a.txt")
        let later = SiteTrash.lifetimeMilliseconds + 2
        #expect(try trash.restore(item.ticket, replaces: true, nowMilliseconds: later) == "a.txt")
        #expect(temporary.read("site/a.txt") == "old")
        #expect(trash.items().map(\.deletedMilliseconds) == [later])
    }

    @Test func aReplacementThatFailsChangesNothing() throws {
        temporary.write("x", to: "site/a.txt")
        let trash = SiteTrash(of: SiteEditor(root: root))
        let folder = try FolderHandle.root(root)
        #expect(throws: SiteEditError.self) {
            try trash.replace("a.txt", of: folder, path: "a.txt", by: "gone", of: folder, nowMilliseconds: 1)
        }
        #expect(temporary.read("site/a.txt") == "x")
        #expect(temporary.names(in: "site/.goop/trash") == [])
    }

    /// However much else is deleted meanwhile.
    @Test func whatIsDeletedStaysForAWeek() throws {
        temporary.write("x", to: "site/keep.txt")
        let trash = SiteTrash(of: SiteEditor(root: root))
        for number in 0..<60 {
            temporary.write("x", to: "site/f\(number)/a/b.txt")
            _ = try trash.delete("f\(number)", nowMilliseconds: Int64(1000 + number))
        }
        #expect(trash.items().map(\.path) == (0..<60).reversed().map { "f\($0)" })
        #expect(trash.items().allSatisfy { $0.bytes == 1 })
        #expect(temporary.names(in: "site/.goop/trash").count == 60)
        #expect(throws: SiteEditError.self) {
            _ = try trash.delete("gone", nowMilliseconds: SiteTrash.lifetimeMilliseconds * 2)
        }
        #expect(trash.items().count == 60, "a deletion that fails costs nothing")
        _ = try trash.delete("keep.txt", nowMilliseconds: SiteTrash.lifetimeMilliseconds * 2)
        #expect(trash.items().map(\.path) == ["keep.txt"])
    }

    @Test func ofMoreThanTheTrashMayHaveTheOldestGoesAndIsNamedBefore() throws {
        for (name, size) in [("a", 40), ("b", 30), ("c", 50), ("d", 500), ("e", 1), ("f", 1), ("g", 1), ("h", 1)] {
            temporary.write(String(repeating: "x", count: size), to: "site/\(name)/file")
        }
        let trash = SiteTrash(of: SiteEditor(root: root), limits: .init(bytes: 100, items: 3))
        func pushedOut(_ path: String, _ now: Int64) throws -> [String] {
            try trash.pushedOut(byDeleting: path, nowMilliseconds: now).map(\.path)
        }
        func delete(_ path: String, _ now: Int64) throws -> [String] {
            let item = try trash.delete(path, nowMilliseconds: now)
            #expect(trash.items().first == item)
            return trash.items().map(\.path)
        }
        #expect(try pushedOut("a", 1) == [])
        #expect(try delete("a", 1) == ["a"])
        #expect(try pushedOut("b", 2) == [])
        #expect(try delete("b", 2) == ["b", "a"])
        #expect(try pushedOut("c", 3) == ["a"])
        #expect(throws: SiteEditError.self) { try trash.delete("gone", nowMilliseconds: 3) }
        #expect(trash.items().map(\.path) == ["b", "a"])
        #expect(try delete("c", 3) == ["c", "b"])
        // The last one stays, however large.
        #expect(try pushedOut("d", 4) == ["c", "b"])
        #expect(try delete("d", 4) == ["d"])
        #expect(try pushedOut("e", 5) == ["d"])
        // What is over is not missed.
        let later = SiteTrash.lifetimeMilliseconds + 5
        #expect(try pushedOut("e", later) == [])
        #expect(try delete("e", later) == ["e"])
        #expect(try delete("f", later + 1) == ["f", "e"])
        #expect(try delete("g", later + 2) == ["g", "f", "e"])
        #expect(try pushedOut("h", later + 3) == ["e"])
        #expect(try delete("h", later + 3) == ["h", "g", "f"])
    }

    /// Earlier versions wrote down no sizes.
    @Test func whatAnEarlierVersionDeletedIsMeasured() throws {
        temporary.write("/a", to: "site/.goop/trash/7-x/from")
        temporary.write("twelve bytes", to: "site/.goop/trash/7-x/item/deep/file")
        let trash = SiteTrash(of: SiteEditor(root: root))
        #expect(trash.items().map(\.bytes) == [12])
    }

    /// Deeper than paths can be written, with names that are no text.
    @Test func theTrashIsEmptiedHoweverDeepItIs() throws {
        temporary.write("x", to: "site/deep/x.txt")
        let before = open(root + "/deep", O_RDONLY | O_DIRECTORY)
        var folder = before
        let name = String(repeating: "n", count: 200)
        for _ in 0..<60 {
            mkdirat(folder, name, 0o755)
            let next = openat(folder, name, O_RDONLY | O_DIRECTORY)
            if folder != before { close(folder) }
            folder = next
        }
        mkdirat(folder, [-1, -2, 0], 0o000)
        close(folder)
        close(before)
        let trash = SiteTrash(of: SiteEditor(root: root))
        _ = try trash.delete("deep", nowMilliseconds: 1)
        trash.empty()
        #expect(temporary.names(in: "site/.goop/trash") == [])
        #expect(temporary.names(in: "site") == [".goop"])
    }

    // MARK: What is refused

    @Test(arguments: [
        "", "/", ".", "..", "../x", "a/../../x", "a/../b", "./a", "/a", "a/", "a//b", "a/./b", "a\u{0}b", "a\\b",
        "a\nb",
        String(repeating: "n", count: 256), String(repeating: "d/", count: 1100) + "x",
    ])
    func namesThatCannotBe(_ path: String) async throws {
        try await refuses(path, with: [.badName, .hidden])
    }

    @Test(arguments: [".env", ".goop/incoming/x", ".goop/trash", "a/.git/config", "lua/x.lua", "LUA/x", "lua"])
    func namesThatNobodyIsServed(_ path: String) async throws { try await refuses(path, with: [.hidden]) }

    private func refuses(_ path: String, with kinds: Set<SiteEditError.Kind>) async throws {
        let desk = desk()
        temporary.write("secret", to: "x")
        temporary.write("public", to: "site/public.txt")
        temporary.write("secret", to: "site/.env")
        temporary.write("secret", to: "site/lua/x.lua")
        let calls: [() async throws -> Void] = [
            { try await upload("evil", to: path, condition: .replacing, in: desk) },
            { try await desk.makeFolder(path) },
            { try await desk.move("public.txt", to: path, replaces: true) },
            { try await desk.move(path, to: "stolen.txt", replaces: true) },
            { _ = try await desk.delete(path) },
            { _ = try await desk.text(at: path) },
        ]
        for (number, call) in calls.enumerated() {
            let kind = await refusal(call)
            #expect(kind.map(kinds.contains) == true, "call \(number): \(String(describing: kind))")
        }
        #expect(temporary.read("x") == "secret" && temporary.read("site/public.txt") == "public")
        #expect(temporary.read("site/.env") == "secret" && temporary.read("site/lua/x.lua") == "secret")
    }

    @Test func linksLeadNowhere() async throws {
        let desk = desk()
        temporary.write("secret", to: "outside/secret.txt")
        temporary.write("here", to: "site/here.txt")
        symlink("../outside", root + "/out")
        symlink("../outside/secret.txt", root + "/file")
        symlink("loop", root + "/loop")
        let listing = try await desk.sheet().listing
        #expect(listing.entries.map(\.path) == ["file", "here.txt", "loop", "out"])
        #expect(listing.entries.map(\.kind) == [.link, .file, .link, .link])
        #expect(await refusal { try await upload("x", to: "out/new.txt", in: desk) } == .notFolder)
        #expect(await refusal { try await desk.makeFolder("out/new") } == .notFolder)
        #expect(await refusal { _ = try await desk.delete("out/secret.txt") } == .notFolder)
        #expect(
            await refusal {
                try await desk.move("out/secret.txt", to: "mine.txt", replaces: false)
            } == .notFolder)
        #expect(
            await refusal {
                try await desk.move("here.txt", to: "out/here.txt", replaces: true)
            } == .notFolder)
        #expect(await refusal { _ = try await desk.text(at: "file") } == .notFolder)
        // The link itself is replaced, moved and deleted, never what it leads to.
        try await upload("new", to: "file", condition: .replacing, in: desk)
        try await desk.move("loop", to: "dir/loop", replaces: false)
        _ = try await desk.delete("out")
        await desk.emptyTrash()
        #expect(temporary.read("outside/secret.txt") == "secret" && temporary.read("site/file") == "new")
        #expect(temporary.names(in: "outside") == ["secret.txt"])
    }

    @Test func theWorkFolderMayBeNoLink() async throws {
        mkdir(root, 0o755)
        mkdir(temporary.path + "/outside", 0o755)
        symlink("../outside", root + "/.goop")
        let desk = desk()
        #expect(await refusal { try await upload("x", to: "a.txt", in: desk) } == .notFolder)
        #expect(temporary.names(in: "outside") == [])
    }

    @Test func ticketsAreNoPaths() async throws {
        let desk = desk()
        temporary.write("x", to: "site/a.txt")
        _ = try await desk.delete("a.txt")
        for ticket in ["", ".", "..", "../../x", "1-../x", "1-", "-1", "1-A", "x"] {
            #expect(
                await refusal { _ = try await desk.restore(ticket, replaces: false) } == .badName, "\(ticket)")
        }
        #expect(await refusal { _ = try await desk.restore("1-abc", replaces: false) } == .missing)
    }

    /// A file system of 1 MiB; only where this program may mount one.
    @Test(.enabled(if: geteuid() == 0, "needs to mount")) func aFullDiskIsToldAndNothingIsLost() async throws {
        mkdir(root, 0o755)
        guard mount("tmpfs", root, "tmpfs", 0, "size=1m") == 0 else { return }
        defer { umount2(root, CInt(MNT_DETACH)) }
        let desk = desk()
        try await upload("keep", to: "a.txt", in: desk)
        // Told before a byte is sent.
        #expect(
            await refusal {
                _ = try await desk.upload("big", size: 4 << 20, condition: .free)
            } == .full)
        // And when others fill the disk in the meantime.
        let upload = try await desk.upload("a.txt", size: 700_000, condition: .replacing)
        temporary.write(String(repeating: "x", count: 900_000), to: "site/other.txt")
        #expect(
            await refusal {
                try await upload.append(ByteBuffer(repeating: 0x61, count: 700_000))
            } == .full)
        #expect(temporary.read("site/a.txt") == "keep")
        #expect(try #require(await desk.sheet().freeBytes) < 1 << 20)
    }

    /// What can come back stays, though there is no room for the notes of what is deleted now.
    @Test(.enabled(if: geteuid() == 0, "needs to mount")) func onAFullDiskADeletionRemovesWhatIsOver() throws {
        mkdir(root, 0o755)
        guard mount("tmpfs", root, "tmpfs", 0, "size=1m") == 0 else { return }
        defer { umount2(root, CInt(MNT_DETACH)) }
        temporary.write("x", to: "site/a.txt")
        temporary.write("old.txt", to: "site/.goop/trash/7-x/from")
        temporary.write(String(repeating: "x", count: 100_000), to: "site/.goop/trash/7-x/item")
        let ballast = open(root + "/ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        try #require(ballast >= 0)
        let page = [UInt8](repeating: 0, count: 4096)
        while write(ballast, page, page.count) > 0 {}
        close(ballast)
        let trash = SiteTrash(of: SiteEditor(root: root))
        let over = 7 + SiteTrash.lifetimeMilliseconds
        #expect(throws: SiteEditError.self) { _ = try trash.delete("a.txt", nowMilliseconds: over) }
        #expect(trash.items().map(\.path) == ["old.txt"])
        _ = try trash.delete("a.txt", nowMilliseconds: over + 1)
        #expect(trash.items().map(\.path) == ["a.txt"])
    }

    // MARK: Starters

    @Test func aStarterReplacesOnlyWhatIsNamed() async throws {
        let desk = desk()
        try await desk.applyStarter("plain", replacing: [])
        #expect(try await paths(desk) == ["index.html", "style.css"])
        #expect(try await desk.starterFiles("plain").map(\.effect) == [.same, .same])
        try await upload("mine", to: "index.html", condition: .replacing, in: desk)
        try await upload("mine too", to: "notes.txt", in: desk)
        #expect(
            try await desk.starterFiles("plain") == [
                StarterFile(path: "index.html", effect: .replaces), StarterFile(path: "style.css", effect: .same),
            ])
        #expect(
            await refusal {
                try await desk.applyStarter("plain", replacing: ["style.css", "notes.txt"])
            } == .exists)
        #expect(temporary.read("site/index.html") == "mine")
        try await desk.applyStarter("plain", replacing: ["index.html"])
        #expect(temporary.read("site/index.html")?.contains("Ada") == true)
        #expect(try await trashed().values.contains("mine"))
        #expect(temporary.read("site/notes.txt") == "mine too")
        #expect(await refusal { try await desk.applyStarter("nope", replacing: []) } == .badName)
    }

    @Test func aStarterThatCannotBeWrittenWritesNothing() async throws {
        let desk = desk()
        try await upload("file", to: "guestbook", in: desk)
        try await desk.makeFolder("style.css")
        let effects = try await desk.starterFiles("neighbour")
        #expect(effects.contains(StarterFile(path: "style.css", effect: .blocked)))
        #expect(effects.contains(StarterFile(path: "guestbook/index.html", effect: .blocked)))
        #expect(
            await refusal {
                try await desk.applyStarter("neighbour", replacing: Set(effects.map(\.path)))
            } == .notFolder)
        #expect(try await paths(desk) == ["guestbook", "style.css"])
    }

    /// They stay as they are, and may not be what the pages expect.
    @Test func tablesThatWereThereAreNamed() async throws {
        let tables = SiteTables(
            path: temporary.path + "/data.db", configuration: .init(owner: PrivateKey.generate().peerID),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let desk = NodeSiteDesk(root: root, hidden: SitePath.alwaysHidden, tables: tables, label: "Ada")
        let first = try await desk.applyStarter("guestbook", replacing: [])
        #expect(first.isEmpty)
        let second = try await desk.applyStarter("neighbour", replacing: ["index.html", "style.css"])
        #expect(second == [KeptTable(name: "guestbook", columns: ["name", "message"])])
        await tables.close()
    }

    /// The files are there then; the tables are told of.
    @Test func aStarterWithoutADatabaseSaysSo() async throws {
        let desk = desk()
        await #expect {
            try await desk.applyStarter("poll", replacing: [])
        } throws: { error in
            let error = error as? SiteEditError
            return error?.kind == .failed && error?.detail.contains("votes") == true
        }
        #expect(try await paths(desk).contains("index.html"))
    }

    // MARK: The listing

    @Test func whatNobodyIsServedIsCounted() async throws {
        let desk = desk()
        temporary.write("x", to: "site/a.txt")
        temporary.write("x", to: "site/.hidden")
        temporary.write("x", to: "site/lua/x.lua")
        temporary.write("x", to: "site/.goop/incoming/x")
        root.withCString { path in
            let folder = open(path, O_RDONLY | O_DIRECTORY)
            mkdirat(folder, [-1, -2, 0], 0o755)
            close(folder)
        }
        let listing = try await desk.sheet().listing
        #expect(listing.entries.map(\.path) == ["a.txt"])
        #expect(listing.unserved == 3 && listing.isComplete)
        #expect(listing.entries.first?.size == 1)
    }
}

extension SiteFolder {
    fileprivate func refusal(_ path: String) -> SiteError.Kind? {
        do throws(SiteError) {
            _ = try open(path)
            return nil
        } catch { return error.kind }
    }
}
