#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What this machine and this process have to spend, as far as limits depend on it.
struct Machine: Sendable, Equatable {
    /// Physical memory, or what the process's group (a container, a service) may have of it, in bytes.
    var memoryBytes: UInt64
    /// How many files and sockets the process may have open at one time: the soft limit of RLIMIT_NOFILE.
    var descriptors: UInt64

    /// As it is now. What the system does not tell counts as 4 GiB, or as 1,024 descriptors.
    static func current() -> Machine {
        let (pages, pageBytes) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
        let physical = pages > 0 && pageBytes > 0 ? UInt64(pages) * UInt64(pageBytes) : 4 << 30
        return Machine(
            memoryBytes: min(physical, self.groupMemoryBytes(in: "/sys/fs/cgroup/memory.max") ?? .max),
            descriptors: self.descriptorLimit.map { UInt64($0.rlim_cur) } ?? 1_024)
    }

    /// What a file of Linux's control groups (version 2) allows; nil if there is none, or it says `max`.
    static func groupMemoryBytes(in path: String) -> UInt64? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var line = [UInt8](repeating: 0, count: 32)
        let count = fread(&line, 1, line.count, file)
        return UInt64(String(decoding: line.prefix(count), as: UTF8.self).prefix { $0.isNumber })
    }

    /// Both limits of open files; setting it may fail, and then changes nothing.
    fileprivate static var descriptorLimit: rlimit? {
        get {
            var limit = rlimit()
            return getrlimit(self.openFiles, &limit) == 0 ? limit : nil
        }
        set {
            guard var limit = newValue else { return }
            setrlimit(self.openFiles, &limit)
        }
    }

    #if canImport(Glibc)
        private static let openFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
        private static let openFiles = RLIMIT_NOFILE
    #endif
}

extension ResourceLimits {
    /// `scaled` to the physical memory of this machine, and to how many files this process may have open when the figures are
    /// first asked for; see `Node.raiseDescriptorLimit`.
    public static let ofThisMachine: ResourceLimits = {
        let machine = Machine.current()
        return .scaled(memoryBytes: machine.memoryBytes, descriptors: machine.descriptors)
    }()
}

extension GossipSubLimits {
    /// `scaled` to the physical memory of this machine.
    public static let ofThisMachine: GossipSubLimits = .scaled(memoryBytes: Machine.current().memoryBytes)
}

extension Node {
    /// How many files and sockets this process may have open at one time, as it is now.
    package static var descriptorLimit: Int { Int(clamping: Machine.current().descriptors) }

    /// Raises how many files and sockets this process may have open, to the most that the system allows it (the hard limit of
    /// RLIMIT_NOFILE): every connection takes one. For programs, before they make a configuration, whose limits follow from it;
    /// the library does not do it by itself, because programs started by this one inherit it. Does nothing if it cannot.
    public static func raiseDescriptorLimit() {
        guard var limit = Machine.descriptorLimit else { return }
        limit.rlim_cur = limit.rlim_max
        Machine.descriptorLimit = limit
    }
}
