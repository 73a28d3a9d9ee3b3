@testable import P2PCore
import PeerIdentity

private func identity(_ first: UInt8) -> PrivateKey {
    guard let key = try? PrivateKey(ed25519Seed: Array(first..<first + 32)) else { fatalError("a seed of 32 bytes") }
    return key
}

/// Keys and identities are the ones of the transcript in the tests, so that its frames are good seeds.
private let dialer = identity(0)
private let listener = identity(32)
private let dialerKeys = NoiseKeys(
    ephemeralKey: [UInt8](repeating: 2, count: 32), staticKey: [UInt8](repeating: 1, count: 32))
private let listenerKeys = NoiseKeys(
    ephemeralKey: [UInt8](repeating: 4, count: 32), staticKey: [UInt8](repeating: 3, count: 32))

func fuzzMultistream(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let early = input.bool()
    var initiator = MultistreamInitiator(candidates: ["/tls/1.0.0", "/noise"])
    var responder = MultistreamResponder(supported: ["/noise", "/yamux/1.0.0"])
    _ = initiator.start()
    if early { _ = responder.start() }
    var outcomes = 0
    var answered = 0
    while !input.isAtEnd {
        let piece = input.piece()
        if initiator.received(piece).outcome != nil { outcomes += 1 }
        let step = responder.received(piece)
        answered += step.send.count
        if step.outcome != nil { outcomes += 1 }
    }
    require(outcomes <= 2, "each side ends once")
    require(answered <= 1026 + 20 + 4 * Multistream.maximumProposals, "answers are bounded")
}

func fuzzNoiseHandshake(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let role: ConnectionRole = input.bool() ? .initiator : .responder
    guard
        var handshake = try? NoiseHandshake(
            role: role, identity: role == .initiator ? dialer : listener, expectedPeer: nil,
            muxers: ["/yamux/1.0.0"], keys: role == .initiator ? dialerKeys : listenerKeys),
        (try? handshake.start()) != nil
    else { return }
    while !input.isAtEnd {
        guard let step = try? handshake.received(input.longPiece()) else { return }
        guard let (session, leftover) = step.session else { continue }
        // Nobody else holds the keys, so only the transcript's own frames come here.
        require(session.peer == (role == .initiator ? listener : dialer).peerID, "a peer was forged")
        _ = leftover
    }
}

func fuzzNoisePayload(_ bytes: [UInt8]) {
    guard let payload = try? NoisePayload(protobuf: bytes) else { return }
    require(payload.muxers.count <= NoisePayload.maximumMuxers, "muxers are bounded")
    require((try? NoisePayload(protobuf: payload.protobuf)) == payload, "a payload reads back")
    _ = try? payload.verifiedKey(signing: [UInt8](repeating: 3, count: 32))
}

func fuzzNoiseFrame(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var buffer = NoiseFrameBuffer()
    var length = 0
    var taken = 0
    while !input.isAtEnd {
        let piece = input.longPiece()
        length += piece.count
        buffer.append(piece)
        do {
            while let frame = try buffer.next(limit: 1024) { taken += frame.count + 2 }
        } catch {
            return
        }
        require(buffer.rest.count + taken == length, "no byte is lost")
    }
}

func fuzzUpgrade(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let choices = input.byte()
    let role: ConnectionRole = choices & 1 == 1 ? .initiator : .responder
    var upgrade = ConnectionUpgrade(
        role: role,
        configuration: .init(
            identity: role == .initiator ? dialer : listener, security: ["/noise", "/tls/1.0.0"],
            assumeSecurity: choices & 2 == 0 ? nil : choices & 8 == 0 ? "/noise" : "/tls/1.0.0"),
        keys: role == .initiator ? dialerKeys : listenerKeys, offersEarlyMuxer: choices & 4 == 4)
    var ends = 0
    func note(_ actions: [ConnectionUpgrade.Action]) {
        for action in actions {
            switch action {
            case .finished, .failed: ends += 1
            case .send, .startTLS, .presumeTLS: require(ends == 0, "nothing follows the end")
            }
        }
    }
    note(upgrade.start())
    while !input.isAtEnd {
        if input.byte() == 0xff {
            note(
                upgrade.tlsEstablished(peerKey: listener.publicKey, applicationProtocol: input.bool() ? "libp2p" : nil))
        }
        note(upgrade.received(input.longPiece()))
    }
    require(ends <= 1, "an upgrade ends once")
}

func fuzzCertificate(_ bytes: [UInt8]) {
    if let key = try? TLSPeerVerifier(expectedPeer: nil).verify(certificates: [bytes], now: 1_760_000_000) {
        _ = key.peerID
    }
    if let signed = try? SignedKey(der: bytes[...]) {
        guard let again = try? SignedKey(der: signed.der()[...]) else { fatalError("broken law: SignedKey reads back") }
        require(again == signed, "SignedKey reads back")
    }
}
