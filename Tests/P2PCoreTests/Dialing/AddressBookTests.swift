import Multiformats
import P2PCore
import PeerIdentity
import Testing

private func address(_ text: String) throws -> Multiaddr { try Multiaddr(text: text) }
private func second(_ count: UInt64) -> MonotonicInstant { MonotonicInstant(nanoseconds: count * 1_000_000_000) }

@Suite("Address book")
struct AddressBookTests {
    private let peer = PrivateKey.generate().peerID
    private let other = PrivateKey.generate().peerID

    @Test("addresses expire, most trusted come first, a longer life wins")
    func expiry() throws {
        var book = AddressBook()
        let (a, b) = (try address("/ip4/1.2.3.4/tcp/1"), try address("/ip4/1.2.3.4/tcp/2"))
        #expect(book.add([a], of: self.peer, source: .hearsay, ttl: .seconds(10), now: .zero) == [a])
        #expect(book.add([b], of: self.peer, source: .multicast, ttl: .seconds(20), now: .zero) == [b])
        #expect(book.add([a], of: self.peer, source: .hearsay, ttl: .seconds(5), now: .zero) == [])
        #expect(book.addresses(of: self.peer, now: second(9)) == [b, a])
        #expect(book.addresses(of: self.peer, now: second(10)) == [b])
        #expect(book.addresses(of: self.peer, now: second(20)) == [])
    }

    @Test(
        "what must never be stored",
        arguments: [
            "/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/1", "/ip6/fe80::1/tcp/1", "/ip4/224.0.0.1/tcp/1", "/ip4/1.2.3.4/tcp/0",
        ])
    func refused(text: String) throws {
        var book = AddressBook()
        book.add([try address(text)], of: self.peer, source: .configured, ttl: .seconds(10), now: .zero)
        #expect(book.addresses(of: self.peer, now: .zero) == [])
    }

    @Test("a /p2p part must name the peer; loopback is not taken on hearsay")
    func names() throws {
        var book = AddressBook()
        let bare = try address("/ip4/1.2.3.4/tcp/1")
        let loopback = try address("/ip4/127.0.0.1/tcp/1")
        book.add(
            [bare.appending(self.other), loopback], of: self.peer, source: .hearsay, ttl: .seconds(9), now: .zero)
        #expect(book.addresses(of: self.peer, now: .zero) == [])
        book.add([bare.appending(self.peer)], of: self.peer, source: .hearsay, ttl: .seconds(9), now: .zero)
        book.add([loopback], of: self.peer, source: .multicast, ttl: .seconds(9), now: .zero)
        #expect(Set(book.addresses(of: self.peer, now: .zero)) == [bare, loopback])
    }

    @Test("back-off grows with the square of failures up to five minutes, and success ends it")
    func backoff() throws {
        var book = AddressBook()
        let one = try address("/ip4/1.2.3.4/tcp/1")
        book.add([one], of: self.peer, source: .configured, ttl: .seconds(90_000), now: .zero)
        var waits: [Double] = []
        for _ in 0..<20 {
            book.dialFailed(one, of: self.peer, now: .zero)
            waits.append(
                MonotonicInstant.zero.duration(to: book.items(of: self.peer, now: .zero)[0].blockedUntil).seconds)
        }
        #expect(waits.prefix(4) == [5, 6, 9, 14])
        #expect(waits.last == 300)
        book.dialSucceeded(one, of: self.peer, now: .zero)
        #expect(book.items(of: self.peer, now: .zero)[0].blockedUntil == .zero)
    }

    @Test("connected peers keep their addresses, disconnected ones twenty for a quarter of an hour")
    func connections() throws {
        var book = AddressBook()
        let many = try (1...60).map { try address("/ip4/1.2.3.4/tcp/\($0)") }
        book.connected(self.peer, security: "/noise", now: .zero)
        book.add(many, of: self.peer, source: .identify, ttl: .seconds(1), now: .zero)
        #expect(book.addresses(of: self.peer, now: second(100)).count == 60)
        book.disconnected(self.peer, now: second(100))
        #expect(book.addresses(of: self.peer, now: second(100)).count == 20)
        #expect(book.addresses(of: self.peer, now: second(100 + 900)).isEmpty)
    }

    @Test("long addresses are no way around the bounds: bytes count too")
    func longAddresses() throws {
        var book = AddressBook()
        let name = [String](repeating: String(repeating: "x", count: 60), count: 4).joined(separator: ".")
        let many = try (1...500).map { try address("/dns4/\(name)/tcp/\($0)") }
        func bytes() -> Int { book.addresses(of: self.peer, now: .zero).reduce(0) { $0 + $1.bytes.count } }
        book.connected(self.peer, security: "/noise", now: .zero)
        book.add(many, of: self.peer, source: .identify, ttl: .seconds(60), now: .zero)
        #expect((20_000...24_576).contains(bytes()))
        book.disconnected(self.peer, now: .zero)
        #expect((1_000...2_048).contains(bytes()))
    }

    @Test("an address longer than allowed is not stored")
    func longestAddress() throws {
        var limits = AddressBookLimits()
        let longest = try address("/dns4/a-name-of-some-length.example/tcp/1")
        limits.addressBytes = longest.bytes.count
        var book = AddressBook(limits: limits)
        let longer = try address("/dns4/a-name-of-some-length.examples/tcp/1")
        book.add([longer, longest], of: self.peer, source: .configured, ttl: .seconds(60), now: .zero)
        #expect(book.addresses(of: self.peer, now: .zero) == [longest])
    }

    @Test("of a peer that left, few bytes of protocol names are kept")
    func protocolsOfTheDeparted() throws {
        var book = AddressBook()
        book.connected(self.peer, security: "/noise", now: .zero)
        let names = (0..<512).map { ProtocolID("/\($0)/" + String(repeating: "x", count: 240)) }
        book.setProtocols(["/ipfs/id/1.0.0"] + names, of: self.peer, now: .zero)
        #expect(book.protocols(of: self.peer)?.count == 512)
        book.disconnected(self.peer, now: .zero)
        let kept = try #require(book.protocols(of: self.peer))
        #expect(kept.first == "/ipfs/id/1.0.0" && kept.reduce(0) { $0 + $1.name.utf8.count } <= 2_048)
    }

    @Test("an older signed record changes nothing; a newer one replaces what the last one said")
    func records() throws {
        var book = AddressBook()
        let (a, b) = (try address("/ip4/1.2.3.4/tcp/1"), try address("/ip4/1.2.3.4/tcp/2"))
        func record(_ sequence: UInt64, _ addresses: [Multiaddr]) -> PeerRecord {
            PeerRecord(peer: self.peer, sequence: sequence, addresses: addresses)
        }
        #expect(book.certify(record(5, [a]), ttl: .seconds(60), now: .zero) == true)
        #expect(book.certify(record(5, [b]), ttl: .seconds(60), now: .zero) == false)
        #expect(book.certify(record(4, [b]), ttl: .seconds(60), now: .zero) == false)
        #expect(book.addresses(of: self.peer, now: .zero) == [a])
        #expect(book.certify(record(6, [b]), ttl: .seconds(60), now: .zero) == true)
        #expect(book.addresses(of: self.peer, now: .zero) == [b])
    }

    @Test("IPv4 link-local addresses are taken of neighbours, the operator, and our own connections only")
    func linkLocal() throws {
        let there = try address("/ip4/169.254.169.254/tcp/80")
        for source in AddressSource.allCases {
            var book = AddressBook()
            book.add([there], of: self.peer, source: source, ttl: .seconds(10), now: .zero)
            let isTaken = [.multicast, .connection, .configured].contains(source)
            #expect(book.addresses(of: self.peer, now: .zero) == (isTaken ? [there] : []), "\(source)")
        }
    }

    @Test("where a name may lead is a matter of who told it, and not of where it has led")
    func reachOfNames() throws {
        let name = try address("/dns4/a.example/tcp/1")
        let (outside, inside) = (try address("/ip4/8.8.8.8/tcp/1"), try address("/ip4/192.168.1.1/tcp/1"))
        let linkLocal = try address("/ip4/169.254.169.254/tcp/1")
        func reach(_ add: (inout AddressBook) throws -> Void) rethrows -> [Bool] {
            var book = AddressBook()
            try add(&book)
            return [outside, inside, linkLocal].map { book.mayLead(name, of: self.peer, to: $0) }
        }
        func told(_ book: inout AddressBook, from remote: String, signed sequence: UInt64?) throws {
            let info = IdentifyInfo(
                peer: self.peer, agentVersion: "", protocolVersion: "", protocols: [], listenAddresses: [name],
                observedAddress: nil,
                signedRecord: sequence.map { PeerRecord(peer: self.peer, sequence: $0, addresses: [name]) })
            book.identified(info, via: try address(remote), ttl: .seconds(60), now: .zero)
        }
        let unknown = reach { _ in }
        #expect(unknown == [true, false, false])
        for sequence in [nil, 5] as [UInt64?] {
            let outsider = try reach { book in try told(&book, from: "/ip4/8.8.8.8/tcp/9", signed: sequence) }
            #expect(outsider == [true, false, false])
            let neighbour = try reach { book in try told(&book, from: "/ip4/10.0.0.9/tcp/9", signed: sequence) }
            #expect(neighbour == [true, true, false])
            let ledOutside = try reach { book in
                try told(&book, from: "/ip4/8.8.8.8/tcp/9", signed: sequence)
                book.dialSucceeded(name, of: self.peer, now: .zero)
            }
            #expect(ledOutside == [true, false, false])
        }
        for source in AddressSource.allCases {
            let mayEnter = [.multicast, .connection, .configured].contains(source)
            let there = [true, mayEnter, source == .configured]
            let reached = reach { book in
                _ = book.add([name], of: self.peer, source: source, ttl: .seconds(60), now: .zero)
            }
            #expect(reached == there, "\(source)")
        }
    }

    @Test("a record that is no news still tells where the peer is")
    func recordsOfAClockSetBack() throws {
        var book = AddressBook()
        func identified(_ sequence: UInt64, _ text: String) throws {
            let there = try address(text)
            book.identified(
                IdentifyInfo(
                    peer: self.peer, agentVersion: "", protocolVersion: "", protocols: [], listenAddresses: [there],
                    observedAddress: nil,
                    signedRecord: PeerRecord(peer: self.peer, sequence: sequence, addresses: [there])),
                ttl: .seconds(60), now: .zero)
        }
        try identified(5, "/ip4/8.8.8.8/tcp/1")
        // The same record, heard over the local network, where more of its addresses are of use.
        try identified(5, "/ip4/192.168.1.7/tcp/1")
        // Started again without a battery for its clock, and with another port.
        try identified(4, "/ip4/8.8.8.8/tcp/2")
        let known = Set(book.addresses(of: self.peer, now: .zero))
        #expect(
            known == [
                try address("/ip4/8.8.8.8/tcp/1"), try address("/ip4/192.168.1.7/tcp/1"),
                try address("/ip4/8.8.8.8/tcp/2"),
            ])
        #expect(book.items(of: self.peer, now: .zero).first?.source == .signedRecord)
    }

    @Test("no more peers and addresses than allowed; connected peers are not pushed out")
    func bounds() throws {
        var limits = AddressBookLimits()
        limits.peers = 3
        limits.addressesPerDisconnectedPeer = 2
        var book = AddressBook(limits: limits)
        let many = try (1...9).map { try address("/ip4/1.2.3.4/tcp/\($0)") }
        book.connected(self.peer, security: "/noise", now: .zero)
        for index in 0..<20 {
            book.add(
                many, of: PrivateKey.generate().peerID, source: .hearsay, ttl: .seconds(600), now: second(UInt64(index))
            )
        }
        book.add(many, of: self.other, source: .hearsay, ttl: .seconds(600), now: second(30))
        #expect(book.count == 3)
        #expect(book.security(of: self.peer) == "/noise")
        #expect(book.addresses(of: self.other, now: second(30)).count == 2)
    }

    @Test("what there is no room for is no news, however often it is told")
    func noRoomNoNews() throws {
        var limits = AddressBookLimits()
        limits.addressesPerDisconnectedPeer = 2
        var book = AddressBook(limits: limits)
        let many = try (1...9).map { try address("/ip4/1.2.3.4/tcp/\($0)") }
        let fresh = book.add(many, of: self.peer, source: .hearsay, ttl: .seconds(600), now: .zero)
        #expect(fresh.count == 2 && Set(fresh) == Set(book.addresses(of: self.peer, now: .zero)))
        #expect(book.add(many, of: self.peer, source: .hearsay, ttl: .seconds(600), now: .zero) == [])
    }

    /// A peer that was connected for a moment.
    private func meet(_ peer: PeerID, in book: inout AddressBook, at instant: MonotonicInstant) throws {
        book.connected(peer, security: "/noise", now: instant)
        book.dialSucceeded(try address("/ip4/1.2.3.4/tcp/1"), of: peer, now: instant)
        book.disconnected(peer, now: instant)
    }

    @Test("a flood of rumours leaves everybody who is better founded, and the other kind of rumours, where they are")
    func floodsOfRumours() throws {
        for (flood, other) in [(AddressSource.multicast, AddressSource.hearsay), (.hearsay, .multicast)] {
            var limits = AddressBookLimits()
            limits.peers = 64
            var book = AddressBook(limits: limits)
            let there = [try address("/ip4/1.2.3.4/tcp/1")]
            let kept = [testPeer(0), testPeer(1)]
            book.keep(kept[0], true)
            book.add(there, of: kept[0], source: .hearsay, ttl: .seconds(900), now: .zero)
            book.add(there, of: kept[1], source: .configured, ttl: .seconds(900), now: .zero)
            let met = (2..<22).map { testPeer($0) }
            for peer in met { try self.meet(peer, in: &book, at: .zero) }
            let rumoured = (22..<32).map { testPeer($0) }
            for peer in rumoured { book.add(there, of: peer, source: other, ttl: .seconds(900), now: .zero) }
            for number in 100..<1_100 {
                book.add(
                    there, of: testPeer(number), source: flood, ttl: .seconds(900),
                    now: MonotonicInstant(nanoseconds: UInt64(number) * 1_000_000))
                #expect(book.count <= 64)
            }
            for peer in kept + met + rumoured {
                #expect(!book.addresses(of: peer, now: second(2)).isEmpty, "\(flood) pushed out \(peer)")
            }
            #expect(!book.addresses(of: testPeer(1_099), now: second(2)).isEmpty, "the newest is there")
        }
    }

    @Test("nobody makes room for a peer of lower standing")
    func standings() throws {
        var limits = AddressBookLimits()
        limits.peers = 3
        var book = AddressBook(limits: limits)
        let there = [try address("/ip4/1.2.3.4/tcp/1")]
        func isKnown(_ number: Int) -> Bool { !book.addresses(of: testPeer(number), now: second(9)).isEmpty }
        book.keep(testPeer(1), true)
        book.add(there, of: testPeer(1), source: .hearsay, ttl: .seconds(900), now: .zero)
        book.add(there, of: testPeer(2), source: .configured, ttl: .seconds(900), now: .zero)
        try self.meet(testPeer(3), in: &book, at: second(1))
        #expect(book.add(there, of: testPeer(4), source: .multicast, ttl: .seconds(900), now: second(2)) == [])
        #expect(isKnown(1) && isKnown(2) && isKnown(3) && !isKnown(4))
        // One that is met takes the place of one that was met longer ago; one that is named, of one that was met.
        try self.meet(testPeer(5), in: &book, at: second(3))
        #expect(isKnown(1) && isKnown(2) && !isKnown(3) && isKnown(5))
        book.add(there, of: testPeer(6), source: .configured, ttl: .seconds(900), now: second(4))
        #expect(isKnown(1) && isKnown(2) && !isKnown(5) && isKnown(6))
        try self.meet(testPeer(7), in: &book, at: second(5))
        #expect(isKnown(1) && isKnown(2) && isKnown(6) && !isKnown(7))
        // Whoever is kept no longer is what it is by itself.
        book.keep(testPeer(1), false)
        #expect(book.add(there, of: testPeer(8), source: .hearsay, ttl: .seconds(900), now: second(6)) == there)
        #expect(!isKnown(1) && isKnown(2) && isKnown(6) && isKnown(8))
        #expect(book.count == 3)
    }

    @Test("a full book is searched in vain once a second")
    func vainSearches() throws {
        var limits = AddressBookLimits()
        limits.peers = 1
        var book = AddressBook(limits: limits)
        let there = [try address("/ip4/1.2.3.4/tcp/1")]
        book.add(there, of: testPeer(1), source: .configured, ttl: .milliseconds(2_500), now: .zero)
        func tells(_ milliseconds: UInt64, _ source: AddressSource = .multicast) -> Bool {
            let now = MonotonicInstant(nanoseconds: milliseconds * 1_000_000)
            return !book.add(there, of: testPeer(2), source: source, ttl: .seconds(9), now: now).isEmpty
        }
        #expect(!tells(0) && !tells(2_400))
        #expect(!tells(2_600), "the place is free, and nobody has looked")
        #expect(tells(3_400))
    }

    @Test("what was only heard of is forgotten with its last address")
    func expiredRumours() throws {
        var book = AddressBook()
        let there = [try address("/ip4/1.2.3.4/tcp/1")]
        book.add(there, of: testPeer(1), source: .multicast, ttl: .seconds(10), now: .zero)
        book.setProtocols(["/a"], of: testPeer(2), now: .zero)
        book.add(there, of: testPeer(2), source: .multicast, ttl: .seconds(10), now: .zero)
        book.expire(now: second(11))
        #expect(book.count == 1 && book.protocols(of: testPeer(2)) == ["/a"])
    }

    @Test("a look at a hundred peers writes only to those of which something has expired, and to no connected one")
    func expiryOfFew() throws {
        var book = AddressBook()
        let there = [try address("/ip4/1.2.3.4/tcp/1")]
        for number in 1...100 {
            book.add(
                there, of: testPeer(number), source: .multicast, ttl: .seconds(number == 7 ? 5 : 50), now: .zero)
        }
        book.connected(testPeer(8), security: "/noise", now: .zero)
        let changed = [4, 6, 6, 60, 60].map { book.expire(now: second($0)) }
        #expect(changed == [0, 1, 0, 98, 0])
        #expect(book.count == 1 && book.addresses(of: testPeer(8), now: second(60)) == there)
    }

    @Test("of a connected peer no more addresses than allowed, whenever it says them, and nobody may ask for ever")
    func addressesOfTheConnected() throws {
        var limits = AddressBookLimits()
        limits.addressesPerPeer = 3
        limits.maximumTTL = .seconds(100)
        var book = AddressBook(limits: limits)
        book.connected(self.peer, security: "/noise", now: .zero)
        for first in [1, 11] {
            let many = try (first..<first + 9).map { try address("/ip4/1.2.3.4/tcp/\($0)") }
            book.add(many, of: self.peer, source: .identify, ttl: .seconds(60), now: .zero)
            #expect(book.addresses(of: self.peer, now: .zero).count == 3)
        }
        let lasting = try address("/ip4/1.2.3.4/tcp/99")
        book.add([lasting], of: self.other, source: .hearsay, ttl: .seconds(1 << 40), now: .zero)
        #expect(book.addresses(of: self.other, now: second(99)) == [lasting])
        #expect(book.addresses(of: self.other, now: second(100)) == [])
    }

    @Test("a refused protocol is no longer presumed")
    func protocols() {
        var book = AddressBook()
        #expect(book.protocols(of: self.peer) == nil)
        book.setProtocols(["/a", "/b"], of: self.peer, now: .zero)
        book.removeProtocol("/a", of: self.peer)
        #expect(book.protocols(of: self.peer) == ["/b"])
    }

    @Test("goodbye removes what its source said, not what is better founded")
    func removal() throws {
        var book = AddressBook()
        let (a, b) = (try address("/ip4/1.2.3.4/tcp/1"), try address("/ip4/1.2.3.4/tcp/2"))
        book.add([a, b], of: self.peer, source: .multicast, ttl: .seconds(60), now: .zero)
        book.add([b], of: self.peer, source: .identify, ttl: .seconds(60), now: .zero)
        book.remove([a, b], of: self.peer, upTo: .multicast)
        #expect(book.addresses(of: self.peer, now: .zero) == [b])
    }
}
