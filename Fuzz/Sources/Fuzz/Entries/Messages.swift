import Multiformats
import P2PCore
import PeerIdentity

/// An answer of identify: whatever is made of it, is made of it in pieces too.
func fuzzIdentify(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let (whole, pieces) = input.message()
    func read(_ pieces: [ArraySlice<UInt8>]) -> Result<IdentifyInfo, IdentifyError> {
        Result { () throws(IdentifyError) in
            var reader = IdentifyReader()
            for piece in pieces { try reader.received(piece) }
            return try reader.finish(peer: peers[0], remote: nil)
        }
    }
    let outcome = read([whole[...]])
    require(read(pieces) == outcome, "an answer in pieces says the same")
    guard case .success(let info) = outcome else { return }
    require(info.protocols.count <= IdentifyLimits().protocols, "protocols are bounded")
    require(info.listenAddresses.count <= IdentifyLimits().addresses, "addresses are bounded")
    require(info.agentVersion.utf8.count <= IdentifyLimits().versionBytes, "versions are bounded")
    require(info.signedRecord == nil || info.signedRecord?.peer == peers[0], "a record of another peer")
}

func fuzzGossipRPC(_ bytes: [UInt8]) {
    guard let rpc = try? GossipRPC(decoding: bytes[...]) else { return }
    guard let again = try? GossipRPC(decoding: rpc.encode()[...]) else {
        fatalError("broken law: what we encode can be read")
    }
    require(again.subscriptions == rpc.subscriptions, "subscriptions read back")
    require(again.messages.map(Array.init) == rpc.messages.map(Array.init), "messages read back")
    require(again.graft == rpc.graft && again.prune == rpc.prune, "grafts and prunes read back")
    for message in rpc.messages {
        if let message = try? GossipMessage(encoded: message) { _ = message.verify() }
    }
}

func fuzzGossip(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var now = MonotonicInstant.zero
    var router = GossipSub(localPeer: peers[0], random: FixedGenerator(), now: now)
    for (index, peer) in peers[1...3].enumerated() {
        _ = router.outboundOpened(
            to: peer, version: index == 0 ? .v1_1 : .v1_2, isOutbound: index == 0, address: nil, now: now)
    }
    _ = try? router.join("a", now: now)
    _ = try? router.join("b", validates: true, now: now)
    while !input.isAtEnd {
        let operation = input.byte()
        let peer = peers[1 + Int(operation >> 4) % 3]
        var actions: [GossipSubAction] = []
        switch operation & 0x0f {
        case 0..<9: actions = router.received(input.longPiece(), from: peer, now: now)
        case 9: actions = router.wrote(to: peer, now: now)
        case 10: actions = router.disconnected(peer, now: now)
        case 11:
            actions = router.outboundOpened(to: peer, version: .v1_2, isOutbound: false, address: nil, now: now)
        case 12: actions = router.leave("a", now: now)
        case 13: actions = (try? router.join("a", now: now)) ?? []
        case 14: actions = router.frameBegun(Int(input.uint16()), from: peer, now: now)
        default:
            now = now.advanced(by: .milliseconds(Int(input.uint16())))
            actions = router.timerFired(now: now)
        }
        for action in actions {
            switch action {
            case .verify(let ticket, _):
                for action in router.verified(ticket, operation & 1 == 0 ? .valid : .invalid, now: now) {
                    guard case .validate(let ticket, _, _) = action else { continue }
                    _ = router.validated(ticket, operation & 2 == 0 ? .accept : .reject, now: now)
                }
            case .send(_, let frame): require(frame.count <= GossipSubLimits().maximumFrameBytes + 9, "a frame fits")
            default: continue
            }
        }
    }
    let limits = GossipSubLimits()
    require(router.pendingMessages <= limits.maximumPendingMessages, "pending messages are bounded")
    require((0...limits.maximumQueuedBytesOfAll).contains(router.queuedBytes), "what waits is bounded")
    require((0...limits.maximumPartialFrameBytes).contains(router.partialFrameBytes), "begun frames are bounded")
}

func fuzzDNS(_ bytes: [UInt8]) {
    if let list = (try? Multiaddr(text: "/dnsaddr/a.example")).flatMap(NamedAddress.init) {
        let found = list.addresses(in: NamedAddress.texts(in: bytes), of: peers.first)
        require(found.count <= NamedAddress.maximumAddresses, "few addresses are taken of one list")
        require(found.allSatisfy { $0.peerIDBytes != peers.first?.bytes }, "they are the wanted peer's, without its id")
    }
    guard let message = try? DNSMessage(bytes: bytes) else { return }
    let encoded = message.encoded(maximumLength: 60_000)
    // Names and types of other classes may be left out when writing, but what is written can be read.
    require(
        (try? DNSMessage(bytes: encoded)) != nil || encoded.count > DNSMessage.maximumLength, "what we write is read")
}

func fuzzMDNS(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var now = MonotonicInstant.zero
    guard var machine = try? MDNSMachine(serviceName: "_p2p._udp.local", peer: peers[0], randomness: FixedGenerator()),
        let here = IPAddress("192.168.1.2"), let there = IPAddress("192.168.1.9"),
        let listening = try? Multiaddr(text: "/ip4/192.168.1.2/tcp/4001")
    else { fatalError("the fixed parts are right") }
    let interface = NetworkInterface(
        index: 2, name: "eth0", isLoopback: false, addresses: [InterfaceAddress(here, prefixLength: 24)])
    _ = machine.start(interfaces: [interface], listening: [listening], now: now)
    let link = MDNSLink(interface: 2, family: MDNSLink.links(of: interface).first?.family ?? .v4)
    while !input.isAtEnd {
        if input.byte() & 3 == 0 {
            now = now.advanced(by: .milliseconds(Int(input.uint16())))
            _ = machine.timerFired(now: now)
        }
        let packet = Array(input.longPiece())
        for action in machine.received(packet, on: link, from: MDNSEndpoint(there, port: 5353), now: now) {
            switch action {
            case .multicast(let bytes, _), .unicast(let bytes, _, _):
                require((try? DNSMessage(bytes: bytes)) != nil, "what we send can be read")
            case .discovered(let discovery): require(discovery.peer != peers[0], "we do not discover ourselves")
            default: continue
            }
        }
    }
}
