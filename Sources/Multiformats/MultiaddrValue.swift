/// The rules for the values of multiaddr components, in both forms.
enum MultiaddrValue {
    /// The longest name of `dns…` and `sni`, in bytes, as the DNS has it.
    static let maximumNameLength = 255

    /// Appends a component in the binary form.
    static func append(_ protocol: MultiaddrProtocol, value: some Collection<UInt8>, to bytes: inout [UInt8]) {
        Varint.append(`protocol`.rawValue, to: &bytes)
        if `protocol`.valueSize == .lengthPrefixed { Varint.append(UInt64(value.count), to: &bytes) }
        bytes.append(contentsOf: value)
    }

    /// Whether the value may stand in a component; fixed sizes have been enforced by the reader.
    static func isValid(_ component: Multiaddr.Component) -> Bool {
        let value = component.value
        switch component.protocol {
        case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .sni:
            return isName(value)
        case .unix:
            // Text drops trailing slashes, and the path's own first slash is the separator.
            return value.count > 1 && value.first == slash && value.last != slash && isUTF8(value)
        case .p2p:
            return isPeerID(value)
        case .certhash:
            return (try? Multihash(bytes: value)) != nil
        case .httpPath:
            return !value.isEmpty
        default:
            return true
        }
    }

    /// The value in text, or `nil` for protocols without one.
    static func text(of component: Multiaddr.Component) -> String? {
        let value = component.value
        switch component.protocol {
        case .ip4, .ip6:
            return IPAddress(bytes: value)?.description
        case .tcp, .udp, .ipcidr, .memory:
            return String(value.reduce(0) { $0 << 8 | UInt64($1) })
        case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .sni:
            return String(decoding: value, as: UTF8.self)
        case .unix:
            return String(decoding: value.dropFirst(), as: UTF8.self)
        case .p2p:
            return Base58.encode(value)
        case .certhash:
            return Multibase.encode(value, as: .base64url)
        case .httpPath:
            return percentEncoded(value)
        case .webrtcDirect, .webrtc, .p2pCircuit, .tls, .noise, .quic, .quicV1, .webtransport, .ws, .wss, .http:
            return nil
        }
    }

    /// The binary value of a text value, or `nil` if the protocol does not allow it.
    static func parse(_ text: ArraySlice<UInt8>, for protocol: MultiaddrProtocol) -> [UInt8]? {
        let value: [UInt8]?
        switch `protocol` {
        case .ip4:
            value = IPAddress(String(decoding: text, as: UTF8.self)).flatMap { $0.isIPv6 ? nil : $0.bytes }
        case .ip6:
            value = IPAddress(String(decoding: text, as: UTF8.self)).flatMap { $0.isIPv6 ? $0.bytes : nil }
        case .tcp, .udp:
            value = decimal(text, bytes: 2)
        case .ipcidr:
            value = decimal(text, bytes: 1)
        case .memory:
            value = decimal(text, bytes: 8)
        case .ip6zone, .dns, .dns4, .dns6, .dnsaddr, .sni:
            value = Array(text)
        case .unix:
            value = [slash] + text
        case .p2p:
            value = peerID(String(decoding: text, as: UTF8.self))
        case .certhash:
            value = try? Multibase.decode(String(decoding: text, as: UTF8.self))
        case .httpPath:
            value = percentDecoded(text)
        case .webrtcDirect, .webrtc, .p2pCircuit, .tls, .noise, .quic, .quicV1, .webtransport, .ws, .wss, .http:
            value = nil
        }
        guard let value, isValid(.init(protocol: `protocol`, value: value[...])) else { return nil }
        return value
    }

    private static let slash = UInt8(ascii: "/")

    private static func isName(_ value: ArraySlice<UInt8>) -> Bool {
        !value.isEmpty && value.count <= maximumNameLength && !value.contains(slash) && isUTF8(value)
    }

    private static func isUTF8(_ value: ArraySlice<UInt8>) -> Bool {
        String(validating: value, as: UTF8.self) != nil
    }

    /// An identity multihash of at most 42 bytes, the longest key that is put into an id as it is, or a SHA-256.
    private static func isPeerID(_ value: ArraySlice<UInt8>) -> Bool {
        guard let hash = try? Multihash(bytes: value) else { return false }
        return hash.code == Multihash.sha256 || hash.code == Multihash.identity && 1...42 ~= hash.digest.count
    }

    private static func peerID(_ text: String) -> [UInt8]? {
        if text.hasPrefix("1") || text.hasPrefix("Qm") { return try? Base58.decode(text) }
        guard let cid = try? CID(text: text), cid.version == 1, cid.codec == CID.libp2pKey else { return nil }
        return cid.multihash.bytes
    }

    private static func decimal(_ text: ArraySlice<UInt8>, bytes count: Int) -> [UInt8]? {
        guard !text.isEmpty, text.count <= 20 else { return nil }
        var number: UInt64 = 0
        for digit in text {
            guard 0x30...0x39 ~= digit else { return nil }
            let (product, tooBig) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(UInt64(digit - 0x30))
            guard !tooBig, !carried else { return nil }
            number = sum
        }
        guard count == 8 || number >> UInt64(8 * count) == 0 else { return nil }
        return (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * (count - 1 - $0))) }
    }

    /// Everything but RFC 3986's unreserved characters is escaped, so that no slash appears in the text.
    private static func percentEncoded(_ value: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text: [UInt8] = []
        for byte in value {
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f, 0x7e:
                text.append(byte)
            default:
                text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func percentDecoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var value: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                value.append(byte)
                continue
            }
            guard let high = rest.popFirst(), let low = rest.popFirst(),
                let pair = try? Hex.codec.decode([high, low])
            else { return nil }
            value += pair
        }
        return value
    }
}
