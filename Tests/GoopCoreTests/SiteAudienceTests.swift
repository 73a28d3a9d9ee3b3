import GoopCore
import PeerIdentity
import Testing

/// The audience of a site in the settings, and the table of its visitors.
@Suite struct SiteAudienceTests {
    private let owner = PrivateKey.generate().peerID
    private let peers = (0..<4).map { _ in PrivateKey.generate().peerID }

    @Test func decisionsChangeTheFileAndNothingElse() throws {
        var configuration = try GoopConfiguration(decoding: Array(#"{"site":{"color":"red"},"x":1}"#.utf8))
        #expect(configuration.siteAudience == .everyone)
        try configuration.decide(.allow([peers[0]]), owner: owner)
        #expect(configuration.siteAudience == .everyone, "naming somebody closes nothing")
        try configuration.decide(.only([peers[1], peers[2], peers[1]]), owner: owner)
        #expect(configuration.siteGuests == [peers[1], peers[2]])
        try configuration.decide(.revoke([peers[1]]), owner: owner)
        #expect(configuration.siteAudience == .named([peers[2]]))
        let again = try GoopConfiguration(decoding: configuration.encoded())
        #expect(again.siteAudience == .named([peers[2]]))
        #expect(String(decoding: again.encoded(), as: UTF8.self).contains("red"))
        try configuration.decide(.revoke([peers[2]]), owner: owner)
        #expect(configuration.siteAudience == .named([]), "the last one leaves nobody, not everybody")
        try configuration.decide(.everyone, owner: owner)
        #expect(configuration.siteAudience == .everyone)
    }

    @Test func refusalsChangeNothing() throws {
        var configuration = GoopConfiguration()
        try configuration.decide(.only([peers[0]]), owner: owner)
        let before = configuration
        #expect(throws: AudienceRefusal.ownPeer) { try configuration.decide(.allow([peers[1], owner]), owner: owner) }
        #expect(throws: AudienceRefusal.notNamed(peers[1])) {
            try configuration.decide(.revoke([peers[0], peers[1]]), owner: owner)
        }
        let many = (0...SiteAudience.maximumGuests).map { _ in PrivateKey.generate().peerID }
        #expect(throws: AudienceRefusal.full(limit: SiteAudience.maximumGuests)) {
            try configuration.decide(.only(many), owner: owner)
        }
        #expect(configuration == before)
    }

    @Test func nobodyStaysInBecauseOfWhoElseIsNamed() throws {
        // Whoever edits the file may name the owner too.
        let guests = [peers[0], owner, peers[1]].map { "\"\($0.base58)\"" }.joined(separator: ",")
        var configuration = try GoopConfiguration(
            decoding: Array("{\"site\":{\"audience\":\"named\",\"guests\":[\(guests)]}}".utf8))
        let decision = AudienceDecision.revoke([peers[0], peers[2], peers[0]])
        #expect(configuration.part(of: decision) == .revoke([peers[0], peers[0]]))
        #expect(configuration.part(of: .allow([peers[2]])) == .allow([peers[2]]))
        try configuration.decide(configuration.part(of: decision), owner: owner)
        #expect(configuration.siteGuests == [owner, peers[1]])
        try configuration.decide(.revoke([owner]), owner: owner)
        #expect(configuration.siteGuests == [peers[1]])
    }

    @Test(arguments: [
        #"{"site":{"audience":"friends"}}"#, #"{"site":{"audience":"Everyone"}}"#, #"{"site":{"guests":["Bob"]}}"#,
        #"{"site":{"guests":"x"}}"#, #"{"site":{"guests":[1]}}"#,
    ])
    func aFileThatDoesNotSayWhoStopsTheStart(text: String) {
        #expect(throws: ConfigurationError.self) { try GoopConfiguration(decoding: Array(text.utf8)) }
    }

    // MARK: The wire

    @Test func aRefusalOfTheWholeSiteIsToldApartFromThatOfAFile() throws {
        func error(_ kind: SiteError.Kind) throws -> SiteError.Kind? {
            var reader = SiteMessageReader(limit: SiteHead.maximumBytes)
            let (message, _) = try #require(try reader.received(SiteHead.refusal(SiteError(kind: kind))[...]))
            do { _ = try SiteHead(decoding: message) } catch { return error.kind }
            return nil
        }
        for kind in SiteError.Kind.allCases where kind != .blocked { #expect(try error(kind) == kind) }
        #expect(SiteProtocol.errorLine(SiteError(kind: .notInvited)) == Array("ERR forbidden\n".utf8))
        var reader = SiteMessageReader(limit: SiteChanges.maximumBytes)
        let (message, _) = try #require(try reader.received(SiteChanges.refusal.encoded[...]))
        let changes = try SiteChanges(decoding: message)
        #expect(changes.isRefusal && !changes.isEmpty && changes.paths.isEmpty)
    }

    // MARK: Visitors

    @Test func whoIsInsideComesFirstAndWhoLeftIsForgottenInTime() {
        var table = VisitorTable(peers: 8, lifetimeMilliseconds: 1000)
        let admitted = [table.began(.file, by: peers[0], now: 10), table.began(.watch, by: peers[1], now: 5)]
        #expect(admitted == [true, true])
        table.asked("/x", by: peers[0])
        table.ended(.file, by: peers[0], now: 20)
        let early = table.all(now: 20)
        #expect(early.map(\.peer) == [peers[1], peers[0]] && early.last?.path == "/x")
        let late = table.all(now: 5000)
        #expect(late.map(\.peer) == [peers[1]], "an open page stays")
        table.ended(.watch, by: peers[1], now: 6000)
        let ends = [table.all(now: 7000).count, table.all(now: 7001).count]
        #expect(ends == [1, 0])
    }

    @Test func theTableIsBoundedAndWhoIsInsideKeepsItsPlace() {
        var table = VisitorTable(peers: 2, lifetimeMilliseconds: 1000)
        var admitted = [table.began(.watch, by: peers[0], now: 1), table.began(.data, by: peers[1], now: 2)]
        admitted.append(table.began(.file, by: peers[2], now: 3))
        table.ended(.data, by: peers[1], now: 4)
        admitted.append(table.began(.file, by: peers[2], now: 5))
        #expect(admitted == [true, true, false, true])
        let listed = Set(table.all(now: 5).map(\.peer))
        #expect(listed == [peers[0], peers[2]])
        // The end of somebody who is not listed is nobody else's.
        table.ended(.file, by: peers[3], now: 6)
        table.asked("/y", by: peers[3])
        let count = table.all(now: 6).count
        #expect(count == 2)
    }
}
