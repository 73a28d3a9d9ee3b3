import Multiformats
import P2PCore
import PeerIdentity

/// One dial: what is tried when, and how it ends, whatever names lead to and whatever answers.
func fuzzDial(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var limits = PeerDial.Limits()
    (limits.addresses, limits.concurrent) = (6, 1 + Int(input.byte() & 3))
    func some(_ input: inout FuzzInput) -> [Multiaddr] {
        (0..<Int(input.byte() & 7)).map { _ in input.one(of: addresses) }
    }
    var now = MonotonicInstant.zero
    let first = some(&input)
    let ranked = AddressRanking.rank(first, immediately: input.bool())
    require(Set(ranked.map(\.address)) == Set(first) && ranked.count == Set(first).count, "a rank for each")
    require(ranked.allSatisfy { (.zero ... .seconds(5)).contains($0.delay) }, "head starts are short")
    var dial = PeerDial(addresses: ranked, limits: limits, now: now)
    var running: [Int: Multiaddr] = [:]
    var (tried, ever): (Set<Multiaddr>, Set<Multiaddr>) = ([], [])
    var begun = 0
    var told: [DialAttempt]?
    var isCancelled = false
    func note(_ actions: [PeerDial.Action], permits: Int) {
        require(!isCancelled && told == nil || actions.isEmpty, "nothing follows the end")
        var started = 0
        for action in actions {
            switch action {
            case .attempt(let number, let address):
                require(number == begun && ever.insert(address).inserted, "\(address) is tried once")
                tried.insert(address)
                running[number] = address
                begun += 1
                started += 1
            case .abandon(let number):
                require(running.removeValue(forKey: number) != nil, "what is abandoned was under way")
            case .timedOut(let number, let failed):
                require(running.removeValue(forKey: number) != nil, "what has no answer was under way")
                require(failed.map { !dial.isTrying($0) } ?? true, "what has failed is tried no more")
            case .failed(let attempts): told = attempts
            }
        }
        require(started <= permits && running.count <= limits.concurrent, "attempts are counted")
        require(running.count == dial.attemptsUnderWay, "attempts are known")
    }
    while !input.isAtEnd {
        let choice = input.byte()
        now = now.advanced(by: input.pause() * 10)
        let permits = Int(choice >> 6)
        let attempt = running.keys.sorted().dropFirst(Int(choice >> 4 & 3)).first
        switch choice & 7 {
        case 0, 1: note(dial.poll(permits: permits, now: now), permits: permits)
        case 2: dial.add(AddressRanking.rank(some(&input)), now: now)
        case 3: if let attempt { dial.transportConnected(attempt, now: now) }
        case 4, 5:
            guard let attempt else { continue }
            running[attempt] = nil
            note(dial.failed(attempt, .refused, permits: permits, now: now), permits: permits)
        case 6:
            guard let attempt, running[attempt]?.dnsName != nil, let name = running.removeValue(forKey: attempt) else {
                continue
            }
            // It is told of by what it leads to, if that is anything.
            tried.remove(name)
            let found = AddressRanking.rank(some(&input))
            let refused = some(&input).map { (address: $0, reason: DialFailureReason.noTransport) }
            note(dial.resolved(attempt, to: found, refused: refused, permits: permits, now: now), permits: permits)
        default:
            guard choice & 0xf8 == 0xf8 else { continue }
            note(dial.cancel(), permits: 0)
            isCancelled = true
        }
        require(dial.isOver == (told != nil || isCancelled), "an end is told")
        require(dial.failures.count <= 2 * limits.addresses, "what is told is bounded")
        if let deadline = dial.nextDeadline, choice & 7 < 2 {
            require(deadline > now, "there is something to wait for")
        }
        require(!dial.isOver || dial.nextDeadline == nil, "nothing follows the end")
    }
    // It ends by itself.
    for _ in 0..<100 where !dial.isOver {
        now = max(now, dial.nextDeadline ?? now.advanced(by: .seconds(60)))
        note(dial.poll(permits: 8, now: now), permits: 8)
    }
    require(dial.isOver && running.isEmpty, "a dial ends, and all of its attempts")
    if let told { require(tried.isSubset(of: told.map(\.address)), "what was tried is told") }
}

/// What is known of how to reach others, under bounds that are soon reached.
func fuzzAddressBook(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var limits = AddressBookLimits()
    (limits.peers, limits.addressesPerPeer, limits.addressesPerDisconnectedPeer) = (3, 5, 3)
    (limits.addressBytesPerPeer, limits.addressBytesPerDisconnectedPeer, limits.addressBytes) = (60, 30, 20)
    (limits.protocolsPerPeer, limits.protocolBytesPerDisconnectedPeer) = (3, 16)
    var book = AddressBook(limits: limits)
    var now = MonotonicInstant.zero
    var connected: Set<PeerID> = []
    while !input.isAtEnd {
        let choice = input.byte()
        let peer = peers[Int(choice >> 5)]
        now = now.advanced(by: input.pause() * 100)
        let source = input.one(of: AddressSource.allCases)
        var some: [Multiaddr] {
            (0..<Int(input.byte() & 7)).map { _ in
                let address = input.one(of: addresses)
                return choice & 0x10 == 0 ? address : address.appending(peerIDBytes: peers[Int(input.byte() & 7)].bytes)
            }
        }
        switch choice & 15 {
        case 0..<4:
            let before = Set(book.addresses(of: peer, now: now))
            let fresh = book.add(some, of: peer, source: source, ttl: .seconds(Int(input.uint16())), now: now)
            require(before.isDisjoint(with: fresh), "what is new was not known")
        case 4:
            let record = PeerRecord(peer: peer, sequence: UInt64(input.byte()), addresses: some)
            if book.certify(record, ttl: .seconds(60), now: now) {
                require(
                    !book.certify(record, ttl: .seconds(60), now: now) || book.count == limits.peers,
                    "news is news once")
            }
        case 5: book.remove(some, of: peer, upTo: source)
        case 6: for address in some { book.dialFailed(address, of: peer, now: now) }
        case 7: for address in some { book.dialSucceeded(address, of: peer, now: now) }
        case 8:
            book.connected(peer, security: "/noise", now: now)
            // A book that is full of others has no room for it.
            if book.security(of: peer) != nil { connected.insert(peer) }
        case 9:
            book.disconnected(peer, now: now)
            connected.remove(peer)
        case 10: book.setProtocols((0..<5).map { ProtocolID("/\($0)" + input.text()) }, of: peer, now: now)
        case 11: book.keep(peer, input.bool())
        case 12: book.clearBackoff(of: peer)
        default: book.expire(now: now)
        }
        require(book.count <= limits.peers, "peers are counted")
        for peer in connected { require(book.security(of: peer) != nil, "who is connected is not forgotten") }
        for peer in [peer] + (input.isAtEnd ? peers : []) {
            let items = book.items(of: peer, now: now)
            let bytes = items.reduce(0) { $0 + $1.address.bytes.count }
            let (count, most) =
                connected.contains(peer)
                ? (limits.addressesPerPeer, limits.addressBytesPerPeer)
                : (limits.addressesPerDisconnectedPeer, limits.addressBytesPerDisconnectedPeer)
            require(items.count <= count && bytes <= most, "addresses are counted")
            require(book.protocols(of: peer)?.count ?? 0 <= limits.protocolsPerPeer, "protocols are counted")
            require(items.map(\.source) == items.map(\.source).sorted(by: >), "the most trusted come first")
            for item in items {
                let address = item.address
                require(address.peerIDBytes == nil && address.bytes.count <= limits.addressBytes, "\(address) is bare")
                require(!address.isUnspecified && address.tcpPort != 0, "\(address) is a place")
                require(address.ipAddress?.isMulticast != true, "\(address) is one place")
                require(!address.isLoopback || item.source > .hearsay, "\(address) is ours, on hearsay")
                require(item.blockedUntil <= now.advanced(by: limits.backoffMaximum), "nothing is blocked for ever")
            }
        }
    }
}

/// Where others see us: no few of them make us believe anything.
func fuzzObservedAddresses(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var observed = ObservedAddresses()
    let locals = ["/ip4/10.0.0.1/tcp/4001", "/ip6/2a00::5/tcp/4001", "/ip4/8.8.4.4/tcp/4001"].compactMap {
        Multiaddr($0)
    }
    let listening = ["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001"].compactMap { Multiaddr($0) }
    var said: [UInt64: (observed: Multiaddr, observer: Multiaddr)] = [:]
    while !input.isAtEnd {
        let choice = input.byte()
        let connection = UInt64(choice >> 3)
        if choice & 7 == 0 {
            observed.ended(connection)
            said[connection] = nil
        } else {
            let seen =
                choice & 1 == 0
                ? input.one(of: addresses) : (Multiaddr("/ip4/8.8.8.8/tcp/\(4000 + Int(choice & 7))") ?? locals[0])
            let remote = Multiaddr(ip: .v4(0x0909_0000 | UInt32(input.byte())), tcpPort: 1)
            observed.observed(seen, on: connection, local: input.one(of: locals), remote: remote, listening: listening)
            said[connection] = (seen, remote)
        }
    }
    // Each state is the last one of some input.
    let believed = observed.believed()
    require(believed.count <= locals.count * ObservedAddresses.maximumPerLocalAddress, "few are believed")
    for address in believed {
        let observers = Set(said.values.filter { $0.observed == address }.map(\.observer))
        require(observers.count >= ObservedAddresses.neededObservers, "\(address) is believed of \(observers)")
        require(address.ipAddress?.isPublic == true, "\(address) is of use elsewhere")
    }
    if observed.isEndpointDependent != nil {
        require(Set(said.values.map(\.observer)).count >= ObservedAddresses.neededObservers, "few have spoken")
    }
}

/// Whom to push our identity to, and whose pushes to take.
func fuzzIdentifyPush(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let delay = Duration.milliseconds(100)
    var schedule = IdentifyPushSchedule(delay: delay, concurrent: 2)
    var limits = IdentifyLimits()
    limits.pushBurst = 1 + Int(input.byte() & 7)
    var now = MonotonicInstant.zero
    var allowance = limits.pushAllowance
    var admitted = 0
    var pushing: Set<PeerID> = []
    var accepting: Set<PeerID> = []
    var changes = 0
    /// How many changes there had been when a peer was last told.
    var told: [PeerID: Int] = [:]
    func start(_ peers: [PeerID]) {
        for peer in peers {
            require(accepting.contains(peer) && pushing.insert(peer).inserted, "nobody is told twice at once")
            require(told[peer] ?? 0 < changes, "nobody is told the same again")
            told[peer] = changes
        }
        require(pushing.count <= 2, "few are told at once")
    }
    while !input.isAtEnd {
        let choice = input.byte()
        let peer = peers[Int(choice >> 5)]
        now = now.advanced(by: input.pause())
        switch choice & 7 {
        case 0:
            schedule.changed(now: now)
            changes += 1
            require(schedule.nextDeadline.map { $0 <= now.advanced(by: delay) } == true, "a change is told soon")
        case 1:
            schedule.peerKnowsPresentState(peer)
            told[peer] = changes
        case 2:
            schedule.peerAcceptsPushes(peer)
            accepting.insert(peer)
            // If it was told nothing yet, it is about to be.
            told[peer] = told[peer] ?? changes
        case 3:
            schedule.removed(peer)
            pushing.remove(peer)
            accepting.remove(peer)
            told[peer] = nil
        case 4:
            pushing.remove(peer)
            start(schedule.pushed(peer))
        case 5:
            if allowance.take(now: now) { admitted += 1 }
            let most = Int(now.nanoseconds / 1_000_000) / Int(limits.pushInterval / .milliseconds(1)) + limits.pushBurst
            require(admitted <= most, "pushes are counted")
        default: start(schedule.poll(now: now))
        }
    }
    // All are told in the end.
    now = now.advanced(by: delay)
    start(schedule.poll(now: now))
    while let peer = pushing.popFirst() { start(schedule.pushed(peer)) }
    require(accepting.allSatisfy { told[$0] == changes }, "everybody knows the present state in the end")
}
