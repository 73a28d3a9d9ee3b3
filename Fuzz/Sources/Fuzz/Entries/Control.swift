import GoopCore
import Multiformats
import P2PCore
import PeerIdentity

@testable import GoopNode
@testable import P2PDaemon

/// A control connection of p2pd's protocol: its frames, the requests in them, and where it is asked to connect.
func fuzzDaemonControl(_ bytes: [UInt8]) {
    if let request = try? P2PDaemon.ControlRequest(protobuf: bytes[...]) { check(request) }
    var input = FuzzInput(bytes)
    let limit = 4 * Int(input.byte())
    let (whole, pieces) = input.message()
    func cut(_ pieces: [ArraySlice<UInt8>]) -> (frames: [[UInt8]], error: FrameError?, left: [UInt8]) {
        var decoder = FrameDecoder(limit: limit)
        var frames: [[UInt8]] = []
        do throws(FrameError) {
            for piece in pieces {
                decoder.append(piece)
                while let frame = try decoder.next() { frames.append(Array(frame)) }
            }
        } catch {
            do throws(FrameError) {
                _ = try decoder.next()
                require(false, "nothing follows what is no frame")
            } catch let again {
                require(again == error, "what is no frame does not become one")
            }
            return (frames, error, [])
        }
        return (frames, nil, Array(decoder.takeRemaining()))
    }
    let outcome = cut([whole[...]])
    let again = cut(pieces)
    require(again == outcome, "pieces make the same frames")
    let framed = outcome.frames.flatMap { FrameDecoder.frame($0) }
    require(whole.starts(with: framed + outcome.left), "the frames make up what came")
    require(outcome.error != nil || framed.count + outcome.left.count == whole.count, "no byte is lost")
    require(outcome.frames.allSatisfy { $0.count <= limit }, "frames are bounded")
    for frame in outcome.frames {
        if let request = try? P2PDaemon.ControlRequest(protobuf: frame[...]) { check(request) }
    }
}

private func check(_ request: P2PDaemon.ControlRequest) {
    let again = try? P2PDaemon.ControlRequest(protobuf: protobuf(of: request)[...])
    require(again == request, "\(request) reads back")
    switch request {
    case .connect(_, let addresses, let timeout):
        require(addresses.count <= P2PDaemon.ControlRequest.maximumAddresses, "addresses are counted")
        require(
            timeout.map { $0 > .zero && $0 <= P2PDaemon.ControlRequest.maximumTimeout } ?? true, "times are bounded")
    case .openStream(_, let protocols, let timeout):
        require((1...P2PDaemon.ControlRequest.maximumProtocols).contains(protocols.count), "protocols are counted")
        require(
            timeout.map { $0 > .zero && $0 <= P2PDaemon.ControlRequest.maximumTimeout } ?? true, "times are bounded")
    case .handleStreams(let address, let protocols, _):
        require((1...P2PDaemon.ControlRequest.maximumProtocols).contains(protocols.count), "protocols are counted")
        guard let place = ControlAddress(address) else { return }
        require(Multiaddr(place.description).flatMap(ControlAddress.init) == place, "\(place) reads back")
        if case .unix(let path) = place {
            require(path.utf8.count <= ControlAddress.maximumPathLength && !path.utf8.contains(0), "paths are bounded")
        }
    default: return
    }
}

/// The request as a client writes it.
private func protobuf(of request: P2PDaemon.ControlRequest) -> [UInt8] {
    var writer = ProtobufWriter()
    func put(_ type: UInt64, _ field: Int, _ body: (inout ProtobufWriter) -> Void) {
        writer.append(1, varint: type)
        var message = ProtobufWriter()
        body(&message)
        writer.append(field, message: message)
    }
    func seconds(_ timeout: Duration?, into message: inout ProtobufWriter) {
        if let timeout { message.append(3, varint: UInt64(timeout.components.seconds)) }
    }
    switch request {
    case .identify: writer.append(1, varint: 0)
    case .distributedHashTable: writer.append(1, varint: 4)
    case .listPeers: writer.append(1, varint: 5)
    case .connect(let peer, let addresses, let timeout):
        put(1, 2) {
            $0.append(1, bytes: peer.bytes)
            for address in addresses { $0.append(2, bytes: address.bytes) }
            seconds(timeout, into: &$0)
        }
    case .openStream(let peer, let protocols, let timeout):
        put(2, 3) {
            $0.append(1, bytes: peer.bytes)
            for name in protocols { $0.append(2, string: name) }
            seconds(timeout, into: &$0)
        }
    case .handleStreams(let address, let protocols, let isBalanced):
        put(3, 4) {
            $0.append(1, bytes: address.bytes)
            for name in protocols { $0.append(2, string: name) }
            $0.append(3, bool: isBalanced)
        }
    case .tagPeer(let peer, let tag, let weight):
        put(6, 6) {
            $0.append(1, varint: 0)
            $0.append(2, bytes: peer.bytes)
            $0.append(3, string: tag)
            $0.append(4, varint: UInt64(bitPattern: Int64(weight)))
        }
    case .untagPeer(let peer, let tag):
        put(6, 6) {
            $0.append(1, varint: 1)
            $0.append(2, bytes: peer.bytes)
            $0.append(3, string: tag)
        }
    case .trimConnections: put(6, 6) { $0.append(1, varint: 2) }
    case .disconnect(let peer): put(7, 7) { $0.append(1, bytes: peer.bytes) }
    case .topics: put(8, 8) { $0.append(1, varint: 0) }
    case .topicPeers(let topic):
        put(8, 8) {
            $0.append(1, varint: 1)
            $0.append(2, string: topic)
        }
    case .publish(let topic, let data):
        put(8, 8) {
            $0.append(1, varint: 2)
            $0.append(2, string: topic)
            $0.append(3, bytes: data)
        }
    case .subscribe(let topic):
        put(8, 8) {
            $0.append(1, varint: 3)
            $0.append(2, string: topic)
        }
    case .peerProtocols(let peer):
        put(9, 9) {
            $0.append(1, varint: 1)
            $0.append(2, bytes: peer.bytes)
        }
    case .peerInfo(let peer):
        put(9, 9) {
            $0.append(1, varint: 2)
            $0.append(2, bytes: peer.bytes)
        }
    }
    return writer.bytes
}

/// What the frame log reads of a stream's negotiation. What it tells goes into a JSON text as it is.
func fuzzFrameLog(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var negotiation = StreamNegotiation(isOurs: input.bool())
    var told = [0, 0]
    while !input.isAtEnd {
        let choice = input.byte()
        let isSent = choice & 1 == 1
        let payload = Array(input.piece())
        if choice & 0x1e == 2 { negotiation.finishes(isSent: isSent, after: payload.count) }
        let wasOver = negotiation.isOver
        let found = payload.withUnsafeBytes { negotiation.take($0, isSent: isSent) }
        require(!wasOver || found == .init(), "nothing is found behind the end")
        require(!wasOver || negotiation.isOver, "an end is one")
        for token in found.tokens {
            let isPlain = token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != 0x22 && $0 != 0x5c }
            require(isPlain && !token.isEmpty, "a line is printable")
        }
        require(found.bytes >= found.tokens.reduce(0) { $0 + $1.utf8.count + 2 }, "lines take their bytes")
        require(found.message ?? 1 > 0, "a message has its length")
        told[isSent ? 1 : 0] += found.bytes
    }
    require(told.allSatisfy { $0 <= StreamNegotiation.maximumBytes }, "so far and no further is read")
    negotiation.finishes(isSent: true, after: 0)
    negotiation.finishes(isSent: false, after: 0)
    require(negotiation.isOver, "two ends are the end")
}

/// What the frame log reads of a pubsub stream. What it tells becomes members of a JSON object as it is.
func fuzzGossipReading(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let (whole, pieces) = input.message()
    var reading = GossipReading()
    let told = whole.withUnsafeBytes { reading.take($0[...]) }
    var inPieces = GossipReading()
    var again: [String] = []
    for piece in pieces {
        let more = piece.withUnsafeBytes { inPieces.take($0[...]) }
        again.append(contentsOf: more)
    }
    require(again == told, "pieces tell the same")
    // A plainer reader finds the same RPCs.
    var beginnings: [String] = []
    var left = whole[...]
    while let prefix = try? Varint.decodePrefix(left), let size = Int(exactly: prefix.value) {
        left = left.dropFirst(prefix.length)
        let isLong = size > GossipReading.maximumBytes
        guard size > 0 else { continue }
        guard isLong || left.count >= size else { break }
        beginnings.append(isLong ? "\"rpc\":\(size),\"long\":true" : "\"rpc\":\(size)")
        left = left.dropFirst(size)
    }
    require(told.count == beginnings.count, "each RPC is told once")
    for (fields, beginning) in zip(told, beginnings) {
        require(fields == beginning || fields.hasPrefix(beginning + ","), "an RPC is told with its size")
        require(fields.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f }, "a line is printable")
        guard let object = (try? JSONParser.parse(Array("{\(fields)}".utf8)))?.object else {
            fatalError("broken law: a line is JSON")
        }
        let lists = object.members.compactMap { $0.value.array }
        require(
            lists.reduce(0) { $0 + $1.count } <= GossipReading.maximumTopics, "so many topics are told and no more")
        let topics = lists.joined().compactMap { $0.string ?? $0.object?.members.first?.value.string }
        // One more for the ellipsis.
        require(
            topics.allSatisfy { $0.unicodeScalars.count <= GossipReading.maximumTopicLength + 1 },
            "topics are told so far and no further")
    }
}

/// What a command asks of the peer that runs on its folder.
func fuzzCommand(_ bytes: [UInt8]) {
    guard let request = try? GoopNode.ControlRequest(line: bytes) else { return }
    let line = request.encoded
    require(line.count { $0 == 0x0A } == 1 && line.last == 0x0A, "one request is one line")
    require((try? GoopNode.ControlRequest(line: line)) == request, "a request reads back")
    switch request {
    case .ping(_, let patience), .get(_, _, let patience):
        require((.seconds(1) ... .seconds(300)).contains(patience), "patience is bounded")
    default: return
    }
}
