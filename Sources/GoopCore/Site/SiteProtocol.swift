/// The lines of `/goop/site/1.0.0` and `/goop/content/1.0.0`.
///
/// A site request is `GET <path>` and a line feed. The answer is a head line, and after `OK` exactly as many bytes as it
/// says. White space around a line is ignored, so CR LF is tolerated.
/// Source: P2P wire reference, sections 4.1, 4.3 and 4.4.
public enum SiteProtocol {
    /// The protocol id of the site protocol as upstream speaks it.
    public static let siteID = "/goop/site/1.0.0"
    /// The protocol id of our own form of it, with parts, tags and heads: `SiteQuery`, `SiteHead`.
    public static let querySiteID = "/goop/site/2.0.0"
    /// The protocol id of the label protocol, which serves as probe.
    public static let contentID = "/goop/content/1.0.0"
    /// The longest request line in bytes: the longest path and room around it.
    public static let maximumRequestLine = SitePath.maximumBytes + 64
    /// The longest head line in bytes.
    public static let maximumHeadLine = 512
    /// The longest label line in bytes.
    public static let maximumLabelLine = PresenceMessage.Limit.contentBytes + 2
    /// The largest file that is fetched, in bytes.
    public static let maximumFileBytes = 50 * 1024 * 1024

    /// The request line for a path, with its line feed.
    public static func requestLine(path: SitePath) -> [UInt8] { Array("GET \(path)\n".utf8) }

    /// The path text in a request line.
    /// - Throws: `SiteError` of kind `.badRequest`.
    public static func path(inRequest line: some Collection<UInt8>) throws(SiteError) -> String {
        guard let text = text(line), text.begins(with: "GET ") || text == "GET" else {
            throw SiteError(kind: .badRequest, detail: "the request is not GET and a path")
        }
        return trimmed(text.unicodeScalars.dropFirst(3))
    }

    /// The head line in front of a file, with its line feed.
    public static func headLine(_ head: SiteHead) -> [UInt8] { Array("OK \(head.mediaType) \(head.size)\n".utf8) }

    /// The head line that refuses a request, with its line feed. What went wrong inside is not told to strangers.
    public static func errorLine(_ error: SiteError) -> [UInt8] { Array("ERR \(reason(of: error.kind))\n".utf8) }

    /// Reads the head line of an answer.
    ///
    /// The media type may hold spaces; the size is what follows the last one.
    /// - Throws: the refusal of the other side as `SiteError`; `.tooLarge` beyond `limit`; `.protocolViolation`.
    public static func head(
        inLine line: some Collection<UInt8>, limit: Int = maximumFileBytes
    ) throws(SiteError) -> SiteHead {
        guard let text = text(line) else {
            throw SiteError(kind: .protocolViolation, detail: "the head line is not UTF-8")
        }
        if text == "ERR" || text.begins(with: "ERR ") {
            throw refusal(reason: trimmed(text.unicodeScalars.dropFirst(3)))
        }
        if text.begins(with: "EOK ") {
            throw SiteError(
                kind: .protocolViolation, detail: "the answer is sealed, and this version opens no sealed answers")
        }
        guard text.begins(with: "OK "), let space = text.utf8.lastIndex(of: UInt8(ascii: " ")) else {
            throw SiteError(kind: .protocolViolation, detail: "the answer begins with neither OK nor ERR")
        }
        let mediaType = trimmed(text[..<space].unicodeScalars.dropFirst(2))
        let digits = text[text.utf8.index(after: space)...]
        guard !mediaType.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), !digits.isEmpty else {
            throw SiteError(kind: .protocolViolation, detail: "the head line has no media type or no size")
        }
        guard let size = Int(digits), size <= limit else {
            throw SiteError(kind: .tooLarge, detail: "the file has \(digits.prefix(20)) bytes; the limit is \(limit)")
        }
        return SiteHead(mediaType: mediaType, size: size)
    }

    /// The label in an answer of the content protocol: at most 4096 bytes, without white space around it.
    public static func label(inLine line: some Collection<UInt8>) -> String {
        trimmed(String(decoding: line, as: UTF8.self).unicodeScalars[...]).prefix(
            utf8Bytes: PresenceMessage.Limit.contentBytes)
    }

    /// The label line, with its line feed; line breaks inside become spaces.
    public static func labelLine(_ label: String) -> [UInt8] {
        Array(label.prefix(utf8Bytes: PresenceMessage.Limit.contentBytes).utf8.map { $0 < 0x20 ? 0x20 : $0 }) + [0x0A]
    }

    // MARK: Errors

    /// The words that refuse a request: upstream knows the first four.
    static func reason(of kind: SiteError.Kind) -> String {
        switch kind {
        case .badRequest: "bad request"
        case .disabled: "site disabled"
        // Upstream knows no other word for it.
        case .forbidden, .notInvited: "forbidden"
        case .notFound: "not found"
        case .tooLarge: "too large"
        case .timedOut: "timed out"
        case .unreachable, .blocked: "unreachable"
        case .protocolViolation: "protocol violation"
        case .busy: "busy"
        }
    }

    /// The error that words of the other side mean; unknown words are kept as detail, cut at 256 bytes.
    static func refusal(reason words: String) -> SiteError {
        if let kind = SiteError.Kind.allCases.first(where: { reason(of: $0) == words }) { return SiteError(kind: kind) }
        return SiteError(
            kind: .protocolViolation,
            detail: "the peer refused: \(words.prefix(utf8Bytes: PresenceMessage.Limit.shortTextBytes))")
    }

    // MARK: Text

    private static func text(_ line: some Collection<UInt8>) -> String? {
        guard let text = String(validating: line, as: UTF8.self) else { return nil }
        return trimmed(text.unicodeScalars[...])
    }

    /// By scalars: as characters, a blank and a combining accent behind it are one, which is neither blank nor text.
    private static func trimmed(_ text: Substring.UnicodeScalarView) -> String {
        guard let first = text.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = text.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(text[first...last])
    }
}

extension String {
    /// By bytes, as the wire means it.
    fileprivate func begins(with word: String) -> Bool { utf8.starts(with: word.utf8) }
}
