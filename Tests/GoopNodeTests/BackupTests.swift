import Glibc
import GoopCore
import GoopStore
import PeerIdentity
import Testing

@testable import GoopNode

@Suite struct BackupTests {
    let temporary = TemporaryFolder()
    var folder: PeerFolder { PeerFolder(temporary.path + "/ada") }
    var target: PeerFolder { PeerFolder(temporary.path + "/back") }
    var file: String { temporary.path + "/ada.tar" }
    let long = String(repeating: "long name ", count: 12)

    /// A peer with a site, and a database that is in use.
    private func makePeer() throws -> SiteDatabase {
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "Ada")).release()
        temporary.write("", to: "ada/site/empty.txt")
        temporary.write(String(repeating: "0123456789abcdef", count: 40_000), to: "ada/site/big.bin")
        temporary.write("ü", to: "ada/site/\(long)/ümläut.html")
        temporary.write("no", to: "ada/cache/avatars/x")
        temporary.write("no", to: "ada/site/.half.tmp")
        symlink("/etc/passwd", folder.path + "/site/link")
        return try SiteDatabase(path: folder.path + "/data.db")
    }

    private func failure(_ body: () throws -> some Any) -> Failure? {
        do {
            _ = try body()
            return nil
        } catch {
            return error as? Failure
        }
    }

    @Test func aBackupComesBackAsItWas() throws {
        let database = try makePeer()
        let report = try PeerBackup(of: folder).write(to: file)
        try database.close()
        #expect(temporary.mode("ada.tar") == 0o600)
        #expect(
            report.notes == ["left out, an unfinished file: site/.half.tmp", "left out, it is no file: site/link"])
        let restored = try PeerRestore(from: file).restore(to: target)
        #expect(restored.id == report.id && restored.files == report.files && restored.bytes == report.bytes)
        for name in ["goop.json", "site/index.html", "site/empty.txt", "site/big.bin", "site/\(long)/ümläut.html"] {
            #expect(temporary.read("back/" + name) == temporary.read("ada/" + name))
            #expect(temporary.mode("back/" + name) == temporary.mode("ada/" + name))
        }
        #expect(temporary.mode("back/data/identity.key") == 0o600)
        #expect(temporary.names(in: "back/data") == ["identity.key", "state.json"])
        #expect(temporary.names(in: "back").contains("data.db") && !temporary.names(in: "back").contains("cache"))
        #expect(!temporary.names(in: "back/site").contains("link"))
        let peer = try PreparedPeer.open(target, options: .init(createsMissing: false))
        #expect(peer.identity.peerID.base58 == report.id)
        peer.release()
        // Beside the two folders and the file nothing is left.
        #expect(temporary.names() == ["ada", "ada.tar", "back"])
        #expect(temporary.names(in: "ada/data") == ["identity.key", "peer.lock", "state.json"])
    }

    @Test func namesThatAreNotTextAndLinksInCirclesAreToldAndTheRestIsSaved() throws {
        try makePeer().close()
        mkdir(folder.path + "/lua", 0o755)
        symlink("..", folder.path + "/lua/up")
        symlink("loop", folder.path + "/lua/loop")
        symlink("../site", folder.path + "/site/site")
        for name in ["/site/\u{FF}", "/lua/\u{FE}"] {
            // One byte that is no UTF-8 by itself.
            let bytes = Array(folder.path.utf8) + name.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) } + [0]
            bytes.withUnsafeBytes { bytes in
                guard let path = bytes.bindMemory(to: CChar.self).baseAddress else { return }
                close(open(path, O_CREAT | O_WRONLY, 0o644))
            }
        }
        let report = try PeerBackup(of: folder).write(to: file)
        #expect(
            Set(report.notes) == [
                "left out, an unfinished file: site/.half.tmp", "left out, it is no file: lua/loop",
                "left out, it is no file: lua/up",
                "left out, it is no file: site/link", "left out, it is no file: site/site",
                "left out, its name is not UTF-8: lua/\u{FFFD}", "left out, its name is not UTF-8: site/\u{FFFD}",
            ])
        _ = try PeerRestore(from: file).restore(to: target)
        #expect(temporary.read("back/site/index.html") == temporary.read("ada/site/index.html"))
    }

    /// Their names end as those of a database's logs do, and they are none.
    @Test func whatIsCalledLikeALogIsInTheBackup() throws {
        let database = try makePeer()
        temporary.write("diary", to: "ada/site/travel-journal/index.html")
        let names = ["site/my-journal", "site/page.db-wal", "site/notes.db", "site/notes.db-shm", "site/.x.tmp/a.html"]
        for name in names { temporary.write(name, to: "ada/" + name) }
        temporary.write("gone", to: "ada/site/.goop/trash/1-a/item")
        let report = try PeerBackup(of: folder).write(to: file)
        #expect(temporary.names(in: "ada").contains("data.db-wal"))
        try database.close()
        #expect(
            Set(report.notes) == [
                "left out, an unfinished file: site/.half.tmp", "left out, it is no file: site/link",
                "left out, what was deleted from the site: site/.goop",
            ])
        _ = try PeerRestore(from: file).restore(to: target)
        #expect(temporary.read("back/site/travel-journal/index.html") == "diary")
        for name in names { #expect(temporary.read("back/" + name) == name, "\(name)") }
        #expect(!temporary.names(in: "back").contains("data.db-wal"))
        #expect(!temporary.names(in: "back/site").contains(".goop"))
    }

    /// Two names to the system and one text to Swift; an accent behind the slash; as many bytes as a name can have. And
    /// settings that are long.
    @Test func whateverAPeerTakesComesBack() throws {
        try makePeer().close()
        let names = ["e\u{301}.txt", "\u{E9}.txt", "\u{301}.txt", String(repeating: "n", count: 255)]
        for (number, name) in names.enumerated() { temporary.write("\(number)", to: "ada/site/" + name) }
        let settings = try #require(temporary.read("ada/goop.json"))
        let note = String(repeating: "x", count: 70_000)
        temporary.write("{\"note\": \"\(note)\"," + settings.dropFirst(), to: "ada/goop.json")
        _ = try PeerBackup(of: folder).write(to: file)
        _ = try PeerRestore(from: file).restore(to: target)
        for (number, name) in names.enumerated() { #expect(temporary.read("back/site/" + name) == "\(number)") }
        #expect(temporary.read("back/goop.json") == temporary.read("ada/goop.json"))
    }

    /// Of two keys whose names are one text to Swift, the one that the settings name by its bytes is the identity.
    @Test(arguments: ["data/\u{E9}.key", "data/e\u{301}.key"])
    func theIdentityIsTheKeyThatTheSettingsName(name: String) throws {
        try makePeer().close()
        let other = name.utf8.count == 11 ? "data/e\u{301}.key" : "data/\u{E9}.key"
        rename(folder.path + "/data/identity.key", folder.path + "/" + name)
        try AtomicFile.write(IdentityFile.contents(of: .generate()), to: folder.path + "/" + other)
        var settings = try GoopConfiguration(decoding: AtomicFile.read(folder.configurationFile, limit: 1 << 20))
        settings.identity.keyFile = name
        try AtomicFile.write(settings.encoded(), to: folder.configurationFile)
        let id = try PeerBackup(of: folder).write(to: file).id
        #expect(try PeerRestore(from: file).restore(to: target).id == id)
    }

    @Test func otherToolsOpenIt() throws {
        _ = try makePeer()
        _ = try PeerBackup(of: folder).write(to: file)
        let pipe = try #require(popen("tar tf \(file) && tar xOf \(file) site/empty.txt && echo ok", "r"))
        var text = ""
        while case let byte = fgetc(pipe), byte != EOF {
            text.append(Character(UnicodeScalar(UInt8(truncatingIfNeeded: byte))))
        }
        #expect(pclose(pipe) == 0)
        #expect(
            text.contains("goop.json\n") && text.contains("data/identity.key\n") && text.contains("goop2-backup.json\n")
        )
    }

    @Test func aBackupIsNotPutWhereItWouldHarm() throws {
        _ = try makePeer()
        #expect(failure { try PeerBackup(of: folder).write(to: folder.path + "/site/x.tar") }?.kind == .usage)
        #expect(failure { try PeerBackup(of: folder).write(to: folder.path + "/x.tar") }?.kind == .usage)
        // The site need not be in the folder.
        rename(folder.path + "/site", temporary.path + "/www")
        symlink(temporary.path + "/www", folder.path + "/site")
        #expect(failure { try PeerBackup(of: folder).write(to: temporary.path + "/www/x.tar") }?.kind == .usage)
        #expect(!temporary.names(in: "www").contains("x.tar"))
        temporary.write("mine", to: "ada.tar")
        #expect(failure { try PeerBackup(of: folder).write(to: file) }?.kind == .cannotCreate)
        #expect(temporary.read("ada.tar") == "mine")
        #expect(
            failure { try PeerBackup(of: PeerFolder(temporary.path + "/none")).write(to: file + "2") }?.kind == .noInput
        )
    }

    @Test func aFileInTheDatabasesPlaceIsSavedAsItIsAndTold() throws {
        try makePeer().close()
        for name in ["data.db", "data.db-wal", "data.db-shm"] { unlink(folder.path + "/" + name) }
        temporary.write("junk", to: "ada/data.db")
        let notes = try PeerBackup(of: folder).write(to: file).notes
        #expect(notes.contains("data.db is no database that can be read; it is in the backup as it is"))
        _ = try PeerRestore(from: file).restore(to: target)
        #expect(temporary.read("back/data.db") == "junk")
    }

    @Test func whatGoesAwayMeanwhileIsNoFault() throws {
        for name in ["a", "b", "c/d", "e"] { temporary.write("x", to: "site/" + name) }
        let site = temporary.path + "/site"
        let contents = try FolderContents(of: site) { item in
            guard item.path == "a" else { return nil }
            unlink(site + "/b")
            FolderContents.remove(site + "/c")
            return nil
        }
        #expect(contents.items.map(\.path) == ["a", "e"])
    }

    @Test func foldersInsideEachOtherAreBounded() throws {
        let names = (1..<FolderContents.maximumDepth).map { _ in "d" }.joined(separator: "/")
        temporary.write("1", to: "site/\(names)/last.txt")
        let site = temporary.path + "/site"
        #expect(try FolderContents(of: site) { _ in nil }.items.count == FolderContents.maximumDepth)
        temporary.write("1", to: "site/\(names)/d/beyond.txt")
        let fault = #expect(throws: FileFault.self) { try FolderContents(of: site) { _ in nil } }
        #expect(fault?.reason == "folders are nested deeper than \(FolderContents.maximumDepth)")
    }

    @Test func filesAndFoldersAreBoundedAndSoAreTheEntriesOfABackup() throws {
        for name in ["a", "b/c"] { temporary.write("x", to: "site/" + name) }
        let site = temporary.path + "/site"
        #expect(try FolderContents(of: site, maximumItems: 3) { _ in nil }.items.map(\.path) == ["a", "b", "b/c"])
        let fault = #expect(throws: FileFault.self) { try FolderContents(of: site, maximumItems: 2) { _ in nil } }
        #expect(fault?.reason == "there are more than 2 files")
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "Ada")).release()
        _ = try PeerBackup(of: folder).write(to: file)
        _ = try PeerRestore(from: file).restore(to: target)
        let count = try FolderContents(of: target.path) { _ in nil }.items.count
        _ = try BackupArchive(file, maximumItems: count).verify()
        let refused = failure { try BackupArchive(file, maximumItems: count - 1).verify() }
        #expect(refused?.kind == .data && refused?.cause.hasSuffix("it holds too many files") == true)
    }

    /// However many files are called like keys, the identity is looked into.
    @Test func aBackupOfSomebodyElseIsToldHoweverManyKeysItHas() throws {
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "Ada")).release()
        for name in ["a", "b"] { temporary.write("x", to: "ada/site/\(name).key") }
        _ = try PeerBackup(of: folder).write(to: file)
        var manifest = try BackupArchive(file).verify()
        var bytes = try AtomicFile.read(file, limit: 64 << 20)
        let place = try #require(bytes.ranges(of: manifest.encoded).last)
        manifest.id = PrivateKey.generate().peerID.base58
        bytes.replaceSubrange(place, with: manifest.encoded)
        try AtomicFile.write(bytes, to: file)
        for most in [0, 1, BackupArchive.maximumKeys] {
            let refused = failure { try BackupArchive(file, maximumKeys: most).verify() }
            #expect(
                refused?.cause.contains("its identity is not that of") == true, "\(most): \(refused?.cause ?? "none")")
        }
    }

    @Test func aDamagedDatabaseIsTold() throws {
        try makePeer().close()
        temporary.write("SQLite format 3", to: "ada/data.db")
        let handle = try #require(fopen(folder.path + "/data.db", "w"))
        var bytes = Array("SQLite format 3\0".utf8) + [UInt8](repeating: 7, count: 8000)
        fwrite(&bytes, 1, bytes.count, handle)
        fclose(handle)
        #expect(failure { try PeerBackup(of: folder).write(to: file) }?.kind == .data)
        #expect(!temporary.names().contains("ada.tar"))
    }

    @Test func aDatabaseInTheSiteThatCannotBeReadIsSavedAsItIs() throws {
        try makePeer().close()
        let handle = try #require(fopen(folder.path + "/site/game.db", "w"))
        var bytes = Array("SQLite format 3\0".utf8) + [UInt8](repeating: 7, count: 8000)
        fwrite(&bytes, 1, bytes.count, handle)
        fclose(handle)
        let notes = try PeerBackup(of: folder).write(to: file).notes
        #expect(notes.contains { $0.hasPrefix("site/game.db cannot be copied as a database") })
        _ = try PeerRestore(from: file).restore(to: target)
        #expect(try InputFile(target.path + "/site/game.db").read(10_000) == bytes)
    }

    @Test func aRestoreTakesNothingFromAnybody() throws {
        _ = try makePeer()
        _ = try PeerBackup(of: folder).write(to: file)
        temporary.write("mine", to: "back/note.txt")
        #expect(failure { try PeerRestore(from: file).restore(to: target) }?.kind == .cannotCreate)
        #expect(temporary.names(in: "back") == ["note.txt"])
        let running = try PreparedPeer.open(folder, options: .init(createsMissing: false))
        #expect(failure { try PeerRestore(from: file).restore(to: folder) }?.kind == .temporary)
        running.release()
        #expect(failure { try PeerRestore(from: file).restore(to: PeerFolder(file)) }?.kind == .cannotCreate)
        mkdir(temporary.path + "/empty", 0o755)
        for name in ["empty/.", "new/.."] {
            let told = failure { try PeerRestore(from: file).restore(to: PeerFolder(temporary.path + "/" + name)) }
            #expect(told?.kind == .cannotCreate && told?.nextStep.hasPrefix("go out of that folder") == true, "\(name)")
            #expect(told?.nextStep.hasSuffix(": \(temporary.path)/empty") == (name == "empty/."))
        }
        #expect(temporary.names() == ["ada", "ada.tar", "back", "empty"])
        _ = try PeerRestore(from: file).restore(to: PeerFolder(temporary.path + "/empty/"))
        #expect(temporary.names(in: "empty").contains("goop.json"))
    }

    @Test func aPackedBackupIsToldAsThat() throws {
        temporary.write("BZh9 and so on", to: "ada.tar.bz2")
        let failure = failure { try PeerRestore(from: temporary.path + "/ada.tar.bz2").restore(to: target) }
        #expect(failure?.kind == .data && failure?.cause.hasSuffix("it is compressed") == true)
        #expect(temporary.names() == ["ada.tar.bz2"])
    }

    @Test(arguments: ["root:x:0:0:root:/root:/bin/sh\n", "a", ""])
    func whatIsNoBackupIsCalledThat(_ text: String) {
        for count in [1, 1024] {
            let path = temporary.path + "/passwd"
            temporary.write(String(repeating: text, count: count), to: "passwd")
            let failure = failure { try PeerRestore(from: path).restore(to: target) }
            #expect(failure?.kind == .data && failure?.cause == "\(path) is no backup, or its beginning is damaged")
        }
    }

    /// Its first header is as it should be: nothing is wrong with its beginning.
    @Test func whatIsDamagedFurtherOnIsCalledThat() throws {
        let first = TarHeader(path: "x", size: 0, mode: 0o644, modified: 0).encoded
        var second = TarHeader(path: "y", size: 0, mode: 0o644, modified: 0).encoded
        second[0] ^= 0x55
        let path = temporary.path + "/damaged.tar"
        try AtomicFile.write(first + second, to: path)
        let failure = failure { try PeerRestore(from: path).restore(to: target) }
        #expect(failure?.kind == .data && failure?.cause == "\(path) is damaged behind its beginning, or no backup")
        #expect(failure?.nextStep == "name another file that goop2 backup wrote; nothing was written")
    }

    @Test func nothingIsRestoredOfADamagedBackup() throws {
        try PreparedPeer.open(folder, options: .init(createsMissing: true, label: "Ada")).release()
        _ = try PeerBackup(of: folder).write(to: file)
        let whole = try InputFile(file).read(1 << 24)
        func expectRefused(_ bytes: [UInt8], _ what: String) throws {
            let damaged = temporary.path + "/damaged.tar"
            try AtomicFile.write(bytes, to: damaged)
            let failure = failure { try PeerRestore(from: damaged).restore(to: target) }
            #expect(failure?.kind == .data, "\(what): \(failure?.cause ?? "accepted")")
            #expect(!AtomicFile.exists(target.path), "\(what)")
        }
        // What follows the end of the archive has no meaning; up to there every byte counts.
        let end = whole.count - 2 * TarHeader.blockBytes
        for index in stride(from: 0, to: end, by: 37) where whole[index] != 0 {
            var bytes = whole
            bytes[index] ^= 0x55
            // Rights and times of a file are no matter of its content.
            try expectRefused(bytes, "byte \(index)")
        }
        for count in stride(from: 0, to: end, by: 512) {
            try expectRefused(Array(whole.prefix(count)), "first \(count)")
        }
        let evil = TarHeader(path: "../evil", size: 0, mode: 0o644, modified: 0).encoded
        try expectRefused(evil + whole, "a name that leads elsewhere")
        try expectRefused(
            TarHeader(path: "x", size: 0, mode: 0o644, modified: 0).encoded + whole, "a file that is not listed")
        try expectRefused(whole[..<end] + evil + [UInt8](repeating: 0, count: 1024), "something behind the list")
        #expect(temporary.names() == ["ada", "ada.tar", "damaged.tar"])
    }
}
