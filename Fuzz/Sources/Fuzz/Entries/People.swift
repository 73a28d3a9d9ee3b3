import GoopCore
import Multiformats
import PeerIdentity

private func moment(_ uptime: Duration, clock: Int64) -> Moment { Moment(uptime: uptime, unixMilliseconds: clock) }

/// Who is there, through messages, probes, connections and time; and a page that only hears of the changes, which must end up
/// with the same list.
func fuzzPeerTable(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var limits = PeerTable.Limits()
    limits.peers = 4
    var table = PeerTable(ownID: peers[0], limits: limits)
    var page: [PeerID: PeerEntry] = [:]
    var uptime = Duration.seconds(100)
    var clock: Int64 = 1_760_000_000_000
    while !input.isAtEnd {
        let choice = input.byte()
        let peer = peers[Int(choice >> 5)]
        uptime += input.pause() * 20
        // The clock of the machine may be set.
        clock = choice & 0x10 == 0 ? 1_760_000_000_000 + Int64(uptime / .milliseconds(1)) : Int64(input.uint32()) << 12
        let now = moment(uptime, clock: clock)
        var effects: [PeerTable.Effect] = []
        switch choice & 15 {
        case 0..<6:
            let message = message(of: peer, choice, clock, &input)
            let before = table.entries
            do throws(PeerTable.Refusal) {
                effects = try table.received(message, from: peer, now: now)
                require(peer != peers[0] && message.peerID == peer.base58, "who signs speaks of itself")
                do throws(PeerTable.Refusal) {
                    _ = try table.received(message, from: peer, now: now)
                    require(false, "a message counts once")
                } catch {
                    require(error == .stale, "a message counts once")
                }
            } catch {
                require(table.entries == before, "what is refused changes nothing")
            }
        case 6: effects = table.probeSucceeded(peer, now: now)
        case 7: effects = table.probeFailed(peer, reason: "r", now: now)
        case 8, 9: effects = table.connectionChanged(peer, path: input.one(of: PeerPath.allCases), now: now)
        case 10: effects = table.discovered(peer, source: .mdns, now: now)
        case 11: effects = table.setFavorite(peer, input.bool())
        case 12: effects = table.remove(peer)
        case 13: effects = table.seed(PeerEntry(id: peer, label: input.text()), now: now)
        default: effects = table.timerFired(now: now)
        }
        for effect in effects {
            switch effect {
            case .changed(.updated(let entry)): page[entry.id] = entry
            case .changed(.removed(let peer)): require(page.removeValue(forKey: peer) != nil, "who goes was there")
            case .probe(let peer): require(table[peer] != nil, "only who is listed is probed")
            case .learned(let peer, let addresses):
                require(table[peer]?.addresses == addresses && !addresses.isEmpty, "addresses are of somebody listed")
            }
        }
        require(table.count <= limits.peers && table[peers[0]] == nil, "entries are counted")
        var shown = table.entries
        for index in shown.indices {
            // A mere sign of life is no change.
            shown[index].lastSeenMilliseconds = page[shown[index].id]?.lastSeenMilliseconds ?? -1
        }
        require(shown == page.values.sorted { $0.id < $1.id }, "a page that hears of changes sees what is there")
        for entry in shown {
            require(entry.addresses.count <= PresenceMessage.Limit.addresses, "addresses are counted")
            require(entry.offline == (entry.offlineSinceMilliseconds != nil), "who is gone went some time")
        }
    }
}

private func message(of peer: PeerID, _ choice: UInt8, _ clock: Int64, _ input: inout FuzzInput) -> PresenceMessage {
    let details = input.byte()
    let kind: PresenceMessage.Kind = [.online, .update, .offline, .punch][Int(details & 3)]
    let named = details & 0x1c == 4 ? peers[1] : peer
    let lead = Int64(Int8(bitPattern: input.byte())) * 10_000
    let count = Int(details >> 5)
    return PresenceMessage(
        kind: kind, peerID: named.base58, content: details & 0x10 == 0 ? "" : input.text(),
        addresses: (0..<count).map { _ in input.one(of: addresses).description },
        publicKey: details & 8 == 0 ? "" : "k",
        timestamp: clock &+ lead)
}

/// The peers that are remembered, and what the owner decides; beside it a store that only hears what to write.
func fuzzPeerRecords(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var limits = PeerRecords.Limits()
    (limits.peers, limits.addresses, limits.petnameBytes) = (4, 2, 16)
    var records = PeerRecords(ownID: peers[0], limits: limits)
    var store: [PeerID: KnownPeer] = [:]
    var clock: Int64 = 1_760_000_000_000
    func write(_ record: KnownPeer?, _ removed: PeerID?) {
        if let removed { require(store.removeValue(forKey: removed)?.isChosen == false, "no decision is forgotten") }
        if let record { store[record.id] = record }
    }
    while !input.isAtEnd {
        let choice = input.byte()
        let peer = peers[Int(choice >> 5)]
        clock += Int64(input.pause() / .milliseconds(1)) * 10_000
        switch choice & 7 {
        case 0, 1, 2:
            let entry = PeerEntry(
                id: peer, label: input.text(),
                lastSeenMilliseconds: choice & 8 == 0 ? clock : Int64(input.uint32()) << 20,
                addresses: (0..<Int(input.byte() & 3)).map { _ in input.one(of: addresses) })
            let writes = records.remember(entry)
            write(writes.stored, writes.removed)
            require(writes.stored == nil || !records.isBlocked(peer), "the blocked are not remembered")
        case 3, 4, 5:
            do throws(PeerRecords.Refusal) {
                let decided =
                    switch choice & 7 {
                    case 3: try records.setPetname(input.text(), of: peer)
                    case 4: try records.setFavorite(input.bool(), of: peer)
                    default: try records.setStanding(input.one(of: PeerStanding.allCases), of: peer)
                    }
                write(decided.record, decided.removed)
                require(decided.record.petname.utf8.count <= limits.petnameBytes, "names are bounded")
            } catch {
                if error == .full(limit: limits.peers) {
                    require(records.all.allSatisfy(\.isChosen), "there is no room")
                }
            }
        case 6: for peer in records.expire(unixMilliseconds: clock) { write(nil, peer) }
        default:
            let entry = records.dressed(PeerEntry(id: peer, label: input.text()))
            require(entry.petname == records[peer]?.petname ?? "", "the owner's name is shown")
            require(
                entry.resembles.map { $0 != peer && records[$0]?.isChosen == true } ?? true,
                "it resembles somebody known")
        }
        require(store.count <= limits.peers && store[peers[0]] == nil, "records are counted")
        require(records.all.allSatisfy { $0.addresses.count <= limits.addresses }, "addresses are counted")
        // A sign of life that came too soon after the last is kept, and not written.
        require(records.all.map(\.id) == store.keys.sorted(), "the store has what is known")
    }
    require(
        PeerRecords(ownID: peers[0], known: Array(store.values), limits: limits).all.count == store.count,
        "and reads it back")
}

/// When we speak, whatever others do.
func fuzzPresenceMachine(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var machine = PresenceMachine(configuration: .init())
    var generator = FixedGenerator()
    var uptime = Duration.seconds(1)
    var last = Int64.min
    var isOnline = false
    var isOver = false
    while !input.isAtEnd {
        let choice = input.byte()
        uptime += input.pause()
        let clock =
            choice & 0x10 == 0 ? 1_760_000_000_000 + Int64(uptime / .milliseconds(1)) : Int64(input.uint32()) << 12
        let now = moment(uptime, clock: clock)
        let publication: PresenceMachine.Publication?
        switch choice & 7 {
        case 0: publication = machine.start(now: now)
        case 1: publication = machine.hide(now: now)
        case 2: publication = machine.appear(now: now)
        case 3:
            publication = choice & 0x80 == 0 ? nil : machine.stop(now: now)
            isOver = isOver || choice & 0x80 != 0
        case 4, 5:
            machine.listenerAppeared(listeners: Int(input.uint16()), now: now, using: &generator)
            publication = nil
        case 6:
            machine.profileChanged(now: now)
            publication = nil
        default: publication = machine.timerFired(now: now)
        }
        if let publication {
            require(publication.timestamp > last, "time stamps grow, also when the clock is set back")
            last = publication.timestamp
            switch publication.kind {
            case .online: require(!isOnline && !isOver, "a peer appears once")
            case .update: require(isOnline, "only who is there has news")
            case .offline: require(isOnline, "only who was there says goodbye")
            default: require(false, "\(publication.kind) is never said")
            }
            isOnline = publication.kind != .offline
        }
        if isOver { require(machine.deadline == nil, "nothing follows the end") }
        require((machine.deadline != nil) == isOnline, "who is there has a next word")
        if let deadline = machine.deadline { require(deadline <= uptime + .seconds(6), "the next word is not far") }
    }
}

/// Who reads the site.
func fuzzVisitors(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var table = VisitorTable(peers: 3, lifetimeMilliseconds: 1_000)
    var open: [(SiteActivity, PeerID)] = []
    var now: Int64 = 1_760_000_000_000
    while !input.isAtEnd {
        let choice = input.byte()
        let peer = peers[Int(choice >> 5)]
        // The clock may be set back.
        now += Int64(input.byte()) * (choice & 0x18 == 0x18 ? -10 : 4)
        switch choice & 7 {
        case 0, 1, 2, 3:
            let activity = SiteActivity.allCases[Int(choice & 3)]
            if table.began(activity, by: peer, now: now) { open.append((activity, peer)) }
        case 4: table.asked("/" + input.text(), by: peer)
        default:
            guard !open.isEmpty else { continue }
            let (activity, peer) = open.remove(at: Int(input.byte()) % open.count)
            table.ended(activity, by: peer, now: now)
        }
        let all = table.all(now: now)
        require(all.count <= 3 && Set(all.map(\.peer)).count == all.count, "visitors are counted")
        let here = Dictionary(grouping: open, by: \.1)
        require(Set(all.filter(\.isHere).map(\.peer)) == Set(here.keys), "whoever is inside is listed")
        for visitor in all {
            let own = here[visitor.peer] ?? []
            require(visitor.openPages == own.count { $0.0.isLasting }, "pages are counted")
            require(visitor.openAnswers == own.count { !$0.0.isLasting }, "answers are counted")
            require(visitor.firstSeenMilliseconds <= visitor.lastSeenMilliseconds, "the first sign is not the last")
        }
    }
}
