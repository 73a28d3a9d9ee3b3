import GoopCore
import GoopHTTP
import LibP2P

extension RunningPeer {
    /// Answers a command.
    func answer(_ request: ControlRequest) async -> ControlReply {
        do throws(Failure) {
            switch request {
            case .status: return .value(await status())
            case .peers: return .value(.array(await directory.entries.map { $0.json }))
            case .ping(let text, let patience): return .value(try await ping(text, patience: patience))
            case .get(let text, let path, let patience):
                return .file(try await get(text, path: path, patience: patience))
            case .decisions:
                return .value(.array(await directory.known.filter { $0.standing != .ordinary }.map(\.standingJSON)))
            case .stand(let text, let standing): return .value(try await stand(text, standing))
            case .audience(let action, let peers):
                return .value(try await audience(action, peers))
            case .data(let request):
                do throws(DataError) { return .value(try await tables.perform(request, caller: .owner)) } catch {
                    throw error.failure(of: request)
                }
            case .insert(let table, let rows):
                do throws(DataError) {
                    return .value(.array(try await tables.insert(rows, into: table).map(\.json)))
                } catch {
                    throw error.failure(of: .insert)
                }
            }
        } catch {
            return .failure(error)
        }
    }

    private func status() async -> JSONValue {
        let parts = progress.readiness.components.map { part -> JSONValue in
            ["name": .string(part.name), "ready": .bool(part.isReady), "detail": .string(part.detail)]
        }
        let usage = node.usage
        return [
            "id": .string(node.peerID.base58), "label": .string(own.label),
            "addresses": .array(node.listenAddresses().map { .string($0.description) }), "parts": .array(parts),
            "connections": .integer(usage.connections), "streams": .integer(usage.streams),
        ]
    }

    private func ping(_ text: String, patience: Duration) async throws(Failure) -> JSONValue {
        let (peer, address) = try await resolve(text)
        let answer: JSONValue
        do throws(Failure) {
            answer = try await PeerErrand(node: node, timeout: patience).ping(peer, address: address)
        } catch {
            await directory.doubt(peer)
            throw error
        }
        let name = await directory.name(of: peer)
        guard !name.isEmpty, var object = answer.object else { return answer }
        object["name"] = .string(name)
        return .object(object)
    }

    private func get(_ text: String, path: String, patience: Duration) async throws(Failure) -> SiteBody {
        let (peer, address) = try await resolve(text)
        if let address { node.addAddresses([address], of: peer, source: .configured, ttl: .seconds(60)) }
        do throws(SiteError) {
            return try await backend.patient(patience).openSite(of: peer, path: path)
        } catch {
            throw error.failure
        }
    }

    private func stand(_ text: String, _ name: String) async throws(Failure) -> JSONValue {
        guard let standing = PeerStanding(rawValue: name) else {
            throw Failure(.usage, "\(name.prefix(40)) is no standing", nextStep: "use the goop2 program")
        }
        let peer = try await resolve(text).peer
        do throws(PeerBookError) {
            // A peer that is blocked is listed no longer.
            let isListed = await directory.entry(of: peer) != nil
            let name = await directory.name(of: peer)
            let record = try await book.decide(.standing(standing), about: peer)
            return record.decidedJSON(name: name, isUnseen: record.isUnseen && !isListed)
        } catch {
            guard error.isStored else { throw notStored(error.message) }
            throw Failure(
                .usage, error.message, nextStep: "name another peer; goop2 peers \(self.peer.folder.word) lists them")
        }
    }

    private func audience(_ action: String, _ names: [String]) async throws(Failure) -> JSONValue {
        guard action != "show" else { return await access.audience().json(names: acquaintances()) }
        // Whoever is on the list can be taken off, known or not.
        let guests = await action == "revoke" ? access.audience().guests : []
        var peers: [PeerID] = []
        for name in names { peers.append(try await resolve(name, besides: guests).peer) }
        let decision = try AudienceDecision(action: action, peers: peers)
        do throws(AudienceError) {
            return try await access.decide(decision).json(names: acquaintances())
        } catch {
            guard error.isStored else { throw notStored(error.message) }
            throw Failure(.usage, error.message, nextStep: "see who is named: goop2 site \(peer.folder.word)")
        }
    }

    private func notStored(_ cause: String) -> Failure {
        Failure(.temporary, cause, nextStep: "try again; it is in effect until the next start")
    }

    /// Whoever is remembered, and after them whoever is listed without that.
    private func acquaintances() async -> [KnownPeer] {
        let listed = await directory.entries
        return await directory.known
            + listed.map {
                KnownPeer(
                    id: $0.id, label: $0.label, addresses: $0.addresses, lastSeenMilliseconds: $0.lastSeenMilliseconds,
                    petname: $0.petname)
            }
    }

    /// - Parameter others: those who can be named by their ids though they are neither listed nor remembered.
    private func resolve(
        _ text: String, besides others: [PeerID] = []
    ) async throws(Failure) -> (peer: PeerID, address: Multiaddr?) {
        let listed = await directory.entries
        var ids = Set(listed.map(\.id))
        // Those who are not listed, the blocked for one, are named too.
        let remembered = await directory.known.filter { ids.insert($0.id).inserted }
        let unknown = others.filter { ids.insert($0).inserted }
        return try PeerName.resolve(
            text,
            among: listed.map { PeerName.Candidate($0) } + remembered.map { PeerName.Candidate($0) }
                + unknown.map { PeerName.Candidate($0) },
            own: PeerName.Candidate(id: node.peerID, label: own.label, petname: ""),
            nextStep: "see the list: goop2 peers \(peer.folder.word)")
    }
}

extension PeerEntry {
    /// The entry as the commands print it.
    var json: JSONValue {
        var object: JSONObject = [
            "id": .string(id.base58), "label": .string(label), "state": .string(stateName),
            "path": .string(path.rawValue),
            "last_seen": .integer(lastSeenMilliseconds), "version": .string(clientVersion),
            "addresses": .array(addresses.map { .string($0.description) }),
            "petname": .string(petname), "favorite": .bool(favorite), "muted": .bool(isMuted),
            "sources": .array(sources.map(\.rawValue).sorted().map { .string($0) }),
        ]
        if !email.isEmpty { object["email"] = .string(email) }
        if let offlineSinceMilliseconds { object["offline_since"] = .integer(offlineSinceMilliseconds) }
        if let unreachableReason { object["reason"] = .string(unreachableReason) }
        return .object(object)
    }

}

extension SiteError {
    /// The failure of a command that this means.
    var failure: Failure {
        let facts = detail.isEmpty ? "" : ": \(detail)"
        let tried = attempts.map { "\n  tried \($0.address): \($0.reason)" }.joined()
        return switch kind {
        case .badRequest:
            Failure(.usage, "the path cannot be asked for\(facts)", nextStep: "write it as /folder/file.html")
        case .notFound: Failure(.noInput, "the site has no such file\(facts)", nextStep: "check the path")
        case .forbidden where isUnreadable:
            Failure(
                .permission, "the system does not let this program read that file",
                nextStep: "allow it: chmod -R u+rX, and the folder of the site")
        case .forbidden:
            Failure(
                .permission, "that part of the site is not shown to visitors\(facts)",
                nextStep: "ask for another path, for example /")
        case .notInvited:
            Failure(
                .permission, "the peer shows its site to certain people only\(facts)",
                nextStep: "ask its owner to name you: goop2 site FOLDER --allow YOUR-ID")
        case .disabled:
            Failure(
                .unavailable, "the peer serves no site\(facts)", nextStep: "ask its owner whether it is to have one")
        case .tooLarge:
            Failure(.data, "the file is too large\(facts)", nextStep: "ask its owner for a smaller file")
        case .timedOut: Failure(.unavailable, "the peer did not answer in time\(facts)", nextStep: "try again")
        case .unreachable:
            Failure(
                .unavailable, "the peer was not reached\(facts)\(tried)",
                nextStep: "check that it runs, and that no firewall is in between")
        case .protocolViolation:
            Failure(
                .protocolViolation, "the peer's answer makes no sense\(facts)",
                nextStep: "try again; if it stays, one of the two needs a newer version")
        case .blocked:
            Failure(.permission, "you have blocked this peer", nextStep: "goop2 block DIR PEER --undo takes that back")
        case .busy: Failure(.temporary, "the peer is busy\(facts)", nextStep: "try again in a moment")
        }
    }
}
