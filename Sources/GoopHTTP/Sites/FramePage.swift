import HTTPTypes
import NIOCore

/// The form in which a page of a site goes into its frame: the bytes that its owner made, and behind them one line that loads a
/// script of ours, so that links out of pages without our SDK do not end in silence, and a page's fragment is not lost to a reload.
/// docs/decisions/0011.
enum FramePage {
    /// Where that script is.
    static let script = "/sdk/goop-links.js"
    /// The line. Its length is even, so that it can be blanked in a page of two bytes a character.
    static let line = "\n<script async src=\"\(script)\"></script>\n"
    /// What tells the two forms apart in an entity tag.
    static let tagMark = ".frame"

    /// True for an answer that has this form: a whole page, of the site or its own `404.html`, that is not empty.
    static func isOne(_ status: HTTPResponse.Status, _ fields: HTTPFields, size: Int) -> Bool {
        (status == .ok || status == .notFound) && fields[.contentType] == "text/html; charset=utf-8" && size > 0
            && fields[.contentEncoding] == nil
    }

    /// Tells of the longer form. Parts of it cannot be asked for: what is asked of the peer are parts of the file.
    static func describe(size: Int, in fields: inout HTTPFields) {
        fields[.contentLength] = String(size + line.utf8.count)
        if let tag = fields[.eTag], tag.hasSuffix("\"") { fields[.eTag] = tag.dropLast() + tagMark + "\"" }
        fields[.acceptRanges] = nil
    }

    /// What stands behind a page; blanks behind one that a byte order mark makes UTF-16, where the line would be seen as text.
    /// - Parameter start: the first two bytes of the page.
    static func end(behind start: some Sequence<UInt8>) -> ByteBuffer {
        let blanks = line.utf8.count / 2
        switch Array(start.prefix(2)) {
        case [0xFE, 0xFF]: return ByteBuffer(repeating: [0x00, 0x20], count: blanks)
        case [0xFF, 0xFE]: return ByteBuffer(repeating: [0x20, 0x00], count: blanks)
        default: return ByteBuffer(string: line)
        }
    }
}

extension ByteBuffer {
    /// A pair of bytes, again and again.
    fileprivate init(repeating pair: [UInt8], count: Int) {
        self.init(bytes: (0..<count).flatMap { _ in pair })
    }
}
