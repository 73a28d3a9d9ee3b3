import Multiformats

/// What an answer of the site protocol says about the bytes that follow.
///
/// Wire shape (`/goop/site/2.0.0`): protobuf, behind its length as a varint, at most 512 bytes. 1 status, 2 media type,
/// 3 bytes that follow (of HEAD: that would follow), 4 tag, 5 first byte of a part, 6 bytes of the whole file for a part,
/// 7 (with status 403) true if not this file is refused but the whole site, to this visitor.
/// Source: docs/protocols.md, "Sites".
public struct SiteHead: Sendable, Hashable {
    /// What the bytes are. The numbers are HTTP's.
    public enum Status: UInt64, Sendable, Hashable, CaseIterable {
        /// The whole file.
        case whole = 200
        /// A part of it.
        case part = 206
        /// No bytes: the visitor has them.
        case notModified = 304
        /// No bytes: it is a folder, to be asked for with a slash at the end.
        case folder = 308
        /// There is no such file; the bytes are the page that the site shows then.
        case missing = 404
        /// No bytes: the file has no such part.
        case noSuchPart = 416
    }

    /// The longest message in bytes.
    public static let maximumBytes = 512
    /// The longest media type in bytes.
    public static let maximumMediaTypeBytes = 127
    /// The longest tag in bytes.
    public static let maximumTagBytes = 64

    /// As the serving peer wrote it: a hint from a stranger, to be checked against the file name before use.
    public var mediaType: String
    /// Bytes that follow; never negative.
    public var size: Int
    /// What the bytes are.
    public var status: Status
    /// Names this very content; empty if the peer gives none. Visible ASCII without quotes.
    public var tag: String
    /// Of a part: the position of its first byte.
    public var first: Int
    /// Of a part, or if there is no such part: the bytes of the whole file. Else without meaning.
    public var total: Int

    /// Makes a head of a media type and a size in bytes; the rest says that it is the whole file.
    public init(
        mediaType: String, size: Int, status: Status = .whole, tag: String = "", first: Int = 0, total: Int = 0
    ) {
        self.mediaType = mediaType
        self.size = size
        self.status = status
        self.tag = tag
        self.first = first
        self.total = total
    }

    /// Whether a text can be a tag: 1 to 64 bytes of visible ASCII without quotes.
    public static func isTag(_ text: String) -> Bool {
        (1...maximumTagBytes).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") }
    }

    // MARK: Wire

    /// The message, with its length in front.
    public var encoded: [UInt8] {
        var message = ProtobufWriter()
        message.append(1, varint: status.rawValue)
        if !mediaType.isEmpty { message.append(2, string: mediaType) }
        if size > 0 { message.append(3, varint: UInt64(size)) }
        if !tag.isEmpty { message.append(4, string: tag) }
        if first > 0 { message.append(5, varint: UInt64(first)) }
        if total > 0 { message.append(6, varint: UInt64(total)) }
        return SiteMessageReader.framed(message)
    }

    /// The message that refuses a query, with its length in front. What went wrong inside is not told to strangers.
    public static func refusal(_ error: SiteError) -> [UInt8] {
        var message = ProtobufWriter()
        message.append(1, varint: error.kind.status)
        if error.kind == .notInvited { message.append(7, bool: true) }
        return SiteMessageReader.framed(message)
    }

    /// Reads a message without its length.
    /// - Throws: the refusal of the other side as `SiteError`; `.tooLarge` beyond `limit`; `.protocolViolation`.
    public init(decoding message: ArraySlice<UInt8>, limit: Int = SiteQuery.maximumPosition) throws(SiteError) {
        self.init(mediaType: MediaType.unknown, size: 0)
        var number: UInt64?
        var isWholeSite = false
        var reader = ProtobufReader(message)
        while let field = try SiteHead.next(&reader) {
            switch field.number {
            case 1: number = field.varint
            case 2: mediaType = try SiteHead.mediaType(field)
            case 3: size = try SiteHead.position(field)
            case 4:
                guard let text = field.string, SiteHead.isTag(text) else { throw SiteHead.violation("no entity tag") }
                tag = text
            case 5: first = try SiteHead.position(field)
            case 6: total = try SiteHead.position(field)
            case 7: isWholeSite = field.bool ?? false
            default: continue
            }
        }
        guard let number else { throw SiteHead.violation("no status") }
        guard let status = Status(rawValue: number) else {
            guard let kind = SiteError.Kind(status: number) else { throw SiteHead.violation("status \(number)") }
            throw SiteError(kind: kind == .forbidden && isWholeSite ? .notInvited : kind)
        }
        self.status = status
        switch status {
        case .whole, .missing:
            guard first == 0 else { throw SiteHead.violation("a whole file that does not begin at 0") }
        case .part:
            guard size > 0, first + size <= total else {
                throw SiteHead.violation("\(size) bytes at \(first) are no part of \(total)")
            }
        case .notModified, .folder, .noSuchPart:
            guard size == 0 else { throw SiteHead.violation("bytes with status \(number)") }
        }
        guard size <= limit else {
            throw SiteError(kind: .tooLarge, detail: "the file has \(size) bytes; the limit is \(limit)")
        }
    }

    private static func mediaType(_ field: ProtobufField) throws(SiteError) -> String {
        guard let text = field.string, !text.isEmpty, text.utf8.count <= maximumMediaTypeBytes,
            text.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else { throw violation("no media type") }
        return text
    }

    private static func position(_ field: ProtobufField) throws(SiteError) -> Int {
        guard let value = field.varint, value <= UInt64(SiteQuery.maximumPosition) else { throw violation("no size") }
        return Int(value)
    }

    private static func next(_ reader: inout ProtobufReader) throws(SiteError) -> ProtobufField? {
        do { return try reader.next() } catch { throw violation("not a message: \(error)") }
    }

    private static func violation(_ detail: String) -> SiteError {
        SiteError(kind: .protocolViolation, detail: "the head of the answer: \(detail)")
    }
}

extension SiteError.Kind {
    /// The status that tells a visitor of an error of this class.
    var status: UInt64 {
        switch self {
        case .badRequest: 400
        case .forbidden, .notInvited: 403
        case .notFound: 410
        case .timedOut: 408
        case .tooLarge: 413
        case .protocolViolation: 500
        case .disabled: 501
        case .unreachable, .blocked: 502
        case .busy: 503
        }
    }

    /// The class that a status of another peer means.
    init?(status: UInt64) {
        guard let kind = SiteError.Kind.allCases.first(where: { $0.status == status }) else { return nil }
        self = kind
    }
}
