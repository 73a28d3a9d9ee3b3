/// Why bytes are not a DNS message, name or record that this implementation reads.
package enum DNSError: Error, Hashable, Sendable {
    /// The message ends inside a header, name or record.
    case truncated
    /// The message is longer than `limit` bytes.
    case tooLong(limit: Int)
    /// A name is longer than 255 bytes on the wire, an empty label stands inside it, or a label is longer than 63.
    case badName
    /// A length byte is neither a label (00) nor a pointer (11).
    case badLabel
    /// A compression pointer does not point before the text it continues.
    case badPointer
    /// More than `limit` questions and records.
    case tooManyRecords(limit: Int)
    /// The data of a record of a known type does not have that type's shape.
    case badRecordData(type: UInt16)
}

/// A domain name, compared without regard to the case of ASCII letters.
///
/// Wire shape: labels, each a length byte (1 to 63) and that many bytes, then a zero byte; 255 bytes at most.
/// Source: RFC 1035 sections 2.3.4 and 3.1; RFC 6762 section 16 (bytes are UTF-8, only ASCII letters fold).
package struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// Longest name on the wire, in bytes, with length bytes and the closing zero.
    package static let maximumLength = 255
    /// Longest label, in bytes.
    package static let maximumLabelLength = 63

    /// The name without compression, closing zero included.
    package let wire: [UInt8]

    /// Makes a name of labels, the leftmost first.
    /// - Throws: `DNSError.badName` for an empty or too long label, or a name over 255 bytes.
    package init(labels: [[UInt8]]) throws(DNSError) {
        var wire: [UInt8] = []
        for label in labels {
            guard !label.isEmpty, label.count <= Self.maximumLabelLength else { throw .badName }
            wire.append(UInt8(label.count))
            wire.append(contentsOf: label)
        }
        wire.append(0)
        guard wire.count <= Self.maximumLength else { throw .badName }
        self.wire = wire
    }

    /// Makes a name of dotted text, for example `goop-mdns.local`; one closing dot is allowed, escapes are not read.
    package init(text: String) throws(DNSError) {
        var bytes = Array(text.utf8)
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard !bytes.isEmpty else { throw .badName }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        try self.init(labels: parts.map { Array($0) })
    }

    /// Takes wire bytes that a reader has already checked.
    init(checkedWire wire: [UInt8]) { self.wire = wire }

    /// The name with `label` put in front.
    package func prepending(_ label: [UInt8]) throws(DNSError) -> DNSName {
        guard !label.isEmpty, label.count <= Self.maximumLabelLength else { throw .badName }
        guard label.count + 1 + wire.count <= Self.maximumLength else { throw .badName }
        return DNSName(checkedWire: [UInt8(label.count)] + label + wire)
    }

    /// The labels, leftmost first.
    package var labels: [ArraySlice<UInt8>] {
        var labels: [ArraySlice<UInt8>] = []
        var at = 0
        while at < wire.count, wire[at] != 0 {
            let end = at + 1 + Int(wire[at])
            labels.append(wire[(at + 1)..<end])
            at = end
        }
        return labels
    }

    /// Whether this name is `parent` with exactly one label in front.
    package func isChild(of parent: DNSName) -> Bool {
        guard let first = wire.first, first != 0 else { return false }
        let rest = wire.dropFirst(Int(first) + 1)
        return rest.count == parent.wire.count
            && zip(rest, parent.wire).allSatisfy { Self.folded($0) == Self.folded($1) }
    }

    /// The whole wire form with ASCII letters in lower case. Length bytes are at most 63 and so never letters.
    package var foldedWire: [UInt8] { wire.map(Self.folded) }

    package static func == (a: DNSName, b: DNSName) -> Bool {
        a.wire.count == b.wire.count && zip(a.wire, b.wire).allSatisfy { folded($0) == folded($1) }
    }

    package func hash(into hasher: inout Hasher) {
        for byte in wire { hasher.combine(Self.folded(byte)) }
    }

    /// Dotted text for logs; bytes outside of printable ASCII, dots and backslashes are written `\DDD`.
    package var description: String {
        let labels = self.labels
        guard !labels.isEmpty else { return "." }
        var text = ""
        for label in labels {
            for byte in label {
                if (0x21...0x7e).contains(byte), byte != UInt8(ascii: "."), byte != UInt8(ascii: "\\") {
                    text.unicodeScalars.append(Unicode.Scalar(byte))
                } else {
                    let digits = String(byte)
                    text += "\\" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
                }
            }
            text += "."
        }
        return text
    }

    static func folded(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
