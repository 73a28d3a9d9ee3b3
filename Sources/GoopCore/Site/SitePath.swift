/// A path inside a site that a visitor may ask for: the lexical half of the guard.
///
/// The caller has removed percent-encoding already; nothing is decoded here. The other half looks at the file that the
/// names lead to (links may lead anywhere) and asks `refusal(ofResolved:hidden:)` again.
///
/// Refused: names that climb above the root at any point, also if they come back; dot-files and dot-folders; `lua` and
/// other hidden folders in any letter case; NUL, other control characters, and backslashes.
/// Source: P2P wire reference, sections 4.4 and 8 (items 7 and 8).
public struct SitePath: Sendable, Hashable, CustomStringConvertible {
    /// The longest path in UTF-8 bytes.
    public static let maximumBytes = 2048
    /// The longest name in UTF-8 bytes: what file systems can hold.
    public static let maximumNameBytes = 255
    /// Folders under the site's root that are never served.
    public static let alwaysHidden: [[String]] = [["lua"]]

    /// The names from the root down, at least one; without `.`, `..` and empty names.
    public let components: [String]
    /// True if the path ended in a slash, so that it can only mean a folder.
    public let namesFolder: Bool

    /// Checks a path as a visitor wrote it; the empty path and `/` mean `index.html`.
    /// - Parameter hidden: folders under the root that are not served, as lists of names.
    /// - Throws: `SiteError` of kind `.badRequest`, `.forbidden`, or `.notFound` for names no file can have.
    public init(_ text: String, hidden: [[String]] = SitePath.alwaysHidden) throws(SiteError) {
        let size = text.utf8.count
        guard size <= SitePath.maximumBytes else {
            throw SiteError(
                kind: .badRequest, detail: "the path has \(size) bytes; the limit is \(SitePath.maximumBytes)")
        }
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw SiteError(kind: .badRequest, detail: "the path holds a backslash or a control character")
        }
        var names: [String] = []
        for name in SitePath.names(in: text) {
            switch name {
            case ".": continue
            case "..":
                guard names.popLast() != nil else {
                    throw SiteError(kind: .forbidden, detail: "the path leaves the site")
                }
            default: names.append(name)
            }
        }
        if let refusal = SitePath.refusal(ofResolved: names, hidden: hidden) { throw refusal }
        guard names.allSatisfy({ $0.utf8.count <= SitePath.maximumNameBytes }) else {
            throw SiteError(kind: .notFound, detail: "a name is longer than \(SitePath.maximumNameBytes) bytes")
        }
        let last = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).last.map(Array.init)
        namesFolder = !names.isEmpty && (last == [] || last == Array(".".utf8) || last == Array("..".utf8))
        components = names.isEmpty ? ["index.html"] : names
    }

    /// The names between slashes, without empty ones.
    ///
    /// By bytes, as the system reads a path: to Swift a slash and a combining accent behind it are one character, so that
    /// a split by characters would leave a name with a slash in it.
    static func names(in path: some StringProtocol) -> [String] {
        path.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Why a file at these names under the root is not served, or nil if it is.
    public static func refusal(ofResolved components: [String], hidden: [[String]] = alwaysHidden) -> SiteError? {
        if components.contains(where: { $0.utf8.first == UInt8(ascii: ".") }) {
            return SiteError(kind: .forbidden, detail: "names that begin with a dot are not served")
        }
        let folded = components.map { $0.lowercased() }
        if let folder = hidden.first(where: { !$0.isEmpty && folded.starts(with: $0.map { $0.lowercased() }) }) {
            return SiteError(kind: .forbidden, detail: "\(folder.joined(separator: "/")) is not served")
        }
        return nil
    }

    /// The path from the root, beginning with a slash.
    public var description: String { "/" + components.joined(separator: "/") + (namesFolder ? "/" : "") }
}
