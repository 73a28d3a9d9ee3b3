public import Multiformats

/// An address of a network interface, with the length of the prefix it shares with its link.
public struct InterfaceAddress: Hashable, Sendable {
    /// The address.
    public let address: IPAddress
    /// Leading bits that are the same for all hosts of the link: 0 to 32 or 0 to 128.
    public let prefixLength: Int

    /// Pairs an address with its prefix length; a length outside of the family's range is clamped to it.
    public init(_ address: IPAddress, prefixLength: Int) {
        self.address = address
        self.prefixLength = max(0, min(prefixLength, address.isIPv6 ? 128 : 32))
    }

    /// Whether `other` has the same family and the same prefix.
    public func sharesPrefix(with other: IPAddress) -> Bool { sharesBits(prefixLength, with: other) }

    /// Whether `other` has the same family and the same first `count` bits.
    func sharesBits(_ count: Int, with other: IPAddress) -> Bool {
        switch (address, other) {
        case (.v4(let a), .v4(let b)):
            return (a ^ b) >> UInt32(32 - min(count, 32)) == 0
        case (.v6(let aHigh, let aLow), .v6(let bHigh, let bLow)):
            guard (aHigh ^ bHigh) >> UInt64(64 - min(count, 64)) == 0 else { return false }
            return count <= 64 || (aLow ^ bLow) >> UInt64(128 - min(count, 128)) == 0
        default:
            return false
        }
    }
}

/// A network interface of this host that is up and can carry packets, as far as peer discovery needs to know it.
public struct NetworkInterface: Hashable, Sendable {
    /// The kernel's number for it; unique while it exists.
    public let index: UInt32
    /// The kernel's name for it, for logs.
    public let name: String
    /// Whether it is the loopback interface.
    public let isLoopback: Bool
    /// Its addresses that may be used now: an IPv6 address still being checked for duplicates is not among them.
    public let addresses: [InterfaceAddress]

    /// Describes an interface; addresses are kept in a canonical order, so that equal sets compare equal.
    public init(index: UInt32, name: String, isLoopback: Bool, addresses: [InterfaceAddress]) {
        self.index = index
        self.name = name
        self.isLoopback = isLoopback
        self.addresses = addresses.sorted { a, b in
            a.address.bytes.count != b.address.bytes.count
                ? a.address.bytes.count < b.address.bytes.count
                : a.address.bytes.lexicographicallyPrecedes(b.address.bytes)
        }
    }

    /// Whether `address` is one of the interface's own.
    public func owns(_ address: IPAddress) -> Bool { addresses.contains { $0.address == address } }

    /// Whether `address` shares a prefix with one of the interface's own.
    public func isOnLink(_ address: IPAddress) -> Bool { addresses.contains { $0.sharesPrefix(with: address) } }
}
