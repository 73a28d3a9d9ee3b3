import Glibc
import Multiformats
public import P2PCore

extension NetworkInterface {
    /// The interfaces of this host that are up and running, by number; at most 256, with at most 64 addresses each.
    ///
    /// An IPv6 address that is still being checked for duplicates, or that failed the check, is left out; its arrival
    /// is a change of its own. An interface that cannot carry multicast is left out unless it is the loopback one.
    /// Costs one system call and the reading of one small file. An empty list if the kernel refuses to tell.
    public static func current() -> [NetworkInterface] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }

        let unready = unreadyIPv6Addresses()
        var found: [String: (index: UInt32, isLoopback: Bool, addresses: [InterfaceAddress])] = [:]
        var next = first
        while let entry = next?.pointee {
            next = entry.ifa_next
            let flags = Int(entry.ifa_flags)
            let isLoopback = flags & IFF_LOOPBACK != 0
            guard flags & IFF_UP != 0, flags & IFF_RUNNING != 0,
                isLoopback || flags & IFF_MULTICAST != 0, let nameStart = entry.ifa_name
            else { continue }
            let name = String(cString: nameStart)
            if found[name] == nil {
                let index = if_nametoindex(nameStart)
                guard index != 0, found.count < 256 else { continue }
                found[name] = (index, isLoopback, [])
            }
            guard let address = Self.address(at: entry.ifa_addr),
                let mask = Self.address(at: entry.ifa_netmask, family: entry.ifa_addr.pointee.sa_family),
                let interface = found[name], interface.addresses.count < 64,
                !unready.contains(Unready(index: interface.index, address: address))
            else { continue }
            let prefix = mask.bytes.reduce(0) { $0 + $1.nonzeroBitCount }
            found[name]?.addresses.append(InterfaceAddress(address, prefixLength: prefix))
        }
        return found.map { name, entry in
            NetworkInterface(
                index: entry.index, name: name, isLoopback: entry.isLoopback, addresses: entry.addresses)
        }.sorted { $0.index < $1.index }
    }

    /// The address in a socket address of IPv4 (at byte 4) or IPv6 (at byte 8).
    private static func address(at pointer: UnsafeMutablePointer<sockaddr>?, family: sa_family_t? = nil) -> IPAddress? {
        guard let pointer else { return nil }
        let raw = UnsafeRawPointer(pointer)
        switch Int32(family ?? pointer.pointee.sa_family) {
        case AF_INET: return IPAddress(bytes: UnsafeRawBufferPointer(start: raw + 4, count: 4))
        case AF_INET6: return IPAddress(bytes: UnsafeRawBufferPointer(start: raw + 8, count: 16))
        default: return nil
        }
    }

    private struct Unready: Hashable {
        let index: UInt32
        let address: IPAddress
    }

    /// The IPv6 addresses marked tentative or as duplicates: `/proc/net/if_inet6`, a line for each address with its
    /// digits, and in hexadecimal interface number, prefix length, scope and flags. Nothing if there is no such file.
    private static func unreadyIPv6Addresses() -> Set<Unready> {
        guard let file = fopen("/proc/net/if_inet6", "re") else { return [] }
        defer { fclose(file) }
        var unready: Set<Unready> = []
        var line = [CChar](repeating: 0, count: 256)
        for _ in 0..<16_384 {
            guard fgets(&line, Int32(line.count), file) != nil else { break }
            let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let fields = text.split(separator: " ", omittingEmptySubsequences: true)
            guard fields.count >= 5, fields[0].utf8.count == 32,
                let high = UInt64(fields[0].prefix(16), radix: 16), let low = UInt64(fields[0].suffix(16), radix: 16),
                let index = UInt32(fields[1], radix: 16), let flags = UInt32(fields[4], radix: 16)
            else { continue }
            // IFA_F_TENTATIVE and IFA_F_DADFAILED of <linux/if_addr.h>.
            if flags & (0x40 | 0x08) != 0 { unready.insert(Unready(index: index, address: .v6(high: high, low: low))) }
        }
        return unready
    }
}
