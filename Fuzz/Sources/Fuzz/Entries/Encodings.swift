import Multiformats
import PeerIdentity

func fuzzVarint(_ bytes: [UInt8]) {
    if let (value, length) = try? Varint.decodePrefix(bytes[...]) {
        require(Varint.encode(value) == Array(bytes.prefix(length)), "varint \(value) has one form")
        require(Varint.encodedLength(value) == length, "length of \(value)")
    }
    var reader = ByteReader(bytes)
    while let value = try? reader.readVarint() {
        guard let piece = try? reader.readBytes(Int(clamping: value)) else { break }
        require(piece.count == Int(value), "a piece is whole")
    }
    _ = try? reader.readUInt64BigEndian()
}

func fuzzMultibase(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    _ = try? Multibase.decode(text)
    if let decoded = try? Base58.decode(text) { require(Base58.encode(decoded) == text, "base58 has one form") }
    if let decoded = try? Base32.decode(text) {
        require((try? Base32.decode(Base32.encode(decoded))) == decoded, "base32 round trip")
    }
    _ = try? Base36.decode(text)
    _ = try? Base64.decode(text)
    _ = try? Hex.decode(text)
    if bytes.count <= 128 {
        require((try? Base58.decode(Base58.encode(bytes))) == bytes, "base58 round trip")
        require((try? Base36.decode(Base36.encode(bytes))) == bytes, "base36 round trip")
        for encoding in Multibase.Encoding.allCases {
            require((try? Multibase.decode(Multibase.encode(bytes, as: encoding))) == bytes, "multibase \(encoding)")
        }
    }
    if let cid = try? CID(text: text) { require((try? CID(text: cid.text())) == cid, "CID round trip") }
    if let cid = try? CID(bytes: bytes[...]) {
        require((try? CID(bytes: cid.bytes[...])) == cid, "CID bytes round trip")
    }
    if let hash = try? Multihash(bytes: bytes) { require(hash.bytes == bytes, "a multihash has one form") }
    if let address = IPAddress(text) {
        require(IPAddress(address.description) == address, "IP address \(address) round trip")
    }
}

func fuzzMultiaddr(_ bytes: [UInt8]) {
    if let address = try? Multiaddr(bytes: bytes) {
        require(address.bytes == bytes, "a binary address has one form")
        checkText(of: address)
    }
    if let address = try? Multiaddr(text: String(decoding: bytes, as: UTF8.self)) {
        require((try? Multiaddr(bytes: address.bytes)) == address, "\(address) in binary form")
        checkText(of: address)
    }
}

private func checkText(of address: Multiaddr) {
    let text = address.description
    if let again = try? Multiaddr(text: text) { require(again == address, "\(text) reads back as \(again)") }
    _ = address.components.map(\.text)
    _ = (address.ipAddress, address.tcpPort, address.udpPort, address.dnsName, address.unixPath, address.peerID)
    _ = (address.isPublic, address.isPrivate, address.isLoopback, address.isLinkLocal, address.isUnspecified)
    _ = address.isRelayed
    let bare = address.withoutPeerID
    require(bare.bytes.count <= address.bytes.count, "nothing is added by taking away")
}

func fuzzProtobuf(_ bytes: [UInt8]) {
    readFields(bytes[...], depth: 3)
}

private func readFields(_ bytes: ArraySlice<UInt8>, depth: Int) {
    var reader = ProtobufReader(bytes)
    var seen: [UInt8] = []
    while true {
        let field: ProtobufField?
        do { field = try reader.next() } catch { return }
        guard let field else { break }
        seen += field.encoded
        _ = (field.string, field.bool)
        if depth > 0, let inner = field.bytes { readFields(inner, depth: depth - 1) }
    }
    require(seen == Array(bytes), "the fields make up the message")
}

func fuzzPeerID(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    for peer in [try? PeerID(multihash: bytes), try? PeerID(text: text)] {
        guard let peer else { continue }
        require((try? PeerID(text: peer.base58)) == peer, "base58 of \(peer)")
        require((try? PeerID(text: peer.base36)) == peer, "base36 of \(peer)")
        require((try? PeerID(multihash: peer.bytes)) == peer, "bytes of \(peer)")
        if let key = peer.publicKey { _ = key.peerID }
    }
}

func fuzzKey(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let message = Array(input.longPiece())
    let signature = Array(input.piece())
    if let key = try? PublicKey(protobuf: message) {
        require((try? PublicKey(protobuf: key.protobuf)) == key, "a key reads back")
        require((try? key.verify(signature, over: input.takeRest())) != true || !signature.isEmpty, "no empty proof")
    }
    if let key = try? PrivateKey(protobuf: message) {
        require((try? PrivateKey(protobuf: key.protobuf))?.publicKey == key.publicKey, "a private key reads back")
    }
}

func fuzzEnvelope(_ bytes: [UInt8]) {
    if let envelope = try? SignedEnvelope(protobuf: bytes) {
        require((try? SignedEnvelope(protobuf: envelope.protobuf)) == envelope, "an envelope reads back")
        _ = try? envelope.verify(domain: PeerRecord.domain)
        _ = try? PeerRecord(verifying: envelope)
    }
    if let record = try? PeerRecord(protobuf: bytes) {
        require((try? PeerRecord(protobuf: record.protobuf)) == record, "a record reads back")
    }
}
