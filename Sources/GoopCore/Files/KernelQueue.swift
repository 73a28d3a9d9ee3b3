#if canImport(Glibc)
    import Glibc
#endif

/// The kernel's queue of what happens in watched folders (inotify). Where there is none, it cannot be made.
final class KernelQueue {
    /// Something that happened.
    struct Event {
        /// The number of the watched folder; -1 if events were lost.
        var watch: CInt
        /// What it happened to; nil if its name is not text, empty if it is the folder itself.
        var name: String?
        var isFolder: Bool
        /// It was made here, or moved here.
        var hasAppeared: Bool
        /// The watched folder is not there any more.
        var isGone: Bool
        /// The watched folder has another name now.
        var hasMovedAway: Bool
    }

    /// What came of watching a folder.
    enum Outcome {
        case watched(CInt)
        case notThere
        /// The kernel has no more watches for this user.
        case exhausted
    }

    #if canImport(Glibc)
        private static let moved = UInt32(IN_MOVED_FROM) | UInt32(IN_MOVED_TO)
        private static let mask =
            moved | UInt32(IN_CLOSE_WRITE) | UInt32(IN_CREATE) | UInt32(IN_DELETE) | UInt32(IN_DELETE_SELF)
            | UInt32(IN_MOVE_SELF) | UInt32(IN_ONLYDIR) | UInt32(IN_EXCL_UNLINK)
        private let descriptor: CInt

        init?() {
            descriptor = inotify_init1(CInt(IN_NONBLOCK) | CInt(IN_CLOEXEC))
            guard descriptor >= 0 else { return nil }
        }

        deinit { close(descriptor) }

        func watch(_ path: String, followsLink: Bool) -> Outcome {
            let number = inotify_add_watch(
                descriptor, path, KernelQueue.mask | (followsLink ? 0 : UInt32(IN_DONT_FOLLOW)))
            if number >= 0 { return .watched(number) }
            return errno == ENOSPC || errno == ENOMEM ? .exhausted : .notThere
        }

        /// Ends a watch; its events that are queued already still come.
        func forget(_ watch: CInt) { inotify_rm_watch(descriptor, watch) }

        /// Hands out what is queued; false if the kernel dropped events.
        func read(_ body: (Event) -> Void) -> Bool {
            var isComplete = true
            var buffer = [UInt8](repeating: 0, count: 16 * 1024)
            // A folder that changes without end must not hold the caller: the rest comes next time.
            for _ in 0..<64 {
                let count = buffer.withUnsafeMutableBytes { readBytes(descriptor, $0.baseAddress, $0.count) }
                guard count > 0 else { return isComplete }
                buffer.withUnsafeBytes { bytes in
                    var offset = 0
                    let headBytes = MemoryLayout<inotify_event>.size
                    while offset + headBytes <= count {
                        let head = bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                        let end = offset + headBytes + Int(head.len)
                        guard end <= count else { return }
                        let name = bytes[offset + headBytes..<end].prefix { $0 != 0 }
                        offset = end
                        if head.mask & UInt32(IN_Q_OVERFLOW) != 0 {
                            isComplete = false
                            continue
                        }
                        let gone = UInt32(IN_DELETE_SELF) | UInt32(IN_IGNORED)
                        let appeared = UInt32(IN_CREATE) | UInt32(IN_MOVED_TO)
                        body(
                            Event(
                                watch: head.wd, name: String(validating: name, as: UTF8.self),
                                isFolder: head.mask & UInt32(IN_ISDIR) != 0,
                                hasAppeared: head.mask & appeared != 0, isGone: head.mask & gone != 0,
                                hasMovedAway: head.mask & UInt32(IN_MOVE_SELF) != 0))
                    }
                }
            }
            return isComplete
        }
    #else
        init?() { return nil }
        func forget(_ watch: CInt) {}
        func watch(_ path: String, followsLink: Bool) -> Outcome { .exhausted }
        func read(_ body: (Event) -> Void) -> Bool { true }
    #endif
}

#if canImport(Glibc)
    // The system call, where a method of the same name hides it.
    private func readBytes(_ descriptor: CInt, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
        read(descriptor, buffer, count)
    }
#endif
