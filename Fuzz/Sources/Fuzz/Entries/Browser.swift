import GoopCore
import HTTPTypes
import Multiformats
import PeerIdentity

@testable import GoopHTTP

/// The target of a request: whose file it names, what its query says, and what a page shows of it.
func fuzzTarget(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let target = RequestTarget(text) {
        require(target.path + target.querySuffix == text, "a target is its path and its query")
        require(target.path.utf8.allSatisfy { (0x21...0x7e).contains($0) }, "a path is printable")
        if target.isSite { check(SiteAddress(target)) }
    }
    if let address = DataAddress(path: text) {
        let place = address.peer.map { "/api/p/\($0.base58)/data/" } ?? "/api/data/"
        require(place + address.suffix == text, "\(text) has one spelling")
    }
    for case let value? in QueryText.values(of: "a", in: text) {
        let escaped = value.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        require(QueryText.value(of: "a", in: "b=1&a=\(escaped)") == value, "a value reads back")
    }
    let markup = ("\(text)" as HTMLText).markup
    require(!markup.unicodeScalars.contains { "<>\"'".unicodeScalars.contains($0) }, "text becomes no markup")
    require(shown(markup) == Array(text.utf8), "text is shown as it is")
}

/// What a browser makes of text with entities, byte for byte; nothing of an ampersand that begins none.
private func shown(_ markup: String) -> [UInt8]? {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
    var bytes: [UInt8] = []
    var left = Array(markup.utf8)[...]
    while let byte = left.first {
        guard byte == UInt8(ascii: "&") else {
            bytes.append(byte)
            left = left.dropFirst()
            continue
        }
        guard let (entity, character) = entities.first(where: { left.starts(with: Array($0.0.utf8)) }) else {
            return nil
        }
        bytes += character.utf8
        left = left.dropFirst(entity.utf8.count)
    }
    return bytes
}

private func check(_ address: SiteAddress) {
    switch address {
    case .file(_, let path):
        require(path.utf8.first == 0x2F && path.utf8.count <= SiteAddress.maximumPathBytes, "paths are bounded")
        require(path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != 0x5C }, "\(path) has no odd characters")
        let segments = path.utf8.split(separator: 0x2F, omittingEmptySubsequences: false).map(Array.init)
        require(segments.dropFirst().dropLast().allSatisfy { !$0.isEmpty }, "\(path) has no empty segment")
        require(!segments.contains([0x2E]) && !segments.contains([0x2E, 0x2E]), "\(path) climbs")
        let escaped = path.utf8.map { $0 == 0x2F ? "/" : "%" + String($0, radix: 16) }.joined()
        require((try? SiteAddress.decode(Substring(escaped))) == path, "\(path) reads back")
    case .redirect(let location):
        guard let target = RequestTarget(location) else { return require(false, "\(location) is no target") }
        switch SiteAddress(target) {
        case .file, .badPath: require(location.hasPrefix("/p/"), "\(location) leads elsewhere")
        case .redirect, .noPeer: require(false, "\(location) is no right address")
        }
    case .noPeer, .badPath: return
    }
}

/// What every request has to pass, on loopback, at an outer door, and behind a proxy.
func fuzzRequestGuard(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let capabilities = CapabilityTable()
    let token = capabilities.token(of: peers[1])
    let guarded = RequestGuard(port: 8080, capabilities: capabilities)
    let outer = RequestGuard(outer: "me.example", capabilities: capabilities)
    let proxies = ProxyPolicy(proxies: [IPPrefix("10.0.0.0/8"), IPPrefix("2a00::/16")].compactMap { $0 })
    while !input.isAtEnd {
        let request = request(&input, token: token)
        check(guarded.judge(request), of: request, token: token)
        if case .allowed(let target, let place) = outer.judge(request) {
            require(request.authority?.lowercased() == "me.example", "only the own name is answered")
            switch place {
            case .viewer: require(target.prefix.isEmpty, "the viewer has no prefix")
            case .capability(let peer):
                require(peer == peers[1] && target.prefix == "/c/" + token, "a visit has its token")
            case .site: require(false, "sites have no origin there")
            }
        }
        check(RequestOrigin(request.headerFields, ownOrigin: guarded.origin), request.headerFields)
        let peer = addresses[Int(input.byte()) % addresses.count].ipAddress
        check(proxies.judge(peer: peer, fields: request.headerFields), peer: peer, proxies, request.headerFields)
    }
}

private func request(_ input: inout FuzzInput, token: String) -> HTTPRequest {
    let choice = input.byte()
    let method: HTTPRequest.Method = input.one(of: [.get, .head, .post, .options, .put, .connect])
    let authorities = [
        "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "\(peers[1].base36).localhost:8080", "me.example",
        "ME.example",
        "abcdefgh12.localhost:8080", "goop2scrub.localhost:8080",
    ]
    let authority: String? = choice & 8 != 0 ? input.text() : authorities[Int(choice & 7)]
    let path = choice & 0x10 != 0 ? "/c/\(token)" + input.text() : input.text()
    var fields = HTTPFields()
    let names: [HTTPField.Name] = [
        .secFetchSite, .secFetchMode, .secFetchDest, .secFetchUser, .origin, .referer, .serviceWorker, .forwardedFor,
        .forwardedProto, .forwardedHost, .forwarded, .contentLength, .transferEncoding, .hostField, .userAgent,
    ]
    let values = [
        "cross-site", "same-origin", "none", "navigate", "document", "iframe", "serviceworker", "worker", "null",
        "http://127.0.0.1:8080", "http://127.0.0.1:8080/p/x", "https", "10.1.2.3", "8.8.8.8, 10.0.0.1", "0", "script",
    ]
    for _ in 0..<(choice >> 5) {
        let name = input.one(of: names)
        let value = input.byte()
        fields.append(HTTPField(name: name, value: value & 0x80 == 0 ? values[Int(value & 15)] : input.text()))
    }
    return HTTPRequest(method: method, scheme: "http", authority: authority, path: path, headerFields: fields)
}

private func check(_ verdict: RequestGuard.Verdict, of request: HTTPRequest, token: String) {
    let forwarded: [HTTPField.Name] = [.forwardedFor, .forwardedProto, .forwardedHost, .forwarded]
    let isForwarded = forwarded.contains { request.headerFields.contains($0) }
    let authority = request.authority?.lowercased() ?? ""
    switch verdict {
    case .allowed(let target, let place):
        require(!isForwarded, "nobody's proxy is served on loopback")
        require(target.path.utf8.first == 0x2F, "a target begins with a slash")
        switch place {
        case .viewer:
            require(authority == "127.0.0.1:8080" || target.isProbe, "\(authority) is not the viewer's name")
        case .site(let peer): require(authority == "\(peer.base36).localhost:8080", "\(authority) is another site's")
        case .capability(let peer):
            require(peer == peers[1] && request.path?.hasPrefix("/c/\(token)/") == true, "only the page knows its path")
        }
        let isAPI = target.path.hasPrefix("/api/")
        switch request.method {
        case .get, .head: break
        case .post: require(isAPI, "what is sent goes to the routes that read it")
        case .options: require(isAPI && !target.prefix.isEmpty, "only an opaque page asks first")
        default: require(false, "\(request.method) is allowed")
        }
    case .redirect(let location):
        require(location == "http://127.0.0.1:8080" + (request.path ?? ""), "\(location) is elsewhere")
    case .probe: require(authority.hasSuffix(".localhost:8080") && request.method == .get, "only a name is probed")
    case .scrub: require(authority == "goop2scrub.localhost:8080", "there is one place to scrub")
    case .refused(let refusal):
        require(refusal.status.kind == .clientError || refusal.status.kind == .serverError, "a refusal is one")
        require(!refusal.title.isEmpty && refusal.explanation.utf8.count < 1024, "it says why, in a few words")
    }
}

private func check(_ origin: RequestOrigin, _ fields: HTTPFields) {
    let site = fields[.secFetchSite]
    let isForeign = site != nil && site != "none" && site != "same-origin"
    let isOpaque = fields[values: .origin] == ["null"]
    require(!origin.mayReadViewerData || !(isForeign || isOpaque), "another site reads the viewer's data")
    require(!origin.mayBeOpaquePage || isForeign, "a page of the viewer is not opaque")
    require(!origin.isBoundServiceWorker || origin.isLastingWorker, "a service worker lasts")
}

private func check(_ verdict: ProxyPolicy.Verdict, peer: IPAddress?, _ policy: ProxyPolicy, _ fields: HTTPFields) {
    let isProxy = peer.map { peer in policy.proxies.contains { $0.contains(peer) } } ?? false
    switch verdict {
    case .notAProxy: require(!isProxy, "a proxy is one")
    case .notEncrypted: require(isProxy && fields[.forwardedProto]?.lowercased() != "https", "https is encrypted")
    case .admitted(let client):
        require(isProxy && fields[.forwardedProto]?.lowercased() == "https", "only a proxy, and only by https")
        let hops = fields[values: .forwardedFor].joined(separator: ",").split(separator: ",").map { hop in
            IPAddress(hop.trimmingBlanks())?.unmapped
        }
        require(client == peer || hops.suffix(ProxyPolicy.maximumHops).contains(client), "the client is somebody named")
        let isClientProxy = client.map { client in policy.proxies.contains { $0.contains(client) } } ?? false
        if !isClientProxy, let place = hops.lastIndex(of: client) {
            let behind = hops[(place + 1)...].allSatisfy { hop in
                policy.proxies.contains { hop.map($0.contains) ?? false }
            }
            require(behind, "only proxies of ours are believed")
        }
    }
    let none = ProxyPolicy(proxies: []).judge(peer: peer, fields: fields)
    require(none == .admitted(client: peer), "without proxies nothing that is said counts")
}

/// What header fields ask of a file.
func fuzzConditions(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var fields = HTTPFields()
    for name in [HTTPField.Name.ifNoneMatch, .range, .ifRange] where input.bool() { fields[name] = input.text() }
    let query = SiteConditions.query("/" + input.text(), method: input.bool() ? .head : .get, fields: fields)
    require(query.known.count <= SiteQuery.maximumTags, "tags are counted")
    require(query.known.allSatisfy { $0 == "*" || SiteHead.isTag($0) }, "a tag is one")
    require(
        fields[.ifRange] == nil || query.part == nil || query.partOf.map(SiteHead.isTag) == true,
        "a part of something known")
    switch query.part {
    case .between(let first, let last):
        require((0...last).contains(first) && last <= SiteQuery.maximumPosition, "positions are bounded")
    case .from(let place), .last(let place):
        require((0...SiteQuery.maximumPosition).contains(place), "positions are bounded")
    case nil: break
    }
    var reader = SiteMessageReader(limit: 2 * SiteQuery.maximumBytes)
    let again = (try? reader.received(query.encoded[...])).flatMap { $0 }.flatMap {
        try? SiteQuery(decoding: $0.message)
    }
    if (try? SitePath(query.path)) != nil { require(again == query, "the peer is asked the same") }
    guard let target = RequestTarget("/p/x/y?" + String(repeating: "z", count: Int(input.byte()))) else { return }
    for size in [0, 1, 1000, Int(input.uint32())] {
        let head = query.answer(mediaType: "text/html", size: size, tag: "t")
        var answer = HTTPFields()
        let status = SiteConditions.describe(head, path: query.path, target: target, in: &answer)
        require([200, 206, 304, 416].contains(status.code), "\(status) is none of these")
        guard status == .partialContent, let range = answer[.contentRange] else { continue }
        let numbers = range.split { !$0.isNumber }.compactMap { Int($0) }
        require(numbers.count == 3 && numbers[0] <= numbers[1] && numbers[1] < numbers[2], "\(range) lies in the file")
        require(
            answer[.contentLength] == "\(numbers[1] - numbers[0] + 1)" && numbers[2] == size, "\(range) is what is sent"
        )
    }
}

/// A data request of a page.
func fuzzDataTranslation(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let suffix = input.text()
    guard let body = (try? JSONParser.parse(input.takeRest()))?.object else { return }
    guard let json = try? DataTranslation.request(suffix: suffix, body: body) else { return }
    require(DataTranslation.method(of: suffix) != nil, "\(suffix) is asked somehow")
    let operation = json.object?["op"]?.string.flatMap(DataOperation.init(rawValue:))
    require(operation != nil, "\(suffix) is an operation")
    guard let request = try? DataRequest(json: json) else { return }
    require(request.op == operation, "\(suffix) stays the same operation")
    guard suffix == "get-by", let condition = request.where, let column = request.columnName ?? quoted(condition) else {
        return
    }
    let part = try? QueryCompiler.condition(
        condition, args: [.text("x")], scope: QueryScope(columns: [column]))
    require(part?.bindings.count == 1, "\(condition) compares one column")
}

/// The name between the quotes at the front.
private func quoted(_ condition: String) -> String? {
    let parts = condition.split(separator: "\"", omittingEmptySubsequences: false)
    return parts.count == 3 ? String(parts[1]) : nil
}

/// The tables that a page watches, through ends and new beginnings.
func fuzzWatchedTables(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let names = ["a", "b", "c", "d"].prefix(1 + Int(input.byte() & 3)).map(\.self)
    let pauses: ClosedRange<Duration> = .milliseconds(500) ... .seconds(60)
    var watched = WatchedTables(names, pauses: pauses)
    var now = ContinuousClock.now
    var lost: Set<String> = []
    let codes: [DataErrorCode] = [.refused, .unreachable, .timedOut, .notFound, .busy, .conflict]
    while !input.isAtEnd {
        now += input.pause() * 10
        let name = input.one(of: ["a", "b", "c", "d"])
        let isKnown = names.contains(name)
        if input.bool() {
            let isOpen = watched.opened(name, now: now)
            require(isOpen == (isKnown && !lost.contains(name)), "what is lost stays lost")
            continue
        }
        let reason = DataError(code: input.one(of: codes), message: "m")
        switch watched.ended(name, because: reason, now: now) {
        case .again(let pause):
            require(isKnown && !lost.contains(name) && pauses.contains(pause), "a pause is bounded")
        case .lost(let losses):
            for loss in losses {
                require(names.contains(loss.table) && lost.insert(loss.table).inserted, "a table is lost once")
            }
            require(!losses.isEmpty || !isKnown || lost.contains(name), "a table that is not tried again is lost")
        }
    }
}
