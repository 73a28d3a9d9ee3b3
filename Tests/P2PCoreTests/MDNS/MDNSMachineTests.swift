import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

@testable import P2PCore

typealias TestMachine = MDNSMachine<SeededGenerator>

/// Builds machines, interfaces and packets for the tests of this folder.
enum MDNSBench {
    static let tag = "goop-mdns"
    static let first = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
    static let second = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"

    static func machine(_ peer: String = first, tag: String = tag, seed: UInt64 = 1) throws -> TestMachine {
        try TestMachine(serviceName: tag, peer: PeerID(text: peer), randomness: SeededGenerator(seed: seed))
    }

    static func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

    /// `eth0` with `text` as IPv4 address in a /24.
    static func ethernet(_ text: String, index: UInt32 = 2, also: [(String, Int)] = []) throws -> NetworkInterface {
        var addresses = [InterfaceAddress(try address(text), prefixLength: 24)]
        for (text, length) in also { addresses.append(InterfaceAddress(try address(text), prefixLength: length)) }
        return NetworkInterface(index: index, name: "eth\(index - 2)", isLoopback: false, addresses: addresses)
    }

    static func loopback() throws -> NetworkInterface {
        NetworkInterface(
            index: 1, name: "lo", isLoopback: true,
            addresses: [InterfaceAddress(try address("127.0.0.1"), prefixLength: 8)])
    }

    static func at(_ milliseconds: UInt64) -> MonotonicInstant {
        MonotonicInstant(nanoseconds: 1_000_000_000_000 + milliseconds * 1_000_000)
    }

    static func endpoint(_ text: String, port: UInt16 = 5353) throws -> MDNSEndpoint {
        MDNSEndpoint(try address(text), port: port)
    }

    /// The packet with which a peer says `strings` under `instance`.
    static func answer(_ strings: [String], instance: String = "other", timeToLive: UInt32 = 3200) throws -> [UInt8] {
        let service = try DNSName(text: "\(tag).local")
        let name = try service.prepending(Array(instance.utf8))
        let text = strings.map { Array($0.utf8)[...] }
        return DNSMessage(
            isResponse: true, answers: [DNSRecord(service, .ptr(name), timeToLive: timeToLive)],
            additionals: [DNSRecord(name, .txt(text), timeToLive: timeToLive, flushesCache: true)]
        ).encoded(maximumLength: 9000)
    }

    static func query(
        _ name: String, _ type: UInt16, wantsUnicast: Bool = false, known: [DNSRecord] = []
    ) throws -> [UInt8] {
        DNSMessage(
            isResponse: false,
            questions: [DNSQuestion(try DNSName(text: name), type: type, wantsUnicast: wantsUnicast)], answers: known
        ).encoded(maximumLength: 9000)
    }

    static let v4 = MDNSLink(interface: 2, family: .v4)
}

extension [MDNSAction] {
    var multicasts: [(message: DNSMessage, link: MDNSLink)] {
        get throws {
            try compactMap {
                if case .multicast(let bytes, let link) = $0 { (try DNSMessage(bytes: bytes), link) } else { nil }
            }
        }
    }
    /// The answers among the packets to all; questions of our own schedule are left out.
    var answers: [DNSMessage] { get throws { try multicasts.map(\.message).filter(\.isResponse) } }
    var unicasts: [(message: DNSMessage, to: MDNSEndpoint)] {
        get throws {
            try compactMap {
                if case .unicast(let bytes, _, let to) = $0 { (try DNSMessage(bytes: bytes), to) } else { nil }
            }
        }
    }
    var discoveries: [MDNSDiscovery] {
        compactMap { if case .discovered(let discovery) = $0 { discovery } else { nil } }
    }
    var namesakes: [[Multiaddr]] { compactMap { if case .namesake(let addresses) = $0 { addresses } else { nil } } }
    var losses: [MDNSLossReason] { compactMap { if case .lost(_, let reason) = $0 { reason } else { nil } } }
}

extension TestMachine {
    /// Lets the time pass up to `end`, every deadline served when it comes.
    mutating func run(until end: MonotonicInstant) -> [(at: MonotonicInstant, action: MDNSAction)] {
        var happened: [(MonotonicInstant, MDNSAction)] = []
        while let next = nextDeadline, next <= end {
            happened += timerFired(now: next).map { (next, $0) }
        }
        return happened
    }
}

@Suite struct MDNSMachineTests {
    typealias Bench = MDNSBench

    func started(
        _ listening: [String] = ["/ip4/0.0.0.0/tcp/4001"], interfaces: [NetworkInterface]? = nil
    ) throws -> TestMachine {
        var machine = try Bench.machine()
        _ = machine.start(
            interfaces: try interfaces ?? [Bench.ethernet("10.1.0.1")],
            listening: try listening.map { try Multiaddr(text: $0) }, now: Bench.at(0))
        return machine
    }

    /// Started, and past its announcements and early questions.
    func settled(
        _ listening: [String] = ["/ip4/0.0.0.0/tcp/4001"], interfaces: [NetworkInterface]? = nil
    ) throws -> TestMachine {
        var machine = try started(listening, interfaces: interfaces)
        _ = machine.run(until: Bench.at(10_000))
        return machine
    }

    @Test func asksAndAnnouncesAtOnceThenAtGrowingIntervals() throws {
        var machine = try started()
        let log = machine.run(until: Bench.at(600_000))
        var questions: [Double] = []
        var announcements: [Double] = []
        for (at, action) in log {
            for (message, link) in try [action].multicasts {
                #expect(link == Bench.v4)
                let seconds = Double(at.nanoseconds - Bench.at(0).nanoseconds) / 1e9
                if message.isResponse { announcements.append(seconds) } else { questions.append(seconds) }
            }
        }
        try #require(questions.count > 8)
        #expect(questions[0] <= 0.02)
        #expect(abs(questions[1] - questions[0] - 1) < 0.001)
        #expect(abs(questions[2] - questions[1] - 4) < 0.001)
        var interval = 4.0
        for (earlier, later) in zip(questions.dropFirst(2), questions.dropFirst(3)) {
            #expect(later - earlier <= 60.001)
            #expect(later - earlier >= min(interval * 1.5, 60) - 0.001)
            #expect(later - earlier <= interval * 2.5 + 0.001)
            interval = later - earlier
        }
        try #require(announcements.count == 2)
        #expect(announcements[0] <= 0.02)
        #expect(abs(announcements[1] - announcements[0] - 1) < 0.001)
    }

    @Test func announcesTheWholeLayout() throws {
        var machine = try started()
        let log = machine.run(until: Bench.at(30)).map(\.action)
        let announcement = try #require(try log.multicasts.first { $0.message.isResponse }).message
        let service = try DNSName(text: "goop-mdns.local")
        #expect(announcement.answers.map(\.data.type) == [DNSType.ptr, DNSType.txt, DNSType.srv, DNSType.a])
        #expect(announcement.answers[0] == DNSRecord(service, .ptr(machine.names.instance), timeToLive: 240))
        #expect(machine.names.instance.isChild(of: service))
        #expect(machine.names.instance.labels[0].count == 32)
        let text = Array("dnsaddr=/ip4/10.1.0.1/tcp/4001/p2p/\(Bench.first)".utf8)
        #expect(
            announcement.answers[1]
                == DNSRecord(machine.names.instance, .txt([text[...]]), timeToLive: 240, flushesCache: true))
        guard case .srv(_, _, 4001, let host) = announcement.answers[2].data else {
            Issue.record("no SRV with the port")
            return
        }
        #expect(announcement.answers[3] == DNSRecord(host, .a(0x0a01_0001), timeToLive: 120, flushesCache: true))
    }

    /// Both orders of a simultaneous start end in mutual discovery within the short wait.
    @Test(arguments: [UInt64](1...20)) func twoMachinesFindEachOtherInOneRound(_ seed: UInt64) throws {
        var machines = [
            try Bench.machine(Bench.first, seed: seed), try Bench.machine(Bench.second, seed: seed + 100),
        ]
        let ips = ["10.1.0.1", "10.1.0.2"]
        var found: [Int: MonotonicInstant] = [:]
        var now = Bench.at(0)
        func deliver(_ actions: [MDNSAction], from: Int) throws {
            for action in actions {
                switch action {
                case .multicast(let bytes, let link):
                    // Also to the sender itself: multicast is looped back.
                    for index in machines.indices {
                        let source = try Bench.endpoint(ips[from])
                        try deliver(machines[index].received(bytes, on: link, from: source, now: now), from: index)
                    }
                case .discovered(let discovery):
                    #expect(discovery.peer.base58 == [Bench.second, Bench.first][from])
                    #expect(discovery.addresses == [try Multiaddr(text: "/ip4/\(ips[1 - from])/tcp/400\(1 - from)")])
                    found[from] = found[from] ?? now
                default: Issue.record("unexpected \(action)")
                }
            }
        }
        // The second starts 0 to 400 ms after the first.
        let starts = [Bench.at(0), Bench.at(seed % 5 * 100)]
        for index in machines.indices {
            while let next = machines[0].nextDeadline, next < starts[index] {
                now = next
                try deliver(machines[0].timerFired(now: now), from: 0)
            }
            now = starts[index]
            let listening = [try Multiaddr(text: "/ip4/0.0.0.0/tcp/400\(index)")]
            let actions = machines[index].start(
                interfaces: [try Bench.ethernet(ips[index])], listening: listening, now: now)
            try deliver(actions, from: index)
        }
        let end = starts[1].advanced(by: .milliseconds(45))
        while let (at, index) = machines.indices.compactMap({ i in machines[i].nextDeadline.map { ($0, i) } })
            .min(by: { $0.0 < $1.0 }), at <= end
        {
            now = at
            try deliver(machines[index].timerFired(now: now), from: index)
        }
        #expect(found.count == 2, "seed \(seed)")
    }

    @Test func answersAQuestionAtOnceWithEverythingNeeded() throws {
        var machine = try settled()
        let now = Bench.at(20_000)
        let actions = machine.received(
            try Bench.query("goop-mdns.local", DNSType.ptr), on: Bench.v4, from: try Bench.endpoint("10.1.0.9"),
            now: now)
        let later = machine.run(until: now.advanced(by: .milliseconds(20)))
        let answers = try (actions + later.map(\.action)).answers
        try #require(answers.count == 1)
        #expect(answers[0].answers.map(\.data.type) == [DNSType.ptr])
        #expect(answers[0].additionals.map(\.data.type) == [DNSType.txt, DNSType.srv, DNSType.a])
        #expect(answers[0].questions.isEmpty)
    }

    @Test func answersTheListOfServicesAndDirectQuestions() throws {
        let now = Bench.at(20_000)
        func answer(_ name: (TestMachine) throws -> DNSName, _ type: UInt16) throws -> [UInt16] {
            var machine = try settled()
            let bytes = DNSMessage(isResponse: false, questions: [DNSQuestion(try name(machine), type: type)])
                .encoded(maximumLength: 500)
            let actions = machine.received(bytes, on: Bench.v4, from: try Bench.endpoint("10.1.0.9"), now: now)
            let later = machine.run(until: now.advanced(by: .milliseconds(20))).map(\.action)
            return try (actions + later).answers.flatMap { $0.answers.map(\.data.type) }
        }
        #expect(try answer({ $0.names.enumeration }, DNSType.ptr) == [DNSType.ptr])
        #expect(try answer({ $0.names.instance }, DNSType.txt) == [DNSType.txt])
        #expect(try answer({ $0.names.instance }, DNSType.srv) == [DNSType.srv])
        #expect(try answer({ $0.names.instance }, DNSType.any) == [DNSType.txt, DNSType.srv])
        #expect(try answer({ $0.names.host }, DNSType.a) == [DNSType.a])
        #expect(try answer({ $0.names.host }, DNSType.any) == [DNSType.a])
        #expect(try answer({ $0.names.service }, DNSType.any) == [DNSType.ptr])
        #expect(try answer({ $0.names.service }, DNSType.txt) == [])
        #expect(try answer({ _ in try DNSName(text: "other.local") }, DNSType.any) == [])
    }

    @Test func otherTagsAreNeitherAnsweredNorHeard() throws {
        var machine = try settled()
        let now = Bench.at(20_000)
        var actions = machine.received(
            try Bench.query("goop-mdns2.local", DNSType.ptr), on: Bench.v4, from: try Bench.endpoint("10.1.0.9"),
            now: now)
        var other = try Bench.machine(Bench.second, tag: "goop-mdns2")
        _ = other.start(
            interfaces: [try Bench.ethernet("10.1.0.9")], listening: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/1")],
            now: Bench.at(0))
        for (_, action) in other.run(until: Bench.at(2000)) {
            guard case .multicast(let bytes, _) = action else { continue }
            actions += machine.received(bytes, on: Bench.v4, from: try Bench.endpoint("10.1.0.9"), now: now)
        }
        actions += machine.run(until: now.advanced(by: .milliseconds(100))).map(\.action)
        #expect(try actions.answers.isEmpty)
        #expect(try actions.unicasts.isEmpty && actions.discoveries.isEmpty)
    }

    @Test func aKnownAnswerIsNotRepeated() throws {
        var machine = try settled()
        let now = Bench.at(20_000)
        func asked(knowing seconds: UInt32) throws -> Int {
            var copy = machine
            let known = DNSRecord(copy.names.service, .ptr(copy.names.instance), timeToLive: seconds)
            let actions = copy.received(
                try Bench.query("goop-mdns.local", DNSType.ptr, known: [known]), on: Bench.v4,
                from: try Bench.endpoint("10.1.0.9"), now: now)
            return try (actions + copy.run(until: now.advanced(by: .milliseconds(30))).map(\.action)).answers.count
        }
        #expect(try asked(knowing: 120) == 0)
        #expect(try asked(knowing: 119) == 1)
        _ = machine.stop(now: now)
    }

    /// Our own question comes back to us and must not be answered; our own answer must not be a peer.
    @Test func ownPacketsChangeNothing() throws {
        var machine = try started()
        var heard: [MDNSAction] = []
        let source = try Bench.endpoint("10.1.0.1")
        while let next = machine.nextDeadline, next <= Bench.at(5_500) {
            for action in machine.timerFired(now: next) {
                guard case .multicast(let bytes, let link) = action else { continue }
                heard += machine.received(bytes, on: link, from: source, now: next)
            }
        }
        #expect(heard.isEmpty)
        #expect(machine.knownPeers.isEmpty)
        #expect(machine.counts.queries == 3)
        #expect(machine.counts.responses == 2)
        // The same identity on another machine is not a peer either.
        let twin = machine.received(
            try Bench.answer(["dnsaddr=/ip4/10.1.0.7/tcp/1/p2p/\(Bench.first)"]), on: Bench.v4,
            from: try Bench.endpoint("10.1.0.7"), now: Bench.at(6_000))
        #expect(twin.discoveries.isEmpty && machine.knownPeers.isEmpty)
        #expect(twin.namesakes == [[try Multiaddr(text: "/ip4/10.1.0.7/tcp/1")]], "but it is told of")
    }

    @Test func aSecondProcessWithOurIdentityIsToldOfOnceASecondHoweverOftenItIsHeard() throws {
        var machine = try started()
        let source = try Bench.endpoint("10.1.0.7")
        var told = 0
        for millisecond in stride(from: UInt64(0), to: 10_000, by: 100) {
            let claim = try Bench.answer(
                ["dnsaddr=/ip4/10.1.0.7/tcp/\(1 + millisecond)/p2p/\(Bench.first)"], instance: "name\(millisecond)")
            told += machine.received(claim, on: Bench.v4, from: source, now: Bench.at(millisecond)).namesakes.count
        }
        #expect((2...10).contains(told), "\(told)")
        // Its goodbye is none of our business, and addresses that nobody here can have are no claim.
        for bytes in [
            try Bench.answer(["dnsaddr=/ip4/10.1.0.7/tcp/1/p2p/\(Bench.first)"], timeToLive: 0),
            try Bench.answer(["dnsaddr=/ip4/203.0.113.7/tcp/1/p2p/\(Bench.first)"]),
        ] {
            #expect(machine.received(bytes, on: Bench.v4, from: source, now: Bench.at(60_000)).namesakes.isEmpty)
        }
        #expect(machine.knownPeers.isEmpty)
    }

    @Test func unicastIsAnsweredToTheAsker() throws {
        var machine = try settled()
        let asker = try Bench.endpoint("10.1.0.9")
        var actions = machine.received(
            try Bench.query("goop-mdns.local", DNSType.ptr, wantsUnicast: true), on: Bench.v4, from: asker,
            now: Bench.at(20_000))
        var unicasts = try actions.unicasts
        try #require(unicasts.count == 1)
        #expect(unicasts[0].to == asker)
        #expect(unicasts[0].message.answers.map(\.timeToLive) == [240])
        #expect(try machine.run(until: Bench.at(20_050)).map(\.action).answers.isEmpty)

        // After a quarter of the time to live without an answer to all, all get it too.
        actions = machine.received(
            try Bench.query("goop-mdns.local", DNSType.ptr, wantsUnicast: true), on: Bench.v4, from: asker,
            now: Bench.at(90_000))
        #expect(try actions.unicasts.count == 1)
        #expect(try machine.run(until: Bench.at(90_020)).map(\.action).answers.count == 1)

        // A plain resolver: identifier and question come back, times to live are short, no cache flush bit.
        let plain = try Bench.endpoint("10.1.0.9", port: 40_000)
        var query = try DNSMessage(bytes: try Bench.query("goop-mdns.local", DNSType.ptr))
        query.identifier = 0xbeef
        actions = machine.received(
            query.encoded(maximumLength: 500), on: Bench.v4, from: plain, now: Bench.at(100_000))
        unicasts = try actions.unicasts
        try #require(unicasts.count == 1)
        #expect(unicasts[0].to == plain)
        #expect(unicasts[0].message.identifier == 0xbeef)
        #expect(unicasts[0].message.questions == query.questions)
        let records = unicasts[0].message.answers + unicasts[0].message.additionals
        #expect(records.allSatisfy { $0.timeToLive == 10 && !$0.flushesCache })
    }

    @Test func aChangeOfAddressIsAnnouncedTwice() throws {
        var machine = try settled()
        let moved = try Bench.ethernet("10.1.0.77")
        let actions = machine.interfacesChanged([moved], now: Bench.at(20_000))
        let log = machine.run(until: Bench.at(21_500))
        let announcements = try (actions + log.map(\.action)).multicasts.filter(\.message.isResponse)
        try #require(announcements.count == 2)
        for (message, _) in announcements {
            guard case .txt(let strings) = message.answers[1].data else { continue }
            #expect(
                strings.map { String(decoding: $0, as: UTF8.self) } == [
                    "dnsaddr=/ip4/10.1.0.77/tcp/4001/p2p/\(Bench.first)"
                ])
        }
        // No change, no announcement.
        #expect(machine.interfacesChanged([moved], now: Bench.at(22_000)).isEmpty)
        #expect(try machine.run(until: Bench.at(24_000)).map(\.action).multicasts.allSatisfy { !$0.message.isResponse })

        // No listener left: the records are taken back.
        let gone = try machine.listeningChanged([], now: Bench.at(25_000)).multicasts
        try #require(gone.count == 1)
        #expect(gone[0].message.answers.allSatisfy { $0.timeToLive == 0 })
        #expect(gone[0].message.answers.count == 4)
        // And another port is news again.
        let back = machine.listeningChanged([try Multiaddr(text: "/ip4/10.1.0.77/tcp/9")], now: Bench.at(26_000))
        let again = try (back + machine.run(until: Bench.at(26_020)).map(\.action)).multicasts
        #expect(again.filter(\.message.isResponse).count == 1)
    }

    @Test func aNewInterfaceIsAskedAndTold() throws {
        var machine = try settled()
        let both = [try Bench.ethernet("10.1.0.1"), try Bench.ethernet("10.9.0.1", index: 3)]
        _ = machine.run(until: Bench.at(12_000))
        let actions = machine.interfacesChanged(both, now: Bench.at(12_000))
        let heard = try (actions + machine.run(until: Bench.at(12_020)).map(\.action)).multicasts
        #expect(heard.map(\.link) == Array(repeating: MDNSLink(interface: 3, family: .v4), count: 2))
        #expect(Set(heard.map(\.message.isResponse)) == [true, false])
        #expect(machine.links == [Bench.v4, MDNSLink(interface: 3, family: .v4)])
    }

    @Test func interfacesAreBounded() throws {
        var machine = try settled()
        let many = try (0..<40 as Range<UInt32>).map { try Bench.ethernet("10.\($0).0.1", index: 2 + $0) }
        _ = machine.interfacesChanged(many.reversed(), now: Bench.at(12_000))
        #expect(machine.links.map(\.interface) == Array(2..<34), "those with the lowest numbers")
    }

    @Test func onlyAddressesOfTheInterfaceAreSaidThere() throws {
        let listening = [
            "/ip4/127.0.0.1/tcp/1", "/ip4/10.1.0.1/tcp/1", "/ip4/10.9.0.1/tcp/1", "/ip6/fe80::1/tcp/1",
            "/ip6/fd00::1/tcp/1", "/ip4/10.1.0.1/tcp/2/ws", "/ip4/0.0.0.0/tcp/3", "/ip6/::/tcp/3", "/dns4/x/tcp/1",
            "/ip4/10.1.0.1/tcp/1/p2p/\(Bench.second)/p2p-circuit",
        ].map { Multiaddr($0) }.compactMap(\.self)
        #expect(listening.count == 10)
        let ethernet = try Bench.ethernet("10.1.0.1", also: [("fd00::1", 64), ("fe80::1", 64)])
        let said = MDNSAdvertisement.usable(listening, on: ethernet).map(\.description)
        #expect(said == ["/ip4/10.1.0.1/tcp/1", "/ip6/fd00::1/tcp/1", "/ip4/10.1.0.1/tcp/3", "/ip6/fd00::1/tcp/3"])
        let onLoopback = MDNSAdvertisement.usable(listening, on: try Bench.loopback()).map(\.description)
        #expect(onLoopback == ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/3"])
    }

    @Test func aPacketIsNeverTooLong() throws {
        let many = (1...64).map { Multiaddr("/ip6/fd00:1111:2222:3333:4444:5555:6666:1/tcp/\(10_000 + $0)") }
        let ethernet = try Bench.ethernet(
            "10.1.0.1", also: [("fd00:1111:2222:3333:4444:5555:6666:1", 64), ("fe80::1", 64)])
        let long = String(repeating: "t", count: 63)
        var machine = try Bench.machine(tag: "\(long).\(long).\(long)")
        _ = machine.start(interfaces: [ethernet], listening: many.compactMap(\.self), now: Bench.at(0))
        let log = machine.run(until: Bench.at(2_000)).map(\.action)
        #expect(log.count == 8)
        for action in log {
            guard case .multicast(let bytes, _) = action else { continue }
            #expect(bytes.count <= 1_400)
            let message = try DNSMessage(bytes: bytes)
            if message.isResponse { #expect(message.answers.contains { $0.data.type == DNSType.txt }) }
        }
        #expect(throws: DNSError.badName) { try Bench.machine(tag: "\(long).\(long).\(long).\(long)") }
        #expect(throws: DNSError.badName) { try Bench.machine(tag: "") }
        #expect(throws: DNSError.badName) { try Bench.machine(tag: long + "x") }
    }

    @Test func fewHostAddressesAreSaid() throws {
        let more = (1...20).map { ("fd00::\($0)", 64) }
        var machine = try started(interfaces: [try Bench.ethernet("10.1.0.1", also: more)])
        let log = machine.run(until: Bench.at(30)).map(\.action)
        let announcement = try #require(try log.multicasts.first { $0.message.isResponse }).message
        #expect(announcement.answers.count { $0.data.type == DNSType.a || $0.data.type == DNSType.aaaa } == 8)
    }

    @Test func goodbyeIsSaidAndHeard() throws {
        var machine = try settled()
        var other = try Bench.machine(Bench.second, seed: 5)
        _ = other.start(
            interfaces: [try Bench.ethernet("10.1.0.2")], listening: [try Multiaddr(text: "/ip4/0.0.0.0/tcp/1")],
            now: Bench.at(0))
        let source = try Bench.endpoint("10.1.0.2")
        var heard: [MDNSAction] = []
        for (_, action) in other.run(until: Bench.at(20)) {
            guard case .multicast(let bytes, let link) = action else { continue }
            heard += machine.received(bytes, on: link, from: source, now: Bench.at(20_000))
        }
        #expect(heard.discoveries.count == 1)
        let goodbye = other.stop(now: Bench.at(500))
        #expect(other.nextDeadline == nil)
        guard case .multicast(let bytes, let link)? = goodbye.first, goodbye.count == 1 else {
            Issue.record("no goodbye")
            return
        }
        // A goodbye in another's name, from another address, is void.
        _ = machine.received(bytes, on: link, from: try Bench.endpoint("10.1.0.66"), now: Bench.at(30_000))
        #expect(machine.run(until: Bench.at(35_000)).map(\.action).losses == [])
        _ = machine.received(bytes, on: link, from: source, now: Bench.at(40_000))
        #expect(machine.run(until: Bench.at(40_999)).map(\.action).losses == [])
        #expect(machine.run(until: Bench.at(41_001)).map(\.action).losses == [.goodbye])
        #expect(machine.knownPeers.isEmpty)
    }

    @Test func aSilentPeerIsAskedForAndThenLost() throws {
        var machine = try settled()
        let source = try Bench.endpoint("10.1.0.9")
        let answer = try Bench.answer(["dnsaddr=/ip4/10.1.0.9/tcp/1/p2p/\(Bench.second)"])
        var actions = machine.received(answer, on: Bench.v4, from: source, now: Bench.at(10_000))
        #expect(actions.discoveries.map(\.timeToLive) == [.seconds(240)])
        // Heard again at once: no news. A second later: said again.
        actions = machine.received(answer, on: Bench.v4, from: source, now: Bench.at(10_500))
        #expect(actions.isEmpty)
        actions = machine.received(answer, on: Bench.v4, from: source, now: Bench.at(11_100))
        #expect(actions.discoveries.count == 1)
        let log = machine.run(until: Bench.at(300_000))
        let lost = log.filter { [$0.action].losses == [.expired] }
        #expect(lost.map(\.at) == [Bench.at(251_100)])
        let known = try log.filter { $0.at < lost[0].at }.flatMap { entry in
            try [entry.action].multicasts.map { (entry.at, $0.message.answers.count) }
        }
        // The known answer, besides our own, is given in the first half of the life only.
        for (at, answers) in known { #expect(answers == (at < Bench.at(131_100) ? 2 : 1)) }
        #expect(known.contains { $0.1 == 2 } && known.contains { $0.1 == 1 })
    }

    @Test func aLostInterfaceTakesItsPeersWithIt() throws {
        var machine = try settled()
        _ = machine.received(
            try Bench.answer(["dnsaddr=/ip4/10.1.0.9/tcp/1/p2p/\(Bench.second)"]), on: Bench.v4,
            from: try Bench.endpoint("10.1.0.9"), now: Bench.at(10_000))
        #expect(machine.interfacesChanged([], now: Bench.at(11_000)).losses == [.interfaceDown])
        #expect(machine.nextDeadline == nil)
        // Back again: the schedule begins anew.
        let back = machine.interfacesChanged([try Bench.ethernet("10.1.0.1")], now: Bench.at(12_000))
        #expect(try (back + machine.run(until: Bench.at(12_020)).map(\.action)).multicasts.count == 2)
    }

    @Test func packetsFromElsewhereAreDropped() throws {
        var machine = try settled(interfaces: [try Bench.ethernet("10.1.0.1"), try Bench.loopback()])
        let answer = try Bench.answer(["dnsaddr=/ip4/10.1.0.9/tcp/1/p2p/\(Bench.second)"])
        let now = Bench.at(20_000)
        let loopback = MDNSLink(interface: 1, family: .v4)
        #expect(machine.received(answer, on: Bench.v4, from: try Bench.endpoint("8.8.8.8"), now: now).isEmpty)
        #expect(machine.received(answer, on: Bench.v4, from: try Bench.endpoint("127.0.0.1"), now: now).isEmpty)
        #expect(machine.received(answer, on: loopback, from: try Bench.endpoint("10.1.0.9"), now: now).isEmpty)
        let unknown = MDNSLink(interface: 9, family: .v4)
        #expect(machine.received(answer, on: unknown, from: try Bench.endpoint("10.1.0.9"), now: now).isEmpty)
        let query = try Bench.query("goop-mdns.local", DNSType.ptr)
        #expect(machine.received(query, on: Bench.v4, from: try Bench.endpoint("10.1.0.9", port: 0), now: now).isEmpty)
        #expect(machine.counts.offLink == 5)
        // A response from a port that is not 5353.
        let odd = try Bench.endpoint("10.1.0.9", port: 5354)
        #expect(machine.received(answer, on: Bench.v4, from: odd, now: now).isEmpty)
        #expect(machine.received([1, 2, 3], on: Bench.v4, from: try Bench.endpoint("10.1.0.9"), now: now).isEmpty)
        #expect(machine.counts.malformed == 1)
        let heard = machine.received(answer, on: Bench.v4, from: try Bench.endpoint("10.1.0.9"), now: now)
        #expect(heard.discoveries.count == 1)
    }

    @Test func aFloodOfQuestionsIsAnsweredInMeasure() throws {
        var machine = try settled()
        let query = try Bench.query("goop-mdns.local", DNSType.ptr)
        let source = try Bench.endpoint("10.1.0.9")
        var answers = 0
        for millisecond in 20_000..<30_000 {
            let now = Bench.at(UInt64(millisecond))
            var actions = machine.run(until: now).map(\.action)
            actions += machine.received(query, on: Bench.v4, from: source, now: now)
            answers += try actions.multicasts.count { $0.message.isResponse }
        }
        // A burst of eight and four a second.
        #expect((40...50).contains(answers), "\(answers)")
        #expect(machine.counts.limited > 9_000)
    }

    /// Whoever forges the sources of questions has us send no more than that to the hosts that it names.
    @Test func questionsThatWantUnicastAreAnsweredInMeasure() throws {
        var machine = try settled()
        let query = try Bench.query("goop-mdns.local", DNSType.ptr, wantsUnicast: true)
        func answers(at millisecond: UInt64) throws -> Int {
            var answers = 0
            for host in 2...99 {
                answers += try machine.received(
                    query, on: Bench.v4, from: try Bench.endpoint("10.1.0.\(host)"), now: Bench.at(millisecond)
                ).unicasts.count
            }
            return answers
        }
        #expect(try answers(at: 20_000) == 20)
        #expect(try answers(at: 20_500) == 5, "and one more in a tenth of a second")
    }

    /// Any order of events keeps the bounds: packet size, known peers, deadlines that do not stand still.
    @Test func randomEventsKeepTheBounds() throws {
        for seed in UInt64(1)...10 {
            var random = SeededGenerator(seed: seed)
            var machine = try Bench.machine(seed: seed)
            var now = Bench.at(0)
            let interfaces = [
                try Bench.loopback(), try Bench.ethernet("10.1.0.1"), try Bench.ethernet("10.1.0.2"),
                try Bench.ethernet("10.2.0.1", index: 3, also: [("fe80::2", 64), ("fd00::2", 64)]),
            ]
            let listening = ["/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/2", "/ip4/10.1.0.2/tcp/9"].compactMap { Multiaddr($0) }
            var starts = 0
            for _ in 0..<1_000 {
                now = now.advanced(by: .milliseconds(Int64.random(in: 0...2_000, using: &random)))
                var actions: [MDNSAction]
                switch Int.random(in: 0..<20, using: &random) {
                case 0:
                    actions = machine.interfacesChanged(
                        interfaces.filter { _ in Bool.random(using: &random) }, now: now)
                case 1:
                    actions = machine.listeningChanged(
                        listening.filter { _ in Bool.random(using: &random) }, now: now)
                case 2:
                    starts += 1
                    actions = machine.start(interfaces: interfaces, listening: listening, now: now)
                case 3...8:
                    actions = machine.timerFired(now: now)
                default:
                    let link = machine.links.randomElement(using: &random) ?? Bench.v4
                    let host = UInt8.random(in: 0...255, using: &random)
                    let source = MDNSEndpoint(
                        link.family == .v4
                            ? .v4(0x0a01_0000 | UInt32(host)) : .v6(high: 0xfe80 << 48, low: UInt64(host)),
                        port: Bool.random(using: &random) ? 5353 : 40_000)
                    var bytes: [UInt8]
                    switch Int.random(in: 0..<4, using: &random) {
                    case 0: bytes = try Bench.query("goop-mdns.local", DNSType.any)
                    case 1: bytes = try DNSMessageTests.message(&random).encoded(maximumLength: 9_000)
                    default:
                        bytes = try Bench.answer(
                            ["dnsaddr=/ip4/10.1.0.\(host)/tcp/1/p2p/\(Bench.second)"], instance: "i\(host)",
                            timeToLive: .random(in: 0...300, using: &random))
                    }
                    if Int.random(in: 0..<10, using: &random) == 0, !bytes.isEmpty {
                        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 0xff
                    }
                    actions = machine.received(bytes, on: link, from: source, now: now)
                }
                for action in actions {
                    switch action {
                    case .multicast(let bytes, _), .unicast(let bytes, _, _): #expect(bytes.count <= 1_400)
                    case .discovered(let discovery): #expect((1...16).contains(discovery.addresses.count))
                    case .namesake(let addresses): #expect((1...16).contains(addresses.count))
                    case .lost: break
                    }
                }
                #expect(machine.cache.claims.count <= MDNSCache.maximumClaims)
                if let next = machine.nextDeadline, next <= now {
                    _ = machine.timerFired(now: now)
                    #expect(machine.nextDeadline.map { $0 > now } ?? true, "seed \(seed)")
                }
            }
            #expect(starts > 0)
            _ = machine.stop(now: now)
            #expect(machine.nextDeadline == nil)
        }
    }
}
