/// The name of a GossipSub message, unique in the network: the author's peer id followed by the sequence number.
///
/// Raw bytes, not text, although older schema files say `string`: a UTF-8 check would break almost every id.
///
/// Source: libp2p pubsub specification, "Message identification".
public struct MessageID: Hashable, Sendable, CustomStringConvertible {
    /// The id as it travels in IHAVE, IWANT and IDONTWANT.
    public let bytes: [UInt8]

    /// All bytes at once: an array feeds the hasher one by one, and ids are looked up for every message and every advert.
    public func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }

    /// Takes the bytes as they are; the caller checks the length.
    public init(_ bytes: some Collection<UInt8>) {
        self.bytes = Array(bytes)
    }

    /// The default id of a message: `from` followed by `seqno`.
    public init(from: some Collection<UInt8>, sequence: some Collection<UInt8>) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(from.count + sequence.count)
        bytes.append(contentsOf: from)
        bytes.append(contentsOf: sequence)
        self.bytes = bytes
    }

    /// Hexadecimal, for logs and tests.
    public var description: String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }
}
