public import Multiformats

/// The group of addresses that one host, or one network, can be presumed to hold.
///
/// An IPv6 customer usually owns a whole /56 with 256 networks in it, so counting addresses or /64 would count nothing.
///
/// Source: go-libp2p v0.48 behaviour, limits per subnet and observed address manager.
public struct AddressScope: Hashable, Sendable {
    private let width: UInt8
    private let bytes: [UInt8]

    /// One IPv4 address, or one IPv6 /56. An IPv4-mapped address is the IPv4 address in it.
    public static func host(_ address: IPAddress) -> AddressScope {
        let bytes = address.host.bytes
        return bytes.count == 4
            ? AddressScope(width: 32, bytes: bytes) : AddressScope(width: 56, bytes: Array(bytes.prefix(7)))
    }

    /// What holds something that is shared out: the host, but of private and link-local IPv6 the address itself. There a /56 is
    /// everybody in the local network, who would share the part of one host.
    public static func holder(_ address: IPAddress) -> AddressScope {
        Self.isLocalIPv6(address) ? AddressScope(width: 128, bytes: address.bytes) : .host(address)
    }

    /// The /56 of a private or link-local IPv6 address; nil for any other. Whoever has one address there can have many, so their
    /// number is to be bounded as well.
    public static func localNetwork(_ address: IPAddress) -> AddressScope? {
        Self.isLocalIPv6(address) ? .host(address) : nil
    }

    private static func isLocalIPv6(_ address: IPAddress) -> Bool {
        address.unmapped.isIPv6 && (address.isPrivate || address.isLinkLocal)
    }

    /// One IPv4 /24, or one IPv6 /48.
    public static func prefix(_ address: IPAddress) -> AddressScope {
        let bytes = address.unmapped.bytes
        return bytes.count == 4
            ? AddressScope(width: 24, bytes: Array(bytes.prefix(3)))
            : AddressScope(width: 48, bytes: Array(bytes.prefix(6)))
    }
}
