import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@Suite struct SignedEnvelopeTests {
    private func vectorKey() throws -> PrivateKey {
        try PrivateKey(protobuf: hex(try #require(try TestVector.load("keys/ed25519.txt")["private"])))
    }

    @Test func vector() throws {
        let vector = try TestVector.load("peer-record.txt")
        let key = try vectorKey()
        let record = PeerRecord(
            peer: key.peerID, sequence: 1, addresses: [try Multiaddr(text: "/ip4/127.0.0.1/tcp/4001")])
        #expect(record.protobuf == hex(try #require(vector["payload"])))
        let envelope = try record.sealed(with: key)
        let expected = try SignedEnvelope(protobuf: vector.bodyBytes)
        try expected.verify(domain: PeerRecord.domain)
        #expect(try PeerRecord(verifying: expected) == record)
        #expect(expected.protobuf == vector.bodyBytes)
        // The crypto library may blind its signatures, so ours is checked, not compared.
        #expect(try PeerRecord(verifying: SignedEnvelope(protobuf: envelope.protobuf)) == record)
    }

    @Test func everyFlippedBitIsNoticed() throws {
        let body = try TestVector.load("peer-record.txt").bodyBytes
        for index in body.indices {
            for bit in 0..<8 {
                var broken = body
                broken[index] ^= 1 << UInt8(bit)
                guard let envelope = try? SignedEnvelope(protobuf: broken), envelope.protobuf != body else { continue }
                #expect(throws: EnvelopeError.self) { try PeerRecord(verifying: envelope) }
            }
        }
    }

    @Test func refusals() throws {
        let key = try vectorKey()
        let other = PrivateKey.generate()
        let record = PeerRecord(peer: key.peerID, sequence: 2, addresses: [])
        let foreign = try record.sealed(with: other)
        #expect(throws: EnvelopeError.wrongPeer(record: key.peerID, signer: other.peerID)) {
            try PeerRecord(verifying: foreign)
        }
        #expect(throws: EnvelopeError.invalidSignature) { try record.sealed(with: key).verify(domain: "other") }
        let odd = try SignedEnvelope.seal(payload: record.protobuf, type: [9], domain: PeerRecord.domain, key: key)
        #expect(throws: EnvelopeError.unexpectedPayloadType([9])) { try PeerRecord(verifying: odd) }
        #expect(throws: EnvelopeError.missingField(1)) { try SignedEnvelope(protobuf: [UInt8]()) }
        #expect(throws: EnvelopeError.missingField(5)) {
            try SignedEnvelope(protobuf: [0x0a, 0x24] + key.publicKey.protobuf)
        }
        #expect(throws: EnvelopeError.tooLong(limit: 65_536)) {
            try SignedEnvelope(protobuf: [UInt8](repeating: 0, count: 65_537))
        }
    }

    @Test func badAddressesCostOnlyThemselves() throws {
        let good = try Multiaddr(text: "/ip4/1.2.3.4/tcp/1")
        var writer = ProtobufWriter()
        writer.append(1, bytes: PrivateKey.generate().peerID.bytes)
        for bytes in [[0x05], good.bytes, []] {
            var info = ProtobufWriter()
            info.append(1, bytes: bytes)
            writer.append(3, message: info)
        }
        let record = try PeerRecord(protobuf: writer.bytes)
        #expect(record.addresses == [good])
        #expect(record.sequence == 0)
    }

    @Test func addressesAreLimited() throws {
        let address = try Multiaddr(text: "/ip4/1.2.3.4/tcp/1")
        let many = PeerRecord(
            peer: PrivateKey.generate().peerID, sequence: 1, addresses: Array(repeating: address, count: 501))
        #expect(try PeerRecord(protobuf: many.protobuf).addresses.count == 500)
    }
}
