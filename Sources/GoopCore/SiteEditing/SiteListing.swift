#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What is in the folder of a site.
public struct SiteListing: Sendable, Hashable {
    /// Sorted by path.
    public var entries: [SiteEntry] = []
    /// How many names are left out because no visitor is served them: with a dot in front, in `lua`, or no text.
    public var unserved = 0
    /// False if there is more than is listed.
    public var isComplete = true

    /// An empty folder.
    public init() {}
}

/// One file or folder of a site.
public struct SiteEntry: Sendable, Hashable {
    /// What it is.
    public enum Kind: String, Sendable, Hashable {
        case file
        case folder
        /// Visitors get the file it leads to, if that is in the site.
        case link
        /// A socket, a device: never served.
        case other
    }

    /// From the site's root.
    public var path: String
    /// What it is.
    public var kind: Kind
    /// Of a file, in bytes.
    public var size: Int
    /// When its content changed, in milliseconds of UNIX time.
    public var changedMilliseconds: Int64
    /// Differs when the content may differ.
    public var stamp: String

    /// All of it.
    public init(path: String, kind: Kind, size: Int, changedMilliseconds: Int64, stamp: String) {
        self.path = path
        self.kind = kind
        self.size = size
        self.changedMilliseconds = changedMilliseconds
        self.stamp = stamp
    }

    init(path: String, status: stat) {
        self.path = path
        kind = Kind(status)
        let times = FileStamp(status)
        size = kind == .file ? times.size : 0
        changedMilliseconds = times.modified / 1_000_000
        stamp = "\(times.inode)-\(times.size)-\(times.modified)-\(times.changed)"
    }
}

extension SiteEntry.Kind {
    /// Of what the system says; a link is not followed.
    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: self = .file
        case S_IFDIR: self = .folder
        case S_IFLNK: self = .link
        default: self = .other
        }
    }
}
