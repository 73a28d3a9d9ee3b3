import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import Synchronization

/// Files of rows, in and out of the Data room: never whole in memory.
struct DataTransfer: Sendable {
    /// The longest file that is read, in bytes.
    static let maximumImportBytes = 64 << 30
    /// Files on their way at once, in both directions together.
    static let maximumTransfers = 4

    let desk: (any DataDesk)?
    let routes: RoomRoutes
    let places: TransferPlaces

    /// The form of the rows that are sent.
    static func form(in query: String) -> RowForm {
        RowForm(rawValue: QueryText.value(of: "form", in: query) ?? "csv") ?? .csv
    }

    /// `GET export?table=T&form=csv|json`: a download.
    func export(_ admitted: Admitted<ReadRoute>) async -> Response {
        let (request, query) = (admitted.request, admitted.target.query ?? "")
        guard let desk else { return routes.closed }
        guard let table = QueryText.value(of: "table", in: query), DataName.isUserTable(table) else {
            return routes.refuse(.badRequest, "table is missing", "export?table=NAME&form=csv")
        }
        guard let form = RowForm(rawValue: QueryText.value(of: "form", in: query) ?? "csv") else {
            return routes.refuse(.badRequest, "unknown form", "csv or json")
        }
        guard let place = places.take() else { return busy() }
        // A table that is not there is told before the download begins.
        do throws(DataError) { _ = try await desk.perform(DataRequest(op: .describe, table: table)) } catch {
            return routes.refuse(error.code, error.message, error.detail)
        }
        var fields = routes.headers.viewer()
        fields[.contentType] = form.mediaType + (form == .csv ? "; charset=utf-8; header=present" : "")
        fields[.contentDisposition] = "attachment; filename=\"\(table).\(form.rawValue)\""
        guard request.method == .get else { return Response(status: .ok, headers: fields) }
        let body = ResponseBody { writer in
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                try await desk.export(table, as: form) { try await writer.write($0) }
            }
            withExtendedLifetime(place) {}
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: fields, body: body)
    }

    /// `POST import?table=T&form=csv|json[&system=1]` with the file as body and its media type →
    /// `{"added","refused","lines":[{"line","reason"}],"skipped":[…],"fault":{"error","code","detail"} or null}`.
    func importRows(_ admitted: Admitted<ChangeRoute>) async -> Response {
        let query = admitted.target.query ?? ""
        guard let desk else { return unread(routes.closed) }
        guard let table = QueryText.value(of: "table", in: query), DataName.isUserTable(table) else {
            return unread(routes.refuse(.badRequest, "table is missing", "import?table=NAME&form=csv"))
        }
        guard let place = places.take() else { return unread(busy()) }
        var source = BodySource(admitted.request.body)
        let report = await desk.importRows(
            into: table, as: Self.form(in: query), keepsSystemColumns: QueryText.value(of: "system", in: query) == "1",
            next: { try await source.next() })
        withExtendedLifetime(place) {}
        let answer = routes.answer([
            "added": .integer(report.added), "refused": .integer(report.refused),
            "lines": .array(report.lines.map { ["line": .integer($0.number), "reason": .string($0.reason)] }),
            "skipped": .array(report.skippedColumns.map { .string($0) }),
            "fault": report.fault.map(DataFailure.body) ?? .null,
        ])
        return report.fault == nil ? answer : unread(answer)
    }

    private func busy() -> Response {
        routes.refuse(.busy, "too many files at once", "at most \(Self.maximumTransfers); wait for one to end")
    }

    /// What is left of the body would be taken for the next request.
    private func unread(_ response: Response) -> Response {
        var response = response
        response.headers[.connection] = "close"
        return response
    }
}

/// The bytes of a request, counted: the announced length is not the real one.
private struct BodySource {
    private var chunks: RequestBody.AsyncIterator
    private var left = DataTransfer.maximumImportBytes

    init(_ body: RequestBody) { chunks = body.makeAsyncIterator() }

    mutating func next() async throws -> ByteBuffer? {
        guard let chunk = try await chunks.next() else { return nil }
        left -= chunk.readableBytes
        guard left >= 0 else {
            throw DataError(
                code: .tooLarge, message: "the file is too large",
                detail: "at most \(DataTransfer.maximumImportBytes >> 30) GiB")
        }
        return chunk
    }
}

/// How many files may be on their way at once.
final class TransferPlaces: Sendable {
    /// One file on its way; its place is given back when the last reference goes.
    final class Place: Sendable {
        private let places: TransferPlaces

        fileprivate init(_ places: TransferPlaces) { self.places = places }

        deinit { places.free.withLock { $0 += 1 } }
    }

    fileprivate let free = Mutex(DataTransfer.maximumTransfers)

    /// Nil if all are taken.
    func take() -> Place? {
        let isFree = free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
        return isFree ? Place(self) : nil
    }
}
