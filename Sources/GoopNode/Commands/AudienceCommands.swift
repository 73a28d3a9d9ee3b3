public import GoopCore
import GoopHTTP
import PeerIdentity

extension PeerCommands {
    /// Shows or decides to whom the site is shown; at once, and over restarts.
    /// - Parameters:
    ///   - action: `show`, `everyone`, `only`, `allow` or `revoke`.
    ///   - peers: ids, or names of those who are known.
    /// - Returns: an object with `audience` (`everyone` or `named`) and `guests` (objects with `id` and `name`; and with `unseen`,
    ///   which is true, if nothing was ever heard of that peer).
    /// - Throws: `Failure`.
    public func audience(_ action: String, peers: [String] = []) async throws -> JSONValue {
        if client.isPeerRunning { return try await client.ask(.audience(action: action, peers: peers)) }
        let prepared = try PreparedPeer.open(folder, options: .init(createsMissing: false, takesLock: action != "show"))
        defer { prepared.release() }
        let known: [KnownPeer]
        do throws(Failure) { known = try await folder.knownPeers() } catch {
            // Whoever is named by an id is let in and shown out without that file.
            guard peers.allSatisfy({ PeerName.id(in: $0) != nil }) else { throw error }
            known = []
        }
        var configuration = prepared.configuration
        if action != "show" {
            var ids: [PeerID] = []
            // Whoever is on the list can be taken off, known or not.
            let guests = action == "revoke" ? configuration.siteGuests : []
            let candidates =
                known.map { PeerName.Candidate($0) }
                + guests.map { PeerName.Candidate($0) }
                .filter { guest in !known.contains { $0.id == guest.id } }
            for name in peers {
                ids.append(
                    try PeerName.resolve(name, among: candidates, nextStep: PeerName.nextStepWhileStopped).peer)
            }
            let decision = try AudienceDecision(action: action, peers: ids)
            do throws(AudienceRefusal) {
                try configuration.decide(decision, owner: prepared.identity.peerID)
            } catch {
                throw Failure(.usage, "\(error)", nextStep: "see who is named: goop2 site \(folder.word)")
            }
            do throws(FileFault) { try AtomicFile.write(configuration.encoded(), to: folder.configurationFile) } catch {
                throw error.failure
            }
        }
        return AudienceSheet(name: configuration.siteAudience.name, guests: configuration.siteGuests).json(names: known)
    }
}

extension AudienceDecision {
    /// The decision that a word of a command means.
    init(action: String, peers: [PeerID]) throws(Failure) {
        switch action {
        case "everyone": self = .everyone
        case "only": self = .only(peers)
        case "allow": self = .allow(peers)
        case "revoke": self = .revoke(peers)
        default:
            throw Failure(
                .usage, "\(action.prefix(40)) is nothing that an audience can be told",
                nextStep: "use the goop2 program")
        }
    }
}

extension AudienceSheet {
    /// As the commands print it.
    func json(names: [KnownPeer]) -> JSONValue {
        let known = Dictionary(names.map { ($0.id, $0) }) { first, _ in first }
        return [
            "audience": .string(name.rawValue),
            "guests": .array(
                guests.map { guest in
                    let peer = known[guest] ?? KnownPeer(id: guest)
                    var object: JSONObject = ["id": .string(guest.base58), "name": .string(peer.shownName)]
                    if peer.isUnseen { object["unseen"] = true }
                    return .object(object)
                }),
        ]
    }
}
