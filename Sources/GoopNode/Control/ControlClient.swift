import GoopCore
import NIOCore
import NIOPosix

/// Asks the peer that runs on a folder.
struct ControlClient: Sendable {
    let folder: PeerFolder
    let group: any EventLoopGroup

    /// True if a process has locked the folder.
    var isPeerRunning: Bool { FolderLock.isHeld(path: folder.lockFile) }

    /// Sends a request and returns what it asked for; the bytes after the answer's line go to `body`.
    /// - Parameter body: throws `Failure` only: any other error counts as one of the connection.
    /// - Throws: the `Failure` of the running peer, or one of kind `.temporary` if it does not take commands (yet), or of kind
    ///   `.unavailable` if it breaks off.
    func ask(
        _ request: ControlRequest, body: @escaping @Sendable (SiteHead, ByteBuffer) async throws -> Void = { _, _ in }
    ) async throws -> JSONValue {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            let name = try ControlSocketPath(folder.controlSocket)
            channel = try await ClientBootstrap(group: group)
                .connectTimeout(.seconds(5))
                .connect(unixDomainSocketPath: name.usable) { channel in
                    channel.eventLoop.makeCompletedFuture { try NIOAsyncChannel(wrappingChannelSynchronously: channel) }
                }
        } catch {
            throw Failure(
                .temporary, "the peer that runs on \(folder.path) takes no commands: \(error)",
                nextStep: "if it has only just been started or stopped, try again in a second")
        }
        do {
            return try await converse(channel, request, body)
        } catch let failure as Failure {
            throw failure
        } catch let cancelled as CancellationError {
            throw cancelled
        } catch {
            throw Failure(
                .unavailable, "the peer that runs on \(folder.path) broke off: \(error)",
                nextStep: "see whether it still runs, and try again")
        }
    }

    private func converse(
        _ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>, _ request: ControlRequest,
        _ body: @escaping @Sendable (SiteHead, ByteBuffer) async throws -> Void
    ) async throws -> JSONValue {
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: request.encoded))
            var line = ByteBuffer()
            var answer: JSONValue?
            var head = SiteHead(mediaType: "", size: 0)
            var received = 0
            for try await var chunk in inbound {
                if answer == nil {
                    // Only in what came: an answer of 64 MiB comes in a thousand pieces.
                    let start = line.writerIndex
                    line.writeBuffer(&chunk)
                    guard line.readableBytes <= ControlReply.maximumLine else { break }
                    guard let end = line.readableBytesView[start...].firstIndex(of: 0x0A) else { continue }
                    let value = try ControlReply.value(inLine: line.readableBytesView[..<end])
                    answer = value
                    guard case .get = request, let object = value.object else { return value }
                    head = SiteHead(
                        mediaType: object["type"]?.string ?? "", size: object["size"]?.int64.map { Int($0) } ?? 0)
                    line.moveReaderIndex(to: end + 1)
                    chunk = line
                }
                received += chunk.readableBytes
                if chunk.readableBytes > 0 { try await body(head, chunk) }
            }
            guard let answer else {
                throw Failure(
                    .unavailable, "the peer that runs on \(folder.path) gave no answer", nextStep: "try again")
            }
            guard received == head.size else {
                throw Failure(
                    .unavailable, "the file broke off after \(received) of \(head.size) bytes", nextStep: "try again")
            }
            return answer
        }
    }
}
