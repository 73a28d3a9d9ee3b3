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

/// A watch of a site: messages one after the other on one stream.
func fuzzSiteChanges(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let (whole, pieces) = input.message()
    func read(_ pieces: [ArraySlice<UInt8>]) -> (changes: [SiteChanges], error: SiteError?) {
        var reader = SiteMessageReader(limit: SiteChanges.maximumBytes)
        var changes: [SiteChanges] = []
        do throws(SiteError) {
            for var piece in pieces {
                while !piece.isEmpty, let (message, consumed) = try reader.received(piece) {
                    require((1...piece.count).contains(consumed), "a message ends in what came")
                    piece = piece.dropFirst(consumed)
                    changes.append(try SiteChanges(decoding: message))
                    reader = SiteMessageReader(limit: SiteChanges.maximumBytes)
                }
            }
        } catch {
            return (changes, error)
        }
        return (changes, nil)
    }
    let outcome = read([whole[...]])
    let again = read(pieces)
    require(again.changes == outcome.changes && again.error == outcome.error, "pieces make the same messages")
    var all = SiteChanges()
    for change in outcome.changes {
        require(
            change.paths == change.paths.sorted() && Set(change.paths).count == change.paths.count, "paths are in order"
        )
        require(
            change.paths.allSatisfy { (try? SitePath($0))?.description == $0 }, "a path is one that a site can have")
        let written = read([change.encoded[...]])
        require(written.error == nil && written.changes == [change], "a change reads back")
        all.formUnion(change)
    }
    require(all.paths.count <= SiteChanges.maximumPaths, "paths are counted")
    require(all.encoded.count <= SiteChanges.maximumBytes, "a message is bounded")
}

/// What strangers write, on its way to a terminal.
func fuzzTerminal(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let (whole, pieces) = input.message()
    func shown(_ pieces: [ArraySlice<UInt8>]) -> [UInt8] {
        var terminal = TerminalBytes()
        return pieces.flatMap { terminal.safe($0) }
    }
    // The first of two bytes may still wait for the second.
    let text = shown([whole[...]])
    require(shown(pieces) == text, "pieces show the same")
    require(text.allSatisfy { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 || $0 == 0x0A }, "no control code is shown")
    let isC1 = zip(text, text.dropFirst()).contains { $0 == 0xC2 && (0x80...0x9F).contains($1) }
    require(!isC1, "no control code is shown, of two bytes either")
    let safe = TerminalText.safe(String(decoding: whole, as: UTF8.self))
    require(safe.count <= 81, "a line is bounded")
    for scalar in safe.unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
            require(false, "\(scalar.value) is shown")
        case .format: require(scalar == "\u{200D}", "\(scalar.value) is shown")
        default: continue
        }
    }
    require(safe.utf8.count <= 81 * 8 * 4, "marks are not piled up without end")
    let word = TerminalText.shellWord(safe)
    require(unquoted(word) == safe, "\(word) means the same to a shell")
}

/// What a shell reads in a word that is written as it is, or in single quotes with `\'` between them.
private func unquoted(_ word: String) -> String? {
    guard word.utf8.first == 0x27 else {
        let special = Set(" \t\n\r\"'\\$`&|;<>()*?[]{}~#!".utf8)
        return word.utf8.contains(where: special.contains) ? nil : word
    }
    var bytes: [UInt8] = []
    var left = Array(word.utf8)[...]
    while !left.isEmpty {
        if left.starts(with: Array("\\'".utf8)) {
            bytes.append(0x27)
            left = left.dropFirst(2)
            continue
        }
        guard left.popFirst() == 0x27 else { return nil }
        let inside = left.prefix { $0 != 0x27 }
        bytes += inside
        left = left.dropFirst(inside.count)
        guard left.popFirst() == 0x27 else { return nil }
    }
    return String(validating: bytes, as: UTF8.self)
}

/// Texts in the settings of the viewer's outer door.
func fuzzViewerText(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let prefix = IPPrefix(text) {
        require(IPPrefix(prefix.description) == prefix, "\(prefix) reads back")
        require(prefix.contains(prefix.address), "\(prefix) contains its own address")
    }
    if let name = ViewerName(text) {
        require(ViewerName(name.description) == name, "\(name) reads back")
        require(name.host != "localhost" && !name.host.hasSuffix(".localhost"), "\(name) is the browser's own machine")
    }
    if let hash = PasswordHash(text) { require(PasswordHash(hash.description) == hash, "a hash reads back") }
    if case .port(let port)? = try? ViewerAddress(configured: text) {
        require((0...65535).contains(port), "ports are ports")
    }
    var viewer = GoopConfiguration().viewer
    let fields = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    guard fields.count >= 3 else { return }
    (viewer.httpAddress, viewer.trustedProxies, viewer.names) = (fields[0], fields[1], fields[2])
    if fields.count > 3 { viewer.password = Secret(fields[3]) }
    guard let outer = (try? ViewerReach(viewer))?.outer else { return }
    require(outer.isEncrypted || !outer.proxies.isEmpty, "no door without encryption")
    require(!outer.password.isEmpty, "no door without a password")
    require(
        !outer.names.isEmpty && outer.names.count <= 17 && outer.proxies.count <= 16, "names and proxies are counted")
    require(outer.proxies.allSatisfy { $0.length > 0 }, "not everybody is a proxy")
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
