public import GoopCore
public import NIOCore

/// What the room "My site" does with the folder of the own site.
///
/// Paths are from the site's folder, without a slash in front. Every change is on the disk when the call returns.
public protocol SiteDesk: Sendable {
    /// What is in the folder now.
    func sheet() async throws(SiteEditError) -> SiteSheet
    /// Makes a folder, and those above it.
    func makeFolder(_ path: String) async throws(SiteEditError)
    /// Gives a file or folder another name or place.
    /// - Parameter replaces: a file that is there is replaced by this file, and goes to the trash.
    func move(_ path: String, to newPath: String, replaces: Bool) async throws(SiteEditError)
    /// What would go for good, before its time in the trash is over, if a file or folder were deleted now.
    func pushedOut(byDeleting path: String) async throws(SiteEditError) -> [DeletedItem]
    /// Moves a file or folder to the trash.
    func delete(_ path: String) async throws(SiteEditError) -> DeletedItem
    /// Takes something out of the trash, to where it was.
    /// - Parameter replaces: a file that is there now goes to the trash in its place.
    /// - Returns: where it is again.
    func restore(_ ticket: String, replaces: Bool) async throws(SiteEditError) -> String
    /// Makes what is in the trash go for good.
    func emptyTrash() async
    /// A short text, to be edited.
    func text(at path: String) async throws(SiteEditError) -> SiteText
    /// Begins a file that arrives in parts.
    /// - Parameter size: of the whole file, in bytes.
    func upload(_ path: String, size: Int, condition: UploadCondition) async throws(SiteEditError) -> any SiteUpload
    /// What a starter site would write.
    func starterFiles(_ name: String) async throws(SiteEditError) -> [StarterFile]
    /// Writes a starter site, and makes its tables where they are missing. A file that is there and differs is replaced only
    /// if it is named, and goes to the trash.
    /// - Returns: the tables that were there, which stay as they are.
    /// - Throws: `.exists` for the first file that is there and not named; then nothing was written.
    func applyStarter(_ name: String, replacing: Set<String>) async throws(SiteEditError) -> [KeptTable]
}

/// A file on its way into the site; dropped before `finish`, it leaves nothing behind.
public protocol SiteUpload: Sendable {
    /// Adds bytes at the end.
    func append(_ bytes: ByteBuffer) async throws(SiteEditError)
    /// Puts the file in its place, when all of it is on the disk.
    func finish() async throws(SiteEditError) -> SiteEntry
}

/// The folder of the site as the page shows it.
public struct SiteSheet: Sendable, Hashable {
    /// Where it is on this computer.
    public var folder: String
    /// What is in it.
    public var listing: SiteListing
    /// What was deleted or replaced and can come back, newest first.
    public var deleted: [DeletedItem]
    /// What that may have at most.
    package var trashLimits: SiteTrash.Limits
    /// Bytes that the disk has left; nil if that is not known.
    public var freeBytes: Int?
    /// The largest file that is taken, in bytes.
    public var maximumFileBytes: Int
    /// Sites to start from.
    public var starters: [Starter]

    /// One site to start from.
    public struct Starter: Sendable, Hashable {
        /// As `POST site/starter/check` takes it.
        public var name: String
        /// What it is, in a few words.
        public var summary: String

        /// Both.
        public init(name: String, summary: String) {
            self.name = name
            self.summary = summary
        }
    }

    /// All of it.
    package init(
        folder: String, listing: SiteListing, deleted: [DeletedItem], trashLimits: SiteTrash.Limits, freeBytes: Int?,
        maximumFileBytes: Int, starters: [Starter]
    ) {
        self.folder = folder
        self.listing = listing
        self.deleted = deleted
        self.trashLimits = trashLimits
        self.freeBytes = freeBytes
        self.maximumFileBytes = maximumFileBytes
        self.starters = starters
    }
}

/// A text of the site, and the stamp that its file had.
public struct SiteText: Sendable, Hashable {
    /// From the site's folder.
    public var path: String
    /// All of it.
    public var text: String
    /// To be given back with the changed text, so that nobody else's change is lost.
    public var stamp: String

    /// All of it.
    public init(path: String, text: String, stamp: String) {
        self.path = path
        self.text = text
        self.stamp = stamp
    }
}

/// A table that a starter site uses and that was there before it.
public struct KeptTable: Sendable, Hashable {
    /// As the pages name it.
    public var name: String
    /// The columns that the pages need; the table may have others.
    public var columns: [String]

    /// Makes it of its parts.
    public init(name: String, columns: [String]) {
        self.name = name
        self.columns = columns
    }
}

/// One file of a starter site, against what is in the folder.
public struct StarterFile: Sendable, Hashable {
    /// What writing it would do.
    public enum Effect: String, Sendable, Hashable {
        /// Nothing is there.
        case new
        /// The same file is there.
        case same
        /// Another file is there, and would go to the trash.
        case replaces
        /// A folder is there, or a file where a folder is needed: it cannot be written.
        case blocked
    }

    /// From the site's folder.
    public var path: String
    /// What writing it would do.
    public var effect: Effect

    /// Both.
    public init(path: String, effect: Effect) {
        self.path = path
        self.effect = effect
    }
}
