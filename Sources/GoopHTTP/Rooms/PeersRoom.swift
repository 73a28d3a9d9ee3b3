import GoopCore
import HummingbirdCore
import PeerIdentity

/// Behind the Peers room: `known`, `latency`, `decide`.
struct PeersRoom: Sendable {
    let book: (any PeerBook)?
    let routes: RoomRoutes

    /// `{"blocked":[{"id","label","petname",…}],"named":[…]}`: those that the live list does not hold, and those that the
    /// owner has given a name.
    func known() async -> Response {
        guard let book else { return routes.closed }
        let known = await book.known()
        let blocked = known.filter { $0.standing == .blocked }
        let named = known.filter { $0.standing != .blocked && !$0.petname.isEmpty }
        return routes.answer(["blocked": .array(blocked.map(json)), "named": .array(named.map(json))])
    }

    /// `{"<id>": milliseconds}` of connected peers, measured now.
    func latencies() async -> Response {
        guard let book else { return routes.closed }
        let found = await book.latencies()
        return routes.encoded(Dictionary(uniqueKeysWithValues: found.map { ($0.key.base58, $0.value) }))
    }

    /// `{"id", and one of "petname", "favorite", "standing"}` → the record as it is then.
    func decide(_ object: JSONObject) async -> Response {
        guard let book else { return routes.closed }
        guard let peer = object["id"]?.string.flatMap({ PeerID($0) }) else {
            return routes.refuse(.badRequest, "id is missing", "the id of a peer")
        }
        // Who is remembered by a slip can be let go; nobody else becomes known by one.
        if !peer.canBeOfAKey, await !book.known().contains(where: { $0.id == peer }) {
            return routes.refuse(.badRequest, "nobody can have this id", "copy it again, whole")
        }
        let decision: PeerDecision
        if let name = object["petname"]?.string {
            decision = .petname(name)
        } else if let isFavorite = object["favorite"]?.bool {
            decision = .favorite(isFavorite)
        } else if let standing = object["standing"]?.string.flatMap(PeerStanding.init(rawValue:)) {
            decision = .standing(standing)
        } else {
            return routes.refuse(.badRequest, "nothing is decided", "petname, favorite or standing")
        }
        do throws(PeerBookError) {
            return routes.answer(json(try await book.decide(decision, about: peer)))
        } catch {
            return routes.refuse(error.isStored ? .badRequest : .internalFailure, error.message, "")
        }
    }

    private func json(_ peer: KnownPeer) -> JSONValue {
        [
            "id": .string(peer.id.base58), "label": .string(peer.label), "petname": .string(peer.petname),
            "favorite": .bool(peer.isFavorite), "standing": .string(peer.standing.rawValue),
        ]
    }
}
