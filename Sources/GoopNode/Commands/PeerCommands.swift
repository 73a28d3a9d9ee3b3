public import GoopCore
import GoopHTTP
import GoopStore
import LibP2P
public import Logging
public import NIOCore
public import NIOPosix

/// What the commands do, apart from parsing and printing: they ask the peer that runs on the folder, or, where that makes
/// sense, do it themselves with a node that lives only for it.
public struct PeerCommands: Sendable {
    let folder: PeerFolder
    private let group: any EventLoopGroup
    private let logger: Logger

    /// Makes commands about a folder.
    public init(
        folder: PeerFolder, eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton, logger: Logger
    ) {
        self.folder = folder
        self.group = eventLoopGroup
        self.logger = logger
    }

    /// The id and the label of a folder's peer, whether it runs or not.
    /// - Returns: an object with `id`, `label`, `base36`, `running` and `folder`.
    /// - Throws: `Failure`.
    public func identity() throws -> JSONValue {
        let peer = try PreparedPeer.open(folder, options: .init(createsMissing: false, takesLock: false))
        let id = peer.identity.peerID
        return [
            "id": .string(id.base58), "label": .string(peer.configuration.profile.label), "base36": .string(id.base36),
            "running": .bool(client.isPeerRunning), "folder": .string(folder.path),
        ]
    }

    /// The peer list of the running peer: an array of objects.
    /// - Throws: `Failure`; without a running peer of kind `.unavailable`.
    public func peers() async throws -> JSONValue {
        guard client.isPeerRunning else {
            try requireFolder()
            throw Failure(
                .unavailable, "no peer runs on \(folder.path), so nobody keeps a list",
                nextStep: "start it: goop2 peer \(folder.word)")
        }
        return try await client.ask(.peers)
    }

    /// A round trip to a peer.
    /// - Parameters:
    ///   - peer: an id, an address that ends in one, or, with a running peer, the name of somebody it knows.
    ///   - patience: how long a peer that is not known yet is looked for.
    /// - Returns: an object with `peer`, `milliseconds`, `path` and `address`, and with `name` where it is known by one.
    /// - Throws: `Failure`.
    public func ping(_ peer: String, patience: Duration = .seconds(10)) async throws -> JSONValue {
        if client.isPeerRunning { return try await client.ask(.ping(peer: peer, patience: patience)) }
        return try await ShortLivedNode(folder: folder, group: group, logger: logger, patience: patience)
            .run(with: peer) { node, peer in
                try await PeerErrand(node: node, timeout: patience).ping(peer, address: nil)
            }
    }

    /// Fetches a file of a site; the bytes go to `body` as they come.
    /// - Parameters: as for `ping`.
    /// - Returns: an object with `type` and `size`.
    /// - Throws: `Failure`.
    public func get(
        _ peer: String, path: String, patience: Duration = .seconds(10),
        body: @escaping @Sendable (ByteBuffer) async throws -> Void
    ) async throws -> JSONValue {
        if client.isPeerRunning {
            let request = ControlRequest.get(peer: peer, path: path, patience: patience)
            return try await client.ask(request) { _, chunk in try await body(chunk) }
        }
        return try await ShortLivedNode(folder: folder, group: group, logger: logger, patience: patience)
            .run(with: peer) { node, peer in
                do {
                    var client = SiteClient(node: node)
                    client.answerTimeout = patience
                    let site = try await client.open(try SitePath(path), of: peer)
                    for try await chunk in site.chunks { try await body(chunk) }
                    return ["type": .string(site.head.mediaType), "size": .integer(site.head.size)]
                } catch let error as SiteError {
                    throw error.failure
                }
            }
    }

    /// Who is blocked or muted: an array of objects with `peer`, `label`, `petname` and `standing`.
    /// - Throws: `Failure`.
    public func decisions() async throws -> JSONValue {
        if client.isPeerRunning { return try await client.ask(.decisions) }
        let prepared = try PreparedPeer.open(folder, options: .init(createsMissing: false))
        defer { prepared.release() }
        let store = try folder.openPeerStore()
        defer { try? store.close() }
        let known = try await folder.peers(in: store)
        return .array(known.filter { $0.standing != .ordinary }.map(\.standingJSON))
    }

    /// Decides how the owner stands to a peer; at once, and over restarts.
    /// - Parameters:
    ///   - peer: an id, or a name of somebody who is known.
    /// - Returns: an object with `peer` and `standing`; with `name` where the peer is known by one; and with `unseen`,
    ///   which is true, if nothing was ever heard of it.
    /// - Throws: `Failure`.
    public func stand(_ peer: String, _ standing: PeerStanding) async throws -> JSONValue {
        if client.isPeerRunning { return try await client.ask(.stand(peer: peer, standing: standing.rawValue)) }
        let prepared = try PreparedPeer.open(folder, options: .init(createsMissing: false))
        defer { prepared.release() }
        let store = try folder.openPeerStore()
        defer { try? store.close() }
        let known = try await folder.peers(in: store)
        let (id, _) = try PeerName.resolve(
            peer, among: known.map { PeerName.Candidate($0) },
            own: PeerName.Candidate(
                id: prepared.identity.peerID, label: prepared.configuration.profile.label, petname: ""),
            nextStep: PeerName.nextStepWhileStopped)
        var records = PeerRecords(ownID: prepared.identity.peerID, known: known)
        let decided: PeerRecords.Decided
        do throws(PeerRecords.Refusal) { decided = try records.setStanding(standing, of: id) } catch {
            throw Failure(
                .usage, "\(error)", nextStep: "name another peer; goop2 peers \(folder.word) lists them")
        }
        try await folder.save(decided, in: store)
        return decided.record.decidedJSON(name: decided.record.shownName, isUnseen: decided.record.isUnseen)
    }

    var client: ControlClient { ControlClient(folder: folder, group: group) }

    private func requireFolder() throws {
        _ = try PreparedPeer.open(folder, options: .init(createsMissing: false, takesLock: false))
    }
}

extension KnownPeer {
    /// As a command answers that decides about the peer.
    func decidedJSON(name: String, isUnseen: Bool) -> JSONValue {
        var object: JSONObject = ["peer": .string(id.base58), "standing": .string(standing.rawValue)]
        if !name.isEmpty { object["name"] = .string(name) }
        if isUnseen { object["unseen"] = true }
        return .object(object)
    }

    /// As the commands print who is blocked or muted.
    var standingJSON: JSONValue {
        [
            "peer": .string(id.base58), "label": .string(label), "petname": .string(petname),
            "standing": .string(standing.rawValue),
        ]
    }
}
