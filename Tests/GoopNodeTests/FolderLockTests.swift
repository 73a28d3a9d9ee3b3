import Glibc
import Testing

@testable import GoopCore

@Suite struct FolderLockTests {
    let temporary = TemporaryFolder()
    var path: String { temporary.path + "/peer.lock" }

    @Test func oneHasItAtATimeAndTheNextIsTold() throws {
        let first = try FolderLock(path: path)
        #expect(FolderLock.isHeld(path: path))
        #expect(throws: FolderLockError.held(byProcess: getpid())) { _ = try FolderLock(path: path) }
        first.release()
        #expect(!FolderLock.isHeld(path: path))
        _ = try FolderLock(path: path)
        #expect(!FolderLock.isHeld(path: path), "an end without `release` gives it back too")
    }

    /// A command that asks whether the peer runs has the lock for a moment; a start just then must not be told that the folder is in use.
    @Test func whoOnlyLooksIsNotInTheWay() async throws {
        let path = path
        try FolderLock(path: path).release()
        let looking = Task.detached {
            while !Task.isCancelled { _ = FolderLock.isHeld(path: path) }
        }
        for _ in 0..<2_000 {
            #expect(throws: Never.self) { try FolderLock(path: path).release() }
        }
        looking.cancel()
        await looking.value
    }

    /// A process that is started while the lock is held has a copy of its descriptor from `fork` until `exec`, as here from `dup`.
    @Test func aCopyOfItsDescriptorDoesNotKeepIt() throws {
        let lock = try FolderLock(path: path)
        let copy = try #require(copyOfTheDescriptor())
        defer { close(copy) }
        #expect(FolderLock.isHeld(path: path))
        lock.release()
        #expect(!FolderLock.isHeld(path: path))
        _ = try FolderLock(path: path)
    }

    private func copyOfTheDescriptor() -> CInt? {
        var wanted = stat()
        guard stat(path, &wanted) == 0 else { return nil }
        for descriptor in CInt(0)..<CInt(sysconf(CInt(_SC_OPEN_MAX))) {
            var status = stat()
            if fstat(descriptor, &status) == 0, status.st_ino == wanted.st_ino, status.st_dev == wanted.st_dev {
                return dup(descriptor)
            }
        }
        return nil
    }
}
