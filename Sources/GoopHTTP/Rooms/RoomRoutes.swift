import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// What the pages of the rooms ask of the viewer, under `/api/rooms/`, and the pictures under `/api/avatar`.
struct RoomRoutes: Sendable {
    let rooms: ViewerRooms
    let headers: SecurityHeaders
    /// Of the Data room, at every name.
    let transfers: TransferPlaces

    private var data: DataRoom { DataRoom(desk: rooms.data, book: rooms.book, routes: self) }
    /// The pictures.
    var pictures: PictureRoom { PictureRoom(desk: rooms.pictures, routes: self) }
    private var transfer: DataTransfer { DataTransfer(desk: rooms.data, routes: self, places: transfers) }

    /// What a room shows.
    enum Sheet: CaseIterable {
        case knownPeers, latencies, site, siteText, code, audience, visitors, settings, run, network, networkLog
        case dataTables, dataVisitors, export
    }

    func get(_ sheet: Sheet, _ admitted: Admitted<ReadRoute>) async -> Response {
        switch sheet {
        case .knownPeers: return await PeersRoom(book: rooms.book, routes: self).known()
        case .latencies: return await PeersRoom(book: rooms.book, routes: self).latencies()
        case .site: return await SiteRoom(desk: rooms.site, routes: self).sheet()
        case .siteText: return await SiteRoom(desk: rooms.site, routes: self).text(admitted.target)
        case .code: return code(admitted.target)
        case .audience: return await AccessRoom(access: rooms.access, routes: self).audience()
        case .visitors: return await AccessRoom(access: rooms.access, routes: self).visitors()
        case .settings: return await SettingsRoom(desk: rooms.settings, routes: self).sheet()
        case .run: return SettingsRoom(desk: rooms.settings, routes: self).run(rooms.restarter)
        case .network:
            guard let network = rooms.network else { return closed }
            return encoded(await network.network())
        case .networkLog:
            guard let network = rooms.network else { return closed }
            return encoded(await network.log())
        case .dataTables: return await data.tables()
        case .dataVisitors: return await data.visitors()
        case .export: return await transfer.export(admitted)
        }
    }

    /// What is asked for with JSON, but for the changes of the own site (`SiteRoom.Change`).
    enum Action: CaseIterable {
        case decideAboutPeer, readRows, readValue, writeRow, decideAudience, checkSettings, saveSettings, restart
    }

    func post(_ action: Action, _ admitted: Admitted<ChangeRoute>) async -> Response {
        guard let object = parsed(admitted) else { return noObject }
        let settings = SettingsRoom(desk: rooms.settings, routes: self)
        switch action {
        case .decideAboutPeer: return await PeersRoom(book: rooms.book, routes: self).decide(object)
        case .readRows: return await data.rows(object)
        case .readValue: return await data.value(object)
        case .writeRow: return await data.write(object)
        case .decideAudience: return await AccessRoom(access: rooms.access, routes: self).decide(object)
        case .restart: return await settings.restart(rooms.restarter)
        case .checkSettings: return await settings.apply(object, isOnlyCheck: true)
        case .saveSettings: return await settings.apply(object, isOnlyCheck: false)
        }
    }

    func post(_ change: SiteRoom.Change, _ admitted: Admitted<ChangeRoute>) async -> Response {
        guard let object = parsed(admitted) else { return noObject }
        return await SiteRoom(desk: rooms.site, routes: self).change(change, object)
    }

    /// A file of the own site, which the room reads as it arrives.
    func upload(_ admitted: Admitted<ChangeRoute>) async -> Response {
        await SiteRoom(desk: rooms.site, routes: self).upload(admitted)
    }

    /// A file of rows, likewise.
    func importRows(_ admitted: Admitted<ChangeRoute>) async -> Response { await transfer.importRows(admitted) }

    private func parsed(_ admitted: Admitted<ChangeRoute>) -> JSONObject? {
        let body = admitted.body.readableBytesView
        return (try? JSONParser.parse(body, limits: .init(bytes: body.count)))?.object
    }

    private var noObject: Response { refuse(.badRequest, "bad JSON", "an object is needed") }

    /// `?text=` as a QR code: an image for a page of the viewer.
    private func code(_ target: RequestTarget) -> Response {
        guard let text = QueryText.value(of: "text", in: target.query ?? ""), let code = QRCode(text) else {
            return refuse(.badRequest, "no code of this", "a text of at most \(QRCode.maximumBytes) bytes is needed")
        }
        var fields = headers.viewer()
        fields[.contentType] = "image/svg+xml"
        return Response(status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(string: code.svg)))
    }

    /// Nothing stands behind the room.
    var closed: Response { refuse(.notFound, "this room is closed", "the peer has no such part") }

    func answer(_ value: JSONValue) -> Response { DataFailure.json(value, headers: headers.viewer()) }

    func encoded(_ value: some Encodable) -> Response {
        var fields = headers.viewer()
        fields[.contentType] = "application/json"
        return Response(
            status: .ok, headers: fields, body: ResponseBody(byteBuffer: ByteBuffer(bytes: JSONText.encode(value))))
    }

    func refuse(_ code: DataErrorCode, _ message: String, _ detail: String) -> Response {
        DataFailure.response(DataError(code: code, message: message, detail: detail), headers: headers.viewer())
    }
}
