import Glibc
import GoopCore
import Testing

@testable import GoopNode

/// The file that a command is told to write with `-o`.
@Suite struct DownloadFileTests {
    let temporary = TemporaryFolder()

    private func download(_ text: String, to name: String) throws {
        let file = try DownloadFile(path: temporary.path + "/" + name)
        try file.append(Array(text.utf8))
        try file.finish()
    }

    @Test func aFileKeepsItsRightsAndALinkItsPlace() throws {
        temporary.write("old", to: "private.csv")
        chmod(temporary.path + "/private.csv", 0o600)
        symlink("private.csv", temporary.path + "/link")
        try download("new", to: "link")
        #expect(temporary.read("private.csv") == "new" && temporary.mode("private.csv") == 0o600)
        try download("fresh", to: "fresh.csv")
        #expect(temporary.read("fresh.csv") == "fresh")
        #expect(temporary.names() == ["fresh.csv", "link", "private.csv"])
    }

    /// As root, `-o /dev/null` would leave the machine without one.
    @Test func whatIsNoFileStaysWhatItIs() {
        mkfifo(temporary.path + "/pipe", 0o600)
        let failure = #expect(throws: Failure.self) { try download("x", to: "pipe") }
        #expect(failure?.kind == .cannotCreate)
        var status = stat()
        #expect(lstat(temporary.path + "/pipe", &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
        #expect(temporary.names() == ["pipe"])
    }
}
