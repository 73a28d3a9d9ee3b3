import Multiformats

/// What a visitor asks of a site: one file, or a part of it, or only what is known about it.
///
/// Wire shape (`/goop/site/2.0.0`): protobuf, behind its length as a varint, at most 4,096 bytes.
/// 1 method (0 GET, 1 HEAD), 2 path, 3 tag the visitor has already (repeated), 4 range, 5 the tag that the range belongs to.
/// A range holds 1 first byte and 2 last byte, or only 1, or only 3, the number of bytes from the end.
/// Source: docs/protocols.md, "Sites".
public struct SiteQuery: Sendable, Hashable {
    /// What is wanted of the file.
    public enum Method: UInt64, Sendable, Hashable, CaseIterable {
        /// Head and bytes.
        case get = 0
        /// The head that GET would bring, without the bytes.
        case head = 1
    }

    /// One part of a file, in bytes from 0.
    public enum Part: Sendable, Hashable {
        case from(Int)
        /// Both ends included; the second is not smaller than the first.
        case between(Int, Int)
        /// The last so many.
        case last(Int)
    }

    /// The longest message in bytes.
    public static let maximumBytes = 4096
    /// The most tags in one query.
    public static let maximumTags = 16
    /// The largest position and size in bytes: what a script in a browser counts exactly.
    public static let maximumPosition = (1 << 53) - 1

    /// What is wanted of the file.
    public var method: Method
    /// As the visitor wrote it, percent-decoded; a trailing slash asks for a folder's index.
    public var path: String
    /// Tags of what the visitor has; `*` stands for anything.
    public var known: [String]
    /// The part that is wanted; of HEAD it is ignored.
    public var part: Part?
    /// The part is wanted only of the file with this tag, else all of it.
    public var partOf: String?

    /// Asks for a whole file.
    public init(
        _ path: String, method: Method = .get, known: [String] = [], part: Part? = nil, partOf: String? = nil
    ) {
        self.path = path
        self.method = method
        self.known = known
        self.part = part
        self.partOf = partOf
    }

    // MARK: Wire

    /// The message, with its length in front. Tags that are none, and those beyond the most, are left out.
    public var encoded: [UInt8] {
        var message = ProtobufWriter()
        if method != .get { message.append(1, varint: method.rawValue) }
        message.append(2, string: path)
        for tag in known.lazy.filter(SiteHead.isTag).prefix(SiteQuery.maximumTags) { message.append(3, string: tag) }
        if let part { message.append(4, message: SiteQuery.encoded(part)) }
        if let partOf, SiteHead.isTag(partOf) { message.append(5, string: partOf) }
        return SiteMessageReader.framed(message)
    }

    private static func encoded(_ part: Part) -> ProtobufWriter {
        var message = ProtobufWriter()
        switch part {
        case .from(let first): message.append(1, varint: UInt64(max(first, 0)))
        case .between(let first, let last):
            message.append(1, varint: UInt64(max(first, 0)))
            message.append(2, varint: UInt64(max(last, 0)))
        case .last(let count): message.append(3, varint: UInt64(max(count, 0)))
        }
        return message
    }

    /// Reads a message without its length.
    /// - Throws: `SiteError` of kind `.badRequest`.
    public init(decoding message: ArraySlice<UInt8>) throws(SiteError) {
        self.init("")
        var hasPath = false
        var reader = ProtobufReader(message)
        while let field = try SiteQuery.next(&reader) {
            hasPath = hasPath || field.number == 2
            try take(field)
        }
        guard hasPath else { throw SiteQuery.refusal("no path") }
    }

    // A function of its own that stays one: inlined into the loop, Swift 6.3's optimizer gives up on it.
    @inline(never)
    private mutating func take(_ field: ProtobufField) throws(SiteError) {
        switch field.number {
        case 1: method = try SiteQuery.method(field)
        case 2:
            guard let path = field.string else { throw SiteQuery.refusal("the path is not UTF-8") }
            self.path = path
        case 3:
            let tag = try SiteQuery.tag(field)
            guard known.count < SiteQuery.maximumTags else {
                throw SiteQuery.refusal("more than \(SiteQuery.maximumTags) tags")
            }
            known.append(tag)
        case 4:
            guard let bytes = field.bytes else { throw SiteQuery.refusal("the range is no message") }
            part = try SiteQuery.part(bytes)
        case 5: partOf = try SiteQuery.tag(field)
        default: return
        }
    }

    @inline(never)
    private static func method(_ field: ProtobufField) throws(SiteError) -> Method {
        let number = field.varint
        guard let number, let method = Method(rawValue: number) else { throw refusal("unknown method") }
        return method
    }

    private static func part(_ message: ArraySlice<UInt8>) throws(SiteError) -> Part {
        var reader = ProtobufReader(message)
        var values: [Int: Int] = [:]
        while let field = try next(&reader) {
            guard (1...3).contains(field.number) else { continue }
            guard let value = field.varint, value <= UInt64(maximumPosition) else { throw refusal("no range") }
            values[field.number] = Int(value)
        }
        switch (values[1], values[2], values[3]) {
        case (let first?, nil, nil): return .from(first)
        case (let first?, let last?, nil) where first <= last: return .between(first, last)
        case (nil, nil, let count?): return .last(count)
        default: throw refusal("no range")
        }
    }

    private static func tag(_ field: ProtobufField) throws(SiteError) -> String {
        guard let tag = field.string, SiteHead.isTag(tag) else { throw refusal("no entity tag") }
        return tag
    }

    private static func next(_ reader: inout ProtobufReader) throws(SiteError) -> ProtobufField? {
        do { return try reader.next() } catch { throw refusal("not a message: \(error)") }
    }

    private static func refusal(_ detail: String) -> SiteError { SiteError(kind: .badRequest, detail: detail) }

    // MARK: Meaning

    /// What is to be answered about a file: nothing new, a part, the whole, or that there is no such part.
    ///
    /// - Parameters:
    ///   - size: of the whole file in bytes.
    ///   - tag: of the file as it is now; empty if there is none.
    /// Source: RFC 9110, sections 13.2.2 (precedence), 13.1.2, 13.1.5 and 14.
    public func answer(mediaType: String, size: Int, tag: String) -> SiteHead {
        var head = SiteHead(mediaType: mediaType, size: size, tag: tag)
        if known.contains("*") || (!tag.isEmpty && known.contains(tag)) {
            head.status = .notModified
            head.size = 0
            return head
        }
        guard method == .get, let part, partOf == nil || (partOf == tag && !tag.isEmpty) else { return head }
        let first: Int
        let end: Int
        switch part {
        case .from(let position): (first, end) = (position, size)
        case .between(let position, let last): (first, end) = (position, last < size ? last + 1 : size)
        case .last(let count): (first, end) = (count < size ? size - count : 0, count > 0 ? size : 0)
        }
        head.total = size
        guard first >= 0, first < end else {
            head.status = .noSuchPart
            head.size = 0
            return head
        }
        head.status = .part
        head.first = first
        head.size = end - first
        return head
    }
}
