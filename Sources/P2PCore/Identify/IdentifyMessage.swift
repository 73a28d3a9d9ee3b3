public import Multiformats

/// The two protocols of identify.
public enum Identify {
    /// The opener asks, the other side sends its messages and closes.
    public static let protocolID: ProtocolID = "/ipfs/id/1.0.0"
    /// The opener sends its messages and closes.
    public static let pushProtocolID: ProtocolID = "/ipfs/id/push/1.0.0"
}

/// Why an identify exchange was refused.
public enum IdentifyError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A message is longer than allowed.
    case messageTooLong(limit: Int)
    /// More messages than allowed.
    case tooManyMessages(limit: Int)
    /// The stream ended inside a message.
    case truncated
    /// The bytes are no such message.
    case malformed
    /// The public key is not the one the connection was secured with.
    case wrongKey
    /// The stream ended without any message.
    case empty

    /// For people and logs.
    public var description: String {
        switch self {
        case .messageTooLong(let limit): "a message of the peer about itself is longer than \(limit) bytes"
        case .tooManyMessages(let limit): "the peer sent more than \(limit) messages about itself"
        case .truncated: "the stream ended inside the peer's message about itself"
        case .malformed: "the peer's message about itself cannot be read"
        case .wrongKey: "the peer named another key than the one that the connection is secured with"
        case .empty: "the stream ended before the peer said anything about itself"
        }
    }
}

/// One identify message as it is sent.
///
/// Wire shape: proto2, each message preceded by its length as an unsigned varint. Fields: 1 publicKey bytes, 2 listenAddrs repeated
/// bytes, 3 protocols repeated string, 4 observedAddr bytes, 5 protocolVersion string, 6 agentVersion string, 8
/// signedPeerRecord bytes.
///
/// Source: libp2p specs, identify, r1; field 8 from specs#709.
public struct IdentifyMessage: Sendable, Equatable {
    /// The sender's public key, as protobuf.
    public var publicKey: [UInt8]?
    /// Where the sender listens; most useful first.
    public var listenAddresses: [Multiaddr] = []
    /// Protocols the sender accepts.
    public var protocols: [ProtocolID] = []
    /// The receiver's address as the sender sees it.
    public var observedAddress: Multiaddr?
    /// Free text.
    public var protocolVersion: String?
    /// `name/version`.
    public var agentVersion: String?
    /// A sealed `PeerRecord`.
    public var signedPeerRecord: [UInt8]?

    /// An empty message.
    public init() {}

    /// The message in wire form, cut to what every peer reads.
    ///
    /// Addresses at the end are dropped until protocols and addresses fit into a message; with a signed record, and longer than 2,048
    /// bytes together, the record goes into a second message.
    public func encoded(limits: IdentifyLimits = IdentifyLimits()) -> [UInt8] {
        var reduced = self
        reduced.signedPeerRecord = nil
        var body = reduced.body()
        while body.count > limits.writtenMessageBytes - 256, !reduced.listenAddresses.isEmpty {
            reduced.listenAddresses.removeLast()
            body = reduced.body()
        }
        while body.count > limits.writtenMessageBytes, !reduced.protocols.isEmpty {
            reduced.protocols.removeLast()
            body = reduced.body()
        }
        var bytes: [UInt8] = []
        guard let record = self.signedPeerRecord, record.count + 4 <= limits.writtenMessageBytes else {
            Self.frame(body, into: &bytes)
            return bytes
        }
        var second = ProtobufWriter()
        second.append(8, bytes: record)
        if body.count + second.bytes.count > limits.splitBytes {
            Self.frame(body, into: &bytes)
            Self.frame(second.bytes, into: &bytes)
        } else {
            Self.frame(body + second.bytes, into: &bytes)
        }
        return bytes
    }

    private static func frame(_ body: [UInt8], into bytes: inout [UInt8]) {
        Varint.append(UInt64(body.count), to: &bytes)
        bytes += body
    }

    private func body() -> [UInt8] {
        var writer = ProtobufWriter()
        if let key = self.publicKey { writer.append(1, bytes: key) }
        for address in self.listenAddresses { writer.append(2, bytes: address.bytes) }
        for name in self.protocols { writer.append(3, string: name.name) }
        if let observed = self.observedAddress { writer.append(4, bytes: observed.bytes) }
        if let version = self.protocolVersion { writer.append(5, string: version) }
        if let version = self.agentVersion { writer.append(6, string: version) }
        return writer.bytes
    }

    /// What was taken of all messages of an answer so far.
    struct Kept: Sendable {
        var nameBytes = 0
        var addressBytes = 0
    }

    /// Merges the fields of one message: repeated ones append up to their bounds, others replace. Addresses that cannot be
    /// decoded are skipped.
    mutating func merge(
        _ body: ArraySlice<UInt8>, limits: IdentifyLimits, kept: inout Kept
    ) throws(IdentifyError) {
        var reader = ProtobufReader(body)
        while true {
            let field: ProtobufField?
            do { field = try reader.next() } catch { throw .malformed }
            guard let field else { return }
            switch field.number {
            case 1: self.publicKey = field.bytes.map(Array.init)
            case 2:
                guard self.listenAddresses.count < limits.addresses, let bytes = field.bytes else { continue }
                guard kept.addressBytes + bytes.count <= limits.keptBytes else { continue }
                if let address = try? Multiaddr(bytes: bytes), !address.bytes.isEmpty {
                    self.listenAddresses.append(address)
                    kept.addressBytes += bytes.count
                }
            case 3:
                guard self.protocols.count < limits.protocols, let name = field.string,
                    !name.isEmpty, name.utf8.count <= limits.protocolBytes,
                    kept.nameBytes + name.utf8.count <= limits.keptBytes
                else { continue }
                self.protocols.append(ProtocolID(name))
                kept.nameBytes += name.utf8.count
            case 4: self.observedAddress = field.bytes.flatMap { try? Multiaddr(bytes: $0) }
            case 5: self.protocolVersion = field.string.map { Self.cut($0, limits.versionBytes) }
            case 6: self.agentVersion = field.string.map { Self.cut($0, limits.versionBytes) }
            case 8: self.signedPeerRecord = field.bytes.map(Array.init)
            default: continue
            }
        }
    }

    private static func cut(_ text: String, _ bytes: Int) -> String {
        guard text.utf8.count > bytes else { return text }
        // Not within a character: what replaces half of one may be longer than the half.
        var end = text.utf8.index(text.startIndex, offsetBy: bytes)
        while UTF8.isContinuation(text.utf8[end]) { text.utf8.formIndex(before: &end) }
        return String(decoding: text.utf8[..<end], as: UTF8.self)
    }
}
