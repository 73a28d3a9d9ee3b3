import GoopCore
import NIOCore
import NIOPosix
import Synchronization

/// The bytes of a file of a site, read in chunks on a thread that may wait for the disk.
///
/// Whoever asks is on an event loop, which must not wait for a file: a slow disk, or a network file system that hangs, would hold
/// up every connection of the loop. So everything that touches the file is done on a disk thread: opening and the first read
/// in one trip, each further read, and closing, with the last read or by whoever lets go of the file before.
struct SiteFileChunks: AsyncSequence, Sendable {
    /// The largest first chunk in bytes, which is read with the opening: most files fit into it.
    static let firstChunkBytes = 64 * 1024
    /// The largest of the others. Each costs two changes of thread, so a large file goes in few of them.
    static let chunkBytes = 256 * 1024

    private let opened: OpenedFile
    /// The first bytes, read together with the opening.
    private let first: ByteBuffer?
    /// Bytes to send in all.
    private let size: Int

    private init(_ file: SiteFile, method: SiteQuery.Method) throws(SiteError) {
        opened = OpenedFile(file: file)
        size = method == .get ? file.head.size : 0
        first = size > 0 ? try SiteFileChunks.read(opened, done: 0, of: size) : nil
        if size <= 0 { file.finish() }
    }

    /// What the answer says of itself.
    var head: SiteHead { opened.file.head }

    /// All the bytes, if they were read together with the opening.
    var whole: ByteBuffer? { first?.readableBytes == size ? first : nil }

    /// Opens a file for `/goop/site/1.0.0`, where waiting for the disk is allowed.
    static func open(_ path: String, in folder: SiteFolder) async throws(SiteError) -> SiteFileChunks {
        try await onDiskThread { () throws(SiteError) in try SiteFileChunks(try folder.open(path), method: .get) }
    }

    /// Opens what answers a query, where waiting for the disk is allowed.
    static func answer(
        _ query: SiteQuery, in folder: SiteFolder, tags: ContentTags
    ) async throws(SiteError) -> SiteFileChunks {
        try await onDiskThread { () throws(SiteError) in
            try SiteFileChunks(try folder.answer(query, tags: tags), method: query.method)
        }
    }

    private static func onDiskThread(
        _ body: @escaping @Sendable () throws(SiteError) -> SiteFileChunks
    ) async throws(SiteError) -> SiteFileChunks {
        do {
            return try await NIOThreadPool.singleton.runIfActive { () -> Result<SiteFileChunks, SiteError> in
                do throws(SiteError) { return .success(try body()) } catch { return .failure(error) }
            }.get()
        } catch let error as SiteError {
            throw error
        } catch {
            throw SiteError(kind: .busy, detail: "the program is shutting down")
        }
    }

    /// The next chunk behind `done` bytes. With the last one it is made sure that the file was one and the same throughout,
    /// and the file is closed.
    private static func read(_ opened: OpenedFile, done: Int, of size: Int) throws(SiteError) -> ByteBuffer {
        let file = opened.file
        let wanted = Swift.min(size - done, done == 0 ? firstChunkBytes : chunkBytes)
        var chunk =
            done == 0
            ? ByteBufferAllocator().buffer(capacity: wanted) : opened.buffers.withLock { $0.take(capacity: wanted) }
        let offset = file.head.first + done
        let outcome = chunk.withUnsafeMutableWritableBytes { buffer -> Result<Int, SiteError> in
            do throws(SiteError) {
                return .success(
                    try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(wanted)), at: offset))
            } catch { return .failure(error) }
        }
        let count = try outcome.get()
        guard count > 0 else { throw SiteError(kind: .notFound, detail: "the file became shorter while it was sent") }
        chunk.moveWriterIndex(forwardBy: count)
        guard done + count < size || file.isUnchanged else {
            throw SiteError(kind: .notFound, detail: "the file changed while it was sent")
        }
        if done + count >= size {
            opened.buffers.withLock { $0.removeAll() }
            file.finish()
        } else if done > 0 {
            opened.buffers.withLock { $0.keep(chunk) }
        }
        return chunk
    }

    func makeAsyncIterator() -> Iterator { Iterator(chunks: self) }

    struct Iterator: AsyncIteratorProtocol {
        private let opened: OpenedFile
        private let size: Int
        private var first: ByteBuffer?
        private var done = 0

        init(chunks: SiteFileChunks) {
            opened = chunks.opened
            size = chunks.size
            first = chunks.first
        }

        /// - Throws: `SiteError` if the file is not any more what its head says.
        mutating func next() async throws -> ByteBuffer? {
            if let first {
                self.first = nil
                done = first.readableBytes
                return first
            }
            guard done < size else { return nil }
            try Task.checkCancellation()
            let chunk = try await NIOThreadPool.singleton.runIfActive { [opened, done, size] in
                try SiteFileChunks.read(opened, done: done, of: size)
            }
            done += chunk.readableBytes
            return chunk
        }
    }
}

/// A file that is closed on a disk thread, whoever lets go of it.
private final class OpenedFile: Sendable {
    let file: SiteFile
    /// For the chunks behind the first.
    let buffers = Mutex(ChunkBuffers())

    init(file: SiteFile) { self.file = file }

    deinit {
        guard file.isOpen else { return }
        NIOThreadPool.singleton.submit { [file] _ in file.finish() }
    }
}

/// The memory that the chunks of a file are read into, again and again: a fresh quarter of a megabyte for each would be
/// mapped, cleared page by page, and given back.
struct ChunkBuffers {
    /// One is sent while the next is read.
    static let most = 2

    private var kept: [ByteBuffer] = []

    /// An empty buffer: the oldest that was kept, once there are enough; a fresh one if somebody still holds its bytes.
    mutating func take(capacity: Int) -> ByteBuffer {
        var buffer = kept.count < Self.most ? ByteBuffer() : kept.removeFirst()
        buffer.clear(minimumCapacity: capacity)
        return buffer
    }

    /// Remembers a buffer, whose bytes may be in use, to use its memory again.
    mutating func keep(_ buffer: ByteBuffer) {
        if kept.count < Self.most { kept.append(buffer) }
    }

    mutating func removeAll() { kept = [] }
}
