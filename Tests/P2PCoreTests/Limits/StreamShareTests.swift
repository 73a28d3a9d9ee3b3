import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

@Suite("Places for streams that others open")
struct StreamShareTests {
    private typealias Slot = ResourceLedger.ConnectionSlot

    private static let own = ResourceLedger.ownStreamsPerConnection

    private static func connect(_ ledger: inout ResourceLedger, from host: String?) throws -> Slot {
        let address = try host.map { try #require(IPAddress($0)) }
        let slot = try ledger.reserveInbound(from: address, now: .zero)
        try ledger.bind(slot, to: PrivateKey.generate().peerID)
        return slot
    }

    /// Opens streams until there is no place for one more.
    /// - Parameter name: the protocol each agrees on at once; nil for none.
    private static func fill(_ ledger: inout ResourceLedger, _ slot: Slot, name: ProtocolID? = nil) throws -> Int {
        var opened = 0
        while let stream = try? ledger.reserveStream(on: slot, direction: .inbound) {
            opened += 1
            if let name { try ledger.assign(stream, to: name, limit: .init(total: .max, perPeer: .max)) }
        }
        return opened
    }

    @Test(
        "a host of the local network gets a quarter, however many identities it has, whether its streams name a protocol",
        arguments: ["/x", nil] as [ProtocolID?])
    func crowdOfOneHost(name: ProtocolID?) throws {
        let limits = ResourceLimits()
        var ledger = ResourceLedger(limits: limits)
        let identities = limits.inboundConnectionsPerAddress * limits.privateAddressFactor
        var opened = 0
        for _ in 0..<identities {
            opened += try Self.fill(&ledger, try Self.connect(&ledger, from: "192.168.1.7"), name: name)
        }
        let places = name == nil ? limits.negotiatingStreams : limits.inboundStreams
        #expect(opened == places / 4 + identities * Self.own)
        #expect(ledger.refusals[name == nil ? .negotiatingStreams : .inboundStreams] ?? 0 > 0)
        // Neither we nor anybody else is kept from opening streams.
        let dialled = try ledger.reserveOutbound(to: nil)
        try ledger.bind(dialled, to: PrivateKey.generate().peerID)
        for _ in 0..<1_000 { _ = try ledger.reserveStream(on: dialled, direction: .outbound) }
        let neighbour = try Self.connect(&ledger, from: "192.168.1.8")
        #expect(try Self.fill(&ledger, neighbour) == limits.negotiatingStreamsPerPeer)
    }

    @Test("whoever comes when others have it all has its own few, which are nobody else's")
    func ownPlaces() throws {
        var limits = ResourceLimits()
        limits.inboundStreams = 0
        var ledger = ResourceLedger(limits: limits)
        let slots = try (0..<8).map { _ in try Self.connect(&ledger, from: "8.8.8.8") }
        for slot in slots { #expect(try Self.fill(&ledger, slot) == Self.own) }
        #expect(throws: LimitExceeded(.inboundStreams, limit: nil)) {
            try ledger.reserveStream(on: slots[0], direction: .inbound)
        }
        // To come again and again with streams that are still served makes no more of them than there are connections.
        limits.connections = 2
        ledger = ResourceLedger(limits: limits)
        var opened = 0
        for _ in 0..<8 {
            let slot = try Self.connect(&ledger, from: nil)
            opened += try Self.fill(&ledger, slot)
            ledger.release(slot)
        }
        #expect(opened == 2 * Self.own)
    }

    @Test("an end gives back both places, that of an ended connection's stream too; an agreement the one of the two")
    func givenBack() throws {
        var limits = ResourceLimits()
        (limits.inboundStreams, limits.negotiatingStreams) = (16, 8)
        var ledger = ResourceLedger(limits: limits)
        let slot = try Self.connect(&ledger, from: "8.8.8.8")
        for _ in 0..<Self.own { _ = try ledger.reserveStream(on: slot, direction: .inbound) }
        func open() throws(LimitExceeded) -> ResourceLedger.StreamSlot {
            try ledger.reserveStream(on: slot, direction: .inbound)
        }
        // Of eight an eighth, of sixteen as much.
        let first = try open()
        #expect(throws: LimitExceeded(.negotiatingStreams, limit: nil)) { try open() }
        try ledger.assign(first, to: "/x", limit: .init(total: 9, perPeer: 9))
        let second = try open()
        #expect(throws: LimitExceeded(.inboundStreams, limit: nil)) { try open() }
        ledger.release(first)
        #expect(throws: LimitExceeded(.negotiatingStreams, limit: nil)) { try open() }
        ledger.release(second)
        _ = try open()
        let streams = ledger.streams(on: slot)
        ledger.release(slot)
        #expect(!ledger.isBalanced && ledger.streamCount == Self.own + 1)
        for stream in streams { ledger.release(stream) }
        #expect(ledger.isBalanced)
    }

    @Test("a protocol has a place again once our side has done with a stream; peer and connection have it at its end")
    func served() throws {
        var limits = ResourceLimits()
        limits.inboundStreamsPerPeer = 3
        var ledger = ResourceLedger(limits: limits)
        let slot = try Self.connect(&ledger, from: "8.8.8.8")
        let limit = ResourceLedger.ProtocolLimit(total: 1, perPeer: 1)
        var streams: [ResourceLedger.StreamSlot] = []
        for _ in 0..<3 {
            let stream = try ledger.reserveStream(on: slot, direction: .inbound)
            try ledger.assign(stream, to: "/x", limit: limit)
            #expect(ledger.busyStreamCount(on: slot) == 1)
            ledger.served(stream)
            ledger.served(stream)
            streams.append(stream)
        }
        #expect(ledger.streamCount(on: slot) == 3 && ledger.busyStreamCount(on: slot) == 0)
        #expect(throws: LimitExceeded(.inboundStreamsPerPeer, limit: 3)) {
            try ledger.reserveStream(on: slot, direction: .inbound)
        }
        // It agrees on nothing any more.
        try ledger.assign(streams[0], to: "/y", limit: .init(total: 0, perPeer: 0))
        for stream in streams { ledger.release(stream) }
        ledger.release(slot)
        #expect(ledger.isBalanced)
    }

    @Test(
        "20,000 random opens, agreements, half-ends, ends and lost connections: all books are empty in the end",
        arguments: 0..<6)
    func balance(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var limits = ResourceLimits()
        (limits.connections, limits.inboundConnections, limits.outboundConnections) = (24, 16, 16)
        (limits.streams, limits.inboundStreams, limits.negotiatingStreams) = (200, 90, 50)
        (limits.inboundStreamsPerPeer, limits.inboundStreamsPerConnection) = (30, 20)
        var ledger = ResourceLedger(limits: limits)
        let peers = (0..<5).map { _ in PrivateKey.generate().peerID }
        let hosts = try ["1.1.1.1", "1.1.1.2", "10.0.0.1", "127.0.0.1", "2a00::1"].map { try #require(IPAddress($0)) }
        var connections: Set<Slot> = []
        var streams: Set<ResourceLedger.StreamSlot> = []
        for step in 0..<20_000 {
            let now = MonotonicInstant(nanoseconds: UInt64(step) * 1_000_000_000)
            let slot = connections.randomElement(using: &random)
            let stream = streams.randomElement(using: &random)
            switch (Int.random(in: 0..<16, using: &random), slot, stream) {
            case (0...1, _, _):
                let host = hosts.randomElement(using: &random)
                if let slot = try? ledger.reserveInbound(from: host, now: now) { connections.insert(slot) }
            case (2, _, _):
                let host = hosts.randomElement(using: &random)
                if let slot = try? ledger.reserveOutbound(to: host) { connections.insert(slot) }
            case (3...4, let slot?, _):
                try? ledger.bind(slot, to: try #require(peers.randomElement(using: &random)))
            case (5...9, let slot?, _):
                let direction: Direction = Int.random(in: 0..<4, using: &random) == 0 ? .outbound : .inbound
                if let stream = try? ledger.reserveStream(on: slot, direction: direction) { streams.insert(stream) }
            case (10...11, _, let stream?):
                let name: ProtocolID = Bool.random(using: &random) ? "/x" : "/y"
                try? ledger.assign(stream, to: name, limit: .init(total: 20, perPeer: 8))
            case (12, _, let stream?): ledger.served(stream)
            case (13...14, _, let stream?):
                ledger.release(stream)
                // Some are given back twice.
                if Bool.random(using: &random) { streams.remove(stream) }
            case (15, let slot?, _) where step % 4 == 0:
                ledger.release(slot)
                if Bool.random(using: &random) { connections.remove(slot) }
            default: break
            }
            #expect(ledger.streamCount <= 200, "seed \(seed) step \(step)")
            for slot in connections {
                #expect((0...ledger.streamCount(on: slot)).contains(ledger.busyStreamCount(on: slot)))
            }
        }
        #expect(ledger.refusals[.inboundStreams] ?? 0 > 0 && ledger.refusals[.negotiatingStreams] ?? 0 > 0)
        // In either order: connections before their streams, and streams before their connections.
        if seed % 2 == 0 { for slot in connections { ledger.release(slot) } }
        for stream in streams { ledger.release(stream) }
        for slot in connections { ledger.release(slot) }
        #expect(ledger.isBalanced, "seed \(seed)")
    }
}
