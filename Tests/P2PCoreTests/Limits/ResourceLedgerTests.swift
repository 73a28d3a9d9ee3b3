import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

@Suite("Resource ledger")
struct ResourceLedgerTests {
    static let peers = (0..<4).map { _ in PrivateKey.generate().peerID }

    static func ip(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    static func second(_ count: UInt64) -> MonotonicInstant { MonotonicInstant(nanoseconds: count * 1_000_000_000) }

    @Test("the connection limit counts pending, inbound and outbound, and a release makes room")
    func connectionLimit() throws {
        var limits = ResourceLimits()
        limits.connections = 2
        var ledger = ResourceLedger(limits: limits)
        let first = try ledger.reserveInbound(from: nil, now: .zero)
        _ = try ledger.reserveOutbound(to: nil)
        #expect(throws: LimitExceeded(.connections, limit: 2)) { try ledger.reserveOutbound(to: nil) }
        #expect(ledger.refusals[.connections] == 1)
        ledger.release(first)
        ledger.release(first)
        #expect(ledger.connectionCount == 1)
        _ = try ledger.reserveInbound(from: nil, now: .zero)
    }

    @Test("one host cannot take all pending places, loopback can")
    func pendingPerAddress() throws {
        var limits = ResourceLimits()
        limits.pendingInboundPerAddress = 2
        limits.newConnectionBurst = 100
        var ledger = ResourceLedger(limits: limits)
        let host = try Self.ip("1.2.3.4")
        let slot = try ledger.reserveInbound(from: host, now: .zero)
        _ = try ledger.reserveInbound(from: host, now: .zero)
        #expect(throws: LimitExceeded(.pendingInboundPerAddress, limit: 2)) {
            try ledger.reserveInbound(from: host, now: .zero)
        }
        try ledger.bind(slot, to: Self.peers[0])
        _ = try ledger.reserveInbound(from: host, now: .zero)
        for _ in 0..<50 { _ = try ledger.reserveInbound(from: try Self.ip("127.0.0.1"), now: .zero) }
    }

    @Test("two hosts of a local network do not shut out a third, though each counts for many")
    func pendingOnALocalNetwork() throws {
        var ledger = ResourceLedger(limits: ResourceLimits())
        for host in try ["192.168.1.2", "192.168.1.3"].map(Self.ip) {
            for _ in 0..<128 { _ = try? ledger.reserveInbound(from: host, now: .zero) }
        }
        #expect(ledger.pendingInbound == 64, "an eighth of all each")
        _ = try ledger.reserveInbound(from: try Self.ip("192.168.1.4"), now: .zero)
    }

    @Test(
        "by IPv6 a neighbour does not shut out the others, nor many addresses those elsewhere",
        arguments: ["fd00::", "fe80::"])
    func localIPv6(network: String) throws {
        var ledger = ResourceLedger(limits: ResourceLimits())
        var slots: [ResourceLedger.ConnectionSlot] = []
        func flood(from host: Int) throws {
            let address = try Self.ip("\(network)\(host)")
            for _ in 0..<64 {
                if let slot = try? ledger.reserveInbound(from: address, now: .zero) { slots.append(slot) }
            }
        }
        for host in 1...2 { try flood(from: host) }
        #expect(ledger.pendingInbound == 64, "an eighth of all each")
        for host in 3...20 { try flood(from: host) }
        #expect(ledger.pendingInbound == 128, "half of all")
        slots.append(try ledger.reserveInbound(from: try Self.ip("192.168.1.4"), now: .zero))
        for slot in slots { ledger.release(slot) }
        #expect(ledger.isBalanced)
    }

    @Test("half of the inbound connections are left by a local IPv6 network")
    func connectionsOfALocalIPv6Network() throws {
        var limits = ResourceLimits()
        (limits.inboundConnections, limits.inboundConnectionsPerAddress, limits.privateAddressFactor) = (8, 1, 2)
        var ledger = ResourceLedger(limits: limits)
        for host in try ["fd00::1", "fd00::2"].map(Self.ip) {
            for _ in 0..<2 { _ = try ledger.reserveInbound(from: host, now: .zero) }
            #expect(throws: LimitExceeded(.inboundConnectionsPerAddress, limit: 2)) {
                try ledger.reserveInbound(from: host, now: .zero)
            }
        }
        #expect(throws: LimitExceeded(.inboundConnectionsPerPrefix, limit: 4)) {
            try ledger.reserveInbound(from: try Self.ip("fd00::3"), now: .zero)
        }
        _ = try ledger.reserveInbound(from: try Self.ip("192.168.1.4"), now: .zero)
    }

    @Test("a private address counts for so many public ones, and not for more; its prefix too")
    func privateAddresses() throws {
        var limits = ResourceLimits()
        limits.privateAddressFactor = 2
        limits.inboundConnectionsPerAddress = 1
        limits.inboundConnectionsPerPrefix = 2
        var ledger = ResourceLedger(limits: limits)
        for host in try ["192.168.1.2", "192.168.1.3"].map(Self.ip) {
            for _ in 0..<2 { _ = try ledger.reserveInbound(from: host, now: .zero) }
            #expect(throws: LimitExceeded(.inboundConnectionsPerAddress, limit: 2)) {
                try ledger.reserveInbound(from: host, now: .zero)
            }
        }
        #expect(throws: LimitExceeded(.inboundConnectionsPerPrefix, limit: 4)) {
            try ledger.reserveInbound(from: try Self.ip("192.168.1.4"), now: .zero)
        }
    }

    @Test("an IPv6 /56 is one host, a /48 and an IPv4 /24 one prefix")
    func scopes() throws {
        var limits = ResourceLimits()
        limits.inboundConnectionsPerAddress = 1
        limits.inboundConnectionsPerPrefix = 2
        var ledger = ResourceLedger(limits: limits)
        _ = try ledger.reserveInbound(from: try Self.ip("2a00:1:2:3::1"), now: .zero)
        #expect(throws: LimitExceeded(.inboundConnectionsPerAddress, limit: 1)) {
            try ledger.reserveInbound(from: try Self.ip("2a00:1:2:ff:ffff::9"), now: .zero)
        }
        _ = try ledger.reserveInbound(from: try Self.ip("2a00:1:2:103::1"), now: .zero)
        #expect(throws: LimitExceeded(.inboundConnectionsPerPrefix, limit: 2)) {
            try ledger.reserveInbound(from: try Self.ip("2a00:1:2:203::1"), now: .zero)
        }
        _ = try ledger.reserveInbound(from: try Self.ip("9.9.9.1"), now: .zero)
        _ = try ledger.reserveInbound(from: try Self.ip("9.9.9.2"), now: .zero)
        #expect(throws: LimitExceeded(.inboundConnectionsPerPrefix, limit: 2)) {
            try ledger.reserveInbound(from: try Self.ip("9.9.9.3"), now: .zero)
        }
    }

    @Test("arrivals of one host: a burst, then one per interval")
    func arrivalRate() throws {
        var limits = ResourceLimits()
        limits.newConnectionBurst = 3
        limits.newConnectionInterval = .seconds(2)
        var ledger = ResourceLedger(limits: limits)
        let host = try Self.ip("8.8.8.8")
        for _ in 0..<3 { ledger.release(try ledger.reserveInbound(from: host, now: Self.second(10))) }
        #expect(throws: LimitExceeded(.newConnectionRate, limit: 3)) {
            try ledger.reserveInbound(from: host, now: Self.second(11))
        }
        ledger.release(try ledger.reserveInbound(from: host, now: Self.second(12)))
        #expect(throws: LimitExceeded(.newConnectionRate, limit: 3)) {
            try ledger.reserveInbound(from: host, now: Self.second(12))
        }
    }

    @Test("streams: per peer, negotiating, per protocol and peer")
    func streams() throws {
        var limits = ResourceLimits()
        limits.inboundStreamsPerPeer = 3
        limits.negotiatingStreamsPerPeer = 2
        var ledger = ResourceLedger(limits: limits)
        let slot = try ledger.reserveInbound(from: nil, now: .zero)
        #expect(throws: LimitExceeded.self) { try ledger.reserveStream(on: slot, direction: .inbound) }
        try ledger.bind(slot, to: Self.peers[0])
        let first = try ledger.reserveStream(on: slot, direction: .inbound)
        let second = try ledger.reserveStream(on: slot, direction: .inbound)
        #expect(throws: LimitExceeded(.negotiatingStreamsPerPeer, limit: 2)) {
            try ledger.reserveStream(on: slot, direction: .inbound)
        }
        try ledger.assign(first, to: "/x", limit: .init(total: 10, perPeer: 1))
        #expect(throws: LimitExceeded(.inboundStreamsPerProtocolAndPeer, limit: 1)) {
            try ledger.assign(second, to: "/x", limit: .init(total: 10, perPeer: 1))
        }
        try ledger.assign(second, to: "/y", limit: .init(total: 10, perPeer: 1))
        let third = try ledger.reserveStream(on: slot, direction: .inbound)
        #expect(throws: LimitExceeded(.inboundStreamsPerPeer, limit: 3)) {
            try ledger.reserveStream(on: slot, direction: .inbound)
        }
        ledger.release(slot)
        #expect(ledger.connectionCount == 0 && ledger.streamCount == 3)
        // The peer is back while its streams are still served: they count.
        let again = try ledger.reserveInbound(from: nil, now: .zero)
        try ledger.bind(again, to: Self.peers[0])
        #expect(throws: LimitExceeded(.inboundStreamsPerPeer, limit: 3)) {
            try ledger.reserveStream(on: again, direction: .inbound)
        }
        for stream in [first, second, third] { ledger.release(stream) }
        ledger.release(again)
        #expect(ledger.streamCount == 0 && ledger.connectionCount == 0)
    }

    @Test("a connection knows its own streams, which outlive it")
    func streamsOfAConnection() throws {
        var ledger = ResourceLedger(limits: ResourceLimits())
        let slots = try [ledger.reserveOutbound(to: nil), ledger.reserveInbound(from: nil, now: .zero)]
        var streams: [Set<ResourceLedger.StreamSlot>] = []
        for (slot, peer) in zip(slots, Self.peers) {
            try ledger.bind(slot, to: peer)
            streams.append([
                try ledger.reserveStream(on: slot, direction: .inbound),
                try ledger.reserveStream(on: slot, direction: .outbound),
            ])
        }
        #expect(slots.map { ledger.streams(on: $0) } == streams)
        let ended = try #require(streams[0].first)
        ledger.release(ended)
        #expect(ledger.streams(on: slots[0]) == streams[0].subtracting([ended]))
        ledger.release(slots[0])
        #expect(ledger.streams(on: slots[0]).isEmpty && ledger.streams(on: slots[1]) == streams[1])
        #expect(ledger.streamCount == 3 && ledger.streamCount(of: Self.peers[0]) == 1)
    }

    @Test("connections: inbound, outbound and pending each by its own figure, and a release makes room")
    func connectionsByDirection() throws {
        var limits = ResourceLimits()
        limits.inboundConnections = 2
        limits.outboundConnections = 1
        limits.pendingInboundConnections = 1
        var ledger = ResourceLedger(limits: limits)
        let first = try ledger.reserveInbound(from: nil, now: .zero)
        #expect(throws: LimitExceeded(.pendingInboundConnections, limit: 1)) {
            try ledger.reserveInbound(from: nil, now: .zero)
        }
        try ledger.bind(first, to: Self.peers[0])
        try ledger.bind(try ledger.reserveInbound(from: nil, now: .zero), to: Self.peers[1])
        #expect(throws: LimitExceeded(.inboundConnections, limit: 2)) {
            try ledger.reserveInbound(from: nil, now: .zero)
        }
        let dialled = try ledger.reserveOutbound(to: nil)
        #expect(throws: LimitExceeded(.outboundConnections, limit: 1)) { try ledger.reserveOutbound(to: nil) }
        ledger.release(first)
        ledger.release(dialled)
        _ = try ledger.reserveInbound(from: nil, now: .zero)
        _ = try ledger.reserveOutbound(to: nil)
    }

    @Test("streams: in all, per connection, per peer outbound, per protocol of all peers, and a release makes room")
    func streamsInAll() throws {
        var limits = ResourceLimits()
        limits.streams = 4
        limits.inboundStreamsPerConnection = 2
        limits.outboundStreamsPerPeer = 1
        var ledger = ResourceLedger(limits: limits)
        let slots = try (0..<3).map { _ in try ledger.reserveOutbound(to: nil) }
        // Two connections of one peer, and one of another.
        for (slot, peer) in zip(slots, [0, 0, 1]) { try ledger.bind(slot, to: Self.peers[peer]) }
        let inbound = try (0..<2).map { _ in try ledger.reserveStream(on: slots[0], direction: .inbound) }
        #expect(throws: LimitExceeded(.inboundStreamsPerConnection, limit: 2)) {
            try ledger.reserveStream(on: slots[0], direction: .inbound)
        }
        let outbound = try ledger.reserveStream(on: slots[0], direction: .outbound)
        #expect(throws: LimitExceeded(.outboundStreamsPerPeer, limit: 1)) {
            try ledger.reserveStream(on: slots[1], direction: .outbound)
        }
        let other = try ledger.reserveStream(on: slots[2], direction: .inbound)
        #expect(throws: LimitExceeded(.streams, limit: 4)) {
            try ledger.reserveStream(on: slots[2], direction: .inbound)
        }
        try ledger.assign(inbound[0], to: "/x", limit: .init(total: 1, perPeer: 1))
        #expect(throws: LimitExceeded(.inboundStreamsPerProtocol, limit: 1)) {
            try ledger.assign(other, to: "/x", limit: .init(total: 1, perPeer: 1))
        }
        ledger.release(inbound[0])
        try ledger.assign(other, to: "/x", limit: .init(total: 1, perPeer: 1))
        _ = try ledger.reserveStream(on: slots[0], direction: .inbound)
        ledger.release(outbound)
        _ = try ledger.reserveStream(on: slots[1], direction: .outbound)
    }

    @Test("arrival rates are kept for a bounded number of hosts; those seen longest ago are forgotten")
    func rateTable() throws {
        var rates = ArrivalRates(burst: 1, interval: .seconds(3_600), capacity: 16)
        let hosts = try (0..<17).map { AddressScope.host(try Self.ip("8.8.8.\($0)")) }
        for (second, host) in hosts.enumerated() {
            let isAdmitted = rates.admit(host, now: Self.second(UInt64(second)))
            #expect(isAdmitted)
        }
        // Asked in this order: a host that is unknown takes the place of the one seen longest ago.
        let isRefused = !rates.admit(hosts[16], now: Self.second(20))
        let isForgotten = rates.admit(hosts[0], now: Self.second(20))
        #expect(isRefused && isForgotten)
    }

    @Test("the ledger keeps the arrival rates of no more hosts than its limits say")
    func rateTableOfTheLedger() throws {
        var limits = ResourceLimits()
        limits.newConnectionBurst = 1
        limits.newConnectionInterval = .seconds(3_600)
        limits.rateTableSize = 16
        var ledger = ResourceLedger(limits: limits)
        for host in 0..<17 {
            let slot = try ledger.reserveInbound(
                from: try Self.ip("8.8.\(host).8"), now: Self.second(UInt64(host)))
            ledger.release(slot)
        }
        // The first of them has had its one connection of the hour; the table has forgotten it.
        _ = try ledger.reserveInbound(from: try Self.ip("8.8.0.8"), now: Self.second(20))
    }

    @Test("10,000 random reservations and releases: never above a limit, and empty at the end", arguments: [1, 2, 3])
    func randomOrders(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        var limits = ResourceLimits()
        limits.connections = 12
        limits.inboundConnections = 8
        limits.outboundConnections = 8
        limits.connectionsPerPeer = 3
        limits.pendingInboundConnections = 4
        limits.streams = 30
        limits.inboundStreamsPerPeer = 6
        limits.outboundStreamsPerPeer = 6
        limits.inboundStreamsPerConnection = 4
        var ledger = ResourceLedger(limits: limits)
        var connections: [ResourceLedger.ConnectionSlot] = []
        var streams: [ResourceLedger.StreamSlot] = []
        let hosts = try ["1.1.1.1", "1.1.1.2", "10.0.0.1", "127.0.0.1", "2a00::1", "fd00::1"].map(Self.ip)
        for step in 0..<10_000 {
            let now = MonotonicInstant(nanoseconds: UInt64(step) * 1_000_000_000)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0:
                let host = hosts.randomElement(using: &generator)
                if let slot = try? ledger.reserveInbound(from: host, now: now) { connections.append(slot) }
            case 1: if let slot = try? ledger.reserveOutbound(to: nil) { connections.append(slot) }
            case 2:
                if let slot = connections.randomElement(using: &generator),
                    let peer = Self.peers.randomElement(using: &generator)
                {
                    try? ledger.bind(slot, to: peer)
                }
            case 3, 4:
                let direction: Direction = Bool.random(using: &generator) ? .inbound : .outbound
                if let slot = connections.randomElement(using: &generator),
                    let stream = try? ledger.reserveStream(on: slot, direction: direction)
                {
                    streams.append(stream)
                }
            case 5:
                if let stream = streams.randomElement(using: &generator) {
                    try? ledger.assign(stream, to: "/p", limit: .init(total: 8, perPeer: 3))
                }
            case 6: if let stream = streams.randomElement(using: &generator) { ledger.release(stream) }
            default: if let slot = connections.randomElement(using: &generator) { ledger.release(slot) }
            }
            #expect(ledger.connectionCount <= 12 && ledger.streamCount <= 30)
            #expect(ledger.inboundConnections + ledger.outboundConnections == ledger.connectionCount)
            #expect((0...4).contains(ledger.pendingInbound))
            #expect(connections.reduce(0) { $0 + ledger.streamCount(on: $1) } <= ledger.streamCount)
        }
        for stream in streams { ledger.release(stream) }
        for slot in connections { ledger.release(slot) }
        #expect(ledger.connectionCount == 0 && ledger.streamCount == 0)
        #expect(ledger.inboundConnections == 0 && ledger.outboundConnections == 0 && ledger.pendingInbound == 0)
        #expect(Self.peers.allSatisfy { ledger.streamCount(of: $0) == 0 } && ledger.isBalanced)
    }

    @Test("figures scale with the machine, within bounds; connections leave half of the descriptors to others")
    func scaling() {
        let usual = ResourceLimits()
        #expect(ResourceLimits.scaled(memoryBytes: 4 << 30, descriptors: 4_096) == usual)
        let small = ResourceLimits.scaled(memoryBytes: 64 << 20, descriptors: 4_096)
        #expect(small.connections == usual.connections / 16 && small.streams == usual.streams / 16)
        #expect(small.inboundStreams == small.streams / 4 * 3 && small.negotiatingStreams == small.streams / 4)
        #expect(small.streamBytes == 32 << 20 && small.windowBytes == 32 << 20)
        let large = ResourceLimits.scaled(memoryBytes: 1 << 50, descriptors: 1 << 40)
        #expect(large.connections == usual.connections * 8 && large.streams == usual.streams * 8)
        #expect(large.streamBytes == usual.streamBytes && large.windowBytes == usual.windowBytes)
        let few = ResourceLimits.scaled(memoryBytes: 1 << 50, descriptors: 256)
        #expect(few.connections == 128 && few.streams == large.streams)
        #expect(few.inboundConnectionsPerPrefix == 10 && few.inboundConnectionsPerAddress == 5)
        #expect(large.inboundConnectionsPerPrefix == usual.inboundConnectionsPerPrefix)
        let trimming = ConnectionTrimming.Configuration()
        #expect(trimming.within(usual) == trimming)
        #expect(trimming.within(few).highWater == 63 && trimming.within(few).lowWater == 50)
        #expect(trimming.within(.scaled(memoryBytes: 0, descriptors: 0)).highWater == 1)
        #expect(few.inboundConnections == 84 && few.outboundConnections == 84 && few.pendingInboundConnections == 64)
        let none = ResourceLimits.scaled(memoryBytes: 0, descriptors: 0)
        #expect(none.connections == 1 && none.inboundConnections == 1 && none.pendingInboundConnections == 1)
    }

    @Test("all that strangers can fill is the stated share of the memory, GossipSub included", arguments: 8...16)
    func shareOfMemory(power: Int) {
        let usual = GossipSubLimits()
        #expect(GossipSubLimits.scaled(memoryBytes: 4 << 30) == usual)
        // From 256 MiB to 64 GiB.
        let memory = 1 << (20 + power)
        let limits = ResourceLimits.scaled(memoryBytes: UInt64(memory), descriptors: .max)
        let gossip = GossipSubLimits.scaled(memoryBytes: UInt64(memory))
        let streams = limits.streamBytes + limits.connections * (320 << 10) + limits.streams * (4 << 10)
        let messages =
            gossip.maximumTopicBytesOfAll + gossip.maximumCachedBytes + gossip.maximumPendingBytes
            + gossip.maximumQueuedBytesOfAll + gossip.maximumSpareBytesOfAll + gossip.maximumPartialFrameBytes
        #expect(streams + messages < (power < 11 ? memory / 2 : memory / 8 * 3))
        #expect(messages <= 224 << 20)
        // One peer alone can send a frame of any size, and be sent it, on the smallest machine too.
        #expect(gossip.maximumAnswerBytesOfAll / 8 > gossip.maximumFrameBytes)
        #expect(gossip.maximumSpareBytesOfAll / 8 > gossip.maximumFrameBytes)
        #expect(gossip.maximumPartialFrameBytes / 8 > gossip.maximumFrameBytes)
    }
}

@Suite("Connection trimming")
struct ConnectionTrimmingTests {
    private func candidate(
        _ id: Int, _ peer: PeerID, opened: UInt64 = 0, streams: Int = 0, direction: Direction = .inbound
    ) -> ConnectionTrimming.Candidate<Int> {
        .init(
            id: id, peer: peer, opened: ResourceLedgerTests.second(opened), streams: streams, direction: direction)
    }

    private var configuration: ConnectionTrimming.Configuration {
        var configuration = ConnectionTrimming.Configuration()
        configuration.lowWater = 2
        configuration.highWater = 3
        return configuration
    }

    @Test("nothing below the high water mark")
    func quiet() {
        let trimming = ConnectionTrimming(configuration: self.configuration)
        let all = (0..<3).map { self.candidate($0, ResourceLedgerTests.peers[$0]) }
        #expect(trimming.victims(among: all, now: ResourceLedgerTests.second(1_000)) == [])
    }

    @Test("down to low water: least worth first, protected and young ones never")
    func order() {
        let peers = ResourceLedgerTests.peers
        var trimming = ConnectionTrimming(configuration: self.configuration)
        trimming.protect(peers[0], reason: "mesh")
        trimming.tag(peers[1], "relay", value: 10)
        let all = [
            self.candidate(0, peers[0]), self.candidate(1, peers[1]), self.candidate(2, peers[2], streams: 4),
            self.candidate(3, peers[3]), self.candidate(4, peers[3], opened: 990),
        ]
        #expect(trimming.victims(among: all, now: ResourceLedgerTests.second(1_000)) == [3, 2])
        trimming.unprotect(peers[0], reason: "mesh")
        trimming.untag(peers[1], "relay")
        #expect(trimming.victims(among: all, now: ResourceLedgerTests.second(1_000)).count == 2)
        #expect(!trimming.victims(among: all, now: ResourceLedgerTests.second(1_000)).contains(4))
    }

    @Test("a flood of new connections pushes nobody out, neither while it is young nor when it has settled")
    func flood() {
        let peers = ResourceLedgerTests.peers
        let trimming = ConnectionTrimming(configuration: self.configuration)
        let old = (0..<2).map { self.candidate($0, peers[$0], opened: UInt64($0), streams: 1) }
        let new = (2..<9).map { self.candidate($0, peers[2], opened: 100, streams: 1) }
        #expect(trimming.victims(among: old + new, now: ResourceLedgerTests.second(130)) == [])
        #expect(Set(trimming.victims(among: old + new, now: ResourceLedgerTests.second(200))) == Set(2..<9))
    }

    @Test("tags of one peer are bounded and their sum cannot overflow")
    func bounds() {
        let peer = ResourceLedgerTests.peers[0]
        var trimming = ConnectionTrimming(configuration: self.configuration)
        for index in 0..<100 { trimming.tag(peer, "t\(index)", value: .max) }
        #expect(trimming.worth(of: peer) == .max)
        // Counted one by one, because the sum above says nothing of how many tags are in it.
        for index in 0..<100 { trimming.tag(peer, "t\(index)", value: 1) }
        #expect(trimming.worth(of: peer) == 32)
        trimming.untag(peer, "t0")
        trimming.tag(peer, "another", value: 5)
        #expect(trimming.worth(of: peer) == 36, "an end makes room")
    }

    @Test("reasons to keep one peer are bounded, and so are the peers that have tags or reasons")
    func boundedPeers() {
        let peers = ResourceLedgerTests.peers
        var configuration = self.configuration
        configuration.maximumTaggedPeers = 2
        configuration.maximumTagsPerPeer = 1
        var trimming = ConnectionTrimming(configuration: configuration)
        for peer in peers {
            trimming.tag(peer, "a", value: 1)
            trimming.protect(peer, reason: "first")
            trimming.protect(peer, reason: "second")
        }
        #expect(peers.map { trimming.worth(of: $0) } == [1, 1, 0, 0])
        #expect(peers.map { trimming.isProtected($0) } == [true, true, false, false])
        trimming.unprotect(peers[0], reason: "first")
        #expect(!trimming.isProtected(peers[0]), "the second reason found no room")
        trimming.untag(peers[0], "a")
        trimming.tag(peers[2], "a", value: 1)
        trimming.protect(peers[2], reason: "first")
        #expect(trimming.worth(of: peers[2]) == 1 && trimming.isProtected(peers[2]), "an end makes room")
    }
}
