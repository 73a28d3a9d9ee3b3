import GoopCore
import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import PeerIdentity
import Synchronization

/// The data routes: what pages ask of the tables of a peer, over the connection to that peer.
///
/// Answers are JSON: the bare value, or `{"error","code","detail"}` with the status of the code. Nothing is kept.
/// Source: viewer wire reference, section 3, and our additions in docs/protocols.md.
struct DataProxy: Sendable {
    /// The largest request body, in bytes.
    static let maximumBodyBytes = 1 << 20
    /// Tables of one stream: as many as a peer lets one visitor watch.
    static let maximumTables = DataProtocol.maximumWatchesPerPeer

    let backend: any ViewerBackend
    let failures: FailureMemory
    let events: DataEvents
    /// For streams of the viewer's own pages; those of sites have places of their own.
    let ownPlaces: StreamPlaces
    /// From the request to the answer of the owner.
    let answerTimeout: Duration
    let logger: Logger

    init(
        backend: any ViewerBackend, failures: FailureMemory, places: StreamPlaces, ownPlaces: StreamPlaces,
        configuration: ViewerConfiguration, logger: Logger
    ) {
        self.backend = backend
        self.failures = failures
        self.ownPlaces = ownPlaces
        events = DataEvents(
            backend: backend, places: places, heartbeat: configuration.heartbeat, pauses: configuration.watchPauses)
        answerTimeout = configuration.dataAnswerTimeout
        self.logger = logger
    }

    /// Answers a request to a data route.
    ///
    /// The caller has checked that the request comes from the place it claims, and for `.viewer` the token too.
    /// - Parameters:
    ///   - address: of the request.
    ///   - place: who asks. A site reaches its own peer's tables only; the viewer the owner's only.
    ///   - headers: the header fields of that place.
    func respond(
        to request: Request, address: DataAddress, query: String?, place: RequestPlace, headers: HTTPFields
    ) async -> Response {
        var headers = headers
        headers[.cacheControl] = "no-store"
        do throws(DataError) {
            let peer = try await peer(of: address, place: place)
            if address.suffix == "subscribe" {
                return try await subscribe(
                    to: request, peer: peer, query: query, places: place == .viewer ? ownPlaces : events.places,
                    headers: headers)
            }
            let answer = try await perform(request, address: address, peer: peer, place: place)
            return try DataFailure.json(answer, headers: headers)
        } catch {
            return DataFailure.response(error, headers: headers)
        }
    }

    /// Whose tables these are.
    private func peer(of address: DataAddress, place: RequestPlace) async throws(DataError) -> PeerID {
        let own = await backend.selfProfile().id
        let peer = address.peer ?? own
        switch place {
        case .viewer:
            guard peer == own else {
                throw DataError(
                    code: .refused, message: "not from here",
                    detail: "the tables of another peer are reached from that peer's site only")
            }
        case .site(let site), .capability(let site):
            guard address.peer == site else {
                throw DataError(
                    code: .refused, message: "not from here", detail: "a site reaches the tables of its own peer only")
            }
        }
        return peer
    }

    private func perform(
        _ request: Request, address: DataAddress, peer: PeerID, place: RequestPlace
    ) async throws(DataError) -> DataAnswer {
        guard let method = DataTranslation.method(of: address.suffix) else {
            throw DataError(
                code: .unknownOperation, message: "unknown operation", detail: String(address.suffix.prefix(100)))
        }
        if place != .viewer, DataTranslation.viewerOnly.contains(address.suffix) {
            throw DataError(
                code: .refused, message: "not from a page",
                detail: "the owner does this in the viewer, on the page Data")
        }
        var body = JSONObject()
        if method == .post || request.method == .post { body = try await self.body(of: request) }
        let wire = try DataTranslation.request(suffix: address.suffix, body: body)
        let command = try DataRequest(json: wire)
        if let known = failures.failure(of: peer, now: .now) { throw DataError(known) }
        let backend = backend
        let answer = await withDeadline(answerTimeout, else: .late(answerTimeout)) {
            () async throws(DataError) -> DataAnswer in
            try await backend.data(command, of: peer)
        }
        do throws(DataError) {
            return try answer.get()
        } catch {
            logger.debug("data refused", metadata: ["peer": "\(peer)", "reason": "\(error.code.rawValue)"])
            throw error
        }
    }

    /// The members of the body: a JSON object of at most `maximumBodyBytes`.
    private func body(of request: Request) async throws(DataError) -> JSONObject {
        guard request.method == .post else {
            throw DataError(code: .badRequest, message: "POST is needed", detail: "with a JSON object as body")
        }
        try checkType(of: request)
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > Self.maximumBodyBytes {
            throw tooLarge()
        }
        var bytes = ByteBuffer()
        do {
            for try await chunk in request.body {
                guard bytes.readableBytes + chunk.readableBytes <= Self.maximumBodyBytes else { throw tooLarge() }
                bytes.writeImmutableBuffer(chunk)
            }
        } catch let error as DataError {
            throw error
        } catch {
            throw DataError(code: .badRequest, message: "the request ended early", detail: "")
        }
        if bytes.readableBytes == 0 { return [:] }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONParser.parse(bytes.readableBytesView, limits: .init(bytes: Self.maximumBodyBytes))
        } catch {
            throw DataError(code: .badRequest, message: "bad JSON", detail: "\(error)")
        }
        guard let object = value.object else {
            throw DataError(
                code: .badRequest, message: "bad JSON", detail: "an object is needed, not \(value.kindName)")
        }
        return object
    }

    /// A browser sends `application/json` to another origin only after asking, so no page elsewhere can get a request
    /// in here by a form. Programs that are no browsers may leave the type out.
    private func checkType(of request: Request) throws(DataError) {
        let isBrowser = request.headers[.secFetchSite] != nil || request.headers[.origin] != nil
        let essence = (request.headers[.contentType] ?? "").prefix { $0 != ";" }.lowercased()
        guard essence == "application/json" || (!isBrowser && essence.isEmpty) else {
            throw DataError(
                code: .badRequest, message: "application/json is needed",
                detail: "send the header Content-Type: application/json")
        }
    }

    private func tooLarge() -> DataError {
        DataError(
            code: .tooLarge, message: "the request is too large", detail: "at most \(Self.maximumBodyBytes) bytes")
    }

    private func subscribe(
        to request: Request, peer: PeerID, query: String?, places: StreamPlaces, headers: HTTPFields
    ) async throws(DataError) -> Response {
        guard request.method == .get else {
            throw DataError(code: .badRequest, message: "GET is needed", detail: "this is a stream of events")
        }
        let tables = try DataProxy.tables(in: query ?? "")
        if tables.count == 1 { try DataProxy.check(tables[0]) }
        guard let place = places.take(for: peer, upTo: tables.count) else { throw DataProxy.tooManyPages }
        if let known = failures.failure(of: peer, now: .now) { throw DataError(known) }
        if tables.count == 1 {
            // A refusal is the answer, with its status: there is nothing else that the stream could tell.
            let changes = try await changes(of: tables[0], peer: peer)
            return events.response(to: request, tables: tables, place: place, headers: headers) { _ in changes }
        }
        let withPlace = Mutex(Set(tables.prefix(place.count)))
        return events.response(to: request, tables: tables, place: place, headers: headers) {
            (table) async throws(DataError) in
            try DataProxy.check(table)
            // One that found none at first looks for one at each try: other pages are closed meanwhile.
            let hasPlace = withPlace.withLock { withPlace in
                if !withPlace.contains(table), place.takeAnother() { withPlace.insert(table) }
                return withPlace.contains(table)
            }
            guard hasPlace else { throw DataProxy.tooManyPages }
            return try await changes(of: table, peer: peer)
        }
    }

    /// The tables of a stream, each once; at least one.
    private static func tables(in query: String) throws(DataError) -> [String] {
        var tables: [String] = []
        for table in QueryText.values(of: "table", in: query) {
            guard let table else { throw noTable }
            if !tables.contains(table) { tables.append(table) }
            guard tables.count <= maximumTables else {
                throw DataError(
                    code: .badRequest, message: "too many tables", detail: "a stream tells of at most \(maximumTables)")
            }
        }
        guard !tables.isEmpty else { throw noTable }
        return tables
    }

    private static func check(_ table: String) throws(DataError) {
        guard !table.isEmpty, table.utf8.count <= 64 else { throw noTable }
    }

    private static let noTable = DataError(
        code: .badRequest, message: "table is missing", detail: "subscribe?table=NAME")
    private static let tooManyPages = DataError(
        code: .busy, message: "too many open pages", detail: "close pages that watch tables of this site")

    private func changes(of table: String, peer: PeerID) async throws(DataError) -> DataEvents.Changes {
        let backend = backend
        let changes = await withDeadline(answerTimeout, else: .late(answerTimeout)) {
            () async throws(DataError) -> DataEvents.Changes in
            try await backend.dataChanges(of: peer, table: table)
        }
        return try changes.get()
    }
}

/// Errors of the data routes as answers.
enum DataFailure {
    /// `{"error","code","detail"}`: upstream's text first, then what programs and people need.
    static func body(of error: DataError) -> JSONValue {
        ["error": .string(error.message), "code": .string(error.code.rawValue), "detail": .string(error.detail)]
    }

    /// - Parameter kind: goes into the answer, if there is one, for pages that do something about such a refusal.
    static func response(_ error: DataError, headers: HTTPFields, kind: String? = nil) -> Response {
        var headers = headers
        if error.code.httpStatus == 503 { headers[.retryAfter] = "1" }
        // The rest of a body that was not read would be taken for the next request.
        if error.code == .tooLarge || error.code == .badRequest { headers[.connection] = "close" }
        let status = HTTPResponse.Status(code: error.code.httpStatus)
        guard let kind else { return json(body(of: error), headers: headers, status: status) }
        let told: JSONValue = [
            "error": .string(error.message), "code": .string(error.code.rawValue), "detail": .string(error.detail),
            "kind": .string(kind),
        ]
        return json(told, headers: headers, status: status)
    }

    /// An answer whose text counts until the browser has taken it, or has gone.
    /// - Throws: `busy` or `tooLarge` if there is no room for the text: it is up to six times as long as what came.
    static func json(_ answer: DataAnswer, headers: HTTPFields) throws(DataError) -> Response {
        guard let share = answer.share else { return json(answer.value, headers: headers) }
        let held = answer.value.heldBytes
        guard held > AnswerRoom.shortAnswerBytes else { return json(answer.value, headers: headers) }
        let length = JSONWriter.compactLength(of: answer.value)
        // While it is written it may get room for twice as much.
        try share.hold(held + 2 * length)
        let text = JSONWriter.compact(answer.value)
        try share.hold(text.capacity)
        var headers = headers
        headers[.contentType] = "application/json"
        let body = ResponseBody(contentLength: text.count) { writer in
            // Each part is a copy: one that waits in the connection would hold on to the whole behind the share's back.
            for start in stride(from: 0, to: text.count, by: partBytes) {
                try await writer.write(ByteBuffer(bytes: text[start..<min(start + partBytes, text.count)]))
            }
            withExtendedLifetime(share) {}
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: headers, body: body)
    }

    /// Written at one time.
    private static let partBytes = 64 << 10

    static func json(_ value: JSONValue, headers: HTTPFields, status: HTTPResponse.Status = .ok) -> Response {
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(
            status: status, headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSONWriter.compact(value))))
    }
}

extension DataError {
    /// Why nothing of a peer's site can be had.
    init(_ error: SiteError) {
        if error.kind == .notInvited {
            self.init(
                code: .refused, message: "not invited", detail: "the owner shows this site to certain people only")
            return
        }
        self.init(
            code: error.kind == .timedOut ? .timedOut : .unreachable, message: "peer unreachable", detail: error.detail)
    }
}
