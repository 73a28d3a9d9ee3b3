extension Multiaddr: CustomStringConvertible, LosslessStringConvertible {
    /// Reads the text form. Trailing slashes are ignored; `ipfs` is read as `p2p`; a peer id may be base58 or a CID.
    ///
    /// - Throws: `.missingLeadingSlash`, `.empty`, `.tooLong` past 8192 bytes of text or 4096 of the binary form, or what
    ///   is wrong with the first bad component.
    public init(text: String) throws(MultiaddrError) {
        guard text.utf8.count <= Self.maximumTextLength else { throw .tooLong(limit: Self.maximumTextLength) }
        let slash = UInt8(ascii: "/")
        let utf8 = Array(text.utf8)
        guard !utf8.isEmpty else { throw .empty }
        guard utf8.first == slash else { throw .missingLeadingSlash }
        var rest = utf8[...]
        while rest.last == slash { rest = rest.dropLast() }
        guard !rest.isEmpty else { throw .empty }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64)
        // Every turn takes a slash and what stands up to the next one.
        while !rest.isEmpty {
            let name = Self.takeSegment(&rest)
            guard let known = MultiaddrProtocol(name: String(decoding: name, as: UTF8.self)) else {
                throw .unknownName(String(String(decoding: name.prefix(256), as: UTF8.self).prefix(64)))
            }
            if known.valueSize == .fixed(0) {
                MultiaddrValue.append(known, value: [], to: &bytes)
                continue
            }
            guard !rest.isEmpty else { throw .missingValue(known) }
            let text: ArraySlice<UInt8>
            if known == .unix {
                text = rest.dropFirst()
                rest = []
            } else {
                text = Self.takeSegment(&rest)
            }
            guard let value = MultiaddrValue.parse(text, for: known) else { throw .invalidValue(known) }
            MultiaddrValue.append(known, value: value, to: &bytes)
        }
        guard bytes.count <= Self.maximumLength else { throw .tooLong(limit: Self.maximumLength) }
        self.init(unchecked: bytes)
    }

    /// Reads the text form, `nil` if it is refused; `init(text:)` tells why.
    public init?(_ description: String) {
        do { try self.init(text: description) } catch { return nil }
    }

    /// The text form.
    public var description: String {
        var text = ""
        var cursor = MultiaddrCursor(bytes)
        while let component = cursor.nextChecked() {
            text += "/\(component.protocol.name)"
            if let value = component.text { text += "/\(value)" }
        }
        return text
    }

    private static func takeSegment(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        rest = rest.dropFirst()
        let segment = rest.prefix { $0 != UInt8(ascii: "/") }
        rest = rest.dropFirst(segment.count)
        return segment
    }
}
