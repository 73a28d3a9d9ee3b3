import GoopCore
import GoopTestKit
import Multiformats
import PeerIdentity
import Testing

private func peer(_ number: UInt8) throws -> PeerID {
    try PrivateKey(ed25519Seed: [UInt8](repeating: number, count: 32)).peerID
}

private func at(_ seconds: Double) -> Moment {
    Moment(uptime: .milliseconds(Int64(seconds * 1000)), unixMilliseconds: 1_775_760_000_000 + Int64(seconds * 1000))
}

private func message(
    _ kind: PresenceMessage.Kind, _ peer: PeerID, label: String = "Ada", addresses: [String] = [], _ seconds: Double
) -> PresenceMessage {
    PresenceMessage(
        kind: kind, peerID: peer.base58, content: label, addresses: addresses, timestamp: at(seconds).unixMilliseconds)
}

@Suite struct PeerTableTests {
    let own: PeerID
    let ada: PeerID
    let bob: PeerID
    var table: PeerTable

    init() throws {
        own = try peer(1)
        ada = try peer(2)
        bob = try peer(3)
        table = PeerTable(ownID: own)
    }

    @Test mutating func aNewPeerIsListedProbedAndItsAddressesAreLearned() throws {
        let effects = try table.received(
            message(.online, ada, addresses: ["/ip4/192.168.1.2/tcp/4001", "/ip4/127.0.0.1/tcp/1", "nonsense"], 0),
            from: ada, now: at(0))
        let address = try Multiaddr(text: "/ip4/192.168.1.2/tcp/4001")
        let entry = try #require(table[ada])
        #expect(effects == [.changed(.updated(entry)), .learned(ada, [address]), .probe(ada)])
        #expect(entry.label == "Ada")
        #expect(entry.sources == [.gossip])
        #expect(!entry.offline && !entry.reachable)
        #expect(entry.lastSeenMilliseconds == at(0).unixMilliseconds)
    }

    @Test mutating func onlyTheSignerSpeaksForAPeer() {
        #expect(throws: PeerTable.Refusal.notTheSigner) {
            try table.received(message(.online, ada, 0), from: bob, now: at(0))
        }
        #expect(throws: PeerTable.Refusal.aboutOurselves) {
            try table.received(message(.online, own, 0), from: own, now: at(0))
        }
        #expect(table.count == 0)
    }

    @Test mutating func timeStampsOrderMessages() throws {
        _ = try table.received(message(.online, ada, label: "new", 10), from: ada, now: at(10))
        #expect(throws: PeerTable.Refusal.stale) {
            try table.received(message(.update, ada, label: "old", 5), from: ada, now: at(11))
        }
        #expect(throws: PeerTable.Refusal.stale) {
            try table.received(message(.offline, ada, 10), from: ada, now: at(11))
        }
        #expect(table[ada]?.label == "new")
        // A replayed goodbye or greeting of before has no effect either.
        _ = try table.received(message(.offline, ada, 12), from: ada, now: at(12))
        #expect(throws: PeerTable.Refusal.stale) {
            try table.received(message(.online, ada, 11), from: ada, now: at(13))
        }
        #expect(table[ada]?.offline == true)
    }

    @Test mutating func aClockFarAheadDoesNotSilenceAPeerForLong() throws {
        _ = try table.received(message(.online, ada, 1_000_000), from: ada, now: at(0))
        #expect(throws: PeerTable.Refusal.stale) {
            try table.received(message(.update, ada, 200), from: ada, now: at(200))
        }
        _ = try table.received(message(.update, ada, label: "corrected", 301), from: ada, now: at(301))
        #expect(table[ada]?.label == "corrected")
        _ = try table.received(
            PresenceMessage(kind: .update, peerID: bob.base58, timestamp: .max), from: bob, now: at(301))
    }

    @Test mutating func aPeerWhoseClockWasSetBackIsHeardAgainOnceItConnects() throws {
        _ = try table.received(message(.online, ada, 1000), from: ada, now: at(1000))
        _ = table.timerFired(now: at(1021))
        #expect(table[ada]?.offline == true)
        #expect(throws: PeerTable.Refusal.stale) {
            try table.received(message(.online, ada, 10), from: ada, now: at(1022))
        }
        _ = table.connectionChanged(ada, path: .lan, now: at(1023))
        _ = try table.received(message(.online, ada, 11), from: ada, now: at(1024))
        #expect(table[ada]?.offline == false)
    }

    @Test mutating func silenceMakesOfflineAndTheGracePeriodRemoves() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        #expect(table.timerFired(now: at(20)) == [])
        let effects = table.timerFired(now: at(20.5))
        #expect(effects == [.changed(.updated(try #require(table[ada])))])
        #expect(table[ada]?.offline == true)
        #expect(table[ada]?.offlineSinceMilliseconds == at(20.5).unixMilliseconds)
        #expect(table.timerFired(now: at(20.5 + 900)) == [])
        #expect(table.timerFired(now: at(20.5 + 901)) == [.changed(.removed(ada))])
        #expect(table.count == 0)
    }

    /// A computer that slept heard nobody: when it wakes, they have as much time as at any other moment.
    @Test mutating func whoeverWasThereBeforeASleepMayBeHeardAgain() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        _ = try table.received(message(.online, bob, 0), from: bob, now: at(0))
        _ = try table.received(message(.offline, bob, 1), from: bob, now: at(1))
        #expect(table.timerFired(now: at(10)) == [])
        #expect(table.timerFired(now: at(3600)) == [.changed(.removed(bob))], "who had left before is no longer listed")
        for second in 3601...3620 { #expect(table.timerFired(now: at(Double(second))) == []) }
        let effects = table.timerFired(now: at(3621))
        #expect(effects == [.changed(.updated(try #require(table[ada])))])
        #expect(table[ada]?.offline == true)
    }

    /// Ticks that come a little late are none: silence counts as before.
    @Test mutating func silenceCountsWhereTicksAreOnlyLate() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        for second in stride(from: 0.0, through: 20, by: 5) { #expect(table.timerFired(now: at(second)) == []) }
        #expect(table.timerFired(now: at(25)).count == 1)
        #expect(table[ada]?.offline == true)
    }

    @Test mutating func aGoodbyeIsToldFromSilence() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        _ = table.timerFired(now: at(30))
        #expect(table[ada]?.offline == true && table[ada]?.saidGoodbye == false)
        let effects = try table.received(message(.offline, ada, 31), from: ada, now: at(31))
        #expect(effects == [.changed(.updated(try #require(table[ada])))], "also of one that was silent before")
        #expect(table[ada]?.saidGoodbye == true)
        #expect(table[ada]?.offlineSinceMilliseconds == at(30).unixMilliseconds)
        _ = try table.received(message(.update, ada, 32), from: ada, now: at(32))
        #expect(table[ada]?.offline == false && table[ada]?.saidGoodbye == false)
        _ = try table.received(message(.offline, ada, 33), from: ada, now: at(33))
        #expect(table[ada]?.saidGoodbye == true)
        var remembered = try #require(table[ada])
        remembered.id = bob
        _ = table.seed(remembered, now: at(34))
        #expect(table[bob]?.offline == true && table[bob]?.saidGoodbye == false, "of another run")
    }

    @Test mutating func favouritesStay() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        _ = table.setFavorite(ada, true)
        _ = table.timerFired(now: at(30))
        _ = table.timerFired(now: at(100_000))
        #expect(table[ada]?.favorite == true)
        #expect(table[ada]?.offline == true)
    }

    @Test mutating func goodbyeCountsAtOnceAndOnlyOnce() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        _ = table.probeSucceeded(ada, now: at(0))
        #expect(try table.received(message(.offline, ada, 1), from: ada, now: at(1)).count == 1)
        #expect(table[ada]?.reachable == false)
        #expect(try table.received(message(.offline, ada, 2), from: ada, now: at(2)) == [])
        #expect(table[ada]?.offlineSinceMilliseconds == at(1).unixMilliseconds)
        #expect(throws: PeerTable.Refusal.unknownPeer) {
            try table.received(message(.offline, bob, 1), from: bob, now: at(1))
        }
    }

    @Test mutating func oneFailedProbeIsAnAccidentTwoAreNot() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        _ = table.probeSucceeded(ada, now: at(1))
        #expect(table[ada]?.reachable == true)
        #expect(table.probeFailed(ada, reason: "refused", now: at(2)) == [])
        #expect(table.probeFailed(ada, reason: "refused", now: at(3.9)) == [])
        #expect(table[ada]?.reachable == true)
        #expect(table.timerFired(now: at(4.1)) == [.probe(ada)])
        #expect(table.probeFailed(ada, reason: "refused", now: at(4.2)).count == 1)
        #expect(table[ada]?.reachable == false)
        #expect(table[ada]?.unreachableReason == "refused")
        _ = table.probeSucceeded(ada, now: at(5))
        #expect(table[ada]?.reachable == true)
        #expect(table[ada]?.unreachableReason == nil)
    }

    /// Whoever has blocked us lets us in, and then ends the connection; of its presence we hear through others.
    @Test mutating func connectionsThatOnlyBeginAndEndAreNoAnswer() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        #expect(table[ada]?.isArriving == true)
        _ = table.connectionChanged(ada, path: .lan, now: at(0))
        #expect(table[ada]?.reachable == true && table[ada]?.isArriving == false)
        #expect(table.connectionChanged(ada, path: .none, now: at(1)).contains(.probe(ada)))
        _ = table.probeFailed(ada, reason: "it ended the connection", now: at(1))
        // Each further try begins a connection.
        for second in stride(from: 1.5, through: 5, by: 0.5) {
            _ = table.connectionChanged(ada, path: .lan, now: at(second))
            let effects = table.connectionChanged(ada, path: .none, now: at(second))
            #expect(!effects.contains(.probe(ada)), "or it would be asked again and again")
            _ = table.probeFailed(ada, reason: "it ended the connection", now: at(second))
        }
        #expect(table[ada]?.stateName == "unreachable" && table[ada]?.isArriving == false)
        #expect(table[ada]?.unreachableReason == "it ended the connection")
        // Heard of as before, it is left alone for the pause after two failures, and stays what it is.
        #expect(try table.received(message(.update, ada, 6), from: ada, now: at(6)) == [])
        #expect(table[ada]?.stateName == "unreachable")
        // It lets us in again: a connection that stands is asked for proof, until there is some.
        #expect(table.connectionChanged(ada, path: .lan, now: at(7)).contains(.probe(ada)))
        #expect(table[ada]?.stateName == "unreachable")
        #expect(table.timerFired(now: at(8)) == [.probe(ada)])
        _ = table.probeSucceeded(ada, now: at(8))
        #expect(table[ada]?.stateName == "online" && table[ada]?.unreachableReason == nil)
        #expect(table.timerFired(now: at(9)) == [])
    }

    /// After 4, 8, 16, 32 and 60 seconds, with the next heartbeat each time.
    @Test mutating func whoDoesNotAnswerIsAskedLessAndLessOftenUntilItSaysSomethingNew() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        _ = table.probeFailed(ada, reason: "it ended the connection", now: at(0))
        var probes: [Double] = []
        for second in stride(from: 5.0, through: 250, by: 5) {
            let effects = try table.received(message(.update, ada, second), from: ada, now: at(second))
            guard !effects.isEmpty else { continue }
            #expect(effects == [.probe(ada)])
            probes.append(second)
            _ = table.probeFailed(ada, reason: "it ended the connection", now: at(second))
        }
        #expect(probes == [5, 15, 35, 70, 130, 190, 250])
        // News are asked about at once, and the pauses begin anew.
        let renamed = message(.update, ada, label: "Ada L.", 255)
        #expect(try table.received(renamed, from: ada, now: at(255)).contains(.probe(ada)))
        _ = table.probeFailed(ada, reason: "it ended the connection", now: at(255))
        let again = message(.update, ada, label: "Ada L.", 260)
        #expect(try table.received(again, from: ada, now: at(260)) == [.probe(ada)])
        _ = table.probeFailed(ada, reason: "it ended the connection", now: at(260))
        let before = message(.update, ada, label: "Ada L.", 265)
        #expect(try table.received(before, from: ada, now: at(265)) == [])
        let moved = message(.update, ada, label: "Ada L.", addresses: ["/ip4/192.168.1.3/tcp/4001"], 266)
        #expect(try table.received(moved, from: ada, now: at(266)).contains(.probe(ada)))
        _ = table.probeFailed(ada, reason: "it ended the connection", now: at(266))
        let begun = message(.online, ada, label: "Ada L.", addresses: ["/ip4/192.168.1.3/tcp/4001"], 267)
        #expect(try table.received(begun, from: ada, now: at(267)) == [.probe(ada)], "a start is news of its own")
        _ = table.probeFailed(ada, reason: "it ended the connection", now: at(270))
        // And so is a return, even of one whose goodbye was not heard.
        for second in 271...290 { _ = table.timerFired(now: at(Double(second))) }
        #expect(table[ada]?.offline == true)
        let back = message(.update, ada, label: "Ada L.", addresses: ["/ip4/192.168.1.3/tcp/4001"], 291)
        #expect(try table.received(back, from: ada, now: at(291)).contains(.probe(ada)))
    }

    /// One answer, and the next failure is the first one.
    @Test mutating func anAnswerEndsThePauses() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        for second in [0, 10, 30] { _ = table.probeFailed(ada, reason: "refused", now: at(Double(second))) }
        #expect(try table.received(message(.update, ada, 40), from: ada, now: at(40)) == [])
        _ = table.probeSucceeded(ada, now: at(41))
        for second in [42, 45] { _ = table.probeFailed(ada, reason: "refused", now: at(Double(second))) }
        #expect(table[ada]?.stateName == "unreachable")
        #expect(try table.received(message(.update, ada, 52), from: ada, now: at(52)) == [])
        #expect(try table.received(message(.update, ada, 53), from: ada, now: at(53)) == [.probe(ada)])
    }

    @Test mutating func whoComesBackIsNotJudgedByTheLastTime() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        _ = table.probeFailed(ada, reason: "refused", now: at(1))
        #expect(table[ada]?.stateName == "unreachable" && table[ada]?.isArriving == false)
        _ = try table.received(message(.offline, ada, 2), from: ada, now: at(2))
        _ = try table.received(message(.online, ada, 3), from: ada, now: at(3))
        #expect(table[ada]?.isArriving == true && table[ada]?.unreachableReason == nil)
    }

    @Test mutating func factsFromBeforeTheFirstMessageAreJoined() throws {
        #expect(table.discovered(ada, source: .mdns, now: at(0)) == [])
        #expect(table.connectionChanged(ada, path: .lan, now: at(0)) == [])
        #expect(table.count == 0)
        let effects = try table.received(message(.update, ada, 0), from: ada, now: at(0))
        let entry = try #require(table[ada])
        #expect(entry.sources == [.mdns, .connection, .gossip])
        #expect(entry.path == .lan)
        #expect(entry.reachable)
        #expect(effects == [.changed(.updated(entry))])
    }

    @Test mutating func aRelayedConnectionSaysNothingAboutReachability() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        _ = table.connectionChanged(ada, path: .relay, now: at(0))
        #expect(table[ada]?.reachable == false)
        #expect(table[ada]?.path == .relay)
        _ = table.connectionChanged(ada, path: .internet, now: at(0))
        #expect(table[ada]?.reachable == true)
        let effects = table.connectionChanged(ada, path: .none, now: at(1))
        #expect(effects.contains(.probe(ada)))
        #expect(table[ada]?.path == PeerPath.none)
    }

    @Test mutating func aHeartbeatWithoutNewsTellsNobody() throws {
        _ = try table.received(message(.online, ada, 0), from: ada, now: at(0))
        _ = table.probeSucceeded(ada, now: at(0))
        #expect(try table.received(message(.update, ada, 5), from: ada, now: at(5)) == [])
        #expect(table[ada]?.lastSeenMilliseconds == at(5).unixMilliseconds)
        #expect(table.timerFired(now: at(24)) == [])
    }

    @Test mutating func upstreamsPartialUpdatesKeepWhatTheyLeaveOut() throws {
        var first = message(.online, ada, 0)
        first.publicKey = "k"
        first.clientVersion = "2.4.0"
        first.encryptionSupported = true
        _ = try table.received(first, from: ada, now: at(0))
        _ = try table.received(message(.update, ada, label: "", 5), from: ada, now: at(5))
        let entry = try #require(table[ada])
        #expect(entry.publicKey == "k")
        #expect(entry.clientVersion == "2.4.0")
        #expect(entry.encryptionSupported)
        #expect(entry.label == "")
    }

    @Test mutating func gossipCannotVerify() throws {
        var lie = message(.online, ada, 0)
        lie.verified = true
        _ = try table.received(lie, from: ada, now: at(0))
        #expect(table[ada]?.verified == false)
    }

    @Test mutating func unknownKindsAreRefused() {
        for kind in [PresenceMessage.Kind.punch, .other("dance")] {
            #expect(throws: PeerTable.Refusal.unknownKind) {
                try table.received(message(kind, ada, 0), from: ada, now: at(0))
            }
        }
    }

    @Test func theBoundPrefersThePresent() throws {
        var table = PeerTable(ownID: own, limits: .init(peers: 3))
        let peers = try (10..<16).map { try peer($0) }
        for (index, id) in peers.prefix(3).enumerated() {
            _ = try table.received(message(.online, id, Double(index)), from: id, now: at(Double(index)))
        }
        _ = table.probeSucceeded(peers[0], now: at(3))
        _ = try table.received(message(.offline, peers[2], 4), from: peers[2], now: at(4))
        var effects = try table.received(message(.online, peers[3], 5), from: peers[3], now: at(5))
        #expect(effects.first == .changed(.removed(peers[2])))
        // Nobody is offline: the silent one that was never reached gives way.
        effects = try table.received(message(.online, peers[4], 6), from: peers[4], now: at(6))
        #expect(effects.first == .changed(.removed(peers[1])))
        for id in peers[3...4] { _ = table.probeSucceeded(id, now: at(6)) }
        #expect(throws: PeerTable.Refusal.full(limit: 3)) {
            try table.received(message(.online, peers[5], 7), from: peers[5], now: at(7))
        }
        #expect(table.count == 3)
    }

    @Test mutating func rememberedPeersStartOffline() throws {
        let remembered = PeerEntry(
            id: ada, label: "Ada", favorite: true, reachable: true, lastSeenMilliseconds: 5, path: .lan)
        #expect(table.seed(remembered, now: at(0)).count == 1)
        let entry = try #require(table[ada])
        #expect(entry.offline && !entry.reachable && entry.favorite)
        #expect(entry.sources == [.cache])
        #expect(table.seed(PeerEntry(id: ada, label: "other"), now: at(1)) == [])
        _ = try table.received(message(.online, ada, label: "Ada L.", 2), from: ada, now: at(2))
        #expect(table[ada]?.label == "Ada L.")
        #expect(table[ada]?.favorite == true)
    }

    /// Any order of events keeps the table within its bounds and its entries consistent.
    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func randomEvents(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let peers = try (1..<20).map { try peer($0) }
        var table = PeerTable(ownID: own, limits: .init(peers: 8))
        var listed: [PeerID: PeerEntry] = [:]
        var seconds = 0.0
        for step in 0..<4_000 {
            seconds += Double.random(in: 0..<3, using: &generator)
            let id = peers[Int.random(in: 0..<peers.count, using: &generator)]
            let signer = Int.random(in: 0..<10, using: &generator) == 0 ? bob : id
            let kinds: [PresenceMessage.Kind] = [.online, .update, .update, .offline, .punch, .other("x")]
            let paths: [PeerPath] = [.none, .lan, .relay, .loopback]
            var effects: [PeerTable.Effect] = []
            switch Int.random(in: 0..<9, using: &generator) {
            case 0...3:
                let stamp = seconds + Double.random(in: -10..<10, using: &generator)
                let kind = kinds[Int.random(in: 0..<kinds.count, using: &generator)]
                effects = (try? table.received(message(kind, id, stamp), from: signer, now: at(seconds))) ?? []
            case 4: effects = table.probeSucceeded(id, now: at(seconds))
            case 5: effects = table.probeFailed(id, reason: "x", now: at(seconds))
            case 6:
                effects = table.connectionChanged(
                    id, path: paths[Int.random(in: 0..<4, using: &generator)], now: at(seconds))
            case 7: effects = table.discovered(id, source: .mdns, now: at(seconds))
            default:
                if step % 50 == 0 { seconds += 1000 }
                effects = table.timerFired(now: at(seconds))
            }
            for case .changed(let change) in effects {
                switch change {
                case .updated(let entry): listed[entry.id] = entry
                case .removed(let id): listed[id] = nil
                }
            }
            #expect(table.count <= 8)
            for entry in table.entries {
                #expect(entry.offline == (entry.offlineSinceMilliseconds != nil), "seed \(seed), step \(step)")
                #expect(entry.id != own)
                // Whoever follows the changes sees what the table holds, apart from signs of life.
                var seen = try #require(listed[entry.id], "seed \(seed), step \(step)")
                seen.lastSeenMilliseconds = entry.lastSeenMilliseconds
                #expect(seen == entry, "seed \(seed), step \(step)")
            }
            #expect(listed.count == table.count)
        }
    }
}
