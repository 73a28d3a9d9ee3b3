package import Multiformats
package import PeerIdentity

/// Finds the peers of one service name on the local links, and is found by them: Multicast DNS without I/O.
///
/// The owner feeds packets, the interfaces that are up, the listen addresses and the time, and carries out the actions.
/// On each link (an IP version on an interface) the machine asks and announces at once, announces once more after 1 s,
/// and asks again after 1 s, after 4 s more, and then at intervals that grow 1.5 to 2.5 times up to 60 s. Any change of
/// our addresses on an interface is announced in the same way.
///
/// Deviations from RFC 6762, each for the purpose that peers see one another in a fraction of a second:
/// - section 6: a shared answer waits 0 to 20 ms, not 20 to 120; answers on a link are held to a burst of eight and then
///   four a second, not to one a second, so a newcomer is answered at once;
/// - section 5.2 and 5.4: the first question waits no longer than that either, and does not ask for unicast: with port
///   5353 shared, a unicast answer may reach another process;
/// - section 8: names are 32 random characters, so they are not probed for;
/// - section 7.2: known answers announced in further packets are not waited for; the price is an answer too many.
/// A question carries our own pointer as a known answer: our own question, heard back, so answers itself.
///
/// Source: RFC 6762, RFC 6763; libp2p mDNS discovery specification, revision r2.
package struct MDNSMachine<Randomness: RandomNumberGenerator & Sendable>: Sendable {
    /// The UDP port of Multicast DNS.
    package static var port: UInt16 { 5353 }
    /// Longest packet sent, in bytes.
    package static var maximumPacketLength: Int { 1_400 }
    /// Most interfaces served; further ones are left out, those with the lowest numbers first served.
    package static var maximumInterfaces: Int { 32 }

    private enum Phase { case idle, running, stopped }

    private struct LinkState {
        let link: MDNSLink
        var questionAt: MonotonicInstant
        var questionsAsked = 0
        var questionInterval = Duration.seconds(1)
        var announcementsAt: [MonotonicInstant] = []
        var answers: MDNSAnswers = []
        var answerAt: MonotonicInstant?
        var answeredAt: MonotonicInstant?
        var multicastBudget = TokenBucket(capacity: 8, every: .milliseconds(250))
        var unicastBudget = TokenBucket(capacity: 20, every: .milliseconds(100))

        init(_ link: MDNSLink, questionAt: MonotonicInstant) {
            self.link = link
            self.questionAt = questionAt
        }

        var nextDeadline: MonotonicInstant {
            var next = questionAt
            if let first = announcementsAt.first { next = min(next, first) }
            if let answerAt { next = min(next, answerAt) }
            return next
        }
    }

    private struct InterfaceState {
        var interface: NetworkInterface
        var advertisement: MDNSAdvertisement?
        var links: [LinkState]
    }

    package let peer: PeerID
    let names: MDNSNames
    private var randomness: Randomness
    private var phase = Phase.idle
    private var listening: [Multiaddr] = []
    /// In the order of their numbers.
    private var interfaces: [InterfaceState] = []
    private(set) var cache = MDNSCache()
    private var sources = MDNSSourceLimiter.packets
    private var namesakeBudget = TokenBucket(capacity: 1, every: .seconds(1))
    package private(set) var counts = MDNSCounts()

    /// - Parameter serviceName: one or more labels without `local`, for example `_p2p._udp` or `goop-mdns`.
    /// - Throws: `DNSError.badName` if the name does not fit into the DNS with a label of 32 bytes in front of it.
    package init(serviceName: String, peer: PeerID, randomness: Randomness) throws(DNSError) {
        self.peer = peer
        self.randomness = randomness
        self.names = try MDNSNames(serviceName: serviceName, using: &self.randomness)
    }

    /// The peers that were heard and not lost since.
    package var knownPeers: Set<PeerID> { cache.peers }

    /// The links that packets may be sent on and are accepted from.
    package var links: [MDNSLink] { interfaces.flatMap { $0.links.map(\.link) } }

    /// When `timerFired` is wanted next; nil while nothing is due.
    package var nextDeadline: MonotonicInstant? {
        guard phase == .running else { return nil }
        var next = cache.nextExpiry
        for state in interfaces {
            for link in state.links { next = min(next ?? link.nextDeadline, link.nextDeadline) }
        }
        return next
    }

    // MARK: - Local events

    /// Begins; once only, later calls do nothing.
    package mutating func start(
        interfaces: [NetworkInterface], unusable: Set<MDNSLink> = [], listening: [Multiaddr], now: MonotonicInstant
    ) -> [MDNSAction] {
        guard phase == .idle else { return [] }
        phase = .running
        self.listening = listening
        return interfacesChanged(interfaces, unusable: unusable, now: now)
    }

    /// Takes the interfaces that are up now, all of them, and the links of theirs for which there is no socket.
    package mutating func interfacesChanged(
        _ current: [NetworkInterface], unusable: Set<MDNSLink> = [], now: MonotonicInstant
    ) -> [MDNSAction] {
        guard phase == .running else { return [] }
        var actions: [MDNSAction] = []
        let current = current.sorted { $0.index < $1.index }.prefix(Self.maximumInterfaces)
        var before: [UInt32: InterfaceState] = [:]
        for state in interfaces { before[state.interface.index] = state }
        interfaces = []
        for interface in current where interfaces.last?.interface.index != interface.index {
            var state =
                before.removeValue(forKey: interface.index)
                ?? InterfaceState(interface: interface, advertisement: nil, links: [])
            state.interface = interface
            var links: [LinkState] = []
            for link in MDNSLink.links(of: interface) where !unusable.contains(link) {
                if let old = state.links.first(where: { $0.link == link }) {
                    links.append(old)
                } else {
                    var new = LinkState(link, questionAt: now.advanced(by: shortWait()))
                    if state.advertisement != nil { announceSoon(&new, now: now) }
                    links.append(new)
                }
            }
            state.links = links
            refreshAdvertisement(&state, now: now, into: &actions)
            interfaces.append(state)
        }
        for gone in before.keys.sorted() { actions += cache.remove(interface: gone) }
        fireDue(now: now, into: &actions)
        return actions
    }

    /// Takes the addresses the node listens on now; wildcards stand for the addresses of each interface.
    package mutating func listeningChanged(_ addresses: [Multiaddr], now: MonotonicInstant) -> [MDNSAction] {
        listening = addresses
        guard phase == .running else { return [] }
        var actions: [MDNSAction] = []
        for index in interfaces.indices {
            var state = interfaces[index]
            refreshAdvertisement(&state, now: now, into: &actions)
            interfaces[index] = state
        }
        fireDue(now: now, into: &actions)
        return actions
    }

    /// Carries out what is due, in any case a harmless call.
    package mutating func timerFired(now: MonotonicInstant) -> [MDNSAction] {
        guard phase == .running else { return [] }
        var actions = cache.expire(now: now)
        fireDue(now: now, into: &actions)
        return actions
    }

    /// Says goodbye on every link and ends; nothing is due afterwards and every event is ignored.
    package mutating func stop(now: MonotonicInstant) -> [MDNSAction] {
        guard phase == .running else {
            phase = .stopped
            return []
        }
        phase = .stopped
        var actions: [MDNSAction] = []
        for state in interfaces { sayGoodbye(state, into: &actions) }
        interfaces = []
        return actions
    }

    private mutating func refreshAdvertisement(
        _ state: inout InterfaceState, now: MonotonicInstant, into actions: inout [MDNSAction]
    ) {
        let fresh = MDNSAdvertisement(listening: listening, on: state.interface, peer: peer)
        guard fresh != state.advertisement else { return }
        if fresh == nil { sayGoodbye(state, into: &actions) }
        state.advertisement = fresh
        for index in state.links.indices { announceSoon(&state.links[index], now: now) }
    }

    private mutating func announceSoon(_ link: inout LinkState, now: MonotonicInstant) {
        let first = now.advanced(by: shortWait())
        link.announcementsAt = [first, first.advanced(by: .seconds(1))]
    }

    /// Enough to keep the hosts of a link apart after an event they all saw, and too little to be noticed.
    private mutating func shortWait() -> Duration {
        .nanoseconds(Int64.random(in: 0...20_000_000, using: &randomness))
    }

    private func sayGoodbye(_ state: InterfaceState, into actions: inout [MDNSAction]) {
        guard let advertisement = state.advertisement else { return }
        let message = response(MDNSAnswers.everything, advertisement, flush: true, timeToLiveLimit: 0)
        for link in state.links { send(message, on: link.link, into: &actions) }
    }

    // MARK: - Time

    private mutating func fireDue(now: MonotonicInstant, into actions: inout [MDNSAction]) {
        for at in interfaces.indices {
            for index in interfaces[at].links.indices {
                var link = interfaces[at].links[index]
                guard link.nextDeadline <= now else { continue }
                fireDue(&link, of: interfaces[at], now: now, into: &actions)
                interfaces[at].links[index] = link
            }
        }
    }

    private mutating func fireDue(
        _ link: inout LinkState, of state: InterfaceState, now: MonotonicInstant, into actions: inout [MDNSAction]
    ) {
        if link.questionAt <= now {
            send(question(for: state, now: now), on: link.link, into: &actions)
            link.questionsAsked += 1
            switch link.questionsAsked {
            case 1: link.questionInterval = .seconds(1)
            case 2: link.questionInterval = .seconds(4)
            default:
                let grown = link.questionInterval * Double.random(in: 1.5...2.5, using: &randomness)
                link.questionInterval = min(grown, .seconds(60))
            }
            link.questionAt = now.advanced(by: link.questionInterval)
        }
        if link.announcementsAt.contains(where: { $0 <= now }) {
            // Both at once, should the clock have leapt: one packet says it all.
            link.announcementsAt.removeAll { $0 <= now }
            if let advertisement = state.advertisement {
                send(
                    response(.everything, advertisement, flush: true, announcing: true), on: link.link, into: &actions)
                link.answeredAt = now
            }
        }
        if let due = link.answerAt, due <= now {
            if let advertisement = state.advertisement {
                guard link.multicastBudget.take(now: now) else {
                    link.answerAt = max(link.multicastBudget.nextAvailable, now.advanced(by: .milliseconds(1)))
                    return
                }
                send(response(link.answers, advertisement, flush: true), on: link.link, into: &actions)
                if link.answers.contains(.pointer) { link.answeredAt = now }
            }
            link.answers = []
            link.answerAt = nil
        }
    }

    private func question(for state: InterfaceState, now: MonotonicInstant) -> DNSMessage {
        var known: [DNSRecord] = []
        if let advertisement = state.advertisement { known.append(advertisement.pointer(names)) }
        for (instance, seconds) in cache.knownAnswers(on: state.interface.index, limit: 24, now: now) {
            known.append(DNSRecord(names.service, .ptr(instance), timeToLive: seconds))
        }
        return DNSMessage(
            isResponse: false, questions: [DNSQuestion(names.service, type: DNSType.ptr)], answers: known)
    }

    private func send(_ message: DNSMessage, on link: MDNSLink, into actions: inout [MDNSAction]) {
        actions.append(.multicast(message.encoded(maximumLength: Self.maximumPacketLength), on: link))
    }

    // MARK: - Packets

    /// Takes a packet that arrived on `link`.
    package mutating func received(
        _ bytes: [UInt8], on link: MDNSLink, from source: MDNSEndpoint, now: MonotonicInstant
    ) -> [MDNSAction] {
        guard phase == .running else { return [] }
        counts.received &+= 1
        guard source.port != 0, let at = interfaces.firstIndex(where: { $0.interface.index == link.interface }),
            let index = interfaces[at].links.firstIndex(where: { $0.link == link }),
            isLocal(source.address, to: interfaces[at].interface)
        else {
            counts.offLink &+= 1
            return []
        }
        guard sources.admit(source.address, now: now) else {
            counts.limited &+= 1
            return []
        }
        let message: DNSMessage
        do throws(DNSError) {
            message = try DNSMessage(bytes: bytes)
        } catch {
            // Counted, and otherwise no news to anyone: whoever sent it is unknown.
            counts.malformed &+= 1
            return []
        }
        // Messages with another opcode or a response code are ignored (RFC 6762 sections 18.3 and 18.11).
        guard message.operationCode == 0, message.responseCode == 0 else { return [] }
        var actions: [MDNSAction] = []
        if message.isResponse {
            // RFC 6762 section 6: a response from another port is not Multicast DNS.
            guard source.port == Self.port else { return [] }
            counts.responses &+= 1
            heardResponse(message, on: interfaces[at].interface, from: source.address, now: now, into: &actions)
        } else {
            counts.queries &+= 1
            heardQuery(message, at: at, index: index, from: source, now: now, into: &actions)
        }
        fireDue(now: now, into: &actions)
        return actions
    }

    /// Whether a packet from `source` can have come from a host of the link (RFC 6762 section 11).
    private func isLocal(_ source: IPAddress, to interface: NetworkInterface) -> Bool {
        if interface.isLoopback { return source.isLoopback || interfaces.contains { $0.interface.owns(source) } }
        guard !source.isLoopback, !source.isMulticast, !source.isUnspecified else { return false }
        return source.isLinkLocal || interface.isOnLink(source)
    }

    private mutating func heardQuery(
        _ query: DNSMessage, at: Int, index: Int, from source: MDNSEndpoint, now: MonotonicInstant,
        into actions: inout [MDNSAction]
    ) {
        guard let advertisement = interfaces[at].advertisement else { return }
        let isLegacy = source.port != Self.port
        var multicast: MDNSAnswers = []
        var unicast: MDNSAnswers = []
        for question in query.questions {
            let asked = MDNSAnswers(to: question, names: names)
            if isLegacy || question.wantsUnicast { unicast.formUnion(asked) } else { multicast.formUnion(asked) }
        }
        if query.answers.contains(where: isOurPointer) {
            multicast.remove(.pointer)
            unicast.remove(.pointer)
        }
        let link = interfaces[at].links[index].link
        if !unicast.isEmpty, interfaces[at].links[index].unicastBudget.take(now: now) {
            var message = response(
                unicast, advertisement, flush: !isLegacy, timeToLiveLimit: isLegacy ? 10 : .max)
            if isLegacy {
                // RFC 6762 section 6.7: a plain resolver wants its identifier and question back.
                message.identifier = query.identifier
                let ours = query.questions.filter { !MDNSAnswers(to: $0, names: names).isEmpty }
                message.questions = Array(ours.prefix(4))
            }
            actions.append(
                .unicast(message.encoded(maximumLength: Self.maximumPacketLength), on: link, to: source))
            // RFC 6762 section 5.4: others' caches are refreshed if they have not heard the records for a while.
            let quarter = Duration.seconds(Int64(MDNSAdvertisement.timeToLive / 4))
            let answeredAt = interfaces[at].links[index].answeredAt
            if !isLegacy, answeredAt.map({ $0.advanced(by: quarter) <= now }) ?? true { multicast.formUnion(unicast) }
        }
        guard !multicast.isEmpty else { return }
        let isShared = multicast.contains(.pointer) || multicast.contains(.enumeration)
        var due = isShared ? now.advanced(by: shortWait()) : now
        due = max(due, interfaces[at].links[index].multicastBudget.nextAvailable)
        interfaces[at].links[index].answers.formUnion(multicast)
        interfaces[at].links[index].answerAt = min(interfaces[at].links[index].answerAt ?? due, due)
    }

    /// Whether a known answer makes ours superfluous: our pointer, with at least half of its life left.
    private func isOurPointer(_ record: DNSRecord) -> Bool {
        record.name == names.service && record.data == .ptr(names.instance)
            && record.timeToLive >= MDNSAdvertisement.timeToLive / 2
    }

    private func response(
        _ answers: MDNSAnswers, _ advertisement: MDNSAdvertisement, flush: Bool, announcing: Bool = false,
        timeToLiveLimit limit: UInt32 = .max
    ) -> DNSMessage {
        let pointer = [advertisement.pointer(names, limit: limit)]
        let text = [advertisement.text(names, flush: flush, limit: limit)]
        let server = [advertisement.server(names, flush: flush, limit: limit)]
        let host = advertisement.host(names, flush: flush, limit: limit)
        // An announcement or a goodbye has all of its records as answers; an answer adds what will be asked next.
        if announcing || limit == 0 { return DNSMessage(isResponse: true, answers: pointer + text + server + host) }

        var message = DNSMessage(isResponse: true)
        var following: MDNSAnswers = []
        if answers.contains(.pointer) {
            message.answers += pointer
            following.formUnion([.text, .server, .host])
        }
        if answers.contains(.enumeration) {
            message.answers.append(
                DNSRecord(names.enumeration, .ptr(names.service), timeToLive: min(MDNSAdvertisement.timeToLive, limit)))
        }
        if answers.contains(.text) { message.answers += text }
        if answers.contains(.server) {
            message.answers += server
            following.formUnion(.host)
        }
        if answers.contains(.host) { message.answers += host }
        following.subtract(answers)
        if following.contains(.text) { message.additionals += text }
        if following.contains(.server) { message.additionals += server }
        if following.contains(.host) { message.additionals += host }
        return message
    }

    private mutating func heardResponse(
        _ response: DNSMessage, on interface: NetworkInterface, from source: IPAddress, now: MonotonicInstant,
        into actions: inout [MDNSAction]
    ) {
        let reader = MDNSClaimReader(interface: interface, source: source)
        for record in response.answers + response.additionals where record.recordClass == DNSClass.internet {
            switch record.data {
            case .ptr(let instance) where record.timeToLive == 0 && record.name == names.service:
                cache.goodbye(.init(interface: interface.index, source: source, instance: instance), now: now)
            case .txt(let strings) where record.name != names.instance && record.name.isChild(of: names.service):
                let key = MDNSCache.Key(interface: interface.index, source: source, instance: record.name)
                if record.timeToLive == 0 {
                    cache.goodbye(key, now: now)
                } else if let claim = reader.read(strings) {
                    // Our own id under another name is another process with our identity: not a peer.
                    guard claim.peer != peer else {
                        if namesakeBudget.take(now: now) { actions.append(.namesake(claim.addresses)) }
                        continue
                    }
                    actions += cache.record(
                        key, peer: claim.peer, addresses: claim.addresses, timeToLive: record.timeToLive, now: now)
                } else {
                    counts.refusedClaims &+= 1
                }
            default:
                break
            }
        }
    }
}
