#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Why a change to the folder of a site was refused or failed. Nothing was changed then.
public struct SiteEditError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The class of the failure.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// No file can have this name.
        case badName
        /// A name that is never served, so the room does not make it.
        case hidden
        case missing
        /// Something else has the name.
        case exists
        /// A file, or a link, stands where a folder is needed.
        case notFolder
        /// A folder stands where a file is needed.
        case isFolder
        /// The disk has no room.
        case full
        /// The system does not let this program do it.
        case denied
        case tooLarge
        /// The file is not any more what the page showed.
        case changed
        /// Fewer or more bytes than were announced.
        case incomplete
        /// Not text in UTF-8.
        case notText
        /// Anything else that the file system says.
        case failed
    }

    /// The class of the failure.
    public var kind: Kind
    /// What it is about, from the site's root; empty for the root, which may be named as a whole, with a slash in front.
    public var path: String
    /// What the system or a rule said; may be empty.
    public var detail: String

    /// Makes an error.
    public init(_ kind: Kind, _ path: String, detail: String = "") {
        self.kind = kind
        self.path = path
        self.detail = detail
    }

    /// Takes the error of the system call that failed just now.
    init(system path: String, code: CInt = errno) {
        let kind: Kind =
            switch code {
            case ENOENT: .missing
            case EEXIST, ENOTEMPTY: .exists
            case ENOTDIR, ELOOP: .notFolder
            case EISDIR: .isFolder
            case ENOSPC, EDQUOT: .full
            case EACCES, EPERM, EROFS: .denied
            case ENAMETOOLONG, EINVAL: .badName
            case EFBIG: .tooLarge
            default: .failed
            }
        self.init(kind, path, detail: String(cString: strerror(code)))
    }

    /// What happened, for a person.
    public var cause: String {
        let name = path.isEmpty ? "the site’s folder" : "“\(path)”"
        return switch kind {
        case .badName: "\(name) cannot be the name of a file"
        case .hidden: "\(name) would never be shown to visitors"
        case .missing: "\(name) is not there any more"
        case .exists: "\(name) exists already"
        case .notFolder: "\(name) is no folder"
        case .isFolder: "\(name) is a folder"
        case .full: "the disk is full"
        case .denied: "\(name) may not be read or changed by this program"
        case .tooLarge: "\(name) is too large"
        case .changed: "\(name) was changed by something else in the meantime"
        case .incomplete: "\(name) did not arrive whole"
        case .notText: "\(name) is no text that can be edited here"
        case .failed: "\(name) could not be changed"
        }
    }

    /// What to do about it, for a person.
    public var nextStep: String {
        let step =
            switch kind {
            case .badName: "choose another name"
            case .hidden: "choose a name that does not begin with a dot, outside of the folder lua"
            case .missing: "reload the page to see what is there"
            case .exists: "choose another name, or remove what is there first"
            case .notFolder: "choose another place"
            case .isFolder: "choose another name, or remove the folder first"
            case .full: "make room, for example by emptying the trash, and try again"
            case .denied: "check whose folder it is, and its permissions"
            case .tooLarge: "put it into the folder by other means"
            case .changed: "reload the page, and make your change again"
            case .incomplete: "try again"
            case .notText: "edit it with a program of your own, in the folder"
            case .failed: "check the disk"
            }
        return detail.isEmpty ? step : "\(step) (\(detail))"
    }

    /// One line.
    public var description: String { "\(cause); \(nextStep)" }
}
