extension DNSMessage {
    /// Reads one whole message. Bytes after the last record are ignored, as resolvers do.
    /// - Throws: every case of `DNSError`; see the bounds at the type.
    /// - Complexity: linear in the message, and for each name at most 255 bytes and 127 pointers.
    package init(bytes: [UInt8]) throws(DNSError) {
        guard bytes.count <= Self.maximumLength else { throw .tooLong(limit: Self.maximumLength) }
        var reader = DNSReader(bytes)
        let identifier = try reader.readUInt16()
        let flags = try reader.readUInt16()
        let questionCount = Int(try reader.readUInt16())
        let counts = (
            Int(try reader.readUInt16()), Int(try reader.readUInt16()), Int(try reader.readUInt16())
        )
        guard questionCount <= Self.maximumQuestions else { throw .tooManyRecords(limit: Self.maximumQuestions) }
        guard counts.0 + counts.1 + counts.2 <= Self.maximumRecords else {
            throw .tooManyRecords(limit: Self.maximumRecords)
        }

        self.init(isResponse: flags & 0x8000 != 0, identifier: identifier)
        operationCode = UInt8(truncatingIfNeeded: (flags >> 11) & 0x0f)
        isAuthoritative = flags & 0x0400 != 0
        isTruncated = flags & 0x0200 != 0
        responseCode = UInt8(truncatingIfNeeded: flags & 0x0f)
        for _ in 0..<questionCount { questions.append(try reader.readQuestion()) }
        for _ in 0..<counts.0 { answers.append(try reader.readRecord()) }
        for _ in 0..<counts.1 { authorities.append(try reader.readRecord()) }
        for _ in 0..<counts.2 { additionals.append(try reader.readRecord()) }
    }
}

/// A reading position over a whole DNS message; names need the whole because pointers count from its start.
private struct DNSReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func readUInt8() throws(DNSError) -> UInt8 {
        guard position < bytes.count else { throw .truncated }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func readUInt16() throws(DNSError) -> UInt16 {
        UInt16(try readUInt8()) << 8 | UInt16(try readUInt8())
    }

    mutating func readUInt32() throws(DNSError) -> UInt32 {
        UInt32(try readUInt16()) << 16 | UInt32(try readUInt16())
    }

    mutating func readUInt64() throws(DNSError) -> UInt64 {
        UInt64(try readUInt32()) << 32 | UInt64(try readUInt32())
    }

    mutating func readBytes(_ count: Int) throws(DNSError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else { throw .truncated }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    /// Reads a name and follows its pointers.
    ///
    /// Every pointer must lead before the beginning of the text it continues, so positions strictly fall, and a loop is
    /// impossible. A pointer that leads to another adds nothing to the name, whose 255 bytes therefore bound no chain: pointers
    /// are counted, and a name may have as many as labels.
    mutating func readName() throws(DNSError) -> DNSName {
        var wire: [UInt8] = []
        var at = position
        var textStart = position
        var afterName: Int?
        var pointers = 0
        while true {
            guard at < bytes.count else { throw .truncated }
            let length = Int(bytes[at])
            switch length & 0xc0 {
            case 0x00 where length == 0:
                wire.append(0)
                position = afterName ?? at + 1
                return DNSName(checkedWire: wire)
            case 0x00:
                guard length < bytes.count - at else { throw .truncated }
                guard wire.count + 1 + length + 1 <= DNSName.maximumLength else { throw .badName }
                wire.append(contentsOf: bytes[at...(at + length)])
                at += 1 + length
            case 0xc0:
                guard at + 1 < bytes.count else { throw .truncated }
                let target = (length & 0x3f) << 8 | Int(bytes[at + 1])
                pointers += 1
                guard target < textStart, pointers <= DNSName.maximumLength / 2 else { throw .badPointer }
                if afterName == nil { afterName = at + 2 }
                textStart = target
                at = target
            default:
                throw .badLabel
            }
        }
    }

    mutating func readQuestion() throws(DNSError) -> DNSQuestion {
        let name = try readName()
        let type = try readUInt16()
        let classField = try readUInt16()
        return DNSQuestion(
            name, type: type, recordClass: classField & 0x7fff, wantsUnicast: classField & 0x8000 != 0)
    }

    mutating func readRecord() throws(DNSError) -> DNSRecord {
        let name = try readName()
        let type = try readUInt16()
        let classField = try readUInt16()
        let timeToLive = try readUInt32()
        let length = Int(try readUInt16())
        guard length <= bytes.count - position else { throw .truncated }
        let end = position + length
        let data = try readData(type: type, length: length, end: end)
        guard position == end else { throw .badRecordData(type: type) }
        return DNSRecord(
            name, data, timeToLive: timeToLive, flushesCache: classField & 0x8000 != 0,
            recordClass: classField & 0x7fff)
    }

    private mutating func readData(type: UInt16, length: Int, end: Int) throws(DNSError) -> DNSRecordData {
        switch type {
        case DNSType.a:
            guard length == 4 else { throw .badRecordData(type: type) }
            return .a(try readUInt32())
        case DNSType.aaaa:
            guard length == 16 else { throw .badRecordData(type: type) }
            return .aaaa(high: try readUInt64(), low: try readUInt64())
        case DNSType.ptr:
            return .ptr(try readName())
        case DNSType.srv:
            guard length >= 7 else { throw .badRecordData(type: type) }
            return .srv(
                priority: try readUInt16(), weight: try readUInt16(), port: try readUInt16(), target: try readName())
        case DNSType.txt:
            var strings: [ArraySlice<UInt8>] = []
            while position < end {
                let count = Int(try readUInt8())
                guard count <= end - position else { throw .badRecordData(type: type) }
                guard strings.count < DNSMessage.maximumStrings else { throw .badRecordData(type: type) }
                strings.append(try readBytes(count))
            }
            return .txt(strings)
        default:
            return .other(type: type, bytes: try readBytes(length))
        }
    }
}
