import GoopCore
import HummingbirdCore
import PeerIdentity

/// Behind the My site room: to whom the site is shown, and who is visiting.
struct AccessRoom: Sendable {
    let access: (any SiteAccess)?
    let routes: RoomRoutes

    /// `{"audience":"everyone"|"named","guests":[{"id","label","petname"}]}`; a guest of whom nothing was ever heard has
    /// `"unseen":true` too.
    func audience() async -> Response {
        guard let access else { return routes.closed }
        return routes.answer(await Self.json(access.audience(), access))
    }

    /// `{"visitors":[{"id","label","petname","path","since","last","requests","here","pages"}]}`: who is here first. Times are
    /// UNIX milliseconds.
    func visitors() async -> Response {
        guard let access else { return routes.closed }
        return routes.answer(["visitors": await Self.visitors(access)])
    }

    /// One of `{"audience":"everyone"|"named"}`, `{"only":[ids]}`, `{"allow":[ids]}`, `{"revoke":[ids]}` → the audience as it
    /// is then.
    func decide(_ object: JSONObject) async -> Response {
        guard let access else { return routes.closed }
        do throws(AudienceError) {
            guard let decision = try Self.decision(object) else {
                return routes.refuse(.badRequest, "nothing is decided", "audience, only, allow or revoke")
            }
            return routes.answer(await Self.json(try await access.decide(decision), access))
        } catch {
            return routes.refuse(error.isStored ? .badRequest : .internalFailure, error.message, "")
        }
    }

    private static func decision(_ object: JSONObject) throws(AudienceError) -> AudienceDecision? {
        if let name = object["audience"]?.string.flatMap(SiteAudience.Name.init(rawValue:)) {
            return name == .everyone ? .everyone : .named
        }
        if let peers = try peers(object["only"]) { return .only(peers) }
        if let peers = try peers(object["allow"]) { return .allow(peers) }
        // Who is named by a slip can be taken off.
        return try peers(object["revoke"], takesSlips: true).map { .revoke($0) }
    }

    private static func peers(_ value: JSONValue?, takesSlips: Bool = false) throws(AudienceError) -> [PeerID]? {
        guard let texts = value?.array else { return nil }
        var peers: [PeerID] = []
        for text in texts {
            guard let peer = text.string.flatMap({ PeerID($0) }) else {
                throw AudienceError(message: "that is no id of a peer; it begins with 12D3Koo or Qm")
            }
            guard takesSlips || peer.canBeOfAKey else {
                throw AudienceError(message: "nobody can have that id; copy it again, whole")
            }
            peers.append(peer)
        }
        return peers
    }

    // MARK: Shapes

    static func json(_ sheet: AudienceSheet, _ access: any SiteAccess) async -> JSONValue {
        var guests: [JSONValue] = []
        for guest in sheet.guests {
            let known = await access.known(guest)
            var row = named(guest, known)
            if known?.isUnseen ?? true { row["unseen"] = true }
            guests.append(.object(row))
        }
        return ["audience": .string(sheet.name.rawValue), "guests": .array(guests)]
    }

    static func visitors(_ access: any SiteAccess) async -> JSONValue {
        var rows: [JSONValue] = []
        for visitor in await access.visitors() {
            var row = named(visitor.peer, await access.known(visitor.peer))
            row["path"] = .string(visitor.path)
            row["since"] = .integer(visitor.firstSeenMilliseconds)
            row["last"] = .integer(visitor.lastSeenMilliseconds)
            row["requests"] = .integer(visitor.requests)
            row["here"] = .bool(visitor.isHere)
            row["pages"] = .integer(visitor.openPages)
            rows.append(.object(row))
        }
        return .array(rows)
    }

    private static func named(_ peer: PeerID, _ known: KnownPeer?) -> JSONObject {
        [
            "id": .string(peer.base58), "label": .string(known?.label ?? ""), "petname": .string(known?.petname ?? ""),
        ]
    }
}
