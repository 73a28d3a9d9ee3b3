import FoundationEssentials
import GoopCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A process that listens on a port of this machine.
struct PortHolder: Sendable, Hashable, CustomStringConvertible {
    let processID: Int
    let name: String

    var description: String { "\(name), process \(processID)" }

    /// Looks in `/proc` for the listener on a loopback or wildcard TCP port.
    ///
    /// Best effort for an error message: nil when the process belongs to somebody else or `/proc` is not readable.
    static func find(port: Int) -> PortHolder? {
        let inodes = ["/proc/net/tcp", "/proc/net/tcp6"].reduce(into: Set<Substring>()) { found, table in
            for line in text(of: table).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ", omittingEmptySubsequences: true)
                // Fields: slot, local address, remote address, state (0A = listening), ..., inode at 9.
                guard fields.count > 9, fields[3] == "0A", let hex = fields[1].split(separator: ":").last,
                    Int(hex, radix: 16) == port
                else { continue }
                found.insert(fields[9])
            }
        }
        guard !inodes.isEmpty, let entries = try? FileManager.default.contentsOfDirectory(atPath: "/proc") else {
            return nil
        }
        for processID in entries.compactMap({ Int($0) }) {
            let folder = "/proc/\(processID)/fd"
            guard let descriptors = try? FileManager.default.contentsOfDirectory(atPath: folder) else { continue }
            for descriptor in descriptors {
                guard
                    let target = try? FileManager.default.destinationOfSymbolicLink(atPath: folder + "/" + descriptor),
                    target.hasPrefix("socket:["), inodes.contains(target.dropFirst(8).dropLast())
                else { continue }
                let name = text(of: "/proc/\(processID)/comm").trimmingBlanks()
                return PortHolder(processID: processID, name: name.isEmpty ? "a program" : name)
            }
        }
        return nil
    }

    /// Reads a file of `/proc`, whose size the system gives as zero; at most 4 MiB, empty when not readable.
    private static func text(of path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 * 1024)
        while bytes.count < 4 << 20 {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes += chunk[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
