import GoopCore
import Multiformats
import P2PCore
import PeerIdentity

@testable import GoopHTTP
@testable import GoopNode
@testable import GoopStore
@testable import P2PSwarm

/// The books of connections and streams: what is taken is counted, and what is given back is there again.
func fuzzLedger(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var limits = ResourceLimits()
    (limits.connections, limits.inboundConnections, limits.outboundConnections) = (6, 4, 4)
    (limits.connectionsPerPeer, limits.inboundConnectionsPerAddress, limits.inboundConnectionsPerPrefix) = (2, 2, 3)
    (limits.privateAddressFactor, limits.pendingInboundConnections, limits.pendingInboundPerAddress) = (2, 3, 1)
    (limits.streams, limits.inboundStreamsPerPeer, limits.outboundStreamsPerPeer) = (6, 3, 3)
    (limits.inboundStreamsPerConnection, limits.negotiatingStreamsPerPeer, limits.rateTableSize) = (2, 2, 2)
    var ledger = ResourceLedger(limits: limits)
    let places = addresses.compactMap(\.ipAddress)
    var now = MonotonicInstant.zero
    var connections: [(slot: ResourceLedger.ConnectionSlot, peer: PeerID?, isInbound: Bool)] = []
    var streams: [(slot: ResourceLedger.StreamSlot, peer: PeerID)] = []
    func refused(_ body: () throws(LimitExceeded) -> Void) {
        let before = (ledger.connectionCount, ledger.streamCount, ledger.pendingInbound)
        let refusals = ledger.refusals.values.reduce(0, +)
        do throws(LimitExceeded) { try body() } catch {
            require(
                (ledger.connectionCount, ledger.streamCount, ledger.pendingInbound) == before, "a refusal takes nothing"
            )
            let isCounted = ledger.refusals.values.reduce(0, +) == refusals + 1
            require(isCounted || error.limit == 0, "a refusal is counted")
        }
    }
    while !input.isAtEnd {
        let choice = input.byte()
        let place = Int(choice >> 4)
        now = now.advanced(by: input.pause() * 10)
        switch choice & 15 {
        case 0..<4:
            let address = choice & 0x80 == 0 ? input.one(of: places) : nil
            refused { () throws(LimitExceeded) in
                connections.append((try ledger.reserveInbound(from: address, now: now), nil, true))
            }
        case 4:
            refused { () throws(LimitExceeded) in
                connections.append((try ledger.reserveOutbound(to: input.one(of: places)), nil, false))
            }
        case 5, 6, 7:
            guard !connections.isEmpty else { continue }
            let index = place % connections.count
            let peer = input.one(of: peers)
            refused { () throws(LimitExceeded) in
                try ledger.bind(connections[index].slot, to: peer)
                connections[index].peer = connections[index].peer ?? peer
            }
        case 8, 9, 10:
            guard !connections.isEmpty, let peer = connections[place % connections.count].peer else { continue }
            let slot = connections[place % connections.count].slot
            refused { () throws(LimitExceeded) in
                streams.append(
                    (try ledger.reserveStream(on: slot, direction: choice & 1 == 0 ? .inbound : .outbound), peer))
            }
        case 11:
            guard !streams.isEmpty else { continue }
            refused { () throws(LimitExceeded) in
                try ledger.assign(streams[place % streams.count].slot, to: "/a", limit: .init(total: 2, perPeer: 1))
            }
        case 12, 13:
            guard !streams.isEmpty else { continue }
            let slot = streams.remove(at: place % streams.count).slot
            ledger.release(slot)
            if choice & 1 == 0 { ledger.release(slot) }
        default:
            guard !connections.isEmpty else { continue }
            let slot = connections.remove(at: place % connections.count).slot
            ledger.release(slot)
            if choice & 1 == 0 { ledger.release(slot) }
        }
        require(
            ledger.connectionCount == connections.count && ledger.streamCount == streams.count, "all are in the books")
        require(connections.count <= limits.connections && streams.count <= limits.streams, "all are counted")
        require(ledger.inboundConnections == connections.count { $0.isInbound }, "those of others are counted")
        require(
            ledger.pendingInbound == connections.count { $0.isInbound && $0.peer == nil }, "those that wait are counted"
        )
        require(ledger.pendingInbound <= limits.pendingInboundConnections, "few wait")
        for peer in peers {
            let own = streams.count { $0.peer == peer }
            require(ledger.streamCount(of: peer) == own, "streams of a peer are counted")
            require(connections.count { $0.peer == peer } <= limits.connectionsPerPeer, "nobody has too many")
        }
    }
    for stream in streams { ledger.release(stream.slot) }
    for connection in connections { ledger.release(connection.slot) }
    require(ledger.connectionCount == 0 && ledger.streamCount == 0 && ledger.pendingInbound == 0, "all is given back")
    // Nothing is counted that is not there: each limit is reached as in new books. Rates have recovered by then.
    now = now.advanced(by: .seconds(3600))
    var fresh = ResourceLedger(limits: limits)
    for address in places {
        for _ in 0..<3 {
            let old = try? ledger.reserveInbound(from: address, now: now)
            let new = try? fresh.reserveInbound(from: address, now: now)
            require((old == nil) == (new == nil), "\(address) is counted though it is gone")
            for peer in peers.prefix(2) {
                guard let old, let new else { continue }
                let isBound = (try? ledger.bind(old, to: peer)) != nil
                require(isBound == ((try? fresh.bind(new, to: peer)) != nil), "\(peer) is counted though it is gone")
                let stream = try? ledger.reserveStream(on: old, direction: .inbound)
                let twin = try? fresh.reserveStream(on: new, direction: .inbound)
                require((stream == nil) == (twin == nil), "streams of \(peer) are counted though they are gone")
                guard let stream, let twin else { continue }
                let isAssigned = (try? ledger.assign(stream, to: "/a", limit: .init(total: 2, perPeer: 1))) != nil
                let isTwin = (try? fresh.assign(twin, to: "/a", limit: .init(total: 2, perPeer: 1))) != nil
                require(isAssigned == isTwin, "a protocol is counted though nobody speaks it")
            }
        }
    }
}

/// The books of memory.
func fuzzByteShares(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let most = 1 << 16
    var shares = ByteShares(maximumBytes: most)
    var held: [(holder: ByteShares.Holder, peer: PeerID, bytes: Int)] = []
    let places = addresses.compactMap(\.ipAddress)
    while !input.isAtEnd {
        let choice = input.byte()
        switch choice & 7 {
        case 0, 1:
            let peer = input.one(of: peers)
            held.append((shares.enter(peer, at: choice & 8 == 0 ? input.one(of: places) : nil), peer, 0))
        case 2:
            guard !held.isEmpty else { continue }
            let holder = held.remove(at: Int(choice >> 3) % held.count).holder
            shares.leave(holder)
            shares.leave(holder)
            shares.release(1, of: holder)
            require(!shares.reserve(1, for: holder), "who has left has nothing")
        case 3:
            guard !held.isEmpty else { continue }
            let index = Int(choice >> 3) % held.count
            let amount = Int(input.uint16())
            shares.release(amount, of: held[index].holder)
            held[index].bytes -= min(amount, held[index].bytes)
        default:
            guard !held.isEmpty else { continue }
            let index = Int(choice >> 3) % held.count
            let amount = Int(input.uint16()) >> 4
            guard shares.reserve(amount, for: held[index].holder) else { continue }
            held[index].bytes += amount
            let own = held.filter { $0.peer == held[index].peer }.reduce(0) { $0 + $1.bytes }
            let others = held.reduce(0) { $0 + $1.bytes } - own
            require(own <= (most - others) / 8, "one peer has an eighth of what others leave")
        }
        require(shares.reservedBytes == held.reduce(0) { $0 + $1.bytes }, "all is in the books")
        require(shares.reservedBytes <= most, "all is bounded")
    }
    for entry in held { shares.leave(entry.holder) }
    require(shares.reservedBytes == 0 && shares.accountCount == 0, "all is given back")
}

/// Which connections go when there are too many.
func fuzzTrimming(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var configuration = ConnectionTrimming.Configuration()
    (configuration.lowWater, configuration.highWater) = (3, 5)
    (configuration.maximumTaggedPeers, configuration.maximumTagsPerPeer) = (4, 2)
    var trimming = ConnectionTrimming(configuration: configuration)
    let now = MonotonicInstant(nanoseconds: 1_000_000_000_000)
    var candidates: [ConnectionTrimming.Candidate<Int>] = []
    while !input.isAtEnd {
        let choice = input.byte()
        let peer = peers[Int(choice >> 5)]
        let name = ["a", "b", "c"][Int(choice >> 3 & 3) % 3]
        switch choice & 7 {
        case 0:
            trimming.tag(
                peer, name, value: Int(truncatingIfNeeded: UInt64(input.uint32()) << UInt64(input.byte() & 63)))
        case 1: trimming.untag(peer, name)
        case 2: trimming.protect(peer, reason: name)
        case 3: trimming.unprotect(peer, reason: name)
        default:
            candidates.append(
                .init(
                    id: candidates.count, peer: peer, opened: now.advanced(by: .seconds(-Int(input.byte()))),
                    streams: Int(choice >> 3 & 1), direction: choice & 0x10 == 0 ? .inbound : .outbound))
        }
    }
    let victims = trimming.victims(among: candidates, now: now).map { candidates[$0] }
    require(Set(victims.map(\.id)).count == victims.count, "each goes once")
    require(candidates.count - victims.count >= min(candidates.count, configuration.lowWater), "enough remain")
    require(candidates.count > configuration.highWater || victims.isEmpty, "nobody goes without need")
    for victim in victims {
        require(!trimming.isProtected(victim.peer), "the protected stay")
        require(victim.opened.advanced(by: configuration.grace) <= now, "the young stay")
    }
    let chosen = Set(victims.map(\.id))
    let spared = candidates.filter {
        !chosen.contains($0.id) && !trimming.isProtected($0.peer) && $0.opened.advanced(by: configuration.grace) <= now
    }
    let dearest = victims.map { trimming.worth(of: $0.peer) }.max() ?? .min
    require(spared.allSatisfy { trimming.worth(of: $0.peer) >= dearest }, "the least worth go")
}

private struct LookUp: NameLookUp {
    let number: Int
    let isWanted: Bool
}

/// Lines in which strangers stand: reads, writes and looked-up names. Everybody is served in their own order, and what was
/// taken in comes out.
func fuzzLines(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var reads = ReadLine<Int>(
        shares: .init(
            readers: 2, readersOfOwner: 1, readersPerVisitor: 1, waiting: Shares(total: 12, perPeer: 3, floor: 1),
            waitingOfOwner: 3))
    var writes = WriteLine<Int>(
        shares: .init(
            writes: Shares(total: 12, perPeer: 3, floor: 1), bytes: Shares(total: 1000, perPeer: 300, floor: 50),
            writesOfOwner: 3, bytesOfOwner: 300))
    var names = NameLookUpLines<LookUp>(maximumRunning: 2, maximumWaiting: 6)
    var running: [ShareHolder?] = []
    var waiting: [ShareHolder?: [Int]] = [:]
    var written: [ShareHolder?: [[Int]]] = [:]
    var costs: [Int: Int] = [:]
    var asked: [PeerID?: [Int]] = [:]
    var looking: [PeerID?] = []
    var pacing = ReadPacing(largestLimit: 256 * 1024)
    var number = 0
    func forget(_ skipped: [LookUp]) {
        for item in skipped {
            require(!item.isWanted, "what is wanted is looked up")
            for peer in asked.keys { asked[peer]?.removeAll { $0 == item.number } }
        }
    }
    while !input.isAtEnd {
        let choice = input.byte()
        let peer: PeerID? = choice >> 5 == 0 ? nil : peers[Int(choice >> 5)]
        // Two hosts with three keys each, and one key without an address.
        let address: IPAddress? = choice >> 5 == 7 ? nil : .v4(0x0a00_0000 + UInt32(choice >> 5 & 1))
        let holder = peer.map { ShareHolder($0, at: address) }
        number += 1
        switch choice & 7 {
        case 0, 1:
            switch reads.enter(number, of: holder) {
            case .run: running.append(holder)
            case .waits: waiting[holder, default: []].append(number)
            case .refused(let count):
                let all = waiting.reduce(0) { $0 + (($1.key == nil) == (holder == nil) ? $1.value.count : 0) }
                require(count == all && count >= 2, "only a full line refuses")
            }
        case 2:
            guard !running.isEmpty else { continue }
            let reader = running.remove(at: Int(input.byte()) % running.count)
            guard let (job, next) = reads.leave(reader) else { continue }
            require(waiting[next]?.first == job, "everybody is served in their own order")
            waiting[next]?.removeFirst()
            running.append(next)
        case 3:
            let cost = Int(input.byte())
            let isHeavy = choice & 8 != 0
            if let count = writes.enter(number, of: holder, cost: cost, isHeavy: isHeavy) {
                require(count <= writes.count, "only what waits is in the way")
            } else {
                costs[number] = cost
                written[holder, default: [[], []]][isHeavy ? 1 : 0].append(number)
            }
        case 4:
            let isFirst = choice & 8 == 0
            let first = isFirst ? writes.first() : nil
            guard let write = isFirst ? first?.write : writes.another() else {
                require(!isFirst || costs.isEmpty, "what waits is written")
                continue
            }
            let line = first?.isHeavy == true ? 1 : 0
            let found = written.first { $0.value[line].first == write }
            require(found != nil, "everybody writes in their own order")
            if let found { written[found.key]?[line].removeFirst() }
            costs[write] = nil
        case 5:
            let (isQueued, skipped) = names.add(LookUp(number: number, isWanted: choice & 0x18 != 0), of: peer)
            forget(skipped)
            if isQueued { asked[peer, default: []].append(number) }
            require(isQueued || names.count == 6, "only a full line refuses")
        case 6:
            let (next, skipped) = names.takeNext()
            forget(skipped)
            guard let next else { continue }
            require(
                next.lookUp.isWanted && asked[next.peer]?.first == next.lookUp.number,
                "names are looked up in their order")
            require(!looking.contains(next.peer), "one at a time for each")
            asked[next.peer]?.removeFirst()
            looking.append(next.peer)
        default:
            if !looking.isEmpty { names.ended(of: looking.remove(at: Int(input.byte()) % looking.count)) }
            let before = pacing.limit
            require(
                pacing.turnEnded(frames: UInt64(input.uint32()) >> 12) == (pacing.limit != before), "a change is told")
            require((ReadPacing.smallestLimit...256 * 1024).contains(pacing.limit), "a read is bounded")
        }
        require(reads.running == running.count && running.count <= 3, "readers are counted")
        let visitors = running.count { $0 != nil }
        require(visitors <= 2 && running.count - visitors <= 1, "visitors and the owner have readers of their own")
        require(Set(running.compactMap(\.self)).count == visitors, "nobody has them all")
        require(reads.waiting == waiting.values.reduce(0) { $0 + $1.count } && reads.waiting <= 15, "lines are counted")
        let mayRun = waiting.contains { line in
            guard !line.value.isEmpty else { return false }
            return line.key == nil ? running.count == visitors : visitors < 2 && !running.contains(line.key)
        }
        require(!mayRun, "nobody waits for a free reader")
        require(writes.count == costs.count && writes.count <= 15, "writes are counted")
        require(costs.values.reduce(0, +) <= 1300, "their bytes are")
        require(names.count == asked.values.reduce(0) { $0 + $1.count } && names.count <= 6, "names are counted")
        require(looking.count <= 2, "few are looked up at once")
    }
}

/// Strangers that are dialled: beside the line a plain list, the first of which is next.
func fuzzStrangers(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var line = StrangerLine()
    var waiting: [(peer: PeerID, host: IPAddress?)] = []
    var running: [(peer: PeerID, host: IPAddress?)] = []
    while !input.isAtEnd {
        let choice = input.byte()
        guard let peer = try? PeerID(multihash: [0x00, 0x02, choice >> 2, input.byte()]) else { return }
        let host: IPAddress? =
            switch choice >> 6 {
            case 0, 1: .v4(UInt32(choice >> 4 & 7))
            case 2: nil
            default: .v6(high: 0xfd00_0000_0000_0000, low: UInt64(choice >> 4 & 3))
            }
        switch choice & 3 {
        case 0, 1:
            let isRunning = running.contains { $0.peer == peer }
            let isWaiting = waiting.contains { $0.peer == peer }
            if choice & 3 == 0 {
                line.heard(peer, at: host)
                guard !isRunning else { continue }
                waiting.removeAll { $0.peer == peer }
                waiting.insert((peer, host), at: 0)
                if waiting.count > StrangerLine.maximumWaiting { waiting.removeLast() }
            } else {
                line.again(peer, at: host)
                if !isRunning, !isWaiting, waiting.count < StrangerLine.maximumWaiting { waiting.append((peer, host)) }
            }
        case 2:
            let hasRoom = running.count < StrangerLine.maximumRunning
            let index = waiting.firstIndex { entry in
                let isRoom = running.count { $0.host == entry.host } < StrangerLine.maximumRunningPerHost
                guard isRoom, entry.host?.isIPv6 == true else { return isRoom }
                return running.count { $0.host?.isIPv6 == true } < StrangerLine.maximumRunningPerNetwork
            }
            let next = line.next()
            require(next?.peer == (hasRoom ? index.map { waiting[$0].peer } : nil), "the first that may is next")
            guard let next, let index else { continue }
            running.append(waiting.remove(at: index))
            require(next.isShort == (waiting.count >= StrangerLine.maximumRunning), "it is short while many wait")
        default:
            guard !running.isEmpty else { continue }
            line.ended(running.remove(at: Int(choice >> 2) % running.count).peer)
        }
        require(line.count == waiting.count, "those that wait are counted")
    }
}

/// Who may try the password of an outer door, and how often.
func fuzzLoginThrottle(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var limits = LoginThrottle.Limits()
    (limits.addresses, limits.known) = (4, 2)
    let start = ContinuousClock.now
    var now = start
    var throttle = LoginThrottle(limits: limits, now: now)
    let places = addresses.compactMap(\.ipAddress)
    var tries = 0
    var known: Set<IPAddress> = []
    while !input.isAtEnd {
        let choice = input.byte()
        now += input.pause() * 20
        let place: IPAddress? = choice & 0x80 == 0 ? input.one(of: places) : nil
        guard choice & 15 != 0 else {
            throttle.succeeded(from: place)
            known.insert((place ?? .v4(0)).holder)
            continue
        }
        guard let wait = throttle.attempt(from: place, now: now) else {
            if !known.contains((place ?? .v4(0)).holder) { tries += 1 }
            continue
        }
        require(wait > .zero && wait <= limits.each.interval, "who waits is told how long")
        // Nobody else tries meanwhile: then the wait is enough, once each for the own tries, those of the local network and
        // those of all.
        guard choice & 0x10 != 0 else { continue }
        var isAdmitted = false
        for _ in 0..<3 where !isAdmitted {
            guard let wait = throttle.attempt(from: place, now: now) else {
                isAdmitted = true
                break
            }
            now += wait + .milliseconds(1)
        }
        isAdmitted = isAdmitted || throttle.attempt(from: place, now: now) == nil
        require(isAdmitted, "who has waited may try")
        if !known.contains((place ?? .v4(0)).holder) { tries += 1 }
    }
    let most = Double(limits.all.burst) + (now - start) / limits.all.interval + 1
    require(Double(tries) <= most, "many addresses try no oftener")
}

/// Places of a site: what is taken is in the books until it is given back, and nobody gets more than there is.
func fuzzShares(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let (total, perPeer, floor) = (Int(input.uint16()), Int(input.uint16()), Int(input.byte()))
    var shares = Shares(total: total, perPeer: perPeer, floor: floor)
    let places = addresses.compactMap(\.ipAddress)
    var held: [ShareHolder: Int] = [:]
    while !input.isAtEnd {
        let choice = input.byte()
        let holder = ShareHolder(input.one(of: peers), at: choice & 4 == 0 ? input.one(of: places) : nil)
        let amount = choice & 8 == 0 ? 1 : Int(input.uint16())
        if choice & 3 == 0 {
            shares.giveBack(amount, of: holder)
            held[holder, default: 0] -= min(amount, held[holder, default: 0])
        } else if shares.take(amount, for: holder) {
            held[holder, default: 0] += amount
            require(amount == 0 || held[holder, default: 0] <= max(perPeer, 0), "a peer has a bound")
        } else {
            require(amount > 0, "who asks for nothing gets it")
        }
        require(shares.held(by: holder) == held[holder, default: 0], "what was taken is in the books")
        require(shares.held == held.values.reduce(0, +) && shares.held <= total, "all have no more than there is")
    }
    for (holder, amount) in held { shares.giveBack(amount, of: holder) }
    require(shares.held == 0, "all of it comes back")
    guard let first = peers.first, total >= 8, perPeer > 0 else { return }
    require(shares.take(for: ShareHolder(first, at: nil)), "then there is a place")
}
