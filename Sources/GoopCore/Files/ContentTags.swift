import Crypto
import Multiformats
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the file system says of a file's content: while it stays the same, the content does.
///
/// The change time is in it because a program may set the modification time back.
package struct FileStamp: Sendable, Hashable {
    package let size: Int
    let device: UInt64
    let inode: UInt64
    let modified: Int64
    let changed: Int64

    /// Of an opened file; nil if the system does not tell.
    init?(descriptor: CInt) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_size >= 0 else { return nil }
        self.init(status)
    }

    init(_ status: stat) {
        size = max(Int(status.st_size), 0)
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
        #if canImport(Glibc)
            (modified, changed) = (FileStamp.nanoseconds(status.st_mtim), FileStamp.nanoseconds(status.st_ctim))
        #else
            (modified, changed) =
                (FileStamp.nanoseconds(status.st_mtimespec), FileStamp.nanoseconds(status.st_ctimespec))
        #endif
    }

    /// Whether the content is still the one of another moment. The change time does not count here: a file that is replaced by
    /// another under its name keeps its content for those who opened it.
    func isSameContent(as other: FileStamp?) -> Bool { size == other?.size && modified == other?.modified }

    /// Whether the file was left alone for so long that a later change must show in its times. Only the system sets the change
    /// time; the modification time may lie in the future for ever, as in files unpacked in another time zone.
    func isSettled(for time: Duration, now: Int64 = FileStamp.now()) -> Bool {
        let quiet = now &- changed
        return quiet > time.components.seconds &* 1_000_000_000
    }

    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return nanoseconds(time)
    }

    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

/// The entity tags of files: the hash of the content, remembered by the file's stamp.
///
/// Holds at most `capacity` hashes in two halves; when one is full the older half is dropped. A file that was changed within
/// the last two seconds is hashed anew each time: file systems whose clock is coarse would show the same stamp for another
/// content. Beyond `maximumHashedBytes` the tag is made of the stamp and a secret of this run, because the head of an
/// answer cannot wait for a hash of gigabytes.
package final class ContentTags: Sendable {
    /// The largest file whose content is hashed, in bytes.
    package static let maximumHashedBytes = 32 * 1024 * 1024
    /// How long a file must have been left alone before its hash is remembered.
    static let settlingTime = Duration.seconds(2)

    private struct State {
        var recent: [FileStamp: String] = [:]
        var older: [FileStamp: String] = [:]
        var hashed = 0
    }

    private let state = Mutex(State())
    private let half: Int
    private let secret = SymmetricKey(size: .bits128)

    /// - Parameter capacity: the most hashes that are remembered.
    package init(capacity: Int = 8192) { half = max(capacity / 2, 1) }

    /// How many files were hashed.
    package var hashed: Int { state.withLock { $0.hashed } }
    /// How many hashes are remembered.
    package var count: Int { state.withLock { $0.recent.count + $0.older.count } }

    /// The tag of an opened file; empty if it changes at this moment. Blocks for as long as reading the file takes.
    package func tag(of descriptor: CInt, stamp: FileStamp) -> String {
        tag(of: descriptor, stamp: stamp, now: FileStamp.now())
    }

    /// - Parameter now: before the first byte is read. Reading takes time: a file that settles meanwhile may have
    ///   changed under the same stamp while it was read.
    func tag(of descriptor: CInt, stamp: FileStamp, now: Int64) -> String {
        if let known = remembered(stamp) { return known }
        guard stamp.size <= ContentTags.maximumHashedBytes else { return tag(ofStamp: stamp) }
        guard let tag = ContentTags.hash(descriptor, size: stamp.size),
            stamp.isSameContent(as: FileStamp(descriptor: descriptor))
        else { return "" }
        let isSettled = stamp.isSettled(for: ContentTags.settlingTime, now: now)
        state.withLock { state in
            state.hashed += 1
            if isSettled { remember(tag, of: stamp, in: &state) }
        }
        return tag
    }

    private func remembered(_ stamp: FileStamp) -> String? {
        state.withLock { state in
            if let tag = state.recent[stamp] { return tag }
            guard let tag = state.older[stamp] else { return nil }
            remember(tag, of: stamp, in: &state)
            return tag
        }
    }

    private func remember(_ tag: String, of stamp: FileStamp, in state: inout State) {
        if state.recent.count >= half {
            state.older = state.recent
            state.recent = [:]
        }
        state.recent[stamp] = tag
    }

    private static func hash(_ descriptor: CInt, size: Int) -> String? {
        var hash = SHA256()
        var buffer = [UInt8](repeating: 0, count: min(max(size, 1), 64 * 1024))
        var offset = 0
        while offset < size {
            let wanted = min(buffer.count, size - offset)
            let count = buffer.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, wanted, off_t(offset)) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            buffer.withUnsafeBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0.prefix(count))) }
            offset += count
        }
        return Hex.encode(Array(hash.finalize().prefix(16)))
    }

    private func tag(ofStamp stamp: FileStamp) -> String {
        var hash = HMAC<SHA256>(key: secret)
        for number in [
            stamp.device, stamp.inode, UInt64(stamp.size), UInt64(bitPattern: stamp.modified),
            UInt64(bitPattern: stamp.changed),
        ] {
            withUnsafeBytes(of: number.littleEndian) { hash.update(data: $0) }
        }
        return Hex.encode(Array(hash.finalize().prefix(16)))
    }
}
