import Multiformats

/// Files of a site that changed: what `/goop/watch/1.0.0` tells a visitor.
///
/// Wire shape: protobuf, behind its length as a varint, at most 32 KiB. 1 path (repeated; from the site's root, with its
/// slash in front), 2 true if other files changed too, 3 true if the owner does not show the site to this visitor (any more):
/// nothing follows it. An empty message is a sign of life.
/// Source: docs/protocols.md, "Changes of a site".
public struct SiteChanges: Sendable, Hashable {
    /// The protocol id.
    public static let protocolID = "/goop/watch/1.0.0"
    /// The most paths in one message.
    public static let maximumPaths = 64
    /// The longest message in bytes.
    public static let maximumBytes = 32 * 1024

    /// Each path once, sorted; at most `maximumPaths`.
    public private(set) var paths: [String]
    /// More changed than `paths` tells, or what changed is not known.
    public private(set) var hasMore: Bool
    /// The owner does not show the site to this visitor; nothing else is told.
    public private(set) var isRefusal = false

    /// Nothing changed: a sign of life.
    public init() {
        paths = []
        hasMore = false
    }

    /// Something changed that is not named.
    public static var unnamed: SiteChanges {
        var changes = SiteChanges()
        changes.hasMore = true
        return changes
    }

    /// The last message to somebody to whom the site is not shown.
    public static var refusal: SiteChanges {
        var changes = SiteChanges()
        changes.isRefusal = true
        return changes
    }

    /// Whether nothing changed.
    public var isEmpty: Bool { paths.isEmpty && !hasMore && !isRefusal }

    /// Adds a path; beyond the most paths, or the room of a message, only that there is more.
    public mutating func insert(_ path: String) {
        // Whoever looks through a large folder comes here for each of its files.
        guard !hasMore || paths.count < SiteChanges.maximumPaths else { return }
        guard !paths.contains(where: { ExactText($0) == ExactText(path) }) else { return }
        let room = SiteChanges.maximumBytes - 64 - paths.reduce(0) { $0 + $1.utf8.count + 4 }
        guard paths.count < SiteChanges.maximumPaths, path.utf8.count + 4 <= room else {
            hasMore = true
            return
        }
        paths.insert(path, at: paths.firstIndex { $0 > path } ?? paths.endIndex)
    }

    /// Adds everything of another one.
    public mutating func formUnion(_ other: SiteChanges) {
        for path in other.paths { insert(path) }
        hasMore = hasMore || other.hasMore
    }

    // MARK: Wire

    /// The message, with its length in front.
    public var encoded: [UInt8] {
        var message = ProtobufWriter()
        for path in paths { message.append(1, string: path) }
        if hasMore { message.append(2, bool: true) }
        if isRefusal { message.append(3, bool: true) }
        return SiteMessageReader.framed(message)
    }

    /// Reads a message without its length. Paths that no site can have, and those beyond the most, count as "more".
    /// - Throws: `SiteError` of kind `.protocolViolation`.
    public init(decoding message: ArraySlice<UInt8>) throws(SiteError) {
        self.init()
        var reader = ProtobufReader(message)
        while true {
            let field: ProtobufField?
            do { field = try reader.next() } catch {
                throw SiteError(kind: .protocolViolation, detail: "a change is not a message: \(error)")
            }
            guard let field else { return }
            switch field.number {
            case 1:
                if let text = field.string, let path = try? SitePath(text), path.description == text {
                    insert(text)
                } else {
                    hasMore = true
                }
            case 2: hasMore = hasMore || (field.bool ?? false)
            case 3: isRefusal = isRefusal || (field.bool ?? false)
            default: continue
            }
        }
    }
}
