import GoopTestKit
import Multiformats
import P2PCore
import PeerIdentity
import Testing

private func address(_ text: String) throws -> Multiaddr { try Multiaddr(text: text) }

@Suite("Identify messages")
struct IdentifyTests {
    private let key = PrivateKey.generate()

    private func message(addresses: Int = 2, record: Bool = true) throws -> IdentifyMessage {
        var message = IdentifyMessage()
        message.publicKey = self.key.publicKey.protobuf
        message.listenAddresses = try (0..<addresses).map { try address("/ip4/10.0.0.1/tcp/\($0 + 1)") }
        message.protocols = ["/a/1", "/b/1"]
        message.observedAddress = try address("/ip4/10.0.0.9/tcp/9")
        message.protocolVersion = "p/1"
        message.agentVersion = "agent/1"
        if record {
            message.signedPeerRecord = try PeerRecord(
                peer: self.key.peerID, sequence: 7, addresses: message.listenAddresses
            ).sealed(with: self.key).protobuf
        }
        return message
    }

    private func read(
        _ bytes: [UInt8], chunk: Int = 1_000_000, remote: String = "/ip4/10.0.0.2/tcp/1"
    ) throws -> IdentifyInfo {
        var reader = IdentifyReader()
        var rest = bytes[...]
        while !rest.isEmpty {
            try reader.received(rest.prefix(chunk))
            rest = rest.dropFirst(chunk)
        }
        return try reader.finish(peer: self.key.peerID, remote: try address(remote))
    }

    @Test("the fields on the wire, byte by byte")
    func wire() throws {
        var message = IdentifyMessage()
        message.publicKey = [1, 2]
        message.listenAddresses = [try address("/ip4/127.0.0.1/tcp/4001")]
        message.protocols = ["/x"]
        message.observedAddress = try address("/ip4/1.2.3.4/tcp/1")
        message.protocolVersion = "v"
        message.agentVersion = "a"
        let bytes = message.encoded()
        #expect(Int(bytes[0]) == bytes.count - 1)
        #expect(
            bytes.dropFirst() == [
                0x0a, 2, 1, 2, 0x12, 8, 4, 127, 0, 0, 1, 6, 0x0f, 0xa1, 0x1a, 2, 0x2f, 0x78, 0x22, 8, 4, 1, 2, 3, 4,
                6, 0, 1, 0x2a, 1, 0x76, 0x32, 1, 0x61,
            ])
    }

    @Test("what is written is read, cut anywhere", arguments: [1, 2, 3, 7, 1_000])
    func roundTrip(chunk: Int) throws {
        let info = try self.read(try self.message().encoded(), chunk: chunk)
        #expect(info.agentVersion == "agent/1" && info.protocolVersion == "p/1")
        #expect(info.protocols == ["/a/1", "/b/1"])
        #expect(info.listenAddresses == (try self.message().listenAddresses))
        #expect(info.observedAddress == (try address("/ip4/10.0.0.9/tcp/9")))
        #expect(info.signedRecord?.sequence == 7)
    }

    @Test("a long message is split so that the record comes second, each part small enough for everybody")
    func split() throws {
        let short = try self.message().encoded()
        let long = try self.message(addresses: 120).encoded()
        func parts(_ bytes: [UInt8]) throws -> [Int] {
            var rest = bytes[...]
            var sizes: [Int] = []
            while let prefix = try Varint.decodePrefix(rest), !rest.isEmpty {
                sizes.append(Int(prefix.value))
                rest = rest.dropFirst(prefix.length + Int(prefix.value))
            }
            return sizes
        }
        #expect(try parts(short).count == 1)
        let sizes = try parts(long)
        #expect(sizes.count == 2 && sizes.allSatisfy { $0 <= 4_096 })
        #expect(try self.read(long).signedRecord?.addresses.count == 120)
    }

    @Test("too many addresses to fit: the last ones go, the message stays readable")
    func fit() throws {
        let bytes = try self.message(addresses: 2_000, record: false).encoded()
        #expect(bytes.count <= 4_096)
        #expect(try self.read(bytes).listenAddresses.count > 100)
    }

    @Test("refusals by exact error")
    func refusals() throws {
        #expect(throws: IdentifyError.messageTooLong(limit: 8_192)) { try self.read([0x81, 0x40]) }
        #expect(throws: IdentifyError.truncated) { try self.read([5, 1]) }
        #expect(throws: IdentifyError.empty) { try self.read([]) }
        #expect(throws: IdentifyError.malformed) { try self.read([1, 0x0a]) }
        #expect(throws: IdentifyError.tooManyMessages(limit: 10)) { try self.read([UInt8](repeating: 0, count: 11)) }
        var foreign = try self.message(record: false)
        foreign.publicKey = PrivateKey.generate().publicKey.protobuf
        #expect(throws: IdentifyError.wrongKey) { try self.read(foreign.encoded()) }
    }

    @Test("a record of somebody else, or a forged one, counts for nothing")
    func foreignRecord() throws {
        let stranger = PrivateKey.generate()
        var message = try self.message(record: false)
        message.signedPeerRecord = try PeerRecord(
            peer: stranger.peerID, sequence: 9, addresses: [try address("/ip4/10.6.6.6/tcp/6")]
        ).sealed(with: stranger).protobuf
        #expect(try self.read(message.encoded()).signedRecord == nil)
        var forged = try self.message()
        var record = try #require(forged.signedPeerRecord)
        record[record.count - 1] ^= 1
        forged.signedPeerRecord = record
        let info = try self.read(forged.encoded())
        #expect(info.signedRecord == nil && info.listenAddresses == forged.listenAddresses)
    }

    @Test("bounds: protocols, names, addresses, versions")
    func bounds() throws {
        var limits = IdentifyLimits()
        limits.writtenMessageBytes = 1 << 20
        var message = try self.message(addresses: 400, record: false)
        message.protocols = (0..<400).map { ProtocolID("/\($0)") } + [ProtocolID(String(repeating: "n", count: 300))]
        message.agentVersion = "a" + String(repeating: "é", count: 1_000)
        var reader = IdentifyReader(limits: .init())
        message.listenAddresses = Array(message.listenAddresses.prefix(200))
        try reader.received(message.encoded(limits: limits))
        let info = try reader.finish(peer: self.key.peerID, remote: nil)
        #expect(info.protocols.count == 400)
        #expect(info.agentVersion == "a" + String(repeating: "é", count: 127), "256 bytes, and no half characters")
    }

    @Test("of protocols and addresses the first ones are kept, over all messages of an answer, signed or not")
    func keptCounts() throws {
        var limits = IdentifyLimits()
        limits.protocols = 3
        limits.addresses = 2
        for isSigned in [false, true] {
            let message = try self.message(addresses: 5, record: isSigned)
            var reader = IdentifyReader(limits: limits)
            for _ in 0..<3 { try reader.received(message.encoded()) }
            let info = try reader.finish(peer: self.key.peerID, remote: try address("/ip4/10.0.0.2/tcp/1"))
            #expect(info.protocols == ["/a/1", "/b/1", "/a/1"])
            #expect(info.listenAddresses == Array(message.listenAddresses.prefix(2)))
        }
    }

    @Test("so many bytes of names and of addresses are kept, over all messages of an answer")
    func keptBytes() throws {
        var message = try self.message(record: false)
        message.protocols = (0..<30).map { ProtocolID("/\($0)/" + String(repeating: "n", count: 240)) } + ["/short"]
        let name = String(repeating: "d", count: 60)
        message.listenAddresses = try (0..<100).map { try address("/dns4/\(name)\($0 + 100)/tcp/1") }
        var limits = IdentifyLimits()
        limits.writtenMessageBytes = 1 << 20
        limits.messageBytes = 1 << 20
        var reader = IdentifyReader(limits: limits)
        for _ in 0..<10 { try reader.received(message.encoded(limits: limits)) }
        let info = try reader.finish(peer: self.key.peerID, remote: nil)
        let names = info.protocols.reduce(0) { $0 + $1.name.utf8.count }
        #expect(names <= 16_384 && names > 16_000 && info.protocols.last == "/short")
        // Each of them counted as often as it was told.
        #expect(info.listenAddresses.count == 100)
        message.listenAddresses = try (0..<400).map { try address("/dns4/\(name)\($0 + 100)/tcp/1") }
        reader = IdentifyReader(limits: limits)
        try reader.received(message.encoded(limits: limits))
        let few = try reader.finish(peer: self.key.peerID, remote: nil).listenAddresses
        let each = try #require(message.listenAddresses.first).bytes.count
        #expect(few.count == 16_384 / each)
    }

    @Test("random bytes never trap", arguments: [1, 2, 3, 4])
    func random(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let valid = try self.message().encoded()
        for _ in 0..<2_000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0..<bytes.count, using: &generator))
            _ = try? self.read(bytes, chunk: Int.random(in: 1...40, using: &generator))
        }
    }
}

@Suite("Addresses for whom")
struct AddressSelectionTests {
    private let all = ["/ip4/127.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/8.8.8.8/tcp/1", "/ip4/0.0.0.0/tcp/1"]

    @Test(
        "claimed addresses that can lead anywhere",
        arguments: [("/ip4/127.0.0.1/tcp/9", 3), ("/ip4/10.0.0.9/tcp/9", 2), ("/ip4/9.9.9.9/tcp/9", 1)])
    func usable(remote: String, count: Int) throws {
        let claimed = try self.all.map(address)
        #expect(AddressSelection.usable(claimed, via: try address(remote)).count == count)
    }

    @Test("told to others: never wildcards, loopback only to loopback, public first")
    func advertised() throws {
        let own = try self.all.map(address)
        // To a far peer private ones too: it may turn out to be near.
        for remote in ["/ip4/10.0.0.9/tcp/9", "/ip4/9.9.9.9/tcp/9"] {
            #expect(
                AddressSelection.advertised(own, to: try address(remote)).map(\.description) == [
                    "/ip4/8.8.8.8/tcp/1", "/ip4/10.0.0.1/tcp/1",
                ])
        }
        #expect(
            AddressSelection.advertised(own, to: try address("/ip4/127.0.0.1/tcp/9")).map(\.description).last
                == "/ip4/127.0.0.1/tcp/1")
    }

    @Test("a wildcard becomes the machine's addresses of its family")
    func expansion() throws {
        let interfaces = ["127.0.0.1", "192.168.1.5", "::1", "fe80::1", "2a00::5"].compactMap { IPAddress($0) }
        let expanded = AddressSelection.expanded(
            [try address("/ip4/0.0.0.0/tcp/4"), try address("/ip6/::/tcp/6"), try address("/ip4/10.1.1.1/tcp/5")],
            over: interfaces)
        #expect(
            expanded.map(\.description) == [
                "/ip4/127.0.0.1/tcp/4", "/ip4/192.168.1.5/tcp/4", "/ip6/::1/tcp/6", "/ip6/2a00::5/tcp/6",
                "/ip4/10.1.1.1/tcp/5",
            ])
    }
}

@Suite("Identify pushes")
struct IdentifyPushScheduleTests {
    private let peers = (0..<5).map { _ in PrivateKey.generate().peerID }.sorted()
    private func at(_ milliseconds: UInt64) -> MonotonicInstant { .init(nanoseconds: milliseconds * 1_000_000) }

    @Test("changes are gathered, few run at a time, nobody is told twice")
    func schedule() {
        var schedule = IdentifyPushSchedule(delay: .seconds(1), concurrent: 2)
        for peer in self.peers { schedule.peerAcceptsPushes(peer) }
        #expect(schedule.nextDeadline == nil)
        #expect(schedule.poll(now: .zero).isEmpty)
        schedule.changed(now: self.at(0))
        schedule.changed(now: self.at(900))
        #expect(schedule.nextDeadline == self.at(1_000))
        #expect(schedule.poll(now: self.at(999)).isEmpty)
        #expect(schedule.poll(now: self.at(1_000)) == Array(self.peers[0..<2]))
        schedule.peerKnowsPresentState(self.peers[2])
        #expect(schedule.pushed(self.peers[0]) == [self.peers[3]])
        schedule.removed(self.peers[1])
        #expect(schedule.poll(now: self.at(1_001)) == [self.peers[4]])
        #expect(schedule.pushed(self.peers[3]) == [])
        #expect(schedule.pushed(self.peers[4]) == [])
        #expect(schedule.poll(now: self.at(90_000)).isEmpty)
    }

    @Test("a change during a push is pushed again afterwards")
    func changeMeanwhile() {
        var schedule = IdentifyPushSchedule(delay: .zero, concurrent: 2)
        schedule.peerAcceptsPushes(self.peers[0])
        schedule.changed(now: self.at(1))
        #expect(schedule.poll(now: self.at(1)) == [self.peers[0]])
        schedule.changed(now: self.at(2))
        #expect(schedule.poll(now: self.at(2)).isEmpty)
        #expect(schedule.pushed(self.peers[0]) == [self.peers[0]])
    }

    @Test(
        "who did not name the protocol of pushes gets none, however often it asks; once it does, it gets what it missed"
    )
    func onlyToThoseWhoAccept() {
        var schedule = IdentifyPushSchedule(delay: .zero, concurrent: 2)
        let peer = self.peers[0]
        schedule.peerKnowsPresentState(peer)
        schedule.changed(now: self.at(1))
        #expect(schedule.poll(now: self.at(1)) == [])
        schedule.peerAcceptsPushes(peer, false)
        #expect(schedule.poll(now: self.at(2)) == [])
        for _ in 0..<3 {
            schedule.peerAcceptsPushes(peer, false)
            schedule.peerAcceptsPushes(peer)
        }
        #expect(schedule.poll(now: self.at(3)) == [peer])
        #expect(schedule.pushed(peer) == [])
        schedule.peerAcceptsPushes(peer, false)
        schedule.changed(now: self.at(4))
        #expect(schedule.poll(now: self.at(4)) == [])
    }

    @Test("of a thousand peers those that are behind have their turn one by one, each once")
    func turns() {
        var schedule = IdentifyPushSchedule(delay: .zero, concurrent: 3)
        let many = (0..<1_000).map { _ in PrivateKey.generate().peerID }
        for peer in many { schedule.peerAcceptsPushes(peer) }
        schedule.changed(now: self.at(1))
        var underWay = schedule.poll(now: self.at(1))
        var told: [PeerID] = []
        while let peer = underWay.popLast() {
            told.append(peer)
            underWay += schedule.pushed(peer)
            #expect(underWay.count <= 3)
        }
        #expect(told.count == 1_000 && Set(told) == Set(many))
    }

    @Test("a peer may push a burst, then once per interval")
    func allowance() {
        var limits = IdentifyLimits()
        limits.pushBurst = 2
        limits.pushInterval = .seconds(1)
        var allowance = limits.pushAllowance
        let times: [UInt64] = [0, 0, 0, 999, 1_000, 1_001, 2_000, 60_000, 60_000, 60_000]
        #expect(
            times.map { allowance.take(now: self.at($0)) } == [
                true, true, false, false, true, false, true, true, true, false,
            ])
    }
}
