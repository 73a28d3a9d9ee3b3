public import Multiformats

/// All IP addresses that begin alike: `10.1.0.0/16`, `2001:db8::/32`, or a single address.
public struct IPPrefix: Sendable, Hashable, CustomStringConvertible {
    /// The address, of which only the first `length` bits count; IPv4-mapped ones count as IPv4.
    public let address: IPAddress
    /// How many bits, 0 to 32 or 128.
    public let length: Int

    /// Reads `ADDRESS` or `ADDRESS/LENGTH`; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPAddress(String(parts[0]))?.unmapped else { return nil }
        let longest = address.isIPv6 ? 128 : 32
        guard parts.count == 2 else {
            self.init(address, length: longest)
            return
        }
        let digits = parts[1]
        guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let length = Int(digits), length <= longest
        else { return nil }
        self.init(address, length: length)
    }

    /// The first bits of an address.
    public init(_ address: IPAddress, length: Int) {
        self.address = address.unmapped
        self.length = min(max(length, 0), self.address.isIPv6 ? 128 : 32)
    }

    /// True for an address that begins alike. IPv4 and IPv6 never do, but an IPv4-mapped address counts as IPv4.
    public func contains(_ other: IPAddress) -> Bool {
        let mine = address.bytes
        let theirs = other.unmapped.bytes
        guard mine.count == theirs.count else { return false }
        let whole = length / 8
        guard mine.prefix(whole) == theirs.prefix(whole) else { return false }
        let rest = length % 8
        return rest == 0 || (mine[whole] ^ theirs[whole]) >> UInt8(8 - rest) == 0
    }

    /// `ADDRESS/LENGTH`.
    public var description: String { "\(address)/\(length)" }
}
