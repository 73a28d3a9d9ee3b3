import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

@Suite struct GossipSubWireTests {
    static let privateKey = hex(
        """
        080112407e0830617c4a7de83925dfb2694556b12936c477a0e1feb2e148ec9da60fee7d1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c\
        3cacf6010f0e42d474fce27e
        """)
    static let peer = "0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
    static let unsigned = "0a26" + peer + "120568656c6c6f1a0817979cfe362a0001220474657374"
    static let signature =
        "067ab6f3cb79848dcedf2f5da06b95ba35d0d8f5bddadd0ccb030662fc93991b0069e01b4342597275fb22015c367a78a23858184fa4d07339b9ffd2fa517e0e"

    func signed() throws -> GossipMessage {
        let key = try PrivateKey(protobuf: Self.privateKey)
        return try .signed(data: Array("hello".utf8), topic: "test", sequence: 0x1797_9cfe_362a_0001, key: key)
    }

    @Test func signsLikeTheOthers() throws {
        let message = try signed()
        #expect(Array(message.encoded) == hex(Self.unsigned + "2a40" + Self.signature))
        #expect(message.id.bytes == hex(Self.peer + "17979cfe362a0001"))
        #expect(message.verify() == .valid)
        var rpc = GossipRPC()
        rpc.messages = [message.encoded[...]]
        let body = rpc.encode()
        #expect(Varint.encode(UInt64(body.count)) + body == hex("8401128101" + Self.unsigned + "2a40" + Self.signature))
    }

    @Test func readsWhatItWrote() throws {
        let message = try signed()
        let read = try GossipMessage(encoded: message.encoded)
        #expect(read == message)
        #expect(read.source == message.source)
        #expect(read.sequence == 0x1797_9cfe_362a_0001)
        #expect(read.topic == "test")
        #expect(Array(read.data) == Array("hello".utf8))
        #expect(read.verify() == .valid)
    }

    @Test func everyFlippedBitIsNoticed() throws {
        let encoded = try signed().encoded
        for index in encoded.indices {
            for bit in 0..<8 {
                var bytes = encoded
                bytes[index] ^= 1 << UInt8(bit)
                // Either no message at all, or one whose signature is wrong.
                if let message = try? GossipMessage(encoded: bytes) { #expect(message.verify() != .valid) }
            }
        }
    }

    @Test func ecdsaAuthorsCarryTheirKey() throws {
        let key = PrivateKey.generateECDSA()
        let message = try GossipMessage.signed(data: [1], topic: "t", sequence: 5, key: key)
        let read = try GossipMessage(encoded: message.encoded)
        #expect(read.key != nil)
        #expect(read.verify() == .valid)
        let stranger = PrivateKey.generateECDSA()
        var forged = ProtobufReader(message.encoded)
        var keyField = ProtobufWriter()
        keyField.append(6, bytes: stranger.publicKey.protobuf)
        var bytes: [UInt8] = []
        while let field = try forged.next() { bytes += field.number == 6 ? keyField.bytes[...] : field.encoded }
        #expect(try GossipMessage(encoded: bytes).verify() == .invalid)
    }

    @Test func unknownKeyKindsBlameNobody() throws {
        let secp = try PublicKey(
            protobuf: hex("08021221037777e994e452c21604f91de093ce415f5432f701dd8cd1a7a6fea0e630bfca99"))
        let message = GossipMessage.assembled(
            data: [1], topic: "t", sequence: 1, source: secp.peerID, signature: [UInt8](repeating: 3, count: 70))
        #expect(message.verify() == .unverifiable)
    }

    @Test func unknownFieldsStayAndAreSigned() throws {
        let key = testKey(3)
        var writer = ProtobufWriter()
        writer.append(1, bytes: key.peerID.bytes)
        writer.append(2, bytes: [7])
        writer.append(3, bytes: [0, 0, 0, 0, 0, 0, 0, 1])
        writer.append(4, string: "t")
        let unknown: [UInt8] = [0x9a, 0x06, 0x02, 0xab, 0xcd]
        let signature = try key.sign(Array("libp2p-pubsub:".utf8) + writer.bytes + unknown)
        writer.append(5, bytes: signature)
        let message = try GossipMessage(encoded: writer.bytes + unknown)
        #expect(message.verify() == .valid)
        #expect(Array(message.encoded) == writer.bytes + unknown)
        #expect(try GossipMessage(encoded: writer.bytes).verify() == .invalid)
    }

    @Test func refusesEachMissingPart() throws {
        func parse(_ skipped: Int, replacing: [Int: [UInt8]] = [:]) throws(GossipMessageError) {
            let parts: [(Int, [UInt8])] = [
                (1, testPeer(1).bytes), (2, [1]), (3, [0, 0, 0, 0, 0, 0, 0, 1]), (4, Array("t".utf8)), (5, [1]),
            ]
            var writer = ProtobufWriter()
            for (number, bytes) in parts where number != skipped {
                writer.append(number, bytes: replacing[number] ?? bytes)
            }
            _ = try GossipMessage(encoded: writer.bytes)
        }
        try parse(0)
        try parse(2)
        #expect(throws: GossipMessageError.missingSource) { try parse(1) }
        #expect(throws: GossipMessageError.missingSequence) { try parse(3) }
        #expect(throws: GossipMessageError.missingTopic) { try parse(4) }
        #expect(throws: GossipMessageError.missingSignature) { try parse(5) }
        #expect(throws: GossipMessageError.invalidSource) { try parse(0, replacing: [1: [1, 2, 3]]) }
        #expect(throws: GossipMessageError.invalidSequence) { try parse(0, replacing: [3: [1]]) }
        #expect(throws: GossipMessageError.missingSignature) { try parse(0, replacing: [5: []]) }
        #expect(throws: GossipMessageError.invalidTopic) { try parse(0, replacing: [4: [0xff, 0xfe]]) }
        let long = [UInt8](repeating: 0x61, count: 1025)
        #expect(throws: GossipMessageError.invalidTopic) { try parse(0, replacing: [4: long]) }
        #expect(throws: GossipMessageError.malformed) { try GossipMessage(encoded: [0x0a, 0x05]) }
    }

    @Test func refusesWhatChangesWhenEncodedAgain() throws {
        let encoded = try signed().encoded
        var reader = ProtobufReader(encoded)
        var fields: [ArraySlice<UInt8>] = []
        while let field = try reader.next() { fields.append(field.encoded) }
        func parse(_ order: [ArraySlice<UInt8>]) throws(GossipMessageError) {
            _ = try GossipMessage(encoded: Array(order.joined()))
        }
        try parse(fields)
        #expect(throws: GossipMessageError.notCanonical) { try parse(fields.reversed()) }
        #expect(throws: GossipMessageError.notCanonical) { try parse([fields[0]] + fields) }
        #expect(throws: GossipMessageError.notCanonical) { try parse([[0x9a, 0x06, 0x00]] + fields) }
        let padded: ArraySlice<UInt8> = [0x12, 0x85, 0x00] + fields[1].dropFirst(2)
        #expect(throws: GossipMessageError.notCanonical) { try parse([fields[0], padded] + fields[2...]) }
    }

    @Test func controlVectors() throws {
        var subscribe = GossipRPC()
        subscribe.subscriptions = [.init(subscribes: true, topic: "test")]
        #expect(subscribe.encode() == hex("0a080801120474657374"))
        var graft = GossipRPC()
        graft.graft = ["test"]
        #expect(graft.encode() == hex("1a081a060a0474657374"))
        var prune = GossipRPC()
        prune.prune = [.init(topic: "test", backoffSeconds: 60)]
        #expect(prune.encode() == hex("1a0a22080a0474657374183c"))
        for rpc in [subscribe, graft, prune] { #expect(try GossipRPC(decoding: rpc.encode()[...]) == rpc) }
    }

    @Test func idsAreBytes() throws {
        let id = MessageID([0xff, 0x00, 0xc0])
        var rpc = GossipRPC()
        rpc.have = [.init(topic: "t", ids: [id])]
        rpc.want = [id]
        rpc.dontWant = [id]
        #expect(try GossipRPC(decoding: rpc.encode()[...]) == rpc)
    }

    @Test func readsPastUnknownFields() throws {
        var rpc = GossipRPC()
        rpc.subscriptions = [.init(subscribes: true, topic: "t")]
        let body = [0x52, 0x01, 0x00] + rpc.encode() + [0x78, 0x05]
        #expect(try GossipRPC(decoding: body[...]).subscriptions == rpc.subscriptions)
    }

    @Test func garbageNeverTraps() {
        var random = SeededGenerator(seed: 11)
        var rpc = GossipRPC()
        rpc.subscriptions = [.init(subscribes: true, topic: "topic")]
        rpc.have = [.init(topic: "topic", ids: [testMessage(1).id])]
        rpc.messages = [testMessage(1).encoded[...]]
        rpc.prune = [.init(topic: "topic", backoffSeconds: .max)]
        let valid = rpc.encode()
        for _ in 0..<20_000 {
            var body = Int.random(in: 0..<2, using: &random) == 0 ? valid : random.bytes(40)
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                body[Int.random(in: body.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            body.removeLast(Int.random(in: 0..<body.count, using: &random))
            if let read = try? GossipRPC(decoding: body[...]) {
                for message in read.messages { _ = try? GossipMessage(encoded: message) }
            }
        }
    }

    // MARK: - Limits of one RPC

    @Test func capsOfOneRPC() throws {
        var limits = GossipSubLimits()
        limits.maximumSubscriptionsPerRPC = 3
        limits.maximumMessagesPerRPC = 2
        limits.maximumControlEntriesPerRPC = 4
        limits.maximumIDsPerRPC = 5
        var rpc = GossipRPC()
        rpc.subscriptions = (0..<5).map { .init(subscribes: true, topic: "\($0)") }
        rpc.messages = (0..<5).map { testMessage($0).encoded[...] }
        rpc.graft = (0..<3).map { "\($0)" }
        rpc.prune = (0..<3).map { .init(topic: "\($0)", backoffSeconds: nil) }
        rpc.want = (0..<4).map { testMessage($0).id }
        rpc.dontWant = (0..<4).map { testMessage($0).id }
        let read = try GossipRPC(decoding: rpc.encode()[...], limits: limits)
        #expect(read.subscriptions.count == 3)
        #expect(read.messages.count == 2)
        #expect(read.graft.count + read.prune.count == 4)
        #expect(read.want.count + read.dontWant.count == 5)
        #expect(read.ignoredEntries == 2 + 3 + 2 + 3)
    }

    @Test func capOfControlBytes() throws {
        var limits = GossipSubLimits()
        limits.maximumControlBytesPerRPC = 100
        var rpc = GossipRPC()
        rpc.graft = [String(repeating: "a", count: 200)]
        rpc.subscriptions = [.init(subscribes: true, topic: "t")]
        let read = try GossipRPC(decoding: rpc.encode()[...], limits: limits)
        #expect(read.graft.isEmpty)
        #expect(read.subscriptions.count == 1)
        #expect(read.ignoredEntries == 1)
    }

    @Test func capsOfTopicAndIDLength() throws {
        let long = String(repeating: "a", count: 1025)
        var rpc = GossipRPC()
        rpc.subscriptions = [.init(subscribes: true, topic: long), .init(subscribes: true, topic: "")]
        rpc.graft = [long]
        rpc.prune = [.init(topic: long, backoffSeconds: 1)]
        rpc.have = [.init(topic: long, ids: [])]
        rpc.want = [MessageID([UInt8](repeating: 1, count: 513)), MessageID([])]
        let read = try GossipRPC(decoding: rpc.encode()[...])
        #expect(read.subscriptions.isEmpty && read.graft.isEmpty && read.prune.isEmpty && read.have.isEmpty)
        #expect(read.want.isEmpty)
        #expect(read.ignoredEntries == 7)
    }
}
