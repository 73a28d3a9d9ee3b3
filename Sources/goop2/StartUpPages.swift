#if canImport(Glibc)
    import Glibc
#endif

/// Gives the pages of the program's file back that only its start has needed.
///
/// The first cast to a protocol makes Swift's runtime read what is known of every type in the program: with everything linked
/// in, that is about half of what a peer at rest had in memory (`docs/benchmarks.md`, the idle peer). It is not needed again,
/// and nothing can be lost: these pages are copies of the file, and whichever is needed is mapped anew, from the page cache.
enum StartUpPages {
    static func release() {
        #if os(Linux)
            // A debugger's breakpoints are changes of these pages, and would be lost.
            guard !isTraced, let path = realpath("/proc/self/exe", nil) else { return }
            defer { free(path) }
            let program = String(cString: path)
            for line in lines(of: "/proc/self/maps") {
                guard let range = code(of: program, in: line),
                    let start = UnsafeMutableRawPointer(bitPattern: range.lowerBound)
                else { continue }
                // Where the kernel refuses, the pages stay: nothing depends on it.
                madvise(start, range.count, MADV_DONTNEED)
            }
        #endif
    }

    /// The addresses that a line of `/proc/self/maps` (proc(5)) gives for a part of the program that can be run; nil for every
    /// other line. What can be run is never written to here, so it equals the file.
    static func code(of program: String, in line: Substring) -> Range<UInt>? {
        let fields = line.split(separator: " ", maxSplits: 5)  // addresses, rights, offset, device, inode, path
        guard fields.count == 6, fields[1] == "r-xp", fields[5].drop(while: { $0 == " " }) == program else {
            return nil
        }
        let ends = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        guard ends.count == 2, ends[0] < ends[1] else { return nil }
        return ends[0]..<ends[1]
    }

    #if os(Linux)
        /// Whether a debugger holds this process (proc(5), `TracerPid`).
        private static var isTraced: Bool {
            !lines(of: "/proc/self/status").contains("TracerPid:\t0")
        }

        /// Nothing where the file cannot be read.
        private static func lines(of path: String) -> [Substring] {
            guard let file = fopen(path, "re") else { return [] }
            defer { fclose(file) }
            var bytes: [UInt8] = []
            var piece = [UInt8](repeating: 0, count: 16_384)
            while case let count = fread(&piece, 1, piece.count, file), count > 0 { bytes += piece[..<count] }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        }
    #endif
}
