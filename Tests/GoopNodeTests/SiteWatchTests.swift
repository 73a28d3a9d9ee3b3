import Glibc
import LibP2P
import Logging
import Testing

@testable import GoopCore
@testable import GoopNode

/// Changes of a folder as they are told to visitors.
@Suite(.timeLimit(.minutes(1))) struct SiteWatchTests {
    let temporary = TemporaryFolder()
    let folder: SiteFolder
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init() {
        folder = SiteFolder(root: temporary.path + "/site")
        temporary.write("<h1>", to: "site/index.html")
        temporary.write("body {}", to: "site/css/app.css")
        temporary.write("secret", to: "site/lua/x.lua")
    }

    /// Steps, each with what is told of it.
    private func run(_ watch: FolderWatch) {
        #expect(watch.changes().isEmpty)
        temporary.write("<h2>", to: "site/index.html")
        temporary.write("body {a}", to: "site/css/app.css")
        #expect(watch.changes().paths == ["/css/app.css", "/index.html"])
        #expect(watch.changes().isEmpty)
        temporary.write("x", to: "site/.env")
        temporary.write("x", to: "site/lua/x.lua")
        temporary.write("x", to: "site/LUA/y.lua")
        #expect(watch.changes().isEmpty, "what is not served is not told")
        temporary.write("1", to: "site/new/deep/file.txt")
        #expect(watch.changes().paths == ["/new/deep/file.txt"])
        temporary.write("22", to: "site/new/deep/file.txt")
        #expect(watch.changes().paths == ["/new/deep/file.txt"])
        // As editors save: another file under the old name.
        temporary.write("333", to: "site/new/.tmp")
        rename(temporary.path + "/site/new/.tmp", temporary.path + "/site/new/deep/file.txt")
        #expect(watch.changes().paths == ["/new/deep/file.txt"])
        unlink(temporary.path + "/site/index.html")
        #expect(watch.changes().paths == ["/index.html"])
        rename(temporary.path + "/site/new/deep", temporary.path + "/outside")
        #expect(!watch.changes().isEmpty)
        temporary.write("x", to: "outside/file.txt")
        temporary.write("x", to: "outside/other.txt")
        #expect(watch.changes().isEmpty, "a folder that left the site is nobody's business")
        rename(temporary.path + "/outside", temporary.path + "/site/back")
        #expect(watch.changes().paths.contains("/back/file.txt"))
        temporary.write("yy", to: "site/back/file.txt")
        #expect(watch.changes().paths == ["/back/file.txt"])
    }

    @Test func theKernelTells() { run(folder.watch()) }

    @Test func comparingTells() {
        let watch = folder.watch(usesKernel: false)
        #expect(watch.isComparing)
        run(watch)
    }

    @Test func oddNamesAndLinksAreHarmless() {
        symlink("..", temporary.path + "/site/up")
        symlink("loop", temporary.path + "/site/loop")
        for watch in [folder.watch(), folder.watch(usesKernel: false)] {
            let name = Array((temporary.path + "/site/").utf8) + [0xFF, UInt8.random(in: 0x41...0x5A), 0]
            name.withUnsafeBytes { bytes in
                guard let path = bytes.bindMemory(to: CChar.self).baseAddress else { return }
                close(open(path, O_CREAT | O_WRONLY, 0o644))
            }
            #expect(watch.changes().paths.isEmpty)
            temporary.write("\(UInt32.random(in: 0...UInt32.max))", to: "outside.txt")
            #expect(watch.changes().isEmpty)
        }
    }

    @Test func aRootThatComesAndGoes() {
        let watch = SiteFolder(root: temporary.path + "/later").watch()
        #expect(watch.isComparing && watch.changes().isEmpty)
        temporary.write("x", to: "later/index.html")
        #expect(watch.changes().paths == ["/index.html"])
        let other = folder.watch()
        rename(temporary.path + "/site", temporary.path + "/old")
        #expect(other.changes() == .unnamed && other.isComparing)
        temporary.write("x", to: "site/a.html")
        #expect(other.changes().paths == ["/a.html"])
    }

    /// Lets more happen than the kernel keeps: two files in turn, because it tells the same of one file only once. A thousand times
    /// more, for a program that another test starts in the same moment can hold a file open, which is then closed unheard.
    private func overflow() throws {
        let most = try #require(
            fopen("/proc/sys/fs/inotify/max_queued_events", "r").flatMap { file -> Int? in
                defer { fclose(file) }
                var line = [UInt8](repeating: 0, count: 32)
                let count = fread(&line, 1, line.count, file)
                return Int(String(decoding: line.prefix(count).prefix { (0x30...0x39).contains($0) }, as: UTF8.self))
            })
        for number in 0..<most + 1_000 {
            let name = number.isMultiple(of: 2) ? "index.html" : "css/app.css"
            let file = open(temporary.path + "/site/" + name, O_WRONLY | O_CLOEXEC)
            try #require(file >= 0)
            close(file)
        }
    }

    /// What is told once it is found that some are missing: behind all that was kept.
    private func changesWithLoss(_ watch: FolderWatch) -> SiteChanges {
        var changes = watch.changes()
        for _ in 0..<100 where !changes.hasMore { changes = watch.changes() }
        return changes
    }

    @Test func foldersThatCameWhileEventsWereDroppedAreWatched() throws {
        let watch = folder.watch()
        try #require(!watch.isComparing)
        try overflow()
        temporary.write("1", to: "site/new/deep/file.txt")
        #expect(changesWithLoss(watch).hasMore && !watch.isComparing)
        #expect(watch.changes().isEmpty)
        temporary.write("22", to: "site/new/deep/file.txt")
        #expect(watch.changes().paths == ["/new/deep/file.txt"])
        temporary.write("body {a}", to: "site/css/app.css")
        #expect(watch.changes().paths == ["/css/app.css"])
        // Another time later is no reason to compare; twice in a row is.
        #expect(watch.changes().isEmpty)
        for isSecond in [false, true] {
            try overflow()
            temporary.write("1", to: "site/newer\(isSecond)/file.txt")
            #expect(changesWithLoss(watch).hasMore && watch.isComparing == isSecond)
        }
        for isSecond in [false, true] { temporary.write("22", to: "site/newer\(isSecond)/file.txt") }
        #expect(watch.changes().paths == ["/newerfalse/file.txt", "/newertrue/file.txt"])
    }

    @Test func moreFoldersThanAreWatchedAreCompared() {
        let few = FolderWatch(root: folder.root, maximumFolders: 1)
        #expect(few.isComparing, "the root, and css")
        let watch = FolderWatch(root: folder.root, maximumFolders: 2)
        #expect(!watch.isComparing)
        // One more that comes later is not told by the kernel any more: whoever has the site open looks at all of it anew.
        temporary.write("1", to: "site/new/file.txt")
        #expect(watch.changes() == .unnamed && watch.isComparing)
        temporary.write("22", to: "site/new/file.txt")
        #expect(watch.changes().paths == ["/new/file.txt"])
        temporary.write("body {a}", to: "site/css/app.css")
        #expect(few.changes().paths == ["/css/app.css", "/new/file.txt"], "all that could not be watched")
    }

    /// One text to Swift, two names to the system.
    @Test(arguments: [true, false]) func namesThatLookTheSameAreTwo(usesKernel: Bool) {
        func bytes(_ paths: [String]) -> Set<[UInt8]> { Set(paths.map { Array($0.utf8) }) }
        let names = ["/caf\u{E9}", "/cafe\u{301}"]
        for name in names {
            temporary.write("1", to: "site\(name).html")
            temporary.write("1", to: "site\(name)/x.txt")
        }
        let watch = FolderWatch(root: folder.root, usesKernel: usesKernel)
        for name in names {
            temporary.write("22", to: "site\(name).html")
            #expect(bytes(watch.changes().paths) == bytes([name + ".html"]))
        }
        for name in names { temporary.write("333", to: "site\(name).html") }
        #expect(bytes(watch.changes().paths) == bytes(names.map { $0 + ".html" }))
        // One folder leaves the site; the other one stays.
        rename(temporary.path + "/site" + names[1], temporary.path + "/outside")
        #expect(!watch.changes().isEmpty)
        temporary.write("22", to: "site\(names[0])/x.txt")
        #expect(bytes(watch.changes().paths) == bytes([names[0] + "/x.txt"]))
    }

    @Test func foldersAreLookedIntoToADepth() {
        let names = (1...FolderWatch.maximumDepth).map { _ in "d" }.joined(separator: "/")
        temporary.write("1", to: "site/\(names)/last.txt")
        let watch = folder.watch()
        #expect(!watch.isComparing)
        #expect(watch.shortfalls == [])
        temporary.write("1", to: "site/\(names)/d/beyond.txt")
        #expect(watch.changes() == .unnamed && watch.isComparing)
        #expect(watch.shortfalls == .deepFolders)
        temporary.write("22", to: "site/\(names)/last.txt")
        temporary.write("22", to: "site/\(names)/d/beyond.txt")
        #expect(watch.changes().paths == ["/\(names)/last.txt"])
        #expect(folder.watch().isComparing)
    }

    @Test func filesThatAreComparedByNameAreBounded() {
        for number in 0..<5 { temporary.write("1", to: "site/\(number).txt") }
        let watch = FolderWatch(root: folder.root, usesKernel: false, maximumFiles: 3)
        #expect(watch.shortfalls == .unnamedFiles && watch.changes().isEmpty)
        TemporaryFolder.remove(folder.root)
        let changes = watch.changes()
        #expect(changes.paths.count == 3 && changes.hasMore, "of seven that went")
        #expect(watch.shortfalls == [])
    }

    /// Whatever becomes of a file that is not compared by name, open pages hear that something did.
    @Test func noFileIsTooManyToBeWatched() {
        for number in 0..<20 { temporary.write("1", to: "site/\(number).txt") }
        let watch = FolderWatch(root: folder.root, usesKernel: false, maximumFiles: 3)
        for number in 0..<20 {
            temporary.write("22", to: "site/\(number).txt")
            #expect(!watch.changes().isEmpty && watch.changes().isEmpty, "\(number).txt is written")
        }
        for number in 0..<20 {
            unlink(temporary.path + "/site/\(number).txt")
            #expect(!watch.changes().isEmpty && watch.changes().isEmpty, "\(number).txt goes")
        }
    }

    @Test(arguments: [true, false]) func foldersBehindVeryManyFilesAreWatched(usesKernel: Bool) {
        // In which order a folder is read is the system's choice: of several folders some come late.
        let folders = (0..<32).map { "behind\($0)" }
        for number in 0..<FolderWatch.maximumFiles + 1000 { temporary.write("", to: "site/\(number)") }
        for name in folders { temporary.write("1", to: "site/\(name)/file.txt") }
        let watch = FolderWatch(root: folder.root, usesKernel: usesKernel)
        #expect(watch.isComparing == !usesKernel && watch.changes().isEmpty)
        for name in folders { temporary.write("22", to: "site/\(name)/file.txt") }
        let changes = watch.changes()
        #expect(changes.paths.count == folders.count || (changes.hasMore && !usesKernel), "\(changes.paths)")
    }

    @Test func comparingALargeFolderTakesATenthOfTheTime() {
        #expect(SiteWatch.rest(.seconds(2), after: .milliseconds(100)) == .seconds(2))
        #expect(SiteWatch.rest(.seconds(2), after: .seconds(3)) == .seconds(30))
    }

    @Test func whatIsWatchedLessCloselyIsLoggedOnce() async throws {
        let names = (0...FolderWatch.maximumDepth).map { _ in "d" }.joined(separator: "/")
        temporary.write("1", to: "site/\(names)/beyond.txt")
        let log = CapturedLog()
        let watch = SiteWatch(
            folder: folder, comparingInterval: .milliseconds(1), usesKernel: false,
            logger: log.logger)
        var changes = try await watch.changes().makeAsyncIterator()
        // Looked at several times by then.
        for number in 0..<3 {
            // At once: a file that is made and then filled can be told of twice.
            temporary.write("\(number)", to: "aside.txt")
            rename(temporary.path + "/aside.txt", temporary.path + "/site/new\(number).txt")
            #expect(await changes.next()?.paths == ["/new\(number).txt"])
        }
        log.finish()
        var found: [String] = []
        for await line in log.lines { found.append(line) }
        #expect(found.count == 1 && found[0].hasPrefix("warning: the site has very deep folders"), "\(found)")
    }

    @Test func listenersAreBoundedAndOneThatLeavesMakesRoom() async throws {
        let watch = SiteWatch(folder: folder, logger: logger)
        var held: [AsyncStream<SiteChanges>] = []
        for _ in 0..<SiteWatch.maximumListeners { held.append(try await watch.changes()) }
        let refused = await #expect(throws: SiteError.self) { _ = try await watch.changes() }
        #expect(refused?.kind == .busy)
        held.removeLast()
        _ = try await watch.changes()
    }

    @Test func whoeverComesWhileTheFolderIsStillLookedThroughMissesNothing() async throws {
        for number in 0..<1500 { temporary.write("1", to: "site/many/\(number).txt") }
        let watch = SiteWatch(
            folder: folder, comparingInterval: .milliseconds(50), usesKernel: false, logger: logger)
        try await withThrowingTaskGroup(of: AsyncStream<SiteChanges>.self) { group in
            for _ in 0..<2 { group.addTask { try await watch.changes() } }
            let early = try #require(try await group.next())
            temporary.write("22", to: "site/many/0.txt")
            for await change in early {
                #expect(change.paths == ["/many/0.txt"])
                break
            }
        }
    }

    @Test func theKernelIsAskedAgainAfterItsHelpWasLost() async throws {
        temporary.write("1", to: "site/index.html")
        let watch = SiteWatch(
            folder: folder, interval: .milliseconds(10), comparingInterval: .milliseconds(10), logger: logger)
        var changes = try await watch.changes().makeAsyncIterator()
        rename(temporary.path + "/site", temporary.path + "/old")
        temporary.write("1", to: "site/index.html")
        // The folder went from under the watch; later the kernel watches the one that has its name now. Nothing else changes.
        var told = 0
        while told < 2, let change = await changes.next() { told += change == .unnamed ? 1 : 0 }
        #expect(told == 2)
    }

    @Test func manyChangesAreOneMessage() {
        var changes = SiteChanges()
        for number in 0..<1000 { changes.insert("/\(number)" + String(repeating: "x", count: 900)) }
        #expect(changes.hasMore && changes.paths.count <= SiteChanges.maximumPaths)
        #expect(changes.encoded.count <= SiteChanges.maximumBytes)
    }

    @Test func changesReachAVisitorAndTheStreamEndsWithThePeer() async throws {
        let bob = try await TestPeer.start(in: temporary, label: "bob")
        let visitor = Node(configuration: .init(identity: .generate(), listen: []))
        try await visitor.start()
        try await visitor.connect(to: bob.id, addresses: [bob.address.withoutPeerID])
        let changes = try await SiteClient.patient(visitor).changes(of: bob.id)
        var iterator = changes.makeAsyncIterator()
        temporary.write("hello", to: "bob/site/hello.txt")
        #expect(try await iterator.next()?.paths == ["/hello.txt"])
        try await bob.stop()
        await #expect(throws: SiteError.self) { while try await iterator.next() != nil {} }
        await visitor.stop()
    }

    @Test func watchesOfOneVisitorAreBounded() async throws {
        let server = Node(
            configuration: .init(
                identity: .generate(), listen: [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]))
        let service = WatchService(
            watch: SiteWatch(folder: folder, logger: logger), door: SiteDoor(), logger: logger)
        service.register(on: server)
        try await server.start()
        let visitor = Node(configuration: .init(identity: .generate(), listen: []))
        try await visitor.start()
        try await visitor.connect(to: server.peerID, addresses: server.listenAddresses())
        let client = SiteClient.patient(visitor)
        var held: [AsyncThrowingStream<SiteChanges, any Error>] = []
        for _ in 0..<WatchService.shares.perPeer { held.append(try await client.changes(of: server.peerID)) }
        await #expect(throws: SiteError.self) { _ = try await client.changes(of: server.peerID) }
        #expect(server.refusals[.inboundStreamsPerProtocolAndPeer] == 1)
        withExtendedLifetime(held) {}
        await visitor.stop()
        await server.stop()
    }

    @Test func aPeerThatDoesNotTell() async throws {
        let server = Node(
            configuration: .init(
                identity: .generate(), listen: [Multiaddr(ip: .v4(0x7f00_0001), tcpPort: 0)]))
        try await server.start()
        let visitor = Node(configuration: .init(identity: .generate(), listen: []))
        try await visitor.start()
        try await visitor.connect(to: server.peerID, addresses: server.listenAddresses())
        await #expect(throws: SiteError.self) { _ = try await SiteClient.patient(visitor).changes(of: server.peerID) }
        await visitor.stop()
        await server.stop()
    }
}
