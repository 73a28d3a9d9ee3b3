/// An IPv4 or IPv6 address, without a zone.
public enum IPAddress: Hashable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    /// IPv4, most significant byte first: 127.0.0.1 is `0x7f000001`.
    case v4(UInt32)
    /// IPv6, the first and the last eight bytes, most significant first.
    case v6(high: UInt64, low: UInt64)

    /// The 4 or 16 bytes in network order.
    public var bytes: [UInt8] {
        switch self {
        case .v4(let value): Self.bigEndian(UInt64(value), count: 4)
        case .v6(let high, let low): Self.bigEndian(high, count: 8) + Self.bigEndian(low, count: 8)
        }
    }

    /// Reads 4 or 16 bytes in network order; any other count gives `nil`.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4:
            self = .v4(bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            self = .v6(
                high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
                low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
        default:
            return nil
        }
    }

    /// Whether this is an IPv6 address, an IPv4-mapped one included.
    public var isIPv6: Bool {
        if case .v6 = self { true } else { false }
    }

    /// The IPv4 address inside an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`), else the address itself.
    public var unmapped: IPAddress {
        if case .v6(0, let low) = self, low >> 32 == 0xffff { return .v4(UInt32(truncatingIfNeeded: low)) }
        return self
    }

    /// What a limit per address counts as one: an IPv4 address itself (an IPv4-mapped one is the address in it); of IPv6 the
    /// /56 around it, which whoever has one address of it usually has whole.
    public var host: IPAddress {
        if case .v6(let high, _) = unmapped { .v6(high: high & ~0xff, low: 0) } else { unmapped }
    }

    /// Who holds something that is shared out: the `host`, but of private and link-local IPv6 the address itself. There a /56 is
    /// everybody in the local network, who would share the part of one host.
    public var holder: IPAddress { localNetwork == nil ? host : self }

    /// The /56 of a private or link-local IPv6 address; nil for any other. Whoever has one address there can have many, so their
    /// number is to be bounded as well.
    public var localNetwork: IPAddress? {
        unmapped.isIPv6 && (isPrivate || isLinkLocal) ? host : nil
    }

    private static func bigEndian(_ value: UInt64, count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - $0))) }
    }
}

// MARK: - Classes

extension IPAddress {
    /// 127.0.0.0/8 or ::1.
    public var isLoopback: Bool {
        switch unmapped {
        case .v4(let value): value >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    /// 0.0.0.0 or ::, the wildcard of listen addresses.
    public var isUnspecified: Bool {
        switch unmapped {
        case .v4(let value): value == 0
        case .v6(let high, let low): high == 0 && low == 0
        }
    }

    /// 169.254.0.0/16 or fe80::/10.
    public var isLinkLocal: Bool {
        switch unmapped {
        case .v4(let value): value >> 16 == 0xa9fe
        case .v6(let high, _): high >> 54 == 0x3fa
        }
    }

    /// 224.0.0.0/4 or ff00::/8.
    public var isMulticast: Bool {
        switch unmapped {
        case .v4(let value): value >> 28 == 0xe
        case .v6(let high, _): high >> 56 == 0xff
        }
    }

    /// An address of a local network that is routed there: RFC 1918, the carrier-grade NAT range 100.64.0.0/10, or the
    /// unique local range fc00::/7. Loopback and link-local addresses are classes of their own.
    public var isPrivate: Bool {
        switch unmapped {
        case .v4(let value):
            value >> 24 == 10 || value >> 20 == 0xac1 || value >> 16 == 0xc0a8 || value >> 22 == 0x191
        case .v6(let high, _):
            high >> 57 == 0x7e
        }
    }

    /// An address that the internet routes: not private, loopback, link-local, multicast, reserved or for documentation.
    ///
    /// Of IPv6 only 2000::/3 counts, and the NAT64 prefix 64:ff9b::/96 around a public IPv4 address.
    /// Source: the special-purpose address registries of IANA (RFC 6890 and successors).
    public var isPublic: Bool {
        switch unmapped {
        case .v4(let value):
            !(isPrivate || isLoopback || isLinkLocal || Self.reservedIPv4.contains { value >> $0.shift == $0.prefix })
        case .v6(0x0064_ff9b_0000_0000, let low):
            low >> 32 == 0 && IPAddress.v4(UInt32(truncatingIfNeeded: low)).isPublic
        case .v6(let high, _):
            high >> 61 == 1 && high >> 32 != 0x2001_0db8 && high >> 44 != 0x3fff0
        }
    }

    /// This network, IETF assignments, three documentation ranges, 6to4 anycast, benchmarking, multicast, and class E.
    private static let reservedIPv4: [(prefix: UInt32, shift: UInt32)] = [
        (0x00, 24), (0xc00000, 8), (0xc00002, 8), (0xc05863, 8), (0xc612 >> 1, 17), (0xc63364, 8), (0xcb0071, 8),
        (0xe, 28), (0xf, 28),
    ]
}

// MARK: - Text

extension IPAddress {
    /// Reads `a.b.c.d` in plain decimal, or any RFC 4291 form of IPv6; zones, brackets and spaces are refused.
    public init?(_ text: String) {
        let utf8 = Array(text.utf8.prefix(46))
        guard utf8.count <= 45 else { return nil }
        let address = utf8.contains(UInt8(ascii: ":")) ? Self.parseIPv6(utf8[...]) : Self.parseIPv4(utf8[...])
        guard let address else { return nil }
        self = address
    }

    /// The text form: RFC 5952 for IPv6, IPv4-mapped addresses as `::ffff:a.b.c.d`.
    public var description: String {
        switch self {
        case .v4(let value):
            return Self.dotted(value)
        case .v6(0, let low) where low >> 32 == 0xffff:
            return "::ffff:\(Self.dotted(UInt32(truncatingIfNeeded: low)))"
        case .v6(let high, let low):
            let groups = (0..<8).map { index -> UInt16 in
                let half = index < 4 ? high : low
                return UInt16(truncatingIfNeeded: half >> UInt64(48 - 16 * (index & 3)))
            }
            return Self.compressed(groups)
        }
    }

    private static func dotted(_ value: UInt32) -> String {
        "\(value >> 24).\(value >> 16 & 0xff).\(value >> 8 & 0xff).\(value & 0xff)"
    }

    /// The longest run of two or more zero groups, the first of equals, becomes `::`.
    private static func compressed(_ groups: [UInt16]) -> String {
        var best = 0..<0
        var start = 0
        for index in 0...groups.count where index == groups.count || groups[index] != 0 {
            if index - start > max(best.count, 1) { best = start..<index }
            start = index + 1
        }
        func hex(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if best.isEmpty { return hex(groups[...]) }
        return "\(hex(groups[..<best.lowerBound]))::\(hex(groups[best.upperBound...]))"
    }

    private static func parseIPv4(_ text: ArraySlice<UInt8>) -> IPAddress? {
        let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard 1...3 ~= part.count, part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var octet: UInt32 = 0
            for digit in part {
                guard 0x30...0x39 ~= digit else { return nil }
                octet = octet * 10 + UInt32(digit - 0x30)
            }
            guard octet <= 255 else { return nil }
            value = value << 8 | octet
        }
        return .v4(value)
    }

    private static func parseIPv6(_ text: ArraySlice<UInt8>) -> IPAddress? {
        var groups: [UInt16] = []
        var gap: Int?
        var rest = text
        let colon = UInt8(ascii: ":")
        if rest.starts(with: [colon, colon]) {
            gap = 0
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            let part = rest.prefix { $0 != colon }
            if part.contains(UInt8(ascii: ".")) {
                guard part.count == rest.count, case .v4(let value)? = parseIPv4(part) else { return nil }
                groups.append(UInt16(truncatingIfNeeded: value >> 16))
                groups.append(UInt16(truncatingIfNeeded: value))
                break
            }
            guard 1...4 ~= part.count, groups.count < 8, let group = parseHexGroup(part) else { return nil }
            groups.append(group)
            rest = rest.dropFirst(part.count)
            if rest.isEmpty { break }
            rest = rest.dropFirst()
            if rest.first == colon {
                guard gap == nil else { return nil }
                gap = groups.count
                rest = rest.dropFirst()
            } else if rest.isEmpty {
                return nil
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        return .v6(
            high: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
            low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) })
    }

    private static func parseHexGroup(_ digits: ArraySlice<UInt8>) -> UInt16? {
        var value: UInt16 = 0
        for digit in digits {
            switch digit {
            case 0x30...0x39: value = value << 4 | UInt16(digit - 0x30)
            case 0x61...0x66: value = value << 4 | UInt16(digit - 0x57)
            case 0x41...0x46: value = value << 4 | UInt16(digit - 0x37)
            default: return nil
            }
        }
        return value
    }
}
