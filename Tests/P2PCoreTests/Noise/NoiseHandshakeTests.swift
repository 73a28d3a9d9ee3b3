import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@testable import P2PCore

@Suite("Noise pattern")
struct NoisePatternTests {
    @Test("the cacophony vector, both roles")
    func cacophony() throws {
        var initiator = try NoisePattern(
            role: .initiator, prologue: Cacophony.prologue, keys: Cacophony.initiatorKeys)
        var responder = try NoisePattern(
            role: .responder, prologue: Cacophony.prologue, keys: Cacophony.responderKeys)
        for (index, (payload, message)) in Cacophony.handshake.enumerated() {
            let payload = hex(payload)
            let written: [UInt8]
            let read: [UInt8]
            if index == 1 {
                written = try responder.write(payload)
                read = try initiator.read(written[...])
            } else {
                written = try initiator.write(payload)
                read = try responder.read(written[...])
            }
            #expect(written == hex(message))
            #expect(read == payload)
        }
        #expect(initiator.handshakeHash == Cacophony.handshakeHash)
        #expect(responder.handshakeHash == Cacophony.handshakeHash)
        var (initiatorSender, initiatorReceiver) = try initiator.split()
        var (responderSender, responderReceiver) = try responder.split()
        let first = try responderSender.sealed(hex(Cacophony.responderTransport.payload))
        #expect(first == hex(Cacophony.responderTransport.message))
        #expect(try initiatorReceiver.opened(first[...]) == hex(Cacophony.responderTransport.payload))
        let second = try initiatorSender.sealed(hex(Cacophony.initiatorTransport.payload))
        #expect(second == hex(Cacophony.initiatorTransport.message))
        #expect(try responderReceiver.opened(second[...]) == hex(Cacophony.initiatorTransport.payload))
    }

    @Test("messages out of turn are refused")
    func outOfOrder() throws {
        var responder = try NoisePattern(role: .responder, keys: Cacophony.responderKeys)
        #expect(throws: NoiseError.outOfOrder) { try responder.write([]) }
        var initiator = try NoisePattern(role: .initiator, keys: Cacophony.initiatorKeys)
        #expect(throws: NoiseError.outOfOrder) { try initiator.read([]) }
        #expect(throws: NoiseError.outOfOrder) { try initiator.split() }
    }

    @Test(
        "keys of small order are refused",
        arguments: [
            String(repeating: "00", count: 32), "01" + String(repeating: "00", count: 31),
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        ])
    func smallOrder(text: String) throws {
        var responder = try NoisePattern(role: .responder, keys: Cacophony.responderKeys)
        _ = try responder.read(hex(text)[...])
        #expect(throws: NoiseError.invalidPeerKey) { try responder.write([]) }
    }

    @Test("own keys have 32 bytes")
    func ownKeys() {
        let short = NoiseKeys(ephemeralKey: [1], staticKey: [UInt8](repeating: 1, count: 32))
        #expect(throws: NoiseError.invalidOwnKey) { try NoisePattern(role: .initiator, keys: short) }
        #expect("\(short)" == "NoiseKeys(redacted)")
        #expect(!String(reflecting: short).contains("1"))
    }
}

@Suite("Noise handshake")
struct NoiseHandshakeTests {
    @Test("a static key signed once serves many handshakes, each with its own session; never another identity's")
    func signedOnce() throws {
        var generator = SystemRandomNumberGenerator()
        let (one, two, stranger) = (PrivateKey.generate(), PrivateKey.generate(), PrivateKey.generate())
        let (first, second) = (
            try SignedNoiseKey(identity: one, using: &generator), try SignedNoiseKey(identity: two, using: &generator)
        )
        #expect("\(first)" == "SignedNoiseKey(redacted)")
        #expect(String(reflecting: NoiseKeys(signed: first, using: &generator)) == "NoiseKeys(redacted)")
        func session(_ identity: PrivateKey) throws -> NoiseSession {
            var initiator = try NoiseHandshake(
                role: .initiator, identity: identity, expectedPeer: two.peerID, muxers: [],
                keys: NoiseKeys(signed: first, using: &generator))
            var responder = try NoiseHandshake(
                role: .responder, identity: two, expectedPeer: identity.peerID, muxers: [],
                keys: NoiseKeys(signed: second, using: &generator))
            let answer = try responder.received(initiator.start()[...])
            let proof = try initiator.received(answer.send[...])
            var sender = try #require(proof.session).0
            var receiver = try #require(try responder.received(proof.send[...]).session).0
            #expect(try receiver.receiver.opened(try sender.sender.sealed([1, 2, 3])[...]) == [1, 2, 3])
            return sender
        }
        #expect(try session(one).handshakeHash != session(one).handshakeHash)
        // Signed anew, as the stranger that uses it: the responder would refuse the wrong peer.
        #expect(try session(stranger).peer == two.peerID)
    }

    @Test("the libp2p transcript, both roles, byte for byte")
    func transcript() throws {
        let initiatorPeer = try PeerID(text: LibP2PTranscript.initiatorPeer)
        let responderPeer = try PeerID(text: LibP2PTranscript.responderPeer)
        var initiator = try LibP2PTranscript.initiator(expecting: responderPeer)
        var responder = try LibP2PTranscript.responder()
        let frame1 = try initiator.start()
        #expect(frame1 == LibP2PTranscript.frame1)
        let answer = try responder.received(frame1[...])
        #expect(answer.send == LibP2PTranscript.frame2)
        #expect(answer.session == nil)
        let proof = try initiator.received(answer.send[...])
        #expect(proof.send == LibP2PTranscript.frame3)
        var (initiatorSession, _) = try #require(proof.session)
        let end = try responder.received((proof.send + [9, 9])[...])
        #expect(end.send.isEmpty)
        var (responderSession, leftover) = try #require(end.session)
        #expect(leftover == [9, 9])
        #expect(initiatorSession.peer == responderPeer)
        #expect(responderSession.peer == initiatorPeer)
        #expect(initiatorSession.muxer == "/yamux/1.0.0")
        #expect(responderSession.muxer == "/yamux/1.0.0")
        #expect(initiatorSession.handshakeHash == responderSession.handshakeHash)
        let sealed = try initiatorSession.sender.sealed(LibP2PTranscript.transportPlaintext)
        #expect(sealed == Array(LibP2PTranscript.transportFrame.dropFirst(2)))
        #expect(try responderSession.receiver.opened(sealed[...]) == LibP2PTranscript.transportPlaintext)
        let back = try responderSession.sender.sealed([])
        #expect(try initiatorSession.receiver.opened(back[...]).isEmpty)
    }

    @Test("payload protobuf is the vector's, and is read back")
    func payload() throws {
        let payload = try NoisePayload(protobuf: LibP2PTranscript.payload2)
        #expect(payload.protobuf == LibP2PTranscript.payload2)
        #expect(payload.muxers == ["/yamux/1.0.0"])
        #expect(try NoisePayload(protobuf: LibP2PTranscript.payload3).protobuf == LibP2PTranscript.payload3)
    }

    @Test("a muxer list of 101 names is ignored, one of 100 is not")
    func muxerListLimit() throws {
        let names = (0..<101).map { ProtocolID("/m/\($0)") }
        var payload = try NoisePayload(protobuf: LibP2PTranscript.payload2)
        payload.muxers = names
        #expect(try NoisePayload(protobuf: payload.protobuf).muxers.isEmpty)
        payload.muxers.removeLast()
        #expect(try NoisePayload(protobuf: payload.protobuf).muxers.count == 100)
    }

    @Test(
        "the early muxer is the initiator's first that both have",
        arguments: [
            (["/a", "/b"], ["/b", "/a"], "/a"), (["/a", "/b"], ["/b"], "/b"), (["/a"], ["/b"], nil), ([], ["/b"], nil),
            (["/a"], [], nil),
        ] as [([String], [String], String?)])
    func earlyMuxer(offered: [String], supported: [String], expected: String?) throws {
        let initiator = try LibP2PTranscript.initiator(muxers: offered.map { ProtocolID($0) })
        let responder = try LibP2PTranscript.responder(muxers: supported.map { ProtocolID($0) })
        let (first, second) = try complete(initiator, responder)
        #expect(first.muxer == expected.map { ProtocolID($0) })
        #expect(second.muxer == expected.map { ProtocolID($0) })
    }

    @Test("a peer other than the dialed one is refused, with both names")
    func wrongPeer() throws {
        let expected = try PeerID(text: LibP2PTranscript.initiatorPeer)
        let actual = try PeerID(text: LibP2PTranscript.responderPeer)
        var initiator = try LibP2PTranscript.initiator(expecting: expected)
        _ = try initiator.start()
        #expect(throws: NoiseError.wrongPeer(expected: expected, actual: actual)) {
            try initiator.received(LibP2PTranscript.frame2[...])
        }
        #expect(try initiator.received([1, 2, 3]).session == nil)
    }

    @Test("identities of the other kinds, on either side", arguments: ["ecdsa", "rsa"])
    func otherIdentities(file: String) throws {
        let vector = try TestVector.load("keys/\(file).txt")
        let identity = try PrivateKey(protobuf: hex(try #require(vector["private"])))
        let proving = try NoiseHandshake(
            role: .responder, identity: identity, expectedPeer: nil, muxers: [], keys: LibP2PTranscript.responderKeys)
        let (session, _) = try complete(LibP2PTranscript.initiator(expecting: identity.peerID), proving)
        #expect(session.peer == identity.peerID)
        let dialling = try NoiseHandshake(
            role: .initiator, identity: identity, expectedPeer: nil, muxers: [], keys: LibP2PTranscript.initiatorKeys)
        let (_, other) = try complete(dialling, LibP2PTranscript.responder(expecting: identity.peerID))
        #expect(other.peer == identity.peerID)
    }

    @Test("payloads that prove nothing")
    func badPayloads() throws {
        let identity = try LibP2PTranscript.responderIdentity()
        let valid = try NoisePayload(protobuf: LibP2PTranscript.payload2)
        var foreignSignature = valid
        foreignSignature.signature = try NoisePayload(protobuf: LibP2PTranscript.payload3).signature
        var shortSignature = valid
        shortSignature.signature.removeLast()
        var withoutPrefix = valid
        withoutPrefix.signature = try identity.sign(hex(String(repeating: "03", count: 32)))
        for payload in [foreignSignature, shortSignature, withoutPrefix] {
            #expect(throws: NoiseError.signatureMismatch) {
                try initiatorAfter(payload: payload.protobuf)
            }
        }
        for payload: [UInt8] in [[], [0x0a, 0x05, 1], Array(valid.protobuf.prefix(38)), [0xff, 0xff]] {
            #expect(throws: NoiseError.malformedPayload) { try initiatorAfter(payload: payload) }
        }
        var badKey = valid
        badKey.identityKey = [1, 2, 3]
        let error = #expect(throws: NoiseError.self) { try initiatorAfter(payload: badKey.protobuf) }
        if case .identityKey = error {
        } else {
            Issue.record("expected an identity key error, got \(String(describing: error))")
        }
        var foreignKind = valid
        foreignKind.identityKey = hex(try #require(try TestVector.load("keys/secp256k1.txt")["public"]))
        let named = NoiseError.identityKey(.unsupported(.secp256k1))
        #expect(throws: named) { try initiatorAfter(payload: foreignKind.protobuf) }
        #expect(named.description.contains("secp256k1") && named.description.contains("Ed25519"))
    }

    @Test("any flipped bit of the transcript is noticed")
    func flippedBits() throws {
        for position in LibP2PTranscript.frame2.indices.dropFirst(2) {
            var frame = LibP2PTranscript.frame2
            frame[position] ^= 0x01
            var initiator = try LibP2PTranscript.initiator()
            _ = try initiator.start()
            #expect(throws: NoiseError.self) { try initiator.received(frame[...]) }
        }
        for position in LibP2PTranscript.frame3.indices.dropFirst(2) {
            var frame = LibP2PTranscript.frame3
            frame[position] ^= 0x80
            var responder = try LibP2PTranscript.responder()
            _ = try responder.received(LibP2PTranscript.frame1[...])
            #expect(throws: NoiseError.self) { try responder.received(frame[...]) }
        }
    }

    @Test("frames that are too short or too long")
    func frameSizes() throws {
        var responder = try LibP2PTranscript.responder()
        #expect(throws: NoiseError.messageTooLarge(size: 16385, limit: 16384)) {
            try responder.received([0x40, 0x01])
        }
        var short = try LibP2PTranscript.responder()
        #expect(throws: NoiseError.messageTooShort(size: 31, minimum: 32)) {
            try short.received(([0, 31] + [UInt8](repeating: 7, count: 31))[...])
        }
        var empty = try LibP2PTranscript.responder()
        #expect(throws: NoiseError.messageTooShort(size: 0, minimum: 32)) { try empty.received([0, 0]) }
        var waiting = try LibP2PTranscript.responder()
        #expect(try waiting.received([0x40, 0x00]).send.isEmpty)
    }

    @Test("byte by byte")
    func bytewise() throws {
        var initiator = try LibP2PTranscript.initiator()
        var responder = try LibP2PTranscript.responder()
        var sent: [UInt8] = []
        for byte in try initiator.start() { sent += try responder.received([byte]).send }
        #expect(sent == LibP2PTranscript.frame2)
        var proof: [UInt8] = []
        for byte in sent { proof += try initiator.received([byte]).send }
        #expect(proof == LibP2PTranscript.frame3)
        var sessions = 0
        for byte in proof where try responder.received([byte]).session != nil { sessions += 1 }
        #expect(sessions == 1)
    }

    @Test("random bytes never trap", arguments: 0..<100 as Range<UInt64>)
    func garbage(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var initiator = try LibP2PTranscript.initiator()
        var responder = try LibP2PTranscript.responder()
        _ = try initiator.start()
        if seed.isMultiple(of: 2) { _ = try responder.received(LibP2PTranscript.frame1[...]) }
        for _ in 0..<20 {
            let chunk = (0..<Int.random(in: 0...200, using: &generator)).map { index in
                index == 0 ? 0 : UInt8.random(in: 0...255, using: &generator)
            }
            _ = try? initiator.received(chunk[...])
            _ = try? responder.received(chunk[...])
        }
    }

    private func complete(
        _ first: NoiseHandshake, _ second: NoiseHandshake
    ) throws -> (NoiseSession, NoiseSession) {
        var initiator = first
        var responder = second
        let answer = try responder.received(initiator.start()[...])
        let proof = try initiator.received(answer.send[...])
        let end = try responder.received(proof.send[...])
        return (try #require(proof.session).0, try #require(end.session).0)
    }

    /// Runs an initiator against a responder that holds the right keys but sends `payload`.
    private func initiatorAfter(payload: [UInt8]) throws {
        var initiator = try LibP2PTranscript.initiator()
        var pattern = try NoisePattern(role: .responder, keys: LibP2PTranscript.responderKeys)
        _ = try pattern.read(initiator.start().dropFirst(2))
        let message = try pattern.write(payload)
        _ = try initiator.received(([UInt8(message.count >> 8), UInt8(message.count & 255)] + message)[...])
    }
}
