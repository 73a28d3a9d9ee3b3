import Foundation
import Glibc

/// A disk of a few megabytes, mounted in a temporary folder and taken away at the end; only root can make one.
final class SmallDisk {
    /// Whether one can be made here.
    static let isPossible = (try? SmallDisk(in: TemporaryFolder(), name: "probe", kilobytes: 64)) != nil

    let path: String
    private let temporary: TemporaryFolder

    init(in temporary: TemporaryFolder, name: String, kilobytes: Int) throws {
        self.temporary = temporary
        path = temporary.path + "/" + name
        mkdir(path, 0o700)
        try Self.run("mount", ["-t", "tmpfs", "-o", "size=\(kilobytes)k,mode=700", "tmpfs", path])
    }

    deinit { try? Self.run("umount", ["-l", path]) }

    /// Makes it read-only, or writable again. Files that are open for writing must be closed before.
    func setReadOnly(_ isReadOnly: Bool) throws {
        try Self.run("mount", ["-o", "remount,\(isReadOnly ? "ro" : "rw")", path])
    }

    /// Takes all the room that is left, but for so many bytes.
    func fill(leaving left: off_t = 0) {
        guard let file = fopen(path + "/ballast", "w") else { return }
        defer { fclose(file) }
        setvbuf(file, nil, _IONBF, 0)
        let block = [UInt8](repeating: 7, count: 4096)
        while fwrite(block, 1, block.count, file) == block.count {}
        ftruncate(fileno(file), max(0, ftello(file) - left))
    }

    /// Gives that room back.
    func free() { unlink(path + "/ballast") }

    private static func run(_ program: String, _ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
    }
}
