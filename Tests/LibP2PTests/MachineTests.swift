import Foundation
import Testing

@testable import LibP2P

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite("Limits of this machine") struct MachineTests {
    @Test("a configuration begins with the figures of the machine that it runs on")
    func configuration() {
        let limits = Node.Configuration(identity: .generate()).limits
        let machine = Machine.current()
        #expect(machine.memoryBytes > 64 << 20 && machine.descriptors > 0)
        // Without descriptors, which other tests may change.
        let scaled = ResourceLimits.scaled(memoryBytes: machine.memoryBytes, descriptors: .max)
        #expect(limits.streams == scaled.streams && limits.streamBytes == scaled.streamBytes)
        #expect(limits.connections <= scaled.connections)
        #expect(limits == ResourceLimits.ofThisMachine)
        #expect(PubSub.Configuration().limits == GossipSubLimits.scaled(memoryBytes: machine.memoryBytes))
    }

    @Test(
        "a group's bound on memory is read where there is one",
        arguments: [("max\n", nil), ("536870912\n", 536_870_912), ("", nil)])
    func group(text: String, bytes: UInt64?) throws {
        let path = NSTemporaryDirectory() + "memory.max." + String(UInt64.random(in: 0 ... .max), radix: 36)
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        defer { unlink(path) }
        #expect(Machine.groupMemoryBytes(in: path) == bytes)
        #expect(Machine.groupMemoryBytes(in: path + ".none") == nil)
    }

    @Test("once that was asked for, as many files may be open as the system allows, and the machine shows them")
    func descriptors() {
        #if canImport(Glibc)
            let openFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let openFiles = RLIMIT_NOFILE
        #endif
        var limit = rlimit()
        #expect(getrlimit(openFiles, &limit) == 0)
        // One fewer harms no test beside this one.
        var lower = limit
        lower.rlim_cur = min(lower.rlim_cur, lower.rlim_max - 1)
        #expect(setrlimit(openFiles, &lower) == 0)
        #expect(Machine.current().descriptors < limit.rlim_max)
        Node.raiseDescriptorLimit()
        #expect(Machine.current().descriptors == limit.rlim_max)
    }
}
