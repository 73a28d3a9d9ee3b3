extension DNSMessage {
    /// The message as bytes, names compressed, at most `maximumLength` bytes long.
    ///
    /// A record that does not fit is left out, and so are the later ones that do not fit either; the counts in the
    /// header say what is there. Questions are ours and small, and are always written.
    package func encoded(maximumLength: Int) -> [UInt8] {
        var writer = DNSWriter(maximumLength: maximumLength)
        var flags: UInt16 = isResponse ? 0x8000 : 0
        flags |= UInt16(operationCode & 0x0f) << 11
        if isAuthoritative { flags |= 0x0400 }
        if isTruncated { flags |= 0x0200 }
        flags |= UInt16(responseCode & 0x0f)
        writer.append(identifier)
        writer.append(flags)
        for _ in 0..<4 { writer.append(UInt16(0)) }

        for question in questions { writer.append(question) }
        writer.setCount(questions.count, at: 4)
        for (section, offset) in [(answers, 6), (authorities, 8), (additionals, 10)] {
            writer.setCount(section.count { writer.appendIfItFits($0) }, at: offset)
        }
        return writer.bytes
    }
}

/// Builds a message and remembers where each name stands, so that a later name can point at it.
private struct DNSWriter {
    private(set) var bytes: [UInt8] = []
    private let maximumLength: Int
    /// Folded wire form of every name suffix written, and its offset.
    private var offsets: [ArraySlice<UInt8>: Int] = [:]

    init(maximumLength: Int) { self.maximumLength = maximumLength }

    mutating func append(_ value: UInt16) {
        bytes.append(UInt8(truncatingIfNeeded: value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }

    mutating func append(_ value: UInt32) {
        append(UInt16(truncatingIfNeeded: value >> 16))
        append(UInt16(truncatingIfNeeded: value))
    }

    mutating func append(_ value: UInt64) {
        append(UInt32(truncatingIfNeeded: value >> 32))
        append(UInt32(truncatingIfNeeded: value))
    }

    mutating func setCount(_ count: Int, at offset: Int) {
        bytes[offset] = UInt8(truncatingIfNeeded: count >> 8)
        bytes[offset + 1] = UInt8(truncatingIfNeeded: count)
    }

    mutating func append(_ name: DNSName) {
        let folded = name.foldedWire
        var at = 0
        while folded[at] != 0 {
            let suffix = folded[at...]
            if let offset = offsets[suffix] {
                append(0xc000 | UInt16(truncatingIfNeeded: offset))
                return
            }
            // A pointer has 14 bits.
            if bytes.count < 0x4000 { offsets[suffix] = bytes.count }
            let end = at + 1 + Int(folded[at])
            bytes.append(contentsOf: name.wire[at..<end])
            at = end
        }
        bytes.append(0)
    }

    mutating func append(_ question: DNSQuestion) {
        append(question.name)
        append(question.type)
        append(question.recordClass & 0x7fff | (question.wantsUnicast ? 0x8000 : 0))
    }

    /// Writes a record, or leaves the message as it was if the record would make it too long.
    mutating func appendIfItFits(_ record: DNSRecord) -> Bool {
        let (savedCount, savedOffsets) = (bytes.count, offsets)
        append(record.name)
        append(record.data.type)
        append(record.recordClass & 0x7fff | (record.flushesCache ? 0x8000 : 0))
        append(record.timeToLive)
        let lengthOffset = bytes.count
        append(UInt16(0))
        append(record.data)
        let length = bytes.count - lengthOffset - 2
        guard bytes.count <= maximumLength, length <= Int(UInt16.max) else {
            bytes.removeSubrange(savedCount...)
            offsets = savedOffsets
            return false
        }
        setCount(length, at: lengthOffset)
        return true
    }

    private mutating func append(_ data: DNSRecordData) {
        switch data {
        case .a(let address):
            append(address)
        case .aaaa(let high, let low):
            append(high)
            append(low)
        case .ptr(let name):
            append(name)
        case .srv(let priority, let weight, let port, let target):
            append(priority)
            append(weight)
            append(port)
            append(target)
        case .txt(let strings):
            for string in strings {
                let string = string.prefix(255)
                bytes.append(UInt8(truncatingIfNeeded: string.count))
                bytes.append(contentsOf: string)
            }
            // A TXT record holds at least one string (RFC 6763 section 6.1).
            if strings.isEmpty { bytes.append(0) }
        case .other(_, let raw):
            bytes.append(contentsOf: raw)
        }
    }
}
