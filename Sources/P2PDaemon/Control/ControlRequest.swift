import Multiformats
import PeerIdentity

/// Why a request is answered with an error. The connection goes on with the next one.
enum ControlRequestError: Error, Equatable, CustomStringConvertible {
    case malformed(ProtobufError)
    case missingField(String)
    case unknownType(UInt64)
    case invalidPeer
    case invalidAddress
    case invalidText(String)
    case tooMany(String, limit: Int)

    var description: String {
        switch self {
        case .malformed(let error): "malformed request: \(error)"
        case .missingField(let name): "malformed request; missing parameter \(name)"
        case .unknownType(let number): "unknown request type \(number)"
        case .invalidPeer: "malformed request; the peer id is not valid"
        case .invalidAddress: "malformed request; an address is not valid"
        case .invalidText(let name): "malformed request; \(name) is not UTF-8, or longer than 1024 bytes"
        case .tooMany(let name, let limit): "malformed request; more than \(limit) \(name)"
        }
    }
}

/// What a client asks of the daemon.
///
/// Wire shape: protobuf; field 1 is the type, and the field of that type's own message holds the parameters. Unknown fields
/// are skipped. Durations travel in whole seconds; absent, zero and negative ones leave the choice to the daemon, and none is
/// longer than `maximumTimeout`.
enum ControlRequest: Equatable {
    case identify
    case connect(peer: PeerID, addresses: [Multiaddr], timeout: Duration?)
    case disconnect(peer: PeerID)
    case openStream(peer: PeerID, protocols: [String], timeout: Duration?)
    case handleStreams(address: Multiaddr, protocols: [String], isBalanced: Bool)
    case listPeers
    case distributedHashTable
    case tagPeer(peer: PeerID, tag: String, weight: Int)
    case untagPeer(peer: PeerID, tag: String)
    case trimConnections
    case topics
    case topicPeers(topic: String)
    case publish(topic: String, data: [UInt8])
    case subscribe(topic: String)
    case peerProtocols(peer: PeerID)
    case peerInfo(peer: PeerID)

    static let maximumTimeout = Duration.seconds(600)
    static let maximumProtocols = 64
    static let maximumAddresses = 128
    static let maximumTextLength = 1024

    init(protobuf: ArraySlice<UInt8>) throws(ControlRequestError) {
        let request = try RequestFields(protobuf)
        guard let type = request.number(1) else { throw .missingField("type") }
        switch type {
        case 0: self = .identify
        case 1: self = try Self.connect(request.message(2, "connect"))
        case 2: self = try Self.openStream(request.message(3, "streamOpen"))
        case 3: self = try Self.handleStreams(request.message(4, "streamHandler"))
        case 4: self = .distributedHashTable
        case 5: self = .listPeers
        case 6: self = try Self.connectionManager(request.message(6, "connManager"))
        case 7: self = .disconnect(peer: try request.message(7, "disconnect").peer(1))
        case 8: self = try Self.pubSub(request.message(8, "pubsub"))
        case 9: self = try Self.peerStore(request.message(9, "peerStore"))
        case let other: throw .unknownType(other)
        }
    }

    private static func connect(_ fields: RequestFields) throws(ControlRequestError) -> ControlRequest {
        .connect(peer: try fields.peer(1), addresses: try fields.addresses(2), timeout: fields.timeout(3))
    }

    private static func openStream(_ fields: RequestFields) throws(ControlRequestError) -> ControlRequest {
        .openStream(peer: try fields.peer(1), protocols: try fields.protocols(2), timeout: fields.timeout(3))
    }

    private static func handleStreams(_ fields: RequestFields) throws(ControlRequestError) -> ControlRequest {
        guard let address = try fields.addresses(1).last else { throw .missingField("addr") }
        return .handleStreams(
            address: address, protocols: try fields.protocols(2), isBalanced: fields.number(3) ?? 0 != 0)
    }

    private static func connectionManager(_ fields: RequestFields) throws(ControlRequestError) -> ControlRequest {
        switch fields.number(1) {
        case nil: throw .missingField("type")
        case 0?:
            let weight = Int(truncatingIfNeeded: fields.number(4) ?? 0)
            return .tagPeer(peer: try fields.peer(2), tag: try fields.text(3, "tag"), weight: weight)
        case 1?: return .untagPeer(peer: try fields.peer(2), tag: try fields.text(3, "tag"))
        case 2?: return .trimConnections
        case let other?: throw .unknownType(other)
        }
    }

    private static func pubSub(_ fields: RequestFields) throws(ControlRequestError) -> ControlRequest {
        switch fields.number(1) {
        case nil: throw .missingField("type")
        case 0?: return .topics
        case 1?: return .topicPeers(topic: try fields.text(2, "topic"))
        case 2?: return .publish(topic: try fields.text(2, "topic"), data: Array(fields.bytes(3) ?? []))
        case 3?: return .subscribe(topic: try fields.text(2, "topic"))
        case let other?: throw .unknownType(other)
        }
    }

    private static func peerStore(_ fields: RequestFields) throws(ControlRequestError) -> ControlRequest {
        switch fields.number(1) {
        case nil: throw .missingField("type")
        case 1?: return .peerProtocols(peer: try fields.peer(2))
        case 2?: return .peerInfo(peer: try fields.peer(2))
        case let other?: throw .unknownType(other)
        }
    }
}

/// The fields of one message of a request, found by number.
private struct RequestFields {
    private let fields: [ProtobufField]

    init(_ bytes: ArraySlice<UInt8>) throws(ControlRequestError) {
        // More fields than the fullest sensible request has are not kept.
        let limit = 512
        var reader = ProtobufReader(bytes)
        var fields: [ProtobufField] = []
        do {
            while let field = try reader.next() {
                if fields.count == limit { break }
                fields.append(field)
            }
        } catch {
            throw .malformed(error)
        }
        guard fields.count < limit else { throw .tooMany("fields", limit: limit - 1) }
        self.fields = fields
    }

    /// Of a field that is there more than once the last counts.
    func number(_ number: Int) -> UInt64? { fields.last { $0.number == number }?.varint }

    func bytes(_ number: Int) -> ArraySlice<UInt8>? { fields.last { $0.number == number }?.bytes }

    func message(_ number: Int, _ name: String) throws(ControlRequestError) -> RequestFields {
        guard let bytes = bytes(number) else { throw .missingField(name) }
        return try RequestFields(bytes)
    }

    func peer(_ number: Int) throws(ControlRequestError) -> PeerID {
        guard let bytes = bytes(number) else { throw .missingField("peer") }
        do { return try PeerID(multihash: bytes) } catch { throw .invalidPeer }
    }

    func text(_ number: Int, _ name: String) throws(ControlRequestError) -> String {
        guard let bytes = bytes(number) else { throw .missingField(name) }
        return try Self.text(bytes, name)
    }

    func addresses(_ number: Int) throws(ControlRequestError) -> [Multiaddr] {
        let values = fields.filter { $0.number == number }.compactMap(\.bytes)
        guard values.count <= ControlRequest.maximumAddresses else {
            throw .tooMany("addresses", limit: ControlRequest.maximumAddresses)
        }
        var addresses: [Multiaddr] = []
        for value in values {
            do { addresses.append(try Multiaddr(bytes: value)) } catch { throw .invalidAddress }
        }
        return addresses
    }

    func protocols(_ number: Int) throws(ControlRequestError) -> [String] {
        let values = fields.filter { $0.number == number }.compactMap(\.bytes)
        guard !values.isEmpty else { throw .missingField("proto") }
        guard values.count <= ControlRequest.maximumProtocols else {
            throw .tooMany("protocols", limit: ControlRequest.maximumProtocols)
        }
        var names: [String] = []
        for value in values { names.append(try Self.text(value, "proto")) }
        return names
    }

    func timeout(_ number: Int) -> Duration? {
        guard let seconds = self.number(number).map(Int64.init(bitPattern:)), seconds > 0 else { return nil }
        return min(.seconds(seconds), ControlRequest.maximumTimeout)
    }

    private static func text(_ bytes: ArraySlice<UInt8>, _ name: String) throws(ControlRequestError) -> String {
        guard bytes.count <= ControlRequest.maximumTextLength, let text = String(validating: bytes, as: UTF8.self)
        else {
            throw .invalidText(name)
        }
        return text
    }
}
