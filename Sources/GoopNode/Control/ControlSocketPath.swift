import GoopCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A name for a socket that fits a socket address, whatever the length of the folder's path.
///
/// A socket address has room for 107 bytes. A longer path is reached through an opened folder, as
/// `/proc/self/fd/N/NAME`; the folder stays open as long as this value lives.
final class ControlSocketPath: Sendable {
    static let maximumBytes = 100

    /// The name to bind or to connect to.
    let usable: String
    private let descriptor: CInt

    init(_ path: String) throws(FileFault) {
        guard path.utf8.count > ControlSocketPath.maximumBytes else {
            usable = path
            descriptor = -1
            return
        }
        let folder = FolderPath.parent(of: path)
        descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFault("open", folder) }
        usable = "/proc/self/fd/\(descriptor)/\(FolderPath.lastName(of: path))"
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
