import PeerIdentity

/// The choice of the muxer by multistream inside the secured connection, for peers that did not choose it earlier.
struct MuxerChoice: Sendable {
    private enum Negotiation {
        case initiator(MultistreamInitiator)
        case responder(MultistreamResponder)
    }

    private var negotiation: Negotiation
    private let peer: PeerID
    private let peerKey: PublicKey
    /// Nil over TLS, where the bytes come opened.
    private var noise: NoiseSession?
    private var sealed = NoiseFrameBuffer()

    init(role: ConnectionRole, muxers: [ProtocolID], noise: NoiseSession) {
        self.init(role: role, muxers: muxers, peer: noise.peer, peerKey: noise.peerKey, noise: noise)
    }

    init(role: ConnectionRole, muxers: [ProtocolID], tlsPeer: (PeerID, PublicKey)) {
        self.init(role: role, muxers: muxers, peer: tlsPeer.0, peerKey: tlsPeer.1, noise: nil)
    }

    private init(role: ConnectionRole, muxers: [ProtocolID], peer: PeerID, peerKey: PublicKey, noise: NoiseSession?) {
        self.peer = peer
        self.peerKey = peerKey
        self.noise = noise
        negotiation =
            switch role {
            case .initiator: .initiator(MultistreamInitiator(candidates: muxers))
            case .responder: .responder(MultistreamResponder(supported: Set(muxers)))
            }
    }

    mutating func start() throws(UpgradeError) -> [UInt8] {
        let step: MultistreamStep
        switch negotiation {
        case .initiator(var initiator):
            step = initiator.start()
            negotiation = .initiator(initiator)
        case .responder(var responder):
            step = responder.start()
            negotiation = .responder(responder)
        }
        if case .failed(let error) = step.outcome { throw .muxerNegotiation(error) }
        return try seal(step.send)
    }

    mutating func received(_ bytes: ArraySlice<UInt8>) throws(UpgradeError) -> ([UInt8], ConnectionUpgrade.Result?) {
        guard noise != nil else { return try negotiate(bytes) }
        sealed.append(bytes)
        var send: [UInt8] = []
        while let opened = try nextOpenedFrame() {
            let (answer, result) = try negotiate(opened[...])
            send += answer
            if let result { return (send, result) }
        }
        return (send, nil)
    }

    private mutating func negotiate(
        _ bytes: ArraySlice<UInt8>
    ) throws(UpgradeError) -> ([UInt8], ConnectionUpgrade.Result?) {
        let step: MultistreamStep
        switch negotiation {
        case .initiator(var initiator):
            step = initiator.received(bytes)
            negotiation = .initiator(initiator)
        case .responder(var responder):
            step = responder.received(bytes)
            negotiation = .responder(responder)
        }
        let send = try seal(step.send)
        switch step.outcome {
        case nil: return (send, nil)
        case .failed(let error): throw .muxerNegotiation(error)
        case .agreed(let muxer, let leftover):
            let result = ConnectionUpgrade.Result(
                peer: peer, peerKey: peerKey,
                security: noise == nil ? ConnectionUpgrade.tlsProtocolID : NoiseHandshake.protocolID, muxer: muxer,
                noise: noise, leftover: sealed.rest, plaintextLeftover: leftover)
            return (send, result)
        }
    }

    /// One frame with its length prefix around `bytes`; nothing around nothing.
    private mutating func seal(_ bytes: [UInt8]) throws(UpgradeError) -> [UInt8] {
        guard !bytes.isEmpty else { return bytes }
        do throws(NoiseError) {
            guard let message = try noise?.sender.sealed(bytes) else { return bytes }
            return [UInt8(truncatingIfNeeded: message.count >> 8), UInt8(truncatingIfNeeded: message.count)] + message
        } catch {
            throw .frame(error)
        }
    }

    /// Takes the next frame and opens it, or gives nil while it is incomplete.
    private mutating func nextOpenedFrame() throws(UpgradeError) -> [UInt8]? {
        do throws(NoiseError) {
            guard let message = try sealed.next(limit: NoiseCipher.maximumMessage) else { return nil }
            return try noise?.receiver.opened(message)
        } catch {
            throw .frame(error)
        }
    }
}
