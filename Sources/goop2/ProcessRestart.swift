import GoopNode

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Makes this process begin anew: the same program with the same arguments, folder and number, so that whoever started it
/// and waits for it goes on waiting.
enum ProcessRestart {
    /// Returns only if it did not work.
    static func again() -> Failure {
        // Nothing of this run is left open in the next one, the folder's lock and the sockets least of all.
        for descriptor in openDescriptors() where descriptor > STDERR_FILENO {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
        // A new program inherits what is ignored, and what its thread does not hear.
        for number in [SIGTERM, SIGINT, SIGPIPE] { signal(number, SIG_DFL) }
        var nothing = sigset_t()
        sigemptyset(&nothing)
        pthread_sigmask(SIG_SETMASK, &nothing, nil)
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
        // Under its own name; a program whose file is gone is still found by the kernel's.
        if let program = ownProgram() { execv(program, &arguments) }
        execv("/proc/self/exe", &arguments)
        let reason = String(cString: strerror(errno))
        return Failure(.unavailable, "the program cannot be started again: \(reason)", nextStep: "start it by hand")
    }

    /// Where this program was started from.
    private static func ownProgram() -> String? {
        guard let path = realpath("/proc/self/exe", nil) else { return nil }
        defer { free(path) }
        return String(cString: path)
    }

    private static func openDescriptors() -> [CInt] {
        guard let folder = opendir("/proc/self/fd") else { return Array(3..<1024) }
        defer { closedir(folder) }
        var found: [CInt] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let number = CInt(name) { found.append(number) }
        }
        return found
    }
}
