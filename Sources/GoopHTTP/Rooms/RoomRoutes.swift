import GoopCore
import HTTPTypes
import HummingbirdCore
import NIOCore
import PeerIdentity

/// What the pages of the rooms ask of the viewer, under `/api/rooms/`, and the pictures under `/api/avatar`.
///
/// GET answers to the viewer's own pages only; every POST passes the control guard before anything is looked at.
struct RoomRoutes: Sendable {
    static let prefix = "/api/rooms/"

    let rooms: ViewerRooms
    let control: ControlGuard
    let headers: SecurityHeaders
    /// Of the Data room, at every name.
    let transfers: TransferPlaces

    private var data: DataRoom { DataRoom(desk: rooms.data, book: rooms.book, routes: self) }
    private var pictures: PictureRoom { PictureRoom(desk: rooms.pictures, routes: self) }
    private var transfer: DataTransfer { DataTransfer(desk: rooms.data, routes: self, places: transfers) }

    /// The GET routes; nil when the path is none of them.
    func get(_ request: Request, target: RequestTarget) async -> Response? {
        if let response = await pictures.get(request, target: target) { return response }
        guard let name = target.path.dropping(prefix: Self.prefix) else { return nil }
        switch name {
        case "peers": return await PeersRoom(book: rooms.book, routes: self).known()
        case "peers/latency": return await PeersRoom(book: rooms.book, routes: self).latencies()
        case "site": return await SiteRoom(desk: rooms.site, routes: self).sheet()
        case "site/text": return await SiteRoom(desk: rooms.site, routes: self).text(target)
        case "qr.svg": return code(target)
        case "site/audience": return await AccessRoom(access: rooms.access, routes: self).audience()
        case "site/visitors": return await AccessRoom(access: rooms.access, routes: self).visitors()
        case "settings": return await SettingsRoom(desk: rooms.settings, routes: self).sheet()
        case "restart": return SettingsRoom(desk: rooms.settings, routes: self).run(rooms.restarter)
        case "network":
            guard let network = rooms.network else { return closed }
            return encoded(await network.network())
        case "network/log":
            guard let network = rooms.network else { return closed }
            return encoded(await network.log())
        case "data/tables": return await data.tables()
        case "data/visitors": return await data.visitors()
        case "data/export": return await transfer.export(request, query: target.query ?? "")
        default: return nil
        }
    }

    /// The POST routes that take JSON, but for those of the own site (`SiteRoom.Change`).
    private enum Action: String {
        case decideAboutPeer = "peers/decide"
        case readRows = "data/rows"
        case readValue = "data/value"
        case writeRow = "data/write"
        case decideAudience = "site/audience"
        case checkSettings = "settings/check"
        case saveSettings = "settings/save"
        case restart
    }

    /// The POST routes; nil when the path is none of them.
    func post(_ request: Request, target: RequestTarget) async -> Response? {
        if let response = await pictures.post(request, target: target) { return response }
        guard let name = target.path.dropping(prefix: Self.prefix).map(String.init) else { return nil }
        if name == SiteRoom.upload { return await upload(request, target: target) }
        if name == "data/import" { return await transfer.importRows(request, query: target.query ?? "") }
        let (change, action) = (SiteRoom.Change(rawValue: name), Action(rawValue: name))
        guard change != nil || action != nil else { return nil }
        let limit = DataRoom.bodies[name] ?? ControlGuard.maximumBodyBytes
        switch await control.admit(request, place: .viewer, maximumBodyBytes: limit) {
        case .refused(let response): return response
        case .admitted(let body):
            guard
                let object = (try? JSONParser.parse(body.readableBytesView, limits: .init(bytes: limit)))?.object
            else { return refuse(.badRequest, "bad JSON", "an object is needed") }
            if let change { return await SiteRoom(desk: rooms.site, routes: self).change(change, object) }
            let settings = SettingsRoom(desk: rooms.settings, routes: self)
            switch action {
            case nil: return nil
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
    }

    /// A file of any length, which the room reads as it arrives; the guard looks at everything but the body.
    private func upload(_ request: Request, target: RequestTarget) async -> Response {
        if let refused = control.refusal(
            of: request, place: .viewer, type: "application/octet-stream", maximumBodyBytes: SiteEditor.maximumFileBytes
        ) {
            return refused
        }
        return await SiteRoom(desk: rooms.site, routes: self).upload(request, target: target)
    }

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
