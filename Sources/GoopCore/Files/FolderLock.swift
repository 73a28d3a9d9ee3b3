import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The right to run on a peer's folder: held by one process, given back by the system even if that process dies.
///
/// The file `data/peer.lock` holds the process id as text. It stays when the lock is released: removing it would let two
/// processes lock two files of the same name.
package final class FolderLock: Sendable {
    private let descriptor: Mutex<CInt?>

    /// Takes the lock.
    package init(path: String) throws(FolderLockError) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .fault(FileFault("open", path)) }
        if let code = FolderLock.take(descriptor) {
            close(descriptor)
            guard code == EWOULDBLOCK else { throw .fault(FileFault("lock", path, code: code)) }
            throw .held(byProcess: FolderLock.holder(path: path))
        }
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        self.descriptor = Mutex(descriptor)
    }

    /// Takes the lock, which others may hold for the moment in which they look at it (`isHeld`); nil, or what is in the way.
    private static func take(_ descriptor: CInt) -> CInt? {
        var patience = 1_000
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            // Who looks leaves room for others that look; who has the lock does not.
            guard errno == EWOULDBLOCK, flock(descriptor, LOCK_SH | LOCK_NB) == 0, patience > 0 else { return errno }
            flock(descriptor, LOCK_UN)
            patience -= 1
            usleep(1_000)  // No event tells that they have looked.
        }
        return nil
    }

    deinit { release() }

    /// Gives the lock back; a second call does nothing.
    package func release() {
        descriptor.withLock { descriptor in
            if let open = descriptor {
                // A child between `fork` and `exec` has a copy of the descriptor, which would keep the lock a moment longer.
                flock(open, LOCK_UN)
                close(open)
            }
            descriptor = nil
        }
    }

    /// True if some process holds the lock now.
    package static func isHeld(path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return true }
        flock(descriptor, LOCK_UN)  // `close` alone would leave it to a copy: see `release`.
        return false
    }

    /// The process id in the file, if there is one.
    package static func holder(path: String) -> Int32? {
        guard let bytes = try? AtomicFile.read(path, limit: 64) else { return nil }
        return Int32(String(decoding: bytes, as: UTF8.self).split(separator: "\n").first ?? "")
    }
}

/// Why a lock was not taken.
package enum FolderLockError: Error, Sendable, Hashable {
    /// Another process has it; its id, if it can be read.
    case held(byProcess: Int32?)
    case fault(FileFault)
}
