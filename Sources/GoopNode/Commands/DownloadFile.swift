import GoopCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that appears under its name only when it is complete.
public final class DownloadFile: Sendable {
    private let file: Mutex<PartialFile?>

    /// Begins a file beside the one that it will replace; that one's rights are kept, and a link goes on leading there.
    /// - Throws: `Failure`, also for a device, a pipe or a folder: for root, replacing `/dev/null` would work.
    public init(path: String) throws {
        let path = FolderPath.real(path) ?? path
        var mode: mode_t = 0o644
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw Failure(
                    .cannotCreate, "\(path) is no ordinary file, so it cannot be replaced",
                    nextStep: "name a file, or leave -o away: then it goes to standard output")
            }
            mode = status.st_mode & 0o777
        }
        do { file = Mutex(try PartialFile(path, mode: mode)) } catch { throw error.failure }
    }

    /// Writes the next bytes.
    /// - Throws: `Failure`.
    public func append(_ bytes: [UInt8]) throws {
        try perform { (file) throws(FileFault) in try file.append(bytes) }
    }

    /// Puts the file under its name.
    /// - Throws: `Failure`.
    public func finish() throws {
        try perform { (file) throws(FileFault) in try file.finish() }
        file.withLock { $0 = nil }
    }

    private func perform(_ body: (borrowing PartialFile) throws(FileFault) -> Void) throws {
        try file.withLock { file in
            guard let file else { return }
            do throws(FileFault) { try body(file) } catch { throw error.failure }
        }
    }
}
