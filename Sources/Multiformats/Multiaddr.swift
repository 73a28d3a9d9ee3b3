/// A self-describing network address: a path of protocols, such as `/ip4/192.0.2.1/tcp/4001`.
///
/// Wire shape: per component varint(code), for protocols of variable size varint(length), value.
/// Holds its binary form, which was checked when it was made: it is never empty, every component is known and valid.
/// Equality compares the binary form. Source: multiformats multiaddr specification.
public struct Multiaddr: Hashable, Sendable {
    /// The longest binary form that is read, in bytes.
    public static let maximumLength = 4096
    /// The longest text that is read, in bytes.
    public static let maximumTextLength = 8192

    /// One protocol with its value.
    public struct Component: Hashable, Sendable {
        /// The protocol.
        public let `protocol`: MultiaddrProtocol
        /// The value without its length; empty for protocols that have none.
        public let value: ArraySlice<UInt8>

        /// The value in text, without a leading slash; `nil` for protocols that have none.
        public var text: String? { MultiaddrValue.text(of: self) }
    }

    /// The binary form.
    public let bytes: [UInt8]

    /// For bytes that are known to be valid.
    init(unchecked bytes: [UInt8]) { self.bytes = bytes }

    /// Reads the binary form, which must fill `bytes`.
    ///
    /// In a list of addresses from a peer one refusal should cost that address only.
    /// - Throws: `.empty`, `.tooLong`, or what is wrong with the first bad component.
    public init(bytes: some Collection<UInt8>) throws(MultiaddrError) {
        guard bytes.count <= Self.maximumLength else { throw .tooLong(limit: Self.maximumLength) }
        guard !bytes.isEmpty else { throw .empty }
        let copy = Array(bytes)
        var cursor = MultiaddrCursor(copy)
        while let component = try cursor.next() {
            guard MultiaddrValue.isValid(component) else { throw .invalidValue(component.protocol) }
            // In text a path takes all that follows, so that an address with more behind it would read back as another.
            guard component.protocol != .unix || cursor.offset == copy.count else { throw .invalidValue(.unix) }
        }
        self.bytes = copy
    }

    /// An address of an IP address and a TCP port.
    public init(ip: IPAddress, tcpPort: UInt16) { self.init(ip: ip, .tcp, port: tcpPort) }

    /// An address of an IP address and a UDP port.
    public init(ip: IPAddress, udpPort: UInt16) { self.init(ip: ip, .udp, port: udpPort) }

    /// An address that is nothing but `/p2p/…`.
    /// - Parameter multihash: the bytes of a valid peer id.
    public init(peerIDBytes multihash: [UInt8]) {
        var bytes: [UInt8] = []
        MultiaddrValue.append(.p2p, value: multihash, to: &bytes)
        self.bytes = bytes
    }

    /// An address of a socket in the file system.
    /// - Returns: `nil` unless the path is absolute, longer than `/`, and does not end with a slash.
    public init?(unixPath path: String) {
        let value = Array(path.utf8)
        guard value.count <= Self.maximumLength - 4,
            MultiaddrValue.isValid(Component(protocol: .unix, value: value[...]))
        else { return nil }
        var bytes: [UInt8] = []
        MultiaddrValue.append(.unix, value: value, to: &bytes)
        self.bytes = bytes
    }

    /// The path of a socket in the file system, if the address begins with one.
    public var unixPath: String? {
        guard let first, first.protocol == .unix else { return nil }
        return String(decoding: first.value, as: UTF8.self)
    }

    private init(ip: IPAddress, _ transport: MultiaddrProtocol, port: UInt16) {
        var bytes: [UInt8] = []
        MultiaddrValue.append(ip.isIPv6 ? .ip6 : .ip4, value: ip.bytes, to: &bytes)
        MultiaddrValue.append(
            transport, value: [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)], to: &bytes)
        self.bytes = bytes
    }

    /// All components in their order.
    public var components: [Component] {
        var components: [Component] = []
        var cursor = MultiaddrCursor(bytes)
        while let component = cursor.nextChecked() { components.append(component) }
        return components
    }
}

// MARK: - Taking apart and putting together

extension Multiaddr {
    /// What stands before the last component of a protocol: the whole address if there is none, `nil` if nothing remains.
    public func decapsulatingLast(_ protocol: MultiaddrProtocol) -> Multiaddr? {
        var cut: Int?
        var cursor = MultiaddrCursor(bytes)
        var start = cursor.offset
        while let component = cursor.nextChecked() {
            if component.protocol == `protocol` { cut = start }
            start = cursor.offset
        }
        guard let cut else { return self }
        return cut == 0 ? nil : Multiaddr(unchecked: Array(bytes[..<cut]))
    }

    /// The first component.
    public var first: Component? {
        var cursor = MultiaddrCursor(bytes)
        return cursor.nextChecked()
    }

    /// The last component.
    public var last: Component? {
        var cursor = MultiaddrCursor(bytes)
        var last: Component?
        while let component = cursor.nextChecked() { last = component }
        return last
    }

    /// The first component of a protocol.
    public func first(_ protocol: MultiaddrProtocol) -> Component? {
        var cursor = MultiaddrCursor(bytes)
        while let component = cursor.nextChecked() {
            if component.protocol == `protocol` { return component }
        }
        return nil
    }

    /// Whether a component of this protocol is there.
    public func contains(_ protocol: MultiaddrProtocol) -> Bool { first(`protocol`) != nil }

    /// The multihash of the peer that the address leads to: the value of `/p2p/…` if that is the last component.
    public var peerIDBytes: [UInt8]? {
        guard let last, last.protocol == .p2p else { return nil }
        return Array(last.value)
    }

    /// The address without a trailing `/p2p/…`. An address that is nothing but `/p2p/…` stays as it is, because there is
    /// no empty address.
    public var withoutPeerID: Multiaddr {
        peerIDBytes == nil ? self : decapsulatingLast(.p2p) ?? self
    }

    /// This address with `/p2p/…` behind it, unless it ends with just that already.
    /// - Parameter multihash: the bytes of a valid peer id.
    public func appending(peerIDBytes multihash: [UInt8]) -> Multiaddr {
        if peerIDBytes == multihash { return self }
        var bytes = self.bytes
        MultiaddrValue.append(.p2p, value: multihash, to: &bytes)
        return Multiaddr(unchecked: bytes)
    }
}

// MARK: - What kind of address

extension Multiaddr {
    /// The IP address at the front, behind a zone if there is one.
    public var ipAddress: IPAddress? {
        var cursor = MultiaddrCursor(bytes)
        guard var component = cursor.nextChecked() else { return nil }
        if component.protocol == .ip6zone, let next = cursor.nextChecked() { component = next }
        guard component.protocol == .ip4 || component.protocol == .ip6 else { return nil }
        return IPAddress(bytes: component.value)
    }

    /// The first TCP port.
    public var tcpPort: UInt16? { port(.tcp) }

    /// The first UDP port.
    public var udpPort: UInt16? { port(.udp) }

    private func port(_ transport: MultiaddrProtocol) -> UInt16? {
        first(transport).map { $0.value.reduce(0) { $0 << 8 | UInt16($1) } }
    }

    /// The name at the front: `dns`, `dns4`, `dns6` or `dnsaddr`.
    public var dnsName: String? {
        guard let first, [.dns, .dns4, .dns6, .dnsaddr].contains(first.protocol) else { return nil }
        return first.text
    }

    /// This address with an IP address in place of the name at its front, whatever kind of name that is.
    /// - Returns: nil if no name is there, or the address would be too long.
    public func replacingName(with ip: IPAddress) -> Multiaddr? {
        var cursor = MultiaddrCursor(bytes)
        guard dnsName != nil, cursor.nextChecked() != nil else { return nil }
        var replaced: [UInt8] = []
        MultiaddrValue.append(ip.isIPv6 ? .ip6 : .ip4, value: ip.bytes, to: &replaced)
        replaced += bytes[cursor.offset...]
        return replaced.count <= Self.maximumLength ? Multiaddr(unchecked: replaced) : nil
    }

    /// Whether the address goes through a relay.
    public var isRelayed: Bool { contains(.p2pCircuit) }

    /// Whether the IP address at the front is a loopback address, or the name there is `localhost`.
    public var isLoopback: Bool {
        ipAddress?.isLoopback ?? dnsName.map { Self.topLabel(of: $0) == "localhost" } ?? false
    }

    /// Whether the IP address at the front is private; see `IPAddress.isPrivate`.
    public var isPrivate: Bool { ipAddress?.isPrivate ?? false }

    /// Whether the IP address at the front is routed on the internet, or the name there may be.
    ///
    /// Names under the special-use domains `localhost`, `local`, `internal`, `invalid` and `test` are not public.
    public var isPublic: Bool {
        if let ipAddress { return ipAddress.isPublic }
        guard let dnsName else { return false }
        return !["localhost", "local", "internal", "invalid", "test"].contains(Self.topLabel(of: dnsName))
    }

    /// Whether the IP address at the front is link-local.
    public var isLinkLocal: Bool { ipAddress?.isLinkLocal ?? false }

    /// Whether the IP address at the front is the wildcard.
    public var isUnspecified: Bool { ipAddress?.isUnspecified ?? false }

    private static func topLabel(of name: String) -> String {
        name.split(separator: ".").last.map { $0.lowercased() } ?? ""
    }
}
