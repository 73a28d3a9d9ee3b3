import GoopCore
import Logging
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The owner's picture: `avatar.png` in the peer's folder, and what of it is shown to others.
///
/// A file that is no picture, or a too large one, is shown to nobody; the log says why.
final class OwnAvatar: Sendable {
    /// Says when there is another picture, or none any more; for one reader.
    let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation
    private let path: String
    private let logger: Logger
    /// Held while the disk is waited for: one at a time reads or writes the file.
    private let seen = Mutex<Stamp?>(nil)
    /// Held for no time: strangers' streams read it.
    private let shown = Mutex<Avatar?>(nil)

    /// Which file it was, so that one that is still the same is not read again.
    private struct Stamp: Equatable {
        let inode: UInt64
        let size: Int64
        let seconds: Int
        let nanoseconds: Int

        /// Nil if nothing is there.
        init?(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            seconds = Int(status.st_mtim.tv_sec)
            nanoseconds = Int(status.st_mtim.tv_nsec)
        }
    }

    /// Reads the file.
    init(path: String, logger: Logger) {
        self.path = path
        self.logger = logger
        (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        look()
    }

    /// The picture that others get.
    var current: Avatar? { shown.withLock { $0 } }

    /// Names it; empty without one.
    var hash: String { current?.hash ?? "" }

    /// Reads the file if it is another one than before: other programs may change it too. Waits for the disk.
    func look() {
        seen.withLock { seen in
            let stamp = Stamp(path)
            guard stamp != seen else { return }
            seen = stamp
            show(stamp == nil ? nil : read())
        }
    }

    /// Makes this the owner's picture. Waits for the disk.
    /// - Throws: what the file system said; then nothing has changed.
    func set(_ avatar: Avatar) throws(FileFault) {
        let outcome = seen.withLock { seen -> Result<Void, FileFault> in
            do throws(FileFault) { try AtomicFile.write(avatar.bytes, to: path) } catch { return .failure(error) }
            seen = Stamp(path)
            show(avatar)
            return .success(())
        }
        try outcome.get()
    }

    /// Removes the picture. Waits for the disk.
    /// - Throws: what the file system said; then nothing has changed.
    func remove() throws(FileFault) {
        let outcome = seen.withLock { seen -> Result<Void, FileFault> in
            guard unlink(path) == 0 || errno == ENOENT else { return .failure(FileFault("remove", path)) }
            seen = nil
            show(nil)
            return .success(())
        }
        try outcome.get()
    }

    private func read() -> Avatar? {
        do {
            return try Avatar(AtomicFile.read(path, limit: Avatar.maximumOwnBytes), limit: Avatar.maximumOwnBytes)
        } catch {
            logger.warning("the picture is shown to nobody", metadata: ["file": "\(path)", "reason": "\(error)"])
            return nil
        }
    }

    private func show(_ avatar: Avatar?) {
        let isNew = shown.withLock { shown in
            defer { shown = avatar }
            return shown != avatar
        }
        if isNew { changed.yield() }
    }
}
