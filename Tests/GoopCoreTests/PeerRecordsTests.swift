import PeerIdentity
import Testing

@testable import GoopCore

@Suite struct PeerRecordsTests {
    let own = PrivateKey.generate().peerID
    let ids = (0..<4).map { _ in PrivateKey.generate().peerID }.sorted()

    private func entry(_ id: PeerID, _ label: String, seen: Int64 = 1_000_000) -> PeerEntry {
        PeerEntry(id: id, label: label, lastSeenMilliseconds: seen)
    }

    @Test func whatIsSeenIsWrittenOnceAndAgainWhenItChangesOrMuchLater() {
        var records = PeerRecords(ownID: own)
        #expect(records.remember(entry(ids[0], "bob")).stored?.label == "bob")
        #expect(records.remember(entry(ids[0], "bob", seen: 1_059_999)) == .init())
        #expect(records.remember(entry(ids[0], "bob", seen: 1_060_000)).stored?.lastSeenMilliseconds == 1_060_000)
        #expect(records.remember(entry(ids[0], "robert", seen: 1_060_001)).stored?.label == "robert")
        #expect(records.remember(entry(own, "me")) == .init())
    }

    @Test func theOldestUndecidedGivesWay() throws {
        var limits = PeerRecords.Limits()
        limits.peers = 2
        var records = PeerRecords(ownID: own, limits: limits)
        _ = records.remember(entry(ids[0], "a", seen: 1))
        _ = try records.setFavorite(true, of: ids[0])
        _ = records.remember(entry(ids[1], "b", seen: 2))
        let writes = records.remember(entry(ids[2], "c", seen: 3))
        #expect(writes.removed == ids[1] && writes.stored?.id == ids[2])
        _ = try records.setStanding(.blocked, of: ids[2])
        #expect(records.remember(entry(ids[3], "d", seen: 4)) == .init())
        #expect(throws: PeerRecords.Refusal.full(limit: 2)) { _ = try records.setFavorite(true, of: ids[3]) }
        #expect(records.all.map(\.id) == [ids[0], ids[2]])
    }

    @Test func aDecisionTakesThePlaceOfTheOldestUndecided() throws {
        var limits = PeerRecords.Limits()
        limits.peers = 2
        var records = PeerRecords(ownID: own, limits: limits)
        _ = records.remember(entry(ids[0], "a", seen: 2))
        _ = records.remember(entry(ids[1], "b", seen: 1))
        let decided = try records.setStanding(.blocked, of: ids[2])
        #expect(decided.removed == ids[1] && decided.record.standing == .blocked)
        #expect(records.all.map(\.id) == [ids[0], ids[2]])
        // About one that has its place nobody else has to go.
        #expect(try records.setPetname("Ann", of: ids[0]).removed == nil)
        let refusal = #expect(throws: PeerRecords.Refusal.self) { try records.setFavorite(true, of: ids[3]) }
        #expect(refusal == .full(limit: 2))
        #expect(records.all.map(\.id) == [ids[0], ids[2]])
    }

    @Test func whatNobodyDecidedAboutExpires() throws {
        var records = PeerRecords(ownID: own)
        for id in ids { _ = records.remember(entry(id, "x", seen: 1000)) }
        _ = try records.setPetname(" Ann ", of: ids[1])
        _ = try records.setStanding(.blocked, of: ids[2])
        let lifetime = PeerRecords.Limits().lifetimeMilliseconds
        #expect(records.expire(unixMilliseconds: 1000 + lifetime) == [])
        #expect(records.expire(unixMilliseconds: 1001 + lifetime) == [ids[0], ids[3]])
        #expect(records[ids[1]]?.petname == "Ann")
    }

    @Test func aPetnameWinsAndABlockHides() throws {
        var records = PeerRecords(ownID: own)
        _ = try records.setPetname("Ann", of: ids[0])
        #expect(records.dressed(entry(ids[0], "evil")).shownName == "Ann")
        _ = try records.setStanding(.muted, of: ids[0])
        #expect(records.dressed(entry(ids[0], "evil")).isMuted)
        _ = try records.setStanding(.blocked, of: ids[0])
        #expect(records.isBlocked(ids[0]) && records.blocked == [ids[0]])
        #expect(records.remember(entry(ids[0], "evil")) == .init())
        _ = try records.setStanding(.ordinary, of: ids[0])
        #expect(records.blocked.isEmpty)
        #expect(throws: PeerRecords.Refusal.ownPeer) { _ = try records.setStanding(.blocked, of: own) }
    }

    @Test(arguments: [
        "a\nb", "a\u{202e}b", "\u{7}", "a\u{200b}b", "a\u{ad}b", "a\u{2060}", "\u{3164}", "\u{200d}\u{200d}",
        String(repeating: "x", count: 129),
    ])
    func petnamesThatDeceiveAreRefused(_ name: String) {
        var records = PeerRecords(ownID: own)
        #expect(throws: PeerRecords.Refusal.petname(maximumBytes: 128)) {
            _ = try records.setPetname(name, of: ids[0])
        }
    }

    @Test func anotherKeyUnderAFavouritesNameIsTold() throws {
        var records = PeerRecords(ownID: own)
        _ = records.remember(entry(ids[0], "Ada"))
        _ = try records.setFavorite(true, of: ids[0])
        #expect(records.dressed(entry(ids[1], " ada")).resembles == ids[0])
        #expect(records.dressed(entry(ids[0], "Ada")).resembles == nil)
        #expect(records.dressed(entry(ids[1], "")).resembles == nil)
        // The favourite is renamed: its old name is free.
        _ = records.remember(entry(ids[0], "Lovelace"))
        #expect(records.dressed(entry(ids[1], "ada")).resembles == nil)
        #expect(records.dressed(entry(ids[1], "lovelace")).resembles == ids[0])
        _ = try records.setFavorite(false, of: ids[0])
        #expect(records.dressed(entry(ids[1], "lovelace")).resembles == nil)
    }

    /// A peer that was given a name takes another's: the other one is nobody's impostor, unless it bears the given name.
    @Test func theNameThatOnlyTheNamedOneSharesIsToldApartFromTheOneItWasGiven() throws {
        var records = PeerRecords(ownID: own)
        _ = records.remember(entry(ids[0], "Mia"))
        _ = try records.setPetname("Oma", of: ids[0])
        for (name, isLabelOnly) in [("mia", true), ("OMA", false), ("\u{43e}ma", false)] {
            let dressed = records.dressed(entry(ids[1], name))
            #expect(dressed.resembles == ids[0] && dressed.resemblesLabelOnly == isLabelOnly, "\(name)")
        }
        #expect(!records.dressed(entry(ids[1], "Ida")).resemblesLabelOnly)
        // Whom the owner calls so comes first, whatever the ids are.
        for called in [ids[1], ids[2]] {
            let other = called == ids[1] ? ids[2] : ids[1]
            var named = records
            _ = try named.setPetname("Mia", of: called)
            let dressed = named.dressed(entry(other, "Mia"))
            #expect(dressed.resembles == called && !dressed.resemblesLabelOnly)
        }
    }

    /// Names that a person cannot tell from “Ada Love”, and names that only contain its letters.
    @Test func aNameThatLooksTheSameIsTheSame() throws {
        var records = PeerRecords(ownID: own)
        _ = try records.setPetname("Ada Love", of: ids[0])
        let alike = [
            "ADA  LOVE", "A\u{200b}da Love", "Ada\u{2060} Love", "Ada Lo\u{ad}ve", "\u{feff}Ada Love\u{3164}",
            "Ada\u{a0}Love", "Ada\u{200d} Love", "Ada Love\u{e0061}", "\u{410}da Love",
            "Ad\u{430} L\u{43e}v\u{435}", "Ada L\u{3bf}v\u{3b5}", "\u{391}da Love",
            "\u{ff21}\u{ff44}\u{ff41} Love", "\u{1d400}\u{1d41d}\u{1d41a} Love", "\u{24b6}da Lov\u{212f}",
        ]
        for name in alike {
            #expect(records.dressed(entry(ids[1], name)).resembles == ids[0], "\(name.unicodeScalars.map(\.value))")
        }
        for name in ["Adalove", "Ada Lovelace", "Ida Love", "Ada Love 2", "\u{c4}da Love", "\u{200b}", "\u{3164}"] {
            #expect(records.dressed(entry(ids[1], name)).resembles == nil, "\(name)")
        }
        // One who is called by letters that are seen nowhere bears no name that another could bear too.
        _ = records.remember(entry(ids[2], "\u{2060}"))
        _ = try records.setFavorite(true, of: ids[2])
        #expect(records.dressed(entry(ids[1], "\u{200b}")).resembles == nil)
    }

    /// Letters in several ways that the standard library counts as one, and other alphabets as they are.
    @Test func skeletonsKeepWhatCanBeToldApart() {
        #expect(NameSkeleton.of("Stra\u{df}e") == NameSkeleton.of("STRASSE"))
        #expect(NameSkeleton.of("\u{fb01}n") == "fin")
        #expect(NameSkeleton.of("Jose\u{301}") == NameSkeleton.of("JOS\u{c9}"))
        #expect(NameSkeleton.of("Zo\u{451}") == NameSkeleton.of("zo\u{eb}"))
        #expect(NameSkeleton.of("\u{418}\u{432}\u{430}\u{43d}") == NameSkeleton.of("\u{438}\u{412}\u{410}\u{41d}"))
        #expect(NameSkeleton.of("\u{738b}") != NameSkeleton.of("\u{5f20}"))
        #expect(NameSkeleton.of(" \u{2060}\t") == "")
    }

    /// Strangers choose how long their names are: so much is looked at, and what nobody sees does not count.
    @Test func skeletonsAreBounded() throws {
        let limit = NameSkeleton.maximumScalars
        let long = NameSkeleton.of(String(repeating: "x", count: 4096))
        #expect(long == String(repeating: "x", count: limit))
        #expect(NameSkeleton.of(String(repeating: "\u{fb03}", count: 4096)).utf8.count == 3 * limit)
        var records = PeerRecords(ownID: own)
        _ = try records.setPetname("Ada Love", of: ids[0])
        let unseen = String(repeating: " \u{200b}", count: 2 * limit)
        #expect(records.dressed(entry(ids[1], "\(unseen)Ada\(unseen)Love\(unseen)")).resembles == ids[0])
    }

    @Test func namesThatAFavouriteNoLongerBearsAreForgotten() throws {
        var records = PeerRecords(ownID: own)
        _ = try records.setFavorite(true, of: ids[0])
        _ = try records.setPetname("Ada", of: ids[0])
        _ = try records.setPetname("Eve", of: ids[1])
        for number in 0..<10_000 {
            _ = records.remember(entry(ids[0], "name \(number)"))
            // One name for two, and one of them gives it up.
            _ = records.remember(entry(ids[1], number.isMultiple(of: 2) ? "name \(number)" : "eve"))
        }
        #expect(Set(records.pinned.keys) == ["ada", "name 9999", "eve"])
        #expect(records.dressed(entry(ids[2], "name 0")).resembles == nil)
        #expect(records.dressed(entry(ids[2], "Name 9999")).resembles == ids[0])
    }

    @Test func storedRecordsComeBackDecisionsFirst() {
        var limits = PeerRecords.Limits()
        limits.peers = 1
        let records = PeerRecords(
            ownID: own, known: [KnownPeer(id: ids[0]), KnownPeer(id: ids[1], standing: .blocked), KnownPeer(id: own)],
            limits: limits)
        #expect(records.all.map(\.id) == [ids[1]])
    }
}
