public import Multiformats
public import PeerIdentity

/// Reads an identify answer or push: length-prefixed messages until the end of the stream, merged into one.
///
/// Buffers at most one message, so at most `IdentifyLimits.messageBytes` and its length.
public struct IdentifyReader: Sendable {
    private let limits: IdentifyLimits
    private var reader: LengthPrefixedReader
    private var messages = 0
    private var merged = IdentifyMessage()
    private var kept = IdentifyMessage.Kept()

    /// A reader that has seen nothing.
    public init(limits: IdentifyLimits = IdentifyLimits()) {
        self.limits = limits
        self.reader = LengthPrefixedReader(limit: limits.messageBytes)
    }

    /// Takes the next bytes of the stream, cut anywhere.
    public mutating func received(_ bytes: some Collection<UInt8>) throws(IdentifyError) {
        self.reader.append(bytes)
        while let message = try self.next() {
            guard self.messages < self.limits.messages else { throw .tooManyMessages(limit: self.limits.messages) }
            self.messages += 1
            try self.merged.merge(message, limits: self.limits, kept: &self.kept)
        }
    }

    private mutating func next() throws(IdentifyError) -> ArraySlice<UInt8>? {
        do throws(LengthPrefixError) { return try self.reader.next() } catch {
            switch error {
            case .malformedLength: throw .malformed
            case .tooLong(_, let limit): throw .messageTooLong(limit: limit)
            }
        }
    }

    /// The stream has ended: checks what was said against who said it.
    ///
    /// A signed record that is not the peer's own, or whose signature is wrong, is ignored as a whole.
    /// - Parameters:
    ///   - peer: whom the connection was secured with.
    ///   - remote: where the peer is, as we see it; decides which of its addresses can be of use to us.
    public func finish(peer: PeerID, remote: Multiaddr?) throws(IdentifyError) -> IdentifyInfo {
        guard self.reader.isEmpty else { throw .truncated }
        guard self.messages > 0 else { throw .empty }
        if let claimed = self.merged.publicKey {
            guard let parsed = try? PublicKey(protobuf: claimed), parsed.peerID == peer else { throw .wrongKey }
        }
        var record: PeerRecord?
        if let sealed = self.merged.signedPeerRecord {
            record = Self.verified(sealed, by: peer)
        }
        let claimed = record?.addresses ?? self.merged.listenAddresses
        let addresses = AddressSelection.usable(claimed.prefix(self.limits.addresses), via: remote)
        return IdentifyInfo(
            peer: peer, agentVersion: self.merged.agentVersion ?? "",
            protocolVersion: self.merged.protocolVersion ?? "",
            protocols: self.merged.protocols, listenAddresses: addresses,
            observedAddress: self.merged.observedAddress, signedRecord: record)
    }

    private static func verified(_ sealed: [UInt8], by peer: PeerID) -> PeerRecord? {
        guard let envelope = try? SignedEnvelope(protobuf: sealed),
            let record = try? PeerRecord(verifying: envelope), record.peer == peer
        else { return nil }
        return record
    }
}

/// What a peer said of itself.
public struct IdentifyInfo: Sendable, Hashable {
    /// Who.
    public let peer: PeerID
    /// Its software, `name/version`; empty if it did not say. Text made by a stranger, at most 256 bytes.
    public let agentVersion: String
    /// Free text; empty if it did not say.
    public let protocolVersion: String
    /// What it accepts.
    public let protocols: [ProtocolID]
    /// Where it listens, as far as that can be of use to us, without `/p2p` part.
    public let listenAddresses: [Multiaddr]
    /// Our own address as it sees it.
    public let observedAddress: Multiaddr?
    /// Its signed record, if one came and is valid.
    public let signedRecord: PeerRecord?

    /// All of it.
    public init(
        peer: PeerID, agentVersion: String, protocolVersion: String, protocols: [ProtocolID],
        listenAddresses: [Multiaddr], observedAddress: Multiaddr?, signedRecord: PeerRecord?
    ) {
        self.peer = peer
        self.agentVersion = agentVersion
        self.protocolVersion = protocolVersion
        self.protocols = protocols
        self.listenAddresses = listenAddresses
        self.observedAddress = observedAddress
        self.signedRecord = signedRecord
    }

    /// Whether the peer said that it accepts `protocolID`.
    public func supports(_ protocolID: ProtocolID) -> Bool { self.protocols.contains(protocolID) }
}
