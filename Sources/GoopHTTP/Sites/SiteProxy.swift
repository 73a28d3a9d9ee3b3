import GoopCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import PeerIdentity

/// Everything under `/p/`: files of peers' sites, streamed as they arrive, each under the sandbox.
///
/// Nothing is stored: each request is one request to the peer.
struct SiteProxy: Sendable {
    let backend: any ViewerBackend
    let headers: SecurityHeaders
    let notices: NoticeRenderer
    let shell: ShellRenderer
    let failures: FailureMemory
    let answerTimeout: Duration
    let stallTimeout: Duration
    let logger: Logger

    /// At the viewer's own address: the shell for a tab, else the file.
    func respond(to admitted: Admitted<ReadRoute>) async -> Response {
        let (request, target) = (admitted.request, admitted.target)
        switch SiteAddress(target) {
        case .noPeer:
            return notices.siteNotice(.noSuchPeer)
        case .redirect(let location):
            let nowhere = headers.siteNotice(styleNonce: "none")
            var fields = nowhere
            fields[.location] = location
            return Response(status: .permanentRedirect, headers: fields)
        case .badPath(_, let problem):
            return notices.siteNotice(.badSitePath(problem))
        case .file(let peer, let path):
            guard !admitted.origin.isTopLevelNavigation else {
                return shell.page(for: peer, who: await name(of: peer), theme: backend.preferences.theme)
            }
            return await open(
                path, of: peer, request: request, target: target, place: .viewer,
                fields: headers.site(of: peer.base58))
        }
    }

    /// Asks the person whether a page elsewhere may lead to this site.
    func askForClick(to peer: PeerID, target: RequestTarget) async -> Response {
        let who = await name(of: peer)
        return notices.siteNotice(.confirmVisit(of: who, address: target.path + target.querySuffix))
    }

    /// On the site's own origin or secret path. A page for the frame of the shell gets the form of `FramePage`.
    func respond(
        to admitted: Admitted<SiteRoute>, of site: PeerID, place: RequestPlace, fields: HTTPFields
    ) async -> Response {
        let (request, target) = (admitted.request, admitted.target)
        switch SiteAddress(target) {
        case .redirect(let location):
            var fields = fields
            fields[.location] = target.prefix + location
            return Response(status: .permanentRedirect, headers: fields)
        case .badPath(_, let problem):
            return notices.siteNotice(.badSitePath(problem), place: place, prefix: target.prefix)
        case .file(site, let path):
            return await open(
                path, of: site, request: request, target: target, place: place, fields: fields,
                isFrame: admitted.origin.isFrame)
        case .file, .noPeer:
            return notices.siteNotice(.noSuchPeer, place: place, prefix: target.prefix)
        }
    }

    private func open(
        _ path: String, of peer: PeerID, request: Request, target: RequestTarget, place: RequestPlace,
        fields: HTTPFields, isFrame: Bool = false
    ) async -> Response {
        if let known = failures.failure(of: peer, now: .now) {
            return await failure(known, peer: peer, target: target, place: place)
        }
        let query = SiteConditions.query(path, method: request.method, fields: request.headers)
        let asked = ContinuousClock.now
        let opened = await withDeadline(answerTimeout, else: .late(answerTimeout)) {
            () async throws(SiteError) -> SiteBody in
            try await backend.openSite(query, of: peer)
        }
        switch opened {
        case .success(let body):
            failures.answered(peer, now: .now)
            return stream(
                body, path: path, request: request, target: target, fields: fields, isFrame: isFrame)
        case .failure(let error):
            failures.record(error, of: peer, asked: asked, now: .now)
            logger.debug("site not shown", metadata: ["peer": "\(peer)", "reason": "\(error.kind.rawValue)"])
            return await failure(error, peer: peer, target: target, place: place)
        }
    }

    private func failure(
        _ error: SiteError, peer: PeerID, target: RequestTarget, place: RequestPlace
    ) async -> Response {
        let address = target.path + target.querySuffix
        // In the frame the bar says whose site it is. A page there is the site's to read, and would tell it its petname.
        let who = place == .viewer ? await name(of: peer) : nil
        let notice = NoticePage(error, peer: peer, who: who, address: address)
        var response = notices.siteNotice(notice, place: place, prefix: target.prefix)
        if notice.status == .serviceUnavailable { response.headers[.retryAfter] = "1" }
        return response
    }

    private func name(of peer: PeerID) async -> String { peer.display(name: await backend.name(of: peer)) }

    private func stream(
        _ body: SiteBody, path: String, request: Request, target: RequestTarget, fields: HTTPFields, isFrame: Bool
    ) -> Response {
        var fields = fields
        let status = SiteConditions.describe(body.head, path: path, target: target, in: &fields)
        let size = max(body.head.size, 0)
        let isFramePage = isFrame && FramePage.isOne(status, fields, size: size)
        if isFramePage { FramePage.describe(size: size, in: &fields) }
        guard request.method == .get, status != .notModified, size > 0 else {
            body.discard()
            return Response(status: status, headers: fields)
        }
        // What is here already leaves with the head, in one piece.
        if var whole = body.whole, whole.readableBytes == size {
            if isFramePage { whole.writeImmutableBuffer(FramePage.end(behind: whole.readableBytesView)) }
            return Response(status: status, headers: fields, body: ResponseBody(byteBuffer: whole))
        }
        let stallTimeout = stallTimeout
        let length = size + (isFramePage ? FramePage.line.utf8.count : 0)
        let content = ResponseBody(contentLength: length) { writer in
            let target = WriterBox(writer: writer)
            let progress = StreamProgress()
            do {
                try await withStallLimit(stallTimeout, of: progress) {
                    try await Self.copy(
                        body, size: size, isFramePage: isFramePage, to: target, progress: progress)
                }
            } catch {
                body.discard()
                throw error
            }
            try await writer.finish(nil)
        }
        return Response(status: status, headers: fields, body: content)
    }

    /// Copies exactly `size` bytes; fewer or a failure end the connection, so that no browser takes a part for the
    /// whole.
    private static func copy(
        _ body: SiteBody, size: Int, isFramePage: Bool, to target: WriterBox, progress: StreamProgress
    ) async throws {
        var copy = BodyCopy(writer: target.writer, remaining: size)
        if let runs = body.runs {
            for try await run in runs {
                progress.advance()
                try await copy.write(run)
                progress.advance()
                if copy.remaining == 0 { break }
            }
        } else {
            for try await chunk in body.chunks {
                progress.advance()
                try await copy.write([chunk])
                progress.advance()
                if copy.remaining == 0 { break }
            }
        }
        guard copy.remaining == 0 else {
            throw SiteError(kind: .protocolViolation, detail: "\(copy.remaining) of \(size) bytes are missing")
        }
        if isFramePage { try await copy.writer.write(FramePage.end(behind: copy.start)) }
    }
}

/// Hands the bytes of a body on, as many as were announced. What came together leaves in one write, which waits while the
/// browser takes nothing.
struct BodyCopy {
    var writer: any ResponseBodyWriter
    /// Bytes that are still to come.
    private(set) var remaining: Int
    /// The first two bytes.
    private(set) var start: [UInt8] = []

    init(writer: any ResponseBodyWriter, remaining: Int) {
        self.writer = writer
        self.remaining = remaining
    }

    /// Writes these buffers; what is beyond the end is left out.
    mutating func write(_ run: [ByteBuffer]) async throws {
        var pieces: [ByteBuffer] = []
        pieces.reserveCapacity(run.count)
        for chunk in run {
            guard let piece = chunk.getSlice(at: chunk.readerIndex, length: min(chunk.readableBytes, remaining)),
                piece.readableBytes > 0
            else { continue }
            remaining -= piece.readableBytes
            if start.count < 2 { start += piece.readableBytesView.prefix(2 - start.count) }
            pieces.append(piece)
        }
        guard let first = pieces.first else { return }
        if pieces.count == 1 { try await writer.write(first) } else { try await writer.write(contentsOf: pieces) }
    }
}

/// Carries a body writer into the one task that uses it. The library's writer is not `Sendable`, because two tasks must not
/// write at once: they do not, for its owner waits for that task and does not write meanwhile.
private struct WriterBox: @unchecked Sendable {
    let writer: any ResponseBodyWriter
}
