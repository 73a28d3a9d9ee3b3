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

    /// See `IPAddress.holder`.
    public static func holder(_ address: IPAddress) -> AddressScope {
        address.localNetwork == nil ? .host(address) : AddressScope(width: 128, bytes: address.bytes)
    }

    /// See `IPAddress.localNetwork`.
    public static func localNetwork(_ address: IPAddress) -> AddressScope? { address.localNetwork.map { .host($0) } }

    /// One IPv4 /24, or one IPv6 /48.
    public static func prefix(_ address: IPAddress) -> AddressScope {
        let bytes = address.unmapped.bytes
        return bytes.count == 4
            ? AddressScope(width: 24, bytes: Array(bytes.prefix(3)))
            : AddressScope(width: 48, bytes: Array(bytes.prefix(6)))
    }
}
