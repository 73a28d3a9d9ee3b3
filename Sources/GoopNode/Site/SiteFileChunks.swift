import GoopCore
import NIOCore
import NIOPosix

/// The bytes of a file of a site, read in chunks on a thread that may wait for the disk.
struct SiteFileChunks: AsyncSequence, Sendable {
    /// The largest chunk in bytes.
    static let chunkBytes = 64 * 1024

    let file: SiteFile

    /// Opens a file where waiting for the disk is allowed.
    static func open(_ path: String, in folder: SiteFolder) async throws(SiteError) -> SiteFileChunks {
        do {
            let outcome = try await NIOThreadPool.singleton.runIfActive { () -> Result<SiteFile, SiteError> in
                do throws(SiteError) { return .success(try folder.open(path)) } catch { return .failure(error) }
            }
            return SiteFileChunks(file: try outcome.get())
        } catch let error as SiteError {
            throw error
        } catch {
            throw SiteError(kind: .busy, detail: "the program is shutting down")
        }
    }

    func makeAsyncIterator() -> Iterator { Iterator(file: file) }

    struct Iterator: AsyncIteratorProtocol {
        let file: SiteFile
        private var offset = 0

        init(file: SiteFile) { self.file = file }

        /// - Throws: `SiteError` if the file has become shorter than its head says.
        mutating func next() async throws -> ByteBuffer? {
            let wanted = Swift.min(file.head.size - offset, SiteFileChunks.chunkBytes)
            guard wanted > 0 else { return nil }
            try Task.checkCancellation()
            let chunk = try await NIOThreadPool.singleton.runIfActive { [file, offset] in
                var chunk = ByteBufferAllocator().buffer(capacity: wanted)
                try chunk.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { buffer in
                    try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(wanted)), at: offset)
                }
                return chunk
            }
            guard chunk.readableBytes > 0 else {
                throw SiteError(kind: .notFound, detail: "the file became shorter while it was sent")
            }
            offset += chunk.readableBytes
            return chunk
        }
    }
}
