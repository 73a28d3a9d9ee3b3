import GoopCore
import Synchronization

/// A file that appears under its name only when it is complete.
public final class DownloadFile: Sendable {
    private let file: Mutex<PartialFile?>

    /// Begins a file beside the one that it will replace.
    /// - Throws: `Failure`.
    public init(path: String) throws {
        do { file = Mutex(try PartialFile(path)) } catch { throw error.failure }
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
