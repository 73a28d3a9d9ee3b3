import Foundation
import GoopTestKit
import Multiformats
import P2PCore
import Testing

@testable import P2PDaemon

@Suite struct GossipReadingTests {
    /// What the fields of a line say.
    private struct Told: Decodable, Equatable {
        struct Prune: Decodable, Equatable {
            var topic: String
            var backoff: UInt64?
        }

        var rpc: Int
        var subscribe: [String]?
        var unsubscribe: [String]?
        var graft: [String]?
        var prune: [Prune]?
        var messages: Int?
        var have: Int?
        var want: Int?
        var dontWant: Int?
        var ignored: Int?
        var untold: Int?
        var long: Bool?
        var malformed: Bool?
    }

    private static func read(_ bytes: [UInt8], _ reading: inout GossipReading) throws -> [Told] {
        try bytes.withUnsafeBytes { reading.take($0[...]) }
            .map { try JSONDecoder().decode(Told.self, from: Data("{\($0)}".utf8)) }
    }

    private static func read(_ bytes: [UInt8]) throws -> [Told] {
        var reading = GossipReading()
        return try Self.read(bytes, &reading)
    }

    private static func frame(_ build: (inout GossipRPC) -> Void) -> [UInt8] {
        var rpc = GossipRPC()
        build(&rpc)
        let body = rpc.encode()
        return Varint.encode(UInt64(body.count)) + body
    }

    /// Subscribe, GRAFT and PRUNE with 60 s, of the topic "test": vectors of the specification, each behind its length.
    private static let vectors = hex("0a0a080801120474657374" + "0a1a081a060a0474657374" + "0c1a0a22080a0474657374183c")
    private static let told = [
        Told(rpc: 10, subscribe: ["test"]), Told(rpc: 10, graft: ["test"]),
        Told(rpc: 12, prune: [.init(topic: "test", backoff: 60)]),
    ]

    @Test func tellsEachRPCHoweverItIsCut() throws {
        #expect(try Self.read(Self.vectors) == Self.told)
        for cut in 0...Self.vectors.count {
            var reading = GossipReading()
            let first = try Self.read(Array(Self.vectors[..<cut]), &reading)
            #expect(try first + Self.read(Array(Self.vectors[cut...]), &reading) == Self.told)
        }
        var reading = GossipReading()
        #expect(try Self.vectors.flatMap { try Self.read([$0], &reading) } == Self.told)
    }

    @Test func tellsOfAPruneWithoutABackoffThatThereIsNone() throws {
        let frame = Self.frame { $0.prune = [.init(topic: "t", backoffSeconds: nil)] }
        #expect(try Self.read(frame).map(\.prune) == [[.init(topic: "t", backoff: nil)]])
    }

    @Test func countsTheRestAndTellsNothingOfIt() throws {
        let secret = Array("never told to anybody".utf8)
        let frame = Self.frame { rpc in
            rpc.subscriptions = [.init(subscribes: false, topic: "a"), .init(subscribes: true, topic: "b")]
            rpc.messages = [secret[...], secret[...]]
            rpc.have = [
                .init(topic: "a", ids: [MessageID(secret), MessageID([1])]), .init(topic: "b", ids: [MessageID([2])]),
            ]
            rpc.want = (0..<4).map { MessageID([$0]) }
            rpc.dontWant = (0..<5).map { MessageID([$0]) }
            rpc.graft = [""]
        }
        var reading = GossipReading()
        let fields = frame.withUnsafeBytes { reading.take($0[...]) }
        #expect(!fields.joined().contains("never"))
        let expected = Told(
            rpc: frame.count - 2, subscribe: ["b"], unsubscribe: ["a"], messages: 2, have: 3, want: 4, dontWant: 5,
            ignored: 1)
        #expect(try Self.read(frame) == [expected])
        // Nothing at all between two RPCs is none.
        #expect(try Self.read([0, 0]) == [])
    }

    @Test func aStrangersTopicIsAStringWhateverItIs() throws {
        let odd = ["\"},{\"x\":\"", "a\\", "new\nline\u{7f}", "gr\u{fc}n \u{1f331}", " "]
        #expect(try Self.read(Self.frame { $0.graft = odd }).first?.graft == odd)
        let bound = GossipReading.maximumTopicLength
        let long = String(repeating: "\u{1f331}", count: bound)
        let frame = Self.frame { $0.graft = [long, long + "a"] }
        #expect(try Self.read(frame).first?.graft == [long, long + "\u{2026}"])
    }

    @Test func topicsOfOneRPCAreBounded() throws {
        let most = GossipReading.maximumTopics
        let frame = Self.frame { rpc in
            rpc.subscriptions = (0..<most).map { .init(subscribes: true, topic: "s\($0)") }
            rpc.graft = ["g"]
            rpc.prune = [.init(topic: "p", backoffSeconds: 1)]
        }
        let told = try #require(try Self.read(frame).first)
        // What changes a mesh goes before.
        #expect(told.graft == ["g"] && told.prune?.count == 1)
        #expect(told.subscribe == (0..<(most - 2)).map { "s\($0)" })
        #expect(told.untold == 2)
    }

    @Test func aLongRPCIsToldByItsSizeAndPassedOver() throws {
        let most = GossipReading.maximumBytes
        let fits = Varint.encode(UInt64(most)) + [UInt8](repeating: 0xff, count: most)
        let long = Varint.encode(UInt64(most + 1)) + [UInt8](repeating: 0, count: most + 1)
        let expected = [Told(rpc: most, malformed: true), Told(rpc: most + 1, long: true)] + Self.told
        #expect(try Self.read(fits + long + Self.vectors) == expected)
        var reading = GossipReading()
        let pieces = stride(from: 0, to: long.count, by: 1000).map { Array(long[$0..<min($0 + 1000, long.count)]) }
        #expect(try pieces.flatMap { try Self.read($0, &reading) } == [Told(rpc: most + 1, long: true)])
        #expect(try Self.read(Self.vectors, &reading) == Self.told)
    }

    /// A length that is none: where the next RPC would begin, nobody knows.
    @Test(arguments: [[0x80, 0x00], [UInt8](repeating: 0xff, count: 12)]) func nothingFollowsABadLength(
        length: [UInt8]
    ) throws {
        #expect(try Self.read(Self.vectors + length + Self.vectors) == Self.told)
    }
}
