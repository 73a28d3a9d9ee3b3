import GoopCore

/// What a command asks of the running peer: one line of JSON over `data/control.sock`, one request a connection.
enum ControlRequest: Sendable, Hashable {
    /// The longest line in bytes.
    static let maximumLine = 16 * 1024 * 1024

    /// Who runs here, and where.
    case status
    /// The peer list.
    case peers
    /// A round trip to a peer, which may take so long.
    case ping(peer: String, patience: Duration)
    /// A file of a site, whose first bytes may take so long; they follow the answer's line.
    case get(peer: String, path: String, patience: Duration)
    /// Who is blocked or muted.
    case decisions
    /// Blocks, mutes, or neither.
    case stand(peer: String, standing: String)
    /// To whom the site is shown: `show`, `everyone`, `only`, `allow` or `revoke`, and whom it is about.
    case audience(action: String, peers: [String])
    /// An operation on the tables, as the owner.
    case data(DataRequest)
    /// Rows for a table, in one transaction; the answer lists those that it refused.
    case insert(table: String, rows: [JSONValue])

    /// The line, with its line feed.
    var encoded: [UInt8] {
        let value: JSONValue =
            switch self {
            case .status: ["command": "status"]
            case .peers: ["command": "peers"]
            case .ping(let peer, let patience):
                ["command": "ping", "peer": .string(peer), "seconds": .integer(patience.components.seconds)]
            case .get(let peer, let path, let patience):
                [
                    "command": "get", "peer": .string(peer), "path": .string(path),
                    "seconds": .integer(patience.components.seconds),
                ]
            case .decisions: ["command": "decisions"]
            case .stand(let peer, let standing):
                ["command": "stand", "peer": .string(peer), "standing": .string(standing)]
            case .audience(let action, let peers):
                [
                    "command": "audience", "action": .string(action), "peers": .array(peers.map { .string($0) }),
                ]
            case .data(let request): ["command": "data", "request": request.json]
            case .insert(let table, let rows):
                ["command": "insert", "table": .string(table), "rows": .array(rows)]
            }
        return JSONWriter.compact(value) + [0x0A]
    }

    /// Reads a line.
    init(line: some Collection<UInt8>) throws(Failure) {
        let limits = JSONParser.Limits(bytes: ControlRequest.maximumLine, depth: 12, values: 400_000)
        guard let object = (try? JSONParser.parse(line, limits: limits))?.object else {
            throw Failure(.protocolViolation, "the request is no JSON object", nextStep: "use the goop2 program")
        }
        func text(_ key: String) throws(Failure) -> String {
            guard let text = object[key]?.string else {
                throw Failure(.protocolViolation, "the request has no \(key)", nextStep: "use the goop2 program")
            }
            return text
        }
        var patience: Duration { .seconds(min(max(object["seconds"]?.int64 ?? 10, 1), 300)) }
        switch try text("command") {
        case "status": self = .status
        case "peers": self = .peers
        case "ping": self = .ping(peer: try text("peer"), patience: patience)
        case "get": self = .get(peer: try text("peer"), path: try text("path"), patience: patience)
        case "decisions": self = .decisions
        case "stand": self = .stand(peer: try text("peer"), standing: try text("standing"))
        case "audience":
            self = .audience(
                action: try text("action"), peers: (object["peers"]?.array ?? []).compactMap(\.string))
        case "data":
            do throws(DataError) { self = .data(try DataRequest(json: object["request"] ?? .null)) } catch {
                throw error.failure(of: nil)
            }
        case "insert": self = .insert(table: try text("table"), rows: object["rows"]?.array ?? [])
        case let other:
            throw Failure(
                .protocolViolation, "the running peer does not know the command \(other.prefix(40))",
                nextStep: "restart it, so that both are of the same version")
        }
    }
}
