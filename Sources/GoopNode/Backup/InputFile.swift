import GoopCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A file that is read from its beginning to its end, piece by piece.
final class InputFile {
    static let chunkBytes = 256 << 10

    let path: String
    /// The size when it was opened.
    let size: Int64
    private let descriptor: CInt

    init(_ path: String) throws(FileFault) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileFault("read", path) }
        self.path = path
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            size = 0
            throw FileFault("read", path, reason: "it is no ordinary file")
        }
        size = Int64(status.st_size)
    }

    deinit { close(descriptor) }

    /// The next bytes, at most so many; none at the end.
    func read(_ count: Int) throws(FileFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                readBytes(descriptor, buffer.baseAddress?.advanced(by: filled), count - filled)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw FileFault("read", path) }
            if got == 0 { break }
            filled += got
        }
        return Array(bytes.prefix(filled))
    }

    /// Goes back to the beginning.
    func rewind() throws(FileFault) {
        guard lseek(descriptor, 0, SEEK_SET) == 0 else { throw FileFault("read", path) }
    }

    /// True for a file of SQLite; the position is at the beginning afterwards.
    func isDatabase() throws(FileFault) -> Bool {
        let magic = try read(16)
        try rewind()
        return magic.elementsEqual("SQLite format 3\0".utf8)
    }
}

// The system call, where a method of the same name hides it.
private func readBytes(_ descriptor: CInt, _ buffer: UnsafeMutableRawPointer?, _ count: Int) -> Int {
    read(descriptor, buffer, count)
}
