import GoopCore
import HTTPTypes

/// What the header fields of a browser's request ask of a file, and what its head says in header fields.
///
/// A request for several parts is answered with the whole file, as RFC 9110 allows (section 14.2): what several parts are
/// used for, one after the other does as well, and the answers of a hostile site need no second framing. A condition
/// that is not understood, a date among them, is as if it were not there; a range behind such an `If-Range` is not
/// heeded.
enum SiteConditions {
    /// The longest field that is read, in bytes.
    static let maximumFieldBytes = 1024

    /// The query of a request for a path.
    static func query(_ path: String, method: HTTPRequest.Method, fields: HTTPFields) -> SiteQuery {
        var query = SiteQuery(path, method: method == .head ? .head : .get)
        if let field = short(fields[.ifNoneMatch]) { query.known = tags(field) }
        if let field = short(fields[.range]), let part = part(field) {
            guard let condition = fields[.ifRange] else {
                query.part = part
                return query
            }
            // Only a strong tag proves that the parts fit together.
            if let tag = strongTag(condition) {
                query.part = part
                query.partOf = tag
            }
        }
        return query
    }

    private static func short(_ field: String?) -> String? {
        guard let field, field.utf8.count <= maximumFieldBytes else { return nil }
        return field
    }

    /// The tags of an `If-None-Match`, weak ones as if they were strong (section 13.1.2).
    static func tags(_ field: String) -> [String] {
        field.split(separator: ",").prefix(SiteQuery.maximumTags).compactMap { entry in
            let entry = entry.trimmingBlanks()
            if entry == "*" { return "*" }
            return strongTag(entry.hasPrefix("W/") ? String(entry.dropFirst(2)) : String(entry))
        }
    }

    private static func strongTag(_ field: String) -> String? {
        guard field.utf8.count >= 2, field.hasPrefix("\""), field.hasSuffix("\"") else { return nil }
        let tag = String(field.dropFirst().dropLast())
        return SiteHead.isTag(tag) ? tag : nil
    }

    /// The one part that a `Range` names; nil for several, for other units, and for what is none.
    static func part(_ field: String) -> SiteQuery.Part? {
        guard let equals = field.firstIndex(of: "="), field[..<equals].lowercased() == "bytes" else { return nil }
        let range = field[field.index(after: equals)...].trimmingBlanks()
        guard let dash = range.firstIndex(of: "-") else { return nil }
        let (before, after) = (range[..<dash], range[range.index(after: dash)...])
        switch (before.isEmpty, after.isEmpty) {
        case (false, true): return position(before).map(SiteQuery.Part.from)
        case (true, false): return position(after).map(SiteQuery.Part.last)
        case (false, false):
            guard let first = position(before), let last = position(after), first <= last else { return nil }
            return .between(first, last)
        case (true, true): return nil
        }
    }

    /// A position however far beyond the file: the largest that can be asked for lies behind every end.
    private static func position(_ digits: some StringProtocol) -> Int? {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return min(Int(digits) ?? SiteQuery.maximumPosition, SiteQuery.maximumPosition)
    }

    /// Writes what a head says into the fields of the answer.
    /// - Parameter path: of the query; decides the media type together with the head.
    /// - Returns: the status of the answer.
    static func describe(
        _ head: SiteHead, path: String, target: RequestTarget, in fields: inout HTTPFields
    ) -> HTTPResponse.Status {
        if !head.tag.isEmpty {
            fields[.eTag] = "\"\(head.tag)\""
            fields[.acceptRanges] = "bytes"
        }
        switch head.status {
        case .whole, .part, .missing:
            fields[.contentLength] = String(max(head.size, 0))
            fields[.contentType] =
                head.status == .missing
                ? "text/html; charset=utf-8" : SiteMediaType.ofFile(at: path, claim: head.mediaType)
            guard head.status == .part else { return head.status == .missing ? .notFound : .ok }
            fields[.contentRange] = "bytes \(head.first)-\(head.first + head.size - 1)/\(head.total)"
            return .partialContent
        case .notModified: return .notModified
        case .noSuchPart:
            fields[.contentRange] = "bytes */\(head.total)"
            fields[.contentLength] = "0"
            return .rangeNotSatisfiable
        case .folder:
            // Relative, so that it holds under every address that leads here; what the peer says has no part in it.
            let name = target.path.split(separator: "/").last ?? ""
            fields[.location] = "./\(name)/\(target.querySuffix)"
            fields[.contentLength] = "0"
            return .permanentRedirect
        }
    }
}
