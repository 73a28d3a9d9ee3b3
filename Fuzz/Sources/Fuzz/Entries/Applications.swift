import GoopCore
import PeerIdentity

func fuzzSite(_ bytes: [UInt8]) {
    if let text = try? SiteProtocol.path(inRequest: bytes) {
        if let path = try? SitePath(text) {
            require(!path.components.contains(".."), "\(path) leaves the folder")
            require(path.components.allSatisfy { !$0.utf8.contains(0x2F) && !$0.utf8.contains(0) }, "odd names")
            require(path.components.allSatisfy { $0.utf8.first != 0x2E }, "\(path) names a dot-file")
            require(path.components.first?.lowercased() != "lua", "\(path) is hidden")
            let line = SiteProtocol.requestLine(path: path)
            require(line.filter { $0 == 10 }.count == 1 && line.last == 10, "one request is one line")
            let again = (try? SiteProtocol.path(inRequest: line.dropLast())).flatMap { try? SitePath($0) }
            require(again == path, "\(path) reads back")
        }
    }
    if let head = try? SiteProtocol.head(inLine: bytes) {
        require(head.size >= 0 && head.size <= SiteProtocol.maximumFileBytes, "sizes are bounded")
        require((try? SiteProtocol.head(inLine: SiteProtocol.headLine(head).dropLast())) == head, "a head reads back")
    }
    let label = SiteProtocol.label(inLine: bytes)
    require(label.utf8.count <= PresenceMessage.Limit.contentBytes, "labels are bounded")
    require(SiteProtocol.labelLine(label).filter { $0 == 10 }.count == 1, "one label is one line")
}

/// Both ends of `/goop/site/2.0.0`: what is read is written and read again, and an answer about it keeps to the file.
func fuzzSiteQuery(_ bytes: [UInt8]) {
    var framed = SiteMessageReader(limit: SiteQuery.maximumBytes)
    if let (message, consumed) = (try? framed.received(bytes[...])) ?? nil {
        require(consumed <= bytes.count && message.count <= SiteQuery.maximumBytes, "a message is a part of the input")
    }
    if let query = try? SiteQuery(decoding: bytes[...]) {
        require(query.known.count <= SiteQuery.maximumTags, "tags are counted")
        var reader = SiteMessageReader(limit: 2 * SiteQuery.maximumBytes)
        let again = (try? reader.received(query.encoded[...])).flatMap { $0 }.flatMap {
            try? SiteQuery(decoding: $0.message)
        }
        if query.encoded.count <= 2 * SiteQuery.maximumBytes { require(again == query, "a query reads back") }
        for size in [0, 1, 1000, SiteQuery.maximumPosition] {
            let head = query.answer(mediaType: "a/b", size: size, tag: "t")
            require(head.size >= 0 && head.first >= 0 && head.first + head.size <= size, "a part lies in the file")
        }
    }
    if let head = try? SiteHead(decoding: bytes[...]) {
        var reader = SiteMessageReader(limit: 2 * SiteHead.maximumBytes)
        let again = (try? reader.received(head.encoded[...])).flatMap { $0 }.flatMap {
            try? SiteHead(decoding: $0.message)
        }
        require(again == head, "a head reads back")
    }
    var answer = SiteAnswerReader(method: .get)
    if let (head, consumed) = (try? answer.headReceived(bytes[...])) ?? nil {
        require(answer.left == head.size && consumed <= bytes.count, "the head says what follows")
        try? answer.bodyReceived(bytes.count - consumed)
    }
}

func fuzzPresence(_ bytes: [UInt8]) {
    guard let message = try? PresenceMessage(decoding: bytes) else { return }
    guard let again = try? PresenceMessage(decoding: message.encoded()) else {
        fatalError("broken law: what we encode can be read")
    }
    require(again == message, "a message reads back")
    guard let own = try? PrivateKey(ed25519Seed: [UInt8](repeating: 1, count: 32)).peerID else { return }
    var table = PeerTable(ownID: own)
    if let signer = PeerID(message.peerID) {
        let now = Moment(uptime: .seconds(100), unixMilliseconds: 1_760_000_000_000)
        _ = try? table.received(message, from: signer, now: now)
        _ = try? table.received(message, from: signer, now: now)
        require(table.count <= 1, "one signer is one entry")
    }
}

/// The line in front of a picture, and what is taken for one.
func fuzzAvatar(_ bytes: [UInt8]) {
    if let head = try? AvatarProtocol.head(inLine: bytes) {
        if case .picture(let size) = head { require((1...Avatar.maximumBytes).contains(size), "sizes are bounded") }
        let line = AvatarProtocol.line(head)
        require(line.count <= AvatarProtocol.maximumHeadLine, "lines are bounded")
        require((try? AvatarProtocol.head(inLine: line.dropLast())) == head, "a head reads back")
    }
    if let avatar = try? Avatar(bytes) {
        require(avatar.bytes == bytes && Avatar.isHash(avatar.hash), "a picture is its bytes")
    }
}

func fuzzJSON(_ bytes: [UInt8]) {
    guard let value = try? JSONParser.parse(bytes) else { return }
    require((try? JSONParser.parse(JSONWriter.compact(value))) == value, "compact text reads back")
    require((try? JSONParser.parse(JSONWriter.pretty(value))) == value, "pretty text reads back")
}

func fuzzConfiguration(_ bytes: [UInt8]) {
    guard let configuration = try? GoopConfiguration(decoding: bytes) else { return }
    _ = configuration.validate()
    guard let again = try? GoopConfiguration(decoding: configuration.encoded()) else {
        fatalError("broken law: a file we wrote can be read")
    }
    require(again == configuration, "a configuration reads back")
}
