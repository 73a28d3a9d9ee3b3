import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@testable import P2PDaemon

@Suite struct ControlProtocolTests {
    static let peer = hex("0024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e")

    private func message(_ build: (inout ProtobufWriter) -> Void) -> ProtobufWriter {
        var writer = ProtobufWriter()
        build(&writer)
        return writer
    }

    private func request(_ type: UInt64, _ field: Int? = nil, _ inner: ProtobufWriter = .init()) -> ArraySlice<UInt8> {
        message {
            $0.append(1, varint: type)
            if let field { $0.append(field, message: inner) }
        }.bytes[...]
    }

    @Test func everyRequestIsRead() throws {
        let id = try PeerID(multihash: Self.peer)
        let address = try Multiaddr(text: "/ip4/127.0.0.1/tcp/4001")
        #expect(try ControlRequest(protobuf: request(0)) == .identify)
        #expect(try ControlRequest(protobuf: request(5)) == .listPeers)
        #expect(try ControlRequest(protobuf: request(4)) == .distributedHashTable)
        let connect = message {
            $0.append(1, bytes: Self.peer)
            $0.append(2, bytes: address.bytes)
            $0.append(3, varint: 7)
        }
        #expect(
            try ControlRequest(protobuf: request(1, 2, connect))
                == .connect(peer: id, addresses: [address], timeout: .seconds(7)))
        let open = message {
            $0.append(1, bytes: Self.peer)
            $0.append(2, string: "/a")
            $0.append(2, string: "/b")
            $0.append(3, varint: UInt64(bitPattern: -1))
        }
        #expect(
            try ControlRequest(protobuf: request(2, 3, open))
                == .openStream(peer: id, protocols: ["/a", "/b"], timeout: nil))
        let handler = message {
            $0.append(1, bytes: address.bytes)
            $0.append(2, string: "/a")
        }
        #expect(
            try ControlRequest(protobuf: request(3, 4, handler))
                == .handleStreams(address: address, protocols: ["/a"], isBalanced: false))
        let tag = message {
            $0.append(1, varint: 0)
            $0.append(2, bytes: Self.peer)
            $0.append(3, string: "t")
            $0.append(4, varint: UInt64(bitPattern: -3))
        }
        #expect(try ControlRequest(protobuf: request(6, 6, tag)) == .tagPeer(peer: id, tag: "t", weight: -3))
        let trim = message { $0.append(1, varint: 2) }
        #expect(try ControlRequest(protobuf: request(6, 6, trim)) == .trimConnections)
        let peerOnly = message { $0.append(1, bytes: Self.peer) }
        #expect(try ControlRequest(protobuf: request(7, 7, peerOnly)) == .disconnect(peer: id))
        for (type, expected) in [
            (UInt64(0), ControlRequest.topics), (1, .topicPeers(topic: "t")), (2, .publish(topic: "t", data: [9])),
            (3, .subscribe(topic: "t")),
        ] {
            let pubsub = message {
                $0.append(1, varint: type)
                $0.append(2, string: "t")
                $0.append(3, bytes: [9])
            }
            #expect(try ControlRequest(protobuf: request(8, 8, pubsub)) == expected)
        }
        let store = message {
            $0.append(1, varint: 2)
            $0.append(2, bytes: Self.peer)
        }
        #expect(try ControlRequest(protobuf: request(9, 9, store)) == .peerInfo(peer: id))
    }

    @Test func refusals() {
        #expect(throws: ControlRequestError.missingField("type")) { try ControlRequest(protobuf: []) }
        #expect(throws: ControlRequestError.unknownType(10)) { try ControlRequest(protobuf: request(10)) }
        #expect(throws: ControlRequestError.missingField("connect")) { try ControlRequest(protobuf: request(1)) }
        #expect(throws: ControlRequestError.missingField("peer")) { try ControlRequest(protobuf: request(1, 2)) }
        #expect(throws: ControlRequestError.invalidPeer) {
            try ControlRequest(protobuf: request(1, 2, message { $0.append(1, bytes: [1, 2]) }))
        }
        #expect(throws: ControlRequestError.invalidAddress) {
            try ControlRequest(
                protobuf: request(
                    1, 2,
                    message {
                        $0.append(1, bytes: Self.peer)
                        $0.append(2, bytes: [5])
                    }))
        }
        #expect(throws: ControlRequestError.missingField("proto")) {
            try ControlRequest(protobuf: request(2, 3, message { $0.append(1, bytes: Self.peer) }))
        }
        #expect(throws: ControlRequestError.tooMany("protocols", limit: 64)) {
            try ControlRequest(
                protobuf: request(
                    2, 3,
                    message { inner in
                        inner.append(1, bytes: Self.peer)
                        for _ in 0..<65 { inner.append(2, string: "/a") }
                    }))
        }
        #expect(throws: ControlRequestError.tooMany("fields", limit: 511)) {
            try ControlRequest(protobuf: ArraySlice((0..<600).flatMap { _ in [UInt8(0x08), 0] }))
        }
        #expect(throws: ControlRequestError.invalidText("topic")) {
            try ControlRequest(
                protobuf: request(
                    8, 8,
                    message {
                        $0.append(1, varint: 3)
                        $0.append(2, bytes: [0xff])
                    }))
        }
        #expect(throws: ControlRequestError.malformed(.truncated)) { try ControlRequest(protobuf: [0x08]) }
    }

    @Test func limitsOfARequest() throws {
        let id = try PeerID(multihash: Self.peer)
        let address = try Multiaddr(text: "/ip4/127.0.0.1/tcp/4001")
        func connect(addresses: Int, seconds: UInt64) -> ArraySlice<UInt8> {
            request(
                1, 2,
                message { inner in
                    inner.append(1, bytes: Self.peer)
                    for _ in 0..<addresses { inner.append(2, bytes: address.bytes) }
                    inner.append(3, varint: seconds)
                })
        }
        #expect(
            try ControlRequest(protobuf: connect(addresses: 128, seconds: 1 << 40))
                == .connect(peer: id, addresses: Array(repeating: address, count: 128), timeout: .seconds(600)))
        #expect(throws: ControlRequestError.tooMany("addresses", limit: 128)) {
            try ControlRequest(protobuf: connect(addresses: 129, seconds: 1))
        }
        func subscribe(topicBytes: Int) -> ArraySlice<UInt8> {
            request(
                8, 8,
                message {
                    $0.append(1, varint: 3)
                    $0.append(2, string: String(repeating: "t", count: topicBytes))
                })
        }
        #expect(
            try ControlRequest(protobuf: subscribe(topicBytes: 1024))
                == .subscribe(topic: String(repeating: "t", count: 1024)))
        #expect(throws: ControlRequestError.invalidText("topic")) {
            try ControlRequest(protobuf: subscribe(topicBytes: 1025))
        }
    }

    @Test func pathsOfSocketsFitTheSystem() throws {
        let longest = "/" + String(repeating: "x", count: 106)
        #expect(ControlAddress(try Multiaddr(text: "/unix\(longest)")) == .unix(path: longest))
        #expect(ControlAddress(try Multiaddr(text: "/unix\(longest)x")) == nil)
    }

    @Test func responses() throws {
        let id = try PeerID(multihash: Self.peer)
        let address = try Multiaddr(text: "/ip4/127.0.0.1/tcp/4001")
        #expect(ControlResponse.done.protobuf == hex("0800"))
        #expect(ControlResponse.failed("no").protobuf == hex("0801 1204 0a026e6f"))
        let info = "0a26" + Hex.encode(Self.peer) + "1208047f000001060fa1"
        #expect(ControlResponse.identity(peer: id, addresses: [address]).protobuf == hex("0800 2232" + info))
        #expect(ControlResponse.peers([.init(peer: id, addresses: [address])]).protobuf == hex("0800 3232" + info))
        #expect(ControlResponse.topics(["t"]).protobuf == hex("0800 3a03 0a0174"))
        #expect(ControlResponse.topicPeers([id]).protobuf == hex("0800 3a28 1226") + Self.peer)
        #expect(
            ControlResponse.stream(.init(peer: id, address: address, protocolName: "/a")).protobuf
                == hex("0800 1a36" + info + "1a022f61"))
    }

    @Test func framesAtEverySplit() throws {
        let whole =
            FrameDecoder.frame([1, 2, 3]) + FrameDecoder.frame([]) + FrameDecoder.frame(Array(repeating: 7, count: 300))
        for cut in 0...whole.count {
            var decoder = FrameDecoder()
            var found: [[UInt8]] = []
            for part in [whole.prefix(cut), whole.dropFirst(cut)] {
                decoder.append(part)
                while let message = try decoder.next() { found.append(Array(message)) }
            }
            #expect(found == [[1, 2, 3], [], Array(repeating: 7, count: 300)])
        }
        var decoder = FrameDecoder()
        for byte in whole { decoder.append([byte]) }
        #expect(try decoder.next() == [1, 2, 3])
        #expect(decoder.takeRemaining().count == whole.count - 4)
        #expect(try decoder.next() == nil)
    }

    @Test func longFramesAreRefusedEarly() {
        var decoder = FrameDecoder(limit: 100)
        decoder.append([101])
        #expect(throws: FrameError.tooLong(length: 101, limit: 100)) { try decoder.next() }
        decoder = FrameDecoder()
        decoder.append([0x80, 0x00])
        #expect(throws: FrameError.invalidLength(.notMinimal)) { try decoder.next() }
    }

    @Test func randomRequestsNeverTrap() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<10_000 {
            let inner = random.bytes(Int.random(in: 0...50, using: &random))
            let type = UInt8.random(in: 0...10, using: &random)
            _ = try? ControlRequest(protobuf: [0x08, type, (type + 1) << 3 | 2, UInt8(inner.count)] + inner)
        }
    }
}
